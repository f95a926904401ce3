"""One realm as sections of a state: its channels, and of each space of topics what was counted and kept.

A realm has the space of everything public, and one for each private channel, also for those of the
configuration.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from radiod.core.channels.channel import Channel
from radiod.core.channels.settings import KeptChannel
from radiod.core.history.blocks import Block, Row, read_row, write_row
from radiod.core.history.events import Damaged
from radiod.core.holders import Accounts
from radiod.core.pubsub.retention import Retained
from radiod.core.pubsub.topic_space import TopicSpace
from radiod.core.realm.realm import Realm
from radiod.errors import CHANNEL_CLOSED, Refused
from radiod.state.format import Section
from radiod.state.sections import section, sections
from radiod.state.topics import PAST, TOPIC, Topic, TopicState, restore_topics, topic_sections

__all__ = ["REALM", "RealmState", "realm_sections"]

REALM: Final = b"real"
CHANNEL: Final = b"chan"
CLOSED: Final = b"clsd"
SPACE: Final = b"spce"
RETAINED: Final = b"rtnd"


class Head(Struct, frozen=True):
    """A realm begins."""

    name: str


class Closed(Struct, frozen=True):
    """The name of a channel that has ended; ``key_hash``: that of a private one."""

    name: str
    key_hash: bytes | None


class Space(Struct, frozen=True):
    """A space begins: that of a private channel, or the public one.

    ``key_hash``: None where the configuration declares it; ``next_order``: what the next event would have
    been numbered with.
    """

    name: str | None
    key_hash: bytes | None
    next_order: int


class KeptRetained(Struct, frozen=True):
    """A topic's retained event. ``row``: as ``history.blocks`` has it."""

    topic: str
    row: bytes


class SpaceState:
    """What was read of one space."""

    def __init__(self, head: Space) -> None:
        self.head = head
        self.topics: list[TopicState] = []
        self.retained: list[KeptRetained] = []

    def restore(self, realm: Realm, then: float) -> int:
        """Returns: how many retained events have no room."""
        space = self._find(realm)
        if space is None:
            return 0
        is_public = self.head.name is None
        topics = [one for one in self.topics if not is_public or _is_admitted(realm, one.topic.name)]
        restore_topics(space.histories, topics, then, self.head.next_order)
        left_out = 0
        for one in self.retained:
            if not is_public or _is_admitted(realm, one.topic):
                left_out += not _retain(space, one)
        return left_out

    def _find(self, realm: Realm) -> TopicSpace | None:
        name, key_hash = self.head.name, self.head.key_hash
        if name is None:
            return realm.space
        if key_hash is not None:
            channel = realm.channels.find(name, key_hash)
            return None if channel is None else channel.space
        try:
            return realm.channels.declared_private(name).space
        except KeyError:
            return None


def _is_admitted(realm: Realm, topic: str) -> bool:
    """Whether there may be such a topic; of a closed channel somebody may hold a position."""
    try:
        realm.channels.admit(topic)
    except Refused as refusal:
        return refusal.uri == CHANNEL_CLOSED
    return True


def _retain(space: TopicSpace, one: KeptRetained) -> bool:
    """Returns: whether there was room."""
    row = read_row(one.row)
    if isinstance(row.payload, Damaged):
        return False
    try:
        space.broker.resume(one.topic, Retained(row.publication, None, row.payload, row.options, row.details))
    except Refused:
        return False
    return True


class RealmState:
    """What was read of one realm."""

    def __init__(self, body: Any) -> None:
        self.name = msgspec.msgpack.decode(body, type=Head).name
        self._channels: list[KeptChannel] = []
        self._closed: list[Closed] = []
        self._spaces: list[SpaceState] = []

    def read(self, kind: bytes, body: Any) -> None:
        """One section of it; what is not known is skipped. Raises: ValueError, IndexError, MsgspecError."""
        if kind == TOPIC:
            self._spaces[-1].topics.append(TopicState(msgspec.msgpack.decode(body, type=Topic)))
        elif kind == PAST:
            # A copy of its own: it goes when its events have been read.
            self._spaces[-1].topics[-1].blocks.append(Block(bytes(body)))
        elif kind == RETAINED:
            self._spaces[-1].retained.append(msgspec.msgpack.decode(body, type=KeptRetained))
        elif kind == SPACE:
            self._spaces.append(SpaceState(msgspec.msgpack.decode(body, type=Space)))
        elif kind == CHANNEL:
            self._channels.append(msgspec.msgpack.decode(body, type=KeptChannel))
        elif kind == CLOSED:
            self._closed.append(msgspec.msgpack.decode(body, type=Closed))

    def check(self) -> None:
        """Raises: ValueError: it contradicts itself."""
        for space in self._spaces:
            for topic in space.topics:
                topic.check()

    def restore(self, realm: Realm, accounts: Accounts, then: float, away: float) -> Iterator[str]:
        """Have it go on, step by step.

        Args:
            then: monotonic seconds, of this process, of when the state was written; away: seconds since then.
        Returns: notes for the log.
        """
        for kept in self._channels:
            yield from _resume(realm, kept, accounts, away)
        for one in self._closed:
            if realm.channels.find(one.name, one.key_hash) is None:
                realm.channels.closed.add(one.name, one.key_hash)
        for space in self._spaces:
            left_out = space.restore(realm, then)
            if left_out:
                yield f"realm {self.name}: {left_out} retained events are left out"


def _resume(realm: Realm, kept: KeptChannel, accounts: Accounts, away: float) -> Iterator[str]:
    left = None if kept.left is None else kept.left - away
    account = None if kept.account is None else accounts.of(kept.account)
    try:
        realm.lifecycle.resume(msgspec.structs.replace(kept, left=left), account)
    except Refused as refusal:
        # Nothing of a private one is told.
        what = f"channel {kept.name} is not there any more: {refusal.text}"
        yield f"realm {realm.name}: {what if kept.key_hash is None else 'a private channel has ended'}"


def realm_sections(realm: Realm, now: float) -> Iterator[Section]:
    """All of a realm that is closed. ``now``: monotonic seconds."""
    yield section(REALM, Head(realm.name))
    channels = realm.channels
    yield from sections(CHANNEL, channels.kept())
    yield from sections(CLOSED, [Closed(*one) for one in channels.closed])
    yield from _space_sections(Space(None, None, realm.space.histories.next_order()), realm.space, now)
    for channel in list(channels.private):
        yield from _space_sections(_private(channel), channel.space, now)


def _private(channel: Channel) -> Space:
    # Those of the configuration may have another key the next time.
    key_hash = None if channel.control_hash is None else channel.key_hash
    return Space(channel.name, key_hash, channel.space.histories.next_order())


def _space_sections(head: Space, space: TopicSpace, now: float) -> Iterator[Section]:
    yield section(SPACE, head)
    yield from topic_sections(space.histories, now)
    yield from sections(RETAINED, _retained(space.broker.retained))


def _retained(events: Mapping[str, Retained]) -> Iterator[KeptRetained]:
    for topic, one in list(events.items()):
        row = bytearray()
        write_row(Row(0.0, one.publication, one.payload, one.options, one.details), row)
        yield KeptRetained(topic, bytes(row))
