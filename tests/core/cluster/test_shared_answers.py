"""A request with an Idempotency-Key, sent to several nodes."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.cluster.engine import FakeEngine

from radiod.core.budgets.idempotency import Kept, Running
from radiod.core.cluster.ports import Failure, Stored
from radiod.core.cluster.shared_answers import MAX_CLAIMED, SharedAnswers
from radiod.core.promises import Promise
from radiod.errors import IDEMPOTENCY_MISMATCH, STILL_RUNNING, STORE_UNAVAILABLE, Refused
from radiod.testing import FakeClock
from radiod.wire.answer import Answer

ME = ("radio", "station")
DONE = Answer(200, b'{"message":"OK"}')


class Peers:
    """Who is alive, as one node sees it."""

    def __init__(self, me, world):
        self.me = me
        self.is_isolated = False
        self.malformed = []
        self._world = world

    def live(self):
        return [node.me for node in self._world.nodes if node.me not in {self.me, *self._world.dead}]

    def is_gone(self, node):
        return node not in self.live()

    def note_malformed(self, about, node=0):
        self.malformed.append(about)


class Node:
    def __init__(self, world, name, me, keep, most=MAX_CLAIMED):
        self.peers = Peers(me, world)
        self.me = me
        self.port = world.engine.attach(name, self)
        self.answers = SharedAnswers(
            world.clock,
            world.clock.timers,
            keep,
            streams=self.port,
            peers=self.peers,
            prefix="r",
            name=name,
            most_bytes=1000,
            most=most,
        )

    def up(self):
        self.answers.up()

    def down(self):
        pass


class AnswerWorld:
    def __init__(self, count=3, *, seed=1, mishaps=0.0, keep=600.0, most=MAX_CLAIMED):
        self.clock = FakeClock()
        self.engine = FakeEngine(self.clock, Random(seed), mishaps=mishaps)
        self.dead = set()
        self.nodes = []
        for at in range(count):
            self.nodes.append(Node(self, f"n{at}", 100 + at, keep, most))
        self.wait(2)

    def wait(self, seconds):
        self.clock.advance(seconds)

    def begin(self, at, key="k", body=b"1", path="/publish", holder=ME):
        """What comes of it, in a list, which may be empty yet."""
        outcomes = []
        try:
            begun = self.nodes[at].answers.begin(holder, path, key, body)
        except Refused as refusal:
            return [refusal]
        if isinstance(begun, Promise):
            begun.then(outcomes.append)
        else:
            outcomes.append(begun)
        return outcomes

    def come(self, *args, seconds=0.2, **options):
        outcomes = self.begin(*args, **options)
        self.wait(seconds)
        (outcome,) = outcomes
        return outcome


@pytest.fixture
def world():
    return AnswerWorld()


class TestARequest:
    def test_is_done_once_and_answered_everywhere(self, world):
        running = world.come(0)
        assert isinstance(running, Running)
        running.answered(200, DONE, 20)
        world.wait(0.2)
        for at in range(3):
            kept = world.come(at)
            assert isinstance(kept, Kept)
            assert kept.answer == DONE

    def test_that_comes_to_all_at_once_is_done_by_one(self, world):
        outcomes = [world.begin(at) for at in range(3)]
        world.wait(0.2)
        assert sum(isinstance(outcome, Running) for (outcome,) in outcomes) == 1
        assert {outcome.uri for (outcome,) in outcomes if isinstance(outcome, Refused)} == {STILL_RUNNING}

    def test_that_is_running_elsewhere_is_refused(self, world):
        world.come(0)
        refusal = world.come(1)
        assert (refusal.uri, "still running" in refusal.text) == (STILL_RUNNING, True)
        # And here, without asking anybody.
        assert world.come(0, seconds=0).uri == STILL_RUNNING

    def test_whose_node_is_gone_is_done_by_nobody(self, world):
        world.come(0)
        world.dead.add(100)
        refusal = world.come(1)
        assert refusal.uri == STILL_RUNNING
        assert refusal.text == "node n0 took this request and is gone: nobody knows whether it was done"

    def test_with_another_body_is_refused(self, world):
        running = world.come(0)
        assert world.come(1, body=b"2").uri == IDEMPOTENCY_MISMATCH
        running.answered(200, DONE, 20)
        world.wait(0.2)
        assert world.come(1, body=b"2").uri == IDEMPOTENCY_MISMATCH

    def test_of_another_key_path_or_holder_is_another(self, world):
        for options in ({}, {"key": "l"}, {"path": "/call"}, {"holder": ("radio", "other")}, {"holder": "x"}):
            assert isinstance(world.come(0, **options), Running)

    @pytest.mark.parametrize("how", ["release", "answered"])
    def test_that_came_to_nothing_is_done_by_another(self, world, how):
        running = world.come(0)
        if how == "release":
            running.release()
        else:
            running.answered(503, DONE, 20)
        world.wait(0.2)
        again = world.come(1)
        assert isinstance(again, Running)
        again.answered(200, DONE, 20)
        world.wait(0.2)
        assert isinstance(world.come(0), Kept)

    def test_is_forgotten_when_it_is_old(self):
        world = AnswerWorld(keep=60.0)
        world.come(0).answered(200, DONE, 20)
        world.wait(65)
        assert isinstance(world.come(1), Running)

    def test_of_centrifugos_has_a_dictionary_for_an_answer(self, world):
        world.come(0).answered(200, {"offset": 3}, 20)
        world.wait(0.2)
        assert world.come(1).answer == {"offset": 3}


def test_a_record_that_nobody_can_read_is_as_none(world):
    world.begin(0)
    world.wait(1)
    (stream,) = world.engine.streams.values()
    stream.records[-1] = stream.records[-1]._replace(data=b"?")
    assert isinstance(world.come(1), Running)
    assert world.nodes[1].peers.malformed == ["r-once"]


def test_a_node_says_when_requests_can_be_claimed(world):
    for at in range(3):
        world.engine.cut("late", f"n{at}")
    late = Node(world, "late", 200, 600.0)
    world.wait(5)
    assert not late.answers.is_ready
    world.engine.heal()
    world.wait(2)
    assert late.answers.is_ready


class TestAnAnswerThatStaysWithItsNode:
    def told(self, world):
        world.wait(0.2)
        assert isinstance(world.come(0, path="/call", body=self.body), Kept)
        refusal = world.come(1, path="/call", body=self.body)
        assert refusal.text == "this request was done by node n0, which alone has its answer"
        return refusal.uri

    body = b'{"procedure": "add"}'

    def test_is_a_long_one(self, world):
        world.come(0, path="/call", body=self.body).answered(200, Answer(200, b"x" * 2000), 2000)
        assert self.told(world) == STILL_RUNNING

    def test_is_one_that_is_long_with_what_is_written_beside(self, world):
        world.come(0, path="/call", body=self.body).answered(200, Answer(200, b"x" * 990), 990)
        assert self.told(world) == STILL_RUNNING

    def test_is_one_that_may_show_a_secret(self, world):
        self.body = rb'{"procedure": "radiod\u002eadmin.key.issue"}'
        world.come(0, path="/call", body=self.body).answered(200, Answer(200, b"rdk_secret"), 10)
        assert self.told(world) == STILL_RUNNING
        assert not any(b"rdk_" in record.data for record in world.engine.streams["r-once"].records)


class TestWithoutAMajority:
    def test_a_node_that_is_isolated_refuses_at_once(self, world):
        world.nodes[0].peers.is_isolated = True
        refusal = world.come(0, seconds=0)
        assert (refusal.uri, "cut off" in refusal.text) == (STORE_UNAVAILABLE, True)
        world.nodes[0].peers.is_isolated = False
        assert isinstance(world.come(0), Running)

    def test_a_request_waits_for_a_leader(self, world):
        world.engine.elect(3)
        assert isinstance(world.come(0, seconds=4), Running)

    def test_and_not_for_ever(self, world):
        world.engine.elect(60)
        assert world.come(0, seconds=7).uri == STORE_UNAVAILABLE
        world.wait(60)
        assert isinstance(world.come(1), Running)

    def test_what_was_given_up_and_is_stored_later_is_free_again(self, world):
        for at in (1, 2):
            world.engine.cut("n0", f"n{at}")
        outcomes = world.begin(0)
        world.wait(7)
        assert [outcome.uri for outcome in outcomes] == [STORE_UNAVAILABLE]
        world.engine.heal()
        world.wait(10)
        assert isinstance(world.come(1), Running)

    def test_what_was_given_up_and_is_stored_never_is_looked_for_no_longer(self, world):
        for at in (1, 2):
            world.engine.cut("n0", f"n{at}")
        world.begin(0)
        world.wait(60)
        asked = []
        world.nodes[0].port.last = lambda *args: asked.append(args)
        world.engine.heal()
        world.wait(10)
        assert asked == []

    def test_what_was_given_up_and_is_stored_all_the_same_is_free_again(self, world):
        append = world.nodes[0].port.append

        def lose(stream, subject, data, done, **options):
            append(stream, subject, data, lambda outcome: done(Failure.UNKNOWN), **options)

        world.nodes[0].port.append = lose
        outcomes = world.begin(0)
        world.wait(4)
        assert outcomes == []
        world.nodes[0].port.append = append
        world.engine.elect(2)
        world.wait(2)
        assert [outcome.uri for outcome in outcomes] == [STORE_UNAVAILABLE]
        world.wait(2)
        assert isinstance(world.come(1), Running)

    def test_who_was_faster_is_asked_for_until_somebody_tells(self, world):
        world.come(1)
        last, failing = world.nodes[0].port.last, [Failure.REFUSED, Failure.UNKNOWN]

        def fail(stream, subject, done):
            if failing:
                world.clock.timers.at(world.clock.seconds(), lambda: done(failing.pop()))
            else:
                last(stream, subject, done)

        world.nodes[0].port.last = fail
        assert world.come(0, seconds=2).uri == STILL_RUNNING
        assert failing == []

    def test_what_was_stored_and_not_answered_is_known_as_ones_own(self, world):
        append = world.nodes[0].port.append

        def lose(stream, subject, data, done, **options):
            world.nodes[0].port.append = append
            append(stream, subject, data, lambda outcome: done(Failure.UNKNOWN), **options)

        world.nodes[0].port.append = lose
        outcomes = world.begin(0)
        world.wait(0.1)
        # The engine does not remember what it has stored for ever.
        world.engine.streams["r-once"].ids.clear()
        world.wait(1)
        (running,) = outcomes
        running.answered(200, DONE, 20)
        world.wait(0.2)
        assert isinstance(world.come(1), Kept)

    def test_an_answer_is_stored_when_there_is_a_leader_again(self, world):
        running = world.come(0)
        world.engine.elect(10)
        running.answered(200, DONE, 20)
        world.wait(12)
        assert isinstance(world.come(1), Kept)

    def test_an_answer_is_given_up_some_time(self, world):
        running = world.come(0)
        world.engine.elect(100)
        running.answered(200, DONE, 20)
        world.wait(110)
        assert world.come(1).uri == STILL_RUNNING

    def test_the_stream_is_asked_for_again(self):
        world = AnswerWorld(1)
        world.engine.elect(0)
        node = world.nodes[0]
        world.engine.disconnect("n0")
        node.answers.up()
        world.wait(0.5)
        world.engine.connect("n0")
        world.wait(3)
        assert isinstance(world.come(0), Running)


def test_there_is_a_bound():
    world = AnswerWorld(most=20)
    for number in range(20):
        world.begin(0, key=str(number), holder=("radio", str(number % 7)))
    refusal = world.come(0, key="more", holder=("radio", "x"))
    assert (refusal.uri, "too much" in refusal.text) == (STORE_UNAVAILABLE, True)


def test_others_that_fail_again_and_again_are_given_up(world):
    node = world.nodes[0]
    running = world.come(1)
    (record,) = world.engine.streams["r-once"].records
    running.release()
    world.wait(0.2)
    (free,) = world.engine.streams["r-once"].records

    def fail(*args, **options):
        world.clock.timers.at(world.clock.seconds(), lambda: args[3](Failure.TAKEN))

    node.port.append = fail
    refusal = world.come(0, seconds=1)
    assert (refusal.uri, "others make" in refusal.text) == (STORE_UNAVAILABLE, True)
    assert isinstance(free, Stored)
    assert record.subject == free.subject


class Publishers:
    """Whoever sends one request to all nodes, and the nodes that do it."""

    def __init__(self, world):
        self.world = world
        self.outcomes = []
        self.running = []
        self.done = 0

    def act(self, at, action):
        others = {0, 1, 2} - {at}
        acts = {
            "begin": lambda: self.outcomes.append(self.world.begin(at)),
            "cut": lambda: [self.world.engine.cut(f"n{at}", f"n{other}") for other in others],
            "heal": self.world.engine.heal,
            "elect": lambda: self.world.engine.elect(4),
            "wait": lambda: self.world.wait(3),
            "answer": lambda: self.end(is_answered=True),
            "fail": lambda: self.end(is_answered=False),
        }
        acts[action]()
        self.world.wait(0.05)
        self.look()

    def end(self, *, is_answered):
        if self.running:
            running = self.running.pop()
            if is_answered:
                self.done += 1
                running.answered(200, DONE, 20)
            else:
                running.release()

    def look(self):
        for outcomes in self.outcomes:
            self.running += [outcome for outcome in outcomes if isinstance(outcome, Running)]
            assert all(outcome.answer == DONE for outcome in outcomes if isinstance(outcome, Kept))
            outcomes.clear()


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, 2**16),
    st.lists(
        st.tuples(
            st.integers(0, 2),
            st.sampled_from(["begin", "answer", "fail", "cut", "heal", "elect", "wait"]),
        ),
        max_size=25,
    ),
)
def test_whatever_fails_nothing_is_done_twice(seed, actions):
    publishers = Publishers(AnswerWorld(seed=seed, mishaps=0.1))
    for at, action in actions:
        publishers.act(at, action)
        assert len(publishers.running) + publishers.done <= 1
