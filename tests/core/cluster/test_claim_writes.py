from support.cluster.claiming import ClaimWorld

from radiod.core.cluster.claim import ClaimSettings, Taken
from radiod.core.cluster.claim_writes import MAX_WRITES
from radiod.errors import QUOTA, STORE_UNAVAILABLE


def test_more_than_can_be_on_their_way_are_refused():
    world = ClaimWorld(1)
    world.engine.elect(60)
    claims = world.nodes[0].claims
    for number in range(MAX_WRITES):
        claims.create("part", str(number), b"")
    outcomes = []
    claims.writes.put("part", "one more", b"", None, outcomes.append)
    assert [(one.uri, "too much" in one.text) for one in outcomes] == [(STORE_UNAVAILABLE, True)]
    assert len(claims.writes) == MAX_WRITES


def test_there_are_at_most_so_many_claims():
    world = ClaimWorld(1, settings=ClaimSettings("claims", "c", most=2))
    claims = world.nodes[0].claims
    for key in "ab":
        world.come(claims.create("part", key, b""))
    assert world.come(claims.create("part", "c", b"")).uri == QUOTA
    world.come(claims.release(claims.get("part", "a")))
    assert world.come(claims.create("part", "c", b"")).value == b""


def test_a_write_ends_when_the_node_is_cut_off_meanwhile():
    world = ClaimWorld()
    world.engine.elect(60)
    outcomes = []
    world.nodes[0].claims.create("part", "a", b"").then(outcomes.append)
    world.wait(0.1)
    world.nodes[0].is_isolated = True
    world.wait(0.3)
    assert "cut off" in outcomes[0].text


def test_what_became_of_it_is_asked_until_somebody_tells():
    world = ClaimWorld()
    late = world.nodes[2]
    late.port.unfollow("c.>")
    world.come(world.nodes[0].claims.create("part", "a", b"1"))
    ask = late.port.last

    def lose_the_leader(*args):
        world.engine.elect(1)
        late.port.last = ask
        ask(*args)

    late.port.last = lose_the_leader
    outcomes = []
    late.claims.create("part", "a", b"2").then(outcomes.append)
    world.wait(0.5)
    assert outcomes == []
    world.wait(1)
    assert [(type(one), one.current.value) for one in outcomes] == [(Taken, b"1")]
