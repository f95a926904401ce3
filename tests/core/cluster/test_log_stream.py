"""The epoch of a stream: agreed by all, and another one as soon as numbers mean something else."""

from random import Random

import pytest
from support.cluster.engine import FakeEngine

from radiod.core.cluster.log_stream import SIZES, LogStream, most_for
from radiod.core.cluster.logged import Epoch, encode
from radiod.core.cluster.ports import Stored
from radiod.core.history.positions import SKIPPING, position
from radiod.testing import FakeClock


class Ids:
    def __init__(self, name):
        self.name, self.count = name, 0

    def secret(self):
        self.count += 1
        return f"{self.count:010}{self.name}"


class Node:
    def __init__(self, engine, name, is_renewed=False):
        self.port = engine.attach(name, self)
        clock = engine.clock
        self.began = []
        self.stream = LogStream(
            self.port,
            "s",
            "r.s",
            64,
            clock,
            clock.timers,
            Ids(name),
            15.0,
            lambda stream: self.began.append(stream.epoch),
            lambda: is_renewed,
        )

    def open(self):
        opened = []
        self.stream.when_open(lambda: opened.append(self.stream.epoch))
        return opened

    def up(self):
        pass

    def down(self):
        pass

    def stored(self, record):
        self.stream.took(record)


@pytest.fixture
def engine():
    return FakeEngine(FakeClock(), Random(1))


def append(engine, node, count=1):
    for number in range(count):
        node.port.append("s", "r.s.topic.p.a", b"%d" % number, lambda outcome: None)
    engine.clock.advance(1)
    return engine.streams["s"].records[-1]


@pytest.mark.parametrize(("size", "most"), [(1, 64), (62, 64), (63, 512), (262142, 262144), (10**7, 262144)])
def test_a_stream_has_room_for_a_history_and_two_more(size, most):
    assert most_for(size) == most
    assert most in SIZES


def test_who_opens_it_together_agrees(engine):
    nodes = [Node(engine, name) for name in ("n1", "n2", "n3")]
    engine.clock.advance(1)
    opened = [node.open() for node in nodes]
    engine.clock.advance(3)
    assert [len(one) for one in opened] == [1, 1, 1]
    assert len({one[0] for one in opened}) == 1
    assert nodes[0].open() == opened[0]


def test_its_epoch_says_that_numbers_are_left_out(engine):
    opened = Node(engine, "n1").open()
    engine.clock.advance(4)
    (epoch,) = opened
    assert (epoch[0], len(epoch)) == (SKIPPING, 12)
    assert str(position("after", f"{epoch}:1")) == f"{epoch}:1"


def test_it_is_opened_as_soon_as_somebody_leads(engine):
    node = Node(engine, "n1")
    engine.clock.advance(1)
    engine.disconnect("n1")
    opened = [node.open(), node.open()]
    engine.clock.advance(5)
    assert opened == [[], []]
    engine.connect("n1")
    engine.clock.advance(5)
    assert opened == [[node.stream.epoch]] * 2


def test_who_is_alone_renews_it(engine):
    node = Node(engine, "n1")
    engine.clock.advance(1)
    node.open()
    engine.clock.advance(3)
    before = node.stream.epoch
    other = Node(engine, "n2", is_renewed=True)
    engine.clock.advance(1)
    other.open()
    engine.clock.advance(3)
    assert other.stream.epoch != before
    assert node.began == [other.stream.epoch]


def test_what_nobody_has_opened_is_not_looked_at(engine):
    node = Node(engine, "n1")
    engine.clock.advance(1)
    node.stream.check(None)
    engine.clock.advance(3)
    assert (engine.streams, node.stream.epoch) == ({}, "")


def test_an_old_epoch_that_comes_again_changes_nothing(engine):
    node = Node(engine, "n1")
    engine.clock.advance(1)
    node.open()
    engine.clock.advance(3)
    epoch = node.stream.epoch
    (record,) = engine.streams["s"].records
    assert node.stream.took(record._replace(data=b"\x92\xa1x\xa3old"))
    assert not node.stream.took(record._replace(subject="r.s.topic.p.a"))
    engine.clock.advance(3)
    assert (node.stream.epoch, node.began) == (epoch, [])


class TestDoubt:
    """The connection is back: until the leader has spoken it may be another stream."""

    @pytest.fixture
    def node(self, engine):
        node = Node(engine, "n1")
        engine.clock.advance(1)
        node.open()
        engine.clock.advance(3)
        return node

    def test_nothing_is_appended_before_the_leader_has_said_that_it_is_the_same(self, engine, node):
        known = append(engine, node)
        node.stream.check(known)
        node.stream.check(None)
        stored = []
        node.stream.appender.append("r.s.topic.p.a", b"more", "id", stored.append)
        assert not node.stream.is_sure
        engine.clock.advance(3)
        assert node.stream.is_sure
        assert len(stored) == 1
        assert engine.streams["s"].records[-1].data == b"more"

    def test_who_asks_for_the_epoch_does_not_end_it(self, engine, node):
        known = append(engine, node, 3)
        engine.lose_end("s")
        agreed = []
        node.stream.check(known)
        node.stream.agree(lambda: agreed.append(node.stream.epoch))
        engine.clock.advance(5)
        assert node.began == [node.stream.epoch]
        assert agreed
        assert node.stream.is_sure


class TestTheEnd:
    @pytest.fixture
    def node(self, engine):
        node = Node(engine, "n1")
        engine.clock.advance(1)
        node.open()
        engine.clock.advance(3)
        return node

    def test_it_stays_where_the_last_record_is_what_it_was(self, engine, node):
        known = append(engine, node, 3)
        node.stream.check(known)
        engine.clock.advance(3)
        append(engine, node, 2)
        node.stream.check(known)
        engine.clock.advance(3)
        assert node.began == []

    def test_it_is_renewed_where_that_is_gone(self, engine, node):
        known = append(engine, node, 3)
        engine.lose_end("s")
        node.stream.check(known)
        engine.clock.advance(3)
        assert node.began == [node.stream.epoch]

    def test_it_stays_where_the_leader_has_not_worked_through_all_yet(self, engine, node):
        known = append(engine, node, 3)
        for unapplied in (1, 2, 10):
            engine.be_stale("s", unapplied, 1.5)
            node.stream.check(known)
            engine.clock.advance(4)
            assert node.stream.is_sure
        assert node.began == []

    def test_it_stays_however_long_the_leader_works_through_what_was_stored(self, engine, node):
        known = append(engine, node, 3)
        engine.be_stale("s", 1000, 60)
        node.stream.check(known)
        engine.clock.advance(50)
        assert not node.stream.is_sure
        engine.clock.advance(15)
        assert node.stream.is_sure
        assert node.began == []

    def test_it_stays_where_its_topic_was_removed(self, engine, node):
        known = append(engine, node, 3)
        node.port.purge("s", known.subject, lambda failure: None)
        engine.clock.advance(1)
        node.stream.check(known)
        engine.clock.advance(3)
        assert node.stream.is_sure
        assert node.began == []

    @pytest.mark.parametrize("is_elected", [False, True])
    def test_looks_at_a_removed_topic_change_nothing_however_they_are_disturbed(
        self, engine, node, is_elected
    ):
        known = append(engine, node, 3)
        node.port.purge("s", known.subject, lambda failure: None)
        engine.clock.advance(1)
        for steps in range(60):
            node.stream.check(known)
            engine.clock.advance(steps * 0.0001)
            if is_elected:
                engine.elect(0.5)
                engine.clock.advance(4)
        engine.clock.advance(4)
        assert node.stream.is_sure
        assert node.began == []

    def test_what_is_told_of_late_is_compared(self, engine, node):
        known = append(engine, node, 3)
        last, told = node.port.last, [None]
        node.port.last = lambda stream, subject, done: (
            done(told.pop()) if told and subject == known.subject else last(stream, subject, done)
        )
        node.stream.check(known)
        engine.clock.advance(3)
        assert (node.stream.is_sure, node.began, told) == (True, [], [])

    def test_it_is_renewed_where_others_have_written_on_in_the_place_of_what_was_lost(self, engine, node):
        known = append(engine, node, 3)
        engine.lose_end("s")
        for topic in ("b", "c"):
            engine.store(engine.streams["s"], f"r.s.topic.p.{topic}", b"0", "", None, 0.0)
        node.stream.check(known)
        engine.clock.advance(3)
        assert node.began == [node.stream.epoch]

    def test_it_is_renewed_where_all_is_lost(self, engine, node):
        known = append(engine, node, 3)
        del engine.streams["s"]
        node.stream.check(known)
        engine.clock.advance(3)
        assert node.began == [node.stream.epoch]

    def test_whoever_asks_while_the_end_is_looked_at_is_told_once_it_is_known(self, engine, node):
        known, told = append(engine, node, 3), []
        engine.be_stale("s", 1000, 5)
        node.stream.check(known)
        engine.clock.advance(2)
        node.stream.agree(lambda: told.append(node.stream.epoch))
        engine.clock.advance(8)
        assert told == [node.stream.epoch]
        assert node.began == []

    def test_it_is_renewed_though_somebody_asks_for_it_again_and_again(self, engine, node):
        known = append(engine, node, 3)
        engine.lose_end("s")
        node.stream.check(known)
        for _ in range(30):
            engine.clock.advance(0.2)
            node.stream.agree(lambda: None)
        assert node.began == [node.stream.epoch]

    @pytest.mark.parametrize("later", [0, 2])
    def test_it_is_renewed_where_its_number_is_anothers(self, engine, node, later):
        known = append(engine, node, 3)
        if later:
            append(engine, node, later)
        node.stream.check(known._replace(data=b"another"))
        engine.clock.advance(3)
        assert node.began == [node.stream.epoch]

    def test_what_left_the_stream_can_be_compared_with_nothing(self, engine, node):
        known = append(engine, node, 3)
        append(engine, node, 70)
        node.stream.check(known)
        engine.clock.advance(3)
        assert node.began == []

    def test_it_is_looked_at_once_somebody_leads(self, engine, node):
        known = append(engine, node, 3)
        engine.lose_end("s")
        engine.elect(5)
        node.stream.check(known)
        engine.clock.advance(4)
        assert node.began == []
        engine.clock.advance(4)
        assert node.began == [node.stream.epoch]

    def test_whoever_asks_learns_the_epoch_of_now(self, engine, node):
        told = []
        node.stream.agree(lambda: told.append(node.stream.epoch))
        node.stream.agree(lambda: told.append(node.stream.epoch))
        engine.clock.advance(1)
        assert told == [node.stream.epoch] * 2
        assert isinstance(engine.streams["s"].records[0], Stored)

    @pytest.mark.parametrize("hears", [True, False])
    def test_whoever_is_slower_takes_the_epoch_of_the_faster(self, engine, node, hears):
        known = append(engine, node, 3)
        engine.lose_end("s")
        ask = node.port.append

        def be_overtaken(*args, **options):
            node.port.append = ask
            if not hears:
                node.port.followed.clear()
            engine.store(engine.streams["s"], "r.s.epoch", encode(Epoch("faster")), "", None, 0.0)
            ask(*args, **options)

        node.port.append = be_overtaken
        node.stream.check(known)
        engine.clock.advance(5)
        assert node.began == [node.stream.epoch] == ["faster"]

    def test_an_epoch_that_nobody_can_read_is_followed_by_another(self, engine, node):
        engine.store(engine.streams["s"], "r.s.epoch", b"?", "", None, 0.0)
        node.stream.check(None)
        engine.clock.advance(3)
        assert node.began == [node.stream.epoch]

    @pytest.mark.parametrize("later", [0, 2])
    def test_looks_that_overtake_each_other_change_nothing(self, engine, node, later):
        known = append(engine, node, 3)
        if later:
            append(engine, node, later)
        for steps in range(30):
            node.stream.check(known)
            engine.clock.advance(steps * 0.0001)
        engine.clock.advance(3)
        assert node.began == []

    @pytest.mark.parametrize("later", [0, 2])
    def test_a_leader_that_goes_in_the_midst_of_a_look_changes_nothing(self, engine, node, later):
        known = append(engine, node, 3)
        if later:
            append(engine, node, later)
        for steps in range(30):
            node.stream.check(known)
            engine.clock.advance(steps * 0.0001)
            engine.elect(0.5)
            engine.clock.advance(4)
        assert node.began == []
        engine.lose_end("s")
        node.stream.check(append(engine, node)._replace(data=b"another"))
        engine.clock.advance(3)
        assert node.began == [node.stream.epoch]
