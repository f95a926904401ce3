"""One transport, several protocols one after the other."""

from __future__ import annotations

from typing import Any

__all__ = ["put_in_place"]


def put_in_place(transport: Any, protocol: Any) -> None:
    """Have ``protocol`` receive what comes from ``transport``; nothing of its predecessor remains."""
    # Under TLS the transport that reads from the socket is not the one we write to.
    if hasattr(transport, "wrappedProtocol"):
        transport.wrappedProtocol = protocol
    else:
        transport.protocol = protocol
