"""The bounds of a realm's tables, as the configuration gives them."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["Limits"]


class Limits(Struct, frozen=True, kw_only=True):
    """Bounds of the core's own tables; the meaning of each is documented with the configuration."""

    call_timeout_s: float = 60.0
    max_pending_calls: int = 4096
    max_subscriptions: int = 10_000
    max_registrations: int = 10_000
    max_channels: int = 10_000
    max_channels_per_session: int = 100
    max_channels_per_user: int = 1000
    max_memberships: int = 1000
    max_history_bytes: int = 1 << 30
    max_history_bytes_per_user: int = 1 << 28
    demand_hold_s: float = 1.0
    max_retained_topics: int = 10_000
    max_retained_bytes: int = 64 << 20
    max_testaments: int = 100
    max_buffer_bytes: int = 16 << 20
    max_session_bytes: int = 64 << 20
    max_buffered_bytes: int = 1 << 30
    wait_timeout_s: float = 5.0
    max_nesting: int = 64
