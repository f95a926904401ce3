"""What nodes tell each other of what accounts with a plan have used."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from radiod.core.cluster.encoding import decode, encode

__all__ = ["Again", "Spending", "Spent", "read_limits", "write_limits"]


class Spent(Struct, array_like=True, frozen=True):
    """One account on one node, all absolute, so that the last word counts.

    ``day``, ``month``: when these began, seconds since 1970; ``used``: as ``Allowances.quotas``;
    ``publishes``, ``calls``: tokens taken of its rates; ``connections``, ``channels``: that it has now.
    """

    account: str
    day: int
    month: int
    used: tuple[int, int, int, int, int, int]
    publishes: int = 0
    calls: int = 0
    connections: int = 0
    channels: int = 0


class Spending(Struct, array_like=True, tag="spending", frozen=True):
    """What has changed. ``node``: whose it is; ``is_first``: all follows, what is not told is nothing."""

    node: str
    spent: list[Spent]
    is_first: bool = False


class Again(Struct, array_like=True, tag="again", frozen=True):
    """Something was lost: tell all."""


LimitLetter = Spending | Again

DECODER: Final[msgspec.msgpack.Decoder[LimitLetter]] = msgspec.msgpack.Decoder(LimitLetter)


def write_limits(letter: LimitLetter) -> bytes:
    """The letter as bytes."""
    return encode(letter)


def read_limits(data: bytes) -> LimitLetter | None:
    """The letter in ``data``; None: there is none."""
    return decode(DECODER, data)
