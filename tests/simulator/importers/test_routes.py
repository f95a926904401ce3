"""Trips on shortest paths: flows, turns, zones that are closed, and trips that have no way."""

import pytest

from simulator.importers.routes import Arc, load


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
