"""What is wrong, in one line."""

import numpy as np
import pytest

from simulator import TownError
from simulator.errors import numbers


def test_a_town_error_is_a_value_error():
    assert issubclass(TownError, ValueError)


def test_numbers_are_taken_as_a_copy():
    given = np.array([1.0, 2.0])
    taken = numbers("sizes", given)
    given[0] = 5.0
    assert taken.tolist() == [1, 2]
    assert numbers("sizes", []).tolist() == []


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([1.0, float("nan")], "sizes: number 1 is nan, not a finite number of at least 0"),
        ([-1.0], "sizes: number 0 is -1, not a finite number of at least 0"),
        ([float("-inf")], "sizes: number 0 is -inf, not a finite number of at least 0"),
        (1.0, "sizes: not a list of numbers, one for each"),
        ([[1.0]], "sizes: not a list of numbers, one for each"),
        (["many"], "sizes: not a list of numbers"),
        ([1.0, [2.0]], "sizes: not a list of numbers"),
        (None, "sizes: not a list of numbers, one for each"),
    ],
)
def test_what_is_no_list_of_numbers_is_refused(values, text):
    with pytest.raises(TownError, match=f"^{text}$"):
        numbers("sizes", values, 0.0)
