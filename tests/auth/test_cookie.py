"""Cookies: who comes back, for how long, and how many."""

import pytest
from support.logins import details, refusal

from radiod.auth.cookie import CookieJar
from radiod.errors import AUTHENTICATION_FAILED
from radiod.testing import FakeClock, SequentialIds, make_principal

REFUSED = (AUTHENTICATION_FAILED, "the cookie is not valid any more")
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
    jar.remember(
        "c",
        type(ANN)(**{name: getattr(ANN, name) for name in ANN.__struct_fields__[:-1]}, authextra={"v": 1}),
    )
    assert jar.authenticator("c").begin(details()).authextra is None


@pytest.mark.parametrize("cookie_id", ["", "d", "C", "é", "\ud800", "c" * 65_536])
def test_other_cookies_open_nothing(jar, cookie_id):
    jar.remember("c", ANN)
    assert jar.authenticator(cookie_id) is None


def test_another_authid_is_not_let_in(jar):
    jar.remember("c", ANN)
    assert refusal(jar.authenticator("c").begin, details("bob")) == REFUSED


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
