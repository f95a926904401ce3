"""Sums tell what is the same, in whatever order."""

from hypothesis import given
from hypothesis import strategies as st

from radiod.core.cluster.sums import NOTHING, Sum, add, sum_of

ENTRIES = st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["a", "b", "\ud800"])), max_size=6)


@given(entries=ENTRIES, data=st.data())
def test_the_order_does_not_matter(entries, data):
    assert sum_of(data.draw(st.permutations(entries))) == sum_of(entries)


@given(one=ENTRIES, other=ENTRIES)
def test_what_differs_shows(one, other):
    assert (sum_of(one) == sum_of(other)) == (sorted(map(repr, one)) == sorted(map(repr, other)))


@given(one=ENTRIES, other=ENTRIES)
def test_two_are_one(one, other):
    assert add(sum_of(one), sum_of(other)) == sum_of([*one, *other])


def test_values_that_are_exchanged_show():
    assert sum_of([(1, "a"), (2, "b")]) != sum_of([(1, "b"), (2, "a")])


def test_nothing_is_nothing():
    assert sum_of([]) == NOTHING == Sum(0, 0)
