"""What each part tells of what it has and mirrors; ``test_mirror_check`` plays all of them together."""

import pytest
from support.cluster.desks import DeskWorld
from support.cluster.fake_peers import FakePeers

from radiod.core.cluster.claim import Claim
from radiod.core.cluster.mirrored import MirroredNodes, MirroredTables, compare_channels
from radiod.core.cluster.sums import NOTHING


def test_all_nodes_are_known_to_all():
    nodes = MirroredNodes(FakePeers(2, 3))
    assert nodes.mirrored() == ["nodes"]
    assert nodes.own("nodes") == nodes.of("nodes", 2)
    assert nodes.own("nodes") != MirroredNodes(FakePeers(2)).own("nodes")


def test_a_table_that_nobody_knows_is_empty():
    tables = MirroredTables(DeskWorld("a")["a"].realm.tables)
    assert (tables.mirrored(), tables.own("unknown x"), tables.of("unknown x", 2)) == ([], NOTHING, NOTHING)


def test_an_entry_that_has_gone_meanwhile_is_none():
    world = DeskWorld("a")
    news = world["a"].realm.tables.news

    class Source:
        def keys(self, table):
            return [1, 2]

        def value(self, table, key):
            return "there" if key == 1 else None

    news.offer("some", Source())
    assert list(news.entries("some")) == [(1, "there")]


@pytest.mark.interpreted
def test_a_claim_that_is_none_of_this_version_is_no_channel():
    world = DeskWorld("a")
    realm = world["a"].realm

    class Claims:
        def of(self, about):
            return iter([Claim(about, "x", b"\xc1", 1, 1)])

    found = []
    compare_channels(Claims(), realm._shared_channels, "radio channels").then(found.append)
    assert found == [(NOTHING, NOTHING)]
