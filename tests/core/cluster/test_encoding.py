import msgspec
import pytest

from radiod.core.cluster.answer_records import read_answer
from radiod.core.cluster.call_letters import Invoke, Packed, read_call
from radiod.core.cluster.callee_letters import read_callees, read_holders
from radiod.core.cluster.census_letters import read_finding, read_piece, read_question
from radiod.core.cluster.channel_records import read_channel, read_known, read_writer
from radiod.core.cluster.claim_records import read_claim
from radiod.core.cluster.encoding import DEPTH, encode
from radiod.core.cluster.envelope import decode as decode_crossing
from radiod.core.cluster.letters import decode as decode_letter
from radiod.core.cluster.limit_letters import read_limits
from radiod.core.cluster.logged import decode as decode_logged
from radiod.core.cluster.reader_letters import read_readers
from radiod.core.cluster.table_letters import read_tables
from radiod.core.cluster.testament_records import read_estate


@pytest.mark.parametrize("text", ["", "plain", "grün", "\U0001f600"])
def test_text_is_told_as_it_is(text):
    assert msgspec.msgpack.decode(encode([text])) == [text]


def test_half_a_character_is_told_as_one_that_is_missing():
    half = "\ud800"
    payload = Packed("json", b"[\xff]", b"", False)
    letter = Invoke(1, 2, 3, {"procedure": f"a.{half}b", "list": [half, 1], half: None}, payload)
    again = read_call(encode(letter))
    assert again.details == {"procedure": "a.\ufffdb", "list": ["\ufffd", 1], "\ufffd": None}
    assert again.payload == payload


@pytest.mark.parametrize(
    "wrap", [lambda value: [value], lambda value: {"a": value}], ids=["lists", "dictionaries"]
)
def test_what_lies_too_deep_beside_half_a_character_is_not_told(wrap):
    def deep(count, value="\ud800"):
        for _ in range(count):
            value = wrap(value)
        return value

    assert msgspec.msgpack.decode(encode(deep(DEPTH))) == deep(DEPTH, "\ufffd")
    assert msgspec.msgpack.decode(encode(deep(DEPTH + 1))) == deep(DEPTH, None)


def test_what_is_no_text_stays():
    assert msgspec.msgpack.decode(encode(["\ud800", 1.5, {2: True}])) == ["\ufffd", 1.5, {2: True}]


@pytest.mark.parametrize(
    "read",
    [
        read_answer,
        read_call,
        read_callees,
        read_channel,
        read_claim,
        read_estate,
        read_finding,
        read_holders,
        read_known,
        read_limits,
        read_piece,
        read_question,
        read_readers,
        read_tables,
        read_writer,
        decode_crossing,
        decode_letter,
        decode_logged,
    ],
)
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"?",
        b"\x91\xa1\xff",
        b"\x9f" + 15 * b"\xa1\xff",
        b"\x93\x00\x00",
        b"\x82\xa1\xff\x00\xa1\xff\x00",
        # Deeper than the interpreter goes.
        3000 * b"\x91" + b"\x90",
    ],
)
def test_what_nobody_has_written_is_nothing(read, data):
    assert read(data) is None
