import pytest

from radiod.core.cluster.callee_letters import (
    Added,
    Begin,
    CalleeFacts,
    End,
    Holders,
    Left,
    Part,
    Removed,
    Want,
    read_callees,
    read_holders,
    write_callees,
    write_holders,
)

FACTS = CalleeFacts(
    2**53, "a", "b", ("callee.x",), "prefix", "", "last", 1.5, 9, None, True, False, True, b"{}"
)


@pytest.mark.parametrize(
    "letter",
    [
        Added(1, FACTS),
        Added(1, FACTS, True),
        Removed(2, 3, 4),
        Left(3, 4),
        Begin(4),
        Part((FACTS, FACTS)),
        Part(()),
        End(),
        Want(),
    ],
)
def test_a_letter_is_read_as_it_was_written(letter):
    assert read_callees(write_callees(letter)) == letter


def test_a_claim_is_read_as_it_was_written():
    holders = Holders("wildcard", "a..b", "roundrobin", 1.25, (1, 2**53))
    assert read_holders(write_holders(holders)) == holders


@pytest.mark.parametrize("read", [read_callees, read_holders])
def test_what_is_neither_is_nothing(read):
    assert read(b"\x91\x01") is None
