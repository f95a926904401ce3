"""The shape of what callees tell about their procedures."""

import datetime
import itertools
import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.core.rpc.signatures import MAX_SIGNATURE, read_signature
from radiod.errors import INVALID_ARGUMENT, Refused
from radiod.wire.codecs import CBOR, JSON, MSGPACK

FULL = {
    "parameters": [
        {"name": "a", "kind": "positional_only"},
        {"name": "b", "kind": "positional_or_keyword", "default": None, "annotation": "float | None"},
        {"name": "rest", "kind": "var_positional"},
        {"name": "c", "kind": "keyword_only", "default": [1, {"x": "y"}]},
        {"name": "more", "kind": "var_keyword", "annotation": "int"},
    ],
    "returns": "list[int]",
    "doc": "Adds things up.\n\nAll of them.",
}


def with_parameter(**parameter):
    return {"parameters": [{"name": "a", "kind": "keyword_only", **parameter}]}


def nested(depth):
    value = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "signature", [FULL, {"parameters": []}, {"parameters": [], "doc": ""}, with_parameter(default=b"\0\1")]
)
def test_what_is_well_formed_comes_back_as_json(signature):
    data = read_signature("signature", signature)
    assert JSON.load(data) == signature
    assert MSGPACK.load(MSGPACK.dump(JSON.load(data))) == signature


@pytest.mark.parametrize(
    "signature",
    [
        None,
        1,
        "text",
        [],
        {},
        {"parameters": None},
        {"parameters": {}},
        {"parameters": [1]},
        {"parameters": [{}]},
        {"parameters": [{"name": "a"}]},
        {"parameters": [{"kind": "keyword_only"}]},
        {"parameters": [], "more": 1},
        {"parameters": [], "returns": None},
        {"parameters": [], "doc": 1},
        {"parameters": [], 1: 2},
        {"parameters": [{"name": "a", "kind": "keyword_only"}] * 2},
        {"parameters": [{"name": str(i), "kind": "keyword_only"} for i in range(257)]},
        with_parameter(name=""),
        with_parameter(name="x" * 256),
        with_parameter(name=1),
        with_parameter(kind="keyword"),
        with_parameter(kind=3),
        with_parameter(annotation=int),
        with_parameter(annotation=None),
        with_parameter(more=1),
        with_parameter(default="x" * MAX_SIGNATURE),
        with_parameter(default=10**400),
        with_parameter(default=object()),
        with_parameter(default=nested(5000)),
        {"parameters": [], "doc": "x" * MAX_SIGNATURE},
    ],
    ids=itertools.count(),
)
def test_anything_else_is_refused_by_name(signature):
    with pytest.raises(Refused) as refusal:
        read_signature("its_name", signature)
    assert refusal.value.uri == INVALID_ARGUMENT
    assert refusal.value.text.startswith("its_name")
    assert refusal.value.text.isprintable()
    assert len(refusal.value.text) < 300


def test_the_longest_is_taken_and_one_byte_more_is_not():
    room = MAX_SIGNATURE - len(JSON.dump({"parameters": [], "doc": ""}))
    read_signature("signature", {"parameters": [], "doc": "x" * room})
    with pytest.raises(Refused):
        read_signature("signature", {"parameters": [], "doc": "x" * (room + 1)})


@pytest.mark.parametrize("default", [math.nan, math.inf, datetime.date(2026, 1, 1)])
def test_a_default_that_json_lacks_becomes_what_json_has(default):
    data = read_signature("signature", with_parameter(default=default))
    assert JSON.load(data)["parameters"][0]["default"] in (None, "2026-01-01")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(VALUES)
def test_whatever_a_default_is_nothing_but_a_refusal_escapes(default):
    with suppress(Refused):
        data = read_signature("signature", with_parameter(default=default))
        for codec in (JSON, MSGPACK, CBOR):
            codec.dump(JSON.load(data))
