"""``radiod.admin.log``: the last lines of the log. What it costs to have them is paid by who writes lines."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from typing import Any, Final, Protocol

from radiod.core.arguments import optional, whole
from radiod.core.channels.channel import Channel
from radiod.core.ids import MAX_ID
from radiod.core.procedures.family import Procedure
from radiod.core.promises import Promise
from radiod.core.realm.realm import Realm
from radiod.core.sessions.session import Session
from radiod.core.slices import Slices, in_steps

__all__ = ["HIDDEN", "LogView", "Tail"]

Answer = dict[str, Any] | Promise[dict[str, Any]]

MAX_LINES: Final = 500
"""Of one answer."""

HIDDEN: Final = "(a private channel)"
"""What stands for the name of one that the caller is no member of."""

WORD: Final = re.compile(r"\S+")
AROUND: Final = "\"'`()[]<>,;:.!?"
"""What may stand around a name in a sentence."""


class Tail(Protocol):
    """Keeps the last lines; ``logs.tail.Tail`` is one, and documents it."""

    since: float

    def after(self, seq: int | None, most: int) -> list[dict[str, Any]]: ...


class LogView:
    """``procedures``: name -> parameters and handler.

    Args:
        realms: whose private channels are not told to others than their members.
        slices: of the realm whose sessions call.
    """

    def __init__(self, tail: Tail, realms: Mapping[str, Realm], realm: str, slices: Slices) -> None:
        self._tail = tail
        self._realms = realms
        self._realm = realm
        self._slices = slices
        self.procedures: dict[str, Procedure] = {
            "radiod.admin.log": ({"after": None, "limit": 100}, self.log)
        }

    def log(self, session: Session, *, after: Any, limit: Any) -> Answer:
        """Lines of the whole server's log → ``{lines: [{seq, time, level, event, text, …}], next, since}``.

        The last ``limit`` of those behind the number ``after``; without one, or with one that is higher than
        all, as after a restart, of all. ``next``: the ``after`` of the next call. A gap between two numbers:
        lines that are not held any more, or were too many. ``since``: another one, another run of the server,
        with other numbers.
        """
        start = optional(_number, "after", after)
        lines = self._tail.after(start, whole("limit", limit, 1, MAX_LINES))
        return self._slices.run(self._told(session, lines, start))

    def _told(
        self, session: Session, lines: list[dict[str, Any]], start: int | None
    ) -> Generator[None, None, dict[str, Any]]:
        hidden: set[str] = set()
        for name, realm in self._realms.items() if lines else ():
            joined = realm.memberships.of(session) if name == self._realm else {}

            def hide(some: list[Channel], joined: Mapping[str, Channel] = joined) -> None:
                hidden.update(one.name for one in some if joined.get(one.name) is not one)

            yield from in_steps(realm.channels.private, hide)
        told = [_veiled(line, hidden) for line in lines] if hidden else lines
        seq = lines[-1]["seq"] if lines else (start or 0)
        return {"lines": told, "next": seq, "since": self._tail.since}


def _number(name: str, value: Any) -> int:
    return whole(name, value, 0, MAX_ID)


def _veiled(line: dict[str, Any], hidden: set[str]) -> dict[str, Any]:
    """A line without these names: every word that is one, with or without what may stand around it."""

    def veil(found: re.Match[str]) -> str:
        word = found[0]
        for name in (word, word.strip(AROUND)):
            if name in hidden:
                return word.replace(name, HIDDEN)
        return word

    told = {**line, "text": WORD.sub(veil, line["text"])}
    if told.get("channel") in hidden:
        told["channel"] = HIDDEN
    return told
