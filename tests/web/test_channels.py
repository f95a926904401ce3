"""``GET /channels`` where there are many: nobody waits until the last of them has been described."""

from pathlib import Path

import msgspec
import pytest
from support.memory import CONFIG, Wire
from twisted.internet.testing import MemoryReactorClock

from radiod.config import Config
from radiod.core.slices import SLICE_S
from radiod.service.radio import Radio

COUNT = 200


class PassingTime(MemoryReactorClock):
    """Time passes with each look at it."""

    look_s = 0.0

    def seconds(self):
        self.rightNow += self.look_s
        return self.rightNow


@pytest.fixture
def wire():
    reactor = PassingTime()
    declared = "".join(f"[realms.radio.channels.c{number}]\n" for number in range(COUNT))
    wire = Wire(Radio(Config.parse(CONFIG + declared, Path()), reactor), reactor)
    reactor.look_s = SLICE_S / 4
    return wire


def ask(wire, method):
    request = f"{method} /channels?limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n"
    wire.transport.protocol.dataReceived(request.encode())


def test_a_long_list_is_made_in_slices(wire):
    ask(wire, "GET")
    assert wire.received() == b""
    wire._reactor.advance(10)
    head, _, body = wire.received().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert f"content-length: {len(body)}".encode() in head.lower()
    assert len(msgspec.json.decode(body)["channels"]) == COUNT + 1


def test_its_head_tells_its_length(wire):
    ask(wire, "GET")
    wire._reactor.advance(10)
    whole = len(wire.received().partition(b"\r\n\r\n")[2])
    ask(wire, "HEAD")
    wire._reactor.advance(10)
    head, _, body = wire.received().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert f"content-length: {whole}".encode() in head.lower()
    assert body == b""


def test_nobody_is_answered_who_has_gone_meanwhile(wire):
    ask(wire, "GET")
    wire.hang_up()
    wire._reactor.advance(10)
    assert wire.received() == b""
