"""Lines through what was measured, and pictures of both: SVG, so that nothing need be installed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

__all__ = ["Curve", "Line", "line_through", "picture", "second_half"]

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BETWEEN = 760, 120, 70, 20, 34, 46

Points = Sequence[tuple[float, float]]


class Line(NamedTuple):
    """``level + slope * x``, from ``begin`` to ``end``."""

    level: float
    slope: float
    begin: float
    end: float

    def at(self, x: float) -> float:
        """Its value there."""
        return self.level + self.slope * x

    @property
    def rise(self) -> float:
        """How much it grows from one end to the other."""
        return self.slope * (self.end - self.begin)


def second_half(points: Points) -> Points:
    """Those behind the middle of their time."""
    middle = (points[0][0] + points[-1][0]) / 2
    return [point for point in points if point[0] >= middle]


def line_through(points: Points) -> Line:
    """The straight line with the least squares."""
    count = len(points)
    mean_x = sum(x for x, _ in points) / count
    mean_y = sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0
    return Line(mean_y - slope * mean_x, slope, points[0][0], points[-1][0])


class Curve(NamedTuple):
    """``points``: (hours, value); ``line``: through the second half; ``verdict``: on its bound."""

    title: str
    unit: str
    points: Points
    line: Line
    verdict: str
    is_good: bool


def picture(curves: Sequence[Curve], title: str) -> str:
    """All of them, one below the other."""
    height = TOP + len(curves) * (HEIGHT + BETWEEN)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="{LEFT}" y="20" font-size="14" font-weight="bold">{escape(title)}</text>',
    ]
    for number, curve in enumerate(curves):
        parts += _panel(curve, TOP + number * (HEIGHT + BETWEEN) + 16)
    return "\n".join([*parts, "</svg>", ""])


def _panel(curve: Curve, top: float) -> list[str]:
    first, last = curve.points[0][0], curve.points[-1][0]
    most = max(value for _, value in curve.points) * 1.1 or 1.0
    width = WIDTH - LEFT - RIGHT

    def place(x: float, y: float) -> str:
        across = LEFT + width * (x - first) / ((last - first) or 1)
        return f"{across:.1f},{top + HEIGHT - HEIGHT * min(max(y, 0.0), most) / most:.1f}"

    drawn = " ".join(place(x, y) for x, y in curve.points)
    line = curve.line
    ends = f"{place(line.begin, line.at(line.begin))} {place(line.end, line.at(line.end))}"
    colour = "#2a7" if curve.is_good else "#c22"
    right, foot = WIDTH - RIGHT, top + HEIGHT + 14
    axis = [
        f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#ddd"/>'
        f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="#666">{_short(most * share)}</text>'
        for share, y in ((share, top + HEIGHT - HEIGHT * share) for share in (0, 0.5, 1))
    ]
    return [
        f'<text x="{LEFT}" y="{top - 5}">{escape(curve.title)} ({escape(curve.unit)})</text>',
        f'<text x="{right}" y="{top - 5}" text-anchor="end" fill="{colour}">{escape(curve.verdict)}</text>',
        *axis,
        f'<polyline points="{drawn}" fill="none" stroke="#37c" stroke-width="1.2"/>',
        f'<polyline points="{ends}" fill="none" stroke="{colour}" stroke-dasharray="6 3"/>',
        f'<text x="{right}" y="{foot}" text-anchor="end" fill="#666">{last:.2f} h</text>',
    ]


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.1f}"
