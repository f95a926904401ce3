"""Following a subject: every record once and in order, whatever the engine loses, repeats and delays."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cluster.engine import FakeEngine

from radiod.core.cluster.follower import AUDIT_S, MOST_WAITING, SOON_S, Follower
from radiod.core.cluster.ports import Stored, StreamSettings
from radiod.testing import FakeClock

MOST = 10_000
TOPICS = ["s.a", "s.b"]


class Taken:
    """What was handed over of one subject."""

    def __init__(self):
        self.past, self.live, self.first, self.gone = [], [], None, []

    def begun(self, first):
        assert self.first is None
        self.first = first

    def took(self, record, is_past):
        assert is_past == (self.first is None)
        (self.past if is_past else self.live).append(record.seq)

    def broken(self, seq):
        self.gone.append(seq)


class Node:
    """A node that follows, and asks anew for all ends when its connection is back."""

    def __init__(self, engine, name):
        self.told = []
        self.port = engine.attach(name, self)
        self.follower = Follower(self.port, engine.clock, engine.clock.timers)
        self.taken = {}
        self.followed = {}

    def up(self):
        self.follower.audit()

    def down(self):
        pass

    def stored(self, record):
        self.told.append(record)
        self.follower.stored(record)

    def follow(self, subject, most=MOST, first=None):
        taken = self.taken[subject] = Taken()
        self.followed[subject] = self.follower.follow("s", subject, taken, most, first)
        return taken


class World:
    """Some nodes that follow one stream, and one that appends."""

    def __init__(self, *names, seed=0, most=MOST, **options):
        self.clock = FakeClock()
        self.engine = FakeEngine(self.clock, Random(seed), **options)
        self.engine.lagging = 0.7
        self.nodes = {name: Node(self.engine, name) for name in (*names, "writer")}
        self.clock.advance(1)
        self.nodes["writer"].port.ensure(StreamSettings("s", ("s.>",), most), lambda failure: None)
        self.clock.advance(1)

    def append(self, count=1, subject="s.a"):
        for _ in range(count):
            self.nodes["writer"].port.append("s", subject, b"x" * 100, lambda outcome: None)

    @property
    def stream(self):
        return self.engine.streams["s"]

    def seqs(self, subject="s.a"):
        return [record.seq for record in self.stream.records if record.subject == subject]


@pytest.fixture
def world():
    return World("n1", "n2")


def test_what_was_there_comes_first_and_then_what_happens(world):
    world.append(700)
    world.append(3, "s.b")
    world.clock.advance(1)
    taken = world.nodes["n1"].follow("s.a")
    world.append(5)
    world.clock.advance(1)
    assert taken.past + taken.live == world.seqs()
    assert taken.first == taken.past[-1] >= 700
    assert taken.gone == []


def test_of_a_subject_without_records_the_first_is_number_0(world):
    taken = world.nodes["n1"].follow("s.a")
    world.clock.advance(1)
    assert taken.first == 0
    world.append(2)
    world.clock.advance(1)
    assert taken.live == world.seqs()


def test_who_learns_of_a_subject_by_a_record_has_all_before_it_as_the_past(world):
    world.append(10)
    world.clock.advance(1)
    world.nodes["n1"].port.follow("s.*")
    world.append(2)
    world.clock.advance(1)
    node = world.nodes["n1"]
    taken = node.follow("s.a", first=node.told[0])
    world.clock.advance(SOON_S + 1)
    assert (taken.past, taken.live) == (list(range(1, 11)), [11, 12])


def test_a_gap_is_read_as_soon_as_the_next_record_shows_it(world):
    taken = world.nodes["n1"].follow("s.a")
    world.clock.advance(1)
    world.engine.disconnect("n1")
    world.append(300)
    world.clock.advance(0.1)
    node = world.nodes["n1"]
    node.up = lambda: None
    world.engine.connect("n1")
    assert taken.live == []
    world.append()
    world.clock.advance(0.1)
    assert taken.live == world.seqs()
    assert node.follower.repairs == 1


def test_a_tail_that_was_lost_is_found_by_the_audit(world):
    taken = world.nodes["n1"].follow("s.a")
    world.clock.advance(AUDIT_S + 0.1)
    world.engine.cut("n1", "n2")
    world.engine.cut("n1", "writer")
    world.append(3)
    world.clock.advance(0.1)
    world.engine.heal()
    world.clock.advance(0.1)
    assert taken.live == []
    world.clock.advance(AUDIT_S)
    assert taken.live == world.seqs()


def test_the_leader_reads_where_replicas_lack_what_is_there(world):
    world.append(20)
    world.clock.advance(1)
    world.stream.lag = 15
    world.engine.replica = lambda stream: stream.records[:-15]
    taken = world.nodes["n1"].follow("s.a")
    world.clock.advance(2)
    assert taken.past == world.seqs()


def test_what_a_leader_has_not_worked_through_yet_is_not_taken_for_gone(world):
    node = world.nodes["n1"]
    taken = node.follow("s.a")
    world.append(5)
    world.clock.advance(1)
    lose(world, node, 3)
    world.engine.replica = lambda stream: stream.records[:5]
    world.engine.be_stale("s", 3, 4.0)
    node.follower.expect(node.followed["s.a"], 8)
    world.clock.advance(8)
    assert taken.past + taken.live == world.seqs()
    assert taken.gone == []


def test_what_is_told_twice_and_late_is_dropped(world):
    node = world.nodes["n1"]
    taken = node.follow("s.a")
    world.clock.advance(1)
    world.append(5)
    world.clock.advance(1)
    node.stored(node.told[1])
    assert taken.live == world.seqs()
    assert node.follower.repeats == 1


def test_a_gap_among_what_waits_is_read_too(world):
    node = world.nodes["n1"]
    taken = node.follow("s.a")
    world.clock.advance(1)
    world.engine.disconnect("n1")
    world.append(10)
    world.clock.advance(0.1)
    node.up = lambda: None
    world.engine.connect("n1")
    records = world.stream.records
    world.engine.replica = lambda stream: stream.records[:3]
    node.stored(records[3])
    node.stored(records[8])
    world.clock.advance(0.01)
    assert taken.live == [1, 2, 3, 4]
    del world.engine.replica
    world.clock.advance(1)
    assert taken.live == world.seqs()


def test_more_than_may_wait_is_read_from_the_stream(world):
    node = world.nodes["n1"]
    world.append(3)
    world.clock.advance(1)
    taken = node.follow("s.a")
    for _ in range(3):
        world.append(MOST_WAITING)
        world.clock.advance(0.0005)
    assert len(node.followed["s.a"].waiting) <= MOST_WAITING
    world.clock.advance(5)
    assert taken.past + taken.live == world.seqs()


def test_what_is_gone_before_it_was_read_is_told():
    world = World("n1", most=10)
    node = world.nodes["n1"]
    taken = node.follow("s.a", most=10)
    world.append(5)
    world.clock.advance(3)
    world.engine.disconnect("n1")
    world.append(30)
    world.clock.advance(1)
    world.engine.connect("n1")
    world.clock.advance(3)
    assert taken.live == [1, 2, 3, 4, 5, *range(26, 36)]
    assert taken.gone == [35]


def test_a_target_that_nobody_has_any_more_is_passed(world):
    node = world.nodes["n1"]
    taken = node.follow("s.a")
    world.clock.advance(1)
    node.follower.expect(node.followed["s.a"], 7)
    world.clock.advance(8)
    assert taken.gone == [8]
    assert node.follower.stored(Stored("s.a", 8, 7, b""))
    assert taken.live == [8]


def test_who_does_not_follow_any_more_is_handed_nothing(world):
    node = world.nodes["n1"]
    world.append(600)
    world.clock.advance(1)
    taken = node.follow("s.a")
    world.clock.advance(0.0015)
    node.follower.unfollow(node.followed["s.a"])
    world.append()
    world.clock.advance(3)
    assert taken.live == []
    assert len(node.follower) == 0
    again = node.follow("s.a")
    world.clock.advance(1)
    assert again.past == world.seqs()


def test_what_waits_is_handed_over_once_though_it_is_told_twice(world):
    world.append(3)
    world.clock.advance(1)
    node = world.nodes["n1"]
    taken = node.follow("s.a")
    for record in world.stream.records[1:] * 2:
        node.stored(record)
    assert len(node.followed["s.a"].waiting) == 2
    world.clock.advance(3)
    assert taken.past == world.seqs()


def test_what_is_told_while_all_is_read_waits_no_more_than_agreed(world):
    world.append(MOST_WAITING + 100)
    world.clock.advance(1)
    node = world.nodes["n1"]
    taken = node.follow("s.a")
    for record in world.stream.records:
        node.stored(record)
    assert len(node.followed["s.a"].waiting) < 100
    world.clock.advance(3)
    assert taken.past == world.seqs()


def test_who_expects_more_while_it_is_read_has_that_too(world):
    node = world.nodes["n1"]
    taken = node.follow("s.a")
    world.clock.advance(1)
    world.engine.disconnect("n1")
    world.append(5)
    world.clock.advance(0.1)
    node.up = lambda: None
    world.engine.connect("n1")
    node.follower.expect(node.followed["s.a"], 3)
    node.follower.expect(node.followed["s.a"], 5)
    world.clock.advance(0.1)
    assert taken.live == world.seqs()
    assert node.follower.repairs == 1


def test_what_cannot_be_read_is_read_later(world):
    node = world.nodes["n1"]
    taken = node.follow("s.a")
    world.clock.advance(1)
    node.follow("s.b")
    world.clock.advance(1)
    isolate(world, "n1")
    world.append(5)
    node.follower.expect(node.followed["s.a"], 5)
    world.clock.advance(AUDIT_S * 2)
    assert taken.live == []
    world.engine.heal()
    world.clock.advance(1.5)
    assert taken.live == world.seqs()


def test_who_has_just_left_is_not_told_of_an_end(world):
    node = world.nodes["n1"]
    taken = [node.follow(subject) for subject in (*TOPICS, "s.c")]
    node.follower.unfollow(node.followed["s.a"])
    world.clock.advance(SOON_S + 1)
    assert [one.first for one in taken] == [None, 0, 0]
    lose(world, node, 1, "s.b")
    node.follower.audit()
    node.follower.unfollow(node.followed["s.b"])
    world.clock.advance(1)
    assert taken[1].live == []


class Leaver(Taken):
    """Follows no more once it has taken a record of this number."""

    def __init__(self, node, seq):
        super().__init__()
        self.node, self.seq = node, seq

    def took(self, record, is_past):
        super().took(record, is_past)
        if record.seq == self.seq:
            self.node.follower.unfollow(self.node.followed["s.a"])


@pytest.mark.parametrize("seq", [2, 5, 8])
def test_who_leaves_while_records_are_handed_over_gets_no_more(world, seq):
    """In the midst of what is read, at its end, and in what has waited for it."""
    world.append(10)
    world.clock.advance(1)
    node = world.nodes["n1"]
    leaver = Leaver(node, seq)
    records = world.stream.records
    world.engine.replica = lambda stream: stream.records[:5]
    node.followed["s.a"] = node.follower.follow("s", "s.a", leaver, MOST, records[5])
    for record in records[6:]:
        node.stored(record)
    world.clock.advance(3)
    assert leaver.past + leaver.live == list(range(1, seq + 1))
    assert len(node.follower) == 0


def lose(world, node, count, subject="s.a"):
    """Have some stored that nobody tells this node of."""
    copies = node.port.followed.pop(subject)
    world.append(count, subject)
    world.clock.advance(0.01)
    node.port.followed[subject] = copies


def isolate(world, name):
    """Nothing passes between one node and all others."""
    for other in set(world.nodes) - {name}:
        world.engine.cut(name, other)


class TestCatchingUp:
    """Who asks is told when all has come that the leader has."""

    @pytest.fixture
    def node(self, world):
        node = world.nodes["n1"]
        node.follow("s.a")
        world.clock.advance(1)
        return node

    def ask(self, node):
        told = []
        node.follower.catch_up(node.followed["s.a"], lambda: told.append(list(node.taken["s.a"].live)))
        return told

    def test_at_once_if_nothing_is_missing(self, world, node):
        told = self.ask(node)
        world.clock.advance(0.01)
        assert told == [[]]

    def test_when_what_is_missing_has_come(self, world, node):
        lose(world, node, 300)
        told = self.ask(node)
        world.clock.advance(0.01)
        lose(world, node, 10)
        later = self.ask(node)
        world.clock.advance(1)
        assert [told, later] == [[world.seqs()[:300]], [world.seqs()]]

    def test_when_somebody_leads_again(self, world, node):
        world.engine.elect(3)
        told = self.ask(node)
        world.clock.advance(2.5)
        assert told == []
        world.clock.advance(2)
        assert told == [[]]

    @pytest.mark.parametrize("seconds", [0, 0.5])
    def test_never_if_it_follows_no_more(self, world, node, seconds):
        world.engine.elect(1)
        told = self.ask(node)
        world.clock.advance(seconds)
        node.follower.unfollow(node.followed["s.a"])
        world.clock.advance(5)
        assert told == []

    def test_also_if_what_was_missing_is_gone(self, world, node):
        lose(world, node, 3)
        told = self.ask(node)
        world.clock.advance(0.0004)
        world.stream.records.clear()
        world.clock.advance(8)
        assert len(told) == 1


DEEDS = st.one_of(
    st.tuples(st.just("append"), st.sampled_from(TOPICS), st.sampled_from([1, 3, 300])),
    st.tuples(st.just("follow"), st.sampled_from(["n1", "n2"]), st.sampled_from(TOPICS)),
    st.tuples(st.just("elect"), st.just(""), st.integers(2, 9)),
    st.tuples(st.just("cut"), st.sampled_from(["n1", "n2"]), st.just("")),
    st.tuples(st.just("heal"), st.just(""), st.just("")),
    st.tuples(st.just("lag"), st.just(""), st.sampled_from([0, 1, 50, 1000])),
    st.tuples(st.just("drop"), st.sampled_from(["n1", "n2"]), st.just("")),
    st.tuples(st.just("wait"), st.just(""), st.sampled_from([1, 10, 100, 3000])),
)


def do(world, what, name, given):
    engine = world.engine
    if what == "append":
        world.append(given, name)
    elif what == "follow":
        if given not in world.nodes[name].taken:
            world.nodes[name].follow(given)
    elif what == "elect":
        engine.elect(given)
    elif what == "cut":
        isolate(world, name)
    elif what == "heal":
        engine.heal()
    elif what == "lag":
        world.stream.lag = given
    elif what == "drop":
        engine.disconnect(name)
        world.clock.advance(0.1)
        engine.connect(name)
    else:
        world.clock.advance(given / 1000)


@given(seed=st.integers(0, 1000), mishaps=st.sampled_from([0.0, 0.1]), deeds=st.lists(DEEDS, max_size=15))
def test_every_record_comes_once_and_in_order(seed, mishaps, deeds):
    world = World("n1", "n2", "n3", seed=seed, mishaps=mishaps)
    for deed in deeds:
        do(world, *deed)
    world.engine.heal()
    world.clock.advance(30)
    for node in world.nodes.values():
        for subject, taken in node.taken.items():
            assert taken.past + taken.live == world.seqs(subject)
            assert taken.first == (taken.past[-1] if taken.past else 0)
            assert taken.gone == []
            assert node.followed[subject].waiting == []
