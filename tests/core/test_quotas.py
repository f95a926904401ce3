"""Quotas of UTC's days and months: ends of months, leap seconds, clocks that are set."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.core.quotas import Quota, day_of, month_of


def moment(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("now", "day", "month"),
    [
        ("2026-11-27T15:00:00", ("2026-11-27", "2026-11-28"), ("2026-11-01", "2026-12-01")),
        ("2026-11-30T23:59:59.999", ("2026-11-30", "2026-12-01"), ("2026-11-01", "2026-12-01")),
        ("2026-12-01T00:00:00", ("2026-12-01", "2026-12-02"), ("2026-12-01", "2027-01-01")),
        ("2026-12-31T23:59:59", ("2026-12-31", "2027-01-01"), ("2026-12-01", "2027-01-01")),
        ("2028-02-29T12:00:00", ("2028-02-29", "2028-03-01"), ("2028-02-01", "2028-03-01")),
        ("2027-02-28T12:00:00", ("2027-02-28", "2027-03-01"), ("2027-02-01", "2027-03-01")),
    ],
)
def test_days_and_months_are_of_utc(now, day, month):
    assert day_of(moment(now)) == tuple(map(moment, day))
    assert month_of(moment(now)) == tuple(map(moment, month))


def test_the_last_month_that_there_is_ends_where_dates_do():
    begin = moment("9999-12-01")
    assert month_of(moment("9999-12-31T23:59:59")) == (begin, begin + 31 * 86_400)


@given(now=st.floats(0, 4e9))
def test_every_moment_is_in_its_period_and_periods_have_no_gap(now):
    for period in (day_of, month_of):
        begin, end = period(now)
        assert begin <= now < end
        assert period(end)[0] == end
        assert period(begin) == period(end - 1) == (begin, end)


def quota(limit, now, period=day_of):
    return Quota("publish_day", period, limit, now)


def test_what_is_left_is_charged_as_a_whole_or_not_at_all():
    noon = moment("2026-11-27T12:00:00")
    some = quota(10, noon)
    assert [some.charge(amount, noon) for amount in (4, 7, 6, 1)] == [True, False, True, False]
    assert (some.used, some.left(noon), some.is_used_up(noon)) == (10, 0, True)
    assert quota(0, noon).is_used_up(noon)


def test_what_was_used_is_counted_above_the_limit_and_without_one():
    noon = moment("2026-11-27T12:00:00")
    some, free = quota(10, noon), quota(None, noon)
    for one in (some, free):
        one.add(15, noon)
        assert one.used == 15
    assert (some.left(noon), some.is_used_up(noon)) == (0, True)
    assert (free.left(noon), free.is_used_up(noon), free.charge(2**60, noon)) == (None, False, True)


@pytest.mark.parametrize("ask", ["charge", "add", "left", "is_used_up"])
def test_the_next_period_begins_with_nothing_used(ask):
    last = moment("2026-11-30T23:59:59.5")
    for period in (day_of, month_of):
        some = quota(1, last, period)
        assert some.charge(1, last)
        arguments = (1, last + 0.5) if ask in ("charge", "add") else (last + 0.5,)
        getattr(some, ask)(*arguments)
        assert some.begin == moment("2026-12-01T00:00:00")
        assert some.used == (1 if ask in ("charge", "add") else 0)


@pytest.mark.parametrize("back", [0.4, 1, 3600, 86_400 * 40])
def test_a_clock_that_is_set_back_reopens_nothing(back):
    midnight = moment("2026-12-01T00:00:00")
    for period in (day_of, month_of):
        some = quota(2, midnight - 1, period)
        assert some.charge(2, midnight - 0.5)
        assert some.charge(1, midnight)
        assert some.charge(1, midnight - back)
        assert not some.charge(1, midnight - back)
        assert some.begin == midnight
        assert not some.charge(1, midnight + 1)


def test_a_leap_second_is_no_second_midnight():
    """2016-12-31T23:59:60: clocks tell the last second of the year, or the first of the next one, twice."""
    midnight = moment("2017-01-01T00:00:00")
    for told in ([-0.5, -1.0, -0.5, 0.0, 0.5], [-0.5, 0.0, 0.5, 0.0, 0.5]):
        year_end = quota(4, midnight - 10, month_of)
        accepted = [year_end.charge(1, midnight + second) for second in told]
        opened = sum(second >= 0 for second in told)
        assert accepted == [True] * 5
        assert year_end.used == opened


def test_what_was_charged_for_nothing_is_given_back_to_its_own_period():
    last = moment("2026-11-27T23:59:59")
    some = quota(5, last)
    assert some.charge(2, last)
    charged_in = some.begin
    some.give_back(1, charged_in)
    assert some.used == 1
    assert some.charge(3, last + 1)
    some.give_back(1, charged_in)
    assert some.used == 3
    some.give_back(4, some.begin)
    assert some.used == 0


@pytest.mark.parametrize(
    ("now", "period", "wait"),
    [
        ("2026-11-27T23:59:59.9", day_of, 1),
        ("2026-11-27T23:59:58.9", day_of, 2),
        ("2026-11-27T00:00:00", day_of, 86_400),
        ("2026-11-02T00:00:00", month_of, 86_400),
        ("2026-11-30T23:00:00", month_of, 3600),
    ],
)
def test_the_wait_is_the_rest_of_the_period_and_at_most_a_day(now, period, wait):
    assert quota(1, moment(now), period).wait(moment(now)) == wait


def test_the_wait_is_bounded_when_the_clock_was_set_back():
    now = moment("2026-11-27T12:00:00")
    assert quota(1, now).wait(now - 400 * 86_400) == 86_400
    assert quota(1, now).wait(now + 400 * 86_400) == 1


def test_what_was_used_before_the_start_counts():
    now = moment("2026-11-27T12:00:00")
    some = quota(10, now)
    some.add(1, now)
    some.restore(8)
    assert [some.charge(1, now) for _ in range(2)] == [True, False]


def test_what_is_used_elsewhere_counts_and_is_not_ones_own():
    now = moment("2026-11-27T12:00:00")
    some = quota(10, now)
    some.add(3, now)
    some.note_elsewhere(5, now)
    assert (some.used, some.own(now), some.left(now)) == (8, 3, 2)
    some.note_elsewhere(6, now)
    assert [some.charge(1, now) for _ in range(2)] == [True, False]
    some.give_back(10, some.begin)
    assert some.own(now) == 0
    tomorrow = now + 86_400
    assert some.own(tomorrow) == 0
    assert (some.used, some.elsewhere) == (0, 0)
    some.note_elsewhere(4, tomorrow + 86_400)
    assert (some.used, some.elsewhere) == (4, 4)
