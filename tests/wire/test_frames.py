"""Frames against a reference built straight from RFC 6455 and the WAMP RawSocket chapter."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.errors import PAYLOAD_SIZE_EXCEEDED, PeerError
from radiod.wire import frames
from radiod.wire.frames import (
    MOST_FRAMES,
    plain_frames,
    rawsocket_frame,
    rawsocket_frames,
    rawsocket_wanted,
    unmask,
    websocket_frame,
)

TEXT, BINARY = 0x81, 0x82
LIMIT = 1 << 20
MASK = b"\x01\x80\xff\x00"

kinds = st.sampled_from([TEXT, BINARY])
masks = st.binary(min_size=4, max_size=4)
EDGES = [0, 1, 3, 4, 5, 125, 126, 127, 255, 256, *range(4095, 4100), 65_535, 65_536, 65_537]
sizes = st.sampled_from(EDGES) | st.integers(0, 300)


def reference_unmask(payload, mask):
    return bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


def reference_frame(payload, *, first=TEXT, mask=MASK, wide=None):
    """A frame as RFC 6455, 5.2 draws it. ``wide``: bytes of extended length, instead of the fewest."""
    size = len(payload)
    if wide is None:
        wide = 0 if size < 126 else 2 if size < 1 << 16 else 8
    short = {0: size, 2: 126, 8: 127}[wide]
    extended = {0: b"", 2: struct.pack("!H", size & 0xFFFF), 8: struct.pack("!Q", size)}[wide]
    if mask is None:
        return bytes([first, short]) + extended + payload
    return bytes([first, short | 0x80]) + extended + mask + reference_unmask(payload, mask)


def reference_parse(frame):
    """Opcode byte and payload of one unmasked frame, and what stands behind it."""
    first, size = frame[0], frame[1]
    head = 2
    if size == 126:
        (size,), head = struct.unpack("!H", frame[2:4]), 4
    elif size == 127:
        (size,), head = struct.unpack("!Q", frame[2:10]), 10
    return first, frame[head : head + size], frame[head + size :]


def assert_left_alone(data, *, first=TEXT, limit=LIMIT):
    assert plain_frames(data, first, limit) == ([], 0)


class TestWebSocketFramesWritten:
    @given(kinds, sizes)
    def test_are_what_the_reference_reads(self, first, size):
        payload = b"\xa5" * size
        assert reference_parse(websocket_frame(payload, first)) == (first, payload, b"")

    @pytest.mark.parametrize(
        ("size", "head"), [(125, 2), (126, 4), (65_535, 4), (65_536, 10)], ids=lambda n: str(n)
    )
    def test_use_the_fewest_length_bytes(self, size, head):
        assert len(websocket_frame(b"x" * size, BINARY)) == head + size


class TestUnmask:
    @given(st.binary(max_size=200), masks)
    def test_is_the_reference(self, payload, mask):
        assert unmask(payload, mask) == reference_unmask(payload, mask)

    @given(st.binary(max_size=200), masks)
    def test_twice_is_nothing(self, payload, mask):
        assert unmask(unmask(payload, mask), mask) == payload


class TestPlainFrames:
    @given(kinds, sizes, masks)
    def test_one_frame_of_any_length_parses_back(self, first, size, mask):
        payload = bytes(index % 251 for index in range(size))
        frame = reference_frame(payload, first=first, mask=mask)
        assert plain_frames(frame, first, LIMIT) == ([payload], len(frame))

    @given(st.lists(st.binary(max_size=140), max_size=5), masks)
    def test_all_frames_in_a_row_parse_back(self, payloads, mask):
        data = b"".join(reference_frame(payload, mask=mask) for payload in payloads)
        assert plain_frames(data, TEXT, LIMIT) == (payloads, len(data))

    @given(st.lists(st.binary(max_size=140), min_size=1, max_size=3), masks)
    def test_a_cut_at_any_byte_loses_and_repeats_nothing(self, payloads, mask):
        data = b"".join(reference_frame(payload, mask=mask) for payload in payloads)
        for cut in range(len(data) + 1):
            before, used = plain_frames(data[:cut], TEXT, LIMIT)
            after, rest = plain_frames(data[used:], TEXT, LIMIT)
            assert before + after == payloads
            assert used + rest == len(data)

    @pytest.mark.parametrize("size", [126, 65_535, 65_536])
    def test_a_cut_inside_a_wide_head_waits_for_more(self, size):
        frame = reference_frame(bytes(size))
        for cut in [*range(16), len(frame) - 1]:
            assert_left_alone(frame[:cut])

    @pytest.mark.parametrize("first", set(range(256)) - {TEXT})
    def test_every_other_first_byte_is_left_alone(self, first):
        assert_left_alone(reference_frame(b"payload", first=first), first=TEXT)

    def test_a_text_frame_is_not_plain_where_binary_ones_are(self):
        assert_left_alone(reference_frame(b"payload", first=TEXT), first=BINARY)

    @pytest.mark.parametrize("size", [0, 7, 125, 126, 65_536])
    def test_an_unmasked_frame_is_left_alone(self, size):
        assert_left_alone(reference_frame(b"\xff" * size, mask=None))

    @pytest.mark.parametrize("size", [1, 125, 126, 300, 65_536])
    def test_the_limit_itself_is_plain_and_one_more_is_not(self, size):
        frame = reference_frame(bytes(size))
        assert plain_frames(frame, TEXT, size) == ([bytes(size)], len(frame))
        assert_left_alone(frame, limit=size - 1)

    @pytest.mark.parametrize(
        ("size", "wide"), [(0, 2), (5, 2), (125, 2), (0, 8), (125, 8), (126, 8), (65_535, 8)]
    )
    def test_a_length_in_more_bytes_than_it_needs_is_left_alone(self, size, wide):
        assert_left_alone(reference_frame(bytes(size), wide=wide))

    @pytest.mark.parametrize("length", [2**63 - 1, 2**63, 2**64 - 1])
    def test_an_absurd_length_is_left_alone(self, length):
        assert_left_alone(bytes([TEXT, 0xFF]) + struct.pack("!Q", length) + MASK + b"payload")

    @given(st.binary(max_size=100), st.sampled_from([0x01, 0x00, 0x80, 0x88, 0x89, 0x8A, 0xC1, 0x91, 0xA1]))
    def test_plain_frames_before_another_one_are_taken_and_no_more(self, payload, other):
        plain = reference_frame(payload)
        data = plain + reference_frame(b"other", first=other) + plain
        assert plain_frames(data, TEXT, LIMIT) == ([payload], len(plain))

    @given(st.binary(max_size=64) | st.binary(max_size=64).map(lambda tail: b"\x81\xfe\x00" + tail), kinds)
    def test_arbitrary_bytes_never_raise_and_what_is_taken_was_a_plain_frame(self, data, first):
        payloads, used = plain_frames(data, first, 100)
        assert 0 <= used <= len(data)
        # A 7-bit length is the only one below this limit, so each head is 6 bytes.
        assert used == sum(6 + len(payload) for payload in payloads)
        again = b"".join(
            reference_frame(payload, first=first, mask=data[at + 2 : at + 6])
            for payload, at in zip(payloads, _starts(payloads), strict=True)
        )
        assert again == data[:used]


def _starts(payloads):
    starts, at = [], 0
    for payload in payloads:
        starts.append(at)
        at += 6 + len(payload)
    return starts


class TestRawSocketFrames:
    @given(st.binary(max_size=300), st.sampled_from([frames.MESSAGE, frames.PING, frames.PONG]))
    def test_written_ones_are_a_kind_and_a_24_bit_length(self, payload, kind):
        frame = rawsocket_frame(payload, kind)
        assert struct.unpack("!I", frame[:4])[0] == (kind << 24) + len(payload)
        assert frame[4:] == payload

    def test_the_kind_is_a_message_unless_told_otherwise(self):
        assert rawsocket_frame(b"x" * 0x010203)[:4] == b"\x00\x01\x02\x03"

    @given(st.lists(st.tuples(st.integers(0, 2), st.binary(max_size=30)), max_size=4))
    def test_a_cut_at_any_byte_loses_and_repeats_nothing(self, sent):
        data = b"".join(struct.pack("!I", kind << 24 | len(payload)) + payload for kind, payload in sent)
        for cut in range(len(data) + 1):
            before, used = rawsocket_frames(data[:cut], 30)
            after, rest = rawsocket_frames(data[used:], 30)
            assert before + after == sent
            assert used + rest == len(data)

    @pytest.mark.parametrize("kind", [3, 7, 8, 0x10, 0x7F, 0xFF])
    def test_an_unknown_kind_breaks_the_protocol(self, kind):
        with pytest.raises(PeerError) as refusal:
            rawsocket_frames(bytes([kind, 0, 0, 0]), 100)
        assert refusal.value.uri == "wamp.error.protocol_violation"

    @pytest.mark.parametrize("kind", [frames.MESSAGE, frames.PING, frames.PONG])
    def test_a_frame_above_the_limit_is_refused_by_its_head_alone(self, kind):
        assert rawsocket_frames(rawsocket_frame(bytes(100), kind), 100)[0] == [(kind, bytes(100))]
        with pytest.raises(PeerError) as refusal:
            rawsocket_frames(rawsocket_frame(bytes(101), kind)[:4], 100)
        assert refusal.value.uri == PAYLOAD_SIZE_EXCEEDED

    @given(st.binary(max_size=64))
    def test_arbitrary_bytes_give_frames_or_a_peer_error(self, data):
        try:
            taken, used = rawsocket_frames(data, 50)
        except PeerError:
            return
        assert b"".join(rawsocket_frame(payload, kind) for kind, payload in taken) == data[:used]


def test_a_bad_rawsocket_frame_behind_good_ones_waits_its_turn():
    good, bad = b"\x00\x00\x00\x02ok", b"\x03\x00\x00\x00"
    assert rawsocket_frames(good + bad, 10) == ([(0, b"ok")], len(good))
    with pytest.raises(PeerError):
        rawsocket_frames(bad, 10)


def test_an_unfinished_rawsocket_frame_behind_good_ones_waits():
    good = b"\x00\x00\x00\x02ok"
    assert rawsocket_frames(good + good[:5], 10) == ([(0, b"ok")], len(good))


@pytest.mark.parametrize(
    ("data", "wanted"),
    [(b"\x00", 4), (b"\x00\x00\x01", 4), (b"\x00\x01\x00\x02", 65_542), (b"\x01\x00\x00\x00", 4)],
)
def test_how_much_an_unfinished_rawsocket_frame_wants(data, wanted):
    assert rawsocket_wanted(data) == wanted


@pytest.mark.parametrize("size", EDGES)
def test_any_length_is_unmasked_alike(size):
    payload = bytes(index % 251 for index in range(size))
    assert unmask(payload, MASK) == reference_unmask(payload, MASK)


def test_frames_are_taken_apart_some_at_a_time():
    masked = b"\x81\x80\x00\x00\x00\x00"
    payloads, rest = plain_frames(masked * (MOST_FRAMES + 1), 0x81, 10)
    assert (len(payloads), rest) == (MOST_FRAMES, len(masked) * MOST_FRAMES)
    frames, rest = rawsocket_frames(bytes(4) * (MOST_FRAMES + 1), 10)
    assert (len(frames), rest) == (MOST_FRAMES, 4 * MOST_FRAMES)
