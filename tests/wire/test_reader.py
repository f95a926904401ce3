"""The frame reader against what RFC 6455 says about frames, byte by byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.memory import client_frame

from radiod.wire.reader import BINARY, CLOSE, NO_CODE, PING, PONG, TEXT, FrameReader, Violation, close_code

LIMIT = 100_000


def reader(limit=LIMIT, max_fragments=10, inflate=None):
    return FrameReader(limit, max_fragments, inflate)


def read(data, **kwargs):
    return list(reader(**kwargs).read(data))


def violation(data, **kwargs):
    """The close code, and what was read before."""
    before, frames = [], reader(**kwargs).read(data)
    with pytest.raises(Violation) as caught:
        before.extend(frames)
    return caught.value.code, before


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, LIMIT])
def test_a_frame_of_any_length_is_read(size):
    assert read(client_frame(0x82, b"x" * size)) == [(BINARY, b"x" * size)]


def test_frames_are_read_in_order_and_control_frames_come_between_fragments():
    data = b"".join(
        [
            client_frame(0x01, b"a"),
            client_frame(0x89, b"ping"),
            client_frame(0x00, b""),
            client_frame(0x8A, b"pong"),
            client_frame(0x80, b"b"),
            client_frame(0x82, b"c"),
            client_frame(0x88, b""),
        ]
    )
    expected = [(PING, b"ping"), (PONG, b"pong"), (TEXT, b"ab"), (BINARY, b"c"), (CLOSE, b"")]
    assert read(data) == expected


@given(st.lists(st.integers(1, 30), max_size=40))
def test_segments_may_end_anywhere(sizes):
    data = client_frame(0x01, b"x" * 200) + client_frame(0x89, b"p") + client_frame(0x80, b"y" * 300)
    under_test, frames = reader(), []
    for size in sizes:
        frames += under_test.read(data[:size])
        data = data[size:]
    frames += under_test.read(data)
    assert frames == [(PING, b"p"), (TEXT, b"x" * 200 + b"y" * 300)]
    assert under_test.is_idle


def test_it_is_idle_only_between_messages():
    under_test = reader()
    assert under_test.is_idle
    for piece, idle in [
        (client_frame(0x01, b"a"), False),
        (client_frame(0x89, b""), False),
        (client_frame(0x80, b"b")[:3], False),
        (client_frame(0x80, b"b")[3:], True),
        (b"\x81", False),
    ]:
        list(under_test.read(piece))
        assert under_test.is_idle is idle


PROTOCOL_ERRORS = {
    "not masked": b"\x81\x02hi",
    "reserved bit 1": client_frame(0xC1, b"hi"),
    "reserved bit 2": client_frame(0xA1, b"hi"),
    "reserved bit 3": client_frame(0x91, b"hi"),
    "reserved data opcode": client_frame(0x83, b"hi"),
    "reserved control opcode": client_frame(0x8B, b"hi"),
    "continuation of nothing": client_frame(0x80, b"hi"),
    "a message inside another": client_frame(0x01, b"h") + client_frame(0x81, b"i"),
    "fragmented ping": client_frame(0x09, b"hi"),
    "long ping": client_frame(0x89, b"x" * 126),
    "126 said in 8 bytes": b"\x81\xff\x00\x00\x00\x00\x00\x00\x00\x7e\x00\x00\x00\x00",
    "5 said in 2 bytes": b"\x81\xfe\x00\x05\x00\x00\x00\x00hello",
    "2**63": b"\x81\xff\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
}


@pytest.mark.parametrize("data", PROTOCOL_ERRORS.values(), ids=PROTOCOL_ERRORS)
def test_protocol_errors_are_violations(data):
    assert violation(data) == (1002, [])


def test_what_came_before_a_violation_is_read():
    assert violation(client_frame(0x81, b"a") + b"\x81\x02hi") == (1002, [(TEXT, b"a")])


def test_a_message_too_long_is_known_by_its_head():
    assert violation(client_frame(0x81, b"x" * (LIMIT + 1))[:14]) == (1009, [])


def test_fragments_count_together():
    data = client_frame(0x01, b"x" * LIMIT) + client_frame(0x80, b"x")
    assert violation(data) == (1009, [])
    assert read(client_frame(0x01, b"x" * (LIMIT - 1)) + client_frame(0x80, b"x"))[0][0] == TEXT


def test_too_many_fragments_are_a_violation_however_small():
    data = client_frame(0x01, b"") + 9 * client_frame(0x00, b"")
    assert read(data) == []
    assert violation(data + client_frame(0x80, b"")) == (1008, [])


class TestCompression:
    def test_a_whole_message_is_inflated(self):
        data = client_frame(0x41, b"ab") + client_frame(0x80, b"cd") + client_frame(0x81, b"plain")
        assert read(data, inflate=bytes.upper) == [(TEXT, b"ABCD"), (TEXT, b"plain")]

    @pytest.mark.parametrize("first", [0xC9, 0xE1, 0xD1])
    def test_other_frames_cannot_be_compressed(self, first):
        assert violation(client_frame(first, b"x"), inflate=bytes.upper) == (1002, [])

    def test_nor_can_a_continuation(self):
        data = client_frame(0x41, b"ab") + client_frame(0xC0, b"cd")
        assert violation(data, inflate=bytes.upper) == (1002, [])

    def test_what_the_inflater_refuses_is_a_violation(self):
        def inflate(data):
            raise Violation(1009, "too big")

        assert violation(client_frame(0xC1, b"bomb"), inflate=inflate) == (1009, [])


class TestFindingTheClose:
    def test_everything_before_it_is_thrown_away(self):
        data = client_frame(0x81, b"x" * 70_000) + b"\x83\x02hi" + client_frame(0x88, b"")
        assert reader().finds_close(data)
        assert not reader().finds_close(data[:-6])

    def test_segments_may_end_anywhere(self):
        data = client_frame(0x82, b"x" * 300) + client_frame(0x89, b"?") + client_frame(0x88, b"")
        under_test = reader()
        found = [under_test.finds_close(data[at : at + 1]) for at in range(len(data))]
        # Its head is enough.
        assert found == [False] * (len(data) - 1) + [True]

    def test_it_goes_on_where_reading_stopped(self):
        under_test = reader(limit=10)
        data = client_frame(0x81, b"x" * 11) + client_frame(0x88, b"")
        with pytest.raises(Violation):
            list(under_test.read(data[:9]))
        assert under_test.finds_close(data[9:])

    def test_a_frame_that_was_half_read_is_skipped(self):
        under_test = reader()
        data = client_frame(0x81, b"\x88\x80\x00\x00\x00\x00") + client_frame(0x88, b"")
        assert list(under_test.read(data[:8])) == []
        assert not under_test.finds_close(data[8:12])
        assert under_test.finds_close(data[12:])


class TestClosePayload:
    @pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1014, 3000, 4999])
    def test_codes_that_may_be_sent(self, code):
        assert close_code(code.to_bytes(2, "big") + "tschüß".encode()) == code

    def test_no_code(self):
        assert close_code(b"") == NO_CODE

    @pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65_535])
    def test_codes_that_may_not_be_sent(self, code):
        with pytest.raises(Violation) as caught:
            close_code(code.to_bytes(2, "big"))
        assert caught.value.code == 1002

    def test_half_a_code(self):
        with pytest.raises(Violation) as caught:
            close_code(b"\x03")
        assert caught.value.code == 1002

    def test_a_reason_that_is_no_text(self):
        with pytest.raises(Violation) as caught:
            close_code(b"\x03\xe8\xff")
        assert caught.value.code == 1007


@given(st.lists(st.integers(1, 30), max_size=60))
def test_a_deaf_reader_keeps_nothing_and_finds_everything_else(sizes):
    talk = client_frame(0x01, b"x" * 200) + client_frame(0x89, b"p") + client_frame(0x80, b"y" * 300)
    data = talk + client_frame(0x82, b"z" * 70)
    under_test, frames = FrameReader(LIMIT, 10, None, is_deaf=True), []
    for size in sizes:
        frames += under_test.read(data[:size])
        data = data[size:]
        assert under_test.size <= 13
    frames += under_test.read(data)
    assert frames == [(PING, b"p"), (TEXT, b""), (BINARY, b"")]
    assert under_test.is_idle
    assert list(under_test.read(client_frame(0x01, b"x" * 99)[:50])) == [] or not under_test.is_idle


def test_a_deaf_reader_knows_faults_and_the_way_out():
    under_test = FrameReader(100, 10, None, is_deaf=True)
    with pytest.raises(Violation):
        list(under_test.read(client_frame(0x81, b"x" * 101)))
    under_test = FrameReader(100, 10, None, is_deaf=True)
    half = client_frame(0x81, b"x" * 100)
    assert list(under_test.read(half[:50])) == [(TEXT, b"")]
    assert not under_test.is_idle
    assert under_test.finds_close(half[50:] + client_frame(0x88, b""))


def test_what_is_kept_is_counted():
    under_test = reader()
    list(under_test.read(client_frame(0x01, b"x" * 100) + client_frame(0x00, b"y" * 100)[:50]))
    assert under_test.size == 150


def test_a_deaf_reader_throws_away_what_comes_of_a_frame_later():
    under_test = FrameReader(LIMIT, 10, None, is_deaf=True)
    data = client_frame(0x01, b"x" * 90) + client_frame(0x80, b"y" * 90) + client_frame(0x89, b"p")
    frames = [list(under_test.read(data[at : at + 30])) for at in range(0, len(data), 30)]
    assert [frame for some in frames for frame in some] == [(TEXT, b""), (PING, b"p")]
    assert under_test.is_idle
