"""Frames that leave together, against a reader of RFC 6455 that knows nothing of bundles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.wire.batches import MOST_MESSAGES
from radiod.wire.bundles import MOST_BYTES, bundled, bundled_deflated
from radiod.wire.deflate import COMPRESSED, inflate
from radiod.wire.frames import BINARY, TEXT, websocket_frame

PING, CLOSE = 0x89, 0x88

payloads = st.binary(max_size=300) | st.integers(0, 70_000).map(lambda size: b"x" * size)
pieces = st.lists(st.tuples(st.sampled_from([TEXT, TEXT, TEXT, PING]), payloads), min_size=1, max_size=12)


def read(data):
    """(first byte, payload) of each frame, decompressed."""
    frames = []
    while data:
        head, size = 2, data[1]
        if size > 125:
            head, size = (4, int.from_bytes(data[2:4])) if size == 126 else (10, int.from_bytes(data[2:10]))
        payload = data[head : head + size]
        if data[0] & COMPRESSED:
            payload = inflate(payload, 1 << 20)
        frames.append((data[0] & ~COMPRESSED, payload))
        data = data[head + size :]
    return frames


@given(pieces)
@pytest.mark.parametrize("bundle", [bundled, bundled_deflated])
def test_everything_comes_once_and_in_order(bundle, pieces):
    pieces = [(first, payload[:125] if first == PING else payload) for first, payload in pieces]
    frames = read(bundle([websocket_frame(payload, first) for first, payload in pieces]))
    for kind in (TEXT, PING):
        sent = b"".join(payload for first, payload in pieces if first == kind)
        assert b"".join(payload for first, payload in frames if first == kind) == sent
    # A ping is where it was: behind the same bytes.
    assert [(first, payload) for first, payload in frames if first == PING] == [
        piece for piece in pieces if piece[0] == PING
    ]
    for first, payload in frames:
        assert len(payload) <= MOST_BYTES or (first, payload) in pieces


@pytest.mark.parametrize("bundle", [bundled, bundled_deflated])
class TestBundles:
    def test_a_burst_is_one_message(self, bundle):
        events = [b"event %d" % number for number in range(100)]
        frames = [websocket_frame(event, BINARY) for event in events]
        assert read(bundle(frames)) == [(BINARY, b"".join(events))]

    def test_one_is_itself(self, bundle):
        assert read(bundle([websocket_frame(b"a" * 200, TEXT)])) == [(TEXT, b"a" * 200)]

    def test_no_more_messages_than_a_batch_may_hold(self, bundle):
        frames = [websocket_frame(b"a", TEXT)] * (MOST_MESSAGES + 1)
        assert [len(payload) for _, payload in read(bundle(frames))] == [MOST_MESSAGES, 1]

    def test_no_more_bytes_but_of_one(self, bundle):
        frames = [websocket_frame(b"a" * size, TEXT) for size in (40_000, 20_000, 10_000, 70_000, 5)]
        assert [len(payload) for _, payload in read(bundle(frames))] == [60_000, 10_000, 70_000, 5]

    def test_control_frames_stay_between(self, bundle):
        frames = [websocket_frame(b"a", TEXT), websocket_frame(b"", PING), websocket_frame(b"b", TEXT)]
        frames += [websocket_frame(b"c", TEXT), websocket_frame(b"\x03\xe8", CLOSE)]
        assert read(bundle(frames)) == [(TEXT, b"a"), (PING, b""), (TEXT, b"bc"), (CLOSE, b"\x03\xe8")]


def test_long_messages_are_compressed_together():
    frames = [websocket_frame(b"the same words " * 10, TEXT)] * 10
    assert len(bundled_deflated(frames)) < 100
