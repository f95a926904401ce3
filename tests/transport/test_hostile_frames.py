"""Hostile WebSocket frames, byte by byte: each gets its close code, and nobody else notices."""

import os
import tracemalloc
import zlib

import msgspec
import pytest
from support.memory import HELLO, WebSocketWire, client_frame, upgrade

TEXT, CONTINUATION, FINAL, DEFLATED = 0x01, 0x00, 0x80, 0x40
LIMIT = 10_000
HELLO_BYTES = msgspec.json.encode(HELLO)
ECHO = b'[48,1,{},"radiod.echo",["%b"]]'


def deflated(data, end=zlib.Z_SYNC_FLUSH):
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (compressor.compress(data) + compressor.flush(end)).removesuffix(b"\x00\x00\xff\xff")


def echo_of(size):
    """A call of exactly ``size`` bytes."""
    return ECHO % (b"x" * (size - len(ECHO % b"")))


class DeflatedWire(WebSocketWire):
    """A client that offers compression and is free to use it."""

    def open(self):
        self.send(upgrade("/ws", self.subprotocol, extra="Sec-WebSocket-Extensions: permessage-deflate\r\n"))
        answer = self.received()
        assert b"\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context" in answer, answer

    def close_code(self):
        """The code of the close frame that came last."""
        opcode, payload = self.frames()[-1]
        assert opcode == 8
        return int.from_bytes(payload[:2], "big")

    def joined(self):
        self.join()
        return self


class UndeflatedWire(DeflatedWire):
    """A client that offers nothing."""

    def open(self):
        WebSocketWire.open(self)


@pytest.fixture
def world(world):
    return world.start(max_message_bytes=LIMIT, max_fragments=10)


@pytest.fixture(autouse=True)
def others(world):
    """Connections beside the attacker's: they are served before, meanwhile and afterwards."""
    listener, publisher, plain = world.connect(DeflatedWire), world.connect(WebSocketWire), world.connect()
    plain.send(upgrade("/listen/sample_net"))
    plain.received()
    listener.join()
    publisher.join()
    assert listener.ask([32, 1, {}, "sample_net"])[0] == 33
    half = client_frame(FINAL | TEXT, msgspec.json.encode([16, 1, {"acknowledge": True}, "sample_net", [1]]))
    publisher.send(half[:9])
    yield
    publisher.send(half[9:])
    assert [message[0] for message in publisher.heard()] == [17]
    assert [message[4] for message in listener.heard()] == [[1]]
    assert plain.received().endswith(b"\x01" + b"1")
    assert not any(wire.is_closed for wire in (listener, publisher, plain))


class TestBombs:
    BOMB = deflated(bytes(100_000_000))

    def frames(self):
        return {
            "whole": [client_frame(FINAL | DEFLATED | TEXT, self.BOMB[:LIMIT])],
            "in fragments": [
                client_frame(DEFLATED | TEXT, self.BOMB[:20]),
                *[client_frame(CONTINUATION, self.BOMB[at : at + 20]) for at in range(20, 140, 20)],
                client_frame(FINAL, self.BOMB[140:160]),
            ],
        }

    @pytest.mark.parametrize("way", ["whole", "in fragments"])
    def test_are_refused_without_being_inflated(self, world, way):
        wire = world.connect(DeflatedWire).joined()
        data = b"".join(self.frames()[way])
        tracemalloc.start()
        wire.send(data)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert wire.close_code() == 1009
        assert peak < 500_000

    def test_nothing_more_is_inflated_afterwards(self, world, monkeypatch):
        wire = world.connect(DeflatedWire).joined()
        wire.send(client_frame(FINAL | DEFLATED | TEXT, self.BOMB[:1000]))
        assert wire.close_code() == 1009
        monkeypatch.setattr(zlib, "decompressobj", None)
        wire.send(client_frame(CONTINUATION, self.BOMB[:1000]))
        wire.send(client_frame(FINAL, b"x"))
        wire.send(client_frame(FINAL | DEFLATED | TEXT, self.BOMB[:1000]))
        assert not wire.is_closed
        wire.send(client_frame(FINAL | 8, b"\x03\xf1"))
        assert wire.is_closed

    @pytest.mark.parametrize("end", [zlib.Z_SYNC_FLUSH, zlib.Z_FINISH])
    @pytest.mark.parametrize("fragments", [1, 2])
    def test_the_limit_is_exact(self, world, end, fragments):
        for size, expected in ((LIMIT, 50), (LIMIT + 1, 1009), (LIMIT + 200, 1009)):
            wire = world.connect(DeflatedWire).joined()
            data = deflated(echo_of(size), end)
            if fragments == 1:
                wire.send(client_frame(FINAL | DEFLATED | TEXT, data))
            else:
                half = len(data) // 2
                wire.send(client_frame(DEFLATED | TEXT, data[:half]) + client_frame(FINAL, data[half:]))
            opcode, payload = wire.frames()[-1]
            got = msgspec.json.decode(payload)[0] if opcode == 1 else int.from_bytes(payload[:2], "big")
            assert got == expected

    def test_a_frame_whose_compressed_length_is_above_the_limit_is_refused_at_its_head(self, world):
        wire = world.connect(DeflatedWire)
        wire.send(client_frame(FINAL | DEFLATED | TEXT, bytes(LIMIT + 1))[:8])
        assert wire.close_code() == 1009

    @pytest.mark.parametrize("more", [[], [client_frame(FINAL, b"")]])
    def test_garbage_is_refused(self, world, more):
        wire = world.connect(DeflatedWire)
        first = DEFLATED | TEXT | (0 if more else FINAL)
        wire.send(b"".join([client_frame(first, b"\xff" * 10), *more]))
        assert wire.close_code() == 1007

    def test_a_message_that_ends_within_its_compressed_data_is_refused(self, world):
        wire = world.connect(DeflatedWire)
        block = b"\x00\x04\x00\xfb\xff"
        wire.send(client_frame(DEFLATED | TEXT, block[:3]) + client_frame(FINAL, block[3:]))
        assert wire.close_code() == 1007

    def test_invalid_utf8_is_refused_however_it_comes(self, world):
        data = deflated(HELLO_BYTES.replace(b"radio", b"\xff\xfe"))
        wire = world.connect(DeflatedWire)
        wire.send(client_frame(FINAL | DEFLATED | TEXT, data))
        assert wire.close_code() == 1007  # after ABORT, as for frames that are not compressed
        wire = world.connect(DeflatedWire)
        wire.send(client_frame(DEFLATED | TEXT, data[:9]) + client_frame(FINAL, data[9:]))
        assert wire.close_code() == 1007


class TestCompressedMessages:
    """What is not hostile, in every shape: the tests above would pass if nothing compressed were taken."""

    def test_are_taken_between_others_in_one_segment(self, world):
        wire = world.connect(DeflatedWire)
        frames = [client_frame(FINAL | DEFLATED | TEXT, deflated(HELLO_BYTES))]
        for number in range(1, 8):
            call = msgspec.json.encode([48, number, {}, "radiod.echo", [number]])
            is_deflated = number in (1, 2, 5)
            frames.append(
                client_frame(FINAL | TEXT | is_deflated * DEFLATED, deflated(call) if is_deflated else call)
            )
        wire.send(b"".join(frames))
        assert [message[1] for message in wire.heard()[1:]] == list(range(1, 8))

    @pytest.mark.parametrize("size", [1, 2, 7, 1000])
    def test_are_taken_in_segments_of_any_size(self, world, size):
        wire = world.connect(DeflatedWire)
        data = b"".join(
            client_frame(FINAL | DEFLATED | TEXT, deflated(m)) for m in (HELLO_BYTES, echo_of(3000))
        )
        for at in range(0, len(data), size):
            wire.send(data[at : at + size])
        assert [message[0] for message in wire.heard()] == [2, 50]

    def test_are_taken_in_fragments_with_a_ping_between(self, world):
        wire = world.connect(DeflatedWire)
        data = deflated(HELLO_BYTES)
        wire.send(client_frame(DEFLATED | TEXT, data[:5]) + client_frame(FINAL | 9, b"alive?"))
        wire.send(client_frame(FINAL, data[5:]))
        (pong, _), (text, _) = wire.frames()
        assert (pong, text) == (10, 1)

    def test_what_a_plain_listener_says_compressed_is_ignored(self, world):
        wire = world.connect()
        wire.send(upgrade("/listen/sample_net", extra="Sec-WebSocket-Extensions: permessage-deflate\r\n"))
        wire.received()
        wire.send(client_frame(FINAL | DEFLATED | TEXT, deflated(b"x" * 5000)) * 2)
        assert wire.received() == b""
        assert not wire.is_closed
        wire.hang_up()


HEADS = [bytes([FINAL | rsv << 4 | TEXT]) for rsv in range(1, 8)]


class TestViolations:
    @pytest.mark.parametrize("head", HEADS, ids=bytes.hex)
    def test_reserved_bits_that_were_not_negotiated(self, world, head):
        wire = world.connect(UndeflatedWire)
        wire.send(client_frame(head[0], deflated(HELLO_BYTES)))
        assert wire.close_code() == 1002

    @pytest.mark.parametrize("head", [head for head in HEADS if head[0] & 0x70 != DEFLATED], ids=bytes.hex)
    def test_reserved_bits_that_compression_does_not_use(self, world, head):
        wire = world.connect(DeflatedWire)
        wire.send(client_frame(head[0], deflated(HELLO_BYTES)))
        assert wire.close_code() == 1002

    @pytest.mark.parametrize(
        "data",
        [
            client_frame(DEFLATED | TEXT, b"x")
            + client_frame(DEFLATED | FINAL, b"x"),  # bit on a continuation
            client_frame(FINAL | DEFLATED | 9, b"x"),  # compressed ping
            client_frame(FINAL | DEFLATED | 8, b"\x03\xe8"),  # compressed close
            client_frame(DEFLATED | TEXT, b"")
            + client_frame(FINAL | DEFLATED | TEXT, b""),  # message in message
            client_frame(FINAL | DEFLATED, b"x"),  # compressed continuation of nothing
            b"\xc1\x02hi",  # compressed and not masked
        ],
    )
    def test_compression_where_it_must_not_be(self, world, data):
        wire = world.connect(DeflatedWire)
        wire.send(data)
        assert wire.close_code() == 1002

    @pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
    def test_reserved_opcodes(self, world, opcode):
        wire = world.connect(UndeflatedWire)
        wire.send(client_frame(FINAL | opcode, b"hi"))
        assert wire.close_code() == 1002

    @pytest.mark.parametrize("opcode", [0, 1, 2, 8, 9, 10])
    def test_frames_that_are_not_masked(self, world, opcode):
        wire = world.connect(UndeflatedWire)
        wire.send(bytes([FINAL | opcode, 4]) + b"\x03\xe8hi")
        assert wire.close_code() == 1002

    @pytest.mark.parametrize("opcode", [8, 9, 10])
    @pytest.mark.parametrize("size", [126, 65_536])
    def test_control_frames_that_are_too_long(self, world, opcode, size):
        wire = world.connect(UndeflatedWire)
        wire.send(client_frame(FINAL | opcode, bytes(size))[:14])
        assert wire.close_code() == 1002

    @pytest.mark.parametrize("opcode", [8, 9, 10])
    def test_control_frames_in_fragments(self, world, opcode):
        wire = world.connect(UndeflatedWire)
        wire.send(client_frame(opcode, b"\x03\xe8"))
        assert wire.close_code() == 1002

    def test_a_message_within_a_message(self, world):
        wire = world.connect(UndeflatedWire)
        wire.send(client_frame(TEXT, b"[") + client_frame(FINAL | TEXT, HELLO_BYTES))
        assert wire.close_code() == 1002

    @pytest.mark.parametrize("payload", [b"\x03", b"\x03\xec", b"\x00\x00", b"\x03\xe8\xff"])
    def test_malformed_close_frames(self, world, payload):
        wire = world.connect(UndeflatedWire)
        wire.send(client_frame(FINAL | 8, payload))
        assert wire.close_code() == (1007 if len(payload) == 3 else 1002)


class TestFloods:
    @pytest.mark.parametrize("wire_class", [UndeflatedWire, DeflatedWire])
    @pytest.mark.parametrize("part", [b"", b"["])
    def test_more_fragments_than_allowed(self, world, wire_class, part):
        wire = world.connect(wire_class)
        wire.send(client_frame(TEXT, part) + client_frame(CONTINUATION, part) * 9)
        assert wire.received() == b""
        wire.send(client_frame(CONTINUATION, part))
        assert wire.close_code() == 1008

    def test_more_compressed_fragments_than_allowed(self, world):
        wire = world.connect(DeflatedWire)
        data = deflated(HELLO_BYTES)
        wire.send(client_frame(DEFLATED | TEXT, data[:1]))
        wire.send(b"".join(client_frame(CONTINUATION, data[at : at + 1]) for at in range(1, 12)))
        assert wire.close_code() == 1008

    def test_pings_between_fragments_are_no_fragments(self, world):
        wire = world.connect(UndeflatedWire)
        wire.send(client_frame(TEXT, HELLO_BYTES[:9]) + client_frame(FINAL | 9, b"p") * 50)
        wire.send(client_frame(FINAL, HELLO_BYTES[9:]))
        assert [opcode for opcode, _ in wire.frames()] == [10] * 50 + [1]

    def test_many_frames_in_one_segment_are_all_answered(self, world):
        wire = world.connect(UndeflatedWire)
        wire.send(client_frame(FINAL | 9, b"") * 5000)
        assert len(wire.frames()) == 5000

    def test_a_frame_of_an_absurd_length_is_refused_at_its_head(self, world):
        wire = world.connect(UndeflatedWire)
        wire.send(b"\x81\xff" + (2**62).to_bytes(8, "big") + bytes(4))
        assert wire.close_code() == 1009

    def test_random_bytes_end_one_connection_at_most(self, world):
        for _ in range(200):
            wire = world.connect(DeflatedWire)
            wire.send(os.urandom(200))
            wire.hang_up()


class TestBatches:
    @staticmethod
    def opened(world, name):
        class Batched(UndeflatedWire):
            subprotocol = f"wamp.2.{name}.batched"

        return world.connect(Batched)

    @pytest.mark.parametrize(
        "batch", [b"", b"\x1e", HELLO_BYTES, b"\x1e" + HELLO_BYTES + b"\x1e", b"[]\x1e" * 2000]
    )
    def test_malformed_ones_end_the_session(self, world, batch):
        wire = self.opened(world, "json")
        wire.send(client_frame(FINAL | TEXT, batch))
        *_, (text, abort), (_, code) = wire.frames()
        assert (text, msgspec.json.decode(abort[:-1])[0], abort[-1:]) == (1, 3, b"\x1e")
        assert code == b"\x03\xea"
        wire.send(client_frame(FINAL | TEXT, batch))
        assert wire.received() == b""

    @pytest.mark.parametrize("name", ["msgpack", "cbor"])
    @pytest.mark.parametrize("batch", [b"", bytes(3), bytes(4), b"\x00\x00\x00\x05\x93\x01"])
    def test_malformed_binary_ones_end_the_session(self, world, name, batch):
        wire = self.opened(world, name)
        wire.send(client_frame(FINAL | 2, batch))
        assert wire.close_code() == 1002


class TestListeners:
    def test_what_they_say_is_not_even_inflated(self, world):
        wire = world.connect()
        wire.send(upgrade("/listen/a", extra="Sec-WebSocket-Extensions: permessage-deflate\r\n"))
        assert b"permessage-deflate" in wire.received()
        bomb = deflated(bytes(10_000_000))
        wire.send(client_frame(FINAL | DEFLATED | 2, bomb) * 3)
        assert not wire.is_closed
        wire.send(client_frame(FINAL | 9, b"?"))
        assert wire.received() == b"\x8a\x01?"
