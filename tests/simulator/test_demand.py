"""Demand: two humps a day, or the same for ever."""

import numpy as np
import pytest

from simulator.demand import Demand
from simulator.errors import TownError

DAY = 7200.0


def day(demand):
    """(240, O) rates over one day."""
    return np.array([demand.rates(time) for time in np.linspace(0, DAY, 240, endpoint=False)])


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
