"""Lists of ids: in order, chosen, by policy, and put together in steps."""

import pytest
from support.realms import World

from radiod.core.procedures.ids import ids, ids_by_policy, ids_of
from radiod.core.sessions.session import Session
from radiod.core.slices import IN_A_STEP
from radiod.testing import make_principal


def session(id):
    return Session(id, make_principal(), None)


def ended(work):
    """What the work returns, and how often it could be interrupted."""
    pauses = 0
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value, pauses
        pauses += 1


def test_are_in_the_order_of_the_things():
    things = [session(id) for id in (5, 3, 9)]
    assert ended(ids(things))[0] == [5, 3, 9]
    assert ended(ids(iter(things)))[0] == [5, 3, 9]
    assert ended(ids([])) == ([], 0)


def test_are_of_those_that_are_meant():
    things = [session(id) for id in range(6)]
    assert ended(ids(things, lambda one: one.id % 2 == 1))[0] == [1, 3, 5]
    assert ended(ids(things, lambda one: False))[0] == []


@pytest.mark.parametrize(
    ("count", "pauses"), [(1, 1), (IN_A_STEP, 1), (IN_A_STEP + 1, 2), (3 * IN_A_STEP, 3)]
)
def test_of_many_come_in_steps_whether_they_are_meant_or_not(count, pauses):
    things = [session(id) for id in range(count)]
    assert ended(ids(things)) == (list(range(count)), pauses)
    assert ended(ids(things, lambda one: False)) == ([], pauses)


def test_are_of_the_things_that_were_there_at_the_beginning():
    """Sessions come and go between two steps."""
    things = dict.fromkeys(session(id) for id in range(IN_A_STEP + 2))
    work = ids(things)
    next(work)
    things.popitem()
    things[session(7000)] = None
    assert ended(work)[0] == list(range(IN_A_STEP + 2))


def test_of_sessions_are_one_value():
    payload, _ = ended(ids_of(session(id) for id in (2, 1)))
    assert payload.values() == ([[2, 1]], {})
    assert ended(ids_of([]))[0].values() == ([[]], {})


class TestByPolicy:
    @pytest.fixture
    def realm(self):
        world = World()
        alice = world.join()
        for match, topic in (("exact", "b"), ("exact", "a"), ("prefix", "a"), ("wildcard", "a.")):
            alice.subscribe(topic, match=match)
            alice.register(topic, match=match)
        return world.realm

    @pytest.mark.parametrize("kind", ["subscriptions", "registrations"])
    def test_are_three_lists(self, realm, kind):
        of_policy = {
            "subscriptions": realm.space.broker.subscriptions,
            "registrations": realm.dealer.registrations.of_policy,
        }[kind]
        everything = {
            match: [one.id for one in of_policy(match)] for match in ("exact", "prefix", "wildcard")
        }
        assert [len(found) for found in everything.values()] == [2, 1, 1]
        payload, pauses = ended(ids_by_policy(of_policy, lambda one: True))
        assert (payload.values(), pauses) == (([everything], {}), 3)

    def test_are_of_those_that_are_meant(self, realm):
        broker = realm.space.broker
        meant = broker.lookup("exact", "a")
        payload, _ = ended(ids_by_policy(broker.subscriptions, lambda one: one is meant))
        assert payload.values() == ([{"exact": [meant.id], "prefix": [], "wildcard": []}], {})
