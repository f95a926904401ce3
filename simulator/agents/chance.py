"""Random numbers that depend on what they are for, and on nothing that was drawn before.

A draw is a hash of a seed, names and a counter. So it is the same in whatever order streets are given, or
vehicles are looked at, and needs no state that would have to be saved.
"""

from __future__ import annotations

from hashlib import blake2b

__all__ = ["draw", "key"]

MASK = 2**64 - 1


def key(seed: int, *names: str) -> int:
    """64 bits of a seed and names."""
    text = "\0".join([str(seed), *names])
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def draw(key: int, counter: int) -> float:
    """From 0 to 1 (without 1): the ``counter``-th number of a key; the finalizer of SplitMix64."""
    bits = (key + (counter + 1) * 0x9E3779B97F4A7C15) & MASK
    bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & MASK
    return ((bits ^ (bits >> 31)) >> 11) * 2.0**-53
