"""Names of channels that came to an end are known for a while."""

from radiod.core.channels.closed import ClosedNames


def test_a_name_is_closed_until_there_is_such_a_channel_again():
    closed = ClosedNames(10)
    closed.add("a", None)
    closed.add("a", b"key")
    assert ("a", None) in closed
    assert ("a", b"key") in closed
    assert ("a", b"other") not in closed
    closed.discard("a", b"key")
    closed.discard("b", None)
    assert list(closed) == [("a", None)]


def test_the_oldest_go_first_public_and_private_ones_apart():
    closed = ClosedNames(2)
    for name in "abc":
        closed.add(name, None)
        closed.add(name, b"key")
    assert list(closed) == [("b", None), ("c", None), ("b", b"key"), ("c", b"key")]
