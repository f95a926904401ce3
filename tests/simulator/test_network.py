"""Towns: the grid's streets and turns, building from streets, and the map of them."""

import json
from itertools import pairwise

import numpy as np
import pytest

from simulator.errors import TownError
from simulator.layouts.grid import LEAVING, LEFT, RIGHT, STRAIGHT
from simulator.network import Street, Town
from simulator.simulation import Simulator


def street(id, start, end, **properties):
    return Street(id=id, start=start, end=end, **properties)


PAIR = [street("in", "A", "B"), street("out", "B", "C", length=300.0, speed=10.0)]


def turns_of(town):
    """Street id -> {street id: ratio}."""
    turns = {id: {} for id in town.street_ids}
    for feeder, to, ratio in zip(town.movement_from, town.movement_to, town.ratio, strict=True):
        if feeder < len(town.street_ids):
            turns[town.street_ids[feeder]][town.street_ids[to]] = float(ratio)
    return turns


# --- Grids


@pytest.mark.parametrize(
    ("rows", "columns", "streets", "edge"),
    [(2, 2, 8, 4), (2, 5, 26, 10), (10, 10, 360, 36), (50, 50, 9800, 196)],
)
def test_a_grid_has_two_streets_between_neighbours_and_origins_at_its_edge(rows, columns, streets, edge):
    town = Town.grid(rows, columns)
    assert len(town.street_ids) == len(set(town.street_ids)) == streets
    assert len(town.junction_ids) == rows * columns
    assert len(town.origins) == edge


def test_streets_are_named_after_their_ends():
    town = Town.grid(3, 4)
    assert {"r0c0-r0c1", "r0c1-r0c0", "r2c3-r1c3"} <= set(town.street_ids)
    for id, start, end in zip(town.street_ids, town.start, town.end, strict=True):
        assert id == f"{town.junction_ids[start]}-{town.junction_ids[end]}"


def test_a_grid_lies_on_the_plane_with_row_0_in_the_north():
    town = Town.grid(3, 4, length=200.0)
    place = dict(zip(town.junction_ids, town.positions.tolist(), strict=True))
    assert place["r0c0"] == [0, 400]
    assert place["r2c3"] == [600, 0]
    spans = np.hypot(*(town.positions[town.end] - town.positions[town.start]).T)
    assert (spans == town.length).all()


def test_every_movement_leads_on_from_where_its_feeder_ends():
    town = Town.grid(4, 5)
    at = np.concatenate([town.end, town.origins])
    assert (at[town.movement_from] == town.start[town.movement_to]).all()


def test_ratios_add_up_to_1_inside_and_leave_the_town_at_the_edge():
    town = Town.grid(4, 5)
    sums = np.bincount(town.movement_from, town.ratio)
    streets = len(town.street_ids)
    ends_at_edge = np.isin(town.end, town.origins)
    assert sums[:streets][~ends_at_edge] == pytest.approx(1)
    assert sums[:streets][ends_at_edge] == pytest.approx(1 - LEAVING)
    assert sums[streets:] == pytest.approx(1)
    assert (town.ratio > 0).all()


def test_turning_ratios_are_those_of_straight_right_and_left():
    turns = turns_of(Town.grid(3, 3))
    # Eastwards into the centre: south is on the right, north on the left.
    assert turns["r1c0-r1c1"] == pytest.approx({"r1c1-r1c2": STRAIGHT, "r1c1-r2c1": RIGHT, "r1c1-r0c1": LEFT})
    # Northwards into the northern edge: nothing straight on.
    edge = turns["r1c1-r0c1"]
    assert edge == pytest.approx(
        {
            "r0c1-r0c2": (1 - LEAVING) * RIGHT / (RIGHT + LEFT),
            "r0c1-r0c0": (1 - LEAVING) * LEFT / (RIGHT + LEFT),
        }
    )


@pytest.mark.parametrize(("rows", "columns"), [(2, 2), (2, 6), (4, 3)])
def test_nobody_turns_back_where_there_is_another_way(rows, columns):
    for id, onward in turns_of(Town.grid(rows, columns)).items():
        start, end = id.split("-")
        assert onward
        assert f"{end}-{start}" not in onward


@pytest.mark.parametrize(("rows", "columns"), [(1, 5), (5, 1), (0, 0), (-3, 4), (301, 2), (2, 301)])
def test_grids_too_small_or_too_large_are_refused(rows, columns):
    with pytest.raises(ValueError, match="2 to 300 rows and columns"):
        Town.grid(rows, columns)


# --- From streets


def test_a_town_keeps_the_streets_order_and_properties():
    town = Town.from_streets(PAIR, {"in": {"out": 0.75}}, {"A": {"in": 1.0}}, {"B": (5, 7)})
    assert town.street_ids == ("in", "out")
    assert town.junction_ids == ("A", "B", "C")
    assert town.length.tolist() == [500, 300]
    assert town.storage == pytest.approx([62.5, 37.5])
    assert town.positions.tolist() == [[0, 0], [5, 7], [0, 0]]
    assert turns_of(town) == {"in": {"out": 0.75}, "out": {}}
    # Forward and backward wave meet at capacity.
    assert town.capacity / town.speed + town.capacity / town.wave == pytest.approx([0.125, 0.125])


def test_priorities_default_to_capacity():
    streets = [street("in", "A", "B", capacity=0.4), PAIR[1]]
    town = Town.from_streets(streets, {}, {}, priorities={"out": 3.0})
    assert town.priority.tolist() == [0.4, 3.0]


def test_origins_weigh_as_much_as_the_streets_they_feed():
    streets = [street("in", "A", "B", capacity=0.4), street("side", "A", "C", capacity=0.3), PAIR[1]]
    origins = {"A": {"in": 0.5, "side": 0.5}, "B": {"out": 1.0}}
    assert Town.from_streets(streets, {}, origins).priority[3:] == pytest.approx([0.7, 0.55])
    given = Town.from_streets(streets, {}, origins, origin_priorities={"B": 3.0})
    assert given.priority[3:] == pytest.approx([0.7, 3.0])


REFUSED = {
    "a street id twice": ({"streets": [*PAIR, street("in", "X", "Y")]}, "street ids must differ"),
    "turns of an unknown street": ({"turns": {"off": {"out": 1.0}}}, "unknown street in the turns of off"),
    "turns into an unknown street": ({"turns": {"in": {"off": 1.0}}}, "unknown street in the turns of in"),
    "an origin into an unknown street": ({"origins": {"A": {"off": 1.0}}}, "unknown street"),
    "an origin at an unknown junction": ({"origins": {"Z": {"in": 1.0}}}, "unknown junction Z"),
    "a turn into a street elsewhere": ({"turns": {"out": {"in": 1.0}}}, "in does not begin where out ends"),
    "an origin into a street elsewhere": ({"origins": {"A": {"out": 1.0}}}, "out does not begin"),
    "ratios above 1": ({"turns": {"in": {"out": 1.5}}}, "turning ratios of in"),
    "a negative ratio": ({"turns": {"in": {"out": -0.1}}}, "turning ratios of in"),
    "a ratio that is no number": ({"turns": {"in": {"out": float("nan")}}}, "turning ratios of in"),
    "an origin whose ratios miss 1": ({"origins": {"A": {"in": 0.5}}}, "origin at A"),
    "no length": ({"streets": [street("in", "A", "B", length=0.0)], "turns": {}}, "street in"),
    "a negative speed": ({"streets": [street("in", "A", "B", speed=-1.0)], "turns": {}}, "street in"),
    "no capacity": ({"streets": [street("in", "A", "B", capacity=0.0)], "turns": {}}, "street in"),
    "an endless length": (
        {"streets": [street("in", "A", "B", length=float("inf"))], "turns": {}},
        "street in",
    ),
    "a capacity that no density carries": (
        {"streets": [street("in", "A", "B", capacity=2.0)], "turns": {}},
        "street in",
    ),
    "no priority": ({"priorities": {"in": 0.0}}, "priority of in"),
    "priority of an unknown street": ({"priorities": {"off": 1.0}}, "unknown street off"),
    "a capacity that never lets one through": (
        {"streets": [street("in", "A", "B", capacity=1e-15)], "turns": {}},
        "street in: capacity is 1e-15; it must be from 1e-06 to 1e\\+06 vehicles/s",
    ),
    "a capacity next to nothing": (
        {"streets": [street("in", "A", "B", capacity=1e-320)], "turns": {}},
        "street in: capacity",
    ),
    "a length that is no number": (
        {"streets": [street("in", "A", "B", length=None)], "turns": {}},
        "street in: length is None, not a number",
    ),
    "no lanes": ({"streets": [street("in", "A", "B", lanes=0)], "turns": {}}, "street in: lanes is 0"),
    "a priority next to nothing": ({"priorities": {"in": 1e-320}}, "street in: the priority"),
    "a priority that is no number": ({"priorities": {"in": float("nan")}}, "street in: the priority"),
    "an origin's priority next to nothing": (
        {"origin_priorities": {"A": 1e-320}},
        "origin at A: its priority",
    ),
    "a priority of no origin": ({"origin_priorities": {"B": 1.0}}, "origin at B: a priority, but no such"),
    "a place that is no number": ({"positions": {"A": (float("nan"), 0)}}, "junction A: its position is nan"),
    "a place at no end": ({"positions": {"B": (0, float("inf"))}}, "junction B: its position is inf"),
    "no street at all": ({"streets": [], "turns": {}, "origins": {}}, "at least one street"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_towns_that_make_no_sense_are_refused_with_a_reason(case):
    changes, message = REFUSED[case]
    given = {"streets": PAIR, "turns": {"in": {"out": 1.0}}, "origins": {"A": {"in": 1.0}}, **changes}
    with pytest.raises(TownError, match=message) as refused:
        Town.from_streets(**given)
    assert str(refused.value).split(" ")[0] in ("street", "origin", "junction", "town:", "priority")


def test_a_town_has_the_warnings_of_its_looks():
    assert Town.grid(3, 4).warnings == ()
    town = Town.from_streets(PAIR, {"in": {"out": 0.75}}, {"A": {"in": 1.0}})
    assert town.warnings == ("street out: it has no turns: everybody leaves the town at its end, C",)


def test_a_hand_made_town_runs():
    town = Town.from_streets(PAIR, {"in": {"out": 1.0}}, {"A": {"in": 1.0}})
    simulator = Simulator(town)
    simulator.run(300)
    assert simulator.stats()["left"] > 0


# --- Maps


def test_the_map_lists_the_streets_in_the_order_of_the_samples():
    simulator = Simulator(Town.grid(3, 4, length=200.0), "town")
    described = json.loads(json.dumps(simulator.map()))
    streets = described.pop("streets")
    assert described == {
        "name": "town",
        "units": {
            "n": "vehicles",
            "k": "vehicles/m",
            "v": "% of free speed",
            "green": "1: green",
            "moved": "vehicle-metres",
            "time": "s",
            "points": "m",
            "speed": "m/s",
            "capacity": "vehicles/s",
        },
        "k_jam": 0.125,
        "bounds": [0, 0, 600, 400],
        "rush": {"day": 7200.0, "hours": described["rush"]["hours"]},
    }
    assert [entry["id"] for entry in streets] == list(simulator.town.street_ids)
    assert [entry["id"] for entry in streets] == list(simulator.dump_state("legacy")["state"])
    assert streets[simulator.town.street_ids.index("r0c0-r0c1")] == {
        "id": "r0c0-r0c1",
        "from": "r0c0",
        "to": "r0c1",
        "length_m": 200,
        "k_jam": 0.125,
        "lanes": 1,
        "speed": 13.89,
        "capacity": 0.55,
        "points": [[0, 400], [200, 400]],
    }


def test_the_map_tells_jam_density_and_lanes_of_each_street():
    wide = street("out", "B", "C", length=300.0, capacity=2.2, jam_density=0.5, lanes=4)
    simulator = Simulator(Town.from_streets([PAIR[0], wide], {"in": {"out": 1.0}}, {"A": {"in": 1.0}}))
    described = simulator.map()
    assert described["k_jam"] == 0.5
    assert [(entry["k_jam"], entry["lanes"]) for entry in described["streets"]] == [(0.125, 1), (0.5, 4)]


def test_streets_on_the_map_meet_at_their_junctions():
    town = Town.grid(2, 3)
    place = dict(zip(town.junction_ids, town.positions.tolist(), strict=True))
    for entry in town.describe():
        assert entry["points"] == [place[entry["from"]], place[entry["to"]]]
        assert all(here != there for here, there in pairwise(entry["points"]))
