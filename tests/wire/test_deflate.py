"""Compression: offers, frames that any inflater reads, and messages made to harm."""

import contextlib
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.errors import PAYLOAD_SIZE_EXCEEDED, PeerError
from radiod.wire.deflate import COMPRESS_FROM, Inflater, accept, deflated_frame, inflate
from radiod.wire.frames import BINARY, TEXT, websocket_frame

TAIL = b"\x00\x00\xff\xff"
PLAIN_ANSWER = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"


def offer(name="permessage-deflate", **parameters):
    return name, {key: value if isinstance(value, list) else [value] for key, value in parameters.items()}


def deflated(data, level=6):
    """A compressed message as RFC 7692, 7.2.1 makes it."""
    compressor = zlib.compressobj(level, zlib.DEFLATED, -15)
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)).removesuffix(TAIL)


def pieces(data, size):
    return [data[at : at + size] for at in range(0, len(data), size)]


class TestAccept:
    @pytest.mark.parametrize(
        "parameters",
        [
            {},
            {"client_max_window_bits": True},
            {"client_max_window_bits": "8"},
            {"client_max_window_bits": "15"},
            {"server_no_context_takeover": True, "client_no_context_takeover": True},
        ],
        ids=str,
    )
    def test_an_offer_is_answered_without_context_takeover(self, parameters):
        assert accept([offer(**parameters)]) == PLAIN_ANSWER

    def test_a_demanded_window_of_the_full_size_is_confirmed(self):
        assert accept([offer(server_max_window_bits="15")]) == PLAIN_ANSWER + "; server_max_window_bits=15"

    @pytest.mark.parametrize(
        "parameters",
        [
            {"server_max_window_bits": "14"},
            {"server_max_window_bits": "8"},
            {"server_max_window_bits": "015"},
            {"server_max_window_bits": True},
            {"client_max_window_bits": "7"},
            {"client_max_window_bits": "16"},
            {"client_max_window_bits": "010"},
            {"client_max_window_bits": ""},
            {"client_max_window_bits": ["10", "10"]},
            {"server_no_context_takeover": "1"},
            {"client_no_context_takeover": "yes"},
            {"unheard_of": True},
        ],
        ids=str,
    )
    def test_a_smaller_window_and_a_malformed_offer_are_declined(self, parameters):
        assert accept([offer(**parameters)]) is None
        assert accept([offer(**parameters), offer()]) == PLAIN_ANSWER

    def test_other_extensions_are_not_ours(self):
        assert accept([]) is None
        assert accept([offer("permessage-bzip2")]) is None


class TestDeflatedFrame:
    @given(st.sampled_from([TEXT, BINARY]), st.binary(max_size=300), st.integers(1, 60))
    def test_any_inflater_reads_the_payload(self, first, part, times):
        payload = part * times
        frame = deflated_frame(payload, first)
        if frame[0] == first:
            assert frame == websocket_frame(payload, first)
        else:
            assert frame[0] == first | 0x40
            assert len(frame) < len(websocket_frame(payload, first))
            body = frame[{126: 4, 127: 10}.get(frame[1], 2) :]
            assert zlib.decompressobj(-15).decompress(body + TAIL) == payload

    def test_short_messages_and_those_that_do_not_shrink_stay_as_they_are(self):
        assert deflated_frame(b"a" * (COMPRESS_FROM - 1), TEXT)[0] == TEXT
        assert deflated_frame(b"a" * COMPRESS_FROM, TEXT)[0] == TEXT | 0x40
        assert deflated_frame(bytes(range(256)), BINARY)[0] == BINARY

    def test_one_inflater_that_keeps_its_window_reads_them_all(self):
        # A client may do that although it is told that it need not.
        inflater = zlib.decompressobj(-15)
        for letter in b"abcab":
            payload = bytes([letter]) * 1000
            assert inflater.decompress(deflated_frame(payload, TEXT)[2:] + TAIL) == payload


class TestInflate:
    @given(st.binary(max_size=2000), st.integers(1, 20), st.sampled_from([0, 1, 6, 9]))
    def test_is_the_inverse_of_deflating(self, part, times, level):
        data = part * times
        assert inflate(deflated(data, level), len(data)) == data

    @given(st.binary(max_size=2000), st.integers(1, 50))
    def test_in_pieces_is_the_same(self, data, size):
        inflater = Inflater(len(data))
        assert b"".join(map(inflater.feed, pieces(deflated(data), size))) == data
        inflater.finish()

    # RFC 7692, 7.2.3: the examples.
    @pytest.mark.parametrize(
        "message",
        [
            "f248cdc9c90700",  # one block
            "000500faff48656c6c6f00",  # not compressed
            "f348cdc9c9070000",  # ends the stream
            "f24805000000ffffcac9c90700",  # two blocks
        ],
    )
    def test_the_specifications_examples(self, message):
        assert inflate(bytes.fromhex(message), 5) == b"Hello"

    @pytest.mark.parametrize("size", [1, 2, 257, 258, 259, 1000, 1 << 20])
    @pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
    def test_the_limit_is_exact_to_the_byte(self, size, chunk):
        message = deflated(b"a" * size)
        inflater = Inflater(size)
        assert len(b"".join(map(inflater.feed, pieces(message, chunk)))) == size
        inflater.finish()
        with pytest.raises(PeerError) as caught:
            list(map(Inflater(size - 1).feed, pieces(message, chunk)))
        assert caught.value.uri == PAYLOAD_SIZE_EXCEEDED

    @pytest.mark.slow
    def test_a_bomb_is_not_inflated_above_the_limit(self):
        bomb = deflated(bytes(200_000_000))
        tracemalloc.start()
        with pytest.raises(PeerError) as caught:
            inflate(bomb, 100_000)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert caught.value.uri == PAYLOAD_SIZE_EXCEEDED
        assert peak < 1_000_000

    @pytest.mark.parametrize(
        "message",
        [
            b"\xff\xff\xff\xff",  # no such kind of block
            bytes.fromhex("f348cdc9c90700") + b"ab",  # something behind the stream's end
            b"\x00\x04\x00\xfb\xff",  # a block that would take the tail for its data
        ],
    )
    def test_malformed_data_is_a_peer_error(self, message):
        with pytest.raises(PeerError) as caught:
            inflate(message, 1000)
        assert caught.value.uri == "wamp.error.protocol_violation"

    def test_a_message_that_refers_to_the_one_before_is_malformed(self):
        compressor = zlib.compressobj(6, zlib.DEFLATED, -15)
        first, second = (
            compressor.compress(b"word" * 50) + compressor.flush(zlib.Z_SYNC_FLUSH) for _ in "12"
        )
        assert inflate(first.removesuffix(TAIL), 1000) == b"word" * 50
        with pytest.raises(PeerError):
            inflate(second.removesuffix(TAIL), 1000)

    @given(st.binary(max_size=200), st.integers(0, 300))
    def test_anything_inflates_within_the_limit_or_is_a_peer_error(self, data, limit):
        with contextlib.suppress(PeerError):
            assert len(inflate(data, limit)) <= limit
