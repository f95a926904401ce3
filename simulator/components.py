"""The parts of a network in which one can drive from everywhere to everywhere: Tarjan's algorithm."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

__all__ = ["rings", "strongly_connected"]

Node = TypeVar("Node", bound=Hashable)


def strongly_connected(arcs: Iterable[tuple[Node, Node]]) -> set[Node]:
    """The nodes of the largest strongly connected part; of equal ones that which is found first."""
    largest = max(_parts(list(arcs)), key=len, default=[])
    return set(largest)


def rings(arcs: Iterable[tuple[Node, Node]]) -> set[Node]:
    """The nodes from which some way leads back to themselves."""
    known = list(arcs)
    found = {node for part in _parts(known) if len(part) > 1 for node in part}
    return found | {start for start, end in known if start == end}


def _parts(arcs: list[tuple[Node, Node]]) -> list[list[Node]]:
    """The strongly connected parts; of those of one node only one that is found before all others."""
    out: dict[Node, list[Node]] = {}
    for start, end in arcs:
        out.setdefault(start, []).append(end)
        out.setdefault(end, [])
    search = _Search(out)
    for node in out:
        if node not in search.number:
            search.visit(node)
    return search.parts


class _Search(Generic[Node]):
    """Numbers nodes in the order in which they are found, and the least number that each can come back to."""

    def __init__(self, out: dict[Node, list[Node]]) -> None:
        self.number: dict[Node, int] = {}
        self.parts: list[list[Node]] = []
        self._out = out
        self._low: dict[Node, int] = {}
        self._open: list[Node] = []
        self._is_open: set[Node] = set()

    def visit(self, root: Node) -> None:
        """Find all that can be reached from ``root``."""
        self._enter(root)
        trail = [(root, iter(self._out[root]))]
        while trail:
            node, onward = trail[-1]
            for other in onward:
                if other not in self.number:
                    self._enter(other)
                    trail.append((other, iter(self._out[other])))
                    break
                if other in self._is_open:
                    self._low[node] = min(self._low[node], self.number[other])
            else:
                trail.pop()
                if trail:
                    before = trail[-1][0]
                    self._low[before] = min(self._low[before], self._low[node])
                if self._low[node] == self.number[node]:
                    self._close(node)

    def _enter(self, node: Node) -> None:
        self.number[node] = self._low[node] = len(self.number)
        self._open.append(node)
        self._is_open.add(node)

    def _close(self, node: Node) -> None:
        """All that were found since ``node`` are one part."""
        at = len(self._open) - 1
        while self._open[at] != node:
            at -= 1
        part = self._open[at:]
        del self._open[at:]
        self._is_open.difference_update(part)
        if len(part) > 1 or not self.parts:
            self.parts.append(part)
