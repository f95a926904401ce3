"""Runs of samples: counted, begun and ended by the router as their publisher marks them."""

from collections import Counter

import pytest
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from hypothesis.strategies import booleans, sampled_from
from support.realms import World

from radiod.core.limits import Limits
from radiod.core.pubsub.streams import MAX_STREAMS
from radiod.errors import INVALID_ARGUMENT, QUOTA

TOPICS = ["a.topic", "another"]
IDS = ["run", "r", 1, 2]


@pytest.fixture
def world():
    return World(limits=Limits(max_retained_topics=1))


def publish(peer, topic="a.topic", /, acknowledge=True, **mark):
    """Publishes one sample; returns the error's URI, if there is one."""
    request = peer.request(16, {"acknowledge": acknowledge, "_radiod_stream": mark}, topic, ["sample"])
    answers = peer.received()
    if acknowledge:
        (answer,) = answers
        assert answer[1 if answer[0] == 17 else 2] == request
        return answer[4] if answer[0] == 8 else None
    assert answers == []
    return None


def runs(world, publisher):
    """The open runs of one publisher."""
    return world.realm.streams._by_publisher.get(publisher.session, {})


def places(listener):
    """Where the samples that came stand in their runs."""
    return [event[3].get("_stream") for event in listener.received()]


@pytest.fixture
def alice(world):
    return world.join("alice")


@pytest.fixture
def listener(world):
    bob = world.join("bob")
    for topic in TOPICS:
        bob.subscribe(topic)
    return bob


def test_a_run_has_a_beginning_a_count_and_an_end(alice, listener):
    for mark in ({"id": "r"}, {"id": "r", "end": False}, {"id": "r", "end": True}):
        publish(alice, **mark)
    assert places(listener) == [
        {"id": "r", "counter": 1, "begin": True},
        {"id": "r", "counter": 2},
        {"id": "r", "counter": 3, "end": True},
    ]


def test_behind_the_end_another_run_begins(alice, listener):
    for end in (True, True, False):
        publish(alice, id=7, end=end)
    assert places(listener) == [
        {"id": 7, "counter": 1, "begin": True, "end": True},
        {"id": 7, "counter": 1, "begin": True, "end": True},
        {"id": 7, "counter": 1, "begin": True},
    ]


def test_without_acknowledgement_it_is_the_same(alice, listener):
    publish(alice, acknowledge=False, id="r")
    publish(alice, acknowledge=False, id="r", end=True)
    assert [place["counter"] for place in places(listener)] == [1, 2]


def test_samples_without_a_mark_have_no_place(alice, listener):
    publish(alice, id="r")
    alice.request(16, {}, "a.topic", [1])
    publish(alice, id="r")
    assert [place and place["counter"] for place in places(listener)] == [1, None, 2]


def test_runs_of_different_publishers_topics_and_ids_are_different(world, alice, listener):
    carol = world.join("carol")
    publish(alice, id="r")
    publish(carol, id="r")
    publish(alice, "another", id="r")
    publish(alice, id="1")
    publish(alice, id=1)
    assert [place["counter"] for place in places(listener)] == [1] * 5


def test_a_pattern_and_a_retained_event_tell_the_place_as_well(world, alice):
    prefix = world.join()
    prefix.subscribe("a", match="prefix")
    alice.request(16, {"retain": True, "_radiod_stream": {"id": "r"}}, "a.topic", [1])
    late = world.join()
    late.request(32, {"get_retained": True}, "a.topic")
    place = {"id": "r", "counter": 1, "begin": True}
    assert places(prefix) == [place]
    assert [message[3]["_stream"] for message in late.received() if message[0] == 36] == [place]


def test_what_was_not_published_is_not_counted(world, alice, listener):
    alice.request(16, {"retain": True}, "another", [1])
    alice.received()
    listener.received()
    alice.request(16, {"retain": True, "acknowledge": True, "_radiod_stream": {"id": 1}}, "a.topic", [1])
    assert alice.received()[0][4] == QUOTA
    publish(alice, id=1)
    assert places(listener) == [{"id": 1, "counter": 1, "begin": True}]


def test_beyond_the_bound_the_run_that_was_silent_longest_is_forgotten(world, alice, listener):
    for number in range(MAX_STREAMS):
        publish(alice, id=number)
    publish(alice, id=0)
    listener.received()
    publish(alice, id="short", end=True)
    publish(alice, id="one more")
    for number in (0, 2, 1):
        publish(alice, id=number)
    assert len(runs(world, alice)) == MAX_STREAMS
    assert [(place["id"], place["counter"]) for place in places(listener)] == [
        ("short", 1),
        ("one more", 1),
        (0, 3),
        (2, 2),
        (1, 1),
    ]


def test_they_go_with_their_session(world, alice):
    publish(alice, id="r")
    assert list(runs(world, alice)) == [("a.topic", "r")]
    assert len(world.realm.streams) == 1
    alice.leave()
    assert len(world.realm.streams) == 0
    # It has nothing more to leave.
    world.realm.streams.leave(alice.session)


@pytest.mark.parametrize(
    "mark",
    [
        {},
        {"end": True},
        {"id": None},
        {"id": ""},
        {"id": "x" * 65},
        {"id": 1.5},
        {"id": True},
        {"id": []},
        {"id": 2**53 + 1},
        {"id": -(2**53) - 1},
        {"id": "r", "end": 1},
        {"id": "r", "end": None},
        {"id": "r", "end": "yes"},
    ],
    ids=str,
)
def test_a_malformed_mark_is_refused_by_name_and_delivers_nothing(alice, listener, mark):
    alice.request(16, {"acknowledge": True, "_radiod_stream": mark}, "a.topic", [1])
    (answer,) = alice.received()
    assert answer[4] == INVALID_ARGUMENT
    assert answer[5][0].startswith("_radiod_stream")
    assert listener.received() == []


@pytest.mark.parametrize("mark", [1, "r", True, [], ["r"]], ids=str)
def test_what_is_no_dictionary_is_refused(alice, mark):
    alice.request(16, {"acknowledge": True, "_radiod_stream": mark}, "a.topic", [1])
    assert alice.received()[0][4] == INVALID_ARGUMENT


class RunsMachine(RuleBasedStateMachine):
    """Two publishers against a reference that keeps whole runs as lists."""

    def __init__(self):
        super().__init__()
        self.world = World()
        self.listener = self.world.join()
        for topic in TOPICS:
            self.listener.subscribe(topic)
        self.publishers = [self.world.join(), self.world.join()]
        self.samples = Counter()

    @rule(who=sampled_from([0, 1]), topic=sampled_from(TOPICS), id=sampled_from(IDS), end=booleans())
    def publish(self, who, topic, id, end):
        assert publish(self.publishers[who], topic, id=id, end=end) is None
        run = (who, topic, id)
        self.samples[run] += 1
        expected = {"id": id, "counter": self.samples[run]}
        if self.samples[run] == 1:
            expected["begin"] = True
        if end:
            expected["end"] = True
            del self.samples[run]
        assert places(self.listener) == [expected]

    @rule(who=sampled_from([0, 1]))
    def leave(self, who):
        self.publishers[who].leave()
        self.publishers[who] = self.world.join()
        for run in [run for run in self.samples if run[0] == who]:
            del self.samples[run]

    @invariant()
    def nothing_is_remembered_of_runs_that_ended(self):
        assert sum(len(runs(self.world, one)) for one in self.publishers) == len(self.samples)


TestRunsMachine = RunsMachine.TestCase
