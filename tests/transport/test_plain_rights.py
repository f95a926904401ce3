"""The right to listen to several channels, where somebody takes time to decide on each."""

import pytest
from support.answers import assert_refused
from support.realms import NO, Slow, World

from radiod.core.rights import Action
from radiod.errors import AUTHORIZATION_FAILED, NOT_AUTHORIZED, QUOTA, Exceeded, Refused, WrongSecret
from radiod.testing import make_principal
from radiod.transport.listening.query import names_of
from radiod.transport.listening.rights import naming, permitted


@pytest.fixture
def rights():
    return Slow(Action.SUBSCRIBE)


@pytest.fixture
def seen():
    return []


def ask(rights, seen, *names):
    permitted(World().realm.gateway, make_principal(permissions=rights), names_of(list(names)), None).then(
        seen.append
    )


def test_each_name_is_asked_for_in_its_turn(rights, seen):
    ask(rights, seen, "a", "b.*", "c")
    for name in ("a", "b.", "c"):
        assert (rights.asked[-1], seen) == ((Action.SUBSCRIBE, name), [])
        rights.settle()
    assert [wanted.name for wanted in seen[0]] == ["a", "b.*", "c"]


@pytest.mark.parametrize(
    ("outcome", "uri"), [(NO, NOT_AUTHORIZED), (Refused(AUTHORIZATION_FAILED, "why"), AUTHORIZATION_FAILED)]
)
def test_the_first_refusal_ends_it_and_names_its_channel(rights, seen, outcome, uri):
    ask(rights, seen, "a", "b", "c")
    rights.settle()
    rights.settle(outcome)
    assert [(error.uri, error.text[:3]) for error in seen] == [(uri, "b: ")]
    assert len(rights.asked) == 2


def test_a_name_that_cannot_be_is_refused_at_once(rights):
    assert_refused("wamp.error.invalid_uri", names_of, ["a", "b c"])
    assert rights.asked == []


def test_an_error_stays_what_it_is():
    exceeded = naming("a", Exceeded("max_subscriptions", "too many", QUOTA))
    assert (exceeded.limit, exceeded.uri, exceeded.text) == ("max_subscriptions", QUOTA, "a: too many")
    assert isinstance(naming("a", WrongSecret("uri", "text")), WrongSecret)
