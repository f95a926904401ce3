"""What is written of a kept event beside its payload: by the store, and in the state that outlives a restart.

JSON, and of the options only what is not the default, which is nearly nothing.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec
from msgspec import structs

from radiod.wire.options import PublishOptions

__all__ = ["ROLE", "Told", "read_told", "write_details", "write_options"]

ROLE: Final = "radiod_role"
"""What tells the publisher's role among the options of a written event; no option of a client is named so."""

_DETAILS: Final = msgspec.json.Decoder(dict[str, Any])
_OPTIONS: Final = msgspec.json.Decoder(PublishOptions)
_NOTHING: Final = b"{}"


class _Publisher(msgspec.Struct):
    """Of the options of a written event, what is not the client's."""

    radiod_role: str = ""


_PUBLISHER: Final = msgspec.json.Decoder(_Publisher)


class Told(NamedTuple):
    """``options``: as the publisher gave them; ``details``: what receivers learn; ``role``: whose it is."""

    options: PublishOptions
    details: dict[str, Any]
    role: str


def write_details(details: dict[str, Any]) -> bytes:
    """What every receiver learns about an event."""
    return msgspec.json.encode(details) if details else _NOTHING


def write_options(options: PublishOptions, role: str = "") -> bytes:
    """The options of an event that was published, and the role of its publisher."""
    if options.stream is not None:
        # Where it stood in its stream is in the details; what a client said may be nothing that JSON knows.
        options = structs.replace(options, stream=None)
    if role:
        return msgspec.json.encode({**msgspec.to_builtins(options), ROLE: role})
    return msgspec.json.encode(options)


def read_told(options: bytes, details: bytes) -> Told:
    """What was written. Raises: msgspec.MsgspecError, ValueError: no radiod wrote that."""
    role = _PUBLISHER.decode(options).radiod_role if len(options) > len(_NOTHING) else ""
    return Told(_OPTIONS.decode(options), _DETAILS.decode(details), role)
