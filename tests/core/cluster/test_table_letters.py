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
