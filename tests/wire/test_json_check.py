"""What is refused in JSON that is well-formed, against the json module of Python."""

import base64
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.wire.json_check import binary, check_json
from radiod.wire.scan import Undecodable


def fault_of(text, max_nesting=64):
    with pytest.raises(Undecodable) as refusal:
        check_json(text if isinstance(text, bytes) else text.encode(), max_nesting)
    return str(refusal.value)


def is_fit(text, max_nesting=64):
    check_json(text if isinstance(text, bytes) else text.encode(), max_nesting)
    return True


HUGE = [
    *("1e400", "-1e400", "1e309", "1E400", "1e+400", "1E+309", "1.5e0400", "123456e305", "2e308", "0.1e310"),
    *("9" * 309, "-" + "9" * 5000, "9" * 250 + "e99", "9" * 309 + ".5", "1" + "0" * 309 + "e1"),
]
FINE = [
    *("1e308", "-1.5e307", "1e-400", "1E-999", "0e999", "0.0e400", "1e99", "1e+05", "123e-300"),
    *("9" * 308, "0." + "9" * 5000, "1" + "0" * 400 + "e-300"),
]


@pytest.mark.parametrize("place", ["[%s]", "[1, %s]", '{"a": %s}', '[{"a": [%s , 2]}]', '["e", %s]'])
@pytest.mark.parametrize("number", HUGE)
def test_numbers_that_no_double_holds_are_refused(number, place):
    assert math.isinf(float(number))
    assert fault_of(place % number) == "a number that no double can hold"


@pytest.mark.parametrize("number", FINE)
def test_others_are_none_of_them(number):
    assert math.isfinite(float(number))
    assert is_fit(f"[{number}]")
    assert is_fit(f'[{number}, "1e400"]')


@pytest.mark.parametrize(
    "text", ['"1e400"', '"\\"1e400"', '"' + "9" * 400 + '"', '"a\\\\", "1e999"', '"x1e400", 1e10']
)
def test_texts_that_look_like_numbers_are_texts(text):
    assert is_fit(f"[{text}]")


@given(
    st.lists(
        st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**1000), 2**1000) | st.text(),
        max_size=20,
    )
)
def test_what_python_writes_of_finite_numbers_is_fit(value):
    texts = [item for item in value if not (isinstance(item, str) and item.startswith("\0"))]
    assert is_fit(json.dumps(texts))


class TestNesting:
    @pytest.mark.parametrize(
        "shape", ["[%s]", '{"a":%s}', '[1,"[[",%s]', " [ %s , {} ]", '{"]}": [], "a": %s}']
    )
    @pytest.mark.parametrize("depth", [8, 9, 64, 65, 300])
    def test_is_counted_as_it_is(self, shape, depth):
        text = "1"
        for _ in range(depth):
            text = shape.replace("%s", text)
        deepest = depth + ("{}" in shape or "[]" in shape)
        assert is_fit(text, deepest)
        assert fault_of(text, deepest - 1) == f"nested {deepest} deep, {deepest - 1} at most"

    def test_is_not_wide(self):
        assert is_fit("[" + ",".join(["{}"] * 10_000) + "]", 8)
        assert is_fit("[" + ",".join(['{"a":[1,[2,[3,[4,[5]]]]]}'] * 1000) + "]", 8)
        assert fault_of("[" + ",".join(['{"a":[1,[2,[3,[4,[5,[6,[7]]]]]]]}'] * 1000) + "]", 8).startswith(
            "nested 9"
        )

    def test_is_not_in_texts(self):
        assert is_fit(json.dumps(["[" * 1000, '"' + "{" * 1000, "\\" + "[" * 1000]), 8)


class TestBinaryData:
    @pytest.mark.parametrize("data", [b"", b"a", b"ab", b"\xff" * 100])
    def test_is_base64_behind_a_nul(self, data):
        text = "\0" + base64.b64encode(data).decode()
        assert binary(text) == data
        assert is_fit(json.dumps([text, {"a": text}]))

    @pytest.mark.parametrize("text", ["\0é", "\0a", "\0====", "\0 YQ==", "\0YQ==\n", "\0YQ=", "\0-_-_"])
    def test_and_a_text_that_begins_so_is_nothing_else(self, text):
        """Autobahn|Python ends its session over it."""
        assert binary(text) is None
        assert "must be base64" in fault_of(json.dumps([text]))
        assert "must be base64" in fault_of(json.dumps([{"a": [text]}]))

    def test_a_nul_elsewhere_is_one(self):
        assert is_fit(json.dumps(["a\0", {"\0a": 1, "\0": 2}, "\\u0000a", "é\\u0000"]))


class TestKeys:
    @pytest.mark.parametrize("key", ["__proto__", "\\u005f_proto__", "__pr\\u006fto__", "__proto_\\u005F"])
    def test_proto_is_none(self, key):
        assert fault_of(f'[{{"{key}" : 1}}]') == "a key must not be __proto__"
        assert is_fit(f'[{{"a": "{key}"}}, "{key}"]')

    @pytest.mark.parametrize("key", ["a__proto__", "\\\\u005f_proto__", "_a_", "__proto__ "])
    def test_others_are(self, key):
        assert is_fit(f'[{{"{key}" : 1}}]')
