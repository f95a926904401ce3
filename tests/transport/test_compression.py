"""What compressed and batched connections are sent."""

import zlib

import cbor2
import msgspec
import pytest
from support.memory import HELLO, WebSocketWire, client_frame, upgrade

OFFER = "Sec-WebSocket-Extensions: {}\r\n"
DEFLATE = OFFER.format("permessage-deflate; client_max_window_bits")
LONG = {"text": "word " * 100}


class DeflatedWire(WebSocketWire):
    def open(self):
        self.send(upgrade("/ws", self.subprotocol, extra=DEFLATE))
        assert b"permessage-deflate" in self.received()


def answer_to(world, extra, path="/ws", protocols=("wamp.2.json",)):
    wire = world.connect()
    wire.send(upgrade(path, *protocols, extra=extra))
    head = wire.received().decode()
    assert head.startswith("HTTP/1.1 101 ")
    lines = [line for line in head.split("\r\n") if line.lower().startswith("sec-websocket-extensions")]
    return [line.partition(": ")[2] for line in lines]


def is_compressed(frame):
    return bool(frame[0] & 0x40)


class TestNegotiation:
    ANSWER = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

    @pytest.mark.parametrize(
        ("offer", "answer"),
        [
            ("permessage-deflate", [ANSWER]),
            ("permessage-deflate; client_max_window_bits", [ANSWER]),
            ('Permessage-Deflate; server_max_window_bits="15"', [ANSWER + "; server_max_window_bits=15"]),
            ("permessage-deflate; server_max_window_bits=10, permessage-deflate", [ANSWER]),
            ("permessage-deflate; server_max_window_bits=10", []),
            ("permessage-deflate; server_max_window_bits=99", []),
            ("permessage-deflate; whatever", []),
            ("x-webkit-deflate-frame, permessage-bzip2", []),
            ("", []),
        ],
    )
    def test_an_offer_is_answered_or_declined_and_the_connection_opens(self, world, offer, answer):
        assert answer_to(world, OFFER.format(offer)) == answer
        assert answer_to(world, OFFER.format(offer), "/listen/sample_net", ()) == answer

    def test_nothing_is_negotiated_where_compression_is_off(self, world):
        world.start(compression=False)
        assert answer_to(world, DEFLATE) == []


class TestCompression:
    def test_an_event_is_compressed_once_for_all_listeners(self, world, monkeypatch):
        listeners = [world.connect(DeflatedWire) for _ in range(5)]
        for listener in listeners:
            listener.join()
            listener.ask([32, 1, {}, "topic"])
        plain = world.connect()
        plain.send(upgrade("/listen/topic", extra=DEFLATE))
        plain.received()
        publisher = world.join()
        made = []
        original = zlib.compressobj
        monkeypatch.setattr(zlib, "compressobj", lambda *args: made.append(args) or original(*args))
        publisher.say([16, 1, {}, "topic", [LONG]])
        frames = {listener.received() for listener in listeners}
        assert len(made) == 2  # one for WAMP in JSON, one for the data alone
        assert len(frames) == 1
        assert is_compressed(frames.pop())
        frame = plain.received()
        assert is_compressed(frame)
        data = zlib.decompressobj(-15).decompress(frame[2:] + b"\x00\x00\xff\xff")
        assert msgspec.json.decode(data) == LONG

    def test_short_messages_and_other_peoples_are_not_compressed(self, world):
        listener, other = world.connect(DeflatedWire), world.connect(WebSocketWire)
        for wire in (listener, other):
            wire.join()
            wire.ask([32, 1, {}, "topic"])
        listener.say([16, None, {"exclude_me": False}, "topic", [1]])
        assert not is_compressed(listener.received())
        listener.say([16, None, {"exclude_me": False}, "topic", [LONG]])
        assert is_compressed(listener.received())
        assert not is_compressed(other.received())

    def test_answers_and_calls_are_compressed_too(self, world):
        wire = world.join(DeflatedWire)
        wire.say([48, 1, {}, "radiod.echo", [LONG]])
        frame = wire.received()
        assert is_compressed(frame)
        assert len(frame) < 100


def opened(world, name, extra=""):
    wire = world.connect()
    wire.send(upgrade("/ws", f"wamp.2.{name}.batched", extra=extra))
    assert f"Protocol: wamp.2.{name}.batched\r\n".encode() in wire.received()
    return wire


def received(wire):
    """The payload of the first frame received, and whatever is behind it."""
    return _split(wire.received())[1]


def only(wire):
    """The payload of the one frame received."""
    data = wire.received()
    head, payload = _split(data)
    assert len(data) == head + (data[1] if head == 2 else int.from_bytes(data[2:head]))
    return payload


def _split(data):
    head = {126: 4, 127: 10}.get(data[1], 2)
    payload = data[head:]
    if is_compressed(data):
        payload = zlib.decompressobj(-15).decompress(payload + b"\x00\x00\xff\xff")
    return head, payload


class TestBatches:
    @pytest.mark.parametrize("separator", [b"\x1e", b"\x18"])
    @pytest.mark.parametrize("extra", ["", DEFLATE], ids=["plain", "compressed"])
    def test_json_is_answered_with_the_clients_separator(self, world, separator, extra):
        wire = opened(world, "json", extra)
        wire.send(client_frame(0x81, msgspec.json.encode(HELLO) + separator))
        welcome = received(wire)
        assert msgspec.json.decode(welcome[:-1])[0] == 2
        assert welcome[-1:] == separator
        # The first message decides, whatever comes later.
        wire.send(client_frame(0x81, b'[48,1,{},"radiod.echo"]\x18'))
        assert received(wire)[-1:] == separator

    def test_many_messages_in_one_are_all_answered_in_order(self, world):
        wire = opened(world, "json")
        calls = [HELLO, *([48, number, {}, "radiod.echo", [number]] for number in range(1, 100))]
        wire.send(client_frame(0x81, b"".join(msgspec.json.encode(call) + b"\x1e" for call in calls)))
        data = wire.received()
        assert int.from_bytes(data[2:4]) == len(data) - 4, "all are one message"
        answers = [msgspec.json.decode(message) for message in data[4:].split(b"\x1e")[:-1]]
        assert [answer[1] for answer in answers[1:]] == list(range(1, 100))

    @pytest.mark.parametrize("extra", ["", DEFLATE], ids=["plain", "compressed"])
    def test_events_of_one_turn_are_one_message_to_each_listener(self, world, extra):
        wires = [opened(world, "json", extra) for _ in range(2)]
        for wire in wires:
            wire.send(client_frame(0x81, msgspec.json.encode(HELLO) + b'\x1e[32,1,{},"topic"]\x1e'))
            wire.received()
        publish = [b'[16,%d,{},"topic",["%b"]]\x1e' % (number, b"x" * 50) for number in range(1, 21)]
        publisher = opened(world, "json")
        publisher.send(client_frame(0x81, msgspec.json.encode(HELLO) + b"\x1e" + b"".join(publish)))
        first, second = (only(wire) for wire in wires)
        assert first == second
        assert first.count(b"\x1e") == 20

    def test_who_was_behind_gets_what_waited_in_few(self, world):
        wire = opened(world, "json")
        wire.send(client_frame(0x81, msgspec.json.encode(HELLO) + b'\x1e[32,1,{},"topic"]\x1e'))
        wire.received()
        wire.transport.producer.pauseProducing()
        publish = [b'[16,%d,{},"topic",["x"]]\x1e' % number for number in range(1, 21)]
        publisher = opened(world, "json")
        publisher.send(client_frame(0x81, msgspec.json.encode(HELLO) + b"\x1e" + b"".join(publish)))
        wire.transport.producer.resumeProducing()
        assert only(wire).count(b"\x1e") == 20

    @pytest.mark.parametrize(
        ("name", "dumps", "loads"),
        [("msgpack", msgspec.msgpack.encode, msgspec.msgpack.decode), ("cbor", cbor2.dumps, cbor2.loads)],
    )
    def test_binary_messages_have_their_length_in_front(self, world, name, dumps, loads):
        wire = opened(world, name)
        messages = [HELLO, [48, 1, {}, "radiod.echo", [b"\x00\x1e"]]]
        batch = b"".join(len(dumps(message)).to_bytes(4, "big") + dumps(message) for message in messages)
        wire.send(client_frame(0x82, batch))
        data = received(wire)
        answers = []
        while data:
            size = int.from_bytes(data[:4])
            answers.append(loads(data[4 : 4 + size]))
            data = data[4 + size :]
        assert [answer[0] for answer in answers] == [2, 50]
        assert answers[1][3] == [b"\x00\x1e"]

    def test_listeners_with_and_without_batches_get_the_same_event(self, world):
        batched, single = opened(world, "json"), world.connect(WebSocketWire)
        batched.send(client_frame(0x81, msgspec.json.encode(HELLO) + b'\x1e[32,1,{},"topic"]\x1e'))
        batched.received()
        single.join()
        single.ask([32, 1, {}, "topic"])
        batched.send(client_frame(0x81, b'[16,2,{"exclude_me":false},"topic",[1]]\x1e'))
        assert received(batched) == received(single) + b"\x1e"

    def test_an_abort_before_the_first_message_is_a_batch(self, world):
        wire = opened(world, "json")
        world.reactor.advance(11)
        abort, _, close = received(wire).partition(b"\x1e")
        assert (abort[:3], close[:1]) == (b"[3,", b"\x88")
