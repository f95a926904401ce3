"""API keys are found by their secrets; what names one opens nothing by itself."""

import pytest

from radiod.auth.keys import Key, KeyRing
from radiod.core.disclosure import Visitor
from radiod.errors import NOT_AUTHORIZED, WrongSecret
from radiod.secret import Secret
from radiod.testing import make_principal, make_realm


def key(secret, authid="feed", signing=None):
    visitor = Visitor(1, make_principal(authid))
    return Key(Secret(secret), make_realm(), visitor, id=authid, signing=Secret(signing) if signing else None)


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


def test_an_id_names_a_key():
    ring, feed, station = KeyRing(), key("one"), key("two", "station", "pen")
    ring.add(feed)
    ring.add(station)
    assert (ring.by_id("feed"), ring.by_id("station"), ring.by_id("one")) == (feed, station, None)
    assert ring.find("station") is None


def test_only_a_key_with_a_signing_secret_signs():
    ring = KeyRing()
    ring.add(key("one"))
    ring.add(key("two", "station", "pen"))
    assert [ring.signing_secret(id) for id in ("feed", "station", "nobody")] == [None, "pen", None]


def test_of_keys_of_one_name_the_first_is_named_as_long_as_it_is_there():
    ring, first, second = KeyRing(), key("one"), key("two")
    ring.add(first)
    ring.add(second)
    assert ring.by_id("feed") is first
    ring.remove(first)
    assert ring.by_id("feed") is second
    ring.remove(second)
    assert ring.by_id("feed") is None


def test_a_key_that_another_with_its_secret_replaced_is_not_named():
    ring, before, after = KeyRing(), key("one", "before"), key("one", "after")
    ring.add(before)
    ring.add(after)
    assert (ring.by_id("before"), ring.by_id("after")) == (None, after)
