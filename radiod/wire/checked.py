"""What decoders tell ``Codec.payload`` about a payload part, so that nothing is looked at twice."""

from __future__ import annotations

from radiod.wire.scan_cbor import CborScan

__all__ = ["Checked"]


class Checked(bytes):
    """A payload part that its decoder has looked at: ``scan`` is what it found, ``fault`` what is wrong."""

    scan: CborScan | None = None
    fault = ""
