"""Messages of the Python client: what is found in long ones and short ones, and what costs nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from radiod_client._messages import CODECS, _has

from radiod.wire.codecs import JSON


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
@pytest.mark.parametrize("size", [0, 2000])
@pytest.mark.parametrize("filler", ["x", "_", "£", "\\", '"', "nd"])
def test_arrays_and_bytes_are_found_behind_anything(codec, size, filler):
    args = codec.payload([filler * size, {"a": [np.arange(3)]}])
    message = codec.decode(codec.encode([36, 1, 1, {"_seq": 1, "_epoch": "abc"}, args]))
    assert message.args[0] == filler * size
    assert message.args[1]["a"][0].tolist() == [0, 1, 2]
    args = codec.payload([filler * size, b"\0\xff"])
    assert codec.decode(codec.encode([36, 1, 1, {}, args])).args == [filler * size, b"\0\xff"]


@given(st.binary(max_size=30), st.integers(0, 200), st.sampled_from([(b"\xa3", b"_nd"), (b"_", b'nd"')]))
def test_both_are_found_wherever_they_stand(around, count, mark):
    data = around + mark[0] * count + b"".join(mark) + around * 100
    assert _has(data, *mark)
    assert not _has(b"x" * len(data), *mark)


def test_the_servers_json_is_read():
    """What another serializer's publisher sent comes in the router's own JSON."""
    told = {"_nd": [2], "dtype": "<f4", "data": "AACAPwAAAEA="}
    message = CODECS["json"].decode(JSON.dump([36, 1, 1, {}, ["x" * 2000, told]]))
    assert message.args[0] == "x" * 2000
