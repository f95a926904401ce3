import msgspec

from radiod.core.cluster.envelope import Ask, Baseline, Crossing, decode, encode
from radiod.core.disclosure import NO_DETAILS
from radiod.core.pubsub.announcer import EVERYBODY
from radiod.wire.codecs import CBOR
from radiod.wire.options import PublishOptions


def test_an_event_can_be_read_again():
    payload = CBOR.payload(CBOR.dump([1]), CBOR.dump({"a": b"\x00"}))
    crossing = Crossing(
        1, 2, 3, 4, "t", 5, "cbor", payload.args, payload.kwargs, {"publisher": 7}, PublishOptions(exclude=[1])
    )
    read = decode(encode(crossing))
    assert read == crossing
    assert read.payload().values() == ([1], {"a": b"\x00"})
    assert read.told() == {"publisher": 7}
    assert read.narrowed().exclude == [1]


def test_what_nobody_said_is_shared():
    crossing = decode(encode(Crossing(1, 2, 3, 4, "t", 5, "json", b"[]", b"")))
    assert crossing.told() is NO_DETAILS
    assert crossing.narrowed() is EVERYBODY


def test_questions_and_answers_can_be_read_again():
    for what in (
        Ask(1, 2, [("exact", "t"), ("prefix", "")], [3]),
        Baseline(1, 2, 3, 4, [("exact", "t")], {"t": (1, 5)}, True, [b"x"]),
    ):
        assert decode(encode(what)) == what


def test_what_is_none_of_these_is_none():
    for data in (b"", b"\xff", msgspec.msgpack.encode(["z", 1])):
        assert decode(data) is None
