"""``Town.with_trips``: trips from junction to junction become ratios, origins and demand, by time too."""

import itertools

import numpy as np
import pytest

from simulator import Simulator, Town, TownError
from simulator.network import Street


def fork(capacity=0.55):
    """From A to C by way of B, or straight on a longer street; and on to D."""
    streets = [
        Street(id="ab", start="A", end="B", length=500.0, capacity=capacity),
        Street(id="bc", start="B", end="C", length=500.0, capacity=capacity),
        Street(id="ac", start="A", end="C", length=1250.0, capacity=capacity),
        Street(id="cd", start="C", end="D", length=500.0, capacity=1.1, jam_density=0.25),
        Street(id="x", start="X", end="B", length=500.0),
    ]
    return Town.from_streets(
        streets, {"x": {"bc": 1.0}}, {"X": {"x": 1.0}}, {"A": (0.0, 0.0), "D": (9.0, 9.0)}
    )


def ratios(town, ratio=None):
    """{feeder: {street: ratio}}."""
    names = [*town.street_ids, *(town.junction_ids[at] for at in town.origins)]
    found = {name: {} for name in names}
    values = town.ratio if ratio is None else ratio
    for feeder, to, value in zip(town.movement_from, town.movement_to, values, strict=True):
        found[names[feeder]][town.street_ids[to]] = value
    return found


def test_trips_make_turns_origins_and_demand():
    town = fork().with_trips({"A": {"C": 0.1, "D": 0.05, "B": 0.05}})
    assert ratios(town) == {
        **{"ab": {"bc": pytest.approx(0.75)}, "bc": {"cd": pytest.approx(1 / 3)}, "ac": {}, "cd": {}},
        **{"x": {"bc": 1.0}, "A": {"ab": pytest.approx(1.0)}},
    }
    assert [town.junction_ids[at] for at in town.origins] == ["A"]
    assert town.demand.rates(0.0).tolist() == pytest.approx([0.2])
    assert town.turns is None
    simulator = Simulator(town)
    assert simulator.demand is town.demand
    simulator.run(1800)
    assert simulator.counts()["left"][3] == pytest.approx(0.05 * (1800 - 4 * 36), rel=0.05)


def test_everything_else_of_the_town_stays():
    before = Town.blocks(4, 4)
    here, there = before.junction_ids[0], before.junction_ids[-1]
    town = before.with_trips({here: {there: 0.1}})
    for name in ("street_ids", "junction_ids", "repairs", "shapes", "where"):
        assert getattr(town, name) == getattr(before, name)
    for name in ("length", "speed", "wave", "capacity", "storage", "lanes", "positions", "start", "end"):
        assert (getattr(town, name) == getattr(before, name)).all()
    streets = len(before.street_ids)
    assert (town.priority[:streets] == before.priority[:streets]).all()


def test_trips_spread_as_streets_fill():
    few = ratios(fork().with_trips({"A": {"C": 0.01}}))
    many = ratios(fork().with_trips({"A": {"C": 1.5}}))
    assert few["A"] == {"ab": pytest.approx(1.0)}
    assert 0.2 < many["A"]["ac"] < 0.8


def test_the_logit_model_spreads_trips_that_few_make():
    town = fork().with_trips({"A": {"C": 0.001}}, paths="logit", spread=30.0)
    # The straight way takes 18 s longer.
    assert ratios(town)["A"]["ac"] == pytest.approx(1 / (1 + np.exp(18 / 30)), rel=1e-3)


TIMES = [0.0, 600.0]
HOURS = [{"A": {"C": 0.1}}, {"A": {"D": 0.2}, "X": {"C": 0.1}}]


def test_ratios_and_demand_change_with_the_time_of_day():
    town = fork().with_trips(HOURS, TIMES, day=1200.0)
    assert town.turns.day == 1200
    first, second = (ratios(town, row) for row in town.turns.ratios)
    assert (first["bc"]["cd"], second["bc"]["cd"]) == (pytest.approx(0), pytest.approx(2 / 3))
    # What nobody uses in one of the times turns as in all together.
    assert ratios(town)["bc"]["cd"] == pytest.approx(0.2 / 0.4)
    assert first["x"]["bc"] == pytest.approx(1)
    rates = {time: town.demand.rates(time).tolist() for time in (0, 599, 600, 1199, 1200, 1800)}
    assert rates[0] == rates[599] == rates[1200] == pytest.approx([0.1, 0.0])
    assert rates[600] == rates[1199] == rates[1800] == pytest.approx([0.2, 0.1])
    simulator = Simulator(town)
    simulator.run(600)
    assert simulator.counts()["entered"][3] == 0
    simulator.run(600)
    entered = simulator.counts()["entered"][3]
    assert entered > 40
    simulator.run(600)
    assert simulator.counts()["entered"][3] == pytest.approx(entered, abs=0.3)


def test_all_times_may_share_their_ratios():
    town = fork().with_trips(HOURS, TIMES, day=1200.0, by_time=False)
    assert town.turns is None
    assert ratios(town)["bc"]["cd"] == pytest.approx(0.2 / 0.4)
    assert town.demand.rates(0).tolist() == pytest.approx([0.1, 0.0])
    assert town.demand.rates(700).tolist() == pytest.approx([0.2, 0.1])


def test_the_last_time_holds_for_ever_where_days_do_not_repeat():
    town = fork().with_trips(HOURS, [300.0, 600.0])
    assert [town.turns.row(time) for time in (0, 299, 300, 600, 1e9)] == [0, 0, 0, 1, 1]
    assert [sum(town.demand.rates(time)) for time in (0, 300, 1e9)] == pytest.approx([0, 0.1, 0.3])


def test_a_day_that_begins_within_a_row():
    town = fork().with_trips(HOURS, [300.0, 600.0], day=900.0)
    assert [town.turns.row(time) for time in (0, 299, 300, 600, 900, 1200)] == [1, 1, 0, 1, 1, 0]
    assert [sum(town.demand.rates(time)) for time in (0, 300, 899, 901)] == pytest.approx(
        [0.3, 0.1, 0.3, 0.3]
    )


def test_trips_arrive_where_they_want():
    # Every origin's trips end at one junction of a grid; as many must leave there, and nowhere else.
    grid = Town.grid(4, 4, length=200.0)
    trips = {
        f"r{r}c{c}": {"r3c3": 0.02} for r, c in itertools.product(range(4), repeat=2) if (r, c) != (3, 3)
    }
    for paths in ("shortest", "logit"):
        simulator = Simulator(grid.with_trips(trips, paths=paths))
        simulator.run(1200)
        for junction in trips:
            simulator.set_demand(junction, 0.0)
        simulator.run(1200)
        stats = simulator.stats()
        assert stats["left"] == pytest.approx(15 * 0.02 * 1200, rel=1e-6)
        ends = simulator.town.end == simulator.town.junction_ids.index("r3c3")
        assert simulator.counts()["left"][ends].sum() == pytest.approx(stats["left"], rel=1e-6)


def test_trips_without_a_way_are_left_out_and_told():
    town = fork().with_trips({"A": {"C": 0.1, "A": 0.01}, "D": {"A": 0.02}})
    assert town.warnings[:2] == (
        "trips: 36 vehicles/h from A to A left out: it ends where it begins",
        "trips: 72 vehicles/h from D to A left out: no way leads there on streets",
    )
    assert town.demand.rates(0).tolist() == pytest.approx([0.1])


@pytest.mark.parametrize(
    ("trips", "options", "told"),
    [
        ({"A": {"M": 0.1}}, {}, "trips from A to M: M is no junction of the town"),
        ({"M": {"A": 0.1}}, {}, "trips from M to A: M is no junction of the town"),
        ({"A": {"C": -1}}, {}, "trips from A to C: their number is -1; it must be from 0"),
        ({"A": {"C": float("nan")}}, {}, "trips from A to C: their number is nan; it must be from 0"),
        ({"A": {"C": "x"}}, {}, "trips from A to C: their number is 'x', not a number"),
        ({}, {}, "trips: there are none"),
        ({"A": {"C": 0.0}}, {}, "trips: there are none"),
        ({"D": {"A": 0.1}}, {}, "trips: no way leads from where any of them starts to where it ends"),
        (HOURS, {}, "trips: 2 tables for 1 times"),
        (HOURS, {"times": [5.0, 5.0]}, "trips: times of a table ascend"),
        (HOURS, {"times": [0.0, 900.0], "day": 900.0}, "trips: a time of 900 s in a day of 900 s"),
        (HOURS, {"times": [-5.0, 5.0], "day": 900.0}, "trips: times: number 0 is -5"),
        ([], {"times": []}, "trips: times of a table ascend, and there is at least one"),
        ({"A": {"C": 0.1}}, {"paths": "scenic"}, "trips: no paths 'scenic'; there are shortest, logit"),
        ({"A": {"C": 0.1}}, {"paths": "logit", "spread": 0}, "trips: spread is 0; it must be from 0.001"),
    ],
)
def test_trips_that_cannot_be_are_refused(trips, options, told):
    with pytest.raises(TownError) as error:
        fork().with_trips(trips, **options)
    assert str(error.value).startswith(told)


@pytest.mark.parametrize(
    ("sinks", "told"),
    [
        ({"M": 0.1}, "sink at M: there is no such junction"),
        ({"C": -0.1}, "sink at C: its capacity is -0.1; it must be from 0 to inf"),
        ({"C": float("nan")}, "sink at C: its capacity is nan; it must be from 0"),
    ],
)
def test_sinks_that_cannot_be_are_refused(sinks, told):
    with pytest.raises(TownError) as error:
        fork().with_sinks(sinks)
    assert str(error.value).startswith(told)


def test_sinks_are_set_one_after_the_other():
    town = fork().with_sinks({"C": 0.1}).with_sinks({"D": 0.2})
    limits = dict(zip(town.junction_ids, town.sinks.tolist(), strict=True))
    assert (limits["C"], limits["D"], limits["A"]) == (0.1, 0.2, float("inf"))
    assert (town.with_trips({"A": {"C": 0.1}}).sinks == town.sinks).all()
