"""Suspects wait in line, whatever they show; nobody else does, and the table is bounded."""

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from radiod.core.budgets.guesses import FREE, GAP, MAX_WAITING, WAIT, WINDOW, Guesses
from radiod.core.statistics import REFUSALS
from radiod.errors import QUOTA, Refused
from radiod.testing import FakeClock

HERE, THERE = "192.0.2.1", "192.0.2.2"


class World:
    def __init__(self, **limits):
        self.clock = FakeClock()
        self.refused = dict.fromkeys(REFUSALS, 0)
        self.complaints = []
        self.guesses = Guesses(self.clock, self.clock.timers, self.refused, self.complaints.append, **limits)

    def fail(self, times=FREE, network=HERE):
        for _ in range(times):
            self.guesses.wrong(network)

    def line_up(self, network=HERE):
        """A turn, and where its outcome appears."""
        turn = self.guesses.turn(network)
        outcomes = []
        turn.then(outcomes.append)
        return turn, outcomes


@pytest.fixture
def world():
    return World()


def test_a_few_failures_cost_nothing(world):
    world.fail(FREE - 1)
    assert world.guesses.turn(HERE) is None
    assert world.complaints == []


def test_after_some_failures_everything_from_there_waits_and_nothing_from_elsewhere(world):
    world.fail()
    _, outcomes = world.line_up()
    assert world.guesses.turn(THERE) is None
    assert world.guesses.turn(None) is None
    world.clock.advance(WAIT - 0.01)
    assert outcomes == []
    world.clock.advance(0.01)
    assert outcomes == [None]
    assert world.complaints == [HERE]
    assert world.refused["wrong_keys"] == FREE


def test_failures_are_forgotten_with_time(world):
    world.fail(1000)
    world.clock.advance(WINDOW)
    assert world.guesses.turn(HERE) is not None
    world.clock.advance(WINDOW / FREE + WAIT)
    assert world.guesses.turn(HERE) is None
    world.fail(FREE)
    assert len(world.complaints) == 2


def test_they_are_looked_at_one_by_one_in_the_order_of_coming(world):
    world.fail()
    seen = []
    for number in range(MAX_WAITING):
        world.guesses.turn(HERE).then(lambda _, number=number: seen.append((number, world.clock.seconds())))
    world.clock.advance(WAIT + MAX_WAITING * GAP)
    assert [number for number, _ in seen] == list(range(MAX_WAITING))
    assert all(later - sooner >= GAP - 1e-9 for (_, sooner), (_, later) in pairwise(seen))
    assert seen[-1][1] - seen[0][1] < 7


def test_above_a_number_they_are_refused_unseen(world):
    world.fail()
    for _ in range(MAX_WAITING):
        world.guesses.turn(HERE)
    with pytest.raises(Refused) as refused:
        world.guesses.turn(HERE)
    assert refused.value.uri == QUOTA
    assert world.refused["waiting_keys"] == 1


def test_who_hangs_up_gives_the_place_to_those_behind(world):
    """Or a guesser that never waits would keep everybody else out."""
    world.fail()
    turns = [world.line_up() for _ in range(MAX_WAITING)]
    for turn, _ in turns:
        turn.leave()
    _, outcomes = world.line_up()
    world.clock.advance(WAIT + GAP)
    assert outcomes == [None]
    assert all(seen == [] for _, seen in turns)
    turns[0][0].leave()


def test_who_takes_its_turn_may_line_up_again_at_once(world):
    world.fail()
    again = []
    world.guesses.turn(HERE).then(lambda _: again.append(world.line_up()))
    world.clock.advance(WAIT)
    world.clock.advance(WAIT)
    assert [outcomes for _, outcomes in again] == [[None]]


def test_nothing_waits_when_everybody_has_left_the_line(world):
    world.fail()
    turn, _ = world.line_up()
    turn.leave()
    world.clock.advance(WAIT)
    assert len(world.clock.timers) == 0


def test_the_table_forgets_who_failed_longest_ago_and_refuses_those_in_its_line():
    world = World(max_networks=2)
    world.fail(network=HERE)
    world.fail(network=THERE)
    _, outcomes = world.line_up(HERE)
    world.fail(1, "192.0.2.3")
    assert len(world.guesses.networks) == 2
    assert [outcome.uri for outcome in outcomes] == [QUOTA]
    assert world.guesses.turn(HERE) is None
    world.fail(1, "192.0.2.4")
    assert world.guesses.turn(THERE) is None
    assert len(world.clock.timers) == 0


def test_those_who_are_refused_for_room_may_leave_at_once():
    """As connections do, which end for it."""
    world = World(max_networks=1)
    world.fail()
    outcomes = []
    for _ in range(3):
        turn = world.guesses.turn(HERE)
        turn.then(lambda outcome, turn=turn: (outcomes.append(outcome), turn.leave()))
    world.fail(1, THERE)
    assert [outcome.uri for outcome in outcomes] == [QUOTA] * 3


def test_one_whose_turn_fails_keeps_no_other_from_its_own(world):
    world.fail()
    world.guesses.turn(HERE).then(lambda outcome: 1 // 0)
    _, outcomes = world.line_up()
    with suppress(ZeroDivisionError):
        world.clock.advance(WAIT)
    world.clock.advance(GAP)
    assert outcomes == [None]


def test_failures_from_nowhere_are_counted_only(world):
    world.fail(100, None)
    assert len(world.guesses.networks) == 0
    assert world.refused["wrong_keys"] == 100


class Line(RuleBasedStateMachine):
    """Random failures, waiters and time: each waiter is served once, in order, and never too fast."""

    networks = st.sampled_from(["a", "b"])

    def __init__(self):
        super().__init__()
        self.world = World()
        self.waiting = {"a": [], "b": []}
        self.served = {"a": [], "b": []}

    @rule(network=networks, times=st.integers(1, 2 * FREE))
    def fail(self, network, times):
        self.world.fail(times, network)

    @rule(network=networks)
    def line_up(self, network):
        turn = self.world.guesses.turn(network)
        if turn is None:
            assert not self.waiting[network]
            return
        entry = (turn, self.world.clock.seconds())
        self.waiting[network].append(entry)

        def served(outcome):
            assert outcome is None
            assert self.waiting[network].pop(0) is entry
            self.served[network].append(self.world.clock.seconds())
            assert self.world.clock.seconds() - entry[1] >= WAIT - 1e-9

        turn.then(served)

    @precondition(lambda self: any(self.waiting.values()))
    @rule(data=st.data())
    def leave(self, data):
        network = data.draw(st.sampled_from([name for name, line in self.waiting.items() if line]))
        index = data.draw(st.integers(0, len(self.waiting[network]) - 1))
        self.waiting[network].pop(index)[0].leave()

    @rule(seconds=st.sampled_from([GAP / 2, GAP, WAIT, 5, WINDOW]))
    def advance(self, seconds):
        self.world.clock.advance(seconds)

    @invariant()
    def nobody_is_served_too_fast_or_forgotten(self):
        for network, times in self.served.items():
            assert all(b - a >= GAP - 1e-9 for a, b in pairwise(times))
            for place, (_, since) in enumerate(self.waiting[network]):
                assert self.world.clock.seconds() - since < WAIT + (place + 1) * GAP + 10 * GAP

    def teardown(self):
        self.world.clock.advance(WAIT + 100 * GAP)
        assert not any(self.waiting.values())


Line.TestCase.settings = settings(max_examples=50, stateful_step_count=40)
TestLine = Line.TestCase
