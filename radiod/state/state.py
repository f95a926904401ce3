"""All of a ``Radio`` that outlives its process: ``capture`` writes it, with ``restore`` another one goes on.

Nothing is applied before all has been read and found to be whole: a radio that cannot go on begins anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from radiod import __version__
from radiod.core.holders import Accounts
from radiod.core.realm.realm import Realm
from radiod.state import moments
from radiod.state.format import Section, StateError, read_sections, write_sections
from radiod.state.handles import Handles, HandlesState, handle_sections
from radiod.state.moments import Moment
from radiod.state.realms import REALM, RealmState, realm_sections
from radiod.state.sections import section

__all__ = ["Radio", "StateError", "capture", "restore"]

HEAD = b"head"


class _Access(Protocol):
    accounts: Accounts


class Radio(Handles, Protocol):
    """What has a state, as ``service.radio.Radio`` is."""

    @property
    def access(self) -> _Access: ...

    @property
    def realms(self) -> Mapping[str, Realm]: ...


class Head(Struct, frozen=True):
    """Who wrote a state, and when. ``order``: of the bytes of numbers."""

    version: str
    written: Moment
    order: str


class _State:
    """What was read."""

    def __init__(self, head: Head) -> None:
        self.head = head
        self.realms: list[RealmState] = []
        self.handles = HandlesState()


def capture(radio: Radio, at: Moment | None = None) -> Iterator[bytes]:
    """The state of a radio that accepts nothing more, and whose realms are closed, piece by piece.

    A piece is some hundred events at most: a few milliseconds. ``at``: this moment.
    """
    return write_sections(_sections(radio, moments.now() if at is None else at))


def _sections(radio: Radio, at: Moment) -> Iterator[Section]:
    now = radio.clock.seconds()
    yield section(HEAD, Head(__version__, at, moments.BYTE_ORDER))
    yield from handle_sections(radio)
    for realm in radio.realms.values():
        yield from realm_sections(realm, now)


def restore(radio: Radio, view: Any, at: Moment | None = None) -> list[str]:
    """Have a radio that has answered nobody yet go on where the captured one stopped.

    Args:
        view: all that ``capture`` gave, as bytes or what shows them; nothing of it is kept.
        at: this moment.
    Returns: notes for the log, without secrets.
    Raises: StateError: it cannot be read; the radio is as it was.
    """
    state = _read(view)
    away = (moments.now() if at is None else at).since(state.head.written)
    then = radio.clock.seconds() - away
    notes: list[str] = []
    state.handles.restore(radio, away)
    for one in state.realms:
        realm = radio.realms.get(one.name)
        if realm is None:
            notes.append(f"realm {one.name} is not configured any more")
        else:
            notes += one.restore(realm, radio.access.accounts, then, away)
    return notes


def _read(view: Any) -> _State:
    """Raises: StateError."""
    sections = read_sections(view)
    try:
        return _parse(sections)
    except (msgspec.MsgspecError, ValueError, IndexError) as error:
        raise StateError(f"it says what no radiod wrote: {str(error)[:200]!a}") from None


def _parse(sections: list[Section]) -> _State:
    if not sections or sections[0].kind != HEAD:
        raise StateError("it has no head")
    state = _State(msgspec.msgpack.decode(sections[0].body, type=Head))
    if state.head.order != moments.BYTE_ORDER:
        raise StateError("it was written on a machine with another order of bytes")
    for kind, body in sections[1:]:
        if kind == REALM:
            state.realms.append(RealmState(body))
            continue
        state.handles.read(kind, body)
        if state.realms:
            state.realms[-1].read(kind, body)
    for realm in state.realms:
        realm.check()
    return state
