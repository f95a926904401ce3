"""Why a TLS handshake failed, in a few words for the log."""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from twisted.python.failure import Failure

__all__ = ["what_failed"]


def what_failed(transport: Any, reason: Failure | None) -> str | None:
    """What to say of a connection that ends before it said anything.

    Args:
        transport: of the connection, wrapped in whatever it is.
        reason: why it ends; None: the time is up.
    Returns: None: its handshake is done, or nobody began one, or it is not under TLS.
    """
    handle = transport.getHandle() if hasattr(transport, "getHandle") else None
    # The peer's last word in a handshake is Finished.
    if not isinstance(handle, SSL.Connection) or handle.get_peer_finished() is not None:
        return None
    if reason is None:
        return "no TLS handshake in time"
    if isinstance(reason.value, SSL.Error):
        return f"TLS handshake failed: {_words(reason.value)}"
    # Whoever only looks whether the port is open, as load balancers do, is not worth a line.
    has_begun = getattr(transport, "has_begun", True)
    return "TLS handshake failed: the peer hung up" if has_begun else None


def _words(error: Any) -> str:
    """OpenSSL's last word on it: (library, function, reason)."""
    entries = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return str(entries[-1][-1]) if entries else type(error).__name__
