"""The channels of one realm that all nodes have: what a node knows of those that sessions created.

Every node holds all of them. A public one is there as it is without a cluster. Of a private one only a digest
of its name and key is known, its *place*, until somebody comes with both: from then on it is there, too. So a
look-up finds it in a local dictionary, and takes as long for a wrong key as for a name that nobody has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from radiod.core.channels.channel import Channel
from radiod.core.channels.registry import Channels
from radiod.core.channels.settings import ChannelSettings, KeptChannel, User
from radiod.core.cluster.channel_records import ChannelRecord
from radiod.core.cluster.places import control_id, private_place
from radiod.core.holders import Account
from radiod.core.ids import Ids, digest
from radiod.core.limits import Limits
from radiod.core.pubsub.topic_space import TopicRef, TopicSpace
from radiod.core.timers import Clock, Deadline, Timers
from radiod.errors import CHANNEL_CLOSED, FEATURE_NOT_SUPPORTED, Refused

__all__ = ["Held", "SharedChannels"]

NOT_RESUMED: Final = "channels of sessions are those of the cluster"


class Held:
    """One channel that a session created, on whichever node.

    ``record``: what its claim says; ``channel``: None: it is not open, private and nobody has come for it, or
    the configuration has its name; ``deadline``: when it is to be looked at.
    """

    __slots__ = ("channel", "deadline", "place", "record")

    def __init__(self, place: str, record: ChannelRecord) -> None:
        self.place = place
        self.record = record
        self.channel: Channel | None = None
        self.deadline: Deadline | None = None

    @property
    def is_public(self) -> bool:
        """Whether its place is its name."""
        return not self.place.startswith("#")


class SharedChannels(Channels):
    """As ``Channels``; who creates, ends and owns is agreed on by ``ChannelClaims``, which enters it here.

    ``held``: place -> channels that sessions created; ``share``: makes a private space one of all nodes,
    takes it, the name and the place; ``appeared``: called with what has come to be there, before anybody
    uses it. Both are set before the first channel.
    """

    share: Callable[[TopicSpace, str, str], None]
    appeared: Callable[[Held, Channel], None]

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
        super().__init__(
            clock,
            timers,
            ids,
            limits,
            space=space,
            make_space=make_space,
            undeclared_topics=undeclared_topics,
            on_end=on_end,
        )
        self.held: dict[str, Held] = {}
        self._by_id: dict[str, Held] = {}
        self._hidden = 0
        # What is about to be created: is it public -> how many
        self._coming = {True: 0, False: 0}

    def __len__(self) -> int:
        return len(self._public) + len(self._declared_private) + self._hidden

    # --- what is agreed on

    def hold(self, place: str, record: ChannelRecord) -> Held:
        """There is such a channel, or it has changed."""
        held = self.held.get(place)
        if held is None:
            held = self.held[place] = Held(place, record)
            self._by_id[record.id] = held
            self._hidden += not held.is_public
            self.room.count(record.settings, 1, is_public=held.is_public)
        held.record = record
        self._apply(held)
        return held

    def enter(self, held: Held) -> None:
        """It may be used from now on."""
        if held.is_public:
            if held.place not in self._public:
                self._appear(held, held.place)
        else:
            self.closed.discard("", held.place.encode())

    def drop(self, held: Held, reason: str) -> None:
        """It has ended."""
        del self.held[held.place]
        del self._by_id[held.record.id]
        self._hidden -= not held.is_public
        self.room.count(held.record.settings, -1, is_public=held.is_public)
        if held.channel is not None:
            self._end(held.channel, reason)
        elif held.record.is_open and not held.is_public:
            self.closed.add("", held.place.encode())

    def _appear(self, held: Held, name: str) -> Channel:
        key_hash = None if held.is_public else held.place.encode()
        space = self._space if held.is_public else self._private_space(name, held.place)
        channel = Channel(
            name, space, held.record.settings, key_hash=key_hash, control_hash=held.record.id.encode()
        )
        held.channel = channel
        self._add(channel)
        self._apply(held)
        self.appeared(held, channel)
        return channel

    def _apply(self, held: Held) -> None:
        channel, record = held.channel, held.record
        if channel is None:
            return
        self._disown(channel)
        if record.session:
            self._own(channel, record.session)
        since = self._clock.seconds() - self._clock.time()
        channel.ends_at = None if record.expires is None else since + record.expires
        channel.grace_ends_at = None if record.waits is None else since + record.waits

    # --- what is about to be agreed on

    def reserve(self, settings: ChannelSettings, *, is_public: bool) -> None:
        """Keep room for one that is about to be created; ``settle`` must follow.

        A session creates one behind the other: what it owns says how many more it may.
        """
        self._coming[is_public] += 1
        self.room.count(settings, 1, is_public=is_public)

    def settle(self, settings: ChannelSettings, *, is_public: bool) -> None:
        """It was created, or not."""
        self._coming[is_public] -= 1
        self.room.count(settings, -1, is_public=is_public)

    def _check_room(self, settings: ChannelSettings, *, is_public: bool) -> None:
        there = len(self._public) if is_public else len(self) - len(self._public)
        self.room.check(settings, there + self._coming[is_public], is_public=is_public)

    def _created(self, account: Account, user: User | None) -> int:
        """As ``Channels._created``: what is held of a user is that of all nodes, which is not to count twice
        beside what the others tell of the account.
        """
        assert account.allowances is not None
        return max(account.channels, self.room.created_by(user) - account.allowances.channels_elsewhere)

    def _account(self, channel: Channel, sign: int) -> None:
        """Counted when it is held: also a private one that nobody has come for."""

    # --- finding them

    def is_there(self, place: str) -> bool:
        """Whether there is such a channel, or topic, also one that is not known here yet."""
        return not place.startswith("#") or place in self.held

    def of_topic(self, topic: TopicRef) -> Channel | None:
        """The channel whose topic that is, if it is one that is known here."""
        if not topic.broker.is_private:
            return self._public.get(topic.topic)
        return next((one for one in self._private.values() if one.space.broker is topic.broker), None)

    def find(self, name: str, key_hash: bytes | None) -> Channel | None:
        """As ``Channels.find``."""
        if key_hash is None:
            return self._public.get(name)
        held = self.held.get(private_place(name, key_hash))
        if held is None or not held.record.is_open:
            return self._private.get((name, key_hash))
        return self.named(held, name)

    def controlled(self, name: str, control_key: str) -> Channel | None:
        """As ``Channels.controlled``."""
        held = self._by_id.get(control_id(name, digest(control_key)))
        if held is None or not held.record.is_open:
            return None
        return held.channel if held.is_public else self.named(held, name)

    def named(self, held: Held, name: str) -> Channel:
        """An open one, of which it is known now how it is called."""
        return self._appear(held, name) if held.channel is None else held.channel

    def held_of(self, channel: Channel) -> Held:
        """What all nodes know of a channel that a session created."""
        return self.held[channel.name if channel.key_hash is None else channel.key_hash.decode()]

    def _refuse_closed(self, name: str, key_hash: bytes | None) -> None:
        if key_hash is not None:
            place = private_place(name, key_hash).encode()
            if (name, place) in self.closed or ("", place) in self.closed:
                raise Refused(CHANNEL_CLOSED, f"channel {name} is closed")
        super()._refuse_closed(name, key_hash)

    def _space_of(self, name: str, key_hash: bytes | None) -> TopicSpace:
        if key_hash is None:
            return self._space
        return self._private_space(name, private_place(name, key_hash))

    def _private_space(self, name: str, place: str) -> TopicSpace:
        space = self._make_space()
        self.share(space, name, place)
        return space

    # --- from one process to the next

    def kept(self) -> list[KeptChannel]:
        """As ``Channels.kept``: the others have them."""
        return []

    def resume(self, kept: KeptChannel, account: Account | None) -> Channel:
        """As ``Channels.resume``. Raises: Refused: always."""
        raise Refused(FEATURE_NOT_SUPPORTED, NOT_RESUMED)
