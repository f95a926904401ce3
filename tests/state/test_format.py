"""The frame of a state: whole, or refused in one sentence."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.state.format import FORMAT, Section, StateError, read_sections, write_sections

SECTIONS = st.lists(
    st.builds(Section, st.binary(min_size=4, max_size=4).filter(b"end ".__ne__), st.binary(max_size=20)),
    max_size=5,
)


def written(sections):
    return b"".join(write_sections(sections))


def bodies(sections):
    return [(section.kind, bytes(section.body)) for section in sections]


def refusal(data):
    with pytest.raises(StateError) as refused:
        read_sections(data)
    return str(refused.value)


@given(sections=SECTIONS, kind=st.sampled_from([bytes, bytearray, memoryview]))
def test_sections_come_back(sections, kind):
    assert bodies(read_sections(kind(written(sections)))) == bodies(sections)


@given(sections=SECTIONS, data=st.data())
def test_whatever_is_changed_anywhere_is_found(sections, data):
    whole = written(sections)
    at = data.draw(st.integers(0, len(whole) - 1))
    bit = data.draw(st.integers(0, 7))
    refusal(whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :])


@given(sections=SECTIONS, data=st.data())
def test_whatever_is_missing_or_too_much_is_found(sections, data):
    whole = written(sections)
    refusal(whole[: data.draw(st.integers(0, len(whole) - 1))])
    refusal(whole + data.draw(st.binary(min_size=1, max_size=20)))


@given(data=st.binary(max_size=100))
def test_other_bytes_are_no_state(data):
    assert refusal(data) == "it is no state of a radiod"


def test_sections_cannot_change_places():
    first, second = Section(b"aaaa", b"1"), Section(b"bbbb", b"2")
    one, other = (list(write_sections(each)) for each in ([first, second], [second, first]))
    assert "checksum" in refusal(b"".join([one[0], other[1], one[2]]))


def test_sections_are_asked_for_one_by_one():
    asked = []

    def sections():
        for number in range(3):
            asked.append(number)
            yield Section(b"aaaa", b"")

    pieces = write_sections(sections())
    next(pieces)
    assert asked == [0]


def test_another_format_is_refused_by_its_number():
    whole = written([Section(b"aaaa", b"")])
    (number,) = struct.unpack_from("<H", whole, 16)
    assert number == FORMAT
    other = whole[:16] + struct.pack("<H", FORMAT + 1) + whole[18:]
    assert refusal(other) == f"it has format {FORMAT + 1}, and this radiod reads format {FORMAT}"
