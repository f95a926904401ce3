"""What the scans of both binary serializers have in common, and what they may cost."""

import time

import cbor2
import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.wire.scan import MOST_NESTING, MOST_ODD_KEYS, NESTING, Undecodable, has_key_proto
from radiod.wire.scan_cbor import CborScan
from radiod.wire.scan_msgpack import MsgpackScan

WAYS = [(CborScan, cbor2.dumps), (MsgpackScan, msgpack.packb)]
every_way = pytest.mark.parametrize(("kind", "dump"), WAYS, ids=["cbor", "msgpack"])

leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=40)
    | st.binary(max_size=40)
)
values = st.recursive(
    leaves,
    lambda children: (
        st.lists(children, max_size=12)
        | st.dictionaries(st.text(max_size=40).filter(lambda key: key != "__proto__"), children, max_size=12)
    ),
    max_leaves=40,
)


def depth_of(value):
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, list) else 0


def scanned(kind, data):
    scan = kind(data)
    scan.whole()
    return scan


def fault_of(kind, data, max_nesting=NESTING):
    scan = scanned(kind, data)
    with pytest.raises(Undecodable) as refusal:
        scan.check(max_nesting)
    return str(refusal.value)


@every_way
@given(value=values, rest=st.binary(max_size=4))
def test_a_value_ends_where_it_ends_and_is_as_deep_as_it_is(kind, dump, value, rest):
    data = dump(value)
    scan = kind(b"\0" + data + rest)
    assert scan.item(1) == 1 + len(data)
    assert scan.depth == depth_of(value)
    scan.check(MOST_NESTING)
    assert not any((scan.is_odd, scan.is_rich, scan.has_odd_keys, scan.has_tags))


@every_way
@given(value=values, cut=st.floats(0, 1, exclude_max=True))
def test_a_value_that_is_cut_short_is_none(kind, dump, value, cut):
    data = dump(value)
    with pytest.raises(Undecodable):
        kind(data[: int(cut * len(data))]).whole()


@every_way
def test_one_value_is_wanted(kind, dump):
    with pytest.raises(Undecodable, match="behind"):
        kind(dump(1) + dump(2)).whole()


@every_way
@pytest.mark.parametrize("size", [7, 8, 9, 300])
@pytest.mark.parametrize("one", [0, 1.5, -70_000, True, 200])
def test_long_lists_of_one_kind_are_skipped_and_what_is_behind_them_is_not(kind, dump, size, one):
    data = dump([[one] * size, ["\0"], [one] * (size - 1) + [[]]])
    scan = scanned(kind, data)
    assert scan.depth == 3
    assert scan.texts == [b"\0"]


@every_way
@pytest.mark.parametrize("shape", ["list", "dictionary"])
def test_nesting_is_bounded(kind, dump, shape):
    value = 1
    for _ in range(20):
        value = [value] if shape == "list" else {"a": value}
    scanned(kind, dump(value)).check(20)
    assert fault_of(kind, dump(value), 19) == "nested 20 deep, 19 at most"


@every_way
def test_what_is_nested_without_end_is_not_followed(kind, dump):
    opening = dump([0])[:1]
    with pytest.raises(ValueError, match="nested deeper than 500"):
        kind(opening * 100_000).item(0)


@every_way
@pytest.mark.parametrize("make", [lambda text: [text], lambda text: {text: 1}, lambda text: {"a": {text: 1}}])
@pytest.mark.parametrize("size", [1, 40, 300])
def test_texts_are_utf_8(kind, dump, make, size):
    good = dump(make("é" + "x" * size))
    for half in (b"\xc3x", b"\xff\xfe", b"\xc0\xaf", b"x\xc3"):
        assert fault_of(kind, good.replace("é".encode(), half)) == "a text is not UTF-8"


@every_way
def test_two_halves_of_a_character_in_two_texts_make_none(kind, dump):
    data = dump(["ab", "cd"]).replace(b"ab", b"a\xc3").replace(b"cd", b"\xa9d")
    assert fault_of(kind, data) == "a text is not UTF-8"


@every_way
def test_proto_is_no_key_and_may_be_a_text(kind, dump):
    scanned(kind, dump([{"a__proto__": "__proto__"}])).check(NESTING)
    assert fault_of(kind, dump([{"a": {"__proto__": 1}}])) == "a key must not be __proto__"
    assert has_key_proto(b"__proto__")
    assert not has_key_proto(b"a_b")
    assert not has_key_proto(b"ab")


@every_way
def test_keys_that_are_no_texts_are_few(kind, dump):
    few = scanned(kind, dump([dict.fromkeys(range(MOST_ODD_KEYS), 0)] * 3))
    few.check(NESTING)
    assert few.has_odd_keys
    assert few.is_rich
    many = dump(dict.fromkeys(range(MOST_ODD_KEYS + 1), 0))
    assert fault_of(kind, many) == "a dictionary has more than 256 keys that are no texts"


@every_way
@pytest.mark.parametrize("key", [[], [1, [2]], {}])
def test_lists_and_dictionaries_are_no_keys(kind, dump, key):
    opening = {CborScan: b"\xa2", MsgpackScan: b"\x82"}[kind]
    data = opening + dump(key) + dump(1) + dump("b") + dump(2)
    assert fault_of(kind, data) == "a dictionary's key is neither a text nor a number"


@every_way
def test_keys_within_keys_are_not_followed_for_long(kind, dump):
    opening = {CborScan: b"\xa1", MsgpackScan: b"\x81"}[kind]
    with pytest.raises(ValueError, match="keys within keys"):
        kind(opening * 100 + dump("a") * 101).item(0)


def cost(kind, data):
    """Seconds, the least of a few."""
    best = 1e9
    for _ in range(5):
        start = time.process_time()
        kind(data).whole()
        best = min(best, time.process_time() - start)
    return best


COLLIDING = 2**61 - 1
HOSTILE = {
    "integer keys of one hash": lambda dump, n: {1 + COLLIDING * key % 2**64: 0 for key in range(n)},
    "integer keys": lambda dump, n: {key << 32: 0 for key in range(n)},
    "empty lists": lambda dump, n: [[]] * n,
    "lists that are almost of one kind": lambda dump, n: [[[0] * 20 + [""]] * (n // 20)],
    "texts": lambda dump, n: ["a"] * n,
    "texts as keys": lambda dump, n: {str(key): "" for key in range(n)},
    "small dictionaries": lambda dump, n: [{"a": 0}] * n,
    "deep and wide": lambda dump, n: [[[[0] * 8 + [[0] * 8]] * (n // 16)]],
}


@every_way
@pytest.mark.parametrize("name", HOSTILE)
def test_twice_the_bytes_cost_about_twice_as_much(kind, dump, name):
    """Not the four times of an algorithm that is quadratic; generous, since machines are busy."""
    once, eight_times = (dump(HOSTILE[name](dump, size)) for size in (2_000, 16_000))
    assert cost(kind, eight_times) < 24 * cost(kind, once) + 0.005


def test_bignum_keys_of_one_hash_are_refused_unbuilt():
    def colliding(count):
        pairs = b"".join(cbor2.dumps(1 + COLLIDING * (key + 9)) + b"\0" for key in range(count))
        return b"\xb9" + count.to_bytes(2, "big") + pairs

    assert "neither a text nor a number" in fault_of(CborScan, colliding(100))
    assert cost(CborScan, colliding(16_000)) < 24 * cost(CborScan, colliding(2_000)) + 0.005


@pytest.mark.parametrize("claim", [b"\x9a\x00\x10\x00\x00", b"\x9b" + b"\xff" * 8, b"\xbb" + b"\x7f" * 8])
def test_lengths_that_are_not_there_cost_nothing(claim):
    with pytest.raises(Undecodable):
        CborScan((claim + b"\0" * 8) * 1000).whole()
