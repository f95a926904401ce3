"""How a WAMP session of a connection ends: the close code that says why, and short words."""

from __future__ import annotations

from typing import Final

from msgspec import structs

from radiod.errors import RUNTIME_ERROR, Denied, RadiodError, TryLater
from radiod.wire.messages import Abort, Message, Welcome

__all__ = [
    "INTERNAL_ERROR",
    "INVALID_PAYLOAD",
    "NORMAL",
    "POLICY_VIOLATION",
    "PROTOCOL_ERROR",
    "SERVICE_RESTART",
    "close_code_of",
    "shorter",
]

# WebSocket close codes (RFC 6455, 7.4.1, and the registry of IANA)
NORMAL: Final = 1000
PROTOCOL_ERROR: Final = 1002
INVALID_PAYLOAD: Final = 1007
POLICY_VIOLATION: Final = 1008
INTERNAL_ERROR: Final = 1011
SERVICE_RESTART: Final = 1012


def close_code_of(error: RadiodError) -> int:
    """Of a session that ends for this error."""
    if error.uri == RUNTIME_ERROR:
        return INTERNAL_ERROR
    if isinstance(error, TryLater):
        return SERVICE_RESTART
    return POLICY_VIOLATION if isinstance(error, Denied) else PROTOCOL_ERROR


def shorter(reply: Message) -> tuple[Message, ...]:
    """What fits a client of few bytes: WELCOME without features and who the router is, ABORT without text."""
    if isinstance(reply, Abort):
        return (Abort({}, reply.reason),)
    if not isinstance(reply, Welcome):
        return ()
    details = {name: value for name, value in reply.details.items() if name not in ("agent", "x_radiod")}
    return (structs.replace(reply, details={**details, "roles": {"broker": {}, "dealer": {}}}),)
