import pytest

from radiod.core.cluster.claim_records import ClaimRecord, read_claim, write_claim


@pytest.mark.parametrize("value", [b"", b"\x00\xff", None])
def test_a_record_is_read_as_it_was_written(value):
    record = ClaimRecord("part", "key", value, 2**53, "token")
    assert read_claim(write_claim(record)) == record


@pytest.mark.parametrize("data", [b"", b"\x93\x01", b"text", b"\x95\x01\x01\x01\x01\x01"])
def test_what_is_none_is_none(data):
    assert read_claim(data) is None
