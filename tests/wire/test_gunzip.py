"""Whatever gzip made comes out as it went in, in pieces of any length; nothing else does."""

import contextlib
import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.wire.gunzip import BadGzip, Gunzip, TooLong, gunzip

ENOUGH = 1 << 40
BODY = b'{"channel": "weather.harbour", "data": {"x": 1}}\n' * 100
# Without the time of day, which would be part of names of tests.
PACKED = gzip.compress(BODY, mtime=0)
EMPTY = gzip.compress(b"", mtime=0)


def read_all(inflater, most=4096):
    pieces = []
    while not inflater.is_hungry:
        pieces.append(inflater.read(most))
    return pieces


def pour(packed, *, limit=ENOUGH, fed=1 << 20, most=4096):
    inflater, pieces = Gunzip(limit), []
    for start in range(0, len(packed), fed):
        inflater.feed(packed[start : start + fed])
        pieces += read_all(inflater, most)
    inflater.finish()
    assert all(len(piece) <= most for piece in pieces)
    return b"".join(pieces)


@pytest.mark.parametrize("fed", [1, 7, 1 << 20])
@pytest.mark.parametrize("most", [1, 9, 1 << 20])
def test_a_body_comes_out_in_pieces_however_it_went_in(fed, most):
    assert pour(PACKED, fed=fed, most=most) == BODY


@given(st.lists(st.binary(max_size=400), min_size=1, max_size=5), st.integers(1, 50), st.integers(1, 500))
def test_any_members_are_one_body(parts, fed, most):
    packed = b"".join(map(gzip.compress, parts))
    assert pour(packed, fed=fed, most=most) == b"".join(parts) == gunzip(packed, sum(map(len, parts)))


@given(st.binary(max_size=200) | st.binary().map(lambda data: PACKED[:30] + data), st.integers(1, 50))
def test_no_other_error_leaves_it(data, fed):
    with contextlib.suppress(BadGzip, TooLong):
        pour(data, fed=fed, limit=1000)


@given(st.binary(max_size=100), st.data())
def test_any_part_of_a_body_is_none(body, data):
    packed = gzip.compress(body)
    with pytest.raises(BadGzip, match="ends before it is whole"):
        gunzip(packed[: data.draw(st.integers(0, len(packed) - 1))], 100)


def test_what_is_fed_while_there_is_more_to_read_is_read_behind_it():
    inflater = Gunzip(ENOUGH)
    inflater.feed(PACKED[:100])
    first = inflater.read(1)
    inflater.feed(PACKED[100:])
    assert first + b"".join(read_all(inflater)) == BODY
    assert inflater.is_whole


def test_names_and_comments_of_a_header_are_skipped():
    header = b"\x1f\x8b\x08\x1c" + bytes(6) + b"\x03\0abc" + b"name\0" + b"comment\0"
    assert pour(header + PACKED[10:], fed=1) == BODY


@pytest.mark.parametrize("behind", [b"xx", b"\0" * 512, BODY], ids=len)
def test_garbage_behind_a_body_is_refused(behind):
    with pytest.raises(BadGzip, match="goes on behind its end"):
        gunzip(PACKED + behind, ENOUGH)


def test_a_single_byte_behind_a_body_may_be_a_member_that_was_cut():
    with pytest.raises(BadGzip, match="ends before it is whole"):
        gunzip(PACKED + b"x", ENOUGH)


@pytest.mark.parametrize("body", [BODY, zlib.compress(BODY), b"\0\0", b"\x1f\x8c" + PACKED[2:]], ids=len)
def test_what_is_no_gzip_is_told_so(body):
    with pytest.raises(BadGzip, match="is no gzip"):
        gunzip(body, ENOUGH)


@pytest.mark.parametrize("place", [2, 3, 10, -8, -1])
def test_damage_is_found_wherever_it_is(place):
    """Method, flags, data, checksum, length."""
    packed = bytearray(PACKED)
    packed[place] ^= 0xE0
    with pytest.raises(BadGzip, match=r"is damaged|before it is whole"):
        gunzip(bytes(packed), ENOUGH)


def test_a_limit_is_the_longest_body_and_not_one_byte_more():
    assert gunzip(PACKED, len(BODY)) == BODY
    for limit in (0, len(BODY) - 1):
        with pytest.raises(TooLong, match=f"more than {limit} bytes"):
            gunzip(PACKED, limit)
    assert gunzip(EMPTY, 0) == b""


def test_a_limit_counts_all_members():
    with pytest.raises(TooLong):
        gunzip(PACKED + PACKED, 2 * len(BODY) - 1)


def test_a_bomb_costs_no_memory():
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = bytes(1 << 20)
    bomb = b"".join(packer.compress(zeros) for _ in range(64)) + packer.flush()
    assert len(bomb) < 70_000
    inflater, size = Gunzip(ENOUGH), 0
    tracemalloc.start()
    inflater.feed(bomb)
    while not inflater.is_hungry:
        size += len(inflater.read(4096))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert inflater.is_whole
    assert size == 64 << 20
    assert peak < 200_000


def test_each_read_does_little_even_where_nothing_comes_out():
    """Members that hold nothing: one at a time."""
    inflater = Gunzip(ENOUGH)
    inflater.feed(EMPTY * 1000)
    assert len(read_all(inflater)) == 1000
    assert inflater.is_whole


def test_a_body_of_nothing_is_not_whole():
    inflater = Gunzip(ENOUGH)
    assert inflater.is_hungry
    assert inflater.read(10) == b""
    with pytest.raises(BadGzip):
        inflater.finish()


def test_a_body_is_not_whole_before_all_of_it_is_read():
    inflater = Gunzip(ENOUGH)
    inflater.feed(PACKED)
    inflater.read(10)
    assert not inflater.is_whole
    with pytest.raises(BadGzip):
        inflater.finish()
