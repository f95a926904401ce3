"""Closed and narrowed streets: nobody in, everybody out, others turned elsewhere, and nothing lost."""

import json

import numpy as np
import pytest

from simulator import Simulator, Town
from simulator.demand import Demand
from simulator.errors import TownError
from simulator.incidents import Incidents
from simulator.network import Street
from simulator.signals import Signals
from simulator.timeline import MAX_PIECES

CAPACITY = 0.55
NAN, INF = float("nan"), float("inf")


def line():
    """Streets a, b, c one after the other."""
    streets = [Street(id=id, start=id, end=then) for id, then in ("ab", "bc", "cd")]
    return Town.from_streets(streets, {"a": {"b": 1.0}, "b": {"c": 1.0}}, {"a": {"a": 1.0}})


def fork():
    """Street a into b, c and out of town; b and c into e."""
    streets = [
        Street(id="a", start="A", end="M"),
        Street(id="b", start="M", end="N"),
        Street(id="c", start="M", end="N"),
        Street(id="e", start="N", end="E"),
    ]
    turns = {"a": {"b": 0.5, "c": 0.25}, "b": {"e": 1.0}, "c": {"e": 1.0}}
    return Town.from_streets(streets, turns, {"A": {"a": 1.0}})


def running(town, rate, dt=1.0):
    demand = Demand.constant(np.full(len(town.origins), rate))
    return Simulator(town, dt=dt, step=dt, signals=Signals.none(town), demand=demand)


class Counts:
    """What went in and out of a street since."""

    def __init__(self, simulator):
        self._simulator = simulator
        self._entered, self._left = self._now()

    def _now(self):
        engine = self._simulator.engine
        return engine.entered.copy(), engine.left.copy()

    def entered(self, id):
        return float((self._now()[0] - self._entered)[self._simulator.town.street_ids.index(id)])

    def left(self, id):
        return float((self._now()[1] - self._left)[self._simulator.town.street_ids.index(id)])


def vehicles(simulator, id):
    return float(simulator.engine.vehicles[simulator.town.street_ids.index(id)])


def test_nobody_enters_a_closed_street_and_who_is_on_it_leaves():
    simulator = running(line(), 0.3)
    simulator.run(300)
    assert vehicles(simulator, "b") > 10
    simulator.close_street("b")
    counts = Counts(simulator)
    simulator.run(100)
    assert counts.entered("b") == 0
    assert vehicles(simulator, "b") == pytest.approx(0, abs=1e-9)
    assert counts.left("b") > 10
    assert counts.entered("c") == pytest.approx(counts.left("b"))


def test_the_queue_before_a_closed_street_spills_back_to_the_origin_and_is_not_lost():
    simulator = running(line(), 0.3)
    simulator.close_street("b")
    simulator.run(600)
    assert vehicles(simulator, "a") == pytest.approx(500 * 0.125)
    stats = simulator.stats()
    assert stats["waiting"] == pytest.approx(0.3 * 600 - 500 * 0.125)
    assert stats["inside"] + stats["waiting"] == pytest.approx(0.3 * 600)


def test_a_street_opens_again_at_its_time():
    simulator = running(line(), 0.3)
    simulator.close_street("b", 100, 200.5)
    simulator.run(100)
    counts = Counts(simulator)
    simulator.run(100)
    assert counts.entered("b") == 0
    simulator.run(100)
    # The queue leaves with all that the street takes: from the time itself on.
    assert counts.entered("b") == pytest.approx(CAPACITY * 99.5, rel=1e-9)
    assert simulator.incidents.dump() == {"open": {}, "through": {}, "share": {}}


def test_who_would_have_turned_into_it_turns_elsewhere_in_the_ratios_of_what_is_left():
    simulator = running(fork(), 0.2)
    simulator.run(300)
    simulator.close_street("b")
    counts = Counts(simulator)
    simulator.run(200)
    assert counts.entered("b") == 0
    assert counts.entered("c") == pytest.approx(0.2 * 200 * 0.75)
    assert counts.left("a") - counts.entered("c") == pytest.approx(0.2 * 200 * 0.25)
    simulator.open_street("b")
    assert simulator.engine.ratio is not simulator.town.ratio
    counts = Counts(simulator)
    simulator.run(200)
    assert counts.entered("b") == pytest.approx(0.2 * 200 * 0.5)
    assert counts.entered("c") == pytest.approx(0.2 * 200 * 0.25)
    assert simulator.engine.ratio is simulator.town.ratio


def test_without_a_detour_they_wait_and_hold_up_the_others():
    simulator = running(fork(), 0.2)
    simulator.run(300)
    simulator.close_street("b", detour=False)
    counts = Counts(simulator)
    simulator.run(200)
    assert counts.left("a") == counts.entered("b") == counts.entered("c") == 0


def test_where_all_ways_are_closed_they_wait():
    simulator = running(fork(), 0.2)
    for id in "bc":
        simulator.close_street(id)
    simulator.run(300)
    assert simulator.engine.left[0] == 0
    assert simulator.incidents.closed(simulator.time) == ["b", "c"]


def test_origins_feed_what_is_open():
    streets = [Street(id="a", start="A", end="M"), Street(id="b", start="A", end="N")]
    town = Town.from_streets(streets, {}, {"A": {"a": 0.5, "b": 0.5}})
    simulator = running(town, 0.2)
    simulator.close_street("a")
    simulator.run(100)
    assert simulator.engine.entered.tolist() == pytest.approx([0, 20])


@pytest.mark.parametrize("dt", [1.0, 4.0, 5.0, 20.0])
@pytest.mark.parametrize(
    ("share", "begin", "end"), [(0.5, 300.0, 900.0), (0.3, 303.3, 777.7), (0.0, 310.0, 410.5)]
)
def test_a_narrowed_street_lets_through_its_share_whatever_the_step(dt, share, begin, end):
    simulator = running(line(), 0.54, dt)
    # Full, and behind it a queue that lasts.
    simulator.close_street("b", 0, 200)
    simulator.set_capacity("b", share, begin, end)
    simulator.run(300)
    counts = Counts(simulator)
    simulator.run(700)
    expected = CAPACITY * (700 - (end - begin) * (1 - share))
    assert counts.entered("b") == pytest.approx(expected, rel=0.001)


def test_with_a_share_of_nothing_who_is_inside_waits():
    simulator = running(line(), 0.3)
    simulator.run(300)
    inside = vehicles(simulator, "b")
    simulator.set_capacity("b", 0)
    simulator.run(300)
    assert vehicles(simulator, "b") == inside
    assert simulator.incidents.narrowed(simulator.time) == {"b": 0.0}


def test_what_is_said_later_holds():
    simulator = running(line(), 0.54)
    simulator.set_capacity("b", 0.1)
    simulator.set_capacity("b", 1, 100, 200)
    assert [simulator.incidents.narrowed(time) for time in (99, 100, 200)] == [{"b": 0.1}, {}, {"b": 0.1}]
    simulator.close_street("b", 0, 500)
    simulator.open_street("b", 50, 60)
    assert [simulator.incidents.closed(time) for time in (49, 50, 60, 500)] == [["b"], [], ["b"], []]


def test_samples_tell_what_is_closed_and_narrowed_then():
    simulator = running(fork(), 0.2)
    assert simulator.incidents.told(0.0) == {}
    simulator.close_street("c", 50, 60)
    simulator.close_street("b", 55)
    simulator.set_capacity("b", 0)
    simulator.set_capacity("a", 1 / 3, 58)
    assert simulator.incidents.told(49.0) == {"narrowed": [[1, 0.0]]}
    assert simulator.incidents.told(50.0) == {"closed": [2], "narrowed": [[1, 0.0]]}
    assert simulator.incidents.told(59.0) == {"closed": [1, 2], "narrowed": [[0, 0.333], [1, 0.0]]}
    simulator.run(60)
    sample = simulator.dump_state()
    assert (sample["closed"], sample["narrowed"]) == ([1], [[0, 0.333], [1, 0.0]])


def test_where_nothing_is_closed_nothing_is_done_and_no_bit_changes():
    plain, told = (running(Town.grid(3, 3), 0.1) for _ in range(2))
    assert not plain.incidents.is_due(0.0, 1.0, plain.town.ratio)
    told.close_street("r0c0-r0c1", 1000, 2000)
    told.set_capacity("r0c0-r0c1", 0.5, 1000, 2000)
    for simulator in (plain, told):
        simulator.run(100)
    assert (plain.engine.entered == told.engine.entered).all()
    assert not told.incidents.is_due(told.time, 1.0, told.town.ratio)
    assert told.incidents.is_due(999.5, 1.0, told.town.ratio)


def test_ratios_that_change_by_themselves_are_led_past_closed_streets():
    town = fork()
    simulator = running(town, 0.2)
    simulator.close_street("b")
    base = town.ratio * np.where(town.movement_from == 0, 0.5, 1.0)
    simulator.operate(1.0, base)
    assert simulator.engine.ratio[:2].tolist() == [0, 0.375]
    assert simulator.incidents.is_due(0.0, 1.0, town.ratio)


@pytest.mark.parametrize("closes", [False, True])
def test_what_was_said_is_kept(closes):
    first, second = (running(fork(), 0.3) for _ in range(2))
    first.set_capacity("e", 0.25, 50, 80)
    if closes:
        first.close_street("b", 10, None)
        first.close_street("c", 10, 20, detour=False)
    first.run(15)
    dumped = json.loads(json.dumps(first.incidents.dump()))
    second.engine.restore(first.engine.state())
    second.incidents.restore(dumped)
    second._ticks = first._ticks
    for simulator in (first, second):
        simulator.run(100)
    assert (first.engine.entered == second.engine.entered).all()
    assert (first.engine.left == second.engine.left).all()


LINES = [[], [[2.0]], [[float("nan")]], [[1.0], [5.0, 0.0], [4.0, 1.0]], [[1.0], [INF, 0.0]], [["a"]], 3]


@pytest.mark.parametrize(
    "dumped",
    [
        *({}, [], None, {"open": {"x": [[1.0]]}, "through": {}, "share": {}}),
        *({"open": {}, "through": {}, "share": {"a": line}} for line in LINES),
    ],
)
def test_what_is_no_dump_is_refused(dumped):
    with pytest.raises(TownError, match=r"^incidents: not those of this town"):
        Incidents(fork()).restore(dumped)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("x",), "street x: there is none of that name"),
        ((None,), "street None: there is none"),
        ((["a"],), r"street \['a'\]: there is none"),
        (("a", NAN), "street a: begin is nan"),
        (("a", INF), "street a: begin is inf"),
        (("a", "now"), "street a: begin is 'now', not a number"),
        (("a", 10, 10), "street a: it would begin at 10 s, not before its end, 10 s"),
        (("a", 10, 5), "street a: it would begin at 10 s"),
        (("a", None, NAN), "street a: end is nan"),
        (("a", 10, []), r"street a: end is \[\], not a number"),
        (("a", 0, 50), "street a: it would end at 50 s; it is 100 s already"),
    ],
)
def test_times_and_streets_that_cannot_be_are_refused(arguments, text):
    simulator = running(line(), 0.1)
    simulator.run(100)
    for act in (simulator.close_street, simulator.open_street):
        with pytest.raises(TownError, match=f"^{text}"):
            act(*arguments)
    with pytest.raises(TownError, match=f"^{text}"):
        simulator.set_capacity(arguments[0], 0.5, *arguments[1:])


@pytest.mark.parametrize("share", [-0.1, 1.01, NAN, INF, "half", None, 10**400])
def test_shares_that_cannot_be_are_refused(share):
    with pytest.raises(TownError, match=r"^street a: share of its capacity is "):
        running(line(), 0.1).set_capacity("a", share)


def test_changes_ahead_are_bounded():
    simulator = running(line(), 0.1)

    def close_many():
        for begin in range(10, 10 + MAX_PIECES):
            simulator.close_street("a", begin, begin + 0.5)

    with pytest.raises(TownError, match=r"^street a: more than 1000 changes ahead"):
        close_many()
