"""Who turns where for want of anything better, and how much a town can take."""

import pytest

from simulator import Simulator, Town
from simulator.draft import Draft
from simulator.street import Street
from simulator.turning import add_origins, add_turns

PLACES = {"W": (-500.0, 0.0), "M": (0.0, 0.0), "E": (500.0, 0.0), "N": (0.0, 500.0), "S": (0.0, -500.0)}


def draft(*pairs, places=PLACES, **properties):
    streets = [Street(id=f"{a}{b}", start=a, end=b, **properties) for a, b in pairs]
    return Draft(streets=streets, positions=dict(places))


def test_most_go_straight_and_more_turn_right_than_left():
    town = draft("WM", "ME", "MN", "MS", "MW")
    add_turns(town)
    assert set(town.turns["WM"]) == {"ME", "MN", "MS"}
    assert town.turns["WM"]["ME"] > 3 * town.turns["WM"]["MS"]
    assert town.turns["WM"]["MS"] / town.turns["WM"]["MN"] == pytest.approx(4 / 3)


def test_wide_streets_take_more():
    town = draft("WM", "ME", "MN")
    town.streets[2] = Street(id="MN", start="M", end="N", capacity=5.5, jam_density=1.25)
    add_turns(town)
    assert town.turns["WM"]["MN"] > town.turns["WM"]["ME"]


def test_back_only_where_nothing_else_leads_on():
    town = draft("WM", "MW")
    add_turns(town)
    assert set(town.turns["WM"]) == {"MW"}
    assert town.turns["WM"]["MW"] == 0.5


def test_where_nothing_leads_on_everybody_leaves():
    town = draft("WM", "ME")
    add_turns(town)
    assert town.turns["ME"] == {}


def test_more_leave_on_long_streets_and_at_exits():
    short, long, ending = draft("WM", "ME"), draft("WM", "ME", length=2000.0), draft("WM", "ME")
    add_turns(short)
    add_turns(long)
    add_turns(ending, exits={"M"})
    assert short.turns["WM"]["ME"] == pytest.approx(0.819, abs=1e-3)
    assert long.turns["WM"]["ME"] == pytest.approx(0.449, abs=1e-3)
    assert ending.turns["WM"]["ME"] == pytest.approx(0.7 * 0.819, abs=1e-3)


def test_turns_that_are_known_stay():
    town = draft("WM", "ME", "MN")
    town.turns["WM"] = {"MN": 1.0}
    add_turns(town)
    assert town.turns["WM"] == {"MN": 1.0}


def test_without_places_all_turns_are_alike():
    town = draft("WM", "ME", "MN", places={})
    add_turns(town)
    assert town.turns["WM"]["ME"] == town.turns["WM"]["MN"]


def test_shapes_tell_the_angle():
    town = draft("WM", "ME", "MS")
    town.shapes["WM"] = [(-500.0, 0.0), (0.0, 300.0), (0.0, 0.0)]
    add_turns(town)
    assert town.turns["WM"]["MS"] > 3 * town.turns["WM"]["ME"]


@pytest.mark.parametrize("chosen", [None, {"nowhere"}])
def test_vehicles_start_where_a_street_begins(chosen):
    town = draft("WM", "ME", "MN")
    add_turns(town)
    add_origins(town, chosen)
    assert town.origins == {"W": {"WM": 1.0}, "M": {"ME": 0.5, "MN": 0.5}}
    town.origins = {}
    add_origins(town, {"W"})
    assert town.origins == {"W": {"WM": 1.0}}


def test_the_inflow_is_what_the_busiest_street_carries():
    town = draft("WM", "ME")
    add_turns(town)
    add_origins(town, {"W"})
    assert town.inflow == pytest.approx([0.55], rel=0.02)
    built = Town.from_draft(town)
    simulator = Simulator(built, seed=1)
    simulator.run(3600)
    assert 0.3 * 0.55 * 3600 < simulator.stats()["entered"] < 0.9 * 0.55 * 3600


def test_fewer_turn_into_the_busiest_street():
    town = draft("WM", "ME", "MN", *((f"P{at}", f"Q{at}") for at in range(20)))
    town.streets[1] = Street(id="ME", start="M", end="E", capacity=0.05, jam_density=0.125)
    town.turns["WM"] = {"ME": 0.5, "MN": 0.4}
    add_turns(town)
    add_origins(town, {"W", *(f"P{at}" for at in range(20))})
    assert town.turns["WM"]["ME"] < 0.2
    assert sum(town.turns["WM"].values()) == pytest.approx(0.9)
