"""All lights of a town, said by plan, by phases, along a street, and those that react."""

import json

import numpy as np
import pytest

from simulator import Simulator, Town
from simulator.demand import Demand
from simulator.errors import TownError
from simulator.lights import Lights
from simulator.network import Street
from simulator.reactive import Actuated, MaxPressure
from simulator.signals import Signals

SPEED = 50 / 3.6


@pytest.fixture
def town():
    return Town.grid(4, 5)


@pytest.fixture
def lights(town):
    return Lights(town, Signals.two_phase(town, seed=3))


def seconds(lights, town, *ids, cycle=60):
    """The seconds of a cycle in which each street is green."""
    at = [town.street_ids.index(id) for id in ids]
    return [[second for second in range(cycle) if lights.green(second + 0.5)[street]] for street in at]


def test_a_plan_holds_for_its_junction_alone(town, lights):
    before = lights.green(0.0)
    lights.set_plan("r1c1", 90, 10, {"r1c0-r1c1": (0, 30), "r0c1-r1c1": (85, 10)})
    west, north, east = seconds(lights, town, "r1c0-r1c1", "r0c1-r1c1", "r1c2-r1c1", cycle=90)
    assert west == list(range(10, 40))
    assert north == list(range(5, 15))
    # Not named: never green.
    assert east == []
    elsewhere = town.end != town.junction_ids.index("r1c1")
    assert (lights.green(0.0) == before)[elsewhere].all()


def test_a_plan_leaves_those_who_gave_the_others_alone(town):
    signals = Signals.two_phase(town)
    lights = Lights(town, signals)
    before = signals.green(0.0)
    lights.set_plan("r1c1", 0, 0, {})
    assert (signals.green(0.0) == before).all()
    assert lights.plans is not signals


def test_a_cycle_of_nothing_takes_the_light_away(town, lights):
    lights.set_plan("r1c1", 0, 0, {})
    assert seconds(lights, town, "r1c0-r1c1", "r0c1-r1c1") == [list(range(60))] * 2


def test_phases_make_a_plan(town, lights):
    phases = [(["r1c0-r1c1", "r1c2-r1c1"], 40), (["r0c1-r1c1", "r2c1-r1c1"], 14)]
    lights.set_phases("r1c1", phases, offset=5)
    west, north = seconds(lights, town, "r1c0-r1c1", "r0c1-r1c1")
    assert west == list(range(5, 45))
    assert sorted((second - 48) % 60 for second in north) == list(range(14))


NAN = float("nan")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("x", 60, 0, {}), "light x: there is no junction of that name"),
        (("r1c1", NAN, 0, {}), "light r1c1: cycle is nan; it must be from 0 to 3600 s"),
        (("r1c1", -1, 0, {}), "light r1c1: cycle is -1"),
        (("r1c1", "60s", 0, {}), "light r1c1: cycle is '60s', not a number"),
        (("r1c1", 60, None, {}), "light r1c1: offset is None, not a number"),
        (("r1c1", 60, 0, {}), "light r1c1: no street has a green"),
        (("r1c1", 60, 0, {"r1c0-r1c1": (0, 90)}), "light r1c1: green of street r1c0-r1c1 is 90"),
        (("r1c1", 0, 0, {"r1c0-r1c1": (0, 9)}), "light r1c1: green of street r1c0-r1c1 is 9"),
    ],
)
def test_plans_that_cannot_be_are_refused_and_change_nothing(lights, arguments, text):
    before = lights.dump()
    with pytest.raises(TownError, match=rf"^{text}"):
        lights.set_plan(*arguments)
    assert lights.dump() == before


def test_signals_of_another_town_are_refused(town):
    with pytest.raises(TownError, match=r"^signals: plans for 24 streets; the town has 62"):
        Lights(town, Signals.none(Town.grid(3, 3)))


# --- Along a street


def corridor(*lengths):
    """Streets s0, s1 … and their way back, t0, t1 …, side streets at every light."""
    last = len(lengths) - 1
    streets = [
        *(
            Street(id=f"s{n}", start=f"j{n}", end=f"j{n + 1}", length=length)
            for n, length in enumerate(lengths)
        ),
        *(
            Street(id=f"t{n}", start=f"j{n + 1}", end=f"j{n}", length=length)
            for n, length in enumerate(lengths)
        ),
        *(Street(id=f"x{n}", start=f"k{n}", end=f"j{n}") for n in range(1, last + 1)),
        *(Street(id=f"y{n}", start=f"j{n}", end=f"k{n}") for n in range(1, last + 1)),
    ]
    turns = {f"s{n}": {f"s{n + 1}": 1.0} for n in range(last)}
    turns |= {f"t{n + 1}": {f"t{n}": 1.0} for n in range(last)}
    turns |= {f"x{n}": {f"y{n}": 1.0} for n in range(1, last + 1)}
    positions = {f"j{n}": (sum(lengths[:n]), 0.0) for n in range(last + 2)}
    positions |= {f"k{n}": (sum(lengths[:n]), 100.0) for n in range(1, last + 1)}
    return Town.from_streets(
        streets, turns, {"j0": {"s0": 1.0}, f"j{last + 1}": {f"t{last}": 1.0}}, positions
    )


LENGTHS = (500.0, 350.0, 700.0, 420.0, 500.0)
FORWARD = [f"s{n}" for n in range(4)]


def delay(town, lights, rates, ids):
    """Mean seconds above free flow of those who drive along these streets."""
    simulator = Simulator(town, "x", 1.0, signals=lights.plans, demand=Demand.constant(np.array(rates)))
    at = [town.street_ids.index(id) for id in ids]
    simulator.run(720)
    total, before = 0.0, simulator.engine.left[at[-1]]
    for _ in range(720):
        simulator.next()
        total += simulator.engine.vehicles[at].sum()
    flow = simulator.engine.left[at[-1]] - before
    return total / flow - (town.length[at] / town.speed[at]).sum()


def test_a_green_wave_delays_at_the_first_light_alone():
    town = corridor(*LENGTHS)
    lights = Lights(town, Signals.two_phase(town, cycle=72.0, seed=1))
    before = delay(town, lights, [0.15, 0.0], FORWARD)
    band = lights.coordinate(FORWARD)
    assert band == pytest.approx(33)
    # Webster's delay at one light of 33 s in 72.
    share, load = 33 / 72, 0.15 / 0.55
    expected = 72 * (1 - share) ** 2 / (2 * (1 - load))
    assert delay(town, lights, [0.15, 0.0], FORWARD) == pytest.approx(expected, rel=0.01)
    assert before > 1.4 * expected


def test_both_ways_share_what_distances_allow():
    town = corridor(*LENGTHS)
    lights = Lights(town, Signals.two_phase(town, cycle=72.0, seed=1))
    back = [f"t{n}" for n in range(4, 0, -1)]
    random = [delay(town, lights, [0.1, 0.1], ids) for ids in (FORWARD, back)]
    lights.coordinate(FORWARD)
    one_way = delay(town, lights, [0.1, 0.1], back)
    band = lights.coordinate(FORWARD, is_both_ways=True)
    assert 0 < band < 33
    both = [delay(town, lights, [0.1, 0.1], ids) for ids in (FORWARD, back)]
    assert both[1] < one_way
    assert sum(both) < sum(random)


def test_plans_grow_with_the_cycle_and_keep_their_shares():
    town = corridor(*LENGTHS)
    lights = Lights(town, Signals.two_phase(town, cycle=60.0, seed=1))
    lights.coordinate(FORWARD, 90)
    cycle, _, green = lights.plans.plans()
    here = [town.street_ids.index(id) for id in (*FORWARD, "t2", "x2")]
    assert (cycle[here] == 90).all()
    assert green[here] == pytest.approx(np.full(6, 40.5))


@pytest.mark.parametrize(
    ("streets", "text"),
    [
        (["s0"], "it leads along two streets at least"),
        ("s0", "it leads along two streets at least"),
        (["s0", "z"], "there is no street z"),
        (["s0", "s2"], "street s0 does not lead to street s2"),
        (["s3", "s4"], "street s4 has no light with a plan"),
        (["s0", "t0", "s0"], "it comes to a junction twice"),
    ],
)
def test_streets_that_make_no_wave_are_refused(streets, text):
    town = corridor(*LENGTHS)
    with pytest.raises(TownError, match=rf"^wave: {text}"):
        Lights(town, Signals.two_phase(town)).coordinate(streets)


def test_lights_that_react_make_no_wave():
    town = corridor(*LENGTHS)
    lights = Lights(town, Signals.two_phase(town))
    lights.react(Actuated(), 0.0, ["j2"])
    with pytest.raises(TownError, match=r"^wave: the light of street s1 reacts"):
        lights.coordinate(FORWARD)


# --- Those that react


def test_all_that_have_a_light_react_and_stop_reacting(town, lights):
    before = lights.green(7.0)
    assert lights.react(Actuated(), 0.0) == 16
    assert (lights.green(0.5) != Lights(town, Signals.two_phase(town, seed=3)).green(0.5)).any()
    lights.react(None, 0.0, ["r1c1"])
    assert lights.react(None, 0.0) == 0
    assert (lights.green(7.0) == before).all()


def test_a_plan_ends_that_a_light_reacts(town, lights):
    lights.react(Actuated(), 0.0, ["r1c1"])
    lights.set_plan("r1c1", 0, 0, {})
    assert seconds(lights, town, "r1c0-r1c1", "r0c1-r1c1") == [list(range(60))] * 2


def test_other_times_do_not_end_a_green(town):
    simulator = Simulator(town, "x", 1.0)
    simulator.set_reactive(Actuated())
    simulator.run(100)
    before = simulator.lights.green(simulator.time)
    simulator.set_reactive(MaxPressure())
    assert (simulator.lights.green(simulator.time) == before).all()


@pytest.mark.parametrize(
    ("junctions", "phases", "text"),
    [
        (["x"], None, "light x: there is no junction of that name"),
        (["r0c0"], None, "light r0c0: it has no two phases"),
        (None, [["a"], ["b"]], "light: phases are those of one junction"),
        (["r1c1"], [["r1c0-r1c1"], ["x"]], "light r1c1: there is no street x"),
    ],
)
def test_reactions_that_cannot_be_are_refused(town, junctions, phases, text):
    # Two of a kind lead to the corner, neither with a light; one of them only.
    lights = Lights(town, Signals.two_phase(town))
    if junctions == ["r0c0"]:
        lights.set_plan("r0c0", 60, 0, {"r0c1-r0c0": (0, 30)})
    before = lights.dump()
    with pytest.raises(TownError, match=rf"^{text}"):
        lights.react(Actuated(), 0.0, junctions, phases)
    assert lights.dump() == before


def test_parts_of_steps_and_averages_are_those_of_plans_elsewhere(town):
    simulator = Simulator(town, "x", 1.0)
    plans = simulator.signals
    simulator.set_reactive(Actuated(), ["r1c1"])
    simulator.run(33)
    here = town.end == town.junction_ids.index("r1c1")
    part, window = simulator.lights.during(33.0, 0.7)
    other, other_window = plans.during(33.0, 0.7)
    assert (part == other)[~here].all()
    if other_window is not None:
        assert (window[0] == other_window[0])[~here].all()
    share, red = simulator.lights.average(33.0)
    assert (share == plans.average(33.0)[0])[~here].all()
    assert (red[here] == 0).all()


@pytest.mark.parametrize("rule", [None, Actuated(max_green=33.3), MaxPressure()])
def test_what_was_said_and_who_has_green_is_kept(town, rule):
    first, second = (Simulator(town, "x", 1.0, demand=Demand.constant(np.full(14, 0.1))) for _ in range(2))
    first.set_light("r1c2", 80, 3, {"r1c1-r1c2": (0, 40)})
    if rule:
        first.set_reactive(rule, ["r1c1", "r2c2"])
        first.set_reactive(rule, ["r2c3"], [["r2c2-r2c3", "r1c3-r2c3"], ["r2c4-r2c3", "r3c3-r2c3"]])
    first.run(123)
    second.lights.restore(json.loads(json.dumps(first.lights.dump())))
    second.engine.restore(first.engine.state())
    second._ticks = first._ticks
    for simulator in (first, second):
        simulator.run(200)
    assert (first.engine.left == second.engine.left).all()
    assert (first.lights.green(323.0) == second.lights.green(323.0)).all()


@pytest.mark.parametrize(
    "change",
    [
        lambda dumped: dumped.clear(),
        lambda dumped: dumped.update(plans=[[0.0]] * 3),
        lambda dumped: dumped.update(plans=3),
        lambda dumped: dumped.update(reactive=3),
        lambda dumped: one(dumped).update(rule="x"),
        lambda dumped: one(dumped).update(times=[float("nan")] * 3),
        lambda dumped: one(dumped).update(times=[6, 40]),
        lambda dumped: one(dumped).update(phases=[[0], [1]]),
        lambda dumped: one(dumped).update(phases=[["a"], [10**30]]),
        lambda dumped: one(dumped).update(state=[2, 0, 0.0, None, [0.0, 0.0]]),
        lambda dumped: one(dumped).update(state=[0, 0, float("nan"), None, [0.0, 0.0]]),
        lambda dumped: one(dumped).update(state=[0, 0, 0.0, None, [0.0]]),
        lambda dumped: one(dumped).update(state=None),
    ],
)
def test_what_is_no_dump_is_refused(lights, change):
    lights.react(Actuated(), 0.0, ["r1c1"])
    before, dumped = lights.dump(), lights.dump()
    change(dumped)
    with pytest.raises(TownError, match=r"^lights: not those of this town"):
        lights.restore(dumped)
    assert lights.dump() == before


def one(dumped):
    """Of one junction that reacts."""
    return next(iter(dumped["reactive"].values()))
