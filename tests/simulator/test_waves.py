"""Green waves: bands that are as wide as they can be."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.waves import band, both_ways, one_way


def test_one_way_green_travels_with_the_vehicles():
    travel = np.array([0.3, 0.5, 1.7])
    assert one_way(travel) == pytest.approx([0, 0.2, 1.4])
    green = np.array([0.5, 0.4, 0.45])
    assert band(travel, one_way(travel) % 1, green) == pytest.approx(0.4)


def test_a_band_is_what_all_lights_have_in_common():
    still = np.zeros(2)
    assert band(still, np.array([0.0, 0.25]), np.array([0.5, 0.5])) == pytest.approx(0.25)
    assert band(still, np.array([0.0, 0.5]), np.array([0.5, 0.5])) == pytest.approx(0)
    assert band(still, np.array([0.9, 0.0]), np.array([0.2, 0.5])) == pytest.approx(0.1)


@pytest.mark.parametrize(("apart", "width"), [(0.5, 0.5), (1.0, 0.5), (0.25, 0.25), (0.125, 0.375)])
def test_both_ways_two_lights_are_as_good_as_their_distance_allows(apart, width):
    travel, green = np.array([0.0, apart]), np.array([0.5, 0.5])
    assert widths(travel, green, both_ways(travel, green)) == pytest.approx([width, width])


def widths(travel, green, middle):
    """The bands one way and the other."""
    begin = (middle - green / 2) % 1
    back = (travel.max() - travel)[::-1]
    return band(travel, begin, green), band(back, begin[::-1], green[::-1])


lights = st.lists(st.tuples(st.floats(0, 0.9), st.floats(0.2, 0.8)), min_size=2, max_size=6)


@settings(max_examples=50)
@given(lights)
def test_both_ways_no_other_choice_of_halves_is_wider(lights):
    travel = np.cumsum([light[0] for light in lights])
    green = np.array([light[1] for light in lights])
    one, other = widths(travel, green, both_ways(travel, green))
    assert one == pytest.approx(other, abs=1e-6)
    best = max(
        min(widths(travel, green, np.array([0.0, *halves])))
        for halves in itertools.product([0.0, 0.5], repeat=len(lights) - 1)
    )
    assert one == pytest.approx(best, abs=1e-6)
