import pytest

from radiod.core.cluster.call_letters import (
    Declined,
    Dropped,
    Failed,
    Invoke,
    Packed,
    Reset,
    Stop,
    Yielded,
    pack,
    read_call,
    unpack,
    write_call,
)
from radiod.wire.codecs import CBOR, JSON, MSGPACK, Payload

PAYLOAD = pack(Payload(MSGPACK, b"\x91\x01", b""))


@pytest.mark.parametrize(
    "letter",
    [
        Invoke(2**53, 1, 2**52, {"caller": 7, "ppt_scheme": "x", "trustlevel": 3}, PAYLOAD),
        Stop(1, "kill", "wamp.error.canceled"),
        Dropped(2),
        Yielded(5, 3, True, {}, PAYLOAD),
        Failed(5, 3, "an.error", {"enc_algo": "x"}, PAYLOAD),
        Declined(5, 3, "an.error", "why"),
        Reset(),
    ],
)
def test_a_letter_is_read_as_it_was_written(letter):
    assert read_call(write_call(letter)) == letter


@pytest.mark.parametrize("data", [b"", b"\x91\xa4what", b"\x92\xa4stop\x01"])
def test_what_is_no_letter_is_nothing(data):
    assert read_call(data) is None


def test_a_payload_is_of_a_serializer_that_is_known():
    letter = Yielded(1, 2, False, {}, Packed("toml", b"", b"", True))
    assert read_call(write_call(letter)) is None


@pytest.mark.parametrize("codec", [JSON, MSGPACK, CBOR])
@pytest.mark.parametrize("is_plain", [True, False])
def test_a_payload_stays_what_its_sender_wrote(codec, is_plain):
    payload = Payload(codec, codec.dump([1, "two"]), codec.dump({"a": None}))
    payload.is_plain = is_plain
    again = unpack(pack(payload))
    assert (again.codec, again.args, again.kwargs, again.is_plain) == (
        codec,
        payload.args,
        payload.kwargs,
        is_plain,
    )


def test_no_payload_is_an_empty_one():
    assert len(unpack(pack(None))) == 0
