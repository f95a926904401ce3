from support.cluster.claiming import SETTINGS, ClaimWorld
from support.cluster.engine import Stream

from radiod.core.cluster.claim import ClaimSettings, subject_of
from radiod.core.cluster.claim_records import ClaimRecord, write_claim
from radiod.core.cluster.ports import Stored
from radiod.errors import STORE_UNAVAILABLE


def deaf(node):
    node.port.followed.clear()


def test_a_silent_tail_is_found():
    world = ClaimWorld()
    deaf(world.nodes[2])
    world.come(world.nodes[0].claims.create("part", "a", b"1"))
    assert world.nodes[2].all() == {}
    world.wait(SETTINGS.audit_s)
    assert world.nodes[2].all() == {"a": b"1"}


def test_a_gap_is_looked_into_at_once():
    world = ClaimWorld()
    node = world.nodes[2]
    deaf(node)
    claim = world.come(world.nodes[0].claims.create("part", "a", b"1"))
    world.come(world.nodes[0].claims.create("part", "b", b"1"))
    node.port.follow(node.claims.subjects)
    world.come(world.nodes[0].claims.change(claim, b"2"))
    assert node.all() == {"a": b"2", "b": b"1"}


def test_a_replica_that_lags_is_asked_until_all_has_come():
    world = ClaimWorld()
    deaf(world.nodes[2])
    for key in "abc":
        world.come(world.nodes[0].claims.create("part", key, b"1"))
    world.stream.lag, world.engine.lagging = 2, 1.0
    world.nodes[2].claims.up()
    world.wait(5)
    assert sorted(world.nodes[2].all()) == ["a"]
    world.stream.lag = 0
    world.wait(1)
    assert sorted(world.nodes[2].all()) == ["a", "b", "c"]


def test_many_are_read_in_pages():
    world = ClaimWorld(1)
    for number in range(1, 2501):
        data = write_claim(ClaimRecord("part", str(number), b"1", 100, str(number)))
        world.stream.records.append(Stored(f"c.part.{number}", number, 0, data))
    late = type(world.nodes[0])(world, "late", 200, SETTINGS)
    world.wait(1)
    assert (late.claims.is_ready, len(late.claims)) == (True, 2500)


def test_who_was_away_for_longer_than_ends_are_kept_finds_out_all_the_same():
    settings = ClaimSettings("claims", "c", ended_s=60.0)
    world = ClaimWorld(settings=settings)
    claim = world.come(world.nodes[0].claims.create("part", "a", b"1"))
    world.engine.disconnect("n2")
    world.come(world.nodes[0].claims.release(claim))
    world.wait(200)
    world.engine.connect("n2")
    world.wait(2)
    assert world.nodes[2].all() == {}


def test_a_stream_that_was_wiped_is_made_anew_and_counts_anew():
    world = ClaimWorld()
    for key in "abc":
        world.come(world.nodes[0].claims.create("part", key, b"1"))
    world.engine.streams.clear()
    world.wait(20)
    assert [node.all() for node in world.nodes] == [{}] * 3
    assert world.come(world.nodes[1].claims.create("part", "a", b"2")).revision == 1
    assert [node.all() for node in world.nodes] == [{"a": b"2"}] * 3


class Keys:
    """Watches claims of one part. ``released``: keys in turn."""

    def __init__(self):
        self.released_keys = []

    def claimed(self, claim):
        pass

    def released(self, claim):
        self.released_keys.append(claim.key)


def test_what_is_claimed_while_the_leader_answers_is_not_lost():
    world = ClaimWorld()
    node, keys = world.nodes[2], Keys()
    node.claims.watch("part", keys)
    for number in range(200):
        node.claims.up()
        world.wait(number % 20 / 10000)
        world.nodes[number % 2].claims.create("part", str(number), b"1")
        world.wait(0.003)
    world.wait(5)
    assert (keys.released_keys, len(node.all())) == ([], 200)


def test_what_is_claimed_while_it_is_asked_for_is_not_lost():
    world = ClaimWorld()
    node, keys = world.nodes[2], Keys()
    node.claims.watch("part", keys)
    for number in range(200):
        node.claims.refresh("part", str(number))
        world.nodes[number % 2].claims.create("part", str(number), b"1")
        world.wait(0.003)
    assert (keys.released_keys, len(node.all())) == ([], 200)


def test_one_who_led_the_stream_a_moment_ago_is_not_believed():
    world = ClaimWorld()
    node, keys = world.nodes[2], Keys()
    node.claims.watch("part", keys)
    for key in "abc":
        world.come(world.nodes[0].claims.create("part", key, b"1"))
    records, world.stream.records = world.stream.records, world.stream.records[:1]
    node.claims.up()
    world.wait(0.1)
    world.stream.records = records
    world.wait(5)
    assert (keys.released_keys, sorted(node.all())) == ([], ["a", "b", "c"])


def test_a_stream_that_is_another_one_is_noticed_though_it_counts_on():
    world = ClaimWorld()
    world.come(world.nodes[0].claims.create("part", "a", b"1"))
    world.engine.streams[SETTINGS.stream] = Stream(world.stream.settings, seq=50)
    world.come(world.nodes[0].claims.create("part", "b", b"2"))
    world.wait(20)
    assert [node.all() for node in world.nodes] == [{"b": b"2"}] * 3


def test_a_stream_that_was_wiped_and_has_more_again_is_another_one():
    world = ClaimWorld()
    for key in "abc":
        world.come(world.nodes[0].claims.create("part", key, b"1"))
    anew = world.engine.streams[SETTINGS.stream] = Stream(world.stream.settings)
    # What had not changed for longest is claimed there as well, by somebody who knows already.
    for number, key in enumerate("adef", 1):
        data = write_claim(ClaimRecord("part", key, b"2", 100, key))
        anew.records.append(Stored(subject_of("c", "part", key), number, 0, data))
    anew.seq = 4
    world.nodes[1].claims.up()
    world.wait(1)
    assert world.nodes[1].all() == dict.fromkeys("adef", b"2")
    assert world.nodes[1].heard[3:] == [*((key, None) for key in "abc"), *((key, b"2") for key in "adef")]
    world.wait(SETTINGS.audit_s)
    assert [node.all() for node in world.nodes] == [world.told()] * 3
    assert world.come(world.nodes[2].claims.create("part", "b", b"3")).revision == 5


def test_what_is_heard_while_the_leader_s_answer_is_on_its_way_is_not_what_a_wiped_stream_has():
    world = ClaimWorld()
    world.come(world.nodes[0].claims.create("part", "a", b"1"))
    world.engine.answer_s = 0.5
    world.wait(SETTINGS.audit_s / 2)
    for number in range(100):
        world.come(world.nodes[0].claims.create("part", str(number), b"1"))
    world.wait(2)
    assert [node.all() for node in world.nodes] == [world.told()] * 3
    assert [heard for node in world.nodes for heard in node.heard if heard[1] is None] == []


def test_a_leader_that_does_not_know_all_yet_is_asked_again():
    world = ClaimWorld()
    world.come(world.nodes[0].claims.create("part", "a", b"1"))
    world.come(world.nodes[0].claims.create("part", "b", b"1"))
    kept = world.stream.records.pop()
    world.nodes[2].claims.up()
    world.wait(0.1)
    world.stream.records.append(kept)
    world.wait(1)
    assert [node.all() for node in world.nodes] == [{"a": b"1", "b": b"1"}] * 3
    assert world.nodes[2].heard == [("a", b"1"), ("b", b"1")]


def test_an_election_in_whatever_moment_of_an_audit_makes_it_later():
    world = ClaimWorld()
    for number in range(40):
        deaf(world.nodes[2])
        claims = world.nodes[0].claims
        world.come(claims.create("part", str(number), b"1"))
        world.nodes[2].claims.up()
        world.wait(number / 10000)
        world.engine.elect(0.5)
        world.wait(2)
        assert world.nodes[2].all() == world.told()


def test_an_election_in_whatever_moment_of_asking_for_a_claim_is_told():
    told = []
    for number in range(30):
        world = ClaimWorld()
        world.come(world.nodes[0].claims.create("part", "a", b"1"))
        world.stream.records.clear()
        world.nodes[1].claims.refresh("part", "a").then(told.append)
        world.wait(number / 10000)
        world.engine.elect(0.2)
        world.wait(0.1)
    assert len(told) == 30
    assert {outcome if outcome is None else outcome.uri for outcome in told} == {None, STORE_UNAVAILABLE}
