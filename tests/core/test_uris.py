"""URI rules and patterns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.core.uris import MAX_URI_LENGTH, PatternSet, check_uri, is_reserved, matches
from radiod.errors import INVALID_URI, Refused

components = st.sampled_from(["", "a", "b", "ab", "*", "a*"])
patterns = st.lists(components, min_size=1, max_size=4).map(".".join)
uris = st.lists(st.sampled_from(["a", "b", "ab"]), min_size=1, max_size=4).map(".".join)

VALID = [
    "a",
    "a.b",
    "sample_net",
    "ünï.cödé",
    "A-B.c/d:e",
    "x" * MAX_URI_LENGTH,
    "wamp.session.on_join",
    "a*.b",
]
INVALID = [
    "",
    ".",
    "a.",
    ".a",
    "a..b",
    "a b",
    "a\tb",
    "a\n",
    "\na",
    "a#b",
    "a\0b",
    "a\x1fb",
    "a\x7fb",
    "a\u2003b",
    "a\x85b",
    "x" * (MAX_URI_LENGTH + 1),
]


@pytest.mark.parametrize("uri", VALID)
def test_valid_uris_pass(uri):
    check_uri(uri)


@pytest.mark.parametrize("uri", INVALID)
def test_invalid_uris_are_refused_in_one_short_line(uri):
    with pytest.raises(Refused) as refusal:
        check_uri(uri)
    assert refusal.value.uri == INVALID_URI
    assert len(refusal.value.text) < 2 * MAX_URI_LENGTH
    assert refusal.value.text.isprintable()


@given(st.text(alphabet="ab.# \0", max_size=12))
def test_the_rules_are_those_of_the_specification(uri):
    allowed = all(part and not set(part) & set("# \0") for part in uri.split("."))
    try:
        check_uri(uri)
    except Refused:
        assert not allowed
    else:
        assert allowed


@pytest.mark.parametrize(
    ("uri", "reserved"),
    [("wamp.x", True), ("radiod.x", True), ("wamp", False), ("wampx.y", False), ("a.wamp.x", False)],
)
def test_only_the_routers_own_namespaces_are_reserved(uri, reserved):
    assert is_reserved(uri) is reserved


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("a.b", ["a.b"], ["a", "a.b.c", "a.bc", "xa.b"]),
        ("*", ["a", "a.b.c"], []),
        ("a.b.*", ["a.b.c", "a.b.c.d"], ["a.b", "a.bc", "a"]),
        ("a..c", ["a.b.c", "a.x.c"], ["a.c", "a.b.c.d", "a.b.d", "x.b.c"]),
        ("..", ["a.b.c"], ["a.b", "a"]),
        ("a*", ["a*"], ["ab", "a.b"]),
    ],
)
def test_patterns_match_what_the_configuration_says_they_do(pattern, yes, no):
    assert [uri for uri in yes + no if matches(pattern, uri)] == yes
    assert [uri for uri in yes + no if uri in PatternSet((pattern,))] == yes


@given(st.lists(patterns, max_size=4), uris)
def test_a_set_of_patterns_is_asked_whether_any_of_them_matches(several, uri):
    assert (uri in PatternSet(tuple(several))) == any(matches(pattern, uri) for pattern in several)


def test_a_set_of_no_patterns_matches_nothing():
    assert "a" not in PatternSet(())
