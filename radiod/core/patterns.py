"""An index of exact, prefix and wildcard URIs: what falls under a URI is found without looking at the rest.

Exact URIs and prefixes live in dictionaries; a look-up tries the lengths of prefix that occur (at most 255).
Wildcards live in a tree of components, in which every node has at most one child that fits and one that is
empty. Cost of a look-up: O(prefix lengths + tree nodes that match), whatever the number of patterns.

Source of the order: WAMP specification, "Pattern-based Registration".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final, Generic, TypeVar

from radiod.wire.messages import MatchPolicy

__all__ = ["PatternIndex"]

T = TypeVar("T")

ITEM: Final = None
"""The key under which a node of the tree holds the item whose pattern ends there."""


class PatternIndex(Generic[T]):
    """One item for each pair of match policy and URI."""

    def __init__(self) -> None:
        self._by_policy: dict[MatchPolicy, dict[str, T]] = {"exact": {}, "prefix": {}, "wildcard": {}}
        self._exact = self._by_policy["exact"]
        self._prefixes = self._by_policy["prefix"]
        # Length of prefix -> how many have it; and the lengths, longest first.
        self._length_counts: Counter[int] = Counter()
        self._lengths: list[int] = []
        # component -> node … and ITEM -> item
        self._tree: dict[Any, Any] = {}

    def __len__(self) -> int:
        return sum(map(len, self._by_policy.values()))

    @property
    def has_patterns(self) -> bool:
        """True when something else than exact URIs is there."""
        return bool(self._prefixes or self._tree)

    def get(self, policy: MatchPolicy, uri: str) -> T | None:
        """The item of exactly this policy and URI."""
        return self._by_policy[policy].get(uri)

    def items(self, policy: MatchPolicy) -> Iterator[T]:
        """All items of one policy, oldest first."""
        return iter(self._by_policy[policy].values())

    def add(self, policy: MatchPolicy, uri: str, item: T) -> None:
        """Put an item where none is."""
        self._by_policy[policy][uri] = item
        if policy == "prefix":
            self._length_counts[len(uri)] += 1
            self._sort_lengths()
        elif policy == "wildcard":
            node = self._tree
            for component in uri.split("."):
                node = node.setdefault(component, {})
            node[ITEM] = item

    def remove(self, policy: MatchPolicy, uri: str) -> None:
        """Take away the item of exactly this policy and URI. Raises: KeyError: there is none."""
        del self._by_policy[policy][uri]
        if policy == "prefix":
            self._length_counts[len(uri)] -= 1
            self._sort_lengths()
        elif policy == "wildcard":
            self._prune(self._tree, [*uri.split("."), ITEM])

    def _sort_lengths(self) -> None:
        self._length_counts = +self._length_counts
        self._lengths = sorted(self._length_counts, reverse=True)

    def _prune(self, node: dict[Any, Any], path: list[str | None]) -> None:
        """Remove the end of ``path``, and every node that has nothing under it then."""
        nodes = [node]
        for component in path[:-1]:
            nodes.append(nodes[-1][component])
        for parent, component in zip(reversed(nodes), reversed(path), strict=True):
            del parent[component]
            if parent:
                break

    def matching(self, uri: str) -> list[T]:
        """Every item whose pattern ``uri`` falls under: exact, then prefixes from the longest to the
        shortest, then wildcards from the most to the least specific."""
        found = [self._exact[uri]] if uri in self._exact else []
        if self._prefixes:
            found += (self._prefixes[prefix] for prefix in self._prefixes_of(uri))
        if self._tree:
            found += self._walk(self._tree, uri.split("."), 0)
        return found

    def best(self, uri: str) -> T | None:
        """The first of ``matching``."""
        item = self._exact.get(uri)
        if item is None and self._prefixes:
            item = next((self._prefixes[prefix] for prefix in self._prefixes_of(uri)), None)
        if item is None and self._tree:
            item = next(self._walk(self._tree, uri.split("."), 0), None)
        return item

    def _prefixes_of(self, uri: str) -> Iterator[str]:
        for length in self._lengths:
            # Slicing a shorter URI would find its exact self under too long a length.
            if length <= len(uri) and uri[:length] in self._prefixes:
                yield uri[:length]

    def _walk(self, node: dict[Any, Any], components: list[str], depth: int) -> Iterator[T]:
        """Items below ``node``; a component that fits goes before an empty one, on every level."""
        if depth == len(components):
            if ITEM in node:
                yield node[ITEM]
            return
        # A URI has no empty component, so the two children differ.
        for component in (components[depth], ""):
            child = node.get(component)
            if child is not None:
                yield from self._walk(child, components, depth + 1)
