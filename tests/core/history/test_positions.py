"""Positions as texts."""

import pytest

from radiod.core.history.positions import SKIPPING, Position, position
from radiod.errors import Refused


@pytest.mark.parametrize("text", ["a:0", "0123456789ab:1", "Z9:9007199254740992", "x" * 64 + ":7"])
def test_a_position_is_read_as_it_was_written(text):
    assert str(position("after", text)) == text


def test_its_parts_have_names():
    assert position("after", "abc:12") == Position(epoch="abc", seq=12)


@pytest.mark.parametrize(
    "value",
    [
        "", ":", "a:", ":1", "a1", "a:-1", "a:+1", "a:01", "a:1.0", "a:1 ", " a:1", "a:1\n", "a:b:1", "ä:1",
        "a:\u0661", "x" * 65 + ":1", "a:9007199254740993", "a:" + "9" * 5000,
        None, 1, 1.5, True, b"a:1", ["a:1"], {"a": 1},
    ],
)  # fmt: skip
def test_what_is_no_position_is_refused_by_the_parameters_name(value):
    with pytest.raises(Refused) as refused:
        position("after", value)
    assert refused.value.uri == "wamp.error.invalid_argument"
    assert refused.value.text.startswith("after must be a position")


def test_a_count_without_gaps_is_told_from_one_that_leaves_numbers_out(world):
    epoch = world.realm.space.histories.track("a").epoch
    assert not epoch.startswith(SKIPPING)
    assert SKIPPING not in "0123456789abcdef"
