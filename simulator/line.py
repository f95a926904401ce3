"""A line of points in as little memory as numbers take: towns have hundreds of thousands of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np

from simulator.looks import Floats

__all__ = ["Line"]

Point = tuple[float, float]


class Line(Sequence[Point]):
    """Points in metres, never changed; equal to any sequence of the same points.

    Args: xy: (N, 2), of which no copy is made.
    """

    __slots__ = ("_xy",)

    def __init__(self, xy: Floats) -> None:
        self._xy = xy

    def __len__(self) -> int:
        return len(self._xy)

    @overload
    def __getitem__(self, at: int) -> Point: ...
    @overload
    def __getitem__(self, at: slice) -> Line: ...
    def __getitem__(self, at: int | slice) -> Point | Line:
        """A point, or a part that shares memory with the whole."""
        if isinstance(at, slice):
            return Line(self._xy[at])
        x, y = self._xy[at].tolist()
        return x, y

    def __iter__(self) -> Iterator[Point]:
        return (tuple(point) for point in self._xy.tolist())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(other) == len(self) and list(self) == list(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"Line({np.array2string(self._xy, threshold=8)})"
