"""What is published on public topics is counted for other nodes, unless it is logged."""

from support.cluster.world import ClusterWorld


def test_topics_with_a_history_go_another_way():
    world = ClusterWorld("a", "b", "c")
    world.join("a").request(32, {"_radiod_position": True}, "t")
    world.turn()
    before = world["a"].realm.relay._counts.number
    world.join("a").request(16, {}, "plain", [1])
    assert world["a"].realm.relay._counts.number == before + 1
