import msgspec
import pytest

from radiod.core.cluster.call_letters import Invoke, Packed, read_call
from radiod.core.cluster.encoding import DEPTH, encode


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
