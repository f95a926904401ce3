"""``town.fit``: streets that no vehicle and no wave crosses within a step."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import Simulator, Town, TownError
from simulator.network import Street


def line(**changes):
    """A town of a long street and one with other numbers."""
    streets = [Street(id="a", start="A", end="B"), Street(id="b", start="B", end="C", **changes)]
    return Town.from_streets(streets, {"a": {"b": 1.0}}, {"A": {"a": 1.0}})


def test_a_town_that_fits_is_the_same():
    town = Town.grid(2, 2)
    assert town.fit(1.0) is town


def test_a_short_street_is_as_long_as_a_step_and_keeps_what_it_holds():
    town = line(length=20.0, speed=10.0, capacity=0.5, jam_density=0.3).fit(4.0)
    assert town.length[1] == pytest.approx(40)
    assert town.storage[1] == 6
    assert town.capacity[1] == 0.5
    assert town.repairs == ("street b: lengthened from 20 to 40 m, for steps of 4 s",)


def test_what_holds_too_little_for_the_diagram_holds_two_steps():
    town = line(length=0.2, speed=10.0).fit(1.0)
    assert town.length[1] == pytest.approx(10)
    assert town.storage[1] == pytest.approx(2 * 0.55)
    assert town.repairs == (
        "street b: lengthened from 0.2 to 10 m, holds 1.1 vehicles instead of 0.025, for steps of 1 s",
    )


def test_a_street_whose_waves_are_too_fast_holds_more():
    town = line(length=500.0, speed=10.0, capacity=0.5, jam_density=0.0501).fit(1.0)
    assert town.length[1] == 500
    assert town.storage[1] == pytest.approx(0.5 * (1 + 50))
    assert town.repairs == ("street b: holds 25.5 vehicles instead of 25.05, for steps of 1 s",)


def test_each_fit_adds_its_repairs():
    town = line(length=20.0, speed=10.0).fit(4.0).fit(20.0)
    assert [text.rpartition(" for ")[2] for text in town.repairs] == ["steps of 4 s", "steps of 20 s"]


@given(
    length=st.floats(0.01, 5000),
    speed=st.floats(0.5, 70),
    capacity=st.floats(0.001, 5),
    jam=st.floats(1.001, 1000),
    dt=st.floats(0.1, 30),
)
def test_any_street_can_be_made_to_fit(length, speed, capacity, jam, dt):
    town = line(length=length, speed=speed, capacity=capacity, jam_density=jam * capacity / speed).fit(dt)
    assert (town.length >= town.speed * dt).all()
    assert (town.length >= town.wave * dt).all()
    assert (town.storage * (1 + 1e-9) >= 2 * town.capacity * dt).all()
    assert town.length[1] >= length
    assert town.capacity[1] == capacity
    simulator = Simulator(town, dt=dt, step=dt)
    simulator.run(3 * dt)
    assert np.isfinite(simulator.engine.vehicles).all()


@pytest.mark.parametrize("dt", [0, -1, float("nan"), float("inf"), 3601])
def test_steps_that_cannot_be(dt):
    with pytest.raises(TownError, match=r"^town: fit\("):
        Town.grid(2, 2).fit(dt)
