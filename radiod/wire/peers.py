"""How peers are called: in the log, and by whoever is told where somebody comes from."""

from __future__ import annotations

from typing import Final

__all__ = ["peer_at", "without_mapping"]

MAPPED: Final = "::ffff:"
"""Before an IPv4 address whose connection came by a socket of IPv6, as those of systemd are."""


def without_mapping(host: str) -> str:
    """An IP address as text; one of IPv4 by itself."""
    return host[len(MAPPED) :] if host.startswith(MAPPED) and "." in host else host


def peer_at(host: str, port: int) -> str:
    """A peer as the log names it: ``tcp:192.0.2.1:4711``, ``tcp:[2001:db8::1]:4711``."""
    host = without_mapping(host)
    return f"tcp:[{host}]:{port}" if ":" in host else f"tcp:{host}:{port}"
