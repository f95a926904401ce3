"""Arrays in samples: the Python codec, its way through radiod's serializers, the recipe for JavaScript."""

import base64
import json
import shutil
import subprocess
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps
from radiod_client.arrays import DTYPES, MAX_BYTES, WRITTEN, decode, decode_all, encode, encode_all, is_array

from radiod.wire.codecs import CBOR, JSON, MSGPACK, Payload
from radiod.wire.messages import Event

MODULE = (Path(__file__).parents[2] / "clients" / "js" / "arrays.js").as_uri()
SECONDS = 30
CODECS = [JSON, MSGPACK, CBOR]
every_codec = pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
every_dtype = pytest.mark.parametrize("dtype", WRITTEN.values(), ids=str)

shapes = nps.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)
arrays = st.tuples(st.sampled_from(list(WRITTEN)), shapes, st.sampled_from("<>")).flatmap(
    lambda chosen: nps.arrays(np.dtype(chosen[0]).newbyteorder(chosen[2]), chosen[1])
)


def same(ours, theirs):
    """Equal in kind, shape and every bit, whatever the order of bytes and elements in memory."""
    ours, theirs = (array.astype(array.dtype.newbyteorder("<"), order="C") for array in (ours, theirs))
    return (ours.dtype, ours.shape, ours.tobytes()) == (theirs.dtype, theirs.shape, theirs.tobytes())


def message(**changes):
    """Two 32-bit floats, correct but for the changes."""
    return {"_nd": 1, "dtype": "<f4", "shape": [2], "data": bytes(8), "enc": "raw", **changes}


class TestRoundTrip:
    @given(case=st.tuples(arrays, st.booleans()))
    def test_of_every_type_and_shape(self, case):
        array, compress = case
        decoded = decode(encode(array, compress))
        assert same(decoded, array)
        assert decoded.flags.c_contiguous
        assert not decoded.flags.writeable

    @every_dtype
    @pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1,), (2, 3), (1,) * 32], ids=str)
    @pytest.mark.parametrize("enc", ["raw", "zlib"])
    def test_of_the_edges(self, dtype, shape, enc):
        array = np.ones(shape, dtype)
        encoded = encode(array, compress=enc == "zlib")
        assert (encoded["dtype"], encoded["shape"], encoded["enc"]) == (dtype, list(shape), enc)
        assert same(decode(encoded), array)

    @pytest.mark.parametrize(
        "array",
        [
            np.arange(12.0).reshape(3, 4).T,
            np.asfortranarray(np.arange(12).reshape(3, 4)),
            np.arange(10)[::-2],
            np.arange(24).reshape(2, 3, 4)[:, 1, ::3],
            np.broadcast_to(np.float32(1.5), (2, 3)),
            np.arange(6, dtype=">i4").reshape(2, 3),
            np.frombuffer(bytes(range(9)), "<u8", 1, 1),  # not aligned
        ],
        ids=[
            "transposed",
            "Fortran",
            "backwards",
            "sliced",
            "broadcast",
            "big-endian",
            "unaligned",
        ],
    )
    def test_of_every_layout(self, array):
        assert same(decode(encode(array)), np.asarray(array))

    def test_of_numbers_and_lists(self):
        assert decode(encode(1.5)) == 1.5
        assert decode(encode([[1, 2], [3, 4]])).tolist() == [[1, 2], [3, 4]]

    def test_is_as_the_convention_says(self):
        array = np.array([[1, 2, 3], [4, 5, 6]], ">f4")
        data = bytes.fromhex("0000803f 00000040 00004040 00008040 0000a040 0000c040")
        assert encode(array) == {"_nd": 1, "dtype": "<f4", "shape": [2, 3], "data": data, "enc": "raw"}
        assert encode(array, compress=True) | {"data": 0} == encode(array) | {"data": 0, "enc": "zlib"}

    def test_raw_bytes_are_not_copied(self):
        encoded = encode(np.arange(1000))
        assert np.shares_memory(decode(encoded), np.frombuffer(encoded["data"], "u1"))

    def test_a_single_byte_may_have_an_order(self):
        assert same(decode(message(dtype="<u1", shape=[8])), np.zeros(8, "u1"))


@pytest.mark.parametrize(
    "array",
    [
        np.array([None]),
        np.array(["text"]),
        np.array([b"bytes"]),
        np.array(["2026-01-01"], "M8[s]"),
        np.array([1], "m8[s]"),
        np.zeros(2, [("a", "i4")]),
        np.zeros(2, "V4"),
        np.zeros(2, np.longdouble),
        np.ma.masked_array([1, 2], [0, 1]),
        {1, 2},
    ],
    ids=str,
)
def test_what_cannot_be_sent_is_refused(array):
    with pytest.raises(ValueError, match=r"sent|mask"):
        encode(array)


def test_too_many_dimensions_are_refused():
    try:
        array = np.zeros((1,) * 33)
    except ValueError:
        pytest.skip("NumPy 1 refuses them itself")
    with pytest.raises(ValueError, match="dimensions"):
        encode(array)


class TestDecoding:
    def test_the_message_that_is_changed_below_is_correct(self):
        assert decode(message()).tolist() == [0, 0]

    @pytest.mark.parametrize(
        "value",
        [
            None,
            1,
            "text",
            b"bytes",
            [],
            {},
            {"_nd": 1},
            message(unit="m"),
            {**message(), 1: 2},
            list(message()),
        ],
        ids=str,
    )
    def test_refuses_what_is_no_array(self, value):
        with pytest.raises(ValueError, match="dictionary of"):
            decode(value)

    @pytest.mark.parametrize("version", [0, 2, True, 1.0, "1", None, [1]], ids=repr)
    def test_refuses_other_versions(self, version):
        with pytest.raises(ValueError, match=r"^_nd"):
            decode(message(_nd=version))

    @pytest.mark.parametrize(
        "dtype",
        [
            "f4", ">f4", "=f4", "|f4", "<f16", "<c32", "O", "|O", "|V4", "<U2", "|S4", "<M8[s]", "<f4,<f4",
            "(2,)<f4", "float32", "", "\0", None, 4, ["<f4"], {}, [["a", "<f4"]], float,
        ],
        ids=repr,
    )  # fmt: skip
    def test_refuses_other_types(self, dtype):
        with pytest.raises(ValueError, match=r"^dtype"):
            decode(message(dtype=dtype))

    @pytest.mark.parametrize(
        "shape",
        [
            2, None, "2", b"\2", {"0": 2}, [2.0], [True, 2], [-2], [-1, -2], ["2"], [None], [[2]],
            [float("nan")], [float("inf")], [1] * 33 + [2],
            [2**31, 2**31, 2**31], [2**64], [2**63 - 1], [2**62, 0, 2**62],
            [0, 2**63], [1e400, 0], pytest.param([10**5000, 10**5000], id="huge"),
        ],
        ids=repr,
    )  # fmt: skip
    def test_refuses_other_shapes(self, shape):
        with pytest.raises(ValueError, match=r"^shape"):
            decode(message(shape=shape))

    @pytest.mark.parametrize("shape", [[0, 2**40], [2**40, 0], [2**30, 0, 2**30]], ids=str)
    def test_empty_arrays_may_be_wide(self, shape):
        assert decode(message(shape=shape, data=b"")).shape == tuple(shape)

    @pytest.mark.parametrize("data", [b"", bytes(7), bytes(9), bytes(800)], ids=len)
    @pytest.mark.parametrize("enc", ["raw", "zlib"])
    def test_refuses_another_length(self, data, enc):
        with pytest.raises(ValueError, match=r"^data"):
            decode(message(data=zlib.compress(data) if enc == "zlib" else data, enc=enc))

    @pytest.mark.parametrize("data", [None, 1, [0] * 8, bytearray(8), "", "AAAAAAAAAAA=", {}], ids=repr)
    def test_refuses_other_data(self, data):
        with pytest.raises(ValueError, match=r"^data: expected bytes"):
            decode(message(data=data))

    @pytest.mark.parametrize(
        "text",
        [
            "AAAAAAAAAAA",
            "AAAAAAAAAAA==",
            "AAAA AAAAAAA=",
            "=AAAAAAAAAAA=",
            "AAAAAAAAAA_=",
            "é",
            "\ud800",
            "=",
        ],
    )
    def test_refuses_what_is_not_base64(self, text):
        with pytest.raises(ValueError, match=r"^data: not base64"):
            decode(message(data="\0" + text))

    @pytest.mark.parametrize("enc", [None, "", "gzip", "RAW", True, ["raw"], {}], ids=repr)
    def test_refuses_other_compressions(self, enc):
        with pytest.raises(ValueError, match=r"^enc"):
            decode(message(enc=enc))

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"not zlib",
            zlib.compress(bytes(8))[:-1],
            zlib.compress(bytes(8))[:-4] + bytes(4),
            zlib.compress(bytes(8)) + b"x",
            zlib.compress(bytes(4)) + zlib.compress(bytes(4)),
            zlib.compress(bytes(8), wbits=-15),
            zlib.compress(bytes(8), wbits=31),
            bytes(8),
        ],
        ids=[
            "empty",
            "other",
            "cut",
            "checksum",
            "garbage behind",
            "two streams",
            "bare deflate",
            "gzip",
            "raw",
        ],
    )
    def test_refuses_broken_streams(self, data):
        with pytest.raises(ValueError, match=r"^data"):
            decode(message(data=data, enc="zlib"))

    def test_refuses_garbage_behind_an_empty_stream(self):
        with pytest.raises(ValueError, match=r"^data"):
            decode(message(shape=[0], data=zlib.compress(b"") + b"x", enc="zlib"))

    @pytest.mark.parametrize("enc", ["raw", "zlib"])
    def test_refuses_booleans_that_are_neither(self, enc):
        data = b"\0\1\2"
        with pytest.raises(ValueError, match="booleans"):
            decode(
                message(dtype="|b1", shape=[3], data=zlib.compress(data) if enc == "zlib" else data, enc=enc)
            )

    def test_has_a_bound(self):
        assert decode(message(), max_bytes=8).size == 2
        with pytest.raises(ValueError, match="8 bytes, at most 7"):
            decode(message(), max_bytes=7)
        with pytest.raises(ValueError, match="at most"):
            decode(message(dtype="|u1", shape=[MAX_BYTES + 1]))

    @pytest.mark.parametrize("shape", [[0], [1000], [2**40]], ids=str)
    def test_a_bomb_does_not_go_off(self, shape):
        bomb = zlib.compress(bytes(200 * 2**20))
        value = message(dtype="|u1", shape=shape, data=bomb, enc="zlib")
        tracemalloc.start()
        try:
            with pytest.raises(ValueError):
                decode(value)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        # What zlib copies of its input counts too.
        assert peak < 2 * len(bomb) + 2**20

    def test_allocates_nothing_for_what_is_only_promised(self):
        tracemalloc.start()
        try:
            with pytest.raises(ValueError):
                decode(message(dtype="<f8", shape=[2**23], data=b"x", enc="raw"))
            with pytest.raises(ValueError):
                decode(message(dtype="<f8", shape=[2**23], data=zlib.compress(b"x"), enc="zlib"))
            assert tracemalloc.get_traced_memory()[1] < 2**20
        finally:
            tracemalloc.stop()


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.binary(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4) | st.just("_nd"), inner, max_size=4)
    ),
    max_leaves=8,
)
extents = st.integers(0, 4) | st.integers(-3, 2**70) | st.booleans() | st.floats() | anything
binary = st.binary(max_size=32)
almost = st.fixed_dictionaries(
    {
        "_nd": st.just(1) | anything,
        "dtype": st.sampled_from(list(DTYPES)) | anything,
        "shape": st.lists(extents, max_size=4) | anything,
        "data": binary
        | binary.map(zlib.compress)
        | st.tuples(binary, binary).map(lambda parts: zlib.compress(parts[0]) + parts[1])
        | binary.map(lambda data: "\0" + base64.b64encode(data).decode())
        | anything,
        "enc": st.sampled_from(["raw", "zlib"]) | anything,
    },
    optional={"more": anything},
)


class TestFuzz:
    @given(value=anything | almost)
    def test_nothing_but_value_error_escapes(self, value):
        try:
            array = decode(value, max_bytes=1000)
        except ValueError:
            return
        assert array.nbytes <= 1000
        assert same(decode(encode(array)), array)

    @given(value=st.recursive(anything | almost, lambda inner: st.lists(inner, max_size=3), max_leaves=4))
    def test_nothing_but_value_error_escapes_from_samples(self, value):
        try:
            decoded = decode_all(value, max_bytes=1000)
        except ValueError:
            return
        repr(decoded)

    @given(case=st.tuples(arrays, st.booleans(), st.data()))
    def test_nor_from_an_array_with_one_byte_changed(self, case):
        array, compress, data = case
        encoded = encode(array, compress)
        raw = bytearray(encoded["data"])
        if raw:
            raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
        try:
            decoded = decode(encoded | {"data": bytes(raw)})
        except ValueError:
            return
        assert decoded.shape == array.shape


class TestSamples:
    def test_arrays_are_found_wherever_they_are(self):
        speed, flow = np.arange(6.0).reshape(2, 3), np.arange(3, dtype=">u2")
        sample = {"time": 60, "speed": speed, "more": [{"flow": flow}, ("text", None, 1.5)]}
        encoded = encode_all(sample)
        assert encoded == {
            "time": 60, "speed": encode(speed), "more": [{"flow": encode(flow)}, ["text", None, 1.5]],
        }  # fmt: skip
        decoded = decode_all(encoded)
        assert same(decoded["speed"], speed)
        assert same(decoded["more"][0]["flow"], flow)
        assert decoded["more"][1] == ["text", None, 1.5]

    def test_they_are_left_as_they_were(self):
        sample = {"a": [np.zeros(2)]}
        encoded = encode_all(sample)
        assert isinstance(sample["a"][0], np.ndarray)
        decode_all(encoded)
        assert encoded == encode_all(sample)

    def test_what_is_encoded_already_stays(self):
        encoded = encode_all([np.zeros(2)], compress=True)
        assert encoded[0]["enc"] == "zlib"
        assert encode_all(encoded) == encoded

    @pytest.mark.parametrize(
        ("scalar", "number"),
        [
            (np.float32(0.5), 0.5),
            (np.float64(0.1), 0.1),
            (np.uint64(2**64 - 1), 2**64 - 1),
            (np.bool_(True), True),
            (np.str_("text"), "text"),
            (np.bytes_(b"bytes"), b"bytes"),
        ],
        ids=repr,
    )
    def test_numpys_numbers_become_pythons(self, scalar, number):
        (encoded,) = encode_all([scalar])
        assert (type(encoded), encoded) == (type(number), number)

    def test_complex_numbers_become_arrays(self):
        assert decode(encode_all([np.complex64(1 + 2j)])[0]) == 1 + 2j

    @pytest.mark.parametrize(
        "scalar", [np.longdouble(1), np.datetime64("2026"), np.timedelta64(1, "ns")], ids=repr
    )
    def test_other_scalars_are_refused(self, scalar):
        with pytest.raises(ValueError, match="cannot be sent"):
            encode_all({"a": scalar})

    def test_the_key_makes_the_array(self):
        assert is_array(encode(1))
        assert is_array({"_nd": 2})
        assert not any(map(is_array, [None, {}, {"nd": 1}, ["_nd"], "_nd", np.zeros(2)]))
        with pytest.raises(ValueError):
            decode_all([{"_nd": 2}])

    def test_all_arrays_share_one_bound(self):
        encoded = encode_all([np.zeros(2), {"b": np.zeros(2)}])
        assert len(decode_all(encoded, max_bytes=32)) == 2
        with pytest.raises(ValueError, match="at most 15"):
            decode_all(encoded, max_bytes=31)

    @pytest.mark.parametrize("walk", [encode_all, decode_all])
    def test_nesting_has_an_end(self, walk):
        endless = []
        endless.append(endless)
        with pytest.raises(ValueError, match="deep"):
            walk(endless)


class TestThroughRadiod:
    ARRAYS = {
        "raw": encode(np.arange(6, dtype="<f4").reshape(2, 3)),
        "compressed": encode(np.zeros((100, 100)), compress=True),
        "scalar": encode(np.complex64(1 - 2j)),
        "empty": encode(np.zeros((0, 3), "i2")),
    }

    @every_codec
    def test_the_same_serializer_gets_the_same_bytes(self, codec):
        args, kwargs = codec.dump([self.ARRAYS]), codec.dump({"again": self.ARRAYS})
        head = codec.dump([16, 1, {}, "town.speed"])
        sent = codec._splice(head, args, kwargs)  # a PUBLISH as a client writes it
        received = codec.decode(sent)
        payload = codec.payload(received.args, received.kwargs)
        assert payload.parts(codec) == (args, kwargs)
        event = codec.encode(Event(1, 2, {}), payload)
        assert event.removesuffix(b"]" if codec is JSON else b"").endswith(kwargs)
        assert args in event

    @every_codec
    @pytest.mark.parametrize("other", CODECS, ids=lambda codec: codec.name)
    def test_every_other_serializer_gets_the_same_arrays(self, codec, other):
        payload = Payload(codec, codec.dump([self.ARRAYS]), b"")
        args, _ = payload.parts(other)
        # radiod's own loader makes bytes of NUL strings, the standard library's leaves them.
        for load in (other.load, *([json.loads] if other is JSON else [])):
            (received,) = load(args)
            for name, sent in self.ARRAYS.items():
                assert same(decode(received[name]), decode(sent))

    def test_json_has_base64_behind_nul(self):
        payload = Payload(MSGPACK, MSGPACK.dump([self.ARRAYS["raw"]]), b"")
        (received,) = json.loads(payload.parts(JSON)[0])
        assert received["data"] == "\0" + base64.b64encode(self.ARRAYS["raw"]["data"]).decode()

    @given(case=st.tuples(arrays, st.booleans(), st.sampled_from(CODECS), st.sampled_from(CODECS)))
    def test_any_array_from_any_to_any(self, case):
        array, compress, source, target = case
        payload = Payload(source, source.dump([encode(array, compress)]), b"")
        (received,) = target.load(payload.parts(target)[0])
        assert same(decode(received), array)


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
class TestJavaScript:
    """``clients/js/arrays.js``."""

    # One line in, one line out: decoded, or what it was refused with.
    MAIN = """
        import { createInterface } from "node:readline";
        for await (const line of createInterface({ input: process.stdin })) {
          const { value, binary } = JSON.parse(line);
          if (binary) {                  // as MessagePack gives it: a view that starts anywhere
            const bytes = Buffer.from("?" + atob(value.data.slice(1)), "latin1");
            value.data = new Uint8Array(bytes.buffer, bytes.byteOffset + 1, bytes.length - 1);
          }
          try {
            const { shape, values } = await decodeArray(value);
            const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
            console.log(JSON.stringify({ shape, bytes: bytes.toString("hex") }));
          } catch (error) {
            console.log(JSON.stringify({ error: error.constructor.name, message: error.message }));
          }
        }
    """

    def decode(self, *values, is_binary=False):
        lines = [JSON.dump({"value": value, "binary": is_binary}) for value in values]
        done = subprocess.run(
            ["node", "--input-type=module", "-e", f'import {{ decodeArray }} from "{MODULE}";{self.MAIN}'],
            input=b"\n".join(lines),
            capture_output=True,
            timeout=SECONDS,
        )
        assert done.returncode == 0, done.stderr.decode()
        return [json.loads(line) for line in done.stdout.splitlines()]

    @pytest.mark.parametrize("is_binary", [False, True], ids=["text", "binary"])
    @pytest.mark.parametrize("compress", [False, True], ids=["raw", "zlib"])
    def test_it_decodes_every_type(self, is_binary, compress):
        rng = np.random.default_rng(1)
        sent = [
            np.frombuffer(rng.bytes(96), "u1").view(dtype).reshape(2, -1)
            for dtype in WRITTEN.values()
            if dtype != "|b1"
        ]
        sent += [np.array(True), np.zeros((0, 3)), np.zeros((300, 300))]
        received = self.decode(*(encode(array, compress) for array in sent), is_binary=is_binary)
        for array, got in zip(sent, received, strict=True):
            assert got.get("shape") == list(array.shape), got
            if array.dtype == "<f2":  # JavaScript gets 32 bits; which NaN is no matter
                floats = np.frombuffer(bytes.fromhex(got["bytes"]), "<f4")
                np.testing.assert_array_equal(floats, array.astype("<f4").ravel())
            else:
                assert got["bytes"] == array.tobytes().hex()

    def test_half_floats_are_right(self):
        every = np.arange(2**16, dtype="<u2").view("<f2")
        (got,) = self.decode(encode(every))
        np.testing.assert_array_equal(np.frombuffer(bytes.fromhex(got["bytes"]), "<f4"), every.astype("<f4"))

    def test_it_refuses_what_breaks_the_convention(self):
        refused = [
            message(_nd=2), message(dtype=">f4"), message(dtype="<constructor"), message(dtype=None),
            message(shape=[3]), message(shape=[-1, -2]), message(shape=[0.5, 4]), message(shape="2"),
            message(shape=[2**40]), message(data="text"), message(data=None), message(data="\0é"),
            message(enc="gzip"), message(enc="zlib"), message(data=zlib.compress(bytes(9)), enc="zlib"),
            message(data=zlib.compress(bytes(7)), enc="zlib"),
            message(data=zlib.compress(bytes(10**8)), enc="zlib"), None, 1, {},
        ]  # fmt: skip
        assert [got.get("error") for got in self.decode(*refused)] == ["Error"] * len(refused)
