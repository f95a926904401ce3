"""Traffic lights: who has one, and when it is green."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.errors import TownError
from simulator.network import Town
from simulator.signals import ALL_RED, Signals


@pytest.fixture
def town():
    return Town.grid(4, 5)


def cycle_of(signals, cycle=60):
    """(seconds, S) green in each second of a cycle."""
    return np.array([signals.green(float(second)) for second in range(cycle)])


def is_vertical(town):
    return town.positions[town.start][:, 0] == town.positions[town.end][:, 0]


def test_lights_stand_where_three_or_more_streets_meet(town):
    signals = Signals.two_phase(town)
    corners = {town.junction_ids.index(id) for id in ("r0c0", "r0c4", "r3c0", "r3c4")}
    assert signals.has_light.tolist() == [end not in corners for end in town.end.tolist()]


def test_each_phase_gets_half_the_cycle_but_for_the_all_red(town):
    signals = Signals.two_phase(town)
    assert (cycle_of(signals).sum(axis=0)[signals.has_light] == 30 - ALL_RED).all()


def test_crossing_approaches_are_never_green_together(town):
    signals = Signals.two_phase(town, cycle=60.0)
    vertical = is_vertical(town)
    for green in cycle_of(signals):
        for junction in set(town.end[signals.has_light].tolist()):
            here = (town.end == junction) & green
            assert not (here & vertical).any() or not (here & ~vertical).any()


def test_opposite_approaches_are_green_together(town):
    green = cycle_of(Signals.two_phase(town))
    at = town.street_ids.index
    assert (green[:, at("r1c0-r1c1")] == green[:, at("r1c2-r1c1")]).all()
    assert (green[:, at("r0c1-r1c1")] == green[:, at("r2c1-r1c1")]).all()


def test_plans_repeat_after_their_cycle(town):
    signals = Signals.two_phase(town, cycle=80.0)
    for second in range(0, 80, 7):
        assert (signals.green(second) == signals.green(second + 80 * 1000)).all()


def test_offsets_come_from_the_seed(town):
    first, again, other = (cycle_of(Signals.two_phase(town, seed=seed)) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_without_lights_everything_is_green(town):
    assert cycle_of(Signals.none(town)).all()


def one(cycle, begin, green):
    return Signals(np.array([cycle]), np.array([begin]), np.array([green]))


def spread(signals, time, dt):
    """(part, begin, end) of each street."""
    part, window = signals.during(time, dt)
    return part, *(window or (np.zeros_like(part), np.ones_like(part)))


@pytest.mark.parametrize(
    ("time", "dt", "expected"),
    [
        (0.0, 4.0, (1, 0, 1)),
        (24.0, 4.0, (0.75, 0, 0.75)),
        (28.0, 4.0, (0, 0, 1)),
        (58.0, 4.0, (0.5, 0.5, 1)),
        (20.0, 50.0, (17 / 50, 0, 1)),
        (30.0, 60.0, (27 / 60, 0.5, 57 / 60)),
        (20.0, 40.0, (7 / 40, 0, 7 / 40)),
        # Where rounding of the time alone stands between.
        (27.0 - 1e-12, 1.0, (0, 0, 1)),
        (60.0 - 1e-12, 1.0, (1, 0, 1)),
        (1e6 * 60 + 26, 1.0, (1, 0, 1)),
    ],
)
def test_the_part_of_a_step_that_is_green_and_where_it_lies(time, dt, expected):
    parts = [float(part[0]) for part in spread(one(60.0, 0.0, 27.0), time, dt)]
    assert parts == pytest.approx(expected, abs=1e-9)
    assert [part in (0, 1) for part in parts] == [part in (0, 1) for part in expected]


@given(st.floats(1, 200), st.floats(0, 1), st.floats(-300, 300), st.floats(0.1, 90))
def test_the_greens_of_all_steps_add_up_to_the_greens_of_all_cycles(cycle, share, begin, dt):
    signals, steps = one(cycle, begin, share * cycle), 100
    parts = np.array([spread(signals, n * dt, dt) for n in range(steps)])[:, :, 0]
    assert (parts >= 0).all()
    assert (parts <= 1).all()
    assert (parts[:, 2] - parts[:, 1] >= parts[:, 0] - 1e-6).all()
    assert abs(parts[:, 0].sum() * dt - share * steps * dt) <= cycle * share * (1 - share) + 1e-6


def test_a_green_of_nothing_is_never_and_one_of_a_cycle_is_always():
    assert one(60.0, 7.0, 0.0).during(3.0, 5.0)[0] == 0
    assert one(60.0, 7.0, 60.0).during(3.0, 5.0)[0] == 1
    assert one(0.0, 0.0, 0.0).during(3.0, 5.0)[0] == 1


NAN = float("nan")


@pytest.mark.parametrize(
    ("plan", "text"),
    [
        (([60.0, NAN], [0.0, 0.0], [30.0, 30.0]), "signals: cycle: number 1 is nan, not a finite number"),
        (([60.0, -60.0], [0.0, 0.0], [30.0, 30.0]), "signals: cycle: number 1 is -60, .* of at least 0"),
        (([60.0], [float("inf")], [30.0]), "signals: begin: number 0 is inf"),
        (([60.0], [0.0], [-1.0]), "signals: green: number 0 is -1"),
        (([60.0], [0.0], [61.0]), "signals: green: number 0 is 61 s, longer than its cycle of 60 s"),
        (([60.0, 60.0], [0.0], [30.0]), "signals: 2 cycles, 1 begins and 1 greens"),
        ((60.0, 0.0, 30.0), "signals: cycle: not a list of numbers"),
    ],
)
def test_plans_that_cannot_be_are_refused(plan, text):
    with pytest.raises(TownError, match=f"^{text}"):
        Signals(*plan)


@pytest.mark.parametrize("cycle", [NAN, 0.0, -60.0, 6.0, float("inf")])
def test_a_cycle_without_room_for_two_phases_is_refused(town, cycle):
    with pytest.raises(TownError, match=r"^signals: a cycle of .* s; two phases need more than 6 s"):
        Signals.two_phase(town, cycle=cycle)


# --- What towns come with


def test_a_town_may_say_where_its_lights_are(town):
    lit = np.array([id == "r1c1" for id in town.junction_ids])
    signals = Signals.of(replace(town, lit=lit))
    ends = [town.street_ids[at].partition("-")[2] for at in np.flatnonzero(signals.has_light)]
    assert ends == ["r1c1"] * 4


def test_a_town_may_come_with_plans(town):
    streets = len(town.street_ids)
    plans = np.zeros((3, streets))
    plans[:, 5] = 90, 10, 30
    signals = Signals.of(replace(town, plans=plans))
    assert np.flatnonzero(signals.has_light).tolist() == [5]
    assert [bool(signals.green(time)[5]) for time in (9, 10, 39, 40)] == [False, True, True, False]


def test_lights_have_averages():
    signals = Signals(np.array([60.0, 0.0, 90.0, 60.0]), np.zeros(4), np.array([27.0, 0.0, 90.0, 0.0]))
    green, red = signals.average(0.0)
    assert green == pytest.approx([0.45, 1, 1, 0])
    # Who comes in the red third waits half of it, on average.
    assert red == pytest.approx([33 / 60 * 33 / 2, 0, 0, 30])


@pytest.mark.parametrize("dt", [0.3, 1.0, 2.5, 7.0])
def test_what_is_known_of_a_turn_of_all_cycles_is_what_each_step_finds_out(dt):
    random = np.random.default_rng(2)
    cycle = random.choice([0.0, 60.0, 90.0], 40)
    signals = Signals(cycle, random.uniform(0, 60, 40), 0.45 * cycle)
    for step in range(900):
        time = step * dt
        part, window = signals.during(time, dt)
        exact, exact_window = signals._within(time, dt)
        assert part == pytest.approx(exact, abs=1e-8)
        assert (window is None) == (exact_window is None)
        # Whoever gets it may write into it.
        part[:] = 7
        if window is not None:
            assert np.array(window) == pytest.approx(np.array(exact_window), abs=1e-8)
            window[0][:] = 7


def test_large_plans_and_odd_cycles_are_not_kept():
    many = np.full(2**20, 60.0)
    for signals in (Signals(many, many / 2, many / 2), Signals(many[:2] + 0.123, many[:2], many[:2] / 2)):
        for step in range(3):
            signals.during(step, 1.0)
        assert not signals._known


@pytest.mark.parametrize("dt", [0.7, 1.0, 2.0, 45.0])
@pytest.mark.parametrize("cycle", [60.0, 61.3])
@pytest.mark.parametrize("size", [2, 40])
def test_steps_asked_for_together_are_those_asked_for_one_by_one(dt, cycle, size):
    town = Town.grid(3, size)
    signals, again = (Signals.two_phase(town, cycle=cycle) for _ in range(2))
    for step in (0, 7, 1000, 7):
        parts, windows, changes = signals.ahead(step, dt, 5)
        for n in range(5):
            part, window = again.during((step + n) * dt, dt)
            assert (parts[n] == part).all()
            assert changes[n] == (window is not None)
            if window is not None:
                assert (windows[:, n] == window).all()
