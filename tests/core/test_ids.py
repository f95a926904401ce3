"""Ids of WAMP's scopes."""

import re

import pytest

from radiod.core.ids import MAX_ID, POOL, Counter, RandomIds, digest


def test_a_counter_begins_at_1_and_leaves_no_gap():
    counter = Counter()
    assert [counter.next() for _ in range(5)] == [1, 2, 3, 4, 5]


def test_a_counter_reaches_two_to_the_53rd_and_begins_again():
    counter = Counter(last=MAX_ID - 2)
    assert [counter.next() for _ in range(4)] == [2**53 - 1, 2**53, 1, 2]


@pytest.mark.parametrize(("last", "upcoming"), [(0, 1), (41, 42), (MAX_ID - 1, MAX_ID), (MAX_ID, 1)])
def test_what_comes_can_be_known_without_taking_it(last, upcoming):
    counter = Counter(last)
    assert counter.upcoming == counter.upcoming == upcoming
    assert counter.next() == upcoming
    assert counter.upcoming == upcoming + 1 or upcoming == MAX_ID


def test_counters_do_not_share_their_count():
    first, second = Counter(), Counter()
    first.next()
    assert second.next() == 1


def test_random_ids_are_wamp_ids_and_use_the_whole_range():
    ids = [RandomIds().next() for _ in range(1000)]
    assert all(1 <= id <= 2**53 for id in ids)
    assert len(set(ids)) == 1000
    # The chance of a false alarm is 2**-1000.
    assert max(ids) > 2**52


def test_one_source_of_ids_goes_on_when_those_drawn_at_once_are_used_up():
    source = RandomIds()
    ids = [source.next() for _ in range(2 * POOL + 1)]
    assert all(1 <= id <= 2**53 for id in ids)
    assert len(set(ids)) == len(ids)


def test_secrets_are_32_hexadecimal_digits_and_differ():
    secrets = {RandomIds().secret() for _ in range(100)}
    assert len(secrets) == 100
    assert all(re.fullmatch("[0-9a-f]{32}", secret) for secret in secrets)


def test_secrets_differ_in_their_digests():
    keys = ["", "a", "A", "a ", "\u00e4", "a\u0308"]
    assert len({digest(key) for key in keys}) == len(keys)
    assert {len(digest(key)) for key in keys} == {32}


def test_what_is_no_text_has_a_digest_too():
    """JSON says half a character; it is a wrong secret like any other."""
    assert digest("\ud800") not in (digest(""), digest("?"), digest("\ufffd"))
