"""The nearest forms, each by its rule; tests of the codecs have them pair by pair."""

from datetime import UTC, date, datetime
from uuid import UUID

import cbor2
import pytest

from radiod.wire.forms import TAGS, content_of, floats_for_big_integers, from_extension, key_text, plain
from radiod.wire.scan import Undecodable


def loads(text):
    return cbor2.loads(bytes.fromhex(text), semantic_decoders=TAGS, tag_hook=content_of)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("a", "a"),
        ("", ""),
        (1, "1"),
        (-7, "-7"),
        (1.5, "1.5"),
        (True, "true"),
        (False, "false"),
        (None, "null"),
        (b"\0\1", "\0AAE="),
    ],
)
def test_a_key_becomes_the_text_that_json_libraries_write(key, text):
    assert key_text(key) == text


def test_proto_is_no_key_in_any_words():
    with pytest.raises(Undecodable):
        plain({"a": [{"__proto__": 1}]})


def test_what_only_one_serializer_has_becomes_what_all_have():
    value = [
        cbor2.undefined,
        cbor2.CBORSimpleValue(99),
        {1: (2, cbor2.undefined)},
        cbor2.frozendict({2: 3}),
        "a",
        b"b",
        1.5,
    ]
    assert plain(value) == [None, None, {"1": [2, None]}, {"2": 3}, "a", b"b", 1.5]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("c074323031332d30332d32315432303a30343a30305a", datetime(2013, 3, 21, 20, 4, tzinfo=UTC)),
        ("c11a514b67b0", datetime(2013, 3, 21, 20, 4, tzinfo=UTC)),
        ("d8641903e8", date(1972, 9, 27)),
        ("c249010000000000000000", 2**64),
        ("c482211968ab", 267.95),
        ("c5822003", 1.5),
        ("d81e820103", 1 / 3),
        ("d82550" + "01" * 16, UUID(int=0x01010101010101010101010101010101)),
        ("d9010283010203", [1, 2, 3]),
        ("d8236161", "a"),
        ("d8246161", "a"),
        ("d8204161", b"a"),
        ("d84e4400010203", b"\0\1\2\3"),
        ("d81b00", 0),
        ("d9d9f701", 1),
        ("d81c8101", [1]),
        ("d9010081", None),
        ("d9ffff6161", "a"),
        ("cf01", 1),
    ],
)
def test_a_tag_gives_what_it_means_or_its_content(text, value):
    if value is None:
        with pytest.raises(cbor2.CBORError):
            loads(text)
    else:
        assert loads(text) == value


def test_addresses_are_texts():
    assert plain([loads("d8344401020304")]) == ["1.2.3.4"]
    assert plain([loads("d83650" + "00" * 15 + "01")]) == ["::1"]


@pytest.mark.parametrize(
    "text",
    [
        *("c400", "c480", "c48100", "c482f93c0001", "c48201f93c00", "c4821903e801", "c482190bb800"),
        *("c5821907d001", "c5823a7fffffff", "d81e820100", "d81e82016161", "d81900", "d81d00"),
        *("c06161", "c1f97e00", "c16161", "c1fb7e37e43c8800759c", "d82543010203", "d86461"),
    ],
)
def test_a_tag_that_promises_what_it_does_not_hold_is_an_error(text):
    with pytest.raises((cbor2.CBORError, ValueError, TypeError)):
        loads(text)


def test_extensions_give_null_for_undefined_and_else_their_data():
    assert from_extension(0, memoryview(b"\0")) is None
    assert from_extension(0, memoryview(b"\1")) == b"\1"
    assert from_extension(5, memoryview(b"\0")) == b"\0"


def test_integers_above_64_bits_are_floats():
    value = [2**64 - 1, -(2**63), 2**64, -(2**63) - 1, {"a": (2**70,)}, "b"]
    floats = floats_for_big_integers(value)
    assert floats == [2**64 - 1, -(2**63), 2.0**64, -(2.0**63), {"a": [2.0**70]}, "b"]
    assert [type(item) for item in floats[:4]] == [int, int, float, float]
    with pytest.raises(OverflowError):
        floats_for_big_integers([1 << 1024])
