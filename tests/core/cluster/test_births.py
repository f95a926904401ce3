"""Where logs begin, and what of them is let go."""

import pytest
from support.cluster.logged import LoggedWorld

from radiod.core.cluster.logs import PUBLIC
from radiod.core.cluster.ports import Failure
from radiod.core.history.bounds import HistoryBounds
from radiod.core.promises import Promise
from radiod.errors import STORE_UNAVAILABLE

pytestmark = pytest.mark.interpreted

KEEP = HistoryBounds(size=10, seconds=3600, bytes=100_000)


def make(*names):
    return LoggedWorld(*(names or "a"), keep={})


def bear(world, seconds=1.0, name="a"):
    outcomes = []
    world.nodes[name].logs.births.bear(PUBLIC, "song", KEEP).then(outcomes.append)
    world.clock.advance(seconds)
    return outcomes


def records(world):
    (stream,) = world.engine.streams.values()
    return [one.seq for one in stream.records if one.subject.endswith("song")]


def over(outcome):
    promise = Promise()
    promise.settle(outcome)
    return lambda: promise


def test_a_log_begins_behind_what_is_there():
    world = make()
    (first,), (second,) = bear(world), bear(world)
    assert first.epoch == second.epoch != ""
    assert records(world) == [first.seq, second.seq]
    world.nodes["a"].logs.births.clear(PUBLIC, "song", KEEP, second.seq)
    world.clock.advance(1)
    assert records(world) == [second.seq]


def test_a_log_begins_once_though_nobody_answers():
    world = make()
    bear(world)
    world.engine.mishaps = 1.0
    outcomes = bear(world, 0.01)
    world.engine.mishaps = 0.0
    world.clock.advance(5)
    assert len(outcomes) == 1
    assert records(world)[1:] == [outcomes[0].seq]


def test_a_log_that_nobody_stores_is_not_begun():
    world = make()
    bear(world)
    world.engine.elect(60)
    (refused,) = bear(world, 20)
    assert refused.uri == STORE_UNAVAILABLE
    world.clock.advance(60)
    assert len(records(world)) == 1


def test_all_of_a_log_is_let_go_if_it_is_over():
    world = make()
    bear(world)
    births = world.nodes["a"].logs.births
    for outcome in (False, Failure.REFUSED):
        births.clear_all(PUBLIC, "song", KEEP, over(outcome))
        world.clock.advance(1)
        assert len(records(world)) == 1
    births.clear_all(PUBLIC, "song", KEEP, over(True))
    world.clock.advance(1)
    assert records(world) == []
    births.clear_all(PUBLIC, "song", KEEP, over(True))
    world.clock.advance(1)
