"""Rings of full streets: which they are, and that the log has them once."""

import logging

import numpy as np
import pytest

from simulator import Simulator, Town
from simulator.demand import Demand
from simulator.gridlock import gridlocked
from simulator.network import Street
from simulator.signals import Signals


def town(*turns):
    """Streets of 10 vehicles each, by their turns: ``a>bc`` turns into b and c."""
    onward = {turn[0]: turn[2:] for turn in turns}
    junction = {}
    # Streets that one street turns into begin at one junction.
    for id, to in onward.items():
        for other in to:
            junction.setdefault(other, id)
    changed = True
    while changed:
        changed = False
        for to in onward.values():
            least = min((junction[other] for other in to), default="")
            for other in to:
                changed |= junction[other] != least
                junction[other] = least
    ends = {id: junction[to[0]] if to else f"end of {id}" for id, to in onward.items()}
    streets = [
        Street(id=id, start=junction.get(id, f"start of {id}"), end=ends[id], length=80.0) for id in onward
    ]
    return Town.from_streets(streets, {id: {o: 1 / len(to) for o in to} for id, to in onward.items()}, {})


@pytest.mark.parametrize(
    ("full", "found"),
    [
        ("", ""),
        ("abc", ""),
        ("abcd", "bcd"),
        ("bcd", "bcd"),
        # Those who wait for a ring are in none, nor is what only leads on from it.
        ("abcde", "bcd"),
        ("abcdefg", "bcdfg"),
        ("fg", "fg"),
        ("abdeg", ""),
    ],
)
def test_streets_in_rings_of_full_streets(full, found):
    network = town("a>b", "b>c", "c>de", "d>b", "e>f", "f>g", "g>f")
    vehicles = np.where([id in full for id in network.street_ids], 10.0, 9.9)
    streets = gridlocked(network, vehicles, network.ratio)
    assert "".join(network.street_ids[at] for at in streets) == found


def test_a_turn_that_nobody_takes_holds_nobody_up():
    network = town("a>bc", "b>a", "c>")
    vehicles = np.full(3, 10.0)
    assert gridlocked(network, vehicles, network.ratio) == [0, 1]
    ratio = np.where(network.street_ids.index("b") == network.movement_to, 0.0, network.ratio)
    assert gridlocked(network, vehicles, ratio) == []


def test_a_town_that_gridlocks_tells_it_once(caplog):
    grid = Town.grid(3, 3, length=100.0)
    simulator = Simulator(
        grid, demand=Demand.constant(np.full(len(grid.origins), 0.5)), signals=Signals.two_phase(grid)
    )
    with caplog.at_level(logging.WARNING, "simulator"):
        simulator.run(900)
    stats = simulator.stats()
    assert stats["gridlocked"] >= 3
    assert len(caplog.records) == 1
    text = caplog.messages[0]
    assert text.startswith("gridlock at ")
    assert "streets wait for each other in a closed ring: r" in text
    # It is one: nobody moves in it any more, with or without demand.
    at = gridlocked(grid, simulator.engine.vehicles, grid.ratio)
    before = simulator.counts()["left"][at]
    for junction in grid.origins:
        simulator.set_demand(grid.junction_ids[junction], 0.0)
    simulator.run(900)
    assert simulator.counts()["left"][at] == pytest.approx(before, abs=1.0)
    assert simulator.stats()["gridlocked"] >= stats["gridlocked"]


def test_streets_that_fill_at_lights_are_no_gridlock(caplog):
    grid = Town.grid(4, 5)
    simulator = Simulator(grid)
    simulator.run(3600)
    assert simulator.stats()["gridlocked"] == 0
    assert not caplog.records
