"""Cookies: who comes back, for how long, and how many."""

import pytest
from msgspec.structs import replace
from support.logins import details, refusal

from radiod.auth.cookie import CookieJar
from radiod.core.holders import Account, Holder
from radiod.core.sessions.authentication import BrowserCookie
from radiod.errors import AUTHENTICATION_DENIED
from radiod.testing import FakeClock, SequentialIds, make_principal

REFUSED = (AUTHENTICATION_DENIED, "the cookie is not valid any more")
ANN = make_principal("ann", "writer")


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def jar(clock):
    return CookieJar(clock, SequentialIds(), lifetime_s=100.0, max_entries=3)


@pytest.mark.parametrize("authid", ["ann", "", None])
def test_who_logged_in_comes_back_as_the_same(jar, authid):
    jar.remember("c", ANN)
    cookie = jar.authenticator("c")
    assert cookie.method == "cookie"
    principal = cookie.begin(details(authid))
    assert (principal.authid, principal.authrole, principal.authmethod) == ("ann", "writer", "cookie")
    assert principal.permissions is ANN.permissions


def test_what_was_told_to_the_first_session_is_not_told_again(jar):
    jar.remember("c", replace(ANN, authextra={"v": 1}))
    assert jar.authenticator("c").begin(details()).authextra is None


@pytest.mark.parametrize("cookie_id", ["", "d", "C", "é", "\ud800", "c" * 65_536])
def test_other_cookies_open_nothing(jar, cookie_id):
    jar.remember("c", ANN)
    assert jar.authenticator(cookie_id) is None


def test_another_authid_is_not_let_in(jar):
    jar.remember("c", ANN)
    assert refusal(jar.authenticator("c").begin, details("bob")) == REFUSED


def test_who_wants_to_be_somebody_else_is_not_offered_the_cookie(jar):
    jar.remember("c", ANN)
    assert all(jar.authenticator("c", one) for one in ("ann", "", None))
    assert jar.authenticator("c", "bob") is None


def test_a_forgotten_cookie_opens_nothing(jar):
    jar.remember("c", ANN)
    cookie = jar.authenticator("c")
    jar.forget("c")
    jar.forget("never heard of")
    assert jar.authenticator("c") is None
    assert refusal(cookie.begin, details()) == REFUSED


def test_a_cookie_ends_with_its_lifetime_however_often_it_is_used(jar, clock):
    jar.remember("c", ANN)
    clock.advance(99.0)
    cookie = jar.authenticator("c")
    assert cookie.begin(details()).authid == "ann"
    clock.advance(1.0)
    assert jar.authenticator("c") is None
    assert refusal(cookie.begin, details()) == REFUSED


def test_a_new_login_begins_a_new_life_under_the_new_name(jar, clock):
    jar.remember("c", ANN)
    clock.advance(60.0)
    jar.remember("c", make_principal("bob"))
    clock.advance(60.0)
    assert jar.authenticator("c").begin(details()).authid == "bob"
    assert len(jar) == 1


def test_the_oldest_goes_when_there_are_too_many(jar):
    for cookie_id in ("a", "b", "c", "a", "d"):
        jar.remember(cookie_id, ANN)
    assert [jar.authenticator(one) is not None for one in "abcd"] == [True, False, True, True]
    assert len(jar) == 3


def test_expired_cookies_leave_memory(jar, clock):
    jar.remember("a", ANN)
    jar.remember("b", ANN)
    clock.advance(100.0)
    jar.remember("c", ANN)
    assert len(jar) == 1


def test_ids_are_issued_and_nobody_is_behind_them(jar):
    first, second = jar.issue(), jar.issue()
    assert first != second
    assert jar.authenticator(first) is None
    assert len(jar) == 0


OLD, NEW = BrowserCookie("c", False), BrowserCookie("c", True)


def who(authid, method="ticket"):
    return replace(make_principal(authid), authmethod=method)


def owner(jar):
    return getattr(jar.recall("c"), "authid", None)


def test_a_login_is_bound_to_the_cookie_that_came_with_its_connection(jar):
    jar.bind(NEW, who("ann"))
    assert owner(jar) == "ann"


@pytest.mark.parametrize("method", ["anonymous", "cookie"])
def test_only_a_proof_is_a_login(jar, clock, method):
    jar.bind(NEW, who("ann", method))
    assert owner(jar) is None
    jar.bind(NEW, who("ann"))
    clock.advance(60.0)
    jar.bind(OLD, who("ann", method))
    clock.advance(60.0)
    assert owner(jar) is None


def test_a_cookie_that_somebody_else_may_have_put_there_is_not_bound(jar):
    jar.bind(OLD, who("ann"))
    assert owner(jar) is None


@pytest.mark.parametrize("cookie", [OLD, NEW])
def test_a_cookie_never_changes_its_owner(jar, cookie):
    """Or who knew it, since it was his, would become the other."""
    jar.bind(NEW, who("mallory"))
    jar.bind(cookie, who("ann"))
    assert owner(jar) is None


def test_a_new_proof_of_the_owner_begins_a_new_life(jar, clock):
    jar.bind(NEW, who("ann"))
    clock.advance(60.0)
    jar.bind(OLD, who("ann"))
    clock.advance(60.0)
    assert owner(jar) == "ann"


def test_whose_rights_have_changed_must_log_in_again(jar):
    ann, bob = (make_principal(name, holder=Holder(name, Account(name))) for name in ("ann", "bob"))
    for cookie, principal in (("a", ann), ("b", bob), ("c", ann)):
        jar.remember(cookie, principal)
    jar.forget_holder(ann.holder)
    assert [jar.recall(cookie) for cookie in "abc"] == [None, bob, None]


def test_who_had_one_when_another_process_ran_has_it(jar, clock):
    jar.remember("c", ANN)
    clock.advance(40)
    jar.remember("d", make_principal("bob"))
    after = CookieJar(clock, SequentialIds(), lifetime_s=70.0, max_entries=3)
    for one in jar.kept():
        after.resume(*one)
    assert (after.recall("c"), after.recall("d").authid, after.recall("e")) == (ANN, "bob", None)
    clock.advance(61)
    # Neither longer than before, nor longer than is allowed now.
    assert (after.recall("c"), after.recall("d").authid) == (None, "bob")
    clock.advance(10)
    assert after.recall("d") is None


def test_those_are_no_more_than_may_be_remembered_and_none_that_is_over(jar, clock):
    for id in "abc":
        jar.remember(id, ANN)
    after = CookieJar(clock, SequentialIds(), lifetime_s=100.0, max_entries=2)
    for hashed, principal, left in jar.kept():
        after.resume(hashed, principal, left)
    assert len(after) == 2
    after = CookieJar(clock, SequentialIds(), lifetime_s=100.0, max_entries=2)
    for hashed, principal, left in jar.kept():
        after.resume(hashed, principal, left - 100)
    assert len(after) == 0
