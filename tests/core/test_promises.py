import pytest

from radiod.core.promises import Promise, chain
from radiod.errors import PeerError, Refused

ERROR = Refused("test.error", "no")


def outcome_of(later):
    seen = []
    later.then(seen.append)
    return seen


def test_a_callback_gets_what_comes_later():
    later = Promise()
    seen = outcome_of(later)
    assert seen == []
    later.settle(7)
    assert seen == [7]


def test_a_callback_gets_at_once_what_has_come():
    later = Promise()
    later.settle(7)
    assert outcome_of(later) == [7]


def test_only_the_first_outcome_counts():
    later = Promise()
    later.settle(1)
    later.settle(2)
    assert outcome_of(later) == [1]
    later.settle(3)


def test_a_chain_takes_the_step_at_once_with_a_value_that_is_known():
    assert chain(3, lambda value: value + 1) == 4


def test_a_chain_raises_what_the_step_raises_when_the_value_is_known():
    def step(value):
        raise ERROR

    with pytest.raises(Refused):
        chain(3, step)


def test_a_chain_takes_the_step_when_the_value_comes():
    later = Promise()
    seen = outcome_of(chain(later, lambda value: value + 1))
    later.settle(3)
    assert seen == [4]


def test_a_chain_waits_for_a_step_that_waits():
    first, second = Promise(), Promise()
    seen = outcome_of(chain(first, lambda value: second))
    first.settle(1)
    assert seen == []
    second.settle(2)
    assert seen == [2]


def test_an_error_skips_the_step():
    later = Promise()
    seen = outcome_of(chain(later, lambda value: pytest.fail("taken")))
    later.settle(ERROR)
    assert seen == [ERROR]


def test_an_error_in_the_step_is_the_outcome():
    later = Promise()
    error = PeerError("no")

    def step(value):
        raise error

    seen = outcome_of(chain(later, step))
    later.settle(1)
    assert seen == [error]
