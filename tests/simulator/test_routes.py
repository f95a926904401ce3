"""Trips on shortest and on all good paths: flows, turns, closed zones, trips without a way."""

import itertools
import math

import numpy as np
import pytest

from simulator.routes import Arc, load


def arc(start, end, time=10.0, capacity=1.0, street=True):
    return Arc(start, end, time, capacity, f"{start}{end}" if street else None)


def test_all_take_the_shortest_path_while_there_is_room():
    loaded = load([arc("A", "B"), arc("B", "C"), arc("A", "C", 30.0)], {"A": {"C": 0.1}}, set())
    assert dict(loaded.turn) == {("AB", "BC"): pytest.approx(0.1)}
    assert dict(loaded.first) == {("A", "AB"): pytest.approx(0.1)}
    assert dict(loaded.last) == {"BC": pytest.approx(0.1)}
    assert loaded.turns() == {"AB": {"BC": pytest.approx(1.0)}, "BC": {}}


def test_paths_change_as_streets_fill():
    loaded = load([arc("A", "B"), arc("B", "C"), arc("A", "C", 25.0)], {"A": {"C": 4.0}}, set())
    assert loaded.last["BC"] + loaded.last["AC"] == pytest.approx(4.0)
    assert min(loaded.last["BC"], loaded.last["AC"]) > 0.3


def test_those_who_arrive_do_not_turn():
    loaded = load([arc("A", "B"), arc("B", "C")], {"A": {"B": 3.0, "C": 1.0}}, set())
    assert loaded.turns()["AB"] == {"BC": pytest.approx(0.25)}


def test_connectors_are_no_streets():
    arcs = [arc("Z", "A", 0.0, street=False), arc("A", "B"), arc("B", "Y", 0.0, street=False)]
    loaded = load(arcs, {"Z": {"Y": 1.0}}, {"Z", "Y"})
    assert dict(loaded.first) == {("Z", "AB"): pytest.approx(1.0)}
    assert dict(loaded.last) == {"AB": pytest.approx(1.0)}


def test_nobody_drives_through_a_closed_node():
    arcs = [arc("A", "Z", 1.0), arc("Z", "B", 1.0), arc("A", "B", 50.0)]
    assert set(load(arcs, {"A": {"B": 1.0}}, {"Z"}).last) == {"AB"}


def test_trips_without_a_way_are_lost():
    arcs = [arc("A", "B"), arc("B", "C", street=False)]
    trips = {"A": {"A": 1.0, "X": 2.0, "B": 0.0}, "B": {"A": 3.0, "C": 4.0}, "Y": {"A": 5.0, "B": 0.0}}
    loaded = load(arcs, trips, set())
    assert loaded.lost == {("A", "A"): 1, ("A", "X"): 2, ("B", "A"): 3, ("B", "C"): 4, ("Y", "A"): 5}
    assert not loaded.last


# --- All good paths


def test_of_two_paths_the_logit_model_s_shares_are_taken():
    arcs = [arc("A", "B", 10.0, 1e9), arc("B", "C", 10.0, 1e9), arc("A", "C", 26.0, 1e9)]
    loaded = load(arcs, {"A": {"C": 1.0}}, spread=6.0)
    assert loaded.last["AC"] == pytest.approx(1 / (1 + math.e))
    assert loaded.turn["AB", "BC"] == pytest.approx(math.e / (1 + math.e))
    assert loaded.first["A", "AC"] == pytest.approx(loaded.last["AC"])


def test_shares_are_those_of_all_paths_listed_one_by_one():
    # A grid of 4 x 4 with times of its own; every path leads to the right or down.
    random = np.random.default_rng(1)
    arcs, spread = [], 5.0
    for row, column in itertools.product(range(4), repeat=2):
        for there in ((row, column + 1), (row + 1, column)):
            if max(there) < 4:
                start, end = f"{row}{column}", f"{there[0]}{there[1]}"
                arcs.append(Arc(start, end, 10 + random.uniform(0, 2), 1e9, f"{start}-{end}"))
    time = {arc.street: arc.time for arc in arcs}
    weights = {}
    for steps in set(itertools.permutations("rrrddd")):
        places = list(itertools.accumulate(steps, walk, initial=(0, 0)))
        ids = [f"{a[0]}{a[1]}-{b[0]}{b[1]}" for a, b in itertools.pairwise(places)]
        weights[tuple(ids)] = math.exp(-sum(time[id] for id in ids) / spread)
    loaded = load(arcs, {"00": {"33": 1.0}}, spread=spread)
    total = sum(weights.values())
    for (one, other), flow in loaded.turn.items():
        expected = sum(w for ids, w in weights.items() if (one, other) in itertools.pairwise(ids)) / total
        assert flow == pytest.approx(expected, rel=0.02)
    assert sum(loaded.first.values()) == pytest.approx(1)
    assert sum(loaded.last.values()) == pytest.approx(1)


def walk(place, step):
    return (place[0], place[1] + 1) if step == "r" else (place[0] + 1, place[1])


def test_a_narrow_spread_is_the_shortest_path():
    arcs = [arc("A", "B"), arc("B", "C"), arc("A", "C", 21.0)]
    trips = {"A": {"C": 0.01}}
    assert load(arcs, trips, spread=0.01).turns() == load(arcs, trips).turns()


def test_more_ways_than_any_number_says():
    # 1,100 times one of two ways: 2 to the 1,100 of them.
    arcs = [Arc(f"{n}", f"{n + 1}", 10.0, 1e9, f"{n}{way}") for n in range(1100) for way in "ab"]
    loaded = load(arcs, {"0": {"1100": 1.0}}, spread=1.0)
    assert loaded.last == pytest.approx({"1099a": 0.5, "1099b": 0.5})


def test_connectors_and_closed_zones_with_all_good_paths():
    arcs = [
        *(arc("Z", "A", 0.0, street=False), arc("Z", "B", 0.0, street=False)),
        *(arc("A", "C", 10.0, 1e9), arc("B", "C", 10.0, 1e9), arc("C", "Y", 0.0, street=False)),
        *(arc("C", "X", 0.0, street=False), arc("X", "D", 0.0, street=False), arc("C", "D", 99.0, 1e9)),
    ]
    loaded = load(arcs, {"Z": {"Y": 1.0, "D": 2.0}}, {"X", "Y", "Z"}, spread=5.0)
    assert loaded.first == pytest.approx({("Z", "AC"): 1.5, ("Z", "BC"): 1.5})
    assert loaded.turn == pytest.approx({("AC", "CD"): 1.0, ("BC", "CD"): 1.0})
    assert loaded.last == pytest.approx({"AC": 0.5, "BC": 0.5, "CD": 2.0})


def test_flows_add_up():
    arcs = [arc("A", "B"), arc("B", "C")]
    both = load(arcs, {"A": {"C": 1.0, "X": 3.0}})
    both.add(load(arcs, {"A": {"B": 1.0, "X": 2.0}}))
    assert both.turns()["AB"] == {"BC": pytest.approx(0.5)}
    assert (both.first["A", "AB"], both.lost["A", "X"]) == (pytest.approx(2.0), 5.0)
