"""The page of operators: where it is served, and what its browser may do."""

import re

import pytest
from support import http
from support.http import Answer
from support.memory import DoorWire, WebSocketWire, upgrade

from radiod.web.site import PAGES

FILES = ["/admin", *sorted(f"/static/{file.name}" for file in PAGES.glob("admin*.[cj]s*"))]


def served(world, serve, request):
    """What is answered at an endpoint that serves this."""
    world.start(f'[[listen]]\nendpoint = "tcp:0"\nserve = [{", ".join(map(repr, serve))}]')
    wire = world.connect(DoorWire)
    wire.send(request)
    return Answer(wire.received())


def test_its_files_were_found():
    assert {"/static/admin.js", "/static/admin.css"} < set(FILES)


@pytest.mark.parametrize("path", FILES)
@pytest.mark.parametrize(
    ("serve", "status"),
    [
        (["radio"], 404),
        (["metrics"], 404),
        (["radio", "metrics"], 404),
        (["radio", "admin"], 200),
        (["admin"], 200),
        (["metrics", "admin"], 200),
    ],
)
def test_it_is_served_where_it_is_configured(world, path, serve, status):
    assert served(world, serve, http.get(path)).status == status


def test_without_a_configuration_it_is_not_served(world):
    assert Answer(world.ask(http.get("/admin")).received()).status == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/static/style.css", 200),
        ("/static/radiod.js", 200),
        ("/healthz", 200),
        ("/readyz", 503),
        ("/ws", 426),
        ("/", 404),
        ("/metrics", 404),
        ("/channels", 404),
        ("/listen/sample_net", 404),
        ("/publish", 404),
        ("/account", 404),
        ("/lp/open", 404),
    ],
)
def test_an_endpoint_for_operators_alone_serves_what_the_page_needs(world, path, status):
    assert served(world, ["admin"], http.get(path)).status == status


class OperatorsWire(DoorWire, WebSocketWire):
    """WAMP over WebSocket through the door of the configuration."""


def test_the_page_speaks_wamp_there(world):
    world.start('[[listen]]\nendpoint = "tcp:0"\nserve = ["admin"]')
    assert world.join(OperatorsWire).ask([48, None, {}, "radiod.echo", [1]])[3] == [1]


@pytest.mark.parametrize("path", ["/listen/sample_net", "/macro/sample/", "/ws/"])
def test_other_websockets_are_not_for_operators(world, path):
    assert served(world, ["admin"], upgrade(path, "wamp.2.json")).status == 404


def test_other_websockets_are_not_for_operators_on_a_connection_that_has_asked_before(world):
    world.start('[[listen]]\nendpoint = "tcp:0"\nserve = ["admin"]')
    wire = world.connect(DoorWire)
    wire.send(http.get("/healthz"))
    wire.received()
    wire.send(upgrade("/listen/sample_net", ""))
    assert Answer(wire.received()).status == 404


def test_rawsocket_is_not_for_operators(world):
    world.start('[[listen]]\nendpoint = "tcp:0"\nserve = ["admin"]')
    wire = world.connect(DoorWire)
    wire.send(b"\x7f\xf1\x00\x00")
    assert wire.received() == b""
    assert not wire.transport.connected


@pytest.mark.parametrize("path", FILES)
def test_its_browser_may_do_nothing_else(world, path):
    headers = served(world, ["radio", "admin"], http.get(path)).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "connect-src": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-cache"


def test_pages_of_other_sites_are_not_told(world):
    answer = served(world, ["radio", "admin"], http.get("/admin", "Origin: https://evil.example"))
    assert not [name for name in answer.headers if name.startswith("Access-Control")]


def test_the_page_has_no_script_or_style_of_its_own_and_nothing_from_elsewhere():
    page = (PAGES / "admin.html").read_text(encoding="utf-8")
    assert re.findall(r"<script(?![^>]*\bsrc=)", page) == []
    assert re.findall(r"<style|\sstyle=|\son\w+=", page) == []
    assert re.findall(r"(?:href|src)=\"(?!static/)", page) == []
    scripts = "".join(file.read_text(encoding="utf-8") for file in PAGES.glob("admin*.js"))
    assert (
        re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|Storage|cookie", scripts)
        == []
    )
    assert re.findall(r"https?://", scripts) == []
