"""What a node mirrors of the others' tables, letter by letter."""

import pytest
from support.cluster.fake_peers import FakePeers

from radiod.core.cluster import table_mirrors
from radiod.core.cluster.table_letters import Begin, Drop, End, Part, Put, Unwatch, Watch, read_tables
from radiod.core.cluster.table_mirrors import ANSWER_S, GONE_IN_A_STEP, TableMirrors
from radiod.core.slices import Slices
from radiod.testing import FakeClock

T = "t"


class Mirrors:
    def __init__(self, *nodes):
        self.clock = FakeClock()
        self.peers = FakePeers(*nodes)
        self.failed = []
        self.changes = []
        slices = Slices(self.clock, self.clock.timers)
        self.mirrors = TableMirrors(
            self.peers, "tables", self.clock, self.clock.timers, slices, self.failed.append
        )

    def fits(self, table, key, value):
        return value != "unfit"

    def changed(self, change):
        self.changes.append(change)

    def hold(self, table=T, **options):
        """A list that says when it is known."""
        known = self.mirrors.hold(table, self, **options)
        if known is None:
            return ["known"]
        told = []
        known.then(lambda outcome: told.append("known"))
        return told

    def take(self, *letters, node=2):
        for letter in letters:
            self.mirrors.take(node, letter)

    def whole(self, *entries, node=2, table=T):
        self.take(Begin(table), Part(table, list(entries)), End(table), node=node)

    def news(self):
        """(node, key, value) of what is news; None: gone."""
        changes, self.changes = self.changes, []
        return [(one.node, one.key, one.value) for one in changes if one.is_news]

    def told(self):
        return self.peers.take_told(read_tables)


@pytest.fixture
def mirrors():
    return Mirrors(2, 3)


def test_it_is_known_when_all_have_told_it(mirrors):
    known = mirrors.hold()
    assert mirrors.told() == [(2, Watch((T,))), (3, Watch((T,)))]
    mirrors.whole(("x", 1))
    assert (known, mirrors.mirrors.unanswered(T)) == ([], ("n3",))
    mirrors.whole(node=3)
    assert (known, mirrors.mirrors.unanswered(T)) == (["known"], ())
    assert mirrors.hold() == ["known"]
    assert mirrors.told() == []


def test_what_is_no_such_entry_is_counted_and_left_out(mirrors):
    mirrors.hold()
    mirrors.whole(("x", "unfit"), ("y", 1))
    assert mirrors.peers.malformed == [("tables", 2)]
    assert [change.key for change in mirrors.changes] == ["y"]


def test_it_is_known_at_once_where_nobody_else_is():
    assert Mirrors().hold() == ["known"]


def test_who_does_not_tell_is_not_waited_for_longer_than_that_and_is_named(mirrors):
    known = mirrors.hold()
    mirrors.whole(node=3)
    mirrors.clock.advance(ANSWER_S)
    assert (known, mirrors.hold()) == (["known"], ["known"])
    assert mirrors.mirrors.unanswered(T) == ("n2",)
    mirrors.whole(("x", 1))
    assert mirrors.mirrors.unanswered(T) == ()
    assert mirrors.news() == []


def test_what_was_there_is_no_news_and_all_that_changes_is(mirrors):
    mirrors.hold()
    mirrors.whole(("x", 1), ("y", 1))
    assert [one[:6] for one in mirrors.changes] == [
        (T, 2, "x", None, 1, False),
        (T, 2, "y", None, 1, False),
    ]
    mirrors.changes.clear()
    mirrors.take(Put(T, "x", 2), Put(T, "x", 2), Drop(T, "y"), Drop(T, "y"), Put(T, "z", 3))
    assert mirrors.news() == [(2, "x", 2), (2, "y", None), (2, "z", 3)]
    mirrors.take(Drop(T, "z", True))
    assert (mirrors.changes[0].before, mirrors.news()) == (3, [])
    assert len(mirrors.mirrors) == 1


def test_what_begins_empty_is_news_from_its_beginning(mirrors):
    mirrors.hold(is_news=True)
    mirrors.whole(("x", 1))
    assert mirrors.news() == [(2, "x", 1)]


def test_what_is_told_anew_is_news_where_it_is_other_than_it_was(mirrors):
    mirrors.hold()
    mirrors.whole(("x", 1), ("y", 1), ("z", 1))
    mirrors.take(Begin(T), Part(T, [("x", 1)]), Put(T, "y", 2), Part(T, [("new", 1)]), Drop(T, "gone"))
    mirrors.changes.clear()
    mirrors.take(End(T))
    assert mirrors.news() == [(2, "z", None)]
    mirrors.take(End(T))
    assert mirrors.news() == []
    assert len(mirrors.mirrors) == 3


def test_letters_that_were_lost_are_had_again(mirrors):
    mirrors.hold()
    mirrors.whole(("x", 1), ("y", 1))
    mirrors.take(Begin(T), Part(T, [("x", 1)]))
    mirrors.told()
    mirrors.mirrors.again(2)
    assert mirrors.told() == [(2, Watch((T,)))]
    # Of what was begun the end still comes: it is not all.
    mirrors.take(End(T))
    assert mirrors.news() == []
    mirrors.whole(("x", 1), ("z", 1))
    assert mirrors.news() == [(2, "z", 1), (2, "y", None)]


def test_what_is_wanted_no_more_is_dropped_without_a_word(mirrors):
    mirrors.hold()
    mirrors.hold()
    mirrors.whole(("x", 1))
    mirrors.mirrors.release(T)
    assert mirrors.mirrors.tables == [T]
    mirrors.changes.clear()
    mirrors.told()
    known = mirrors.hold()
    mirrors.mirrors.release(T)
    mirrors.mirrors.release(T)
    assert known == ["known"]
    assert mirrors.told() == [(2, Unwatch(T)), (3, Unwatch(T))]
    assert [(one.key, one.value, one.is_news) for one in mirrors.changes] == [("x", None, False)]
    assert (len(mirrors.mirrors), mirrors.mirrors.tables, mirrors.mirrors.unanswered(T)) == (0, [], ())
    mirrors.changes.clear()
    mirrors.whole(("x", 1))
    assert mirrors.changes == []


def test_a_node_that_joins_is_asked_and_what_it_has_is_news(mirrors):
    mirrors.hold()
    mirrors.told()
    mirrors.peers.nodes.append(4)
    mirrors.mirrors.joined(4)
    assert mirrors.told() == [(4, Watch((T,)))]
    mirrors.whole(("x", 1), node=4)
    assert mirrors.news() == [(4, "x", 1)]


def test_a_node_is_asked_for_many_tables_at_once(mirrors):
    for number in range(501):
        mirrors.hold(f"t{number}")
    mirrors.told()
    mirrors.mirrors.joined(3)
    assert [len(letter.tables) for _, letter in mirrors.told()] == [500, 1]


class TestANodeThatIsGone:
    def test_takes_all_it_had_along(self, mirrors):
        known = mirrors.hold()
        mirrors.whole(("x", 1), ("y", 1))
        mirrors.whole(("x", 1), node=3)
        mirrors.changes.clear()
        mirrors.mirrors.left(2)
        assert mirrors.news() == [(2, "x", None), (2, "y", None)]
        assert (len(mirrors.mirrors), known) == (1, ["known"])

    def test_is_not_waited_for(self, mirrors):
        known = mirrors.hold()
        mirrors.whole(node=3)
        mirrors.take(Begin(T), Part(T, [("x", 1)]))
        mirrors.mirrors.left(2)
        assert (known, mirrors.news()) == (["known"], [])

    def test_is_told_of_with_the_last_kind_last(self, mirrors):
        mirrors.mirrors.last = "sessions"
        for table in ("sessions", "others"):
            mirrors.hold(table)
            mirrors.whole(("x", 1), table=table)
        mirrors.changes.clear()
        mirrors.mirrors.left(2)
        assert [one.table for one in mirrors.changes] == ["others", "sessions"]

    def test_is_told_of_in_steps(self, mirrors):
        mirrors.hold()
        mirrors.whole(*[(f"k{number}", 1) for number in range(GONE_IN_A_STEP)], ("last", 1))
        mirrors.changes.clear()
        mirrors.mirrors.left(2)
        assert len(mirrors.news()) == GONE_IN_A_STEP + 1


def test_a_node_that_cannot_be_told_is_named(mirrors):
    mirrors.peers.deaf = {3}
    mirrors.hold()
    assert mirrors.failed == [3]


@pytest.mark.interpreted
def test_the_entries_of_all_are_bounded(mirrors, monkeypatch):
    monkeypatch.setattr(table_mirrors, "MAX_ENTRIES", 2)
    mirrors.hold()
    mirrors.whole(("x", 1), ("y", 1), ("z", 1))
    assert (len(mirrors.mirrors), mirrors.mirrors.overflowed) == (2, 1)
    mirrors.take(Drop(T, "z"), Drop(T, "x"), Put(T, "z", 1))
    assert mirrors.news() == [(2, "x", None), (2, "z", 1)]


@pytest.mark.interpreted
def test_who_comes_back_before_all_is_told_is_told_of_in_order(mirrors):
    mirrors.hold()
    keys = list(range(5 * GONE_IN_A_STEP))
    mirrors.whole(*((key, "old") for key in keys))
    mirrors.whole(node=3)
    # Only a step of it is done at once, and the node comes back meanwhile: as the same one, or as another.
    mirrors.mirrors._slices = steps = Steps()
    mirrors.mirrors.left(2)
    steps.go()
    mirrors.mirrors.joined(2)
    mirrors.whole(*((key, "new") for key in keys))
    while steps.go():
        pass
    told = {}
    for _, key, value in mirrors.news():
        told.setdefault(key, []).append(value)
    assert told == {key: [None, "new"] for key in keys}


class Steps:
    """Does one step when it is told to."""

    def run(self, work):
        self.work = work

    def go(self):
        return next(self.work, "over") != "over"
