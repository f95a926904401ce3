"""``GET /channels`` where there are many: nobody waits until the last of them has been described."""

import pytest
from support.http import Answer, request
from twisted.internet.testing import MemoryReactorClock

from radiod.core.slices import SLICE_S

COUNT = 200


class PassingTime(MemoryReactorClock):
    """Time passes with each look at it."""

    look_s = 0.0

    def seconds(self):
        self.rightNow += self.look_s
        return self.rightNow


@pytest.fixture
def wire(world):
    declared = "".join(f"[realms.radio.channels.c{number}]\n" for number in range(COUNT))
    world.start(declared, reactor=PassingTime())
    wire = world.connect()
    world.reactor.look_s = SLICE_S / 4
    return wire


def ask(wire, method):
    wire.transport.protocol.dataReceived(request(method, "/channels?limit=1000"))


def test_a_long_list_is_made_in_slices(world, wire):
    ask(wire, "GET")
    assert wire.received() == b""
    world.reactor.advance(10)
    answer = Answer(wire.received())
    assert answer.status == 200
    assert f"content-length: {len(answer.body)}" in answer.head.lower()
    assert len(answer.json["channels"]) == COUNT + 1


def test_its_head_tells_its_length(world, wire):
    ask(wire, "GET")
    world.reactor.advance(10)
    whole = len(Answer(wire.received()).body)
    ask(wire, "HEAD")
    world.reactor.advance(10)
    head, _, body = wire.received().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert f"content-length: {whole}".encode() in head.lower()
    assert body == b""


def test_nobody_is_answered_who_has_gone_meanwhile(world, wire):
    ask(wire, "GET")
    wire.hang_up()
    world.reactor.advance(10)
    assert wire.received() == b""
