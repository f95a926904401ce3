"""Shell-like patterns of names."""

import fnmatch
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.answers import assert_refused

from radiod.core.globs import MOST_ALTERNATIVES, MOST_CHARACTERS, glob
from radiod.errors import INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("pattern", "names", "others"),
    [
        ("", [""], ["a"]),
        ("a", ["a"], ["", "b", "ab", "A"]),
        ("*", ["", "a", "a.b", "a\nb"], []),
        ("a*", ["a", "ab"], ["b", "ba"]),
        ("*a", ["a", "ba", "aba"], ["b", "ab"]),
        ("*a*b", ["ab", "aabb", "xaxb"], ["ba", "a"]),
        ("**a", ["a", "ba"], ["b"]),
        ("a?c", ["abc", "a.c"], ["ac", "abbc"]),
        ("[a-c]x", ["ax", "cx"], ["dx", "x"]),
        ("[!a-c]x", ["dx"], ["ax", "x"]),
        ("[^a]", ["^", "a"], ["b"]),
        ("a.b", ["a.b"], ["axb"]),
        ("{a,b.c,}x", ["ax", "b.cx", "x"], ["cx"]),
        ("{a,ab}*b", ["ab", "abb", "axb"], ["b", "a"]),
        ("*{ab,a}*b", ["ab", "xab", "aab"], ["ba"]),
        ("{a,b}{c,d}", ["ac", "bd"], ["ab"]),
        (r"\*\{a\,", ["*{a,"], ["x"]),
        (r"{a\,b,c}", ["a,b", "c"], ["a", "b"]),
    ],
)
def test_what_they_match(pattern, names, others):
    matches = glob(pattern).fullmatch
    assert [name for name in names + others if matches(name)] == names


@pytest.mark.parametrize("pattern", ["[", "]", "[]", "{", "}", "{a", "{a,{b,c}}", "\\", "[z-a]", "[a--b]"])
def test_what_is_none_is_refused(pattern):
    assert_refused(INVALID_ARGUMENT, glob, pattern)


def test_they_have_a_bound():
    assert glob("a" * MOST_CHARACTERS)
    assert_refused(INVALID_ARGUMENT, glob, "a" * (MOST_CHARACTERS + 1))
    assert glob("{a,b}" * 6).fullmatch("ababab")
    assert MOST_ALTERNATIVES == 64
    assert_refused(INVALID_ARGUMENT, glob, "{a,b}" * 7)


def test_many_stars_cost_no_time():
    started = time.process_time()
    assert not glob("*a" * 100 + "b").fullmatch("a" * 255)
    assert time.process_time() - started < 1


@given(st.text("ab*?", max_size=8), st.text("abc", max_size=8))
def test_stars_and_question_marks_are_those_of_shells(pattern, name):
    assert bool(glob(pattern).fullmatch(name)) == fnmatch.fnmatchcase(name, pattern)
