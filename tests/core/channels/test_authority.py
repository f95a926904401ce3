"""What the realm's authority does with other people's things, by its contract."""

import inspect

import pytest

from radiod.core.channels.authority import Authority
from radiod.core.realm.departures import Departures

GOODBYE, UNSUBSCRIBED, UNREGISTERED = 6, 35, 67
NAMES = ["kill", "revoke_subscription", "revoke_registration"]


@pytest.fixture
def authority(world):
    return world.realm.lifecycle.authority


@pytest.mark.parametrize("name", NAMES)
def test_departures_are_called_as_an_authority_is(name):
    theirs = inspect.signature(getattr(Departures, name))
    assert theirs == inspect.signature(getattr(Authority, name))


def test_the_realm_has_one(world, authority):
    assert authority is world.realm.departures


class TestKilling:
    def test_says_goodbye_and_ends_the_session_once(self, world, authority):
        victim, watcher = world.join("ann"), world.watch("wamp.session.on_leave")
        for _ in range(2):
            authority.kill(victim.session, "a.reason", {"message": "why"})
        assert victim.received() == [[GOODBYE, {"message": "why"}, "a.reason"]]
        assert watcher.told() == [("wamp.session.on_leave", victim.id, "ann", "tester")]
        assert world.outbox.is_closed(victim.session)
        assert victim.id not in world.realm.sessions

    def test_who_has_left_already_is_left_alone(self, world, authority):
        victim = world.join()
        victim.leave()
        authority.kill(victim.session, "a.reason", {})
        assert victim.received() == []
        assert not world.outbox.is_closed(victim.session)

    def test_where_all_are_ended_nobody_is_told(self, world, authority):
        victim, watcher = world.join(), world.watch("wamp.session.on_leave", "a")
        victim.call("wamp.session.add_testament", "a", ["bye"], {})
        authority.kill(victim.session, "a.reason", {}, is_everybody=True)
        assert victim.received() == [[GOODBYE, {}, "a.reason"]]
        assert watcher.told() == []


class TestRevoking:
    @pytest.mark.parametrize(("reason", "told"), [("why", {"reason": "why"}), ("", {}), (None, {})])
    def test_a_subscription_tells_who_asked_for_that(self, world, authority, reason, told):
        asked, silent = world.join(is_revocable=True), world.join()
        id = asked.subscribe("a")
        silent.subscribe("a")
        for client in (asked, silent):
            (subscription,) = world.realm.subscriptions.of(client.session).values()
            authority.revoke_subscription(client.session, subscription, reason)
            assert client.subscriptions == {}
        assert asked.received() == [[UNSUBSCRIBED, 0, {"subscription": id, **told}]]
        assert silent.received() == []
        assert len(world.realm.space.broker) == 0

    @pytest.mark.parametrize(("reason", "told"), [("why", {"reason": "why"}), ("", {}), (None, {})])
    def test_a_registration_tells_who_can_be_told(self, world, authority, reason, told):
        asked = world.join(is_revocable=True)
        able = world.join(features="callee.registration_revocation")
        silent = world.join()
        ids = {client: client.register(f"p.{client.id}") for client in (asked, able, silent)}
        for client, id in ids.items():
            registration = world.realm.dealer.registrations.find(id)
            authority.revoke_registration(client.session, registration, reason)
            assert client.registrations == {}
        for client in (asked, able):
            assert client.received() == [[UNREGISTERED, 0, {"registration": ids[client], **told}]]
        assert silent.received() == []
        assert len(world.realm.dealer) == 0
