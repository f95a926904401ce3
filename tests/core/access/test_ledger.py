"""The ledger: what is counted in which hour, and what of it is still to be written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.core.access.ledger import HOUR, Ledger, Line, hour_of
from radiod.core.access.records import UsageRow
from radiod.core.allowances import Allowances
from radiod.core.holders import Account, Holder
from radiod.core.plans import Plan
from radiod.testing import FakeClock

MONTHS_END = 1_796_083_200
"""2026-12-01T00:00:00Z."""

COUNTS = ("published", "delivered", "dropped", "refused", "calls", "bytes_in", "bytes_out", "seconds")


@pytest.fixture
def clock():
    return FakeClock(epoch=MONTHS_END - 10)


@pytest.fixture
def ledger(clock):
    return Ledger(clock)


@pytest.fixture
def holder():
    return Holder("k_1", Account("acme"))


def write(ledger):
    """Write everything. Returns: the rows."""
    rows = []
    for line in ledger.changed():
        rows.append(line.row())
        ledger.written(line, line.total)
    return rows


class TestCounting:
    def test_one_line_for_each_account_key_and_channel(self, ledger, holder):
        ledger.line(holder, "a").published += 1
        ledger.line(holder, "a").published += 1
        ledger.line(holder, "b").calls += 1
        ledger.line(None, "a").delivered += 1
        assert [(r.account, r.key, r.channel, r.published, r.calls, r.delivered) for r in write(ledger)] == [
            ("acme", "k_1", "a", 2, 0, 0),
            ("acme", "k_1", "b", 0, 1, 0),
            ("anonymous", "anonymous", "a", 0, 0, 1),
        ]

    def test_holders_of_one_name_share_their_lines(self, ledger, holder):
        elsewhere = Holder("k_1", Account("acme"))
        assert ledger.line(holder, "a") is ledger.line(elsewhere, "a")
        assert len(ledger) == 1

    def test_what_has_no_room_is_counted_on_the_rest(self, clock, holder):
        ledger = Ledger(clock, max_lines=2)
        for channel in "abcd":
            ledger.line(holder, channel).published += 1
        assert [(row.channel, row.published) for row in write(ledger)] == [("a", 1), ("b", 1), ("*", 2)]
        assert set(ledger.lines) == {(holder, "a"), (holder, "b"), (holder, "*")} - {(holder, "*")}
        ledger.line(holder, "*").published += 1
        assert [(row.channel, row.published) for row in write(ledger)] == [("*", 3)]

    def test_time_is_that_of_all_that_is_open(self, clock, ledger, holder):
        clock.advance(1)
        ledger.opened(holder)
        clock.advance(2)
        ledger.opened(holder)
        clock.advance(1)
        ledger.settle_time()
        assert ledger.line(holder, "").seconds == 4
        ledger.closed(holder)
        clock.advance(0.5)
        ledger.closed(holder)
        clock.advance(100)
        ledger.settle_time()
        assert ledger.line(holder, "").seconds == 4.5


class TestNow:
    def test_the_open_hour_with_all_that_was_counted_elsewhere(self, clock, ledger, holder):
        line = ledger.line(holder, "a")
        ledger.opened(holder)

        def settle():
            line.published += 5

        ledger.settlers.append(settle)
        clock.advance(3)
        told = {line.channel: (line.published, line.seconds) for line in ledger.now()}
        assert told == {"a": (5, 0.0), "": (0, 3.0)}


class TestHours:
    def test_the_next_hour_begins_anew_and_the_last_one_waits_to_be_written(self, clock, ledger, holder):
        ledger.line(holder, "a").published += 1
        assert not ledger.turn()
        clock.advance(10)
        assert ledger.ends_in == 0
        assert ledger.turn()
        ledger.line(holder, "a").published += 2
        assert [(row.hour, row.published) for row in write(ledger)] == [
            (MONTHS_END - HOUR, 1),
            (MONTHS_END, 2),
        ]
        assert write(ledger) == []

    def test_what_is_written_already_does_not_wait(self, clock, ledger, holder):
        ledger.line(holder, "a").published += 1
        write(ledger)
        ledger.line(holder, "b").published += 1
        clock.advance(10)
        ledger.turn()
        assert [row.channel for row in write(ledger)] == ["b"]

    def test_what_was_counted_elsewhere_is_entered_before_the_hour_closes(self, clock, ledger, holder):
        ledger.settlers.append(lambda: setattr(ledger.line(holder, "a"), "delivered", 7))
        ledger.opened(holder)
        clock.advance(20)
        ledger.turn()
        assert [(row.hour, row.channel, row.delivered, row.seconds) for row in write(ledger)] == [
            (MONTHS_END - HOUR, "a", 7, 0),
            (MONTHS_END - HOUR, "", 0, 20),
        ]
        clock.advance(5)
        ledger.settle_time()
        assert [(row.hour, row.seconds) for row in write(ledger)] == [(MONTHS_END, 5)]

    def test_a_clock_that_is_set_back_opens_no_closed_hour(self, clock, ledger, holder):
        clock.advance(11)
        ledger.turn()
        clock.set_date(-HOUR)
        assert not ledger.turn()
        ledger.line(holder, "a").published += 1
        assert [row.hour for row in write(ledger)] == [MONTHS_END]
        assert ledger.ends_in == 2 * HOUR - 1

    def test_a_leap_second_opens_no_hour_twice(self, clock, ledger, holder):
        """UNIX time has the last second of the day twice."""
        hours = []
        for step in (9.5, 1.0, -1.0, 0.5, 0.5):
            if step < 0:
                clock.set_date(step)
            else:
                clock.advance(step)
            ledger.turn()
            ledger.line(holder, "a").published += 1
            hours.append(ledger.hour - MONTHS_END)
        assert hours == [-HOUR, 0, 0, 0, 0]
        assert [(row.hour - MONTHS_END, row.published) for row in write(ledger)] == [(-HOUR, 1), (0, 4)]

    def test_hours_that_cannot_be_written_go_when_they_are_too_many(self, clock, holder):
        ledger = Ledger(clock, max_closed=2)
        for channel in "abc":
            ledger.line(holder, channel).published += 1
            clock.advance(HOUR)
            ledger.turn()
        assert [row.channel for row in write(ledger)] == ["b", "c"]
        assert ledger.given_up == 1


class TestWriting:
    def test_a_line_is_written_again_only_when_it_has_changed_since(self, ledger, holder):
        line = ledger.line(holder, "a")
        line.published += 1
        total = line.total
        line.published += 1
        ledger.written(line, total)
        assert [row.published for row in write(ledger)] == [2]
        assert write(ledger) == []

    @pytest.mark.parametrize("count", COUNTS)
    def test_any_count_changes_a_line(self, count):
        line = Line(0, "a", "k", "c")
        setattr(line, count, 2)
        assert line.total == 2
        assert getattr(line.row(), count) == 2

    def test_goes_on_from_what_was_written_in_this_hour(self, ledger, holder):
        ledger.line(holder, "a").published += 1
        hour = ledger.hour
        ledger.restore(
            [
                UsageRow(hour=hour, account="acme", key="k_1", channel="a", **dict.fromkeys(COUNTS, 5)),
                UsageRow(hour=hour, account="acme", key="k_1", channel="b", published=9),
            ]
        )
        assert [(row.channel, row.published, row.seconds) for row in write(ledger)] == [("a", 6, 5)]
        ledger.line(holder, "b").published += 1
        assert [(row.channel, row.published) for row in write(ledger)] == [("b", 10)]

    def test_goes_on_in_the_latest_hour_that_was_written(self, ledger, holder):
        """The clock was set back while nothing ran."""
        ledger.line(holder, "a").published += 1
        hour = ledger.hour
        ledger.restore(
            [
                UsageRow(hour=hour, account="acme", key="k_1", channel="a", published=3),
                UsageRow(hour=hour + HOUR, account="acme", key="k_1", channel="a", published=4),
            ]
        )
        assert [(row.hour, row.published) for row in write(ledger)] == [(hour + HOUR, 5)]

    def test_restores_nothing_where_nothing_was_written(self, ledger):
        ledger.restore([])
        assert (len(ledger), ledger.hour) == (0, MONTHS_END - HOUR)


@given(st.floats(min_value=0, max_value=4e9))
def test_an_hour_begins_at_most_an_hour_before_any_moment_in_it(time):
    assert 0 <= time - hour_of(time) < HOUR
    assert hour_of(time) % HOUR == 0


class TestPlans:
    def test_what_listeners_are_given_is_charged_to_plans_alone(self, clock, ledger, holder):
        ledger.charge(holder, 1, 10)
        ledger.charge(None, 1, 10)
        assert ledger.charged == {}
        holder.account.allowances = Allowances(Plan(), clock)
        ledger.charge(holder, 2, 20)
        assert list(ledger.charged) == [holder.account]
        assert (holder.account.allowances.deliver_day.used, holder.account.allowances.bytes_day.used) == (
            2,
            20,
        )

    def test_a_holder_that_moves_leaves_what_it_used_behind(self, clock, ledger, holder):
        ledger.settlers.append(lambda: setattr(ledger.line(holder, "a"), "delivered", 7))
        ledger.opened(holder)
        clock.advance(2)
        ledger.regroup()
        ledger.settlers.clear()
        holder.move(Account("other"))
        clock.advance(1)
        ledger.settle_time()
        ledger.line(holder, "a").delivered += 1
        assert [(row.account, row.channel, row.delivered, row.seconds) for row in write(ledger)] == [
            ("acme", "a", 7, 0),
            ("acme", "", 0, 2),
            ("other", "", 0, 1),
            ("other", "a", 1, 0),
        ]
