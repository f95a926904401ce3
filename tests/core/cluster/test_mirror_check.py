"""Mirrors are compared with what they mirror, while all goes on."""

import pytest
from support.cluster.desks import DeskWorld
from support.cluster.fake_peers import FakePeers

from radiod.core.cluster.check_letters import AskAll, AskSums, Finding, read_sums, write
from radiod.core.cluster.mirror_check import ALL_S, MirrorCheck
from radiod.core.cluster.peers import Answers
from radiod.core.cluster.sums import NOTHING, Sum
from radiod.core.promises import Promise
from radiod.errors import NETWORK_FAILURE, Refused


@pytest.fixture
def world():
    return DeskWorld("a", "b", "c")


def check(world, name, seconds=0.2):
    """What a node finds: (kind, whose) -> (owned, mirrored, is the same)."""
    found = []
    world[name].cluster.check.check().then(found.append)
    world.advance(seconds)
    return {(one.what, one.of): (one.owned, one.mirrored, one.is_same) for one in found[0]}


def watching(world, name):
    peer = world.caller(name, "watcher")
    for topic in ("wamp.session.on_join", "wamp.subscription.on_create"):
        assert peer.ask(32, {}, topic)[0] == 33
    return peer


def test_what_is_mirrored_is_the_same(world):
    watching(world, "a")
    there = world.caller("b", "there")
    assert there.ask(32, {}, "some.topic")[0] == 33
    assert there.ask(64, {}, "some.procedure")[0] == 65
    found = check(world, "a")
    assert found["sessions", "b"] == (1, 1, True)
    assert found["sessions", "c"] == (0, 0, True)
    assert found["subscribers", "b"] == (1, 1, True)
    assert found["callees", "b"] == (1, 1, True)
    assert found["nodes", "c"] == (3, 3, True)
    assert found["claims", "NATS"][2]
    assert found["channels", "claims"] == (0, 0, True)
    assert found["subscriptions", "subscribers"] == (1, 1, True)
    # Nobody at b wants to know.
    assert ("sessions", "a") not in check(world, "b")


def test_what_a_mirror_lacks_shows(world):
    watching(world, "a")
    world.caller("b", "there")
    world.turn()
    node = world["b"].cluster.nodes.me
    world["a"].realm.tables.mirrors.entries("sessions", node).clear()
    assert check(world, "a")["sessions", "b"] == (1, 0, False)


def test_what_is_counted_wrongly_shows(world):
    watching(world, "a")
    world["a"].realm.events.pairs[7] = 1
    assert check(world, "a")["subscriptions", "subscribers"] == (0, 1, False)


def test_it_is_the_same_while_all_goes_on(world):
    watching(world, "a")
    found = []
    for number in range(50):
        peer = world.join("b", f"guest {number}")
        world["a"].cluster.check.check().then(found.append)
        world.advance(0.0003)
        if number % 2:
            peer.leave()
    world.advance(0.5)
    sessions = [one for findings in found for one in findings if (one.what, one.of) == ("sessions", "b")]
    assert len(sessions) == 50
    assert len({one.owned for one in sessions}) > 5
    assert [one for one in sessions if not one.is_same] == []


def test_a_channel_of_a_session_is_compared_with_its_claim(world):
    creator = world.caller("b", "creator")
    assert creator.do("radiod.channel.create", "made")["name"] == "made"
    assert check(world, "c")["channels", "claims"] == (1, 1, True)


def test_every_node_checks_its_own(world):
    watching(world, "a")
    found = []
    world["b"].cluster.check.check_all().then(found.append)
    world.advance(0.5)
    findings, unanswered = found[0]
    assert (sorted(findings), unanswered) == (["a", "b", "c"], ())
    assert all(one.is_same for each in findings.values() for one in each)
    assert [one.of for one in findings["a"] if one.what == "sessions"] == ["b", "c"]


def test_a_node_that_does_not_answer_is_named(world):
    watching(world, "a")
    world["c"].clock.pause()
    found = []
    world["a"].cluster.check.check_all().then(found.append)
    world.advance(ALL_S + 1)
    findings, unanswered = found[0]
    assert unanswered == ("c",)
    silent = [one for one in findings["a"] if one.of == "c"]
    assert {(one.owned, one.is_same) for one in silent} == {(-1, False)}


class Part:
    """Has one table, and mirrors ``tables``."""

    def __init__(self, tables, mirrored=NOTHING):
        self.tables = tables
        self._mirrored = mirrored

    def mirrored(self):
        return self.tables

    def own(self, table):
        return Sum(1, len(table))

    def of(self, table, node):
        return self._mirrored


class Asked(FakePeers):
    """Answers every question with the same."""

    def __init__(self, answer, *nodes):
        super().__init__(*nodes)
        self.answer = answer
        self.questions = 0

    def ask(self, node, about, data, seconds):
        self.questions += 1
        given = Promise()
        given.settle(self.answer)
        return given

    def ask_all(self, about, data, seconds):
        given = Promise()
        given.settle(Answers(dict.fromkeys(self.nodes, self.answer), ()))
        return given


def checked(peers, *parts):
    check = MirrorCheck(peers)
    for number, part in enumerate(parts):
        check.add("r", str(number), part)
    found = []
    check.check().then(found.append)
    return found[0]


def test_of_many_tables_some_are_named():
    peers = Asked(write([]), 2)
    found = checked(peers, Part([f"present {number}" for number in range(1200)]))
    assert peers.questions == 3
    assert found == [Finding("r", "present", "n2", -1, 0, False, ["node n2 does not tell"])]
    few = [f"present {number}" for number in range(9)]
    peers = Asked(bytes([0x99]) + bytes([0x92, 1, 5]) * 9, 2)
    assert checked(peers, Part(few, Sum(1, 6))) == [
        Finding("r", "present", "n2", 9, 9, False, few[:5]),
    ]
    assert checked(peers, Part(few, Sum(1, 5))) == [Finding("r", "present", "n2", 9, 9, True, [])]


def test_whoever_answers_otherwise_does_not_tell():
    refused = Asked(Refused(NETWORK_FAILURE, "gone"), 2)
    assert checked(refused, Part(["x"]))[0].differ == [str(refused.answer)]
    assert checked(Asked(b"\xc1", 2), Part(["x"]))[0].differ == ["node n2 does not tell"]
    found = []
    MirrorCheck(Asked(b"\xc1", 2)).check_all().then(found.append)
    assert found == [({"n1": []}, ("n2",))]


def test_a_comparison_that_fails_is_no_same():
    check = MirrorCheck(FakePeers())
    late = Promise()
    check.compare("", "claims", "NATS", lambda: late)
    found = []
    check.check().then(found.append)
    assert found == []
    late.settle(Refused(NETWORK_FAILURE, "nobody"))
    assert [(one.owned, one.is_same) for one in found[0]] == [(-1, False)]


def test_questions_are_answered():
    peers = FakePeers()
    check = MirrorCheck(peers)
    check.add("r", "part", Part([]))
    answer = peers.handlers["check"]
    assert read_sums(answer(2, write(AskSums("r part", ["x", "yy"])))) == [(1, 1), (1, 2)]
    assert read_sums(answer(2, write(AskSums("r other", ["x"])))) == []
    assert answer(2, b"\xc1") is None
    assert peers.malformed == [("check", 2)]
    assert isinstance(answer(2, write(AskAll())), Promise)
