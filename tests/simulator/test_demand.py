"""Demand: two humps a day, or the same for ever."""

import numpy as np
import pytest

from simulator.demand import Demand, DemandTable
from simulator.errors import TownError

DAY = 7200.0


def day(demand):
    """(240, O) rates over one day."""
    return np.array([demand.rates(time) for time in np.linspace(0, DAY, 240, endpoint=False)])


def test_rates_are_the_same_asked_for_one_time_or_for_many():
    demand, times = Demand(37, seed=3), np.arange(500) * 0.7
    assert (demand.rates_at(times) == [demand.rates(time) for time in times.tolist()]).all()


def test_rates_stay_between_low_and_high_times_the_origins_level():
    rates = day(Demand(50, level=0.2, low=0.25, high=1.0))
    assert rates.min() >= 0.2 * 0.6 * 0.25
    assert rates.max() <= 0.2 * 1.4
    assert rates.max() > 3 * rates.min()


def test_a_day_has_two_humps_and_the_second_is_another_height():
    total = day(Demand(50)).sum(axis=1)
    peaks = [n for n in range(240) if total[n] > total[n - 1] and total[n] >= total[(n + 1) % 240]]
    assert len(peaks) == 2
    assert abs(total[peaks[0]] - total[peaks[1]]) > 0.1 * total.max()


def test_days_repeat():
    demand = Demand(10)
    assert demand.rates(1234.0) == pytest.approx(demand.rates(1234.0 + 5 * DAY))


def test_origins_differ_and_come_from_the_seed():
    first, again, other = (Demand(10, seed=seed).rates(600.0) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).all()
    assert len(set(first.tolist())) == 10


def test_constant_demand_never_changes():
    demand = Demand.constant(np.array([0.1, 0.0, 0.5]))
    assert demand.rates(0.0) == pytest.approx([0.1, 0.0, 0.5])
    assert demand.rates(5000.0) == pytest.approx([0.1, 0.0, 0.5])


@pytest.mark.parametrize("rate", [float("nan"), float("inf"), -0.1])
def test_constant_rates_that_cannot_be_are_refused(rate):
    with pytest.raises(
        TownError, match=f"^demand: rates: number 1 is {rate:g}, not a finite number of at least 0"
    ):
        Demand.constant(np.array([0.1, rate]))


def test_one_number_is_no_list_of_rates():
    with pytest.raises(TownError, match=r"^demand: rates: not a list of numbers"):
        Demand.constant(0.1)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"level": -1.0}, "demand: level is -1"),
        ({"low": float("nan")}, "demand: low is nan"),
        ({"high": float("inf")}, "demand: high is inf"),
        ({"day": 0.0}, "demand: day is 0"),
        ({"day": float("nan")}, "demand: day is nan"),
        ({"origins": -1}, "demand: -1 origins"),
    ],
)
def test_a_day_that_cannot_be_is_refused(changes, text):
    with pytest.raises(TownError, match=f"^{text}"):
        Demand(**{"origins": 3, **changes})


def test_each_origin_may_have_a_level_of_its_own():
    rates = Demand(3, level=np.array([0.0, 1.0, 10.0]), low=1.0, seed=3).rates(0.0)
    assert rates[0] == 0
    assert 0.6 <= rates[1] <= 1.4
    assert 6 <= rates[2] <= 14


@pytest.mark.parametrize("level", [[0.1], [0.1, -1.0], [0.1, np.nan]])
def test_levels_that_cannot_be_are_refused(level):
    with pytest.raises(TownError, match=r"^demand: "):
        Demand(2, level=np.array(level))


# --- Tables


def test_a_table_holds_from_a_rows_begin_to_its_end():
    table = DemandTable(2, [(0, 0.0, 60.0, 0.5), (0, 30.0, 90.0, 0.25), (1, 10.0, 20.0, 1.0)])
    rates = {time: table.rates(time).tolist() for time in (-1, 0, 9.9, 10, 20, 30, 60, 90, 0)}
    assert rates == {
        **{-1: [0, 0], 0: [0.5, 0], 9.9: [0.5, 0], 10: [0.5, 1], 20: [0.5, 0]},
        **{30: [0.75, 0], 60: [0.25, 0], 90: [0, 0]},
    }


def test_a_table_without_rows_is_no_demand():
    assert DemandTable(2, []).rates(5.0).tolist() == [0, 0]


@pytest.mark.parametrize(
    "row", [(2, 0, 1, 1), (-1, 0, 1, 1), (0, np.nan, 1, 1), (0, 0, np.inf, 1), (0, 0, 1, -1)]
)
def test_a_table_that_cannot_be_is_refused(row):
    with pytest.raises(TownError, match=r"^demand: "):
        DemandTable(2, [row])


def test_a_table_may_begin_again_every_day():
    table = DemandTable(1, [(0, 10.0, 20.0, 0.5)], day=60.0)
    assert [table.rates(time)[0] for time in (5, 10, 19, 20, 65, 70, 6015)] == [0, 0.5, 0.5, 0, 0, 0.5, 0.5]


def test_rates_by_the_time_of_day():
    table = DemandTable.by_time([10.0, 20.0], [[0.1, 0.0], [0.2, 0.3]])
    assert [table.rates(time).tolist() for time in (0, 10, 20, 1e9)] == [
        [0, 0],
        [0.1, 0],
        [0.2, 0.3],
        [0.2, 0.3],
    ]
    daily = DemandTable.by_time([10.0, 20.0], [[0.1, 0.0], [0.2, 0.3]], day=30.0)
    assert [daily.rates(time).tolist()[0] for time in (0, 9, 10, 20, 31, 40)] == [
        0.2,
        0.2,
        0.1,
        0.2,
        0.2,
        0.1,
    ]


@pytest.mark.parametrize(
    ("times", "rates", "day", "told"),
    [
        ([0.0, 0.0], [[1.0], [1.0]], np.inf, "demand: times of a table ascend"),
        ([], [], np.inf, "demand: times of a table ascend, and there is at least one"),
        ([0.0, np.nan], [[1.0], [1.0]], np.inf, "demand: times: number 1 is nan"),
        ([0.0, 60.0], [[1.0], [1.0]], 60.0, "demand: a time of 60 s in a day of 60 s"),
        ([0.0], [[1.0], [1.0]], np.inf, "demand: 2 rows of rates for 1 times"),
        ([0.0], [[-1.0]], np.inf, "demand: rates: number 0 is -1"),
        ([0.0, 1.0], [[1.0], [1.0, 2.0]], np.inf, "demand: rates: not one for each origin in every row"),
        ([0.0], [[1.0]], -5.0, "demand: a time of 0 s in a day of -5 s"),
    ],
)
def test_rates_by_time_that_cannot_be_are_refused(times, rates, day, told):
    with pytest.raises(TownError) as error:
        DemandTable.by_time(times, rates, day)
    assert str(error.value).startswith(told)


@pytest.mark.parametrize("day", [0.0, -1.0, np.nan])
def test_a_day_that_is_none_is_refused(day):
    with pytest.raises(TownError, match=r"^demand: day is "):
        DemandTable(1, [], day=day)
