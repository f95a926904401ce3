"""What usage costs: the lines of an invoice, in decimals, as money is counted."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Final, NamedTuple

__all__ = ["BASE", "PRICED", "Line", "invoice", "total"]

BASE: Final = "base"
"""What is paid for each month, whatever was used."""

PRICED: Final[dict[str, tuple[int, str]]] = {
    "published": (1000, "1,000 events"),
    "delivered": (1000, "1,000 events"),
    "calls": (1000, "1,000 calls"),
    "bytes_in": (10**9, "GB"),
    "bytes_out": (10**9, "GB"),
    "seconds": (3600, "hour"),
}
"""Count of the ledger -> how much of it a price is for, and the words for that."""

CENT: Final = Decimal("0.01")
THOUSANDTH: Final = Decimal("0.001")


class Line(NamedTuple):
    """``what``: a count of the ledger, or ``base``; ``quantity``: in units of ``unit``, to a thousandth.

    ``sum``: of that quantity, to a hundredth, so that whoever reads the line comes to the same.
    """

    what: str
    quantity: Decimal
    unit: str
    price: Decimal
    sum: Decimal


def invoice(price: Mapping[str, float], used: Mapping[str, float]) -> list[Line]:
    """A line for all that has a price, used or not.

    Args:
        price: as ``core.plans.Plan`` has it.
        used: count of the ledger -> how much.
    """
    lines = []
    if BASE in price:
        lines.append(_line(BASE, Decimal(1), "month", price[BASE]))
    for what, (size, unit) in PRICED.items():
        if what in price:
            # Seconds are the only count with fractions, and their text is what was meant.
            quantity = (Decimal(str(used.get(what, 0))) / size).quantize(THOUSANDTH, ROUND_HALF_UP)
            lines.append(_line(what, quantity, unit, price[what]))
    return lines


def _line(what: str, quantity: Decimal, unit: str, price: float) -> Line:
    each = Decimal(str(price))
    if each == each.quantize(CENT):
        # As money is written.
        each = each.quantize(CENT)
    return Line(what, quantity, unit, each, (quantity * each).quantize(CENT, ROUND_HALF_UP))


def total(lines: list[Line]) -> Decimal:
    """The sum of what the lines say."""
    return sum((line.sum for line in lines), Decimal("0.00"))
