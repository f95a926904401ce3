"""Who asks through proxies: only what trusted ones wrote counts, and nothing malformed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.wire.forwarded import UNIX, Forwarding, Proxies, network
from radiod.wire.heads import read_head

PROXIES = Proxies(["10.0.0.0/8", "::1", "2001:db8::/32", "nonsense"])


def forwarding(*fields, proxies=PROXIES):
    lines = "".join(f"{field}\r\n" for field in fields)
    return proxies.forwarding(read_head(f"GET / HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode("latin-1")))


@pytest.mark.parametrize(
    ("address", "is_trusted"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("::1", True),
        ("2001:db8::7", True),
        ("11.1.2.3", False),
        ("::2", False),
        ("fe80::1%eth0", False),
        ("nonsense", False),
        ("", False),
        (None, False),
    ],
)
def test_a_proxy_is_known_by_its_network(address, is_trusted):
    assert PROXIES.trust(address) is is_trusted


def test_nobody_is_trusted_who_is_not_named():
    assert not Proxies().trust("127.0.0.1")
    assert not Proxies(["10.0.0.0/8"]).trust(None)
    assert Proxies([UNIX]).trust(None)
    assert not Proxies([UNIX]).trust("127.0.0.1")


@pytest.mark.parametrize(
    ("text", "is_one"), [("10.0.0.1", True), ("10.0.0.0/8", True), ("10.0.0.1/8", False), ("a", False)]
)
def test_networks_are_in_cidr_form(text, is_one):
    assert (network(text) is not None) is is_one


@pytest.mark.parametrize(
    ("fields", "address"),
    [
        ([], None),
        (["X-Forwarded-For: 203.0.113.7"], "203.0.113.7"),
        (["X-Forwarded-For: 203.0.113.7:1234"], "203.0.113.7"),
        (["X-Forwarded-For: 2001:db9::7"], "2001:db9::7"),
        (["X-Forwarded-For: [2001:db9::7]:443"], "2001:db9::7"),
        (["X-Forwarded-For: ::ffff:203.0.113.7"], "203.0.113.7"),
        # What a client claims stands left of what the proxy wrote.
        (["X-Forwarded-For: 1.1.1.1, 203.0.113.7"], "203.0.113.7"),
        (["X-Forwarded-For: 1.1.1.1", "X-Forwarded-For: 203.0.113.7"], "203.0.113.7"),
        (["X-Forwarded-For: 1.1.1.1, 203.0.113.7, 10.0.0.2, 10.0.0.1"], "203.0.113.7"),
        (["X-Forwarded-For: 10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        (["X-Forwarded-For: 1.1.1.1, unknown, 10.0.0.2"], "10.0.0.2"),
        (["X-Forwarded-For: 1.1.1.1, unknown"], None),
        (["X-Forwarded-For: "], None),
        (["X-Forwarded-For: ,"], None),
        (["X-Forwarded-For: \xff"], None),
        (["Forwarded: for=203.0.113.7"], "203.0.113.7"),
        (['Forwarded: FOR="[2001:db9::7]:443";proto=https'], "2001:db9::7"),
        (['Forwarded: for=1.1.1.1, for="203.0.113.7:80" , for=10.0.0.2'], "203.0.113.7"),
        (["Forwarded: for=203.0.113.7, for=_hidden"], None),
        (["Forwarded: for=203.0.113.7, nonsense"], None),
        (["Forwarded: for=203.0.113.7, proto=http"], None),
        # A proxy that writes the one leaves a client's other as it is.
        (["Forwarded: for=1.1.1.1", "X-Forwarded-For: 203.0.113.7"], "203.0.113.7"),
        (["X-Forwarded-For: " + "10.0.0.1," * 100 + "10.0.0.2"], "10.0.0.1"),
        (["X-Forwarded-For: 203.0.113.7," + "10.0.0.1," * 100 + "10.0.0.2"], "10.0.0.1"),
    ],
)
def test_the_list_is_walked_from_the_right_over_trusted_proxies(fields, address):
    assert forwarding(*fields).address == address


@pytest.mark.parametrize(
    ("fields", "is_secure", "host"),
    [
        (["X-Forwarded-Proto: https", "X-Forwarded-Host: a.example"], True, "a.example"),
        (["X-Forwarded-Proto: HTTP"], False, None),
        (["X-Forwarded-Proto: wss"], True, None),
        (["X-Forwarded-Proto: gopher"], None, None),
        (["X-Forwarded-Host: a b"], None, None),
        # One for each hop, of which that of the client's own connection counts.
        (["X-Forwarded-For: 10.0.0.2", "X-Forwarded-Proto: https, http"], True, None),
        # Of any other number only the last was surely written by the last proxy.
        (["X-Forwarded-Proto: https, https, http"], False, None),
    ],
)
def test_what_the_client_connected_to_is_told_as_well(fields, is_secure, host):
    told = forwarding("X-Forwarded-For: 203.0.113.7", *fields)
    assert (told.address, told.is_secure, told.host) == ("203.0.113.7", is_secure, host)


def test_forwarded_tells_the_same_in_one_field():
    told = forwarding(r'Forwarded: for=203.0.113.7;proto=https;host="a\.example:8443";by=10.0.0.1')
    assert told == Forwarding("203.0.113.7", True, "a.example:8443")


@given(st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=60))
def test_no_text_breaks_it(text):
    for name in ("X-Forwarded-For", "Forwarded"):
        told = forwarding(f"{name}: {text}", f"X-Forwarded-Proto: {text}", f"X-Forwarded-Host: {text}")
        assert told.address is None or network(told.address) is not None
