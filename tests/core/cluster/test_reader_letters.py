"""What nodes tell each other of listeners, as bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.core.cluster.reader_letters import (
    Counts,
    Unwatch,
    Want,
    Watch,
    Watched,
    read_readers,
    write_readers,
)


@pytest.mark.parametrize(
    "letter",
    [Watched(("a", "#1"), True, False), Watch(("a",)), Unwatch(("a",)), Counts({"a": 3, "b": 0}), Want()],
    ids=lambda letter: type(letter).__name__,
)
def test_a_letter_is_read_as_it_was_written(letter):
    assert read_readers(write_readers(letter)) == letter


@given(st.binary(max_size=50))
def test_other_bytes_are_no_letter(data):
    found = read_readers(data)
    assert found is None or read_readers(write_readers(found)) == found


def test_what_is_no_letter_is_none():
    for data in (b"", b"\xc1", b"\x91\xa1x", write_readers(Want())[:-1]):
        assert read_readers(data) is None
