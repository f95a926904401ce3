"""What is asked about subscriptions is asked of all nodes."""

import pytest
from support.cluster.desks import DeskWorld

from radiod.core.cluster import subscription_procedures
from radiod.core.rights import Action
from radiod.errors import INVALID_ARGUMENT, NO_SUCH_SESSION, NO_SUCH_SUBSCRIPTION
from radiod.testing import Allow

S = "wamp.subscription"


@pytest.fixture
def world():
    return DeskWorld("a", "b", "c")


@pytest.fixture
def listeners(world):
    """Two on b and one on c, of the same; one of a pattern on b."""
    found = [world.listener(name, "song") for name in "bbc"]
    world.listener("b", "song", match="prefix")
    return found


@pytest.fixture
def asker(world):
    return world.caller("a", "asker")


@pytest.fixture
def id(asker, listeners):
    return asker.do(f"{S}.lookup", "song")


def test_one_is_found_wherever_it_is(asker, id, listeners, world):
    assert world.caller("b").do(f"{S}.lookup", "song") == id
    assert asker.do(f"{S}.lookup", "other") is None
    assert asker.do(f"{S}.lookup", "song", {"match": "wildcard"}) is None


def test_all_are_listed_once(asker, id, listeners, world):
    pattern = asker.do(f"{S}.lookup", "song", {"match": "prefix"})
    wanted = {"exact": [id], "prefix": [pattern], "wildcard": []}
    assert asker.do(f"{S}.list") == wanted
    world.listener("a", "song")
    assert asker.do(f"{S}.list") == wanted
    assert sorted(asker.do(f"{S}.match", "song")) == sorted([id, pattern])
    assert asker.do(f"{S}.match", "nothing") is None


def test_one_is_described_as_the_first_node_has_it(asker, id, world):
    first = asker.do(f"{S}.get", id)
    assert (first["id"], first["uri"], first["match"]) == (id, "song", "exact")
    world.advance(5)
    world.listener("a", "song")
    assert asker.do(f"{S}.get", id) == first


def test_subscribers_are_those_of_all_nodes(asker, id, listeners, world):
    own = world.listener("a", "song")
    assert sorted(asker.do(f"{S}.list_subscribers", id)) == sorted(one.id for one in [own, *listeners])
    assert asker.do(f"{S}.count_subscribers", id) == 4
    own.leave()
    assert sorted(asker.do(f"{S}.list_subscribers", id)) == sorted(one.id for one in listeners)
    assert asker.do(f"{S}.count_subscribers", id) == 3


def test_one_that_nobody_has_is_refused(asker):
    for name in ("get", "list_subscribers", "count_subscribers"):
        assert asker.do(f"{S}.{name}", 17) == NO_SUCH_SUBSCRIPTION
        assert asker.do(f"{S}.{name}", "text") == INVALID_ARGUMENT


def test_what_somebody_may_not_know_of_is_not_there(world, id):
    blind = world.caller("a", permissions=Allow(*Action, hidden=["song"]))
    assert blind.do(f"{S}.list") == {"exact": [], "prefix": [], "wildcard": []}
    assert blind.do(f"{S}.lookup", "song") is None
    assert blind.do(f"{S}.match", "song") is None
    for name in ("get", "list_subscribers", "count_subscribers"):
        assert blind.do(f"{S}.{name}", id) == NO_SUCH_SUBSCRIPTION
    assert blind.do(f"{S}.remove_subscriber", id, 5) == NO_SUCH_SUBSCRIPTION


class TestTakingAway:
    def test_reaches_any_node(self, world, asker, id, listeners):
        assert asker.do(f"{S}.remove_subscriber", id, listeners[0].id) is None
        assert sorted(asker.do(f"{S}.list_subscribers", id)) == sorted(one.id for one in listeners[1:])

    def test_of_a_session_of_this_node_is_done_here(self, world, asker, id):
        own = world.listener("a", "song")
        assert asker.do(f"{S}.remove_subscriber", id, own.id) is None
        assert asker.do(f"{S}.remove_subscriber", id, asker.id) == NO_SUCH_SUBSCRIPTION

    def test_from_nobody_is_refused(self, asker, id):
        assert asker.do(f"{S}.remove_subscriber", id, 17) == NO_SUCH_SESSION

    def test_from_a_session_that_does_not_have_it_is_refused_on_any_node(self, world, asker, id):
        elsewhere = world.caller("b")
        assert asker.do(f"{S}.remove_subscriber", id, elsewhere.id) == NO_SUCH_SUBSCRIPTION
        own = world.listener("a", "tune")
        only_here = asker.do(f"{S}.lookup", "tune")
        assert asker.do(f"{S}.remove_subscriber", only_here, elsewhere.id) == NO_SUCH_SUBSCRIPTION
        assert asker.do(f"{S}.list_subscribers", only_here) == [own.id]


def test_who_does_not_answer_is_named(world, asker, id):
    world.cut("a", "b")
    asker.request(48, {}, f"{S}.count_subscribers", [id])
    world.advance(5)
    (answer,) = asker.received()
    assert answer[3:] == [[1], {"unanswered": ["b"]}]
    asker.request(48, {}, f"{S}.get", [17])
    world.advance(5)
    (answer,) = asker.received()
    assert "b did not answer" in answer[5][0]


@pytest.mark.interpreted
def test_who_has_too_many_to_list_is_named(world, asker, id, monkeypatch):
    monkeypatch.setattr(subscription_procedures, "MAX_LISTED", 1)
    asker.request(48, {}, f"{S}.list", [])
    world.turn()
    (answer,) = asker.received()
    assert answer[3:] == [[{"exact": [id], "prefix": [], "wildcard": []}], {"unanswered": ["b"]}]


def test_many_go_in_several_letters(world, asker):
    listener = world.caller("b")
    for number in range(700):
        listener.request(32, {}, f"{'a.very.long.name' * 4}.{number}")
    world.advance(5)
    listener.received()
    before = world.engine.ports["a"].sent
    assert len(asker.do(f"{S}.list")["exact"]) == 700
    assert world.engine.ports["a"].sent >= before + 3
