"""All of a ``Radio`` that outlives its process: ``capture`` writes it, with ``restore`` another one goes on.

Nothing is applied before all has been read and found to be whole: a radio that cannot go on begins anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from radiod import __version__
from radiod.core.history.blocks import Block
from radiod.core.realm.realm import Realm
from radiod.core.timers import Clock
from radiod.state import moments
from radiod.state.format import Section, StateError, read_sections, write_sections
from radiod.state.moments import Moment
from radiod.state.topics import PAST, TOPIC, Topic, TopicState, restore_topics, topic_sections

__all__ = ["StateError", "capture", "restore"]

HEAD = b"head"
REALM = b"real"


class Radio(Protocol):
    """What has a state, as ``service.radio.Radio`` is."""

    clock: Clock
    realms: Mapping[str, Realm]


class Head(Struct, frozen=True):
    """``order``: of the bytes of numbers."""

    version: str
    written: Moment
    order: str


class RealmHead(Struct, frozen=True):
    """One realm; what follows belongs to it. ``next_order``: of the public space."""

    name: str
    next_order: int


class _RealmState:
    """What was read of one realm."""

    def __init__(self, head: RealmHead) -> None:
        self.head = head
        self.topics: list[TopicState] = []


class _State:
    """What was read."""

    def __init__(self, head: Head) -> None:
        self.head = head
        self.realms: list[_RealmState] = []


def capture(radio: Radio, at: Moment | None = None) -> Iterator[bytes]:
    """The state of a radio that accepts nothing more, and whose realms are closed, piece by piece.

    A piece is some hundred events at most: a few milliseconds. Nothing changes the radio meanwhile. ``at``:
    this moment.
    """
    return write_sections(_sections(radio, moments.now() if at is None else at))


def _sections(radio: Radio, at: Moment) -> Iterator[Section]:
    now = radio.clock.seconds()
    yield _section(HEAD, Head(__version__, at, moments.BYTE_ORDER))
    for name, realm in radio.realms.items():
        yield _section(REALM, RealmHead(name, realm.space.histories.next_order()))
        yield from topic_sections(realm.space.histories, now, 0)


def _section(kind: bytes, value: Struct) -> Section:
    return Section(kind, msgspec.msgpack.encode(value))


def restore(radio: Radio, view: Any, at: Moment | None = None) -> list[str]:
    """Have a radio that has answered nobody yet go on where the captured one stopped.

    Args:
        view: all that ``capture`` gave, as bytes or what shows them; nothing of it is kept.
        at: this moment.
    Returns: notes for the log.
    Raises: StateError: it cannot be read; the radio is as it was.
    """
    state = _read(view)
    written = state.head.written
    away = (moments.now() if at is None else at).since(written)
    then = radio.clock.seconds() - away
    notes = []
    for one in state.realms:
        realm = radio.realms.get(one.head.name)
        if realm is None:
            notes.append(f"realm {one.head.name} is not configured any more")
        else:
            restore_topics(realm.space.histories, one.topics, then, one.head.next_order)
    return notes


def _read(view: Any) -> _State:
    """Raises: StateError."""
    sections = read_sections(view)
    try:
        return _parse(sections)
    except (msgspec.MsgspecError, ValueError, IndexError) as error:
        raise StateError(f"it says what no radiod wrote: {str(error).splitlines()[0][:200]}") from None


def _parse(sections: list[Section]) -> _State:
    if not sections or sections[0].kind != HEAD:
        raise StateError("it has no head")
    state = _State(msgspec.msgpack.decode(sections[0].body, type=Head))
    if state.head.order != moments.BYTE_ORDER:
        raise StateError("it was written on a machine with another order of bytes")
    for kind, body in sections[1:]:
        if kind == REALM:
            state.realms.append(_RealmState(msgspec.msgpack.decode(body, type=RealmHead)))
        elif kind == TOPIC:
            state.realms[-1].topics.append(TopicState(msgspec.msgpack.decode(body, type=Topic)))
        elif kind == PAST:
            # A copy of its own: it goes when its events have been read.
            state.realms[-1].topics[-1].blocks.append(Block(bytes(body)))
    for realm in state.realms:
        for topic in realm.topics:
            topic.check()
    return state
