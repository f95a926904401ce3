"""What of a channel outlives the server."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from radiod.core.history.keep import Keep

__all__ = ["ChannelSettings", "OwnerLeaves", "SavedChannel", "User"]

OwnerLeaves = Literal["delete", "keep"] | float
"""What becomes of a channel whose owner leaves: it ends, stays, or ends after so many seconds."""


User = tuple[str | None, str]
"""Who creates channels: authid and role. Anonymous authids do not last: all those of a role are one user."""


class ChannelSettings(Struct, frozen=True, kw_only=True):
    """How a channel was created, as far as it outlives the server. ``buffer``: as it was given.

    ``lifetime``: the seconds that were left when this was saved. Nothing that comes back lives longer, should
    the clock stand at some earlier date then. ``user``: who created it; None: nobody knows any more.
    """

    on_owner_leave: OwnerLeaves
    single_writer: bool
    presence: bool
    history: Keep
    buffer: dict[str, Any]
    lifetime: float | None = None
    user: User | None = None


class SavedChannel(Struct, frozen=True, kw_only=True):
    """A durable channel that a session created, in the journal. ``expires``: seconds since 1970."""

    name: str
    control_hash: bytes
    expires: float | None
    settings: ChannelSettings
