"""What a node learns of another one's callees, letter by letter."""

import pytest
from support.cluster.fake_peers import FakePeers

from radiod.core.cluster.callee_letters import (
    Added,
    Begin,
    CalleeFacts,
    End,
    Left,
    Part,
    Removed,
    Want,
    read_callees,
)
from radiod.core.cluster.callee_mirror import CalleeMirror
from radiod.core.cluster.calls import ClusterDealer
from radiod.core.limits import Limits
from radiod.core.pubsub.announcer import Announcer
from radiod.core.realm.meta_events import MetaEvents
from radiod.testing import FakeClock, RecordingOutbox, SequentialIds, make_realm


def facts(session, procedure="a.p", order=1):
    return CalleeFacts(
        session, "a", "b", (), "exact", procedure, "first", 5.0, order, None, False, False, False, b""
    )


class Mirror:
    def __init__(self, *nodes):
        clock, ids = FakeClock(), SequentialIds()
        self.peers = FakePeers(*nodes)
        self.dealer = ClusterDealer(
            RecordingOutbox(), clock, clock.timers, ids, Limits(), peers=self.peers, realm="radio"
        )
        events = MetaEvents(Announcer(make_realm().space.broker, ids))
        self.mirror = CalleeMirror(self.dealer, events, self.peers, "callees", lambda callee: None)

    def take(self, *letters, node=2):
        return [self.mirror.take(node, letter) for letter in letters]

    def whole(self, *callees, version=0, node=2):
        self.take(Begin(version), Part(callees), End(), node=node)

    @property
    def known(self):
        """(session, procedure) of all."""
        return {
            (callee.session.id, one.procedure) for one in self.dealer.registrations for callee in one.callees
        }

    def wanted(self):
        return [node for node, letter in self.peers.take_told(read_callees) if letter == Want()]


@pytest.fixture
def mirror():
    mirror = Mirror(2, 3)
    mirror.whole(facts(7), version=4)
    assert mirror.known == {(7, "a.p")}
    return mirror


def test_changes_in_order_are_taken_in(mirror):
    assert mirror.take(Added(5, facts(8)), Added(6, facts(7, "a.q")), Removed(7, 7, 17)) == [None] * 3
    assert mirror.known == {(7, "a.p"), (8, "a.p"), (7, "a.q")}
    mirror.take(Left(8, 7), Left(9, 99), Removed(10, 99, 1))
    assert mirror.known == {(8, "a.p")}
    assert mirror.wanted() == []
    assert mirror.mirror.is_whole


def test_who_misses_one_asks_for_all(mirror):
    mirror.take(Added(6, facts(8)))
    assert mirror.wanted() == [2]
    assert not mirror.mirror.is_whole
    mirror.take(Added(7, facts(9)))
    assert mirror.wanted() == []
    mirror.whole(facts(8), facts(9), version=7)
    assert (mirror.known, mirror.mirror.is_whole) == ({(8, "a.p"), (9, "a.p")}, True)


def test_what_comes_late_is_known_when_all_has_come(mirror):
    mirror.take(Added(6, facts(9)))
    (late,) = mirror.take(Added(5, facts(8)))
    answers = []
    late.then(answers.append)
    assert (answers, mirror.known) == ([], {(7, "a.p"), (9, "a.p")})
    mirror.whole(facts(8), version=6)
    assert (answers, mirror.known) == ([b""], {(8, "a.p")})
    assert mirror.take(Added(5, facts(7))) == [None]
    assert mirror.known == {(8, "a.p")}


def test_what_comes_late_of_a_node_that_dies_is_answered(mirror):
    mirror.take(Added(6, facts(9)))
    (late,) = mirror.take(Added(5, facts(8)))
    answers = []
    late.then(answers.append)
    mirror.mirror.left(2)
    assert (answers, mirror.known, len(mirror.dealer.proxies)) == ([b""], set(), 0)


def test_what_changes_while_all_comes_counts(mirror):
    mirror.take(Begin(9), Part((facts(8),)), Removed(10, 8, mirror.dealer.shared.id_of("exact", "a.p")))
    mirror.take(Added(11, facts(7, "a.q")), Part((facts(9),)), End())
    assert mirror.known == {(9, "a.p"), (7, "a.q")}


def test_what_ends_while_all_comes_ends_once(mirror):
    mirror.take(Begin(4), Removed(5, 7, mirror.dealer.shared.id_of("exact", "a.p")), End())
    assert (mirror.known, len(mirror.dealer.proxies)) == (set(), 0)


def test_a_gap_has_all_asked_for_again_until_it_comes(mirror):
    mirror.mirror.gap(2)
    mirror.mirror.gap(99)
    assert mirror.wanted() == [2]
    mirror.mirror.look_after()
    assert mirror.wanted() == [2]
    mirror.take(Begin(4))
    mirror.mirror.look_after()
    assert mirror.wanted() == []


def test_who_joins_is_expected_to_tell_all(mirror):
    mirror.mirror.joined(3)
    mirror.mirror.look_after()
    assert mirror.wanted() == [3]


def test_a_session_without_anything_is_forgotten_with_the_next_whole(mirror):
    mirror.take(Removed(5, 7, mirror.dealer.shared.id_of("exact", "a.p")))
    assert len(mirror.dealer.proxies) == 1
    mirror.whole(version=5)
    assert len(mirror.dealer.proxies) == 0


def test_taking_over_ends_those_before_of_all_nodes(mirror):
    mirror.whole(facts(8, order=2), node=3)
    mirror.take(Added(1, facts(9, order=3), True), node=3)
    assert mirror.known == {(9, "a.p")}
    mirror.take(Added(5, facts(10, order=4)))
    assert mirror.known == {(9, "a.p"), (10, "a.p")}


def test_of_two_procedures_with_one_id_the_first_stays(mirror):
    registrations = mirror.dealer.shared
    (first,) = registrations.of_policy("exact")
    registrations._by_id[registrations.id_of("exact", "a.y")] = first
    mirror.take(Added(5, facts(9, "a.y")))
    assert mirror.known == {(7, "a.p")}
