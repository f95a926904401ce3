"""Arguments of asking who listens; the rest is in the tests of presence."""

import pytest

from radiod.errors import INVALID_ARGUMENT, NO_SUCH_CHANNEL

GET = "radiod.presence.get"


@pytest.fixture
def caller(world):
    caller = world.caller("ann")
    caller.call("radiod.channel.create", "a", presence=True)
    caller.subscribe("a")
    return caller


def test_answers_by_position_or_keyword(caller):
    answer = {"name": "a", "users": {"ann": 1}, "count": 1, "total": 1, "next": None}
    assert caller.call(GET, "a", 10, None) == caller.call(GET, after=None, limit=10, name="a") == answer
    assert caller.call(GET, "a", after="ann")["users"] == {}


@pytest.mark.parametrize("arguments", [{"name": 1}, {"limit": 0}, {"limit": True}, {"after": 1}])
def test_wrong_arguments_are_refused(caller, arguments):
    assert caller.call(GET, **{"name": "a", **arguments}) == INVALID_ARGUMENT


def test_an_unknown_channel_is_refused(caller):
    assert caller.call(GET, "b") == NO_SUCH_CHANNEL
