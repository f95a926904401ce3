"""What clients in JavaScript mean, without any serializer."""

import math

import cbor2
import pytest
from msgspec import Raw
from msgspec.msgpack import Ext

from radiod.wire.lenient import is_undefined, mend_message, mend_options

UNDEFINED = [cbor2.undefined, Ext(0, b"\0")]


def same(value, expected):
    """Equal, with equal types: 1 and 1.0 and True are not the same."""
    return repr(value) == repr(expected)


@pytest.mark.parametrize("undefined", UNDEFINED)
def test_what_is_undefined_is_absent_from_dictionaries(undefined):
    assert is_undefined(undefined)
    assert mend_options({"a": undefined, "b": {"c": {"d": undefined}, "e": 1}}) == {"b": {"c": {}, "e": 1}}
    assert mend_options({"a": [undefined]}) == {"a": [undefined]}


@pytest.mark.parametrize(
    "value", [None, 0, "", b"\0", Ext(0, b""), Ext(0, b"\0\0"), Ext(1, b"\0"), cbor2.CBORSimpleValue(99)]
)
def test_nothing_else_is_undefined(value):
    assert not is_undefined(value)
    assert mend_options({"a": value}) == {"a": value}


def test_whole_floats_are_integers_among_elements_and_options_and_in_lists_of_those():
    assert same(
        mend_message([16.0, 1.0, {"a": 2.0, "b": [3.0, "x"]}, "uri"]), [16, 1, {"a": 2, "b": [3, "x"]}, "uri"]
    )


def test_other_floats_stay_and_so_does_what_is_deeper():
    for value in (1.5, math.inf, -math.inf, [[1.0]], {"c": 1.0}, True, None):
        assert same(mend_options({"a": value}), {"a": value})
    assert math.isnan(mend_message([math.nan])[0])


def test_a_payload_stays_and_so_does_what_was_given():
    payload, options = Raw(b"[1.0]"), {"a": 1.0, "b": {"c": cbor2.undefined}}
    assert mend_message([70, options, payload])[2] is payload
    assert same(options, {"a": 1.0, "b": {"c": cbor2.undefined}})


def test_depth_costs_nothing():
    nested = {}
    for _ in range(100_000):
        nested = {"a": nested}
    assert mend_options({"a": nested, "b": 1.0})["b"] == 1
