"""Rights that change while a session is open: what it may not have any more is taken away, and told."""

import pytest
from support.realms import NO, YES, Slow

from radiod.core.rates import RateLimit
from radiod.core.rights import Action
from radiod.errors import NOT_AUTHORIZED, RATE_LIMITED
from radiod.testing import ALLOW_ALL, ALLOW_NONE, Allow

UNSUBSCRIBED, UNREGISTERED = 35, 67


def revise(world, client, permissions):
    world.realm.revision.revise(client.session, permissions)


def test_the_next_message_is_under_the_new_rights(world):
    alice = world.join()
    revise(world, alice, Allow(Action.CALL))
    assert alice.answer(32, {}, "a")[4] == NOT_AUTHORIZED
    revise(world, alice, ALLOW_ALL)
    assert alice.answer(32, {}, "a")[0] == 33


def test_who_is_who_does_not_change(world):
    alice = world.join("alice", "writer")
    revise(world, alice, ALLOW_NONE)
    principal = alice.session.principal
    assert (principal.authid, principal.authrole, principal.permissions) == ("alice", "writer", ALLOW_NONE)


def test_subscriptions_that_are_not_allowed_any_more_end_and_the_others_go_on(world):
    alice, bob = world.join(is_revocable=True), world.join()
    lost, kept = alice.subscribe("a"), alice.subscribe("b")
    alice.received()
    revise(world, alice, Allow(*Action, hidden={"a"}))
    assert alice.received() == [[UNSUBSCRIBED, 0, {"subscription": lost, "reason": NOT_AUTHORIZED}]]
    assert list(alice.subscriptions) == [kept]
    bob.request(16, {}, "a", [1])
    bob.request(16, {}, "b", [2])
    assert [event[1] for event in alice.received()] == [kept]


def test_a_listener_that_speaks_no_wamp_is_told_by_its_end(world):
    alice = world.join()
    listener = world.realm.gateway.listen(alice.session, "a")
    revise(world, alice, ALLOW_NONE)
    assert world.outbox.ended == [(alice.session, listener.subscription.id, NOT_AUTHORIZED)]


def test_registrations_that_are_not_allowed_any_more_end(world):
    callee, caller = world.join(is_revocable=True), world.join()
    lost, kept = callee.register("p"), callee.register("q")
    callee.received()
    revise(world, callee, Allow(*Action, hidden={"p"}))
    assert callee.received() == [[UNREGISTERED, 0, {"registration": lost, "reason": NOT_AUTHORIZED}]]
    assert list(callee.registrations) == [kept]
    assert caller.answer(48, {}, "p")[4] == "wamp.error.no_such_procedure"


def test_what_it_opened_for_writing_is_closed(world):
    alice = world.join()
    for topic in ("a", "b"):
        alice.call("radiod.channel.open_write", topic)
    revise(world, alice, Allow(*Action, hidden={"a"}))
    assert [topic.topic for topic in world.realm.writers.opened(alice.session)] == ["b"]


def test_the_limit_of_its_rate_is_that_of_the_new_rights(world):
    alice = world.join()
    revise(world, alice, Allow(*Action, rate_limit=RateLimit(1.0, 1)))
    assert alice.answer(32, {}, "a")[0] == 33
    assert alice.answer(32, {}, "b")[4] == RATE_LIMITED
    revise(world, alice, ALLOW_ALL)
    assert alice.answer(32, {}, "b")[0] == 33


class TestRightsThatAreAskedFor:
    """By an authorizer, which takes its time."""

    @pytest.fixture
    def alice(self, world):
        alice = world.join()
        alice.subscribe("a")
        return alice

    def test_end_what_is_refused_when_that_is_known(self, world, alice):
        slow = Slow(Action.SUBSCRIBE)
        revise(world, alice, slow)
        assert len(alice.subscriptions) == 1
        slow.settle(NO)
        assert len(alice.subscriptions) == 0

    def test_leave_what_is_allowed(self, world, alice):
        slow = Slow(Action.SUBSCRIBE)
        revise(world, alice, slow)
        slow.settle(YES)
        assert len(alice.subscriptions) == 1

    def test_count_for_nothing_once_they_have_changed_again(self, world, alice):
        slow = Slow(Action.SUBSCRIBE)
        revise(world, alice, slow)
        revise(world, alice, ALLOW_ALL)
        slow.settle(NO)
        assert len(alice.subscriptions) == 1

    @pytest.mark.parametrize("end", ["unsubscribe", "leave"])
    def test_come_too_late_for_what_has_ended(self, world, alice, end):
        slow = Slow(Action.SUBSCRIBE)
        revise(world, alice, slow)
        if end == "leave":
            alice.leave()
        else:
            alice.request(34, next(iter(alice.subscriptions)))
        slow.settle(NO)
        assert len(world.realm.subscriptions) == 0

    def test_come_too_late_for_what_is_registered_no_more(self, world):
        callee = world.join()
        id = callee.register("p")
        slow = Slow(Action.REGISTER)
        revise(world, callee, slow)
        callee.request(66, id)
        slow.settle(NO)
        assert len(world.realm.dealer) == 0
