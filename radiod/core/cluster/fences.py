"""What must be known elsewhere before something goes on here: waiting until other nodes have taken it in.

Letters between two nodes keep their order, so a question behind them is answered when they are taken in. Of
one node one question is open at a time, for all that waited when it was asked: who waits costs no question.
"""

from __future__ import annotations

from typing import Any, Final

from radiod.core.cluster.peers import Peers
from radiod.core.promises import Promise
from radiod.core.timers import Clock, Deadline, Timers

__all__ = ["TAKEN_S", "Fences"]

TAKEN_S: Final = 2.0
"""How long a node may take to answer before it is not waited for."""


class Fences:
    """Those of one part of a realm. Args: question: what is asked, as a letter of that part."""

    def __init__(self, peers: Peers, about: str, clock: Clock, timers: Timers, question: bytes) -> None:
        self._peers = peers
        self._about = about
        self._clock = clock
        self._timers = timers
        self._question = question
        # Who waits: for the answer of a node, and for that to the next question to it.
        self._asked: dict[int, list[Promise[None]]] = {}
        self._waiting: dict[int, list[Promise[None]]] = {}
        self._flush: Deadline | None = None

    def behind(self, node: int) -> Promise[None]:
        """Kept when a node has taken in all that it was told before; or is dead, or takes too long.

        That is after ``TAKEN_S``, and twice that behind a question that is open.
        """
        taken: Promise[None] = Promise()
        self._waiting.setdefault(node, []).append(taken)
        if node not in self._asked:
            self._plan()
        return taken

    def _plan(self) -> None:
        if self._flush is None:
            self._flush = self._timers.at(self._clock.seconds(), self._ask_all)

    def _ask_all(self) -> None:
        self._flush = None
        for node in [node for node in self._waiting if node not in self._asked]:
            self._ask(node)

    def _ask(self, node: int) -> None:
        self._asked[node] = self._waiting.pop(node)

        def answered(outcome: Any) -> None:
            asked = self._asked.pop(node)
            if node in self._waiting:
                self._plan()
            for taken in asked:
                taken.settle(None)

        self._peers.ask(node, self._about, self._question, TAKEN_S).then(answered)
