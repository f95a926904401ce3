"""``wamp.subscription.get_events`` where somebody else's node has the subscription."""

import pytest
from support.cluster.desks import DeskWorld

from radiod.core.history.bounds import HistoryBounds
from radiod.core.rights import Action
from radiod.errors import HISTORY_UNAVAILABLE, INVALID_ARGUMENT, NO_SUCH_SUBSCRIPTION, NOT_AUTHORIZED
from radiod.testing import Allow

GET_EVENTS = "wamp.subscription.get_events"
LOOKUP = "wamp.subscription.lookup"
KEEP = HistoryBounds(size=5, seconds=1000.0, bytes=10_000)


@pytest.fixture
def world():
    world = DeskWorld("a", "b", "c")
    for name in "abc":
        world[name].realm.space.histories.keep("kept.", KEEP)
    world.listener("b", "kept.song")
    world.listener("b", "kept", match="prefix")
    publisher = world.caller("b")
    for topic, number in (("kept.song", 1), ("kept.tune", 2), ("kept.song", 3)):
        assert publisher.ask(16, {"acknowledge": True}, topic, [number])[0] == 17
    return world


def numbers(caller, subscription, **filters):
    """What is told of a subscription: the first argument of each event."""
    answer = caller.ask(48, {}, GET_EVENTS, [subscription], filters)
    assert answer[0] == 50, answer
    assert {event["subscription"] for event in answer[3]} <= {subscription}
    return [event["args"][0] for event in answer[3]]


@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_every_node_has_them(world, name):
    caller = world.caller(name)
    assert numbers(caller, caller.do(LOOKUP, "kept.song")) == [1, 3]
    assert numbers(caller, caller.do(LOOKUP, "kept.song"), reverse=True, limit=1) == [3]


def test_of_a_pattern_only_those_where_it_is_listened_to(world):
    pattern = world.caller("a").do(LOOKUP, "kept", {"match": "prefix"})
    assert numbers(world.caller("b"), pattern) == [1, 2, 3]
    # What there is of it nobody has read here.
    assert world.caller("a").do(GET_EVENTS, pattern) == NO_SUCH_SUBSCRIPTION


def test_what_nobody_listens_to_or_keeps_is_refused(world):
    caller = world.caller("a")
    assert caller.do(GET_EVENTS, 17) == NO_SUCH_SUBSCRIPTION
    world.listener("b", "not.kept")
    assert caller.do(GET_EVENTS, caller.do(LOOKUP, "not.kept")) == HISTORY_UNAVAILABLE
    assert caller.do(GET_EVENTS, caller.do(LOOKUP, "kept.song"), limit=0) == INVALID_ARGUMENT


def test_rights_are_those_of_the_caller(world):
    id = world.caller("a").do(LOOKUP, "kept.song")
    assert world.caller("a", permissions=Allow(*Action, hidden=["kept.song"])).do(GET_EVENTS, id) == (
        NO_SUCH_SUBSCRIPTION
    )
    assert (
        world.caller("a", permissions=Allow(Action.CALL, Action.PUBLISH)).do(GET_EVENTS, id) == NOT_AUTHORIZED
    )
