import pytest

from radiod.core.promises import Later, after
from radiod.errors import PeerError, Refused

ERROR = Refused("test.error", "no")


def outcome_of(later):
    seen = []
    later.then(seen.append)
    return seen


def test_a_callback_gets_what_comes_later():
    later = Later()
    seen = outcome_of(later)
    assert seen == []
    later.settle(7)
    assert seen == [7]


def test_a_callback_gets_at_once_what_has_come():
    later = Later()
    later.settle(7)
    assert outcome_of(later) == [7]


def test_only_the_first_outcome_counts():
    later = Later()
    later.settle(1)
    later.settle(2)
    assert outcome_of(later) == [1]
    later.settle(3)


def test_after_takes_the_step_at_once_with_a_value_that_is_known():
    assert after(3, lambda value: value + 1) == 4


def test_after_raises_what_the_step_raises_when_the_value_is_known():
    def step(value):
        raise ERROR

    with pytest.raises(Refused):
        after(3, step)


def test_after_takes_the_step_when_the_value_comes():
    later = Later()
    seen = outcome_of(after(later, lambda value: value + 1))
    later.settle(3)
    assert seen == [4]


def test_after_waits_for_a_step_that_waits():
    first, second = Later(), Later()
    seen = outcome_of(after(first, lambda value: second))
    first.settle(1)
    assert seen == []
    second.settle(2)
    assert seen == [2]


def test_an_error_skips_the_step():
    later = Later()
    seen = outcome_of(after(later, lambda value: pytest.fail("taken")))
    later.settle(ERROR)
    assert seen == [ERROR]


def test_an_error_in_the_step_is_the_outcome():
    later = Later()
    error = PeerError("no")

    def step(value):
        raise error

    seen = outcome_of(after(later, step))
    later.settle(1)
    assert seen == [error]
