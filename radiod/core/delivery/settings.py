"""How one listener wants its events; ``buffers.settings_from`` checks what it asks for."""

from __future__ import annotations

from typing import Final, Literal, get_args

from msgspec import Struct

__all__ = ["DEFAULTS", "POLICIES", "BufferSettings", "Policy"]

Policy = Literal["ring", "skip", "clear", "wait", "raise"]
POLICIES: Final[tuple[Policy, ...]] = get_args(Policy)


class BufferSettings(Struct, frozen=True, kw_only=True):
    """How one listener wants its events.

    ``size`` in events, 0 for as many as ``max_bytes`` holds; ``policy`` when that is full; ``every``: one of
    so many is delivered; ``min_interval`` in seconds between deliveries; ``latest``: only the newest waits;
    ``weight``: its share of the connection beside the session's other listeners; ``max_bytes`` of payload.
    """

    size: int = 100
    policy: Policy = "ring"
    every: int = 1
    min_interval: float = 0.0
    latest: bool = False
    weight: int = 1
    max_bytes: int = 1 << 20

    @property
    def is_paced(self) -> bool:
        """True when the listener cannot simply be given every event at once."""
        return self.every > 1 or self.min_interval > 0 or self.latest or self.holds_publishers

    @property
    def holds_publishers(self) -> bool:
        """True when publishers learn of it that the buffer is full."""
        return self.policy in ("wait", "raise")


DEFAULTS: Final = BufferSettings()
