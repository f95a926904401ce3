"""The part of a network in which one can drive from everywhere to everywhere: Tarjan's algorithm."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["strongly_connected"]


def strongly_connected(arcs: Iterable[tuple[str, str]]) -> set[str]:
    """The nodes of the largest strongly connected part; of equal ones that which is found first."""
    out: dict[str, list[str]] = {}
    for start, end in arcs:
        out.setdefault(start, []).append(end)
        out.setdefault(end, [])
    search = _Search(out)
    for node in out:
        if node not in search.number:
            search.visit(node)
    return search.largest


class _Search:
    """Numbers nodes in the order in which they are found, and the least number that each can come back to."""

    def __init__(self, out: dict[str, list[str]]) -> None:
        self.number: dict[str, int] = {}
        self.largest: set[str] = set()
        self._out = out
        self._low: dict[str, int] = {}
        self._open: list[str] = []
        self._is_open: set[str] = set()

    def visit(self, root: str) -> None:
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

    def _enter(self, node: str) -> None:
        self.number[node] = self._low[node] = len(self.number)
        self._open.append(node)
        self._is_open.add(node)

    def _close(self, node: str) -> None:
        """All that were found since ``node`` are one part."""
        at = len(self._open) - 1
        while self._open[at] != node:
            at -= 1
        part = set(self._open[at:])
        del self._open[at:]
        self._is_open -= part
        if len(part) > len(self.largest):
            self.largest = part
