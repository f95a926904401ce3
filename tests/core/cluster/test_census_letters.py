import pytest

from radiod.core.cluster.census_letters import (
    Described,
    Finding,
    More,
    Named,
    Piece,
    Question,
    read_finding,
    read_piece,
    read_question,
    value_of,
    write_finding,
    write_piece,
    write_question,
)


def test_a_question_and_its_answer_are_read_as_they_were_written():
    for question in (Question("wamp.session.list", {"filter_authroles": ["a"]}), More(7, 100)):
        assert read_question(write_question(question)) == question
    for finding in (Finding([1, 2**53]), Finding(None, "an.error", "why")):
        assert read_finding(write_finding(finding)) == finding
    piece = Piece(3, 10, b"some")
    assert read_piece(write_piece(piece)) == piece


@pytest.mark.parametrize("read", [read_question, read_finding, read_piece])
def test_what_is_neither_is_nothing(read):
    assert read(b"\x01") is None
    assert read(3000 * b"\x91" + b"\x90") is None


SONG = {"id": 1, "created": "x", "uri": "song", "match": "exact"}


@pytest.mark.parametrize(
    ("value", "kind", "told"),
    [
        (7, int, 7),
        (True, int, None),
        ([1, 2], list[int], [1, 2]),
        ([1, "2"], list[int], None),
        (None, list[int], None),
        ([[1, "a"]], Named, [(1, "a")]),
        ([[1, "a", 2]], Named, None),
        (SONG, Described, SONG),
        ({"id": 1, "created": "x", "match": "exact"}, Described, None),
    ],
)
def test_what_a_node_gives_is_of_the_kind_that_is_asked_for_or_nothing(value, kind, told):
    assert value_of(Finding(value), kind) == told
