"""The index of patterns, against a list that is looked through one by one."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.core.patterns import PatternIndex

names = st.sampled_from(["a", "b", "ab"])
uris = st.lists(names, min_size=1, max_size=4).map(".".join)
prefixes = st.one_of(st.just(""), uris, uris.map("{}.".format))
wildcards = st.lists(st.one_of(names, st.just("")), min_size=1, max_size=4).map(".".join)
patterns = st.one_of(
    st.tuples(st.just("exact"), uris),
    st.tuples(st.just("prefix"), prefixes),
    st.tuples(st.just("wildcard"), wildcards),
)


def fits(policy, pattern, uri):
    """By the words of the specification."""
    if policy == "exact":
        return uri == pattern
    if policy == "prefix":
        return uri[: len(pattern)] == pattern
    parts, components = pattern.split("."), uri.split(".")
    return len(parts) == len(components) and all(
        not part or part == component for part, component in zip(parts, components, strict=True)
    )


def rank(policy, pattern):
    """Exact, the longest prefix, the wildcard with most components before its first gap, and so on."""
    if policy == "wildcard":
        return 2, [not part for part in pattern.split(".")]
    return (0, []) if policy == "exact" else (1, [-len(pattern)])


def naive(held, uri):
    return sorted((one for one in held if fits(*one, uri)), key=lambda one: rank(*one))


def index_of(*held):
    index = PatternIndex()
    for policy, uri in held:
        index.add(policy, uri, (policy, uri))
    return index


def assert_empty(index):
    assert len(index) == 0
    assert not index.has_patterns
    assert not any(index._by_policy.values())
    assert not index._lengths.order
    assert not index._lengths._counts
    assert not index._shapes


@given(st.lists(patterns, unique=True, max_size=12), st.lists(uris, min_size=1, max_size=4))
def test_finds_what_a_list_finds_in_order(held, wanted):
    index = index_of(*held)
    assert len(index) == len(held)
    assert index.has_patterns == any(policy != "exact" for policy, _ in held)
    for policy in ("exact", "prefix", "wildcard"):
        assert list(index.items(policy)) == [one for one in held if one[0] == policy]
    for uri in wanted:
        expected = naive(held, uri)
        assert index.matching(uri) == expected
        assert index.best(uri) == (expected[0] if expected else None)


@given(st.data())
def test_adding_and_removing_in_any_order_leaves_nothing_behind(data):
    index, held = PatternIndex(), []
    for policy, uri in data.draw(st.lists(patterns, max_size=20)):
        one = (policy, uri)
        if one in held:
            index.remove(policy, uri)
            held.remove(one)
        else:
            index.add(policy, uri, one)
            held.append(one)
        assert index.get(policy, uri) == (one if one in held else None)
        wanted = data.draw(uris)
        assert index.matching(wanted) == naive(held, wanted)
    for policy, uri in data.draw(st.permutations(held)):
        index.remove(policy, uri)
    assert_empty(index)


@pytest.mark.parametrize("policy", ["exact", "prefix", "wildcard"])
def test_removing_what_is_not_there_is_an_error_and_changes_nothing(policy):
    index = index_of(("exact", "a.b"), ("prefix", "a.c"), ("wildcard", "a."))
    with pytest.raises(KeyError):
        index.remove(policy, "other")
    assert len(index.matching("a.b")) == 2
    assert len(index) == 3


def test_the_same_uri_under_each_policy_is_three_items():
    index = index_of(("exact", "a"), ("prefix", "a"), ("wildcard", "a"))
    assert index.matching("a") == [("exact", "a"), ("prefix", "a"), ("wildcard", "a")]
    index.remove("exact", "a")
    index.remove("prefix", "a")
    assert index.best("a") == ("wildcard", "a")
    assert index.get("exact", "a") is None


@pytest.mark.parametrize(
    ("uri", "best"),
    [
        ("a1.b2.c3.d4.e55", ("exact", "a1.b2.c3.d4.e55")),
        ("a1.b2.c3.d98.e74", ("prefix", "a1.b2.c3")),
        ("a1.b2.c3.d4.e325", ("prefix", "a1.b2.c3.d4")),
        ("a1.b2.c55.d4.e5", ("wildcard", "a1.b2..d4.e5")),
        # The specification says "wildcard" here, though by its own rule the prefix a1.b2.c3 matches c33.
        ("a1.b2.c33.d4.e5", ("prefix", "a1.b2.c3")),
        ("a1.b2.c88.d4.e5.f6.g7", ("wildcard", "a1.b2..d4.e5..g7")),
        ("a2.b2.c2.d2.e2", None),
    ],
)
def test_the_best_of_several_is_the_one_of_the_specifications_examples(uri, best):
    index = index_of(
        ("exact", "a1.b2.c3.d4.e55"),
        ("prefix", "a1.b2.c3"),
        ("prefix", "a1.b2.c3.d4"),
        ("wildcard", "a1.b2..d4.e5"),
        ("wildcard", "a1.b2.c33..e5"),
        ("wildcard", "a1.b2..d4.e5..g7"),
        ("wildcard", "a1.b2..d4..f6.g7"),
    )
    assert index.best(uri) == best
    index.remove("prefix", "a1.b2.c3")
    assert index.best("a1.b2.c33.d4.e5") == ("wildcard", "a1.b2.c33..e5")


def test_a_prefix_goes_by_characters():
    index = index_of(("prefix", "com.myapp.topic.emergency"))
    for end in ("", ".11", "-low", ".category.severe"):
        assert index.matching(f"com.myapp.topic.emergency{end}")
    assert not index.matching("com.myapp.topic.emerge")


@pytest.mark.parametrize("uri", ["", ".", "a..b", "." * 200])
def test_what_is_no_uri_falls_under_no_wildcard(uri):
    index = index_of(("wildcard", uri), ("wildcard", "a.."))
    assert index.matching(uri) == []
    assert index.best(uri) is None


class Counting(dict):
    """A dictionary that counts how often it is asked."""

    asked = 0

    def __contains__(self, key):
        self.asked += 1
        return super().__contains__(key)


@pytest.mark.parametrize(
    ("policy", "make", "most"),
    [("prefix", "a.b.{:05}".format, 2), ("wildcard", "a..{:05}".format, 2)],
)
def test_a_look_up_does_not_go_through_the_patterns(policy, make, most):
    held = [(policy, make(number)) for number in range(2000)] + [("prefix", "x"), ("wildcard", "x..")]
    index = index_of(*held)
    index._prefixes = asked_prefixes = Counting(index._prefixes)
    index._wildcards = asked_wildcards = Counting(index._wildcards)
    assert index.matching("a.b.01234") == [(policy, make(1234))]
    assert asked_prefixes.asked <= most
    assert asked_wildcards.asked <= most


def test_wildcards_of_every_shape_are_bounded_by_their_number_and_found_from_specific_to_general():
    everything = [".".join(parts) for parts in product(("a", ""), repeat=8)]
    index = index_of(*(("wildcard", one) for one in reversed(everything)))
    assert [uri for _, uri in index.matching("a.a.a.a.a.a.a.a")] == everything
    assert index.matching("a.a.a.a.a.a.a") == []
