"""The parts in which one can drive from everywhere to everywhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.components import rings, strongly_connected


@pytest.mark.parametrize(
    ("arcs", "largest"),
    [
        ([], ""),
        (["ab"], "b"),
        (["ab", "ba"], "ab"),
        (["ab", "bc", "ca", "cd", "de", "ed"], "abc"),
        (["ab", "bc", "cd", "db", "de"], "bcd"),
        (["aa"], "a"),
    ],
)
def test_largest_parts(arcs, largest):
    assert strongly_connected([(arc[0], arc[1]) for arc in arcs]) == set(largest)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=40))
def test_they_are_what_reaches_each_other(pairs):
    arcs = [(str(a), str(b)) for a, b in pairs]
    nodes = {node for arc in arcs for node in arc}
    reach = {node: {node} for node in nodes}
    for _ in nodes:
        for a, b in arcs:
            reach[a] |= reach[b]
    parts = [{other for other in reach[node] if node in reach[other]} for node in nodes]
    found = strongly_connected(arcs)
    assert not parts or found in parts
    assert len(found) == max(map(len, parts), default=0)


def test_a_long_chain_needs_no_recursion():
    count = 20_000
    arcs = [(str(at), str(at + 1)) for at in range(count)] + [(str(count), "0")]
    assert len(strongly_connected(arcs)) == count + 1


@pytest.mark.parametrize(
    ("arcs", "nodes"),
    [([], ""), (["ab", "bc"], ""), (["ab", "ba", "bc", "cd", "dc", "xa"], "abcd"), (["aa", "ab"], "a")],
)
def test_rings_are_all_that_leads_back_to_itself(arcs, nodes):
    assert rings([(arc[0], arc[1]) for arc in arcs]) == set(nodes)
