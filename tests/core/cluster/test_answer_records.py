import pytest

from radiod.core.cluster.answer_records import (
    ANSWERED,
    AnswerRecord,
    procedure_of,
    read_answer,
    write_answer,
)
from radiod.wire.answer import Answer


def test_a_record_is_read_as_it_was_written():
    answer = Answer(200, b"{}", fields=(("a", "b"),))
    for given, reply in ((answer, None), (None, {"offset": 1, "epoch": "e"}), (None, None)):
        record = AnswerRecord(ANSWERED, b"d", 1, "a", "t", given, reply, 2)
        assert read_answer(write_answer(record)) == record


@pytest.mark.parametrize("data", [b"", b"?", b"\xc1", b"\x91\x01", b"\xff" * 100])
def test_what_is_none_is_none(data):
    assert read_answer(data) is None


@pytest.mark.parametrize(
    ("body", "procedure"),
    [
        (b'{"procedure": "radiod.admin.key.issue", "args": [1]}', "radiod.admin.key.issue"),
        (rb'{"procedure": "radiod\u002eadmin"}', "radiod.admin"),
        (b'{"args": []}', ""),
        (b'{"procedure": 1}', ""),
        (b"[1]", ""),
        (b"\xff", ""),
        (b"", ""),
    ],
)
def test_what_is_called_is_seen(body, procedure):
    assert procedure_of(body) == procedure
