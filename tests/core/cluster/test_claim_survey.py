"""A survey of claims finds whether a mirror has what the stream has."""

from support.cluster.claiming import SETTINGS, ClaimWorld

from radiod.core.cluster.claim_records import ClaimRecord, write_claim
from radiod.core.cluster.claim_survey import TRIES
from radiod.core.cluster.ports import Stored
from radiod.errors import STORE_UNAVAILABLE


def test_a_mirror_that_has_all_is_the_same():
    world = ClaimWorld()
    kept = world.come(world.nodes[0].claims.create("part", "a", b"1"))
    world.come(world.nodes[0].claims.create("other", "b", b"1"))
    world.come(world.nodes[0].claims.release(kept))
    for node in world.nodes:
        stored, held = world.come(node.claims.survey())
        assert (stored, stored.entries) == (held, 1)


def test_nothing_is_the_same_as_nothing():
    world = ClaimWorld()
    stored, held = world.come(world.nodes[0].claims.survey())
    assert (stored, held) == (held, (0, 0))


def test_what_a_mirror_lacks_or_has_too_much_shows():
    world = ClaimWorld()
    for key in "ab":
        world.come(world.nodes[0].claims.create("part", key, b"1"))
    mirror = world.nodes[2].claims.mirror
    mirror.drop(next(iter(mirror.up_to(9)))[0], 0)
    stored, held = world.come(world.nodes[2].claims.survey())
    assert (stored.entries, held.entries) == (2, 1)


def test_what_a_mirror_knows_beyond_what_was_read_is_left_out():
    world = ClaimWorld()
    world.come(world.nodes[0].claims.create("part", "a", b"1"))
    world.engine.answer_s = 0.3
    found = []
    world.nodes[1].claims.survey().then(found.append)
    world.wait(0.1)
    world.come(world.nodes[0].claims.create("part", "b", b"1"))
    world.wait(1)
    assert [(stored == held, held.entries) for stored, held in found] == [(True, 1)]


def test_many_are_read_in_pages():
    world = ClaimWorld(1)
    for number in range(1, 2501):
        data = write_claim(ClaimRecord("part", str(number), b"1", 100, str(number)))
        world.stream.records.append(Stored(f"c.part.{number}", number, 0, data))
    world.stream.records.append(Stored("c.part.x", 2501, 0, b"none of ours"))
    world.wait(SETTINGS.audit_s + 1)
    stored, held = world.come(world.nodes[0].claims.survey())
    assert (stored, stored.entries) == (held, 2500)


def test_a_replica_that_lags_is_asked_again():
    world = ClaimWorld()
    for key in "abc":
        world.come(world.nodes[0].claims.create("part", key, b"1"))
    world.stream.lag, world.engine.lagging = 2, 1.0
    found = []
    world.nodes[2].claims.survey().then(found.append)
    world.wait(1)
    assert found == []
    world.stream.lag = 0
    world.wait(1)
    assert [(stored == held, held.entries) for stored, held in found] == [(True, 3)]


def test_a_replica_that_stays_behind_is_given_up():
    world = ClaimWorld()
    for key in "abc":
        world.come(world.nodes[0].claims.create("part", key, b"1"))
    world.stream.lag, world.engine.lagging = 2, 1.0
    assert world.come(world.nodes[2].claims.survey(), TRIES).uri == STORE_UNAVAILABLE


def test_a_stream_that_nobody_leads_is_refused():
    world = ClaimWorld()
    world.engine.disconnect("n0")
    assert world.come(world.nodes[0].claims.survey()).uri == STORE_UNAVAILABLE
