"""Cookies in opening requests: whose are taken, what is handed out."""

import re

import pytest

from radiod.auth.cookie import CookieJar
from radiod.core.sessions.authentication import BrowserCookie
from radiod.testing import FakeClock, SequentialIds, make_principal
from radiod.transport.websocket.cookies import CookieCounter

KNOWN, UNKNOWN = "a" * 32, "b" * 32
HOST = "radio.example"


@pytest.fixture
def jar():
    jar = CookieJar(FakeClock(), SequentialIds(), lifetime_s=99.5, max_entries=10)
    jar.remember(KNOWN, make_principal())
    return jar


@pytest.fixture
def counter(jar):
    other = CookieJar(FakeClock(), SequentialIds(), lifetime_s=5.0, max_entries=10)
    return CookieCounter([other, jar])


def headers(cookie=None, origin=None, host=HOST):
    given = {"cookie": cookie, "origin": origin, "host": host}
    return {name: value for name, value in given.items() if value is not None}


@pytest.mark.parametrize(
    "cookie", [f"radiod={KNOWN}", f"a=b; radiod={KNOWN};c=d", f"radiod={KNOWN}; xradiod={UNKNOWN}; ;=;x"]
)
def test_a_known_cookie_is_taken_and_none_handed_out(counter, cookie):
    assert counter.take(headers(cookie), False) == (BrowserCookie(KNOWN, False), None)


@pytest.mark.parametrize(
    "cookie",
    [
        None,
        "",
        "radiod",
        "radiod=",
        f"radiod={UNKNOWN}",
        f"radiod={KNOWN.upper()}",
        f"radiod={KNOWN}; radiod={KNOWN}",
        f"radiod={UNKNOWN}; radiod={KNOWN}",
        f"Radiod={KNOWN}",
        f"__Host-radiod={KNOWN}",
        "radiod=é",
        "=" * 9000,
    ],
)
def test_whoever_has_none_gets_a_new_one(counter, cookie):
    taken, issued = counter.take(headers(cookie), False)
    assert taken.is_new
    assert re.fullmatch("[0-9a-f]{32}", taken.id)
    assert issued == f"radiod={taken.id}; Max-Age=100; Path=/; HttpOnly; SameSite=Strict"


@pytest.mark.parametrize(
    ("is_tls", "origin"), [(True, None), (True, f"https://{HOST}"), (False, f"https://{HOST}")]
)
def test_what_came_encrypted_stays_so(counter, is_tls, origin):
    taken, issued = counter.take(headers(f"radiod={KNOWN}", origin), is_tls)
    assert issued.startswith(f"__Host-radiod={taken.id}; ")
    assert issued.endswith("; Secure")
    assert not counter.take(headers(f"__Host-radiod={KNOWN}", origin), is_tls)[0].is_new


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://radio.example", "radio.example"),
        ("http://radio.example", "radio.example:80"),
        ("http://radio.example", "Radio.Example"),
        ("https://radio.example", "radio.example:443"),
        ("http://127.0.0.1:8080", "127.0.0.1:8080"),
        ("http://[::1]:8080", "[::1]:8080"),
    ],
)
def test_pages_of_this_server_are_at_home(counter, origin, host):
    assert counter.take(headers(None, origin, host), False)[0] is not None


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://evil.example", "radio.example"),
        ("http://radio.example.evil.example", "radio.example"),
        ("http://radio.example:81", "radio.example"),
        ("http://radio.example", "radio.example:8080"),
        ("https://radio.example", "radio.example:80"),
        ("null", "radio.example"),
        ("null", ""),
        ("", ""),
        ("file://", ""),
        ("http://radio.example:x", "radio.example"),
        ("http://radio.example", "radio.example:x"),
        ("http://[radio", "[radio"),
        ("http://radio.example", None),
    ],
)
def test_pages_of_others_have_no_cookie_here(counter, origin, host):
    assert counter.take(headers(f"radiod={KNOWN}", origin, host), False) == (None, None)


def test_without_realms_that_remember_there_are_none():
    assert CookieCounter([]).take(headers(f"radiod={KNOWN}"), False) == (None, None)
