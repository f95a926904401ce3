"""Holding and sending again: nothing missing, twice, or out of order, whatever the engine does."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cluster.engine import FakeEngine

from radiod.core.cluster.appender import (
    ANSWER_S,
    HAS_NOT,
    ITEM_BYTES,
    MAY_HAVE,
    MOST_ON_WAY,
    PAUSE_S,
    STALLED_S,
    Appender,
)
from radiod.core.cluster.ports import Appended, Failure, StreamSettings
from radiod.errors import STORE_UNAVAILABLE, Refused
from radiod.testing import FakeClock

HOLD_S = 15.0


class Node:
    """A node that appends; it follows nothing."""

    def up(self):
        pass

    def down(self):
        pass

    def stored(self, record):
        pass


class World:
    """Some nodes, each with an appender to one stream, and what became of what they appended."""

    def __init__(self, *names, seed=0, **options):
        self.clock = FakeClock()
        self.engine = FakeEngine(self.clock, Random(seed), **options)
        self.ports = {name: self.engine.attach(name, Node()) for name in names or ["n1"]}
        self.clock.advance(1)
        next(iter(self.ports.values())).ensure(StreamSettings("s", ("s.>",), 10**6), lambda failure: None)
        self.clock.advance(1)
        self.appenders = {
            name: Appender(port, "s", self.clock, self.clock.timers, HOLD_S)
            for name, port in self.ports.items()
        }
        self.sent = dict.fromkeys(self.ports, 0)
        self.outcomes = {}

    def append(self, name="n1", count=1, subject="s.a", publisher=7):
        for _ in range(count):
            self.sent[name] += 1
            id = f"{name}-{self.sent[name]}"
            self.appenders[name].append(
                subject,
                id.encode(),
                id,
                lambda outcome, id=id: self.outcomes.__setitem__(id, outcome),
                publisher=publisher,
            )

    def stored(self):
        return [record.data.decode() for record in self.engine.streams["s"].records]

    def check(self):
        """What was promised, once everything is over."""
        stored = self.stored()
        assert len(stored) == len(set(stored)), "twice"
        for name, sent in self.sent.items():
            numbers = [int(id.split("-")[1]) for id in stored if id.startswith(name + "-")]
            assert numbers == sorted(numbers), "out of order"
            for number in range(1, sent + 1):
                outcome = self.outcomes[f"{name}-{number}"]
                if isinstance(outcome, Appended):
                    assert number in numbers, "missing"
                elif outcome.text == HAS_NOT:
                    assert number not in numbers, "stored, though it was said that it is not"
                else:
                    assert outcome.text == MAY_HAVE
            assert self.appenders[name].bytes == len(self.appenders[name]) == 0


def test_each_is_told_its_number():
    world = World()
    world.append(count=3)
    world.clock.advance(1)
    assert [world.outcomes[f"n1-{one}"].seq for one in (1, 2, 3)] == [1, 2, 3]
    world.check()


def test_no_more_are_on_their_way_than_agreed():
    world = World()
    world.append(count=MOST_ON_WAY + 10)
    assert len(world.appenders["n1"]) == MOST_ON_WAY + 10
    world.clock.advance(0.00101)
    assert len(world.stored()) == MOST_ON_WAY
    world.clock.advance(1)
    world.check()
    assert len(world.stored()) == MOST_ON_WAY + 10


def test_what_comes_while_nobody_leads_waits_and_is_stored_in_order():
    world = World()
    world.engine.elect(5)
    world.append(count=300)
    world.clock.advance(4.5)
    assert world.stored() == []
    assert world.outcomes == {}
    assert world.appenders["n1"].is_held_up
    world.append(count=10)
    world.clock.advance(1)
    world.check()
    assert len(world.stored()) == 310
    assert not world.appenders["n1"].is_held_up


def test_one_is_tried_at_a_time_though_some_were_stored_behind_one_that_was_not():
    world = World()
    world.append(count=100)
    world.clock.advance(0.0003)
    world.engine.elect(0.0002)
    world.clock.advance(0.01)
    appender = world.appenders["n1"]
    assert 0 < appender.failures < 100
    assert appender.is_held_up
    world.engine.elect(5)
    world.clock.advance(4)
    assert appender.failures <= 100 + 4 / PAUSE_S
    world.clock.advance(2)
    world.check()


class TestOvertaking:
    """The leadership of the stream is handed over, and some on their way are lost: the next are stored."""

    def lost(self, world, *outcomes):
        """What becomes of the next appends; None: as ever."""
        port, waiting = world.ports["n1"], list(outcomes)
        real = port.append

        def append(stream, subject, data, done, **options):
            outcome = waiting.pop(0) if waiting else None
            if outcome is None:
                real(stream, subject, data, done, **options)
                return
            kind, seconds = outcome
            world.clock.timers.at(world.clock.seconds() + seconds, lambda: done(kind))

        port.append = append

    def test_one_that_was_overtaken_did_not_happen(self):
        world = World()
        self.lost(world, (Failure.REFUSED, 0.01))
        world.append(count=3)
        world.clock.advance(1)
        assert world.stored() == ["n1-2", "n1-3"]
        assert world.outcomes["n1-1"].text == HAS_NOT
        world.check()

    def test_one_that_failed_before_is_overtaken_as_well(self):
        world = World()
        self.lost(world, (Failure.REFUSED, 0.0001))
        world.append(count=2)
        world.clock.advance(1)
        assert world.outcomes["n1-1"].text == HAS_NOT
        world.check()

    def test_one_that_was_not_answered_is_not_sent_again_behind_the_next(self):
        world = World()
        self.lost(world, (Failure.UNKNOWN, 2))
        world.append(count=2)
        world.clock.advance(3)
        assert world.stored() == ["n1-2"]
        assert world.outcomes["n1-1"].text == MAY_HAVE
        world.check()

    def test_others_are_stored_whenever_they_can_be(self):
        world = World()
        self.lost(world, (Failure.REFUSED, 0.01), (Failure.REFUSED, 0.01), (Failure.REFUSED, 0.01))
        world.append(publisher=1)
        world.append(subject="s.b", publisher=7)
        world.append(publisher=0)
        world.append(publisher=7)
        world.append(publisher=0)
        world.clock.advance(1)
        assert sorted(world.stored()) == [f"n1-{number}" for number in range(1, 6)]

    def test_nothing_goes_behind_one_that_may_be_lost(self):
        world = World()
        self.lost(world, (Failure.UNKNOWN, 5))
        world.append()
        world.clock.advance(STALLED_S + 0.01)
        world.append(count=2)
        world.clock.advance(ANSWER_S - STALLED_S - 0.02)
        assert world.stored() == []
        world.clock.advance(1)
        assert world.stored() == ["n1-1", "n1-2", "n1-3"]
        world.check()

    def test_one_that_was_overtaken_is_not_tried_again(self):
        world = World()
        self.lost(world, (Failure.UNKNOWN, 5))
        world.append(count=2)
        world.clock.advance(ANSWER_S + 0.1)
        assert world.stored() == ["n1-2"]
        assert world.outcomes["n1-1"].text == MAY_HAVE
        world.check()

    def test_an_answer_that_comes_late_counts(self):
        world = World()
        # It is tried again; the second try has no answer either, and the first one's comes at last.
        self.lost(world, (Appended(7), 2.5), (Failure.UNKNOWN, 9), (Failure.UNKNOWN, 9))
        world.append()
        world.clock.advance(STALLED_S + 0.01)
        world.append()
        world.clock.advance(2.4)
        assert world.outcomes == {}
        world.clock.advance(0.2)
        assert world.outcomes["n1-1"] == Appended(7)
        world.clock.advance(9)
        assert world.stored() == ["n1-2"]
        assert not world.appenders["n1"].is_held_up

    def test_an_answer_that_comes_while_it_waits_for_its_next_try_counts(self):
        world = World()
        self.lost(world, (Appended(7), ANSWER_S + PAUSE_S / 2), (Failure.REFUSED, 0.001))
        world.append()
        world.clock.advance(ANSWER_S + PAUSE_S)
        assert world.outcomes["n1-1"] == Appended(7)
        world.clock.advance(1)
        assert (world.stored(), len(world.appenders["n1"])) == ([], 0)

    def test_an_answer_that_comes_while_others_have_none_counts(self):
        world = World()
        late = ANSWER_S + 0.5
        self.lost(world, (Appended(7), late), (Appended(8), late + 0.5), (Failure.REFUSED, 0.001))
        world.append()
        world.clock.advance(0.01)
        world.append(subject="s.b")
        world.clock.advance(late + 1)
        assert [outcome.seq for outcome in world.outcomes.values()] == [7, 8]
        assert len(world.appenders["n1"]) == 0


def test_the_oldest_is_tried_alone():
    world = World()
    world.engine.elect(5)
    world.append(count=100)
    world.clock.advance(4)
    failures = world.appenders["n1"].failures
    # All once, and then one of them again and again.
    assert 100 < failures <= 100 + 4 / PAUSE_S


def test_what_is_held_for_too_long_did_not_happen():
    world = World()
    world.engine.elect(100)
    world.append(count=2)
    world.clock.advance(HOLD_S - 0.1)
    assert world.outcomes == {}
    world.clock.advance(0.3)
    assert [str(one.text) for one in world.outcomes.values()] == [HAS_NOT] * 2
    assert all(one.uri == STORE_UNAVAILABLE for one in world.outcomes.values())
    world.check()


def test_what_was_not_answered_may_have_happened():
    world = World("n1", "n2", "n3")
    world.engine.cut("n1", "n2")
    world.engine.cut("n1", "n3")
    world.append()
    world.clock.advance(HOLD_S + 3)
    assert world.outcomes["n1-1"].text == MAY_HAVE


def test_too_much_is_refused_at_once():
    world = World()
    appender = Appender(world.ports["n1"], "s", world.clock, world.clock.timers, HOLD_S, ITEM_BYTES + 10)
    told = []
    appender.append("s.a", b"x" * 10, "1", told.append)
    with pytest.raises(Refused) as caught:
        appender.append("s.a", b"", "2", told.append)
    assert caught.value.uri == STORE_UNAVAILABLE
    world.clock.advance(1)
    assert told == [Appended(1)]
    appender.append("s.a", b"", "2", told.append)


DEEDS = st.one_of(
    st.tuples(st.just("append"), st.sampled_from(["n1", "n2", "n3"]), st.integers(1, 400)),
    st.tuples(st.just("elect"), st.just(""), st.sampled_from([0.0004, 0.0006, 0.03, 2, 9])),
    st.tuples(st.just("cut"), st.sampled_from(["n1", "n2", "n3"]), st.just(0)),
    st.tuples(st.just("heal"), st.just(""), st.just(0)),
    st.tuples(st.just("drop"), st.sampled_from(["n1", "n2", "n3"]), st.just(0)),
    st.tuples(st.just("wait"), st.just(""), st.sampled_from([1, 10, 100, 500, 3000, 20000])),
)


def do(world, what, name, number):
    engine = world.engine
    if what == "append":
        world.append(name, number)
    elif what == "elect":
        engine.elect(number)
    elif what == "cut":
        for other in set(world.ports) - {name}:
            engine.cut(name, other)
    elif what == "heal":
        engine.heal()
    elif what == "drop":
        engine.disconnect(name)
        world.clock.advance(0.1)
        engine.connect(name)
    else:
        world.clock.advance(number / 1000)


@given(
    seed=st.integers(0, 1000), mishaps=st.sampled_from([0.0, 0.01, 0.3]), deeds=st.lists(DEEDS, max_size=12)
)
def test_nothing_is_missing_twice_or_out_of_order(seed, mishaps, deeds):
    world = World("n1", "n2", "n3", seed=seed, mishaps=mishaps)
    for deed in deeds:
        do(world, *deed)
    world.engine.heal()
    world.engine.mishaps = 0.0
    world.clock.advance(2 * HOLD_S)
    world.check()


def test_what_is_held_is_sent_when_it_may_go_on():
    world = World()
    appender = world.appenders["n1"]
    appender.hold()
    world.append(count=3)
    world.clock.advance(5)
    assert (world.stored(), len(appender)) == ([], 3)
    appender.go_on()
    world.clock.advance(1)
    assert world.stored() == ["n1-1", "n1-2", "n1-3"]
    world.check()


def test_what_is_held_for_too_long_is_given_up():
    world = World()
    world.appenders["n1"].hold()
    world.append()
    world.clock.advance(HOLD_S + 1)
    assert world.outcomes["n1-1"].text == HAS_NOT
    assert world.stored() == []
