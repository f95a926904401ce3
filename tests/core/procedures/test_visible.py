"""Which subscriptions and registrations a caller may know of: what its permissions hide is not there."""

import pytest

from radiod.core.procedures.visible import (
    find_subscription,
    registrations,
    sees_registration,
    sees_subscription,
)
from radiod.core.rights import Action
from radiod.errors import NO_SUCH_SUBSCRIPTION, Refused
from radiod.testing import Allow

SECRET = "secret.plan"
BLIND = Allow(*Action, hidden=[SECRET, f"{SECRET}."])


@pytest.fixture
def alice(world):
    return world.join("alice")


@pytest.fixture
def blind(world):
    return world.join(permissions=BLIND).session


@pytest.fixture
def seeing(world):
    return world.join().session


@pytest.fixture
def broker(world):
    return world.realm.space.broker


class TestSubscriptions:
    def test_that_are_hidden_are_found_by_nobody_who_may_not_know(self, alice, broker, blind, seeing):
        hidden, shown = alice.subscribe(SECRET), alice.subscribe("open")
        assert find_subscription(broker, seeing, hidden) is broker.find(hidden)
        assert find_subscription(broker, blind, shown) is broker.find(shown)
        for id in (hidden, 2**50):
            with pytest.raises(Refused) as refusal:
                find_subscription(broker, blind, id)
            assert refusal.value.uri == NO_SUCH_SUBSCRIPTION

    def test_that_are_hidden_are_refused_in_the_words_of_what_is_not_there(self, alice, broker, blind):
        """Or the words would tell that it is there."""
        texts = []
        for id in (alice.subscribe(SECRET), 2**50):
            with pytest.raises(Refused) as refusal:
                find_subscription(broker, blind, id)
            texts.append(refusal.value.text.replace(str(id), "ID"))
        assert texts[0] == texts[1]

    def test_by_patterns_are_hidden_by_the_pattern_itself(self, alice, broker, blind):
        sees = sees_subscription(blind)
        ids = [alice.subscribe(topic, match="prefix") for topic in ("secret", f"{SECRET}.")]
        assert [sees(broker.find(id)) for id in ids] == [True, False]

    @pytest.mark.parametrize("permissions", [Allow(Action.PUBLISH), Allow(is_steward=True)])
    def test_are_known_to_who_may_write_there_or_looks_after_all(self, world, alice, broker, permissions):
        session = world.join(permissions=permissions).session
        assert sees_subscription(session)(broker.find(alice.subscribe(SECRET)))

    def test_to_who_listens_there_are_hidden_with_the_channel(self, alice, broker, blind, seeing):
        found = broker.find(alice.subscribe(f"radiod.presence.{SECRET}"))
        assert (sees_subscription(blind)(found), sees_subscription(seeing)(found)) == (False, True)


class TestRegistrations:
    @pytest.fixture
    def both(self, world, alice):
        find = world.realm.dealer.registrations.find
        return [find(alice.register(procedure)) for procedure in (SECRET, "open")]

    def test_that_are_hidden_are_left_out(self, both, blind, seeing):
        assert registrations(seeing, both) == both
        assert registrations(blind, iter(both)) == both[1:]
        assert registrations(blind, []) == []
        assert [sees_registration(blind)(one) for one in both] == [False, True]
        assert [sees_registration(seeing)(one) for one in both] == [True, True]

    @pytest.mark.parametrize("action", [Action.CALL, Action.REGISTER])
    def test_are_known_to_who_may_call_or_register_them(self, world, both, action):
        assert registrations(world.join(permissions=Allow(action)).session, both) == both

    def test_are_hidden_from_who_may_only_publish_and_listen(self, world, both):
        session = world.join(permissions=Allow(Action.PUBLISH, Action.SUBSCRIBE)).session
        assert registrations(session, both) == []
