"""The simulator as a source: samples, formats, repeatability; and a day in the default town."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from simulator import Simulator, Town, TownError
from simulator.demand import Demand
from simulator.network import Street
from simulator.signals import Signals


@pytest.fixture
def town():
    return Town.grid(4, 5)


def plain(dump):
    """The dump after a journey through strict JSON."""
    return json.loads(json.dumps(dump, allow_nan=False))


# --- Samples


@pytest.mark.parametrize("format", ["dense", "legacy", "q8", "q16", "delta"])
def test_dumping_changes_nothing_and_survives_json(town, format):
    simulator = Simulator(town)
    untouched = Simulator(town)
    for _ in range(30):
        first = simulator.dump_state(format)
        assert simulator.dump_state(format) == first == plain(first)
        simulator.next()
        untouched.next()
    assert simulator.dump_state() == untouched.dump_state()


def test_a_dense_sample_has_numbers_in_the_order_of_the_map(town):
    simulator = Simulator(town, "town", step=10)
    simulator.run(600)
    sample = simulator.dump_state()
    assert set(sample) == {"name", "time", "timestamp", "step", "n", "k", "green"}
    assert (sample["name"], sample["time"], sample["step"]) == ("town", 600, 10)
    assert len(sample["n"]) == len(sample["k"]) == len(sample["green"]) == len(simulator.map()["streets"])
    assert sample["n"] == pytest.approx(simulator.engine.vehicles, abs=0.0051)
    assert sample["k"] == pytest.approx(simulator.engine.vehicles / town.length, abs=0.0000051)
    assert sum(sample["n"]) > 10
    assert set(sample["green"]) == {0, 1}


def test_a_legacy_sample_has_the_articles_shape(town):
    simulator = Simulator(town)
    simulator.run(600)
    sample = simulator.dump_state("legacy")
    assert set(sample) == {"state", "timestamp"}
    assert list(sample["state"]) == list(town.street_ids)
    assert list(sample["state"].values()) == simulator.dump_state()["n"]
    assert sample["timestamp"] == simulator.dump_state()["timestamp"]


def test_timestamps_follow_simulated_time(town):
    simulator = Simulator(town, step=15)
    begin = datetime.fromisoformat(simulator.dump_state()["timestamp"])
    assert begin.utcoffset() == timedelta(0)
    simulator.run(90)
    now = datetime.fromisoformat(simulator.dump_state()["timestamp"])
    assert now - begin == timedelta(seconds=90)


def test_samples_tell_which_lights_are_green(town):
    simulator = Simulator(town)
    seen = np.array([sample["green"] for sample, _ in zip(simulator, range(12), strict=False)])
    has_light = simulator.signals.has_light
    # Each light changes within a cycle; streets without one are always open.
    assert (seen.min(axis=0)[has_light] == 0).all()
    assert (seen.max(axis=0)[has_light] == 1).all()
    assert (seen[:, ~has_light] == 1).all()


def test_an_unknown_format_is_refused(town):
    with pytest.raises(ValueError, match="no format 'xml'; there are dense, legacy"):
        Simulator(town).dump_state("xml")


# --- Advancing


@pytest.mark.parametrize(("step", "dt"), [(5, 1), (2.5, 0.5), (0.3, 0.1), (30, 30)])
def test_next_advances_by_one_step(town, step, dt):
    simulator = Simulator(town, step=step, dt=dt)
    assert simulator.time == 0
    for n in range(1, 4):
        simulator.next()
        assert simulator.time == pytest.approx(n * step)


def test_iterating_advances_and_yields_the_new_state(town):
    simulator, other = Simulator(town), Simulator(town)
    for n, sample in enumerate(simulator, 1):
        other.next()
        assert sample == other.dump_state()
        assert sample["time"] == 5 * n
        if n == 20:
            break
    assert simulator.time == 100


def test_running_takes_whole_steps_until_the_time_has_passed(town):
    simulator = Simulator(town, step=5)
    simulator.run(12)
    assert simulator.time == 15
    simulator.run(5)
    assert simulator.time == 20
    simulator.run(0)
    assert simulator.time == 20


def test_samples_do_not_depend_on_the_step_between_them(town):
    often, seldom = Simulator(town, step=5), Simulator(town, step=60)
    often.run(600)
    seldom.run(600)
    assert often.dump_state()["n"] == seldom.dump_state()["n"]


@pytest.mark.parametrize(
    ("step", "dt"), [(5, 2), (0, 1), (-5, 1), (0.5, 1), (5, 0), (5, -1), (float("inf"), 1), (float("nan"), 1)]
)
def test_a_step_that_is_no_multiple_of_dt_is_refused(town, step, dt):
    with pytest.raises(ValueError, match=r"step \(.* s\) must be a multiple of dt \(.* s\)"):
        Simulator(town, step=step, dt=dt)


def test_a_dt_too_long_for_the_town_is_refused(town):
    with pytest.raises(ValueError, match=r"at most 36\.000 s"):
        Simulator(town, step=40, dt=40)


def test_an_unknown_engine_is_refused(town):
    with pytest.raises(ValueError, match="no engine 'warp'; there are ltm"):
        Simulator(town, engine="warp")


def test_the_articles_loop_runs_verbatim(town):
    """The loop of docs/simulator.md: dump, publish, sleep for the step, next."""
    text = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text()
    loop = text[text.index("while True:") :].partition("```")[0]
    assert loop.splitlines()[-1].strip() == "simulator.next()"
    simulator = Simulator(town, name="sample_net", step=5)
    published, slept = [], []

    class Radio:
        def publish(self, network, data):
            published.append((network, plain(data)))

    class Enough(Exception):
        pass

    def sleep(seconds):
        slept.append(seconds)
        if len(slept) == 4:
            raise Enough

    with pytest.raises(Enough):
        exec(loop, {"simulator": simulator, "radio": Radio(), "sleep": sleep})
    assert [network for network, _ in published] == ["sample_net"] * 4
    assert [data["time"] for _, data in published] == [0, 5, 10, 15]
    assert slept == [5] * 4


# --- Repeatability


def test_the_same_seed_gives_the_same_samples(town):
    one, two = Simulator(town, seed=7), Simulator(Town.grid(4, 5), seed=7)
    for first, second, _ in zip(one, two, range(200), strict=False):
        assert json.dumps(first) == json.dumps(second)


def test_another_seed_gives_other_demand_and_other_lights(town):
    one, two = Simulator(town, seed=1), Simulator(town, seed=2)
    one.run(300)
    two.run(300)
    assert one.dump_state()["n"] != two.dump_state()["n"]
    assert one.dump_state()["green"] != two.dump_state()["green"]


def test_demand_and_lights_can_be_given(town):
    rates = np.zeros(len(town.origins))
    rates[0] = 0.1
    simulator = Simulator(town, demand=Demand.constant(rates), signals=Signals.none(town))
    simulator.run(100)
    assert simulator.engine.generated == pytest.approx(10)
    assert set(simulator.dump_state()["green"]) == {1}


@pytest.mark.parametrize("rates", [[0.1], [0.1] * 15, [], [float("nan")] * 14, [-0.1] * 14, 0.1, "much"])
def test_demand_of_another_town_is_refused_before_the_first_step(town, rates):
    class Odd:
        def rates(self, time):
            return rates

    with pytest.raises(TownError, match=r"^demand: (\d+ rates; the town has 14 origins|rates at 0 s: .*)$"):
        Simulator(town, demand=Odd())


def test_one_rate_for_many_origins_is_refused(town):
    with pytest.raises(TownError, match=r"^demand: 1 rates; the town has 14 origins"):
        Simulator(town, demand=Demand.constant([0.1]))


def test_demand_that_goes_wrong_later_says_when(town):
    class Later:
        def rates(self, time):
            return np.full(14, float("nan") if time >= 7 else 0.1)

    simulator = Simulator(town, demand=Later())
    with pytest.raises(TownError, match=r"^demand: rates at 7 s: number 0 is nan"):
        simulator.run(60)


def test_signals_of_another_town_are_refused(town):
    with pytest.raises(TownError, match=r"^signals: plans for 8 streets; the town has 62$"):
        Simulator(town, signals=Signals.none(Town.grid(2, 2)))


# --- Statistics


NAMES = {"inside", "entered", "left", "waiting", "generated", "travel_time", "delay", "gridlocked"}


def test_statistics_account_for_every_vehicle(town):
    rates = np.full(len(town.origins), 1.2)
    simulator = Simulator(town, demand=Demand.constant(rates))
    assert simulator.stats() == dict.fromkeys(NAMES, 0)
    simulator.run(600)
    stats = simulator.stats()
    assert stats.pop("gridlocked") == 0
    assert all(value > 100 for value in stats.values())
    assert stats["entered"] == pytest.approx(stats["inside"] + stats["left"], rel=1e-9)
    assert stats["generated"] == pytest.approx(rates.sum() * 600, rel=1e-9)
    assert stats["entered"] + stats["waiting"] == pytest.approx(stats["generated"], rel=1e-9)
    assert stats["inside"] == pytest.approx(sum(simulator.dump_state()["n"]), abs=0.005 * len(town.length))


def test_counts_are_copies(town):
    simulator = Simulator(town)
    simulator.run(600)
    counts = simulator.counts()
    assert set(counts) == {"entered", "left", "waiting"}
    assert (counts["entered"] - counts["left"] == simulator.engine.vehicles).all()
    assert len(counts["waiting"]) == len(town.origins)
    counts["entered"] += 1
    assert (simulator.counts()["entered"] == counts["entered"] - 1).all()


def lane(rate, light=None, length=1000.0):
    """One street and another behind its light (cycle, green): nobody leaves before both."""
    streets = [
        Street(id="a", start="A", end="M", length=length),
        Street(id="b", start="M", end="B", length=500.0),
    ]
    town = Town.from_streets(streets, {"a": {"b": 1.0}}, {"A": {"a": 1.0}})
    cycle, green = light or (0.0, 0.0)
    signals = Signals(np.array([cycle, 0.0]), np.zeros(2), np.array([green, 0.0]))
    return Simulator(town, demand=Demand.constant([rate]), signals=signals)


@pytest.mark.parametrize("saturation", [0.3, 0.6, 0.9])
@pytest.mark.parametrize(("cycle", "green"), [(60.0, 30.0), (90.0, 41.5), (37.5, 11.7)])
def test_the_sum_of_delay_at_a_light_is_webster_s(saturation, cycle, green):
    share = green / cycle
    flow = saturation * 0.55 * share
    simulator = lane(flow, (cycle, green))
    simulator.run(1800)
    before = simulator.stats()["delay"]
    simulator.run(3600)
    each = (simulator.stats()["delay"] - before) / (flow * 3600)
    assert each == pytest.approx(cycle * (1 - share) ** 2 / (2 * (1 - share * saturation)), rel=0.01)


def test_nobody_is_delayed_in_an_empty_town():
    simulator = lane(0.3)
    for _ in range(30):
        simulator.run(10)
        assert simulator.stats()["delay"] == pytest.approx(0, abs=1e-6)
    simulator.set_demand("A", 0.0)
    simulator.run(300)
    stats = simulator.stats()
    assert stats["left"] == pytest.approx(90)
    assert stats["travel_time"] == pytest.approx(90 * 1500 * 3.6 / 50)
    assert stats["delay"] == pytest.approx(0, abs=1e-6)


def test_waiting_outside_is_delay():
    simulator = lane(1.55)
    simulator.run(100)
    # A queue of one vehicle a second more than the street takes.
    assert simulator.stats()["delay"] == pytest.approx(100**2 / 2, rel=1e-9)


# --- Demand by hand


def test_demand_is_set_by_hand_and_given_back(town):
    simulator = Simulator(town, demand=Demand.constant(np.full(14, 0.01)))
    junction = town.junction_ids[town.origins[3]]
    simulator.set_demand(junction, 0.2)
    simulator.run(100)
    assert simulator.stats()["generated"] == pytest.approx(100 * (13 * 0.01 + 0.2))
    simulator.set_demand(junction, None)
    simulator.set_demand(junction, None)
    simulator.run(100)
    assert simulator.stats()["generated"] == pytest.approx(100 * (27 * 0.01 + 0.2))


@pytest.mark.parametrize(
    ("junction", "rate", "told"),
    [
        ("r9c9", 0.1, "demand at r9c9: there is no origin"),
        ("r0c0", -0.1, "demand at r0c0 is -0.1; it must be from 0 to 10000 vehicles/s"),
        ("r0c0", float("nan"), "demand at r0c0 is nan; it must be"),
        ("r0c0", float("inf"), "demand at r0c0 is inf; it must be"),
        ("r0c0", "much", "demand at r0c0 is 'much', not a number"),
    ],
)
def test_demand_by_hand_that_cannot_be_is_refused(town, junction, rate, told):
    simulator = Simulator(town)
    with pytest.raises(TownError) as error:
        simulator.set_demand(junction, rate)
    assert str(error.value).startswith(told)
    simulator.run(60)


# --- The default town


@pytest.fixture(scope="module")
def days():
    """Four simulated hours, two days, of the default town, by the minute: (density, wanting in, waiting)."""
    simulator = Simulator(Town.grid(10, 10))
    densities, generated, waiting = [], [], []
    for _ in range(240):
        before = simulator.engine.generated
        simulator.run(60)
        densities.append(simulator.engine.vehicles / simulator.town.length)
        generated.append(simulator.engine.generated - before)
        waiting.append(simulator.stats()["waiting"])
    return np.array(densities), np.array(generated), np.array(waiting)


def test_the_default_town_never_gridlocks(days):
    densities, _, waiting = days
    assert np.median(densities, axis=1).max() < 0.03
    assert densities.max() <= 0.125
    # A gridlock is a few rings of full streets, and leaves the median low; but it keeps everybody outside.
    assert waiting.max() < 100
    assert waiting[[119, 239]] == pytest.approx(0, abs=1)
    # The town recovers: the second day ends as the first did, not fuller.
    inside = densities.sum(axis=1)
    assert inside[239] == pytest.approx(inside[119], rel=0.05)


def test_some_streets_of_the_default_town_jam_and_clear_again(days):
    worst = days[0].max(axis=1)
    assert (worst > 0.05).sum() >= 10
    assert (worst[20:] < 0.04).sum() >= 10


def test_demand_in_the_default_town_rises_and_falls(days):
    densities, generated, _ = days
    assert generated.max() > 3 * generated.min()
    steps = np.sign(np.diff(generated))
    assert min((steps > 0).sum(), (steps < 0).sum()) > 80
    inside = densities.sum(axis=1)
    assert inside[10:].max() > 2 * inside[10:].min()


@pytest.mark.parametrize("cells", [0, -1, 1001])
def test_no_or_too_many_cells_are_refused(town, cells):
    with pytest.raises(ValueError, match=f"cells must be from 1 to 1000, not {cells}"):
        Simulator(town, cells=cells)
