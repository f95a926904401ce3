"""API keys are found by their secrets; what names one opens nothing by itself."""

import gc

import pytest

from radiod.auth.keys import Key, KeyRing
from radiod.core.disclosure import Visitor
from radiod.core.holders import Account, Holder
from radiod.core.ids import digest
from radiod.errors import NOT_AUTHORIZED, NoAccess, WrongSecret
from radiod.secret import Secret
from radiod.testing import ALLOW_ALL, ALLOW_NONE, make_principal, make_realm


def key(id="feed", signing=None):
    principal = make_principal(id, holder=Holder(id, Account(id)))
    return Key(id, make_realm(), Visitor(1, principal), signing=Secret(signing) if signing else None)


def ring_of(**keys):
    """A ring with keys by their secrets."""
    ring = KeyRing()
    for secret, each in keys.items():
        ring.add(each, digest(secret))
    return ring


class TestSecrets:
    def test_a_key_is_found_by_its_secret(self):
        first, second = key(), key("station")
        ring = ring_of(one=first, two=second)
        assert (ring.find("one"), ring.get("two")) == (first, second)
        assert (list(ring), len(ring)) == ([first, second], 2)

    @pytest.mark.parametrize("secret", ["", "on", "one ", "ONE", "\ud800"])
    def test_any_other_secret_finds_nothing(self, secret):
        ring = ring_of(one=key())
        assert ring.find(secret) is None
        with pytest.raises(WrongSecret, match="API-KEY not valid") as refusal:
            ring.get(secret)
        assert refusal.value.uri == NOT_AUTHORIZED

    def test_each_of_several_secrets_finds_their_key(self):
        ring, feed = KeyRing(), key()
        ring.add(feed, digest("one"), digest("two"))
        ring.open(digest("three"), feed)
        assert {ring.find(secret) for secret in ("one", "two", "three")} == {feed}
        assert list(ring) == [feed]

    def test_a_secret_that_is_closed_was_rotated(self):
        ring, feed = KeyRing(), key()
        ring.add(feed, digest("old"), digest("new"))
        ring.close(digest("old"))
        ring.close(digest("nobody's"))
        for look in (ring.find, ring.get):
            with pytest.raises(NoAccess, match="API-KEY not valid") as refusal:
                look("old")
            assert refusal.value.reason == "rotated"
        assert ring.find("new") is feed

    def test_a_secret_that_is_forgotten_is_like_any_other(self):
        ring = ring_of(one=key())
        ring.close(digest("one"))
        ring.forget(digest("one"))
        ring.forget(digest("one"))
        assert ring.find("one") is None

    def test_what_can_be_nobodys_secret_is_not_looked_for(self):
        ring, feed = KeyRing(is_mistyped=lambda secret: secret == "one"), key()
        ring.add(feed, digest("one"), digest("two"))
        assert (ring.find("one"), ring.find("two")) == (None, feed)

    def test_no_secret_is_held(self):
        secret = "".join(["not in ", "the ring"])
        ring = ring_of(**{secret: key()})
        assert ring.find(secret) is not None
        holders = [each for each in gc.get_referrers(secret) if not hasattr(each, "f_code")]
        assert not [each for each in holders if isinstance(each, (dict, list, tuple, Key, KeyRing))]

    def test_secrets_that_were_used_are_told_once(self):
        ring = ring_of(one=key(), two=key("station"), three=key("idle"))
        for secret in ("one", "two", "one"):
            ring.find(secret)
        assert ring.take_used() == [digest("one"), digest("two")]
        assert ring.take_used() == []
        ring.find("two")
        assert ring.take_used() == [digest("two")]


class TestNames:
    def test_an_id_names_a_key(self):
        feed, station = key(), key("station", "pen")
        ring = ring_of(one=feed, two=station)
        assert (ring.by_id("feed"), ring.by_id("station"), ring.by_id("one")) == (feed, station, None)
        assert ring.find("station") is None

    def test_only_a_key_with_a_signing_secret_signs(self):
        ring = ring_of(one=key(), two=key("station", "pen"))
        assert [ring.signing_secret(id) for id in ("feed", "station", "nobody")] == [None, "pen", None]

    def test_of_keys_of_one_name_the_first_is_named(self):
        first, second = key(), key()
        ring = ring_of(one=first, two=second)
        assert ring.by_id("feed") is first

    def test_in_its_realm_each_has_its_name_for_itself(self):
        first, second = key(), key()
        second.realm.name = "other"
        ring = ring_of(one=first, two=second)
        assert ring.of_realm("feed", first.realm.name) is first
        assert ring.of_realm("feed", "other") is second
        assert ring.of_realm("feed", "third") is ring.of_realm("nobody", "other") is None


class TestChecks:
    def test_a_key_is_checked_as_its_holder(self):
        feed = key()
        feed.check(None, "192.0.2.1")
        feed.holder.refused = "revoked"
        with pytest.raises(NoAccess) as refusal:
            feed.check(None, "192.0.2.1")
        assert refusal.value.reason == "revoked"

    def test_rights_can_change(self):
        feed = key()
        before = feed.principal
        assert before.permissions is ALLOW_ALL
        feed.grant(ALLOW_NONE)
        assert feed.principal.permissions is ALLOW_NONE
        assert (feed.principal.holder, feed.visitor.principal) == (before.holder, feed.principal)

    def test_it_says_who_it_is(self):
        assert repr(key()) == "<Key feed>"
