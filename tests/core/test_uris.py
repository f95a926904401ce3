"""URI rules, match policies and patterns."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.core import uris as module
from radiod.core.uris import (
    MAX_URI_LENGTH,
    PatternSet,
    check_uri,
    covers,
    is_pattern,
    is_reserved,
    matches,
    selects,
    watched,
)
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


def is_valid(uri, policy="exact"):
    try:
        check_uri(uri, policy)
    except Refused:
        return False
    return True


@given(st.text(alphabet="ab.# \0", max_size=12))
def test_the_rules_are_those_of_the_specification(uri):
    parts = uri.split(".")
    is_clean = not set(uri) & set("# \0")
    assert is_valid(uri) == (is_clean and all(parts))
    assert is_valid(uri, "wildcard") == is_clean
    # What a prefix may be: the beginning of some URI.
    assert is_valid(uri, "prefix") == (is_clean and all(parts[:-1]))
    assert is_valid(uri, "prefix") == (uri == "" or is_valid(uri) or is_valid(f"{uri}x"))


@pytest.mark.parametrize("prefix", ["", "a", "a.", "a.b", "wamp.", "x" * MAX_URI_LENGTH])
def test_a_prefix_may_be_empty_or_end_anywhere(prefix):
    check_uri(prefix, "prefix")


@pytest.mark.parametrize("wildcard", ["", ".", "a..b", ".a", "a.", "a.b", "." * MAX_URI_LENGTH])
def test_a_wildcard_has_empty_components_anywhere(wildcard):
    check_uri(wildcard, "wildcard")


@pytest.mark.parametrize(
    ("policy", "uri", "text"),
    [
        ("exact", "a b", "not a valid URI: 'a b'"),
        ("prefix", ".a", "not a valid prefix of a URI: '.a'"),
        ("wildcard", "a#.", "not a valid wildcard of a URI: 'a#.'"),
        ("prefix", "x" * 256, "URI of 256 characters is longer than 255"),
    ],
)
def test_a_refusal_says_what_was_meant(policy, uri, text):
    with pytest.raises(Refused) as refusal:
        check_uri(uri, policy)
    assert (refusal.value.uri, refusal.value.text) == (INVALID_URI, text)


def test_what_is_too_long_is_not_remembered():
    remembered = module._is_well_formed.cache_info().currsize
    for policy in ("exact", "prefix", "wildcard"):
        assert not is_valid("x" * 100_000, policy)
    assert module._is_well_formed.cache_info().currsize == remembered


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


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a", False), ("a.b", False), ("*", True), ("a.*", True), ("a..b", True), (".a", True), ("a.", True)],
)
def test_a_pattern_is_told_from_a_uri(name, expected):
    assert is_pattern(name) is expected


@pytest.mark.parametrize(
    ("policy", "wanted", "yes", "no"),
    [
        ("exact", "a.b", ["a.b"], ["a.b.c", "a.bc", "a"]),
        ("prefix", "a.b", ["a.b", "a.b.c", "a.bc"], ["a", "a.c", "x.a.b"]),
        ("prefix", "a.", ["a.b", "a.b.c"], ["a", "ab.c"]),
        ("prefix", "", ["a", "a.b"], []),
        ("wildcard", "a..c", ["a.b.c", "a.c.c"], ["a.c", "a.b.c.d", "a.b.d"]),
        ("wildcard", "a.b", ["a.b"], ["a.c", "a.b.c"]),
        ("wildcard", "", ["a", "b"], ["a.b"]),
    ],
)
def test_match_policies_select_what_the_specification_says(policy, wanted, yes, no):
    assert [uri for uri in yes + no if selects(policy, wanted, uri)] == yes


# --- what covers what, tried on every URI of up to four components; "z" stands for whatever nobody names

PARTS = ["a", "b", "ab", "z"]
EVERY = [".".join(parts) for length in range(1, 5) for parts in product(PARTS, repeat=length)]

gaps = st.lists(st.sampled_from(["", "a", "b", "ab"]), min_size=1, max_size=3).map(".".join)
names = st.lists(st.sampled_from(["a", "b", "ab"]), min_size=1, max_size=3).map(".".join)
configured = st.one_of(st.just("*"), names, names.map("{}.*".format), gaps.filter(bool))
asked_for = st.one_of(
    st.tuples(st.just("exact"), names),
    st.tuples(st.just("prefix"), st.one_of(st.just(""), names, names.map("{}.".format))),
    st.tuples(st.just("wildcard"), gaps),
)


def selected(policy, uri):
    return [one for one in EVERY if selects(policy, uri, one)]


@given(configured, asked_for)
def test_a_pattern_covers_exactly_what_lies_under_it(pattern, asked):
    under = selected(*asked)
    assert under
    assert covers(pattern, *asked) == all(matches(pattern, uri) for uri in under)


@given(st.lists(configured, max_size=3), asked_for)
def test_a_set_covers_what_one_of_its_patterns_covers(several, asked):
    assert PatternSet(tuple(several)).covers(*asked) == any(covers(pattern, *asked) for pattern in several)


@pytest.mark.parametrize(
    ("pattern", "policy", "uri", "expected"),
    [
        ("a.*", "prefix", "a.", True),
        ("a.*", "prefix", "a.b", True),
        ("a.*", "prefix", "a", False),
        ("a.*", "prefix", "", False),
        ("a.*", "wildcard", "a.", True),
        ("a.*", "wildcard", "a..c", True),
        ("a.*", "wildcard", ".b", False),
        ("a.*", "wildcard", "a.b", True),
        ("a..c", "wildcard", "a..c", True),
        ("a..c", "wildcard", "a.b.c", True),
        ("a..", "wildcard", "a..c", True),
        ("a..c", "wildcard", "a..", False),
        ("a..c", "prefix", "a.b.c", False),
        ("a.b", "prefix", "a.b", False),
        ("a.b", "wildcard", "a.b", True),
        ("a.b", "wildcard", "a.", False),
        ("*", "prefix", "", True),
        ("*", "wildcard", ".", True),
    ],
)
def test_covering_case_by_case(pattern, policy, uri, expected):
    assert covers(pattern, policy, uri) is expected
    assert PatternSet((pattern,)).covers(policy, uri) is expected


def test_the_topic_of_a_channels_presence_names_it():
    assert watched("radiod.presence.a.b") == "a.b"
    assert watched("radiod.channel.on_create") is None
    assert watched("a") is None


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("a", ("exact", "a")),
        ("a.b", ("exact", "a.b")),
        ("*", ("prefix", "")),
        ("a.*", ("prefix", "a.")),
        ("a..c", ("wildcard", "a..c")),
        (".b", ("wildcard", ".b")),
    ],
)
def test_a_name_or_a_pattern_of_the_configuration_is_said_as_subscribe_does(name, asked):
    assert module.wanted(name) == asked
    assert all(matches(name, uri) is selects(*asked, uri) for uri in ("a", "a.b", "a.b.c", "b.b", "b"))


@pytest.mark.parametrize("name", ["a*", "a.b*", "a b", "a..*", "x" * 256])
def test_what_is_neither_is_refused(name):
    with pytest.raises(Refused) as refused:
        module.wanted(name)
    assert refused.value.uri == INVALID_URI
