"""Halves of characters in JSON, as JavaScript writes texts that were cut within one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.errors import PeerError
from radiod.wire.codecs import JSON
from radiod.wire.halves import HALF, has_halves, without_halves
from radiod.wire.messages import Unfit, name_of


class TestLoneSurrogates:
    @pytest.mark.parametrize(
        ("text", "whole"),
        [
            ('"\\ud800"', '"\\ufffd"'),
            ('"\\uDFFFx"', '"\\ufffdx"'),
            ('"\\ud83d\\ude00"', '"\\ud83d\\ude00"'),
            ('"\\ud800\\ud83d\\ude00"', '"\\ufffd\\ud83d\\ude00"'),
            ('"\\\\ud800"', '"\\\\ud800"'),
            ('"\\\\\\ud800"', '"\\\\\\ufffd"'),
            ('"\\ude00\\ud83d"', '"\\ufffd\\ufffd"'),
            ('"\\n\\u00e9"', '"\\n\\u00e9"'),
        ],
    )
    def test_are_found(self, text, whole):
        assert without_halves(text.encode()) == whole.encode()

    @given(st.text(st.characters() | st.characters(categories=["Cs"])))
    def test_are_gone_and_nothing_else_is(self, text):
        # Two halves that belong together are one character, as they are in JavaScript.
        joined = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        whole = json.loads(without_halves(json.dumps(text).encode()))
        assert whole == joined


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b'[16,1,{},"\\ud800"]', "PUBLISH"),
        (b'[16,1,{"key\\udfff":1},"a"]', "PUBLISH"),
        (b'[48,1,{"x":"\\ud800"},"a",[1]]', "CALL"),
        (b'[32,1,{},"a.\\udc00"]', "SUBSCRIBE"),
        (b'[64,1,{"_radiod_signature":{"doc":"\\ud83d"}},"a"]', "REGISTER"),
        (b'[70,1,{"ppt_keyid":"\\ud800"},[]]', "YIELD"),
        (b'[8,68,1,{},"a.\\ud800"]', "ERROR"),
    ],
)
def test_half_a_character_outside_of_the_payload_makes_a_message_that_is_only_answered(data, name):
    unfit = JSON.decode(data)
    assert type(unfit) is Unfit
    assert name_of(unfit) == name_of(unfit.message) == name
    assert unfit.message.request == 1
    assert unfit.fault == HALF


@pytest.mark.parametrize("code", [3, 6])
def test_half_a_character_in_a_farewell_does_not_matter(code):
    farewell = JSON.decode(b'[%d,{"message":"\\ud800"},"a.b"]' % code)
    assert farewell.reason == "a.b"


@pytest.mark.parametrize(
    "data", [b'["\\ud800"]', b'[1,"a\\ud800",{"roles":{"caller":{}}}]', b'[5,"\\ud800",{}]']
)
def test_half_a_character_where_nobody_can_be_answered_ends_the_session_with_its_name(data):
    with pytest.raises(PeerError, match=r"lone surrogate|not a valid WAMP message"):
        JSON.decode(data)


def test_what_is_wrong_besides_is_not_hidden():
    assert not has_halves(b'["\\ud83d\\ude00"')
    with pytest.raises(PeerError, match="truncated"):
        JSON.decode(b'[16,1,{},"a",["\\ud83d\\ude00"')
    assert has_halves(b'{"a":"\\ud83d"}')
