from support.cluster.fake_peers import FakePeers

from radiod.core.cluster.callee_letters import (
    Added,
    Begin,
    CalleeFacts,
    End,
    Left,
    Part,
    Removed,
    read_callees,
)
from radiod.core.cluster.callee_news import PART_BYTES, CalleeNews


def facts(session, signature=b""):
    return CalleeFacts(
        session, "a", "b", (), "exact", "a.p", "first", 5.0, 1, None, False, False, False, signature
    )


def make(*nodes):
    peers = FakePeers(*nodes)
    return CalleeNews(peers, "callees"), peers


def test_changes_are_numbered_and_told_to_all():
    news, peers = make(2, 3)
    news.added(9, facts(7))
    news.added(9, facts(8), takes_over=True)
    news.removed(7, 9)
    news.left(7)
    expected = [Added(1, facts(7)), Added(2, facts(8), True), Removed(3, 7, 9), Left(4, 7)]
    assert peers.take_told(read_callees) == [(node, one) for one in expected for node in (2, 3)]


def test_what_the_others_never_knew_is_not_told_of():
    news, peers = make(2)
    news.removed(7, 9)
    news.left(7)
    assert peers.told == []


def test_all_is_told_in_parts():
    news, peers = make(2)
    for session in range(10):
        news.added(9, facts(session, b"x" * (PART_BYTES // 4)))
    peers.told.clear()
    news.snapshot(2)
    letters = [letter for _, letter in peers.take_told(read_callees)]
    assert (letters[0], letters[-1]) == (Begin(10), End())
    parts = [letter.callees for letter in letters[1:-1]]
    assert [one.session for part in parts for one in part] == list(range(10))
    assert max(map(len, parts)) <= 4


def test_who_could_not_be_told_is_told_all_later():
    news, peers = make(2, 3)
    news.added(9, facts(7))
    peers.told.clear()
    peers.deaf.add(2)
    news.removed(7, 9)
    assert peers.take_told(read_callees) == [(3, Removed(2, 7, 9))]
    news.look_after()
    assert peers.told == []
    peers.deaf.clear()
    news.look_after()
    assert peers.take_told(read_callees) == [(2, Begin(2)), (2, Part(())), (2, End())]
    news.look_after()
    assert peers.told == []


def test_who_is_dead_is_not_told_any_more():
    news, peers = make(2)
    news.added(9, facts(7))
    peers.deaf.add(2)
    news.removed(7, 9)
    peers.deaf.clear()
    peers.nodes.clear()
    news.look_after()
    peers.nodes.append(2)
    peers.told.clear()
    news.look_after()
    assert peers.told == []


def test_another_incarnation_has_told_nothing():
    news, peers = make(2)
    news.added(9, facts(7))
    news.begin_anew()
    peers.told.clear()
    news.removed(7, 9)
    news.left(7)
    assert (peers.told, news.told) == ([], {})
