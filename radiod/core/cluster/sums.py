"""Sums of what a node has: how much it is, and a digest that does not depend on its order."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from radiod.core.cluster.encoding import encode

__all__ = ["NOTHING", "Sum", "add", "sum_of"]

MODULUS: Final = 1 << 64


class Sum(NamedTuple):
    """``entries``: how many; ``digest``: of all of them, 64 bits."""

    entries: int
    digest: int


NOTHING: Final = Sum(0, 0)


def sum_of(entries: Iterable[tuple[Any, Any]]) -> Sum:
    """The sum of keys and values, as they would be written to another node.

    Digests of single entries are added up: two that are exchanged, or one more and one less, show.
    Cost: O(n), in one piece.
    """
    count = digest = 0
    for entry in entries:
        count += 1
        digest += int.from_bytes(blake2b(encode(entry), digest_size=8).digest(), "big")
    return Sum(count, digest % MODULUS)


def add(one: Sum, other: Sum) -> Sum:
    """The sum of both."""
    return Sum(one.entries + other.entries, (one.digest + other.digest) % MODULUS)
