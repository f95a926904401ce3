"""One channel: its name, its rules, and what it is at the moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal, Protocol

from msgspec import Struct

from radiod.core.history.events import HistoryBounds
from radiod.core.pubsub.topic_space import TopicRef, TopicSpace
from radiod.core.rights import Principal
from radiod.core.sessions.session import Session
from radiod.core.statistics import Traffic
from radiod.core.timers import Deadline
from radiod.core.uris import LOOSE, MAX_URI_LENGTH, is_pattern, is_reserved
from radiod.errors import BAD_NAME, Refused

__all__ = [
    "MAX_LIFETIME",
    "NO_RULES",
    "Channel",
    "ChannelSettings",
    "ChannelStore",
    "OwnerLeaves",
    "SavedChannel",
    "User",
    "check_name",
    "user_of",
]

MAX_LIFETIME: Final = 10 * 365 * 86_400.0
"""Seconds; longer is no lifetime but a mistake."""

OwnerLeaves = Literal["delete", "keep"] | float
"""What becomes of a channel whose owner leaves: it ends, stays, or ends after so many seconds."""


User = tuple[str | None, str]
"""Who creates channels: authid and role. Anonymous authids do not last: all those of a role are one user."""


def user_of(principal: Principal) -> User:
    """The user that the channels of a principal's sessions count for."""
    is_anonymous = principal.authmethod == "anonymous"
    return None if is_anonymous else principal.authid, principal.authrole


def check_name(name: str) -> None:
    """Refuse what cannot be a channel's name; what does not show cannot make two names look alike.

    Raises: Refused: ``bad_name``.
    """
    # The length first: the other checks take time in proportion to it.
    is_uri = len(name) <= MAX_URI_LENGTH and name.isprintable() and LOOSE.fullmatch(name) is not None
    if not is_uri or is_reserved(name) or is_pattern(name):
        raise Refused(
            BAD_NAME,
            f"a channel's name is a printable URI of up to {MAX_URI_LENGTH} characters, outside wamp. and "
            "radiod., without * at its end",
        )


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


class ChannelStore(Protocol):
    """Where durable channels that sessions created are written, so that they come back after any crash."""

    def save(self, channel: SavedChannel, done: Callable[[Refused | None], None]) -> None:
        """Write what is to be known of a channel, and call ``done`` once it is on disk, or cannot be."""


class Channel:
    """One channel.

    ``key_hash``: None for a public one; ``control_hash``: None for channels of the configuration, which
    nobody may delete; ``owner``: id of the session that created it, or has taken it over; ``members``: the
    sessions that joined a private one; ``is_saved``: the store has it, or is about to.
    """

    __slots__ = (
        "control_hash",
        "deadline",
        "ends_at",
        "grace",
        "is_ended",
        "is_saved",
        "key_hash",
        "members",
        "name",
        "owner",
        "settings",
        "space",
        "traffic",
    )

    def __init__(
        self,
        name: str,
        space: TopicSpace,
        settings: ChannelSettings = NO_RULES,
        *,
        key_hash: bytes | None = None,
        control_hash: bytes | None = None,
    ) -> None:
        self.name = name
        self.space = space
        self.settings = settings
        self.key_hash = key_hash
        self.control_hash = control_hash
        self.is_saved = False
        self.owner: int | None = None
        # The end of its lifetime, and of the grace that an owner who left has to come back.
        self.ends_at: float | None = None
        self.deadline: Deadline | None = None
        self.grace: Deadline | None = None
        self.traffic = Traffic()
        self.is_ended = False
        self.members: dict[Session, None] = {}

    @property
    def is_public(self) -> bool:
        """True unless a key is needed."""
        return self.key_hash is None

    @property
    def topic(self) -> TopicRef:
        """Where its listeners are."""
        return self.space.at(self.name)
