"""What records hold comes back as it was written."""

import pytest

from radiod.core.cluster.logged import Birth, Epoch, Logged, decode, encode

EVENT = Logged("n-1", "a.b", 5, 7, "role", 1.5, "cbor", b"\x81\x01", b"", b"{}", b"{}", True)


@pytest.mark.parametrize("record", [EVENT, Birth("a.b"), Epoch("abc")], ids=["event", "birth", "epoch"])
def test_a_record_comes_back_as_it_was_written(record):
    assert decode(encode(record)) == record


@pytest.mark.parametrize("data", [b"", b"\xc0", b"\x91\xa1?", b"\x92\xa1b\xa1\xff", encode(EVENT)[:-3]])
def test_what_no_node_has_written_is_none(data):
    assert decode(data) is None
