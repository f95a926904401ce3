"""Segments of something long."""

from hypothesis import given
from hypothesis import strategies as st

from radiod.wire.pieces import MIN_PIECE, Pieces

SIZES = st.sampled_from([0, 1, 2, 100, MIN_PIECE - 1, MIN_PIECE, MIN_PIECE + 1, 65_536])


@given(st.lists(SIZES, max_size=12))
def test_what_is_taken_is_what_came_in_order(sizes):
    pieces, came = Pieces(), b""
    for index, size in enumerate(sizes):
        segment = bytes([index]) * size
        pieces.add(segment)
        came += segment
        assert pieces.size == len(came)
    assert pieces.take() == came
    assert (pieces.size, pieces.take()) == (0, b"")


def test_short_segments_cost_no_object_each():
    pieces = Pieces(b"x")
    for _ in range(100_000):
        pieces.add(b"xy")
    assert len(pieces._pieces) <= 200_001 // MIN_PIECE


def test_a_single_segment_is_not_copied():
    segment = bytes(65_536)
    assert Pieces(segment).take() is segment
