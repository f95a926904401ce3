"""Positions of several channels as one text, and back."""

import string
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.core.history.cursors import MAX_LENGTH, MOST_CHANNELS, cursor, moved, positions
from radiod.core.history.positions import Position, position
from radiod.core.ids import MAX_ID
from radiod.errors import INVALID_ARGUMENT, Refused

EPOCHS = st.text(string.ascii_letters + string.digits, min_size=1, max_size=16)
POSITIONS = st.builds(Position, EPOCHS, st.integers(0, MAX_ID))
CHANNELS = st.dictionaries(st.text(min_size=1, max_size=20), POSITIONS, max_size=MOST_CHANNELS)
HARBOUR, TOWN = "weather.harbour", "weather.town"


@given(CHANNELS)
def test_a_cursor_is_read_as_it_was_written(channels):
    text = cursor(channels)
    assert positions("after", text, channels) == channels
    assert len(text) <= MAX_LENGTH


@given(CHANNELS)
def test_a_cursor_needs_no_escapes_and_is_no_single_position(channels):
    text = cursor(channels)
    assert quote(text, safe="") == text
    with pytest.raises(Refused):
        position("after", text)


@given(POSITIONS)
def test_a_single_position_is_no_cursor(at):
    with pytest.raises(Refused):
        positions("after", str(at), [HARBOUR])


@given(CHANNELS, st.data())
def test_it_moves_with_each_event(channels, data):
    text = cursor(channels)
    for channel in data.draw(st.lists(st.sampled_from([*channels, HARBOUR]), max_size=10)):
        if channel in channels or len(channels) < MOST_CHANNELS:
            channels[channel] = data.draw(POSITIONS)
            text = moved(text, channel, channels[channel])
    assert positions("after", text, channels) == channels
    assert text == cursor(channels)


def test_it_begins_with_the_first_event_where_no_channel_had_positions():
    assert moved("", HARBOUR, Position("a", 1)) == cursor({HARBOUR: Position("a", 1)})


def test_its_form_stays_as_it_is():
    """Streams go on over a restart, perhaps with another version."""
    text = cursor({HARBOUR: Position("f00dcafe1234", 17), "ä": Position("Z", 0)})
    assert text == "c1.K3kXvM8tf00dcafe1234-17.M-bXP-6CZ-0"


def test_fifty_channels_of_the_longest_names_fit():
    channels = {f"{number:02}{'ä' * 253}": Position("f" * 12, MAX_ID) for number in range(MOST_CHANNELS)}
    text = cursor(channels)
    assert len(text) == 1902
    with pytest.raises(ValueError, match="more than 50"):
        cursor({**channels, "one more": Position("f", 1)})
    assert positions("after", text, channels) == channels


def test_channels_that_it_does_not_know_and_those_that_nobody_asks_for_are_left_out():
    text = cursor({HARBOUR: Position("a", 1), TOWN: Position("b", 2)})
    assert positions("after", text, [TOWN, "new"]) == {TOWN: Position("b", 2)}
    assert positions("after", text, []) == {}


def test_a_stream_may_begin_without_positions():
    assert positions("after", cursor({}), [HARBOUR]) == {}


def test_of_one_tag_twice_the_later_counts():
    one, two = cursor({HARBOUR: Position("a", 1)}), cursor({HARBOUR: Position("b", 2)})
    assert positions("after", one + two.removeprefix("c1"), [HARBOUR]) == {HARBOUR: Position("b", 2)}


GOOD = cursor({HARBOUR: Position("f00d", 17)})


@pytest.mark.parametrize(
    "value",
    [
        "", "c", "c2", "C1", "a:1", "f00dcafe1234:17", "c1.", "c1.x", GOOD + ".", GOOD + "\n", " " + GOOD,
        GOOD + "x", GOOD[:-3], GOOD[:-2], GOOD.replace("-17", "-017"), GOOD.replace("-17", "--1"),
        GOOD.replace("c1.", "c1"), GOOD.replace("-17", "-9007199254740993"),
        GOOD.replace("-17", "-" + "1" * 17), GOOD.replace("f00d", "f:0d"), GOOD.replace("-17", "-\u0661"),
        GOOD.replace("f00d", "ä"), GOOD.replace("f00d", "f" * 65), "c1" + GOOD[2:] * 51,
        "c1" + ".".join("x" * 4096), None, 1, 1.5, True, GOOD.encode(), [GOOD], {},
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["after", "Last-Event-ID"])
def test_what_is_no_cursor_is_refused_by_the_parameters_name(value, name):
    with pytest.raises(Refused) as refused:
        positions(name, value, [HARBOUR])
    assert refused.value.uri == INVALID_ARGUMENT
    assert refused.value.text.startswith(f"{name} must be ")


def test_what_is_longer_than_any_is_refused():
    part = f".{'x' * 8}{'f' * 64}-9007199254740992"
    assert positions("after", "c1" + part * 45, []) == {}
    with pytest.raises(Refused):
        positions("after", "c1" + part * 46, [])


@given(st.text("c1.-:_aZ09", max_size=60) | st.text(max_size=20))
def test_any_text_is_a_cursor_or_refused(text):
    try:
        found = positions("after", text, [HARBOUR])
    except Refused:
        return
    assert found in ({}, {HARBOUR: found.get(HARBOUR)})


@pytest.mark.parametrize("channel", [HARBOUR, TOWN])
def test_it_moves_in_front_and_at_the_end(channel):
    channels = {HARBOUR: Position("a", 1), TOWN: Position("b", 2)}
    text = moved(cursor(channels), channel, Position("c", 34))
    assert text == cursor({**channels, channel: Position("c", 34)})
