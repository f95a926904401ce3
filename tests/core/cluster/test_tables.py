"""Tables over the fake engine: whatever is lost, a mirror comes to what its owner has."""

import pytest
from support.cluster.world import ClusterWorld

from radiod.core.cluster.stale import AGAIN_S


class Table:
    """One table of one node, and what that knows of the others'."""

    def __init__(self, node):
        self.tables = node.realm.tables
        self.own = {}
        self.others = {}
        self.tables.news.offer("test", self)

    def keys(self, table):
        return list(self.own)

    def value(self, table, key):
        return self.own.get(key)

    def fits(self, table, key, value):
        return value != "unfit"

    def changed(self, change):
        if change.value is None:
            del self.others[change.node, change.key]
        else:
            self.others[change.node, change.key] = change.value

    def put(self, key, value):
        self.own[key] = value
        self.tables.news.put("test", key, value)

    def drop(self, key):
        del self.own[key]
        self.tables.news.drop("test", key)

    def hold(self):
        return self.tables.mirrors.hold("test", self)

    @property
    def seen(self):
        return {key: value for (_, key), value in self.others.items()}


class TableWorld(ClusterWorld):
    def start(self, name):
        node = super().start(name)
        node.table = Table(node)
        return node


@pytest.fixture
def world():
    return TableWorld("a", "b")


@pytest.fixture
def pair(world):
    """Tables of two nodes; the first mirrors the second's."""
    one, other = world["a"].table, world["b"].table
    other.put("x", 1)
    one.hold()
    world.turn()
    assert one.seen == {"x": 1}
    return one, other


def test_changes_come(world, pair):
    one, other = pair
    other.put("x", 2)
    other.put("y", 1)
    other.drop("x")
    world.turn()
    assert one.seen == {"y": 1}


def test_what_is_wanted_no_more_does_not_come(world, pair):
    one, other = pair
    one.tables.mirrors.release("test")
    world.turn()
    assert (one.seen, len(other.tables.news)) == ({}, 0)


def test_what_was_lost_comes_when_that_is_noticed(world, pair):
    one, other = pair
    world.cut("a", "b")
    other.drop("x")
    other.put("y", 1)
    world.turn()
    world.heal()
    world.advance(3)
    assert one.seen == {"y": 1}


def test_that_it_is_wanted_is_said_again_when_that_was_lost(world):
    one, other = world["a"].table, world["b"].table
    other.put("x", 1)
    world.cut("a", "b")
    one.hold()
    world.turn()
    world.heal()
    world.advance(3)
    assert one.seen == {"x": 1}
    world.cut("a", "b")
    one.tables.mirrors.release("test")
    world.turn()
    world.heal()
    world.advance(3)
    assert len(other.tables.news) == 0


def test_several_nodes_that_could_not_be_told_are_told_at_once(world, pair):
    one, other = pair
    world.disconnect("b")
    other.put("y", 1)
    other.put("z", 1)
    other.put("x", 3)
    world.connect("b")
    world.advance(AGAIN_S + 1)
    assert one.seen == {"x": 3, "y": 1, "z": 1}


def test_what_could_not_be_told_is_told_later(world, pair):
    one, other = pair
    world.disconnect("b")
    other.put("y", 1)
    world.turn()
    world.connect("b")
    world.advance(AGAIN_S + 1)
    assert one.seen == {"x": 1, "y": 1}


def test_who_could_not_be_asked_is_asked_later(world):
    one, other = world["a"].table, world["b"].table
    other.put("x", 1)
    world.disconnect("a")
    one.hold()
    world.turn()
    world.connect("a")
    world.advance(AGAIN_S + 1)
    assert one.seen == {"x": 1}


def test_who_has_died_before_it_could_be_told_is_not_told(world, pair):
    _, other = pair
    world.disconnect("b")
    other.put("y", 1)
    other.tables.left(world["a"].cluster.nodes.me)
    world.turn()
    world.advance(AGAIN_S)
    assert len(other.tables._stale) == 0


def test_a_dead_nodes_entries_go_and_come_back_with_it(world, pair):
    one, _ = pair
    world.pause("b")
    world.advance(7)
    assert one.seen == {}
    world.resume("b")
    world.advance(7)
    assert one.seen == {"x": 1}
    assert {node for node, _ in one.others} == {world["b"].cluster.nodes.me}


def test_who_cannot_be_asked_again_is_asked_later(world, pair):
    one, other = pair
    world.disconnect("a")
    one.tables.gap(world["b"].cluster.nodes.me)
    assert len(one.tables._stale) == 1
    world.connect("a")
    other.put("y", 1)
    world.advance(AGAIN_S + 1)
    assert one.seen == {"x": 1, "y": 1}


def test_what_is_no_letter_is_counted(world):
    world["a"].cluster.nodes.tell(world["b"].cluster.nodes.me, "radio tables", b"nonsense")
    world.turn()
    assert world["b"].cluster.nodes.malformed == 1
