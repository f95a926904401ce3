"""Doors: who is asked by which name, from which page, through which proxy."""

import pytest

from radiod.wire.doors import Caller, Door, is_loopback_name
from radiod.wire.heads import BadHead, read_head

PEER = "tcp:127.0.0.1:4000"


def loopback(**rules):
    door = Door(**rules)
    door.is_loopback = True
    return door


def visit(door, *fields, host="radio.example.org", is_tls=False, address="127.0.0.1"):
    lines = "".join(f"{field}\r\n" for field in fields)
    start = f"GET / HTTP/1.1\r\nHost: {host}\r\n" if host is not None else "GET / HTTP/1.0\r\n"
    head = read_head(f"{start}{lines}\r\n".encode("latin-1"))
    return Caller(door, PEER, address, is_tls, door.proxies.trust(address)).visit(head)


def status(door, *fields, **how):
    try:
        visit(door, *fields, **how)
    except BadHead as bad:
        return bad.status
    return 200


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("localhost", True),
        ("app.localhost", True),
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("[::1]", True),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("evil-localhost", False),
        ("", False),
    ],
)
def test_names_of_this_machine(name, is_one):
    assert is_loopback_name(name) is is_one


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "[::1]:8080", "localhost.", None, ""]
)
def test_where_only_this_machine_connects_it_is_asked_by_its_own_names(host):
    assert status(loopback(), host=host) == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080", "192.0.2.1", "localhost.evil.example"])
def test_another_name_for_this_machine_is_dns_rebinding(host):
    assert status(loopback(), host=host) == 421
    assert status(Door(), host=host) == 200
    # A proxy answers for the names that it passes on.
    assert status(loopback(trusted=["127.0.0.1"]), host=host) == 200
    assert status(loopback(hosts=["*"]), host=host) == 200


@pytest.mark.parametrize(
    ("host", "wanted"),
    [
        ("radio.example.org", 200),
        ("Radio.Example.Org:8443", 200),
        ("a.example.net", 200),
        ("b.a.example.net", 200),
        ("example.net", 421),
        ("localhost", 421),
        ("[::1]:80", 200),
        ("[::2]", 421),
    ],
)
def test_the_configuration_may_say_by_which_names(host, wanted):
    door = loopback(hosts=["radio.example.org", "*.example.net", "[::1]"])
    assert status(door, host=host) == wanted


def test_a_host_is_believed_where_a_proxy_tells_it():
    door = Door(trusted=["127.0.0.1"], hosts=["radio.example.org"])
    told = ("X-Forwarded-For: 203.0.113.7", "X-Forwarded-Host: radio.example.org")
    assert visit(door, *told, host="127.0.0.1:8080").host == "radio.example.org"
    assert status(door, *told, host="127.0.0.1:8080", address="192.0.2.1") == 421


@pytest.mark.parametrize(
    ("origin", "wanted"),
    [
        ("http://localhost:8080", 200),
        ("http://localhost:3000", 200),
        ("https://127.0.0.1", 200),
        ("http://[::1]:5173", 200),
        ("https://evil.example", 403),
        ("http://localhost.evil.example", 403),
        ("null", 403),
        ("nonsense", 403),
        ("http://", 403),
    ],
)
def test_where_only_this_machine_connects_pages_of_other_sites_are_not_served(origin, wanted):
    assert status(loopback(), f"Origin: {origin}", host="localhost:8080") == wanted
    assert status(Door(), f"Origin: {origin}", host="localhost:8080") == 200


@pytest.mark.parametrize(
    ("origin", "wanted", "is_named"),
    [
        ("https://www.example.org", 200, True),
        ("HTTPS://WWW.example.org:443", 200, True),
        ("http://www.example.org", 403, False),
        ("https://www.example.org:8443", 403, False),
        ("https://radio.example.org", 200, False),
        ("http://radio.example.org", 200, False),
        ("http://radio.example.org:81", 403, False),
        ("http://localhost:3000", 403, False),
        ("null", 403, False),
    ],
)
def test_the_configuration_may_say_which_pages(origin, wanted, is_named):
    door = loopback(origins=["https://www.example.org"], hosts=["*"])
    assert status(door, f"Origin: {origin}") == wanted
    if wanted == 200:
        seen = visit(door, f"Origin: {origin}")
        assert (seen.is_named, seen.allowed) == (is_named, origin)
        assert seen.origin == origin.lower().removesuffix(":443")


def test_pages_of_files_are_served_where_that_is_said():
    assert status(Door(origins=["null"]), "Origin: null") == 200
    assert status(Door(origins=[]), "Origin: null") == 403


@pytest.mark.parametrize("port", ["", ":80", ":8080"])
def test_the_same_server_is_recognized_with_and_without_the_usual_port(port):
    door = Door(origins=[])
    assert status(door, f"Origin: http://radio.example.org{port}", host=f"Radio.example.org{port}") == 200


def test_a_page_of_any_site_is_told_so():
    assert visit(Door(), "Origin: https://x.example").allowed == "*"
    assert visit(Door()).allowed == "*"
    assert visit(Door(origins=[])).allowed is None
    named = visit(Door(origins=["*", "https://x.example"]), "Origin: https://x.example")
    assert (named.allowed, named.is_named) == ("*", True)


def test_a_request_is_its_connections_unless_a_proxy_says_otherwise():
    door = Door(trusted=["127.0.0.1"])
    told = ("X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https")
    seen = visit(door, *told)
    assert (seen.peer, seen.address, seen.is_secure) == ("tcp:203.0.113.7", "203.0.113.7", True)
    seen = visit(door, "X-Forwarded-For: 2001:db9::7", is_tls=True)
    assert (seen.peer, seen.address, seen.is_secure) == ("tcp:[2001:db9::7]", "2001:db9::7", True)
    seen = visit(door, *told, address="192.0.2.1")
    assert (seen.peer, seen.address, seen.is_secure) == (PEER, "192.0.2.1", False)


def test_whoever_comes_by_a_unix_socket_may_be_a_proxy():
    door = Door(trusted=["unix"])
    assert visit(door, "X-Forwarded-For: 203.0.113.7", address=None).address == "203.0.113.7"
    assert visit(Door(), "X-Forwarded-For: 203.0.113.7", address=None).address is None


@pytest.mark.parametrize(
    ("radio", "admin", "path", "is_one"),
    [
        (True, False, "/ws", True),
        (True, False, "/listen/a", True),
        (True, True, "/listen/a", True),
        (False, True, "/ws", True),
        (False, True, "/listen/a", False),
        (False, True, "/ws/", False),
        (False, False, "/ws", False),
    ],
)
def test_which_websockets_may_be_asked_for(radio, admin, path, is_one):
    door = Door()
    door.serves_radio, door.serves_admin = radio, admin
    assert door.upgrades(path) is is_one
