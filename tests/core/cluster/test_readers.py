"""How many listen on other nodes."""

import pytest
from support.cluster.desks import HOLD_S, DeskWorld
from support.cluster.fake_peers import FakePeers

from radiod.core.cluster import looks as looks_module
from radiod.core.cluster import readers
from radiod.core.cluster.looks import LOOK_S
from radiod.core.cluster.reader_letters import (
    Counts,
    Unwatch,
    Want,
    Watch,
    Watched,
    read_readers,
    write_readers,
)
from radiod.core.cluster.readers import Readers
from radiod.testing import FakeClock


@pytest.fixture
def world():
    return DeskWorld("a", "b", "c")


def writer_at(world, name, topic="song"):
    writer = world.caller(name)
    assert writer.ask(32, {}, "radiod.channel.on_demand")[0] == 33
    assert writer.do("radiod.channel.open_write", topic) == {"active": False, "readers": 0}
    return writer


def test_a_dead_nodes_listeners_do_not_count(world):
    writer = writer_at(world, "a")
    world.listener("b", "song")
    world.turn()
    writer.events()
    world.kill("b")
    world.advance(7 + HOLD_S)
    assert writer.events() == [[{"name": "song", "readers": 0, "active": False}]]


def test_a_node_that_comes_later_is_told_what_is_watched(world):
    writer = writer_at(world, "a")
    world.start("d")
    world.advance(2)
    world.listener("d", "song")
    world.turn()
    assert writer.events() == [[{"name": "song", "readers": 1, "active": True}]]


def test_counts_are_right_again_after_a_cut(world):
    writer = writer_at(world, "a")
    world.cut("a", "b")
    listeners = [world.listener("b", "song") for _ in range(3)]
    world.advance(1)
    world.heal()
    world.advance(3)
    assert writer.events() == [[{"name": "song", "readers": 3, "active": True}]]
    world.isolate("b")
    world.advance(20)
    assert writer.events() == [[{"name": "song", "readers": 0, "active": False}]]
    listeners.pop().leave()
    world.heal()
    world.advance(20)
    assert writer.events() == [[{"name": "song", "readers": 2, "active": True}]]


def test_nobody_is_told_of_what_nobody_watches(world):
    writer = writer_at(world, "a")
    assert list(world["b"].realm.readers.watched) == ["song"]
    writer.leave()
    world.advance(LOOK_S + 20)
    assert len(world["a"].realm.readers) == 0
    assert list(world["b"].realm.readers.watched) == []
    assert world["b"].realm.readers._told == {}


@pytest.mark.interpreted
def test_what_is_watched_because_of_a_question_is_bounded(world, monkeypatch):
    monkeypatch.setattr(looks_module, "MAX_LOOKED", 3)
    found = world["a"].realm.readers
    for number in range(10):
        found.look(f"song{number}")
    world.turn()
    assert len(found) == 3
    assert sorted(world["b"].realm.readers.watched) == ["song7", "song8", "song9"]


def test_what_is_no_letter_is_counted(world):
    world["a"].cluster.nodes.tell(world["b"].cluster.nodes.me, "radio readers", b"nonsense")
    world.turn()
    assert world["b"].cluster.nodes.malformed == 1


class Made:
    """The readers of node 1, letter by letter; ``listening``: place -> how many listen here."""

    def __init__(self, *nodes):
        self.clock, self.peers, self.listening = FakeClock(), FakePeers(*nodes), {}
        self.readers = Readers(
            "radio", self.peers, self.clock, self.clock.timers, lambda place: self.listening.get(place, 0)
        )
        self.told()

    def take(self, *letters, node=2):
        for letter in letters:
            self.peers.handlers["radio readers"](node, write_readers(letter))

    def told(self):
        return self.peers.take_told(read_readers)

    def listen(self, place, count):
        self.listening[place] = count
        self.readers.note(place)


@pytest.fixture
def made():
    return Made(2, 3)


class TestLetters:
    def test_who_is_alone_waits_for_nobody(self):
        made = Made()
        assert made.readers.look("song") is None
        made.clock.advance(5)
        assert made.readers.elsewhere("song") == 0

    def test_the_first_and_the_last_are_told_at_once_and_others_together(self, made):
        made.take(Watch(("song",)))
        made.clock.advance(1)
        assert made.told() == [(2, Counts({"song": 0}))]
        made.listen("song", 1)
        made.clock.advance(0)
        assert made.told() == [(2, Counts({"song": 1}))]
        for count in (2, 3):
            made.listen("song", count)
        made.clock.advance(0)
        assert made.told() == []
        made.clock.advance(0.1)
        assert made.told() == [(2, Counts({"song": 3}))]
        for count in (2, 0):
            made.listen("song", count)
        made.clock.advance(0)
        assert made.told() == [(2, Counts({"song": 0}))]
        made.clock.advance(1)
        assert made.told() == []

    def test_a_place_is_watched_until_nobody_does(self, made):
        for node in (2, 2, 3):
            made.take(Watch(("song",)), node=node)
        made.take(Unwatch(("song", "other")))
        assert list(made.readers.watched) == ["song"]
        made.take(Unwatch(("song",)), node=3)
        assert list(made.readers.watched) == []

    def test_all_that_is_watched_may_come_in_parts(self, made):
        made.take(Watch(("gone",)))
        made.take(Watched(("a",), True, False))
        assert list(made.readers.watched) == ["gone"]
        made.take(Watched(("b",), False, True))
        assert sorted(made.readers.watched) == ["a", "b"]

    def test_parts_without_their_beginning_are_nothing(self, made):
        made.take(Watched(("a",), True, False))
        made.readers.gap(2)
        made.take(Watched(("b",), False, True))
        assert list(made.readers.watched) == []

    def test_who_cannot_be_told_is_told_all_as_soon_as_that_can_be(self, made):
        made.take(Watch(("theirs",)))
        made.told()
        made.peers.nodes.append(4)
        made.peers.deaf |= {2, 4}
        made.readers.hold("ours")
        assert made.told() == [(3, Watch(("ours",)))]
        made.peers.deaf.clear()
        made.peers.nodes.remove(4)
        made.clock.advance(5)
        assert made.told() == [
            (2, Want()),
            (2, Watched(("ours",), True, True)),
            (2, Counts({"theirs": 0})),
        ]

    def test_who_has_lost_something_is_told_all(self, made):
        made.readers.hold("ours")
        made.listen("theirs", 2)
        made.take(Watch(("theirs",)))
        made.told()
        made.take(Want())
        assert made.told() == [(2, Watched(("ours",), True, True)), (2, Counts({"theirs": 2}))]

    def test_of_a_node_that_has_said_nothing_nothing_is_lost(self, made):
        made.readers.gap(2)
        assert made.told() == [(2, Want()), (2, Watched((), True, True))]
        made.readers.left(2)
        assert list(made.readers.watched) == []

    def test_what_is_told_of_what_nobody_watches_is_nothing(self, made):
        made.take(Counts({"song": 5}))
        assert made.readers.elsewhere("song") == 0


@pytest.mark.interpreted
def test_of_more_places_than_agreed_a_node_learns_nothing(world, monkeypatch):
    monkeypatch.setattr(readers, "MAX_WATCHED", 2)
    nodes, me = world["a"].cluster.nodes, world["b"].cluster.nodes.me
    for letter in (
        Watch(("one", "two", "three")),
        Watched(("four", "five"), True, False),
        Watched(("six",), False, True),
    ):
        nodes.tell(me, "radio readers", write_readers(letter))
    world.turn()
    assert len(list(world["b"].realm.readers.watched)) == 2
