"""Payload parts that their decoder has looked at."""

from radiod.wire.checked import Checked
from radiod.wire.scan_cbor import CborScan


def test_a_part_is_its_bytes_and_nothing_is_known_of_it():
    part = Checked(b"\x81\x01")
    assert part == b"\x81\x01"
    assert (part.scan, part.fault) == (None, "")


def test_what_is_known_of_one_part_is_not_known_of_another():
    part, other = Checked(b"\x81\x01"), Checked(b"\x81\x01")
    part.scan = CborScan(part)
    part.fault = "odd"
    assert (other.scan, other.fault) == (None, "")
