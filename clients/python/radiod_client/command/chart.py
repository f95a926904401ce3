"""Curves as text: dots of Braille, two to the right and four down in each character."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["chart"]

DOTS = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]]
AXIS = 11


def chart(values: Sequence[float], width: int, height: int, title: str = "") -> str:
    """A curve with its scale; NaN is a gap.

    Args:
        width, height: in characters, all of it.
    """
    columns, rows = max(width - AXIS - 2, 8), max(height - 1, 3)
    shown = list(values)[-columns * 2 :]
    finite = [value for value in shown if math.isfinite(value)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 0.0)
    cells = [[0] * columns for _ in range(rows)]
    before: int | None = None
    for x, value in enumerate(shown):
        if not math.isfinite(value):
            before = None
            continue
        y = _row(value, low, high, rows * 4)
        for each in _between(before, y):
            cells[each // 4][x // 2] |= DOTS[each % 4][x % 2]
        before = y
    latest = f"{title}  {_number(finite[-1])}" if finite else f"{title}  nothing yet"
    lines = [latest[:width]]
    for index, row in enumerate(cells):
        scale = _number(high) if index == 0 else _number(low) if index == rows - 1 else ""
        lines.append(f"{scale:>{AXIS}} ┤" + "".join(chr(0x2800 + dots) for dots in row).rstrip("\u2800"))
    return "\n".join(lines)


def _row(value: float, low: float, high: float, rows: int) -> int:
    """How far from the top."""
    span = high - low
    if span == 0 or not math.isfinite(span):
        return rows // 2
    return round((high - value) / span * (rows - 1))


def _between(before: int | None, y: int) -> range:
    """Dots that join this one with the one before."""
    if before is None or before == y:
        return range(y, y + 1)
    return range(before + 1, y + 1) if before < y else range(y, before)


def _number(value: float) -> str:
    return f"{value:.6g}"
