"""Sessions that the router ends: GOODBYE there and back, and only then the end of the connection."""

import msgspec
import pytest
from support.memory import HELLO, RawSocketWire, WebSocketWire, client_frame

from radiod.wire.codecs import CODECS

REPLY = [6, {}, "wamp.close.goodbye_and_out"]
KILLED = "wamp.close.killed"
BATCHES = {
    "json": lambda data: data + b"\x1e",
    "msgpack": lambda data: len(data).to_bytes(4, "big") + data,
    "cbor": lambda data: len(data).to_bytes(4, "big") + data,
}
NOTHING_COUNTS = [
    [16, 1, {"acknowledge": True}, "a"],
    [48, 7, {}, "radiod.echo"],
    [1, "radio", {"roles": {"caller": {}}}],
    [6, {}],
    [2, 1, {}],
    {},
]


class WebSocket(WebSocketWire):
    """Ends with a closing handshake."""

    @property
    def is_ending(self):
        """True once the server has closed cleanly; consumes what was received."""
        frames = self.frames()
        assert [frame for frame in frames if frame != (8, b"\x03\xe8")] == []
        return frames != []


class RawSocket(RawSocketWire):
    """Ends by hanging up."""

    @property
    def is_ending(self):
        """True once the server has hung up; consumes what was received."""
        assert self.received() == b""
        return self.is_closed


@pytest.fixture(params=[WebSocket, RawSocket], ids=["websocket", "rawsocket"])
def wire(request, world):
    wire = world.connect(request.param)
    wire.session = wire.join()
    return wire


def realm(world):
    return world.realm


def kill(world, wire):
    session = realm(world).sessions[wire.session]
    realm(world).departures.kill(session, KILLED, {})
    wire.settle()


def killed(world, wire):
    kill(world, wire)
    assert wire.heard() == [[6, {}, KILLED]]


def test_the_connection_is_closed_when_the_client_has_answered(world, wire):
    killed(world, wire)
    assert not wire.is_ending
    wire.say(REPLY)
    assert wire.is_ending


@pytest.mark.parametrize("message", NOTHING_COUNTS, ids=str)
def test_nothing_but_goodbye_counts_meanwhile(world, wire, message):
    killed(world, wire)
    wire.say(message)
    assert not wire.is_ending
    wire.say(message, REPLY, message)
    assert wire.is_ending


def test_a_client_may_abort_instead(world, wire):
    killed(world, wire)
    wire.say([3, {}, "wamp.close.normal"])
    assert wire.is_ending


def test_a_client_that_said_goodbye_at_the_same_time_gets_one(world, wire):
    killed(world, wire)
    wire.say([6, {}, "wamp.close.close_realm"])
    assert wire.is_ending


def test_a_client_that_never_answers_is_closed_after_two_seconds(world, wire):
    killed(world, wire)
    world.reactor.advance(1.9)
    assert not wire.is_ending
    world.reactor.advance(0.2)
    assert wire.is_ending


def test_a_client_that_does_not_even_read_is_cut_after_two_seconds(world, wire):
    wire.transport.producer.pauseProducing()
    kill(world, wire)
    world.reactor.advance(1.9)
    assert not wire.is_closed
    world.reactor.advance(0.2)
    assert wire.is_closed
    assert (world.radio.port.connections, len(world.radio.clock.timers)) == (0, 0)


def test_a_client_that_hangs_up_instead_leaves_nothing_behind(world, wire):
    killed(world, wire)
    wire.hang_up()
    assert (world.radio.port.connections, len(world.radio.clock.timers)) == (0, 0)


def test_no_event_comes_behind_the_goodbye(world, wire):
    wire.ask([32, 1, {}, "a"])
    publisher = world.join()
    wire.transport.producer.pauseProducing()
    publisher.say([16, 1, {}, "a", ["held"]])
    kill(world, wire)
    publisher.say([16, 2, {}, "a", ["late"]])
    wire.transport.producer.resumeProducing()
    wire.settle()
    assert wire.heard() == [[6, {}, KILLED]]


def test_a_frame_that_is_none_ends_it_without_an_abort(world):
    wire = world.connect(RawSocket)
    wire.session = wire.join()
    killed(world, wire)
    wire.send(b"\xff\xff\xff\xff")
    assert wire.is_ending


def test_a_violation_of_websocket_is_told_all_the_same(world):
    wire = world.connect(WebSocket)
    wire.session = wire.join()
    killed(world, wire)
    wire.send(b"\x81\x02hi")
    ((opcode, payload),) = wire.frames()
    assert (opcode, payload[:2]) == (8, b"\x03\xea")


def test_goodbye_and_close_in_one_segment_are_a_clean_end(world):
    wire = world.connect(WebSocket)
    wire.session = wire.join()
    killed(world, wire)
    wire.send(wire.frame(msgspec.json.encode(REPLY)) + client_frame(0x88, b"\x03\xe8"))
    assert wire.is_ending
    assert wire.is_closed


def test_a_malformed_batch_ends_it_without_an_abort(world):
    class Batched(WebSocket):
        subprotocol = "wamp.2.json.batched"

    wire = world.connect(Batched)
    wire.send(client_frame(0x81, b'[1,"radio",{"roles":{"caller":{}}}]\x1e'))
    ((_, welcome),) = wire.frames()
    wire.session = msgspec.json.decode(welcome[:-1])[1]
    kill(world, wire)
    assert wire.frames() == [(1, b'[6,{},"wamp.close.killed"]\x1e')]
    wire.send(client_frame(0x81, b"no batch"))
    assert wire.is_ending


def test_every_end_is_logged_once(world, wire, logged):
    killed(world, wire)
    wire.say(REPLY)
    wire.hang_up()
    assert [line for line in logged if "left" in line] == [f"session {wire.session} left: told {KILLED}"]


@pytest.mark.parametrize(
    "subprotocol", [f"wamp.2.{name}{end}" for name in ("json", "msgpack", "cbor") for end in ("", ".batched")]
)
def test_when_the_server_stops_everything_queued_leaves_and_no_goodbye(world, subprotocol):
    codec = CODECS[subprotocol.split(".")[2]]
    batch = BATCHES[codec.name] if subprotocol.endswith("batched") else lambda data: data
    wire = world.connect(type("Wire", (WebSocket,), {"subprotocol": subprotocol}))
    for message in ([1, "radio", HELLO[2]], [32, 1, {}, "a"]):
        wire.transport.protocol.dataReceived(
            client_frame(0x82 if codec.is_binary else 0x81, batch(codec.dump(message)))
        )
    realm(world).announcer.announce("a", "last")
    realm(world).close()
    wire.settle()
    *messages, close = wire.frames()
    assert [message[1].count(b"last") for message in messages][-1] == 1
    assert len(messages) == (1 if subprotocol.endswith("batched") else 3)
    assert close[0] == 8
    assert close[1].startswith(b"\x03\xf4retry_after=")


def test_who_asked_for_it_is_told_goodbye_when_the_server_stops(world):
    wire = world.connect(WebSocketWire)
    wire.join([1, "radio", {**HELLO[2], "_radiod_goodbye": True}])
    realm(world).close()
    wire.settle()
    assert wire.heard() == [[6, {}, "wamp.close.system_shutdown"]]
    wire.say(REPLY)
    assert wire.frames() == [(8, b"\x03\xe8")]
