"""Spaces tell apart topics that have the same name, and let sessions listen to them with all they ask for."""

import pytest

from radiod.core.limits import Limits
from radiod.core.pubsub.topic_space import TopicRef
from radiod.errors import INVALID_ARGUMENT, QUOTA, Refused
from radiod.testing import make_principal, make_realm
from radiod.wire.options import SubscribeOptions


@pytest.fixture
def realm():
    return make_realm(limits=Limits(max_subscriptions=1))


@pytest.fixture
def session(realm):
    return realm.join(make_principal(), None)


def test_the_same_name_is_another_topic_in_another_space():
    first, second = make_realm().space, make_realm().space
    assert first.at("a") == first.at("a") == TopicRef(first.broker, "a")
    assert len({first.at("a"), first.at("b"), second.at("a"), first.at("a")}) == 3


def test_listening_brings_the_buffer_the_count_and_the_past_that_were_asked_for(realm, session):
    space = realm.space
    options = SubscribeOptions(buffer={"size": 3}, wants_position=True, after="other:1")
    done = space.subscribe(session, "a", options)
    listener = done.subscription.listeners[session]
    assert (done.is_new, done.is_added) == (True, True)
    assert listener.settings.size == 3
    assert space.histories.find("a").position.seq == 0


def test_listening_again_tunes_if_that_is_asked_for(realm, session):
    subscription, *_ = realm.space.subscribe(session, "a", SubscribeOptions(buffer={"size": 3}))
    listener = subscription.listeners[session]
    for buffer, size in ((None, 3), ({"size": 4}, 4)):
        again = realm.space.subscribe(session, "a", SubscribeOptions(buffer=buffer))
        assert again == (subscription, False, False)
        assert subscription.listeners == {session: listener}
        assert listener.settings.size == size


@pytest.mark.parametrize(
    ("options", "uri"),
    [
        ({"buffer": {"size": -1}, "wants_position": True}, INVALID_ARGUMENT),
        ({"after": "x", "wants_position": True}, INVALID_ARGUMENT),
        ({"buffer": {"size": 3}, "wants_position": True}, QUOTA),
    ],
    ids=["buffer", "position", "quota"],
)
def test_what_is_refused_leaves_nothing_behind(realm, session, options, uri):
    space = realm.space
    if uri is QUOTA:
        space.subscribe(session, "b", SubscribeOptions())
    held = dict(realm.subscriptions.of(session))
    for act in (space.check, space.subscribe):
        with pytest.raises(Refused) as refusal:
            act(session, "a", SubscribeOptions(**options))
        assert refusal.value.uri == uri
    assert realm.subscriptions.of(session) == held
    assert space.histories.find("a") is None


def test_all_spaces_of_a_realm_share_what_sessions_tuned(realm, session):
    """So what one may tune is bounded over all of them, and gone when it leaves."""
    private = realm.make_space(is_private=True)
    private.tuning.tune(private.broker, session, "a", {"size": 3})
    assert realm.tuned.get(session, "a") == {"size": 3}
    with pytest.raises(Refused) as refusal:
        realm.space.tuning.tune(realm.space.broker, session, "b", {"size": 3})
    assert refusal.value.uri == QUOTA
    realm.leave(session)
    assert len(realm.tuned) == 0
