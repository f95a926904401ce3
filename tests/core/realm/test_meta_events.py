"""WAMP's meta events, one by one: which are told, in which order, to whom, and what causes none."""

import pytest

from radiod.core.rights import Action
from radiod.testing import ALLOW_ALL, Allow, Peer
from radiod.wire.options import RegisterOptions, SubscribeOptions

SUBSCRIPTION = [f"wamp.subscription.on_{what}" for what in ("create", "subscribe", "unsubscribe", "delete")]
REGISTRATION = [f"wamp.registration.on_{what}" for what in ("create", "register", "unregister", "delete")]
CREATED, ADDED, REMOVED, DELETED = range(4)


@pytest.fixture
def events(world):
    return world.realm.events


def subscribe(session, broker, topic="a", match="exact"):
    return broker.subscribe(session, topic, SubscribeOptions(match=match)).subscription


class TestSessions:
    def test_that_join_are_described_without_anything_private(self, world, events):
        watcher = world.watch("wamp.session.on_join")
        alice = world.join("alice", "member", agent="a secret agent")
        described = {
            "session": alice.id,
            "authid": "alice",
            "authrole": "member",
            "authmethod": "anonymous",
            "authprovider": "static",
        }
        assert watcher.told() == [("wamp.session.on_join", described)]

    def test_that_leave_are_named(self, world, events, alice):
        watcher = world.watch("wamp.session.on_leave")
        events.left(alice.session)
        assert watcher.told() == [("wamp.session.on_leave", alice.id, "alice", "tester")]


class TestSubscriptions:
    def test_are_created_before_their_first_session_is_added(self, world, events, alice):
        watcher = world.watch(*SUBSCRIPTION)
        subscription = subscribe(alice.session, world.realm.space.broker, "a.", "prefix")
        events.subscribed(alice.session, subscription, True)
        (created, session, described), added = watcher.told()
        assert (created, session) == (SUBSCRIPTION[CREATED], alice.id)
        assert (described["id"], described["uri"], described["match"]) == (subscription.id, "a.", "prefix")
        assert added == (SUBSCRIPTION[ADDED], alice.id, subscription.id)

    def test_that_are_there_get_one_more(self, world, events, alice):
        watcher = world.watch(*SUBSCRIPTION)
        subscription = subscribe(alice.session, world.realm.space.broker)
        events.subscribed(alice.session, subscription, False)
        assert watcher.told() == [(SUBSCRIPTION[ADDED], alice.id, subscription.id)]

    def test_are_deleted_after_their_last_session_was_removed(self, world, events, alice, bob):
        broker = world.realm.space.broker
        subscription = subscribe(alice.session, broker)
        subscribe(bob.session, broker)
        watcher = world.watch(*SUBSCRIPTION)
        for client in (alice, bob):
            broker.unsubscribe(client.session, subscription)
            events.unsubscribed(client.session, subscription)
        assert watcher.told() == [
            (SUBSCRIPTION[REMOVED], alice.id, subscription.id),
            (SUBSCRIPTION[REMOVED], bob.id, subscription.id),
            (SUBSCRIPTION[DELETED], bob.id, subscription.id),
        ]

    @pytest.mark.parametrize(
        ("topic", "match"),
        [("wamp.subscription.on_create", "exact"), ("radiod.presence.a", "exact"), ("wamp.", "prefix")],
    )
    def test_to_what_the_router_says_cause_none(self, world, alice, topic, match):
        watcher = world.watch(*SUBSCRIPTION)
        id = alice.subscribe(topic, match=match)
        alice.answer(34, id)
        alice.received()
        assert watcher.told() == []

    def test_of_private_channels_cause_none(self, world, alice):
        world.realm.lifecycle.declare("a", key="secret")
        watcher = world.watch(*SUBSCRIPTION)
        alice.subscribe("a", _radiod_key="secret")
        alice.leave()
        assert watcher.told() == []

    def test_are_told_to_those_who_may_know_of_the_topic(self, world, alice):
        watchers = [
            world.join(permissions=permissions)
            for permissions in (ALLOW_ALL, Allow(*Action, hidden=["a.secret"]))
        ]
        for watcher in watchers:
            watcher.subscribe("wamp.subscription.on_subscribe")
        alice.subscribe("a.secret")
        id = alice.subscribe("a.open")
        assert [len(watchers[0].received()), [event[4] for event in watchers[1].received()]] == [
            2,
            [[alice.id, id]],
        ]


class TestRegistrations:
    def test_are_created_first_and_deleted_last(self, world, alice, bob):
        watcher = world.watch(*REGISTRATION)
        id = alice.register("p", invoke="roundrobin")
        bob.register("p", invoke="roundrobin")
        alice.leave()
        bob.answer(66, id)
        created, *told = watcher.told()
        assert created[:2] == (REGISTRATION[CREATED], alice.id)
        assert (created[2]["id"], created[2]["uri"]) == (id, "p")
        assert told == [
            (REGISTRATION[ADDED], alice.id, id),
            (REGISTRATION[ADDED], bob.id, id),
            (REGISTRATION[REMOVED], alice.id, id),
            (REGISTRATION[REMOVED], bob.id, id),
            (REGISTRATION[DELETED], bob.id, id),
        ]

    def test_that_were_taken_over_end_for_all_their_callees(self, world, events, alice, bob):
        dealer, shared = world.realm.dealer, RegisterOptions(invoke="roundrobin")
        old = [dealer.registrations.add(client.session, "p", shared)[0] for client in (alice, bob)]
        assert old[0] is old[1]
        callees = [client.registrations[old[0].id] for client in (alice, bob)]
        watcher = world.watch(*REGISTRATION)
        events.taken_over(callees)
        assert watcher.told() == [
            (REGISTRATION[REMOVED], alice.id, old[0].id),
            (REGISTRATION[REMOVED], bob.id, old[0].id),
            (REGISTRATION[DELETED], bob.id, old[0].id),
        ]
        events.taken_over([])
        assert watcher.told() == []

    def test_are_told_to_those_who_may_call_or_register_the_procedure(self, world, alice):
        told = {}
        for name, permissions in {
            "may": Allow(Action.CALL, Action.SUBSCRIBE),
            "may not": Allow(Action.SUBSCRIBE),
        }.items():
            told[name] = world.join(permissions=permissions)
            told[name].subscribe("wamp.registration.on_register")
        id = alice.register("p")
        assert [event[4] for event in told["may"].received()] == [[alice.id, id]]
        assert told["may not"].received() == []


def test_nobody_is_told_of_another_realm(world):
    other = type(world)()
    watcher = other.watch("wamp.session.on_join")
    Peer(world.realm, world.outbox)
    assert watcher.told() == []
