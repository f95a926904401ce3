"""Where a source goes by WAMP. What it does there is in tests/e2e/test_town_on_air.py, with a real server."""

import pytest

from simulator.__main__ import main
from simulator.wamp import Login


@pytest.mark.parametrize(
    ("url", "means", "port"),
    [
        ("ws://localhost:8080", "ws://localhost:8080/ws", 8080),
        ("ws://localhost:8080/", "ws://localhost:8080/ws", 8080),
        ("http://localhost", "ws://localhost:80/ws", 80),
        ("https://radio.example", "wss://radio.example:443/ws", 443),
        ("wss://radio.example/other?a=1", "wss://radio.example:443/other?a=1", 443),
        ("ws://[::1]:9", "ws://[::1]:9/ws", 9),
    ],
)
def test_addresses(url, means, port):
    login = Login(url)
    assert (login.url, login.port, login.realm) == (means, port, "radio")
    assert login.is_secret == means.startswith("wss")


@pytest.mark.parametrize(
    "url", ["localhost:8080", "tcp://a:1", "ws://", "ws://me:secret@host", "ws://host:port", ""]
)
def test_what_is_no_address_is_one_line(capsys, url):
    assert main(["--town", "grid:2x2", "--wamp", url]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("simulator: ")


def test_a_ticket_that_cannot_be_read_is_one_line(capsys):
    arguments = ["--wamp", "ws://127.0.0.1:9", "--user", "a", "--ticket-file", "/nowhere"]
    assert main(["--town", "grid:2x2", *arguments]) == 2
    assert capsys.readouterr().err == "simulator: --ticket-file /nowhere: FileNotFoundError\n"
