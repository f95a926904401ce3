"""The end of a connection whose peer may be sending yet.

A connection that is closed with something unread is reset, and the reset overtakes what was answered. So the
peer is told that nothing more comes, and is read on for a while (RFC 9112, 9.6).
"""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.interfaces import INegotiated

__all__ = ["LINGER_SECONDS", "can_linger"]

LINGER_SECONDS: Final = 1.0
"""How long what a refused peer still sends is read and dropped."""


def can_linger(transport: Any) -> bool:
    """Whether only the way to the peer can be closed. Under TLS the peer's end is waited for anyhow."""
    return hasattr(transport, "loseWriteConnection") and not INegotiated.providedBy(transport)
