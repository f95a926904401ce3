"""A signed request that came to one node counts on no other."""

import msgspec
import pytest
from support.cluster.fake_peers import FakePeers

from radiod.access.shared.shared_replays import REQUESTS, SharedReplays
from radiod.auth.replays import Replays

NOW = 1_795_694_400.0


class Node:
    def __init__(self):
        self.peers = FakePeers(2, 3)
        self.replays = Replays(300.0)
        self.now = NOW
        SharedReplays(self.replays, self.peers, lambda: self.now)

    def comes(self, told, *, key="k", at=NOW):
        return self.replays.is_new(key, at, told, self.now)

    def hear(self, data):
        return self.peers.handlers[REQUESTS](2, data)

    def told(self):
        return self.peers.take_told(bytes)


@pytest.fixture
def nodes():
    return Node(), Node()


def test_what_one_takes_no_other_takes(nodes):
    one, other = nodes
    assert one.comes(b"1")
    told = one.told()
    assert [node for node, _ in told] == [2, 3]
    assert other.hear(told[0][1]) is None
    assert not other.comes(b"1")
    assert other.comes(b"2")
    assert other.comes(b"1", key="other")


def test_what_does_not_count_is_not_told(nodes):
    one, other = nodes
    one.comes(b"1")
    ((_, data), _) = one.told()
    other.hear(data)
    assert not one.comes(b"1")
    assert one.told() == other.told() == []


@pytest.mark.parametrize("at", [NOW - 301, NOW + 301, float("nan"), float("inf")])
def test_what_would_not_be_accepted_is_not_remembered(nodes, at):
    _, other = nodes
    other.hear(msgspec.msgpack.encode(("k", at, bytes(16))))
    assert len(other.replays) == 0
    assert other.peers.malformed == []


@pytest.mark.parametrize(
    "letter", [(), ("k", NOW), ("k", NOW, b"short"), (1, NOW, bytes(16)), ("k", "now", bytes(16))]
)
def test_what_is_no_request_is_dropped_and_named(nodes, letter):
    _, other = nodes
    assert other.hear(msgspec.msgpack.encode(letter)) is None
    assert (len(other.replays), other.peers.malformed) == (0, [(REQUESTS, 2)])
