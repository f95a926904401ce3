"""API keys are found by their secrets, and by nothing else."""

import pytest

from radiod.auth.keys import Key, KeyRing
from radiod.core.disclosure import Visitor
from radiod.errors import NOT_AUTHORIZED, WrongSecret
from radiod.secret import Secret
from radiod.testing import make_principal, make_realm


def key(secret, authid="feed"):
    return Key(Secret(secret), make_realm(), Visitor(1, make_principal(authid)))


def test_a_key_is_found_by_its_secret():
    ring, first, second = KeyRing(), key("one"), key("two")
    ring.add(first)
    ring.add(second)
    assert (ring.find("one"), ring.get("two")) == (first, second)
    assert list(ring) == [first, second]


@pytest.mark.parametrize("secret", ["", "on", "one ", "ONE", "\ud800"])
def test_any_other_secret_finds_nothing(secret):
    ring = KeyRing()
    ring.add(key("one"))
    assert ring.find(secret) is None
    with pytest.raises(WrongSecret, match="API-KEY not valid") as refusal:
        ring.get(secret)
    assert refusal.value.uri == NOT_AUTHORIZED


def test_a_key_that_is_removed_opens_nothing():
    ring, one, other = KeyRing(), key("one"), key("other")
    ring.add(one)
    ring.add(other)
    ring.remove(one)
    ring.remove(one)
    assert (ring.find("one"), ring.find("other"), len(ring)) == (None, other, 1)


def test_a_key_in_the_place_of_another_is_not_removed_with_that():
    ring, before, after = KeyRing(), key("one"), key("one")
    ring.add(before)
    ring.add(after)
    ring.remove(before)
    assert ring.find("one") is after
