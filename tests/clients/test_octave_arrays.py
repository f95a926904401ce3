"""``radiod.decode_array`` of clients/matlab, in Octave, against the Python encoder; and what it refuses."""

import json
import os
import shutil
import subprocess
import zlib

import numpy as np
import pytest
from radiod_client.arrays import WRITTEN, encode
from support.running import ROOT

from radiod.wire.codecs import JSON

MATLAB = ROOT / "clients" / "matlab"
SECONDS = 60
SHAPES = [(), (1,), (0,), (5,), (2, 3), (3, 0, 2), (2, 3, 4), (1, 1, 3), (4, 1)]
DECODE = """
addpath(getenv('CLIENT'));
lines = strsplit(strtrim(fread(stdin, Inf, 'uint8=>char')'), char(10));
for i = 1:numel(lines)
  try
    x = radiod.decode_array(radiod.internal.from_json(lines{i}));
    shape = size(x);
    x = x(:).';
    kind = class(x);
    if islogical(x)
      x = uint8(x);
    end
    parts = {x};
    if ~isreal(x)
      parts = {real(x), imag(x)};
    end
    hex = cellfun(@(part) sprintf('%02x', typecast(part, 'uint8')), parts, 'UniformOutput', false);
    printf('%s\\n', jsonencode(struct('shape', {num2cell(shape)}, 'kind', kind, 'parts', {hex})));
  catch trouble
    printf('%s\\n', jsonencode(struct('id', trouble.identifier, 'error', trouble.message)));
  end
end
"""

pytestmark = pytest.mark.skipif(
    shutil.which("octave-cli") is None, reason="no language: Octave is not installed"
)


def decoded(values):
    """What Octave makes of each of them: shape, kind and bytes of its columns; or the error."""
    lines = b"\n".join(value if isinstance(value, bytes) else bytes(JSON.dump(value)) for value in values)
    done = subprocess.run(
        ["octave-cli", "--quiet", "--eval", DECODE],
        input=lines,
        capture_output=True,
        timeout=SECONDS,
        env={**os.environ, "CLIENT": str(MATLAB)},
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert not done.stderr, done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()]


def wanted(array):
    """The same of a NumPy array: Octave has two dimensions at least, and no half floats."""
    shape = [*array.shape, 1, 1][: max(2, array.ndim)]
    while len(shape) > 2 and shape[-1] == 1:
        shape.pop()
    if array.dtype == "<f2":
        array = array.astype("<f4")
    flat = array.ravel(order="F")
    parts = [flat.real, flat.imag] if array.dtype.kind == "c" else [flat]
    return shape, [np.ascontiguousarray(part).tobytes().hex() for part in parts]


@pytest.mark.parametrize("compress", [False, True], ids=["raw", "zlib"])
def test_every_type_and_shape_is_read(compress):
    rng = np.random.default_rng(1)
    sent = []
    for dtype in WRITTEN.values():
        for shape in SHAPES:
            count = int(np.prod(shape))
            if np.dtype(dtype).kind == "c":
                array = rng.standard_normal(2 * count).view("c16").astype(dtype)
            elif np.dtype(dtype).kind == "f":
                array = rng.standard_normal(count).astype(dtype)
            else:
                array = np.frombuffer(rng.bytes(16 * count), "u1")[: count * np.dtype(dtype).itemsize]
                array = (array & 1 if dtype == "|b1" else array).view(dtype)
            sent.append(array.reshape(shape))
    for array, got in zip(sent, decoded(encode(array, compress) for array in sent), strict=True):
        shape, parts = wanted(array)
        assert got.get("shape") == shape, (array.dtype, array.shape, got)
        assert got["parts"] == (parts if array.size else [""] * len(got["parts"])), (array.dtype, got)


def deflated(array, level, strategy):
    """An array whose data are a stream of a certain kind."""
    deflating = zlib.compressobj(level, zlib.DEFLATED, 15, 8, strategy)
    data = deflating.compress(array.tobytes()) + deflating.flush()
    return {**encode(array), "enc": "zlib", "data": data}


def test_streams_of_every_kind_of_block_are_read():
    rng = np.random.default_rng(2)
    arrays = [
        rng.integers(0, 9, 200),
        np.zeros(9000),
        np.frombuffer(rng.bytes(2000), "u1"),
        np.sin(np.arange(500) / 50).astype("<f4"),
        np.arange(3),
        np.frombuffer(b"abc" * 99, "u1"),
    ]
    plain, fixed = zlib.Z_DEFAULT_STRATEGY, zlib.Z_FIXED
    kinds = [(0, plain), (1, plain), (9, plain), (6, fixed), (6, zlib.Z_HUFFMAN_ONLY)]
    sent = [(array, deflated(array, *kind)) for array in arrays for kind in kinds if array.size < 9000]
    sent += [(array, deflated(array, 9, plain)) for array in arrays]
    # More than one block, none of them compressed.
    sent += [(array, deflated(array, 0, plain)) for array in [np.arange(9000)]]
    for (array, _), got in zip(sent, decoded(value for _, value in sent), strict=True):
        assert got.get("parts") == [array.tobytes().hex()], got.get("error")


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8"])
def test_the_ends_of_the_floats_are_read(dtype):
    info = np.finfo(dtype)
    values = [0.0, -0.0, np.inf, -np.inf, info.max, info.tiny, info.smallest_subnormal, -info.eps]
    array = np.array(values, dtype)
    [got, nan] = decoded([encode(array), encode(np.array([np.nan], dtype))])
    assert got["parts"] == wanted(array)[1]
    assert np.isnan(np.frombuffer(bytes.fromhex(nan["parts"][0]), "<f8" if dtype == "<f8" else "<f4")[0])


def test_what_is_no_array_is_refused():
    good = {"_nd": 1, "dtype": "<f4", "shape": [2], "data": bytes(8), "enc": "raw"}
    stream = zlib.compress(bytes(8))
    broken = [
        stream[:-1],
        stream + b"x",
        stream[:-1] + b"x",
        stream[:2],
        b"",
        b"\x78\x9d" + stream[2:],
        zlib.compress(bytes(7)),
        zlib.compress(bytes(9)),
        zlib.compress(bytes(10**6)),
        b"\x78\x9c\x07" + stream[3:],
        b"\x78\x9c\x01\x08\x00\x00\x00" + bytes(8),
    ]
    wrong = [
        5,
        {},
        {**good, "more": 1},
        {key: value for key, value in good.items() if key != "enc"},
        {**good, "_nd": 2},
        {**good, "_nd": True},
        {**good, "dtype": ">f4"},
        {**good, "dtype": "|f4"},
        {**good, "dtype": "<O8"},
        {**good, "dtype": 4},
        {**good, "shape": [-2]},
        {**good, "shape": [1.5]},
        {**good, "shape": [True, True]},
        {**good, "shape": [3]},
        {**good, "shape": "2"},
        {**good, "shape": [2**40, 2**40, 0]},
        {**good, "shape": [2**30]},
        {**good, "shape": [1] * 33},
        {**good, "shape": [[1, 2], [1, 1]]},
        {**good, "data": "\0AAAA====AAAA"},
        {**good, "data": "\0AAA"},
        {**good, "data": "\0A A AAAAAAA="},
        {**good, "data": [0] * 8},
        {**good, "enc": "gzip"},
        {**good, "enc": "zlib"},
        *({**good, "enc": "zlib", "data": data} for data in broken),
        {**good, "dtype": "|b1", "shape": [8], "data": b"\2" * 8},
    ]
    for value, got in zip(wrong, decoded(wrong), strict=True):
        assert got.get("id") == "radiod:array", (value, got)


def test_nul_and_backslashes_in_texts_are_kept_apart():
    """Only a text's own NUL goes; whatever looks like one, because a backslash is a text, stays."""
    texts = ["\\u0000", "\\\\u0000", 'a"\\u0000', '"\0', "a\0b", "\\\0", "\0\0"]
    expected = ["\\u0000", "\\\\u0000", 'a"\\u0000', '"\ufffd', "a\ufffdb", "\\\ufffd", "\ufffd"]
    script = """
    addpath(getenv('CLIENT'));
    disp(jsonencode(radiod.internal.from_json(strtrim(fread(stdin, Inf, 'uint8=>char')'))))
    """
    done = subprocess.run(
        ["octave-cli", "--quiet", "--eval", script],
        input=json.dumps(texts).encode(),
        capture_output=True,
        timeout=SECONDS,
        env={**os.environ, "CLIENT": str(MATLAB)},
        check=True,
    )
    assert json.loads(done.stdout) == expected
