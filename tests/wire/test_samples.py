"""A payload as one JSON value."""

import pytest

from radiod.wire.codecs import CBOR, JSON, Payload, Undecodable
from radiod.wire.samples import sample_of


@pytest.mark.parametrize(
    ("args", "kwargs", "expected"),
    [
        (b"[21.5]", b"", b"21.5"),
        (b'[ {"a" : 1} ]', b"", b'{"a" : 1}'),
        (b"[1,2]", b"", b'{"args":[1,2],"kwargs":{}}'),
        (b"[1]", b'{"a":2}', b'{"args":[1],"kwargs":{"a":2}}'),
        (b"", b'{"a":2}', b'{"args":[],"kwargs":{"a":2}}'),
        (b"", b"", b'{"args":[],"kwargs":{}}'),
        (b'"opaque"', b"", b'{"args":"opaque","kwargs":{}}'),
    ],
)
def test_is_the_one_value_or_all_of_them(args, kwargs, expected):
    assert sample_of(Payload(JSON, args, kwargs)) == expected


def test_is_json_whoever_wrote_it():
    assert sample_of(Payload(CBOR, CBOR.dump([b"x"]), b"")) == b'"\\u0000eA=="'


def test_what_json_cannot_say_is_none():
    with pytest.raises(Undecodable):
        sample_of(Payload(CBOR, b"\xff", b""))
