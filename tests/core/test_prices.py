"""Invoices: decimals, rounded line by line, and their sum is the sum of what is shown."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from radiod.core.prices import PRICED, invoice, total

COUNTS = st.integers(0, 10**15)
MONEY = st.integers(0, 10**7).map(lambda cents: cents / 100)


def test_each_count_that_has_a_price_is_a_line():
    lines = invoice({"base": 9.5, "delivered": 0.02, "seconds": 0.001}, {"delivered": 412_773, "calls": 7})
    assert [(line.what, line.quantity, line.unit, line.price, line.sum) for line in lines] == [
        ("base", Decimal(1), "month", Decimal("9.5"), Decimal("9.50")),
        ("delivered", Decimal("412.773"), "1,000 events", Decimal("0.02"), Decimal("8.26")),
        ("seconds", Decimal(0), "hour", Decimal("0.001"), Decimal("0.00")),
    ]
    assert total(lines) == Decimal("17.76")


def test_without_prices_there_is_nothing_to_pay():
    assert invoice({}, {"published": 5}) == []
    assert total([]) == Decimal("0.00")


def test_half_a_cent_is_rounded_up():
    (line,) = invoice({"calls": 0.005}, {"calls": 1000})
    assert line.sum == Decimal("0.01")


@given(
    st.fixed_dictionaries(dict.fromkeys(PRICED, MONEY)), st.dictionaries(st.sampled_from([*PRICED]), COUNTS)
)
def test_each_line_is_what_its_reader_comes_to(prices, used):
    lines = invoice(prices, used)
    for line in lines:
        assert abs(line.sum - line.quantity * line.price) <= Decimal("0.005")
        exact = Decimal(used.get(line.what, 0)) / PRICED[line.what][0]
        assert abs(line.quantity - exact) <= Decimal("0.0005")
        assert line.price == Decimal(str(prices[line.what]))
    assert total(lines) == sum(line.sum for line in lines)
