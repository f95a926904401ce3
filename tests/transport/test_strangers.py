"""Connections without a session, when the server stops."""

import pytest
from support.memory import HELLO, RawSocketWire, WebSocketWire, Wire, upgrade

TICKET = [1, "closed", {"roles": {"caller": {}}, "authmethods": ["ticket"], "authid": "joe"}]
GOODBYE = [6, {}, "wamp.close.normal"]


@pytest.fixture
def strangers(world):
    return world.radio.fan_out.strangers


def dismiss(world):
    world.radio.fan_out.strangers.dismiss()
    world.reactor.advance(0)


@pytest.mark.parametrize("said", [b"", b"GET / HT", b"\x7f", b"\x7f\xf1\x00"])
def test_are_hung_up_on_while_they_have_not_said_what_they_want(world, strangers, said):
    wire = world.connect()
    if said:
        wire.send(said)
    assert len(strangers) == 1
    dismiss(world)
    assert wire.is_closed
    assert (len(strangers), len(world.radio.clock.timers), world.radio.port.connections) == (0, 0, 0)


@pytest.mark.parametrize("said", [[], [TICKET], [HELLO, GOODBYE]], ids=["nothing", "half a login", "goodbye"])
@pytest.mark.parametrize("kind", [WebSocketWire, RawSocketWire])
def test_are_closed_when_they_speak_wamp_without_a_session(world, strangers, kind, said):
    wire = world.connect(kind)
    for message in said:
        wire.ask(message)
    assert len(strangers) == 1
    dismiss(world)
    if kind is WebSocketWire:
        assert wire.frames() == [(8, b"\x03\xf4")]
    else:
        assert wire.is_closed
    assert len(strangers) == 0


def test_are_none_once_they_have_a_session_or_a_stream(world, strangers):
    wires = [world.connect(WebSocketWire), world.connect(RawSocketWire)]
    for wire in wires:
        wire.join()
    listener = world.connect()
    listener.send(upgrade("/listen/a"))
    request = world.connect()
    request.send(b"GET /listen/a HTTP/1.1\r\nHost: x\r\n\r\n")
    assert len(strangers) == 0
    dismiss(world)
    assert not any(wire.is_closed for wire in [*wires, listener, request])


@pytest.mark.parametrize("kind", [Wire, WebSocketWire, RawSocketWire])
def test_are_forgotten_when_they_hang_up(world, strangers, kind):
    world.connect(kind).hang_up()
    assert len(strangers) == 0
