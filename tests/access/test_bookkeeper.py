"""Who writes the ledger: when, what again, and what becomes of it when the store refuses."""

import pytest

from radiod.access.bookkeeper import BATCH, PAGE, Bookkeeper
from radiod.core.access.ledger import HOUR, Ledger
from radiod.core.access.memory import MemoryAccessStore
from radiod.core.access.records import UsageQuery
from radiod.core.holders import Account, Holder
from radiod.core.promises import Promise
from radiod.errors import UNAVAILABLE, Refused
from radiod.testing import FakeClock

START = 1_796_083_200 - 10
"""Ten seconds before 2026-12-01T00:00:00Z."""


class Disk:
    """An ``AccessStore`` for usage that may refuse, or take its time; ``written``: rows, in order."""

    def __init__(self):
        self.kept = MemoryAccessStore(max_usage=10**6)
        self.written = []
        self.refuses = False
        self.is_slow = False
        self.waiting = []
        self.forgotten = []

    def _later(self, act):
        later = Promise()

        def go_on():
            if self.refuses:
                later.settle(Refused(UNAVAILABLE, "the disk is full"))
            else:
                act().then(later.settle)

        if self.is_slow:
            self.waiting.append(go_on)
        else:
            go_on()
        return later

    def go_on(self):
        waiting, self.waiting = self.waiting, []
        for one in waiting:
            one()

    def count(self, rows):
        def write():
            self.written += rows
            return self.kept.count(rows)

        return self._later(write)

    def usage(self, query):
        return self._later(lambda: self.kept.usage(query))

    def forget_usage(self, before):
        self.forgotten.append(before)
        self.kept.forget_usage(before)


class World:
    def __init__(self, disk=None, clock=None, max_closed=100):
        self.clock = clock or FakeClock(epoch=START)
        self.disk = disk or Disk()
        self.ledger = Ledger(self.clock, max_closed=max_closed)
        self.holder = Holder("k", Account("acme"))
        self.told = []
        self.settled = 0
        self.keeper = Bookkeeper(
            self.ledger,
            self.disk,
            self.clock,
            self.clock.timers,
            flush_s=5.0,
            keep_days=400,
            on_settled=self._settled,
            tell=self.told.append,
        )

    def _settled(self):
        self.settled += 1

    def use(self, channel="a", count=1):
        self.ledger.line(self.holder, channel).published += count

    def rows(self, **wanted):
        """What anybody would read in the store now: (hour, published)."""
        outcome = []
        by = ("hour", "channel")
        self.disk.kept.usage(UsageQuery(by=by, **wanted)).then(outcome.append)
        return [(row["hour"] - START, row["channel"], row["published"]) for row in outcome[0][0]]


@pytest.fixture
def world():
    return World()


def outcome_of(promise):
    outcomes = []
    promise.then(outcomes.append)
    return outcomes


def test_writes_what_has_changed_every_few_seconds(world):
    world.keeper.start()
    world.use()
    world.clock.advance(4.9)
    assert world.rows() == []
    world.clock.advance(0.2)
    assert world.rows() == [(10 - HOUR, "a", 1)]
    world.clock.advance(20)
    assert len(world.disk.written) == 1
    assert world.settled >= 20


def test_writes_the_same_hour_again_as_absolute_values(world):
    world.keeper.start()
    world.use()
    world.keeper.flush()
    world.use(count=2)
    world.keeper.flush()
    assert [row.published for row in world.disk.written] == [1, 3]
    assert world.rows() == [(10 - HOUR, "a", 3)]


def test_a_closed_hour_is_closed_as_it_ends(world):
    world.keeper.start()
    world.use()
    world.clock.advance(9.999)
    world.use()
    world.clock.advance(0.002)
    world.use()
    world.keeper.flush()
    assert world.rows() == [(10 - HOUR, "a", 2), (10, "a", 1)]


def test_goes_on_where_the_store_has_come_in_this_hour(world):
    world.keeper.start()
    world.use(count=3)
    world.keeper.stop()
    other = World(world.disk, world.clock)
    other.use()
    other.keeper.start()
    other.use()
    other.keeper.flush()
    assert other.rows() == [(10 - HOUR, "a", 5)]


def test_a_clock_set_back_while_nothing_ran_opens_no_closed_hour(world):
    world.keeper.start()
    world.use()
    world.clock.advance(11)
    world.use()
    world.keeper.stop()
    world.clock.set_date(-HOUR)
    other = World(world.disk, world.clock)
    other.keeper.start()
    other.use()
    other.keeper.flush()
    assert other.rows() == [(10 - HOUR, "a", 1), (10, "a", 2)]


def test_reads_many_lines_before_it_goes_on(world):
    world.keeper.start()
    channels = [f"c{number}" for number in range(PAGE + 1)]
    for channel in channels:
        world.use(channel)
    world.keeper.stop()
    other = World(world.disk, world.clock)
    other.keeper.start()
    for channel in channels:
        other.use(channel)
    other.keeper.flush()
    assert {row.published for row in world.disk.written[-len(channels) :]} == {2}


def test_writes_many_lines_in_parts(world):
    world.keeper.start()
    for number in range(BATCH + 1):
        world.use(f"c{number}")
    done = outcome_of(world.keeper.flush())
    assert done == [None]
    assert len(world.disk.written) == BATCH + 1


class TestRefusals:
    def test_what_the_store_refuses_is_kept_and_tried_again_and_told_once(self, world):
        world.keeper.start()
        world.disk.refuses = True
        world.use()
        world.clock.advance(11)
        world.use()
        world.clock.advance(5)
        assert len(world.told) == 1
        assert "the disk is full" in world.told[0]
        world.disk.refuses = False
        world.clock.advance(5)
        assert world.rows() == [(10 - HOUR, "a", 1), (10, "a", 1)]
        assert world.told[1:] == ["usage is written again"]

    def test_who_asks_is_told_that_it_is_not_written(self, world):
        world.keeper.start()
        world.disk.refuses = True
        world.use()
        (refusal,) = outcome_of(world.keeper.usage(UsageQuery()))
        assert refusal.uri == UNAVAILABLE

    def test_nothing_is_written_before_the_store_could_be_read(self, world):
        world.keeper.start()
        world.use(count=3)
        world.keeper.stop()
        world.disk.refuses = True
        other = World(world.disk, world.clock)
        other.keeper.start()
        other.use()
        world.disk.refuses = False
        other.clock.advance(5)
        assert other.rows() == [(10 - HOUR, "a", 4)]

    def test_hours_that_went_unwritten_are_told(self):
        world = World(max_closed=1)
        world.keeper.start()
        world.disk.refuses = True
        for channel in "abc":
            world.use(channel)
            world.clock.advance(HOUR)
        assert world.told[1:] == ["rows of closed hours that were never written: 1"] * 2
        world.disk.refuses = False
        world.clock.advance(5)
        assert [channel for _, channel, _ in world.rows()] == ["c"]


class TestSlowStore:
    def test_what_is_counted_while_it_writes_is_written_next(self, world):
        world.keeper.start()
        world.disk.is_slow = True
        world.use()
        first = outcome_of(world.keeper.flush())
        world.use()
        second = outcome_of(world.keeper.flush())
        world.disk.go_on()
        assert (first, second) == ([None], [])
        world.disk.go_on()
        assert second == [None]
        assert [row.published for row in world.disk.written] == [1, 2]

    def test_an_hour_ends_only_when_the_one_before_is_known(self):
        disk = Disk()
        disk.is_slow = True
        world = World(disk)
        world.keeper.start()
        world.use()
        world.clock.advance(11)
        assert world.ledger.hour == START + 10 - HOUR
        disk.is_slow = False
        disk.go_on()
        world.clock.advance(1)
        world.use()
        world.keeper.flush()
        assert world.rows() == [(10 - HOUR, "a", 1), (10, "a", 1)]


def test_lets_go_what_is_too_old(world):
    world.keeper.start()
    assert world.disk.forgotten == [world.ledger.hour - 400 * 86_400]
    world.clock.advance(11)
    assert world.disk.forgotten[1:] == [world.ledger.hour - 400 * 86_400]


def test_tells_what_an_account_has_used_today_and_this_month(world):
    world.clock.set_date(-86_400)
    world.ledger.hour -= 86_400
    world.keeper.start()
    world.use(count=2)
    world.clock.advance(86_400 - 20)
    world.use("b", count=3)
    assert outcome_of(world.keeper.used("acme")) == [((3, 0, 0), (5, 0, 0))]
    assert outcome_of(world.keeper.used("nobody")) == [((0, 0, 0), (0, 0, 0))]


def test_before_the_start_it_tells_what_was_used_before(world):
    world.keeper.start()
    world.use(count=2)
    world.keeper.stop()
    other = World(world.disk, world.clock)
    other.use(count=5)
    assert outcome_of(other.keeper.used("acme")) == [((2, 0, 0), (2, 0, 0))]
    world.disk.refuses = True
    ((refusal),) = outcome_of(other.keeper.used("acme"))
    assert refusal.uri == UNAVAILABLE


def test_nothing_is_written_before_those_who_asked_at_the_start_know_what_was_used_before(world):
    world.keeper.start()
    world.use(count=2)
    world.keeper.stop()
    other = World(world.disk, world.clock)
    other.use(count=5)
    before = len(world.disk.written)
    world.disk.is_slow = True
    first = other.keeper.used("acme")
    other.keeper.start()
    second = other.keeper.used("acme")
    answers = []
    first.then(answers.append)
    second.then(answers.append)
    while len(answers) < 2:
        assert len(world.disk.written) == before
        world.disk.go_on()
    assert answers == [((2, 0, 0), (2, 0, 0))] * 2
    while world.disk.waiting:
        world.disk.go_on()
    assert world.disk.written[-1].published == 7
