"""Tables for spreadsheets: any text comes back, and none is a formula."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.core.sheets import FORMULA, sheet

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def test_a_row_is_a_line_under_the_header():
    rows = [{"a": 1, "b": 'x,"y"', "more": 3}, {"b": 2.5}]
    assert sheet(["a", "b"], rows) == 'a,b\r\n1,"x,""y"""\r\n,2.5\r\n'
    assert sheet(["a"], [{"a": 7}], line_end="\n") == "a\n7\n"


@pytest.mark.parametrize("beginning", FORMULA)
def test_no_text_is_a_formula(beginning):
    [_, [value]] = csv.reader(io.StringIO(sheet(["a"], [{"a": f"{beginning}1+1"}]), newline=""))
    assert value == f"'{beginning}1+1"


def test_numbers_stay_as_they_are():
    assert sheet(["a"], [{"a": -7}]) == "a\r\n-7\r\n"


@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=5))
def test_whatever_the_texts_are_they_come_back(rows):
    text = sheet(["a", "b"], [{"a": a, "b": b} for a, b in rows])
    _, *read = csv.reader(io.StringIO(text, newline=""))
    assert len(read) == len(rows)
    for written, values in zip(rows, read, strict=True):
        for one, value in zip(written, values, strict=True):
            assert value == (f"'{one}" if one.startswith(FORMULA) else one)
