"""The grammar of CBOR, against cbor2 as a decoder that builds what it reads."""

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.wire.scan import NESTING, Undecodable
from radiod.wire.scan_cbor import CborScan


def scanned(data):
    scan = CborScan(data)
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
    [
        *("1c", "1d", "3e", "5c", "7d", "9e", "bc", "dc", "dd", "fc", "fd", "fe"),
        *("ff", "1f", "3f", "df00ff"),
        *("f800", "f818", "f81f"),
        *("81ff", "a1ff", "a100ff", "a16161ff", "bf6161ff", "bf00ff", "9f9fff", "bf"),
        *("c1ff", "9fc1ffff", "c1", "c1c1"),
        *("5f6161ff", "7f4161ff", "5f5f4161ffff", "7f00ff", "7f80ff", "5f41ff", "7f", "7f6161"),
        *("", "18", "19ff", "1affffff", "1bff", "fbff", "4261", "6261", "58", "5a00000001", "7a00000002ff"),
        *("82", "8201", "a101", "a16161", "d8", "d901", "9a"),
        *("0000", "8000", "f6f6"),
    ],
)
def test_what_rfc_8949_calls_not_well_formed_is_no_value(text):
    with pytest.raises(Undecodable):
        of_hex(text)


PIECES = st.sampled_from(bytes.fromhex("0001182038404161607f5f80819fa0a1bfc0c1c2c4d825d8f4f5f6f7f8f9fafbff"))


@given(st.lists(PIECES | st.integers(0, 255), max_size=24).map(bytes))
def test_what_is_taken_is_taken_by_a_decoder_too(data):
    try:
        scan = scanned(data)
        scan.check(NESTING)
    except Undecodable:
        return
    if scan.has_tags:
        # What they promise is checked by decoding.
        return
    cbor2.loads(data)


@given(st.lists(PIECES | st.integers(0, 255), max_size=24).map(bytes))
def test_what_a_decoder_takes_has_the_same_end(data):
    try:
        cbor2.loads(data, allow_duplicate_keys=True)
    except (cbor2.CBORError, ValueError, TypeError, RecursionError):
        return
    end = CborScan(data).item(0)
    cbor2.loads(data[:end])
    with pytest.raises(cbor2.CBORError):
        cbor2.loads(data[: end - 1])


@pytest.mark.parametrize(
    ("text", "depth"),
    [("9fff", 1), ("9f9f01ff8102ff", 2), ("bfff", 1), ("bf616101616280ff", 2), ("a2616180616280", 2)],
)
def test_containers_may_end_with_a_mark(text, depth):
    scan = of_hex(text)
    scan.check(NESTING)
    assert scan.depth == depth
    assert not scan.is_odd


@pytest.mark.parametrize(
    "text", ["5fff", "5f4161420001ff", "7fff", "7f616162c3a9ff", "bf7f6161ff01ff", "a15f4161ff01"]
)
def test_strings_in_pieces_are_put_in_other_words(text):
    """cbor-x, in wampy, does not read them."""
    scan = of_hex(text)
    scan.check(NESTING)
    assert scan.is_odd


@pytest.mark.parametrize("text", ["e0", "f3", "f820", "f8ff"])
def test_simple_values_that_nobody_knows_are_put_in_other_words(text):
    assert of_hex(text).is_odd


def test_undefined_is_known_in_cbor_alone():
    scan = of_hex("81f7")
    assert scan.is_rich
    assert not scan.is_odd


@pytest.mark.parametrize("text", ["f97e00", "f97c00", "fa7fc00000", "fb7ff0000000000000", "f90000"])
def test_floats_of_every_size_are_taken(text):
    assert not of_hex(text).is_rich


@pytest.mark.parametrize(
    "key",
    [
        "00",
        "17",
        "1818",
        "20",
        "3903e8",
        "1bffffffffffffffff",
        "f4",
        "f5",
        "f6",
        "f93c00",
        "fb3ff8000000000000",
    ],
)
def test_numbers_and_the_like_are_keys(key):
    scan = of_hex(f"a1{key}00")
    scan.check(NESTING)
    assert (scan.has_odd_keys, scan.is_rich, scan.is_odd) == (True, True, False)


@pytest.mark.parametrize("key", ["4161", "5818" + "61" * 24])
def test_binary_keys_are_put_in_other_words(key):
    """cbor-x takes none."""
    scan = of_hex(f"a1{key}00")
    scan.check(NESTING)
    assert scan.is_odd


@pytest.mark.parametrize(
    "key", ["80", "a0", "f97e00", "f97c00", "fa7f800000", "f7", "e0", "c100", "c24101", "8100"]
)
def test_others_are_none(key):
    assert fault_of(f"a1{key}00") == "a dictionary's key is neither a text nor a number"


@pytest.mark.parametrize("length", [0, 1, 23, 24, 300])
def test_long_texts_are_keys_like_short_ones(length):
    data = cbor2.dumps({"k" * length: {"é" * length: 1}})
    scan = scanned(data)
    scan.check(NESTING)
    assert not scan.has_odd_keys


class TestTags:
    @pytest.mark.parametrize(
        "text",
        [
            *("c074323031332d30332d32315432303a30343a30305a", "c11a514b67b0", "c1fb41d452d9ec200000"),
            *(
                "c24101",
                "c3587f" + "ff" * 127,
                "c482211968ab",
                "d81e820103",
                "d82550" + "01" * 16,
                "d8641903e8",
            ),
            "d903ec6a323032302d30312d3031",
            *("d8404101", "d8454400010203", "d84e4400010203", "d85648" + "00" * 8, "d9010283010203"),
        ],
    )
    def test_that_decoders_agree_about_are_kept(self, text):
        scan = of_hex(f"81{text}")
        scan.check(NESTING)
        assert (scan.has_tags, scan.is_rich, scan.is_odd) == (True, True, False)

    @pytest.mark.parametrize(
        "text",
        [
            *(
                "c582010a",
                "d82076687474703a2f2f7777772e6578616d706c652e636f6d",
                "d8234161",
                "d8240a",
                "d81b8100",
            ),
            *("d8334100", "d8e100", "d9d9f700", "dbffffffffffffffff00", "d81c80", "d9010000"),
            *("d84543000102", "d84500", "d8455f4200ffff", "d9010200", "d901029fff", "c1c24101"),
        ],
    )
    def test_that_mean_different_things_are_left_out(self, text):
        assert of_hex(f"81{text}").is_odd

    def test_of_references_are_refused(self):
        assert fault_of("d81900") == fault_of("d81d00") == "shared references mean nothing here"

    @pytest.mark.parametrize("content", ["00", "6161", "80", "5880" + "ff" * 128, "5f4101ff"])
    def test_of_big_integers_hold_few_bytes(self, content):
        assert fault_of(f"c2{content}") == "a big integer must be a byte string of at most 127 bytes"

    def test_are_few_on_one_value(self):
        assert fault_of("cf" * 9 + "00") == "a value has more than 8 tags"
        assert of_hex("cf" * 8 + "00").fault == ""

    def test_of_sets_hold_little(self):
        """Numbers of one hash cost a square of their count in whoever makes a set of them."""
        few, many = (b"\xd9\x01\x02" + cbor2.dumps(list(range(size))) for size in (256, 257))
        assert not scanned(few).is_odd
        assert scanned(many).is_odd


class TestFlatDictionaries:
    """They are skipped by one match."""

    @pytest.mark.parametrize("size", [0, 1, 5, 23, 24, 30])
    def test_are_skipped_whole(self, size):
        values = [0, 24, -300, 70_000, 2**40, 1.5, "text", "", True, None]
        flat = {f"k{number}": values[number % len(values)] for number in range(size)}
        scan = scanned(cbor2.dumps([flat, [flat]]))
        scan.check(NESTING)
        assert scan.depth == 3

    def test_whose_texts_are_no_ascii_are_looked_at(self):
        scan = scanned(cbor2.dumps({"é": "ö", "a": "b"}))
        assert scan.keys == ["é".encode(), b"a"]
        assert scan.texts == ["ö".encode(), b"b"]

    def test_count_as_containers(self):
        scan = scanned(cbor2.dumps({"a": 1}))
        with pytest.raises(Undecodable):
            scan.check(0)
