"""Large messages, and when garbage is looked for."""

import gc

import msgspec
import pytest

from radiod.errors import PeerError
from radiod.wire.codecs import CODECS, JSON, MSGPACK
from radiod.wire.undisturbed import undisturbed


@pytest.fixture
def looks():
    """How often garbage was looked for, each time another thousand lists were made; a list of phases."""
    seen = []
    gc.callbacks.append(lambda phase, info: seen.append(phase))
    yield seen
    gc.callbacks.pop()


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
def test_garbage_is_hardly_looked_for_while_many_lists_are_built(looks, codec):
    other = MSGPACK if codec is JSON else JSON
    many = codec.dump([[[]] * 50_000])
    data = codec.dump([16, 1, {}, "a.topic"])[:-1] if codec is JSON else codec.dump([16, 1, {}, "a.topic"])
    whole = data + b"," + many + b"]" if codec is JSON else bytes([data[0] + 1]) + data[1:] + many
    looks.clear()
    message = codec.decode(whole)
    payload = codec.payload(message.args, message.kwargs)
    payload.parts(other)
    kept = payload.values()
    # One behind each step, in the place of 70 within it.
    assert looks.count("start") <= 4
    assert len(kept[0][0]) == 50_000
    assert gc.isenabled()


def test_garbage_is_looked_for_again_behind_what_is_wrong(looks):
    with pytest.raises(PeerError):
        MSGPACK.decode(b"\xc1" * 100_000)
    assert gc.isenabled()
    gc.disable()
    try:
        MSGPACK.payload(msgspec.Raw(MSGPACK.dump([[]] * 50_000)), b"")
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_what_is_called_gets_its_arguments_and_its_result_comes_back():
    assert undisturbed(lambda *args: (args, gc.isenabled()), 1, 2) == ((1, 2), False)
