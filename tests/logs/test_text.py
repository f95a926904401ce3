"""Text from outside, as it may stand in a log."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.logs.text import MAX_LINE, MAX_TRACEBACK, clean, clean_traceback


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("as it is: ß 漢 🚗", "as it is: ß 漢 🚗"),
        ("two\r\nlines\ttab", r"two\r\nlines\ttab"),
        ("\x1b[31mred\x00\x7f", r"\x1b[31mred\x00\x7f"),
        ("\x85\x9b\u2028\u2029\u202e\ud800", r"\x85\x9b\u2028\u2029\u202e\ud800"),
        ("x" * (MAX_LINE + 1), "x" * (MAX_LINE - 1) + "…"),
    ],
)
def test_what_does_not_print_is_an_escape(text, cleaned):
    assert clean(text) == cleaned


@given(st.text())
def test_any_text_becomes_one_printable_line_that_can_be_encoded(text):
    line = clean(text * 20)
    assert line.isprintable()
    assert len(line) <= 2 * MAX_LINE
    assert line.encode().decode() == line


def test_a_traceback_keeps_its_lines_and_its_end():
    assert clean_traceback("a\n\x1bb") == "a\n\\x1bb"
    long = clean_traceback("x\n" * MAX_TRACEBACK + "end")
    assert long.endswith("end")
    assert len(long) == MAX_TRACEBACK
