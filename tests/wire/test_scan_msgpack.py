"""The grammar of MessagePack, against the decoder that Autobahn|Python uses."""

import msgpack
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.wire.scan import NESTING, Undecodable
from radiod.wire.scan_msgpack import MsgpackScan


def scanned(data):
    scan = MsgpackScan(data)
    scan.whole()
    return scan


def of_hex(text):
    return scanned(bytes.fromhex(text))


def fault_of(text):
    with pytest.raises(Undecodable) as refusal:
        of_hex(text).check(NESTING)
    return str(refusal.value)


@pytest.mark.parametrize(
    "text",
    ["", "c1", "91c1", "91", "8161", "81a161", "cc", "cdff", "cbff", "a2ff", "d9", "d902ff", "c4", "c402ff",
     "dc", "dcffff", "df0000", "d4", "d405", "c70105", "c7", "0000", "9000"],
)  # fmt: skip
def test_what_is_not_well_formed_is_no_value(text):
    with pytest.raises(Undecodable):
        of_hex(text)


PIECES = st.sampled_from(bytes.fromhex("00e081809190a0a1c0c1c2c4cacbccd0d3d400c7d6ffd9dcde61"))


@given(st.lists(PIECES | st.integers(0, 255), max_size=24).map(bytes))
def test_what_is_taken_as_it_is_is_taken_by_strict_decoders(data):
    try:
        scan = scanned(data)
        scan.check(NESTING)
    except Undecodable:
        return
    msgspec.msgpack.decode(data)
    if not scan.is_odd:
        msgpack.unpackb(data)


@given(st.lists(PIECES | st.integers(0, 255), max_size=24).map(bytes))
def test_what_a_decoder_takes_has_the_same_end(data):
    try:
        msgspec.msgpack.decode(data, type=msgspec.Raw)
    except msgspec.DecodeError:
        return
    assert MsgpackScan(data).item(0) == len(data)


@pytest.mark.parametrize(
    "text",
    ["d6ff00000000", "d7ff" + "ee6b27fc" + "00000000", "c70cff" + "3b9ac9ff" + "0000003aff000000"],
)
def test_dates_are_known_to_all(text):
    scan = of_hex(text)
    scan.check(NESTING)
    assert scan.is_rich
    assert not scan.is_odd


@pytest.mark.parametrize(
    "text",
    ["d4ff00", "d5ff0000", "c700ff", "c705ff0000000000", "d8ff" + "00" * 16, "d7ffee6b280000000000",
     "c70cff3b9aca000000000000000000", "c70cff000000007fffffffffffffff", "c70cff000000008000000000000000",
     "c70cff000000000000003afff44180", "c70cff00000000fffffff1886e08ff"],
)  # fmt: skip
def test_dates_that_are_none_are_refused(text):
    assert fault_of(text) == "a timestamp is no date of the years 1 to 9999"


@pytest.mark.parametrize(
    "text",
    [
        "d40000",
        "d40500",
        "d40001",
        "d47200",
        "c7030100ffff",
        "c80001050a",
        "c9000000010500",
        "d8" + "01" * 17,
    ],
)
def test_other_extensions_are_put_in_other_words(text):
    scan = of_hex(text)
    scan.check(NESTING)
    assert scan.is_odd


@pytest.mark.parametrize(
    "key",
    [
        "00",
        "ff",
        "c0",
        "c2",
        "c3",
        "cc80",
        "d3" + "80" * 8,
        "ca3f800000",
        "cb" + "3f" * 8,
        "c40161",
        "c5000161",
    ],
)
def test_keys_that_are_no_texts_are_put_in_other_words(key):
    """Autobahn|Python's decoder refuses numbers, wampy's binary data."""
    scan = of_hex(f"81{key}00")
    scan.check(NESTING)
    assert (scan.has_odd_keys, scan.is_odd) == (True, True)


@pytest.mark.parametrize(
    "key", ["90", "80", "9100", "d40000", "d6ff00000000", "ca7fc00000", "cb7ff0000000000000"]
)
def test_others_are_none(key):
    assert fault_of(f"81{key}00") == "a dictionary's key is neither a text nor a number"


@pytest.mark.parametrize("length", [0, 1, 31, 32, 300, 70_000])
def test_long_texts_are_keys_like_short_ones(length):
    scan = scanned(msgpack.packb({"k" * length: {"é": "x" * length}}))
    scan.check(NESTING)
    assert not scan.has_odd_keys


@pytest.mark.parametrize("size", [0, 1, 15, 16, 70_000])
def test_containers_of_every_length_are_taken(size):
    scan = scanned(msgpack.packb([["a"] * size, {str(key): key for key in range(size)}, b"x" * size]))
    scan.check(NESTING)
    assert scan.depth == 2
