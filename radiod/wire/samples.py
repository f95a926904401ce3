"""A payload as listeners without WAMP see it: one JSON value."""

from __future__ import annotations

from typing import Final

import msgspec

from radiod.wire.codecs import JSON, Payload

__all__ = ["sample_of"]

_ELEMENTS: Final = msgspec.json.Decoder(list[msgspec.Raw])


def sample_of(payload: Payload) -> bytes:
    """The sample alone, as JSON: ``args[0]`` if that is all there is, else ``{args, kwargs}``.

    Raises: Undecodable: JSON cannot express it.
    """
    args, kwargs = payload.parts(JSON)
    # What is no list is opaque: one string that only those who have the key can read.
    elements = _ELEMENTS.decode(args) if args[:1] == b"[" else []
    if len(elements) == 1 and not kwargs:
        return bytes(elements[0])
    return b'{"args":%b,"kwargs":%b}' % (args or b"[]", kwargs or b"{}")
