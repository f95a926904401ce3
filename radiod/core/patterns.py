"""An index of exact, prefix and wildcard URIs: what falls under a URI is found without looking at the rest.

All live in dictionaries. A look-up tries the lengths of prefix that occur (at most 256), and the shapes of
wildcard that occur: which of so many components are empty. Cost of a look-up: O(lengths + shapes of as many
components), whatever the number of patterns; their memory is that of their URIs.

Source of the order: WAMP specification, "Pattern-based Registration".
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

from radiod.wire.options import MatchPolicy

__all__ = ["PatternIndex"]

T = TypeVar("T")
K = TypeVar("K", bound=Any)

Shape = tuple[bool, ...]
"""For each component of a wildcard, whether it is empty. The more specific of two sorts first."""


class PatternIndex(Generic[T]):
    """One item for each pair of match policy and URI."""

    def __init__(self) -> None:
        self._by_policy: dict[MatchPolicy, dict[str, T]] = {"exact": {}, "prefix": {}, "wildcard": {}}
        self._exact = self._by_policy["exact"]
        self._prefixes = self._by_policy["prefix"]
        self._wildcards = self._by_policy["wildcard"]
        self.has_patterns = False
        """Whether something else than exact URIs is there."""
        # Negative, so that the longest is first.
        self._lengths: _Census[int] = _Census()
        # number of components -> shapes
        self._shapes: dict[int, _Census[Shape]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._by_policy.values()))

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
            self._lengths.add(-len(uri))
        elif policy == "wildcard":
            shape = _shape(uri)
            self._shapes.setdefault(len(shape), _Census()).add(shape)
        self._note_patterns()

    def remove(self, policy: MatchPolicy, uri: str) -> None:
        """Take away the item of exactly this policy and URI. Raises: KeyError: there is none."""
        del self._by_policy[policy][uri]
        if policy == "prefix":
            self._lengths.remove(-len(uri))
        elif policy == "wildcard":
            shape = _shape(uri)
            shapes = self._shapes[len(shape)]
            shapes.remove(shape)
            if not shapes.order:
                del self._shapes[len(shape)]
        self._note_patterns()

    def _note_patterns(self) -> None:
        self.has_patterns = bool(self._prefixes or self._wildcards)

    def matching(self, uri: str) -> list[T]:
        """Every item whose pattern ``uri`` falls under: exact, then prefixes from the longest to the
        shortest, then wildcards from the most to the least specific."""
        found = [self._exact[uri]] if uri in self._exact else []
        if self._prefixes:
            found += (self._prefixes[prefix] for prefix in self._prefixes_of(uri))
        if self._wildcards:
            found += (self._wildcards[wildcard] for wildcard in self._wildcards_of(uri))
        return found

    def best(self, uri: str) -> T | None:
        """The first of ``matching``."""
        item = self._exact.get(uri)
        if item is None and self._prefixes:
            item = next((self._prefixes[prefix] for prefix in self._prefixes_of(uri)), None)
        if item is None and self._wildcards:
            item = next((self._wildcards[wildcard] for wildcard in self._wildcards_of(uri)), None)
        return item

    def _prefixes_of(self, uri: str) -> Iterator[str]:
        for negative in self._lengths.order:
            # Slicing a shorter URI would find its exact self under too long a length.
            if -negative <= len(uri) and uri[:-negative] in self._prefixes:
                yield uri[:-negative]

    def _wildcards_of(self, uri: str) -> Iterator[str]:
        components = uri.split(".")
        shapes = self._shapes.get(len(components))
        # With an empty component it is no URI, and would look like a pattern itself.
        if shapes is None or "" in components:
            return
        for shape in shapes.order:
            wildcard = ".".join(
                ["" if is_empty else part for is_empty, part in zip(shape, components, strict=True)]
            )
            if wildcard in self._wildcards:
                yield wildcard


def _shape(wildcard: str) -> Shape:
    return tuple([component == "" for component in wildcard.split(".")])


class _Census(Generic[K]):
    """The kinds of pattern that occur, in ``order``, and how many are of each."""

    __slots__ = ("_counts", "order")

    def __init__(self) -> None:
        self._counts: Counter[K] = Counter()
        self.order: list[K] = []

    def add(self, kind: K) -> None:
        self._counts[kind] += 1
        if self._counts[kind] == 1:
            insort(self.order, kind)

    def remove(self, kind: K) -> None:
        self._counts[kind] -= 1
        if not self._counts[kind]:
            del self._counts[kind]
            del self.order[bisect_left(self.order, kind)]
