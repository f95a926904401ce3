"""Phases: said, refused, and read off plans."""

import numpy as np
import pytest

from simulator.errors import TownError
from simulator.network import Town
from simulator.phases import Approaches, phases_of, sequence
from simulator.signals import Signals

TOWN = Town.grid(3, 3)
AT = TOWN.street_ids.index
EAST_WEST = frozenset({AT("r1c0-r1c1"), AT("r1c2-r1c1")})
NORTH_SOUTH = frozenset({AT("r0c1-r1c1"), AT("r2c1-r1c1")})
HERE = sorted(EAST_WEST | NORTH_SOUTH)


def test_the_streets_that_lead_to_a_junction():
    approaches = Approaches(TOWN)
    assert sorted(approaches.of(approaches.junction("r1c1"))) == HERE


@pytest.mark.parametrize("id", ["x", "", None, 3, ["r1c1"], {}])
def test_a_junction_that_is_none_is_refused(id):
    with pytest.raises(TownError, match=r"^light .*: there is no junction of that name"):
        Approaches(TOWN).junction(id)


def test_greens_are_read():
    found = Approaches(TOWN).greens("r1c1", 60.0, {"r1c0-r1c1": (5, 20), "r0c1-r1c1": [30.5, 60]})
    assert found == {AT("r1c0-r1c1"): (5.0, 20.0), AT("r0c1-r1c1"): (30.5, 60.0)}


NAN = float("nan")


@pytest.mark.parametrize(
    ("greens", "text"),
    [
        (None, r"greens are \{street: \(begin, seconds\)\}, not None"),
        ([("r1c0-r1c1", (0, 1))], "greens are"),
        ({"x": (0, 1)}, "there is no street x"),
        ({3: (0, 1)}, "there is no street 3"),
        ({"r0c0-r0c1": (0, 1)}, "street r0c0-r0c1 does not lead there"),
        ({"r1c0-r1c1": 5}, "green of street r1c0-r1c1 is 5, not"),
        ({"r1c0-r1c1": (5,)}, r"green of street r1c0-r1c1 is \(5,\), not"),
        ({"r1c0-r1c1": "ab"}, "green of street r1c0-r1c1 is 'ab', not"),
        ({"r1c0-r1c1": (NAN, 5)}, "begin of street r1c0-r1c1 is nan; it must be from"),
        ({"r1c0-r1c1": (0, -1)}, "green of street r1c0-r1c1 is -1; it must be from 0 to 60 s, its cycle"),
        ({"r1c0-r1c1": (0, 61)}, "green of street r1c0-r1c1 is 61; it must be from 0 to 60 s"),
        ({"r1c0-r1c1": (0, 10**400)}, "green of street r1c0-r1c1 is 1000"),
        ({"r1c0-r1c1": (0, {})}, r"green of street r1c0-r1c1 is \{\}, not a number"),
    ],
)
def test_greens_that_cannot_be_are_refused(greens, text):
    with pytest.raises(TownError, match=f"^light r1c1: {text}"):
        Approaches(TOWN).greens("r1c1", 60.0, greens)


def test_phases_are_read():
    both = [["r1c0-r1c1", "r1c2-r1c1"], ("r0c1-r1c1", "r2c1-r1c1")]
    assert Approaches(TOWN).groups("r1c1", both) == (EAST_WEST, NORTH_SOUTH)


@pytest.mark.parametrize(
    ("phases", "text"),
    [
        (None, "phases are 2 to 16 lists of streets"),
        ([["r1c0-r1c1"]], "phases are 2 to 16"),
        ([["r1c0-r1c1"]] * 17, "phases are 2 to 16"),
        ([["r1c0-r1c1"], []], "phase 2 is no list of streets"),
        ([["r1c0-r1c1"], "r1c2-r1c1"], "phase 2 is no list of streets"),
        ([["r1c0-r1c1"], ["x"]], "there is no street x"),
        ([["r1c0-r1c1"], ["r0c0-r0c1"]], "street r0c0-r0c1 does not lead there"),
        ([["r1c0-r1c1"], ["r1c2-r1c1"]], "street r0c1-r1c1 is in no phase"),
    ],
)
def test_phases_that_cannot_be_are_refused(phases, text):
    with pytest.raises(TownError, match=f"^light r1c1: {text}"):
        Approaches(TOWN).groups("r1c1", phases)


def test_phases_follow_each_other_with_all_red_between():
    cycle, greens = sequence("light a", [(["n", "s"], 20.0), (["e"], 30.0)], 2.5)
    assert cycle == 55
    assert greens == {"n": (0, 20), "s": (0, 20), "e": (22.5, 30)}


def test_a_street_in_phases_next_to_each_other_stays_green_between():
    cycle, greens = sequence(
        "light a", [(["a"], 10.0), (["a", "b"], 20.0), (["c", "d"], 5.0), (["d"], 7)], 3.0
    )
    assert cycle == 54
    assert greens == {"a": (0, 33), "b": (13, 20), "c": (36, 5), "d": (36, 15)}


def test_a_green_may_go_on_into_the_next_cycle():
    assert sequence("light a", [(["a"], 10), (["b"], 20), (["a"], 5)], 3.0)[1] == {
        "a": (36 + 0, 18),
        "b": (13, 20),
    }
    assert sequence("light a", [(["a"], 10), (["a"], 20)], 3.0) == (36, {"a": (0, 36)})


@pytest.mark.parametrize(
    ("phases", "all_red", "text"),
    [
        ([], 3.0, "its phases take 0 s"),
        ([(["a"], 0)], 0.0, "its phases take 0 s"),
        ([(["a"], 3000), (["b"], 700)], 3.0, "its phases take 3706 s"),
        ([(["a"], -1)], 3.0, "green of phase 1 is -1"),
        ([(["a"], NAN)], 3.0, "green of phase 1 is nan"),
        ([(["a"], 5)], -3.0, "all_red is -3"),
        (
            [(["a"], 5), (["b"], 5), (["a"], 5), (["b"], 5)],
            3.0,
            "street a has 2 greens in a cycle; it can have one",
        ),
    ],
)
def test_sequences_that_cannot_be_are_refused(phases, all_red, text):
    with pytest.raises(TownError, match=f"^light a: {text}"):
        sequence("light a", phases, all_red)


def test_the_phases_of_a_plan_are_what_it_has_green_together():
    assert set(phases_of(TOWN, Signals.two_phase(TOWN), HERE)) == {EAST_WEST, NORTH_SOUTH}


def test_an_early_end_makes_no_phase_of_its_own():
    signals = Signals.none(TOWN)
    here = np.array(HERE)
    begin = np.array([40.0 if at in NORTH_SOUTH else 0.0 for at in HERE])
    green = np.array([15.0, 35.0, 30.0, 10.0])
    found = phases_of(TOWN, signals.replaced(here, 60.0, begin, green), HERE)
    assert found == (EAST_WEST, NORTH_SOUTH)


def test_without_a_light_phases_are_by_direction():
    assert phases_of(TOWN, Signals.none(TOWN), HERE) == (EAST_WEST, NORTH_SOUTH)


def test_one_street_alone_has_no_phases():
    assert phases_of(TOWN, Signals.none(TOWN), HERE[:1]) == ()
    assert phases_of(TOWN, Signals.two_phase(TOWN), [AT("r1c0-r1c1"), AT("r1c2-r1c1")]) == ()
