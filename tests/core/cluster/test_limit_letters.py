import pytest

from radiod.core.cluster.limit_letters import Again, Spending, Spent, read_limits, write_limits


def test_letters_are_read_as_they_were_written():
    spent = Spent("acme", 1, 2, (1, 2, 3, 4, 5, 6), 7, 8, 9, 10)
    for letter in (Again(), Spending("a", []), Spending("a", [spent], True)):
        assert read_limits(write_limits(letter)) == letter


@pytest.mark.parametrize("data", [b"", b"?", b"\x91\xa1x"])
def test_what_is_none_is_nothing(data):
    assert read_limits(data) is None
