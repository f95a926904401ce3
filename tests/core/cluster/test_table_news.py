"""What a node tells of its tables."""

import pytest
from support.cluster.fake_peers import FakePeers

from radiod.core.cluster import table_news
from radiod.core.cluster.fences import Fences
from radiod.core.cluster.table_letters import Begin, Drop, End, Fence, Part, Put, read_tables, write_tables
from radiod.core.cluster.table_news import IN_A_PART, TableNews
from radiod.core.slices import Slices
from radiod.errors import NETWORK_FAILURE, Refused
from radiod.testing import FakeClock


class Source:
    def __init__(self, **entries):
        self.entries = entries

    def keys(self, table):
        return list(self.entries)

    def value(self, table, key):
        return self.entries.get(key)


class SlowClock(FakeClock):
    """Every look at it takes so long that a slice is over."""

    def seconds(self):
        self._now += 0.01
        return super().seconds()


class News:
    def __init__(self, *nodes, clock=None):
        self.clock = clock or FakeClock()
        self.peers = FakePeers(*nodes)
        self.failed = []
        slices = Slices(self.clock, self.clock.timers)
        self.fences = Fences(self.peers, "tables", self.clock, self.clock.timers, write_tables(Fence()))
        self.news = TableNews(self.peers, "tables", slices, self.fences, self.failed.append)
        self.source = Source(x=1, y=2)
        self.news.offer("kind", self.source)

    def told(self):
        return self.peers.take_told(read_tables)


@pytest.fixture
def news():
    return News(2, 3)


WHOLE = [Begin("kind t"), Part("kind t", [("x", 1), ("y", 2)]), End("kind t")]


def test_who_mirrors_a_table_is_told_all_and_then_each_change(news):
    news.news.watch(2, "kind t")
    assert news.told() == [(2, letter) for letter in WHOLE]
    news.news.put("kind t", "z", 3)
    news.news.drop("kind t", "x")
    news.news.drop("kind t", "y", is_quiet=True)
    changes = [Put("kind t", "z", 3), Drop("kind t", "x"), Drop("kind t", "y", True)]
    assert news.told() == [(2, letter) for letter in changes]


class TestSurely:
    """An entry that others are to have before something else happens."""

    def test_is_kept_when_all_who_mirror_it_have_it(self, news):
        for node in (2, 3):
            news.news.watch(node, "kind t")
        news.told()
        kept = []
        news.news.put_surely("kind t", "z", 3).then(kept.append)
        assert news.told() == [(node, Put("kind t", "z", 3)) for node in (2, 3)]
        news.clock.advance(0)
        assert news.told() == [(node, Fence()) for node in (2, 3)]
        for answer in news.peers.asked:
            assert kept == []
            answer.settle(b"")
        assert (kept, news.failed) == ([None], [])

    def test_nobody_is_waited_for_who_does_not_mirror_it(self, news):
        news.news.watch(2, "kind other")
        assert news.news.put_surely("kind t", "z", 3) is None

    def test_whoever_cannot_be_told_is_named_and_not_waited_for(self, news):
        for node in (2, 3):
            news.news.watch(node, "kind t")
        news.peers.deaf = {2}
        kept = []
        news.news.put_surely("kind t", "z", 3).then(kept.append)
        news.clock.advance(0)
        assert (kept, news.failed) == ([], [2])
        news.peers.asked[1].settle(Refused(NETWORK_FAILURE, "it is gone"))
        # Whoever is slow has the letters that were sent, or notices that they are missing.
        assert (kept, news.failed) == ([None], [2])


def test_an_empty_table_is_told_too(news):
    news.source.entries.clear()
    news.news.watch(2, "kind t")
    assert news.told() == [(2, Begin("kind t")), (2, End("kind t"))]


def test_what_nobody_mirrors_is_told_to_nobody(news):
    news.news.put("kind t", "z", 3)
    news.news.watch(2, "kind other")
    news.told()
    news.news.drop("kind t", "z")
    assert news.told() == []


def test_who_does_not_mirror_it_any_more_is_told_nothing(news):
    for node in (2, 3):
        news.news.watch(node, "kind t")
    news.news.unwatch(2, "kind t")
    news.news.unwatch(2, "kind t")
    news.told()
    news.news.put("kind t", "z", 3)
    assert news.told() == [(3, Put("kind t", "z", 3))]
    news.news.forget(3)
    news.news.put("kind t", "z", 4)
    assert (news.told(), len(news.news)) == ([], 0)


def test_a_kind_that_nobody_has_is_not_told(news):
    news.news.watch(2, "strange")
    assert (news.told(), len(news.news)) == ([], 0)


def test_who_asks_again_is_told_all_again(news):
    news.news.watch(2, "kind t")
    news.told()
    news.news.again(2)
    news.news.again(3)
    assert news.told() == [(2, letter) for letter in WHOLE]


def test_a_node_that_cannot_be_told_is_named(news):
    news.peers.deaf = {2}
    news.news.watch(2, "kind t")
    assert set(news.failed) == {2}


class TestALongTable:
    """Told in parts, each as things are when it is sent."""

    @pytest.fixture
    def long(self):
        news = News(2, 3, clock=SlowClock())
        news.source.entries = {f"k{number:03}": number + 1 for number in range(2 * IN_A_PART + 1)}
        news.news.watch(2, "kind t")
        return news

    def part(self, start, end):
        return Part("kind t", [(f"k{number:03}", number + 1) for number in range(start, end)])

    def test_comes_in_parts(self, long):
        long.clock.advance(1)
        letters = [letter for _, letter in long.told()]
        n = IN_A_PART
        parts = [self.part(0, n), self.part(n, 2 * n), self.part(2 * n, 2 * n + 1)]
        assert letters == [Begin("kind t"), *parts, End("kind t")]

    def test_what_changes_meanwhile_is_told_as_it_is(self, long):
        long.told()
        last = f"k{2 * IN_A_PART:03}"
        del long.source.entries[last]
        long.news.drop("kind t", last)
        long.clock.advance(1)
        letters = [letter for _, letter in long.told()]
        n = IN_A_PART
        assert letters == [
            Drop("kind t", last),
            self.part(n, 2 * n),
            Part("kind t", []),
            End("kind t"),
        ]

    def test_who_lets_go_of_it_is_not_told_the_rest(self, long):
        long.told()
        long.news.unwatch(2, "kind t")
        long.clock.advance(1)
        assert long.told() == []

    def test_who_asks_anew_is_told_the_new_one_to_its_end_only(self, long):
        long.news.watch(2, "kind t")
        long.clock.advance(1)
        letters = [letter for _, letter in long.told()]
        assert letters.count(End("kind t")) == 1
        assert letters[-1] == End("kind t")


@pytest.mark.interpreted
def test_of_more_tables_than_agreed_nobody_is_told(news, monkeypatch):
    monkeypatch.setattr(table_news, "MAX_WATCHED", 1)
    for node, table in ((2, "kind t"), (2, "kind u"), (3, "kind t")):
        news.news.watch(node, table)
    assert news.news.watched_by(2) == news.news.watched_by(3) == ["kind t"]
