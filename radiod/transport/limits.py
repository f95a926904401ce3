"""The limits of every transport in one value."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["TransportLimits"]


class TransportLimits(Struct, frozen=True, kw_only=True):
    """Limits; sizes in bytes, times in seconds. Their meaning is documented with the configuration."""

    max_message_bytes: int = 1 << 20
    max_connections: int = 50_000
    max_connections_per_address: int = 256
    max_polls: int = 5_000
    max_fragments: int = 1024
    compression: bool = True
    handshake_seconds: float = 10.0
    ping_interval: float = 30.0
    ping_timeout: float = 20.0
    http_timeout: float = 30.0
    http_idle: float = 75.0
    heartbeat: float = 15.0
