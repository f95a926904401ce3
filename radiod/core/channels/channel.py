"""One channel: its name, its rules, and what it is at the moment."""

from __future__ import annotations

from radiod.core.channels.settings import NO_RULES, ChannelSettings, User
from radiod.core.holders import Account
from radiod.core.pubsub.topic_space import TopicRef, TopicSpace
from radiod.core.rights import Principal
from radiod.core.sessions.session import Session
from radiod.core.statistics import Traffic
from radiod.core.timers import Deadline
from radiod.core.uris import LOOSE, MAX_URI_LENGTH, is_pattern, is_reserved
from radiod.errors import BAD_NAME, Refused

__all__ = [
    "Channel",
    "check_name",
    "user_of",
]


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


class Channel:
    """One channel.

    ``key_hash``: None for a public one; ``control_hash``: None for channels of the configuration, which
    nobody may delete; ``owner``: id of the session that created it, or has taken it over; ``account``: whose
    session created it, None: nobody's, or that is not known any more; ``members``: the sessions that joined
    a private one; ``is_saved``: the store has it, or is about to.
    """

    __slots__ = (
        "account",
        "control_hash",
        "deadline",
        "ends_at",
        "grace",
        "grace_ends_at",
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
        self.account: Account | None = None
        # The end of its lifetime, and of the grace that an owner who left has to come back.
        self.ends_at: float | None = None
        self.deadline: Deadline | None = None
        self.grace: Deadline | None = None
        self.grace_ends_at: float | None = None
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
