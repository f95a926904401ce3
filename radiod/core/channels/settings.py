"""The rules of a channel, and what of it outlives the server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal, Protocol

from msgspec import Struct

from radiod.core.history.bounds import HistoryBounds
from radiod.errors import Refused

__all__ = [
    "MAX_LIFETIME",
    "NO_RULES",
    "ChannelSettings",
    "ChannelStore",
    "KeptChannel",
    "OwnerLeaves",
    "SavedChannel",
    "User",
]

MAX_LIFETIME: Final = 10 * 365 * 86_400.0
"""Seconds; longer is no lifetime but a mistake."""

OwnerLeaves = Literal["delete", "keep"] | float
"""What becomes of a channel whose owner leaves: it ends, stays, or ends after so many seconds."""


User = tuple[str | None, str]
"""Who creates channels: authid and role. Anonymous authids do not last: all those of a role are one user."""


class ChannelSettings(Struct, frozen=True, kw_only=True):
    """The rules of a channel, as it was declared or created. ``buffer``: as it was given.

    ``lifetime``: seconds until it ends, fractions allowed, and where it was saved those that were left then:
    nothing that comes back lives longer, should the clock stand at some earlier date. ``user``: who created
    it; None: nobody, or nobody knows any more.
    """

    on_owner_leave: OwnerLeaves = "keep"
    single_writer: bool = False
    presence: bool = False
    history: HistoryBounds | None = None
    buffer: dict[str, Any] = {}
    lifetime: float | None = None
    user: User | None = None

    @property
    def is_durable(self) -> bool:
        """Whether its events are written before anybody gets them."""
        return self.history is not None and self.history.is_durable

    @property
    def most_bytes(self) -> int:
        """Bytes that its history may come to hold."""
        return 0 if self.history is None else self.history.most


NO_RULES: Final = ChannelSettings()


class SavedChannel(Struct, frozen=True, kw_only=True):
    """A durable channel that a session created, in the store. ``expires``: seconds since 1970."""

    name: str
    control_hash: bytes
    expires: float | None
    settings: ChannelSettings


class KeptChannel(Struct, frozen=True, kw_only=True):
    """A channel that a session created, as it was when the server stopped.

    ``key_hash``: None for a public one; ``left``: seconds of its lifetime; ``waits``: for so many seconds
    somebody may come as its owner, None: it needs none; ``account``: whose session created it.
    """

    name: str
    control_hash: bytes
    settings: ChannelSettings
    key_hash: bytes | None = None
    left: float | None = None
    waits: float | None = None
    account: str | None = None


class ChannelStore(Protocol):
    """Where durable channels that sessions created are written, so that they come back after any crash."""

    def save(self, channel: SavedChannel, done: Callable[[Refused | None], None]) -> None:
        """Write what is to be known of a channel, and call ``done`` once it is on disk, or cannot be."""
