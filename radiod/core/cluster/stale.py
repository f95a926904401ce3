"""Nodes that could not be told something: a moment later they are told all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from radiod.core.cluster.peers import Peers
from radiod.core.timers import Clock, Deadline, Timers

__all__ = ["AGAIN_S", "Stale"]

AGAIN_S: Final = 1.0
"""Before a node that could not be told something is told all."""


class Stale:
    """Those of one part. ``again``: tells a node all, if it is there still."""

    def __init__(self, peers: Peers, clock: Clock, timers: Timers, again: Callable[[int], None]) -> None:
        self._peers = peers
        self._clock = clock
        self._timers = timers
        self._again = again
        self._nodes: set[int] = set()
        self._due: Deadline | None = None

    def __len__(self) -> int:
        """How many are to be told all."""
        return len(self._nodes)

    def add(self, node: int) -> None:
        """A node could not be told something."""
        self._nodes.add(node)
        if self._due is None:
            self._due = self._timers.at(self._clock.seconds() + AGAIN_S, self._tell_again)

    def forget(self, node: int) -> None:
        """A node is gone."""
        self._nodes.discard(node)

    def _tell_again(self) -> None:
        self._due = None
        nodes, self._nodes = self._nodes, set()
        for node in self._peers.live():
            if node in nodes:
                self._again(node)
