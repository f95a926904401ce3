"""Channels: declared or created names with an owner, a control key and, if wanted, an end.

A channel's name is its topic. Undeclared topics are no channels: anybody entitled may use them, unless the
realm forbids that. Whoever knows a channel's control key controls it; only its holder learns it. A private
channel is found by its name and key together: an unknown name and a wrong key are the same miss.

Keys are held, and looked for, as their SHA-256: what the time of a look-up tells about a digest helps nobody
to find the key.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator
from itertools import takewhile
from typing import Final

from radiod.core.channels.channel import Channel, check_name
from radiod.core.channels.closed import ClosedNames
from radiod.core.channels.room import ChannelRoom
from radiod.core.channels.settings import NO_RULES, ChannelSettings, KeptChannel, SavedChannel, User
from radiod.core.holders import Account
from radiod.core.ids import Ids, digest
from radiod.core.limits import Limits
from radiod.core.pubsub.topic_space import TopicSpace
from radiod.core.timers import Clock, Deadline, Timers
from radiod.errors import (
    BAD_KEY,
    CHANNEL_CLOSED,
    CHANNEL_EXISTS,
    NO_SUCH_CHANNEL,
    Exceeded,
    Refused,
    WrongSecret,
)

__all__ = ["Channels"]

RETURN_S: Final = 60.0
"""Seconds that a channel of ``on_owner_leave`` "delete" waits for its owner after a restart."""


class Channels:
    """The channels of one realm.

    ``len`` counts all of them, also private ones; the others are found by name among the public ones only.
    ``room``: what sessions may create.

    Args:
        space: of all public channels.
        make_space: makes the space of a private one.
        on_end: called with a channel and the reason after it came to its end: "deleted", "expired",
            "owner_left".
    """

    def __init__(
        self,
        clock: Clock,
        timers: Timers,
        ids: Ids,
        limits: Limits,
        *,
        space: TopicSpace,
        make_space: Callable[[], TopicSpace],
        undeclared_topics: bool,
        on_end: Callable[[Channel, str], None],
    ) -> None:
        self._clock = clock
        self._timers = timers
        self._ids = ids
        self._limits = limits
        self._space = space
        self._make_space = make_space
        self.room = ChannelRoom(limits)
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
        self.closed = ClosedNames(limits.max_channels)
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

    @property
    def private(self) -> Iterator[Channel]:
        """The others: for whoever watches the server, who tells no names."""
        return iter(self._private.values())

    # --- making them

    def declare(self, name: str, settings: ChannelSettings = NO_RULES, *, key: str | None = None) -> Channel:
        """Add a channel of the configuration: it has no end and no control key; private with a ``key``."""
        key_hash = None if key is None else digest(key)
        channel = Channel(name, self._space_of(name, key_hash), settings, key_hash=key_hash)
        self._add(channel)
        if key is not None:
            self._declared_private[name] = channel
        return channel

    def create(
        self,
        name: str,
        settings: ChannelSettings,
        *,
        key: str | None = None,
        owner: int | None = None,
        account: Account | None = None,
    ) -> tuple[Channel, str]:
        """Open a channel; private with a ``key``.

        Args:
            owner: id of the session that creates it; account: whose that is.
        Returns: the channel, and its control key.
        Raises: Refused: ``bad_name``, ``channel_exists``, ``quota``; OverLimit: the account's plan has no
            more channels.
        """
        check_name(name)
        key_hash = None if key is None else digest(key)
        self._make_way(name, key_hash, settings.user)
        if self.find(name, key_hash) is not None:
            raise Refused(CHANNEL_EXISTS, f"channel {name} exists already")
        self.check_new(settings, is_public=key_hash is None, owner=owner, account=account)
        control_key = self._ids.secret()
        space = self._space_of(name, key_hash)
        channel = Channel(name, space, settings, key_hash=key_hash, control_hash=digest(control_key))
        self._add(channel)
        self._own(channel, owner)
        if account is not None:
            channel.account = account
            account.channels += 1
        self._set_end(channel, settings.lifetime)
        return channel, control_key

    def check_new(
        self, settings: ChannelSettings, *, is_public: bool, owner: int | None, account: Account | None
    ) -> None:
        """Whether one more with these rules may be created, and by whom. Raises: as ``create``."""
        self._check_room(settings, is_public=is_public)
        self._check_owner(owner)
        if account is not None and account.allowances is not None:
            account.allowances.check_channel(self._created(account, settings.user))

    def _created(self, account: Account, user: User | None) -> int:
        """How many an account has created here: of those that outlived the server only the user is known."""
        return max(account.channels, self.room.created_by(user))

    def _check_room(self, settings: ChannelSettings, *, is_public: bool) -> None:
        self.room.check(settings, len(self._public if is_public else self._private), is_public=is_public)

    def _account(self, channel: Channel, sign: int) -> None:
        """One that a session created comes, or goes."""
        self.room.count(channel.settings, sign, is_public=channel.is_public)

    def _space_of(self, name: str, key_hash: bytes | None) -> TopicSpace:
        """Where the events of a new channel go."""
        return self._space if key_hash is None else self._make_space()

    def _add(self, channel: Channel) -> None:
        if channel.key_hash is None:
            self._public[channel.name] = channel
            insort(self._names, channel.name)
        else:
            self._private[channel.name, channel.key_hash] = channel
        if channel.control_hash is not None:
            self._controlled[channel.name, channel.control_hash] = channel
            self._account(channel, 1)
        self.closed.discard(channel.name, channel.key_hash)

    def restore(self, saved: SavedChannel) -> Channel:
        """A public channel that outlived the server: it has no owner, and the time that is left."""
        settings = saved.settings
        channel = Channel(saved.name, self._space, settings, control_hash=saved.control_hash)
        channel.is_saved = True
        self._add(channel)
        left = None if saved.expires is None else saved.expires - self._clock.time()
        if left is not None and settings.lifetime is not None:
            left = min(left, settings.lifetime)
        self._set_end(channel, left)
        return channel

    # --- from one process to the next

    def kept(self) -> list[KeptChannel]:
        """All that sessions created: what of them outlives the server, which stops."""
        channels = [*self._public.values(), *self._private.values()]
        return [
            KeptChannel(
                name=channel.name,
                control_hash=channel.control_hash,
                settings=channel.settings,
                key_hash=channel.key_hash,
                left=self.left(channel),
                waits=self._waits(channel),
                account=None if channel.account is None else channel.account.id,
            )
            for channel in channels
            if channel.control_hash is not None
        ]

    def _waits(self, channel: Channel) -> float | None:
        """How long a channel may be without an owner from now on; its owner, if it has one, leaves."""
        if channel.grace_ends_at is not None:
            return max(0.0, channel.grace_ends_at - self._clock.seconds())
        rule = channel.settings.on_owner_leave
        if channel.owner is None or rule == "keep":
            return None
        if rule == "delete":
            # Of durable ones nobody expects that they end.
            return None if channel.settings.is_durable else RETURN_S
        return float(rule)

    def resume(self, kept: KeptChannel, account: Account | None) -> Channel:
        """Go on with one of another process; of a durable one that the store has, with what it has not.

        Raises: Refused: ``channel_exists``: the configuration has one of this name; ``quota``.
        """
        channel = self.find(kept.name, kept.key_hash)
        if channel is None:
            self._check_room(kept.settings, is_public=kept.key_hash is None)
            space = self._space_of(kept.name, kept.key_hash)
            channel = Channel(
                kept.name, space, kept.settings, key_hash=kept.key_hash, control_hash=kept.control_hash
            )
            self._add(channel)
            self._set_end(channel, kept.left)
        elif channel.control_hash != kept.control_hash:
            raise Refused(CHANNEL_EXISTS, f"channel {kept.name} exists already")
        if account is not None:
            channel.account = account
            account.channels += 1
        if kept.waits is not None:
            self._wait_for_owner(channel, kept.waits)
        return channel

    def _make_way(self, name: str, key_hash: bytes | None, user: User | None) -> None:
        """End one that waits for its owner since the server was started, for who may be that.

        Some create a channel anew whenever they have come back, as if it had ended with them.
        """
        channel = self.find(name, key_hash)
        if channel is not None and channel.grace is not None and user is not None:
            settings = channel.settings
            if settings.on_owner_leave == "delete" and settings.user == user:
                self._end(channel, "owner_left")

    # --- finding them

    def admit(self, topic: str) -> Channel | None:
        """The public channel behind ``topic``, None for a topic that needs none.

        Raises: Refused: ``channel_closed``; ``no_such_channel`` where only declared channels may be used.
        """
        channel = self._public.get(topic)
        if channel is None:
            if (topic, None) in self.closed.public:
                raise Refused(CHANNEL_CLOSED, f"channel {topic} is closed")
            if not self._undeclared_topics:
                raise Refused(NO_SUCH_CHANNEL, f"no channel {topic}")
        return channel

    def unlock(self, name: str, key: str) -> Channel:
        """The private channel of this name and key.

        Raises: Refused: ``bad_key``: there is none; ``channel_closed``: there was one.
        """
        key_hash = digest(key)
        channel = self.find(name, key_hash)
        if channel is not None:
            return channel
        self._refuse_closed(name, key_hash)
        raise WrongSecret(BAD_KEY, f"no private channel {name} with this key")

    def get(self, name: str) -> Channel:
        """The public channel of this name. Raises: Refused: ``channel_closed``, ``no_such_channel``."""
        channel = self._public.get(name)
        if channel is None:
            self._refuse_closed(name, None)
            raise Refused(NO_SUCH_CHANNEL, f"no channel {name}")
        return channel

    def find(self, name: str, key_hash: bytes | None) -> Channel | None:
        """The channel of this name, and with a key whose hash that is; None: there is none."""
        return self._public.get(name) if key_hash is None else self._private.get((name, key_hash))

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

    def _refuse_closed(self, name: str, key_hash: bytes | None) -> None:
        if (name, key_hash) in self.closed:
            raise Refused(CHANNEL_CLOSED, f"channel {name} is closed")

    # --- controlling them

    def controlled(self, name: str, control_key: str) -> Channel | None:
        """The channel of this name that the control key controls, public or private; None: there is none."""
        return self._controlled.get((name, digest(control_key)))

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
        channel.grace = channel.grace_ends_at = None

    def delete(self, channel: Channel) -> None:
        """End a channel now."""
        self._end(channel, "deleted")

    def owner_left(self, session_id: int) -> None:
        """A session left: its channels end, stay, or wait for a new owner."""
        for channel in list(self._owned.pop(session_id, ())):
            channel.owner = None
            if channel.settings.on_owner_leave == "delete":
                self._end(channel, "owner_left")
            elif channel.settings.on_owner_leave != "keep":
                self._wait_for_owner(channel, float(channel.settings.on_owner_leave))

    def _wait_for_owner(self, channel: Channel, seconds: float) -> None:
        channel.grace_ends_at = self._clock.seconds() + seconds
        channel.grace = self._timers.at(channel.grace_ends_at, lambda: self._end(channel, "owner_left"))

    def _check_owner(self, owner: int | None) -> None:
        if owner is not None and len(self._owned.get(owner, ())) >= self._limits.max_channels_per_session:
            raise Exceeded(
                "max_channels_per_session",
                f"a session may own {self._limits.max_channels_per_session} channels",
            )

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
        if channel.account is not None:
            channel.account.channels -= 1
        self._disown(channel)
        self.closed.add(channel.name, channel.key_hash)
        self._on_end(channel, reason)


def _cancel(deadline: Deadline | None) -> None:
    if deadline is not None:
        deadline.cancel()
