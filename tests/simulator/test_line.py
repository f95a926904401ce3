"""Lines of points that take no more memory than their numbers."""

import numpy as np
import pytest

from simulator.line import Line

POINTS = [(0.0, 1.5), (2.0, 3.0), (4.25, -5.0)]


@pytest.fixture
def line():
    return Line(np.array(POINTS))


def test_it_is_like_a_list_of_its_points(line):
    assert list(line) == POINTS
    assert (len(line), line[0], line[-1], line[1:], line[-2:]) == (
        3,
        POINTS[0],
        POINTS[2],
        POINTS[1:],
        POINTS[1:],
    )
    assert line == POINTS
    assert line == Line(np.array(POINTS))
    assert line != POINTS[:2]
    assert line != [*POINTS[:2], (0.0, 0.0)]
    assert line != 5
    assert hash(line) == hash(Line(np.array(POINTS)))
    assert all(type(number) is float for point in line for number in point)
    with pytest.raises(IndexError):
        line[3]


def test_the_way_back_shares_its_memory(line):
    assert line[::-1] == POINTS[::-1]
    assert np.shares_memory(line._xy, line[::-1]._xy)


def test_it_says_what_it_is(line):
    assert repr(line).startswith("Line([[")
