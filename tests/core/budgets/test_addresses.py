"""Networks of addresses, and how many of something each has."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.core.budgets.addresses import Crowd, network_of, network_of_peer


@pytest.mark.parametrize(
    ("address", "network"),
    [
        (None, None),
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("no:address", "no:address"),
    ],
)
def test_an_ipv4_address_counts_and_of_ipv6_the_first_half(address, network):
    assert network_of(address) == network


@pytest.mark.parametrize(
    ("peer", "network"),
    [
        ("unix", None),
        ("tcp:192.0.2.1:4711", "192.0.2.1"),
        ("tcp:192.0.2.1", "192.0.2.1"),
        ("tcp:2001:db8:1:2:3:4:5:6:4711", "2001:db8:1:2::/64"),
        ("tcp:[2001:db8:1:2:3:4:5:6]", "2001:db8:1:2::/64"),
    ],
)
def test_peers_are_read_as_the_log_names_them(peer, network):
    assert network_of_peer(peer) == network


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abc")), max_size=60), st.integers(1, 4))
def test_each_network_has_up_to_the_limit_and_nothing_is_left_of_who_has_none(steps, limit):
    crowd = Crowd(limit)
    model = Counter()
    held = {name: [] for name in "abc"}
    for is_coming, name in steps:
        if is_coming:
            leave = crowd.enter(name)
            assert (leave is None) == (model[name] == limit)
            if leave is not None:
                held[name].append(leave)
                model[name] += 1
        elif held[name]:
            held[name].pop()()
            model[name] -= 1
        assert len(crowd) == sum(1 for count in model.values() if count)


def test_one_of_two_that_is_no_more_leaves_the_other():
    crowd = Crowd(2)
    one, other = crowd.enter("a"), crowd.enter("a")
    assert crowd.enter("a") is None
    one()
    assert len(crowd) == 1
    other()
    assert len(crowd) == 0
