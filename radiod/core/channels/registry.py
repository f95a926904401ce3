"""Channels: declared or created names with an owner, a control key and, if wanted, an end.

A channel's name is its topic. Undeclared topics are no channels: anybody entitled may use them, unless the
realm forbids that. Whoever knows a channel's control key controls it; only its holder learns it. A private
channel is found by its name and key together: an unknown name and a wrong key are the same miss.

Keys are held, and looked for, as their SHA-256: what the time of a look-up tells about a digest helps nobody
to find the key.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator
from itertools import takewhile
from typing import TYPE_CHECKING, Final

from radiod.core.channels.memberships import private_channel
from radiod.core.channels.saved import ChannelSettings, OwnerLeaves, SavedChannel, User
from radiod.core.history.histories import Keep
from radiod.core.ports import Clock, Ids, Principal
from radiod.core.pubsub.topic_space import Place, Space
from radiod.core.statistics import Traffic
from radiod.core.timers import Deadline, Timers
from radiod.core.uris import LOOSE, MAX_URI_LENGTH, is_pattern, is_reserved
from radiod.errors import (
    BAD_KEY,
    BAD_NAME,
    CHANNEL_CLOSED,
    CHANNEL_EXISTS,
    NO_SUCH_CHANNEL,
    Exceeded,
    Refused,
    WrongSecret,
)

if TYPE_CHECKING:
    from radiod.core.sessions.session import Session

__all__ = [
    "MAX_LIFETIME",
    "Channel",
    "ChannelSettings",
    "Channels",
    "OwnerLeaves",
    "SavedChannel",
    "User",
    "check_name",
    "digest",
    "user_of",
]

MAX_LIFETIME: Final = 10 * 365 * 86_400.0
"""Seconds; longer is no lifetime but a mistake."""


def user_of(principal: Principal) -> User:
    """The user that the channels of a principal's sessions count for."""
    is_anonymous = principal.authmethod == "anonymous"
    return None if is_anonymous else principal.authid, principal.authrole


def digest(key: str) -> bytes:
    """The SHA-256 of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


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
    nobody may delete; ``owner``: id of the session that created it, or has taken it over; ``members``: the
    sessions that joined a private one; ``history``: what is kept of it; ``user``: who created it.
    """

    __slots__ = (
        "control_hash",
        "deadline",
        "ends_at",
        "grace",
        "history",
        "is_ended",
        "key_hash",
        "members",
        "name",
        "on_owner_leave",
        "owner",
        "presence",
        "settings",
        "single_writer",
        "space",
        "traffic",
        "user",
    )

    def __init__(
        self,
        name: str,
        space: Space,
        *,
        key_hash: bytes | None = None,
        control_hash: bytes | None = None,
        on_owner_leave: OwnerLeaves = "keep",
        single_writer: bool = False,
        presence: bool = False,
        history: Keep | None = None,
        user: User | None = None,
    ) -> None:
        self.name = name
        self.user = user
        self.space = space
        self.key_hash = key_hash
        self.control_hash = control_hash
        self.on_owner_leave: OwnerLeaves = on_owner_leave
        self.single_writer = single_writer
        self.presence = presence
        self.history = history
        # What the journal holds of a durable one that a session created.
        self.settings: ChannelSettings | None = None
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
    def most(self) -> int:
        """Bytes that its history may come to hold."""
        return 0 if self.history is None else self.history.most

    @property
    def place(self) -> Place:
        """Where its listeners are."""
        return self.space.at(self.name)


class Channels:
    """The channels of one realm.

    Args:
        space: of all public channels.
        make_space: makes the space of a private one.
        max_channels: how many public and how many private ones there may be, and how many ended ones of
            each are remembered; whoever fills up the one learns nothing of the other.
        max_per_session: how many one session may own.
        max_history_bytes: what the histories of all public ones that sessions created may take together, and
            those of all private ones.
        max_per_user, max_history_bytes_per_user: how many public and how many private ones each user may have
            created, and what the histories of either may take.
        on_end: called with a channel and the reason after it came to its end: "deleted", "expired",
            "owner_left".
    """

    def __init__(
        self,
        clock: Clock,
        timers: Timers,
        ids: Ids,
        *,
        space: Space,
        make_space: Callable[[], Space],
        max_channels: int,
        max_per_session: int,
        max_history_bytes: int,
        max_per_user: int,
        max_history_bytes_per_user: int,
        undeclared_topics: bool,
        on_end: Callable[[Channel, str], None],
    ) -> None:
        self._clock = clock
        self._timers = timers
        self._ids = ids
        self._space = space
        self._make_space = make_space
        self._max_channels = max_channels
        self._max_per_session = max_per_session
        self._max_history_bytes = max_history_bytes
        # Is it public -> bytes that the histories of those that sessions created may come to hold.
        self._promised = {True: 0, False: 0}
        self._max_per_user = max_per_user
        self._max_history_bytes_per_user = max_history_bytes_per_user
        # (is it public, user) -> how many that the user created, and bytes that their histories may hold
        self._of_users: dict[tuple[bool, User], tuple[int, int]] = {}
        self._undeclared_topics = undeclared_topics
        self._on_end = on_end
        self._public: dict[str, Channel] = {}
        # Their names in order: lists are asked for more often than channels come and go.
        self._names: list[str] = []
        # (name, hash of the key) -> channel; those of the configuration by name alone, too.
        self._private: dict[tuple[str, bytes], Channel] = {}
        self._declared_private: dict[str, Channel] = {}
        # (name, hash of the control key) -> channel
        self._controlled: dict[tuple[str, bytes | None], Channel] = {}
        # Names, and hashes of the keys of private ones, whose channel came to an end, oldest first:
        # publishing there is an error, not a new topic.
        self._closed_public: dict[tuple[str, bytes | None], None] = {}
        self._closed_private: dict[tuple[str, bytes | None], None] = {}
        # session id -> the channels it owns (an ordered set)
        self._owned: dict[int, dict[Channel, None]] = {}

    def __len__(self) -> int:
        return len(self._public) + len(self._private)

    @property
    def public(self) -> int:
        """How many of them are public."""
        return len(self._public)

    def __contains__(self, name: object) -> bool:
        """Whether there is a public one of this name."""
        return name in self._public

    def __iter__(self) -> Iterator[Channel]:
        """The public ones."""
        return iter(self._public.values())

    # --- making them

    def declare(
        self,
        name: str,
        *,
        key: str | None = None,
        single_writer: bool = False,
        presence: bool = False,
        history: Keep | None = None,
    ) -> Channel:
        """Add a channel of the configuration: it has no end and no control key; private with a ``key``."""
        channel = Channel(
            name,
            self._space if key is None else self._make_space(),
            key_hash=None if key is None else digest(key),
            single_writer=single_writer,
            presence=presence,
            history=history,
        )
        self._add(channel)
        if key is not None:
            self._declared_private[name] = channel
        return channel

    def create(
        self,
        name: str,
        *,
        key: str | None = None,
        lifetime: float | None = None,
        owner: int | None = None,
        on_owner_leave: OwnerLeaves = "delete",
        single_writer: bool = False,
        presence: bool = False,
        history: Keep | None = None,
        user: User | None = None,
    ) -> tuple[Channel, str]:
        """Open a channel; private with a ``key``.

        Args:
            lifetime: seconds until it ends, fractions allowed; None: until it is deleted.
            owner: id of the session that creates it.
            user: whose session that is.
        Returns: the channel, and its control key.
        Raises: Refused: ``bad_name``, ``channel_exists``, ``quota``.
        """
        check_name(name)
        key_hash = None if key is None else digest(key)
        if (name in self._public) if key_hash is None else ((name, key_hash) in self._private):
            raise Refused(CHANNEL_EXISTS, f"channel {name} exists already")
        self._check_room(key_hash is None, user, 0 if history is None else history.most)
        self._check_owner(owner)
        control_key = self._ids.secret()
        channel = Channel(
            name,
            self._space if key_hash is None else self._make_space(),
            key_hash=key_hash,
            control_hash=digest(control_key),
            on_owner_leave=on_owner_leave,
            single_writer=single_writer,
            presence=presence,
            history=history,
            user=user,
        )
        self._add(channel)
        self._own(channel, owner)
        self._set_end(channel, lifetime)
        return channel, control_key

    def _check_room(self, is_public: bool, user: User | None, most: int) -> None:
        """Whether one more may be created, whose history may hold so much. Raises: Refused: ``quota``."""
        kind = "public" if is_public else "private"
        if len(self._public if is_public else self._private) >= self._max_channels:
            raise Exceeded("max_channels", f"{self._max_channels} {kind} channels exist already")
        if self._promised[is_public] + most > self._max_history_bytes:
            told = f"the histories of {kind} channels may take {self._max_history_bytes} bytes"
            raise Exceeded("max_history_bytes", told)
        count, held = (0, 0) if user is None else self._of_users.get((is_public, user), (0, 0))
        if count >= self._max_per_user:
            told = f"a user may have {self._max_per_user} {kind} channels"
            raise Exceeded("max_channels_per_user", told)
        if held + most > self._max_history_bytes_per_user:
            most = self._max_history_bytes_per_user
            told = f"the histories of one user's {kind} channels may take {most} bytes"
            raise Exceeded("max_history_bytes_per_user", told)

    def _account(self, channel: Channel, sign: int) -> None:
        """One that a session created comes, or goes."""
        self._promised[channel.is_public] += sign * channel.most
        if channel.user is not None:
            key = channel.is_public, channel.user
            count, held = self._of_users.pop(key, (0, 0))
            if count + sign:
                self._of_users[key] = count + sign, held + sign * channel.most

    def make_key(self) -> str:
        """A key for a private channel whose creator has none in mind."""
        return self._ids.secret()

    def _add(self, channel: Channel) -> None:
        if channel.key_hash is None:
            self._public[channel.name] = channel
            insort(self._names, channel.name)
        else:
            self._private[channel.name, channel.key_hash] = channel
        if channel.control_hash is not None:
            self._controlled[channel.name, channel.control_hash] = channel
            self._account(channel, 1)
        self._closed(channel.key_hash).pop((channel.name, channel.key_hash), None)

    def restore(self, saved: SavedChannel) -> Channel:
        """A public channel that outlived the server: it has no owner, and the time that is left."""
        settings = saved.settings
        channel = Channel(
            saved.name,
            self._space,
            control_hash=saved.control_hash,
            on_owner_leave=settings.on_owner_leave,
            single_writer=settings.single_writer,
            presence=settings.presence,
            history=settings.history,
            user=settings.user,
        )
        self._add(channel)
        left = None if saved.expires is None else saved.expires - self._clock.time()
        if left is not None and settings.lifetime is not None:
            left = min(left, settings.lifetime)
        self._set_end(channel, left)
        return channel

    # --- finding them

    def find(self, session: Session, topic: str) -> Channel | None:
        """What ``topic`` means to this session: a private channel that it joined, or what it is to anybody.

        Raises: Refused: as ``admit``.
        """
        if session.memberships is not None:
            channel = private_channel(session, topic)
            if channel is not None:
                return channel
        return self.admit(topic)

    def admit(self, topic: str) -> Channel | None:
        """The public channel behind ``topic``, None for a topic that needs none.

        Raises: Refused: ``channel_closed``; ``no_such_channel`` where only declared channels may be used.
        """
        channel = self._public.get(topic)
        if channel is None:
            self._refuse_closed(topic, None)
            if not self._undeclared_topics:
                raise Refused(NO_SUCH_CHANNEL, f"no channel {topic}")
        return channel

    def unlock(self, name: str, key: str) -> Channel:
        """The private channel of this name and key.

        Raises: Refused: ``bad_key``: there is none; ``channel_closed``: there was one.
        """
        key_hash = digest(key)
        channel = self._private.get((name, key_hash))
        if channel is None:
            self._refuse_closed(name, key_hash)
            raise WrongSecret(BAD_KEY, f"no private channel {name} with this key")
        return channel

    def get(self, session: Session | None, name: str) -> Channel:
        """The channel that ``name`` means to this session; None: to anybody.

        Raises: Refused: ``channel_closed``, ``no_such_channel``.
        """
        channel = private_channel(session, name) if session is not None else None
        channel = channel or self._public.get(name)
        if channel is None:
            self._refuse_closed(name, None)
            raise Refused(NO_SUCH_CHANNEL, f"no channel {name}")
        return channel

    def declared_private(self, name: str) -> Channel:
        """The private channel of the configuration that has this name. Raises: KeyError."""
        return self._declared_private[name]

    def page(self, prefix: str, limit: int, after: str | None) -> list[Channel]:
        """Up to ``limit`` public channels by name: it begins with ``prefix``, and sorts after ``after``.

        Cost: O(limit).
        """
        names = self._names
        start = bisect_left(names, prefix)
        if after is not None:
            start = max(start, bisect_right(names, after))
        page = takewhile(lambda name: name.startswith(prefix), names[start : start + limit])
        return [self._public[name] for name in page]

    def expires(self, channel: Channel) -> float | None:
        """When the channel's lifetime ends, in seconds since 1970, to the millisecond; None: never."""
        if channel.ends_at is None:
            return None
        # The two clocks are read one after the other: finer digits would differ from answer to answer.
        return round(self._clock.time() + channel.ends_at - self._clock.seconds(), 3)

    def left(self, channel: Channel) -> float | None:
        """How many seconds the channel lives yet; None: for good."""
        return None if channel.ends_at is None else channel.ends_at - self._clock.seconds()

    def _closed(self, key_hash: bytes | None) -> dict[tuple[str, bytes | None], None]:
        return self._closed_public if key_hash is None else self._closed_private

    def _refuse_closed(self, name: str, key_hash: bytes | None) -> None:
        if (name, key_hash) in self._closed(key_hash):
            raise Refused(CHANNEL_CLOSED, f"channel {name} is closed")

    # --- controlling them

    def controlled(self, session: Session, name: str, control_key: str) -> Channel:
        """The channel of this name that the control key controls; a private one need not be joined.

        Raises: Refused: ``bad_key``; ``channel_closed``, ``no_such_channel``.
        """
        channel = self._controlled.get((name, digest(control_key)))
        if channel is None:
            self.get(session, name)
            raise WrongSecret(BAD_KEY, f"not the control key of channel {name}")
        return channel

    def created(self, name: str) -> Channel | None:
        """The public channel of this name, if a session created it."""
        channel = self._public.get(name)
        return None if channel is None or channel.control_hash is None else channel

    def extend(self, channel: Channel, lifetime: float | None) -> None:
        """Let a channel live ``lifetime`` seconds from now, or for good."""
        self._set_end(channel, lifetime)

    def check_owner(self, channel: Channel, owner: int) -> None:
        """Whether a session may own the channel. Raises: Refused: ``quota``: it owns too many others."""
        if channel.owner != owner:
            self._check_owner(owner)

    def take_over(self, channel: Channel, owner: int) -> None:
        """Make a session the owner, and end the grace. Raises: Refused: as ``check_owner``."""
        self.check_owner(channel, owner)
        if channel.owner != owner:
            self._disown(channel)
            self._own(channel, owner)
        _cancel(channel.grace)
        channel.grace = None

    def delete(self, channel: Channel) -> None:
        """End a channel now."""
        self._end(channel, "deleted")

    def owner_left(self, session_id: int) -> None:
        """A session left: its channels end, stay, or wait for a new owner."""
        for channel in list(self._owned.pop(session_id, ())):
            channel.owner = None
            if channel.on_owner_leave == "delete":
                self._end(channel, "owner_left")
            elif channel.on_owner_leave != "keep":
                self._wait_for_owner(channel, float(channel.on_owner_leave))

    def _wait_for_owner(self, channel: Channel, seconds: float) -> None:
        channel.grace = self._timers.at(
            self._clock.seconds() + seconds, lambda: self._end(channel, "owner_left")
        )

    def _check_owner(self, owner: int | None) -> None:
        if owner is not None and len(self._owned.get(owner, ())) >= self._max_per_session:
            raise Exceeded("max_channels_per_session", f"a session may own {self._max_per_session} channels")

    def _own(self, channel: Channel, owner: int | None) -> None:
        channel.owner = owner
        if owner is not None:
            self._owned.setdefault(owner, {})[channel] = None

    def _disown(self, channel: Channel) -> None:
        if channel.owner is not None:
            owned = self._owned[channel.owner]
            del owned[channel]
            if not owned:
                del self._owned[channel.owner]
            channel.owner = None

    def _set_end(self, channel: Channel, lifetime: float | None) -> None:
        _cancel(channel.deadline)
        channel.deadline = channel.ends_at = None
        if lifetime is not None:
            channel.ends_at = self._clock.seconds() + lifetime
            channel.deadline = self._timers.at(channel.ends_at, lambda: self._end(channel, "expired"))

    def _end(self, channel: Channel, reason: str) -> None:
        _cancel(channel.deadline)
        _cancel(channel.grace)
        channel.deadline = channel.grace = None
        channel.is_ended = True
        if channel.key_hash is None:
            del self._public[channel.name]
            del self._names[bisect_left(self._names, channel.name)]
        else:
            del self._private[channel.name, channel.key_hash]
        del self._controlled[channel.name, channel.control_hash]
        self._account(channel, -1)
        self._disown(channel)
        closed = self._closed(channel.key_hash)
        closed[channel.name, channel.key_hash] = None
        if len(closed) > self._max_channels:
            del closed[next(iter(closed))]
        self._on_end(channel, reason)


def _cancel(deadline: Deadline | None) -> None:
    if deadline is not None:
        deadline.cancel()
