"""What is counted of another simulator's vehicles, and what ours is given of it."""

import numpy as np
import pytest

from benchmarks.validation.compare import measure
from benchmarks.validation.events import ASKED, ENDED, Events
from benchmarks.validation.replay import replayed, signals_of, town_of
from benchmarks.validation.worlds import Link, Node, World, corridor, grid, sioux_falls, with_exits

NODES = (Node("a", 0, 0), Node("b", 500, 0, (3.0, 2.0)), Node("c", 1000, 0))
LINKS = (Link("ab", "a", "b", 100.0, 10.0), Link("bc", "b", "c", 100.0, 10.0, green=(1,)))


def world(seconds=40, platoon=1.0):
    return World(NODES, LINKS, seconds, 0, platoon=platoon)


def events(*rows, phases=None, **keywords):
    vehicle, time, link = (np.array(column) for column in zip(*rows, strict=True))
    return Events(world(**keywords), vehicle, time, link, phases)


ONE = [(0, 2, ASKED), (0, 4, 0), (0, 15, 1), (0, 25, ENDED)]


def test_a_vehicle_is_counted_in_and_out_and_outside():
    seen = events(*ONE)
    assert np.flatnonzero(np.diff(seen.entered[:, 0])).tolist() == [3]
    assert np.flatnonzero(np.diff(seen.left[:, 0])).tolist() == [14]
    assert np.flatnonzero(np.diff(seen.left[:, 1])).tolist() == [24]
    assert np.flatnonzero(seen.waiting).tolist() == [2, 3]
    assert seen.asked.sum() == seen.asked[2, 0] == 1
    # Two seconds outside, and one at the light.
    assert (seen.outcome().total, seen.outcome().delay) == (23, 3)
    assert seen.outcome().completed == 1


def test_what_happens_after_the_end_does_not_count():
    seen = events(*ONE, (1, 3, ASKED), seconds=20)
    assert seen.completed == 0
    assert seen.left[-1].tolist() == [1, 0]
    # Who never got in is as if it had not asked: nobody knows where to.
    assert seen.asked.sum() == 1


def test_parts_of_vehicles_count_as_parts():
    assert events(*ONE, platoon=0.2).outcome().total == pytest.approx(23 * 0.2)


def test_events_at_the_same_time_stay_in_their_order():
    seen = events((0, 2.0, ASKED), (0, 2.0 - 1e-12, 0), (0, 12.0, ENDED))
    assert not seen.waiting.any()
    assert seen.outcome().total == 10


def test_ratios_are_of_a_time_and_leave_out_who_leaves():
    rows = [*ONE, (1, 2, ASKED), (1, 5, 0), (1, 15, ENDED)]
    turned, began = events(*rows).ratios()
    assert turned == {"ab": {"bc": 0.5}, "bc": {}}
    assert began == {"a": {"ab": 1.0}}
    assert events(*rows).ratios(20.0) == ({"bc": {}}, {})
    assert town_of(events(*rows), every=20).turns.ratios.T.tolist() == [[0.5, 0.5], [1.0, 1.0]]


def test_plans_are_what_the_lights_showed():
    log = np.zeros((40, 3), int)
    # Phases of 4 and 3 s, the first one from 2 s on.
    log[:, 1] = (np.arange(40) - 2) % 7 >= 4
    plans = signals_of(events(*ONE, phases=log))
    for second in range(40):
        assert plans.green(second + 0.5).tolist() == [log[second, 1] == 0, True]
    log[30, 1] = 1 - log[30, 1]
    with pytest.raises(ValueError, match="light of ab is no plan"):
        signals_of(events(*ONE, phases=log))


def test_plans_of_fractions_of_seconds():
    log = np.zeros((80, 3), int)
    log[:, 1] = np.arange(80) % 10 >= 6
    plans = signals_of(events(*ONE, phases=log, platoon=0.5))
    cycle, _, green = plans.plans()
    assert (cycle[0], green[0]) == (5.0, 3.0)


def test_ours_agrees_with_vehicles_that_nobody_holds_up():
    # One in 4 s, for a minute each at the same place.
    rows = []
    for number, start in enumerate(range(1, 240, 4)):
        rows += [
            (number, start, ASKED),
            (number, start, 0),
            (number, start + 10, 1),
            (number, start + 20, ENDED),
        ]
    vehicle, time, link = (np.array(column) for column in zip(*rows, strict=True))
    free = World(tuple(node._replace(phases=()) for node in NODES), LINKS, 300, 0)
    seen = Events(free, vehicle, time, link)
    found = measure(replayed(seen), seen.outcome())
    assert abs(found.total) < 1e-9
    assert abs(found.completed) < 1e-9
    assert replayed(seen).delay == pytest.approx(0, abs=1e-6)


def test_worlds_are_drawn_by_their_seed_and_hang_together():
    for make in (corridor, lambda seed: grid(seed, 3, 50), lambda seed: with_exits(grid(seed, 3, 50))):
        one, same, other = make(1), make(1), make(2)
        assert one == same != other
        names = {node.name for node in one.nodes}
        assert {link.start for link in one.links} | {link.end for link in one.links} <= names
        assert {end for trip in (*one.flows, *one.trips) for end in trip[:2]} <= names
        assert all(start != end for start, end, *_ in (*one.flows, *one.trips))


def test_a_grid_has_streets_both_ways_and_lights_that_go_by_direction():
    town = grid(0, 3, 10)
    assert len(town.links) == 24
    assert {link.green for link in town.links if link.start[:2] == link.end[:2]} == {(0,)}
    assert not any(node.phases for node in grid(0, 3, 10, light=False).nodes)
    assert {end for _, end, _ in grid(0, 3, 10, to="r1c1").trips} == {"r1c1"}


def test_sioux_falls_takes_a_share_of_the_trips():
    town = sioux_falls(0, {("1", "2"): 6.0, ("2", "1"): 6.0}, {("1", "2"): 100.0, ("2", "1"): 30.0}, 0.1)
    assert (len(town.trips), len(town.links)) == (13, 2)
    assert town.links[0].length / town.links[0].speed == pytest.approx(180)
    assert town.links[0].capacity == pytest.approx(1 / (1 + 0.2 * 60 / 3.6) * 0.2 * 60 / 3.6)
