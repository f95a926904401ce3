import msgspec
import pytest

from radiod.core.cluster.call_letters import Invoke, Packed, read_call
from radiod.core.cluster.encoding import encode


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
