import pytest

from radiod.core.cluster.table_letters import (
    Again,
    Begin,
    Drop,
    End,
    Part,
    Put,
    Reset,
    Unwatch,
    Watch,
    is_session,
    is_subscriber,
    read_tables,
    write_tables,
)


@pytest.mark.parametrize(
    "letter",
    [
        Watch(("sessions", "present x")),
        Unwatch("sessions"),
        Reset(),
        Again(),
        Begin("sessions"),
        Part("x", [(1, {"session": 1}), ("text", 2), ((1, 2), "pair")]),
        End("sessions"),
        Put("subscribers", (1 << 52, 2), {"uri": "x"}),
        Drop("sessions", 5, True),
    ],
    ids=lambda letter: type(letter).__name__,
)
def test_what_is_written_is_read(letter):
    assert read_tables(write_tables(letter)) == letter


@pytest.mark.parametrize("data", [b"", b"nonsense", b"\x91\xa1x", b"\x92\xa5begin\xa1\xff"])
def test_what_is_no_letter_is_none(data):
    assert read_tables(data) is None


def test_half_a_character_is_replaced_alike_everywhere():
    told = read_tables(write_tables(Put("t", "\ud800", 1)))
    assert told == Put("t", "\ufffd", 1)
    assert read_tables(write_tables(Part("t", [("\ud800", 1)]))) == Part("t", [("\ufffd", 1)])


SESSION = {"session": 1, "authid": "a", "authrole": "r", "authmethod": "m", "authprovider": "p"}
SUBSCRIPTION = {"id": 1, "created": "now", "uri": "song", "match": "exact"}


def test_an_entry_may_say_more_than_this_version_knows():
    assert is_session(1, {**SESSION, "more": []})
    assert is_subscriber((1, 2), {**SUBSCRIPTION, "more": None})


@pytest.mark.parametrize(
    ("is_one", "key", "value"),
    [
        (is_session, "1", SESSION),
        (is_session, 1, {**SESSION, "authid": None}),
        (is_session, 1, {"session": 1}),
        (is_session, 1, 7),
        (is_subscriber, 1, SUBSCRIPTION),
        (is_subscriber, (1, 2), {**SUBSCRIPTION, "uri": 5}),
        (is_subscriber, (1, 2), SESSION),
    ],
)
def test_what_is_told_otherwise_is_no_entry(is_one, key, value):
    assert not is_one(key, value)
