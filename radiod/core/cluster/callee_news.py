"""What one node tells the others of its callees: each change, and all of them to those who do not know."""

from __future__ import annotations

from typing import Final

from radiod.core.cluster.callee_letters import (
    Added,
    Begin,
    CalleeFacts,
    CalleeLetter,
    End,
    Left,
    Part,
    Removed,
    write_callees,
)
from radiod.core.cluster.peers import Peers
from radiod.core.promises import Promise

__all__ = ["PART_BYTES", "CalleeNews"]

PART_BYTES: Final = 32 << 10
"""About how long one part of a snapshot is, at least one callee."""

FACTS_BYTES: Final = 300
"""About how long what is told of a callee is, without its signature."""


class CalleeNews:
    """Tells of one node's callees in one realm.

    ``told``: (session, registration) -> what the others know, or are about to.
    """

    def __init__(self, peers: Peers, about: str) -> None:
        self._peers = peers
        self._about = about
        self._version = 0
        self.told: dict[tuple[int, int], CalleeFacts] = {}
        # Sessions of which the others have a proxy.
        self._sessions: set[int] = set()
        # Nodes that could not be told something.
        self._stale: set[int] = set()

    def added(self, registration: int, facts: CalleeFacts, *, takes_over: bool = False) -> Promise[None]:
        """Tell of a new callee, or of a change. Kept when all who are alive know."""
        self.told[facts.session, registration] = facts
        self._sessions.add(facts.session)
        letter = Added(self._next_version(), facts, takes_over)
        return self._peers.tell_all(self._about, write_callees(letter))

    def removed(self, session: int, registration: int) -> None:
        """Tell that a session has lost a registration."""
        if self.told.pop((session, registration), None) is not None:
            self._tell_all(Removed(self._next_version(), session, registration))

    def left(self, session: int) -> None:
        """Tell that a session has left, if that is anything to the others."""
        if session in self._sessions:
            self._sessions.remove(session)
            self._tell_all(Left(self._next_version(), session))

    def snapshot(self, node: int) -> None:
        """Tell one node all."""
        self._stale.discard(node)
        self._tell(node, Begin(self._version))
        part: list[CalleeFacts] = []
        size = 0
        for facts in self.told.values():
            part.append(facts)
            size += FACTS_BYTES + len(facts.signature)
            if size >= PART_BYTES:
                self._tell(node, Part(tuple(part)))
                part, size = [], 0
        self._tell(node, Part(tuple(part)))
        self._tell(node, End())

    def look_after(self) -> None:
        """Tell all to those who could not be told something."""
        live = self._peers.live()
        for node in list(self._stale):
            if node in live:
                self.snapshot(node)
            else:
                self._stale.discard(node)

    def begin_anew(self) -> None:
        """The others know nothing of us any more."""
        self.told.clear()
        self._sessions.clear()
        self._stale.clear()

    def _next_version(self) -> int:
        self._version += 1
        return self._version

    def _tell_all(self, letter: CalleeLetter) -> None:
        for node in self._peers.live():
            self._tell(node, letter)

    def _tell(self, node: int, letter: CalleeLetter) -> None:
        if not self._peers.tell(node, self._about, write_callees(letter)):
            self._stale.add(node)
