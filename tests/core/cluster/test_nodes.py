import pytest
from support.cluster.nodes import Cluster, DrawnIds, Watcher
from support.cluster.world import ClusterWorld

from radiod.core.cluster.letters import PROTOCOL, Beat, Buried, Told, decode, encode
from radiod.core.cluster.membership import MAX_NODES
from radiod.core.cluster.nodes import Nodes, NodeSettings
from radiod.core.promises import Promise
from radiod.errors import Refused


@pytest.fixture
def cluster():
    made = Cluster("a", "b", "c")
    made.clock.advance(1.5)
    for watcher in made.watchers.values():
        watcher.take()
    return made


def outcome(promise):
    found = []
    promise.then(found.append)
    return found


class TestComing:
    def test_all_let_each_other_in(self):
        cluster = Cluster("a", "b", "c")
        cluster.clock.advance(0.1)
        assert [cluster.names(name) for name in "abc"] == [["b", "c"], ["a", "c"], ["a", "b"]]
        assert sorted(cluster.watchers["a"].take()) == [("joined", "b"), ("joined", "c")]

    def test_who_watches_later_is_told_of_those_who_are_there(self, cluster):
        late = Watcher(cluster.nodes["a"])
        cluster.nodes["a"].watch(late)
        assert sorted(late.take()) == [("joined", "b"), ("joined", "c")]

    def test_a_node_is_settled_once_it_has_looked_around(self):
        cluster = Cluster("a")
        settled = outcome(cluster.settled)
        cluster.clock.advance(0.9)
        assert settled == []
        cluster.clock.advance(0.2)
        assert settled == [None]

    def test_one_that_lost_its_connection_meanwhile_is_settled_behind_the_next(self):
        cluster = Cluster("a")
        settled = outcome(cluster.settled)
        cluster.clock.advance(0.5)
        cluster.engine.disconnect("a")
        cluster.clock.advance(2)
        assert settled == []
        cluster.engine.connect("a")
        cluster.clock.advance(1.1)
        assert settled == [None]

    def test_one_that_stops_before_it_starts_says_nothing(self):
        cluster = Cluster()
        nodes = Nodes(
            NodeSettings("r", "a"), cluster.clock, cluster.clock.timers, DrawnIds(cluster.chance), print
        )
        nodes.stop()
        cluster.clock.advance(5)
        assert nodes.live() == []

    def test_what_is_no_letter_is_nothing(self, cluster):
        one = cluster.nodes["a"]
        one.came(one.post.subject(one.me), "", b"?")
        assert cluster.names("a") == ["b", "c"]

    def test_what_is_told_to_all_instead_of_one_is_nothing(self, cluster):
        one = cluster.nodes["a"]
        one.came("r.nodes", "", encode(Buried(cluster.nodes["b"].me, 5)))
        assert cluster.names("a") == ["b", "c"]

    def test_two_of_one_name_are_not_let_in_together(self, cluster):
        cluster.add("b", port="other b")
        cluster.clock.advance(5)
        assert cluster.names("a") == ["b", "c"]
        assert cluster.names("other b") == []
        assert cluster.nodes["other b"].is_isolated
        assert ("a", "two nodes are called b: the second is not let in") in cluster.lines
        assert ("b", "another node is called b: they do not let each other in") in cluster.lines
        assert len([line for line in cluster.lines if "are called b" in line[1]]) == 2

    def test_one_that_is_started_anew_is_let_in_as_soon_as_the_engine_misses_the_old_one(self, cluster):
        cluster.kill("b")
        cluster.add("b", port="b again")
        cluster.clock.advance(1.5)
        assert cluster.names("a") == ["b", "c"]
        assert cluster.names("b again") == ["a", "c"]

    def test_one_that_speaks_another_version_is_not_let_in(self, cluster):
        data = encode(Beat(17, "d", PROTOCOL + 1, 0, "", {}))
        for node in cluster.nodes.values():
            node.came("r.nodes", "", data)
        assert cluster.names("a") == ["b", "c"]
        line = "node d speaks version 2 of the protocol, this one 1: they do not let each other in"
        assert ("a", line) in cluster.lines

    def test_another_configuration_is_said_once_and_let_in(self, cluster):
        cluster.add("d", digest="other")
        cluster.clock.advance(5)
        assert cluster.names("a") == ["b", "c", "d"]
        assert cluster.lines.count(("a", "node d has another configuration")) == 1


class TestGoing:
    def test_who_says_goodbye_has_left_at_once(self, cluster):
        gone = cluster.nodes["c"].me
        cluster.nodes["c"].stop()
        cluster.clock.advance(0.1)
        assert cluster.names("a") == ["b"]
        assert cluster.watchers["a"].take() == [("left", gone)]

    def test_who_is_killed_is_dead_as_soon_as_the_engine_misses_it(self, cluster):
        cluster.kill("c")
        cluster.clock.advance(4)
        assert cluster.names("a") == ["b"]

    def test_who_is_cut_off_is_dead_in_time(self, cluster):
        cluster.engine.cut("a", "c")
        cluster.engine.cut("b", "c")
        cluster.clock.advance(3.9)
        assert cluster.names("a") == ["b", "c"]
        cluster.clock.advance(2.1)
        assert cluster.names("a") == ["b"]
        assert not cluster.nodes["a"].is_isolated

    def test_who_was_alone_comes_back_as_a_new_one_and_the_others_stay(self, cluster):
        before = {name: cluster.nodes[name].me for name in "abc"}
        reborn = []
        cluster.nodes["c"].reborn.append(lambda: reborn.append(cluster.nodes["c"].me))
        cluster.engine.cut("a", "c")
        cluster.engine.cut("b", "c")
        cluster.clock.advance(8)
        told = cluster.watchers["c"].take()
        assert told[0] == ("isolated",)
        assert sorted(told[1:]) == sorted([("left", before["a"]), ("left", before["b"])])
        cluster.engine.heal()
        cluster.clock.advance(3)
        after = {name: cluster.nodes[name].me for name in "abc"}
        assert {name for name in "abc" if before[name] != after[name]} == {"c"}
        assert reborn == [after["c"]]
        told = cluster.watchers["c"].take()
        assert sorted(told) == [("healed",), ("joined", "a"), ("joined", "b")]
        assert [cluster.names(name) for name in "abc"] == [["b", "c"], ["a", "c"], ["a", "b"]]

    def test_one_that_comes_back_as_a_new_one_is_not_there_twice(self, cluster):
        before, after = cluster.nodes["b"].me, 4711
        # Its goodbye was lost.
        beat = Beat(after, "b", PROTOCOL, before, "", {cluster.nodes["a"].me: 0})
        cluster.nodes["a"].came("r.nodes", "", encode(beat))
        assert cluster.watchers["a"].take() == [("left", before), ("joined", "b")]
        assert [other.incarnation for other in cluster.nodes["a"].others if other.name == "b"] == [after]

    def test_what_one_hears_of_itself_as_it_was_is_nothing(self, cluster):
        one = cluster.nodes["c"]
        before = one.me
        one.came(one.post.subject(before), "", encode(Buried(cluster.nodes["a"].me, 1)))
        assert one.me != before
        assert ("c", "this node comes back as a new one: another has taken it for dead") in cluster.lines
        for self_told in (before, one.me):
            one.came("r.nodes", "", encode(Beat(self_told, "c", PROTOCOL, 0, "", {})))
        assert not [line for line in cluster.lines if "is called" in line[1]]

    def test_who_was_taken_for_dead_and_writes_is_told_so(self, cluster):
        one, dead = cluster.nodes["a"], cluster.nodes["c"].me
        cluster.kill("c")
        cluster.clock.advance(4)
        sent = []
        one.post.bus.send = lambda subject, data, reply="": not sent.append((subject, decode(data)))
        one.came(one.post.subject(one.me), "", encode(Told(dead, 9, "it", b"x")))
        one.came(one.post.subject(one.me), "", encode(Told(4711, 9, "it", b"x")))
        assert sent == [(f"r.node.{dead}", Buried(one.me, 1))]

    def test_who_slept_takes_nobody_for_dead_before_it_has_listened(self):
        world = ClusterWorld("a", "b", "c")
        world.advance(2.9)
        watcher = Watcher(world["a"].cluster.nodes)
        world["a"].cluster.nodes.watch(watcher)
        watcher.take()
        world.pause("a")
        world.advance(4.9)
        world.resume("a")
        world.advance(5)
        assert watcher.take() == []

    def test_a_cut_between_two_that_others_do_not_see_has_one_of_them_come_anew(self, cluster):
        before = {name: cluster.nodes[name].me for name in "abc"}
        cluster.engine.cut("a", "b")
        cluster.clock.advance(8)
        assert [cluster.names(name) for name in "abc"] == [["c"], ["c"], ["a", "b"]]
        cluster.engine.heal()
        cluster.clock.advance(4)
        assert [cluster.names(name) for name in "abc"] == [["b", "c"], ["a", "c"], ["a", "b"]]
        after = {name: cluster.nodes[name].me for name in "abc"}
        assert len({name for name in "abc" if before[name] != after[name]}) == 1

    def test_a_short_cut_changes_nothing(self, cluster):
        cluster.engine.cut("a", "b")
        cluster.clock.advance(3)
        cluster.engine.heal()
        cluster.clock.advance(3)
        assert [cluster.watchers[name].take() for name in "abc"] == [[], [], []]

    def test_a_lost_connection_for_a_moment_changes_nothing(self, cluster):
        cluster.engine.disconnect("b")
        cluster.clock.advance(1.4)
        cluster.engine.connect("b")
        cluster.clock.advance(3)
        assert [cluster.watchers[name].take() for name in "abc"] == [[], [], []]

    def test_all_find_each_other_again_when_the_engine_was_gone(self, cluster):
        for name in "abc":
            cluster.engine.disconnect(name)
        cluster.clock.advance(10)
        assert all(cluster.nodes[name].is_isolated for name in "abc")
        for name in "abc":
            cluster.engine.connect(name)
        cluster.clock.advance(5)
        assert [cluster.names(name) for name in "abc"] == [["b", "c"], ["a", "c"], ["a", "b"]]
        assert not any(cluster.nodes[name].is_isolated for name in "abc")


class TestIsolation:
    def test_the_last_of_all_is_not_isolated_if_the_others_said_goodbye(self, cluster):
        cluster.nodes["b"].stop()
        cluster.nodes["c"].stop()
        cluster.clock.advance(20)
        assert not cluster.nodes["a"].is_isolated

    def test_who_reaches_most_of_the_engine_is_not_isolated(self, cluster):
        cluster.nodes["a"].probe = lambda reached: reached()
        cluster.kill("b")
        cluster.kill("c")
        cluster.clock.advance(20)
        assert ("isolated",) not in cluster.watchers["a"].take()

    def test_without_an_engine_one_is(self, cluster):
        cluster.engine.disconnect("a")
        cluster.clock.advance(1.4)
        assert not cluster.nodes["a"].is_isolated
        cluster.clock.advance(2)
        assert cluster.nodes["a"].is_isolated


class TestTelling:
    def test_what_is_told_arrives_in_order(self, cluster):
        told = []
        cluster.nodes["b"].take("it", lambda node, data: told.append((cluster.nodes["b"].name(node), data)))
        for data in (b"1", b"2", b"3"):
            assert cluster.nodes["a"].tell(cluster.nodes["b"].me, "it", data)
        cluster.clock.advance(0.1)
        assert told == [("a", b"1"), ("a", b"2"), ("a", b"3")]

    def test_a_question_is_answered_also_later(self, cluster):
        later = Promise()
        cluster.nodes["b"].take("it", lambda node, data: later if data == b"late" else data * 2)
        b = cluster.nodes["b"].me
        at_once = outcome(cluster.nodes["a"].ask(b, "it", b"x", 5))
        late = outcome(cluster.nodes["a"].ask(b, "it", b"late", 5))
        cluster.clock.advance(0.1)
        assert (at_once, late) == ([b"xx"], [])
        later.settle(b"there")
        cluster.clock.advance(0.1)
        assert late == [b"there"]

    def test_a_refusal_is_an_answer(self, cluster):
        def refuse(node, data):
            raise Refused("com.example.no", "never")

        cluster.nodes["b"].take("it", refuse)
        (error,) = self.asked(cluster)
        assert (error.uri, error.text) == ("com.example.no", "never")

    def asked(self, cluster, seconds=5):
        asked = outcome(cluster.nodes["a"].ask(cluster.nodes["b"].me, "it", b"x", seconds))
        cluster.clock.advance(6)
        return asked

    def test_who_does_not_answer_in_time_is_named(self, cluster):
        cluster.nodes["b"].take("it", lambda node, data: Promise())
        (error,) = self.asked(cluster, 2)
        assert (error.uri, error.text) == ("wamp.error.network_failure", "node b did not answer in 2 s")

    def test_who_dies_answers_no_more(self, cluster):
        cluster.nodes["b"].take("it", lambda node, data: Promise())
        asked = outcome(cluster.nodes["a"].ask(cluster.nodes["b"].me, "it", b"x", 60))
        cluster.kill("b")
        cluster.clock.advance(4)
        (error,) = asked
        assert error.uri == "wamp.error.network_failure"

    def test_who_is_not_there_is_not_told(self, cluster):
        assert not cluster.nodes["a"].tell(5, "it", b"x")
        (error,) = outcome(cluster.nodes["a"].ask(5, "it", b"x", 5))
        assert error.uri == "wamp.error.network_failure"

    def test_what_did_not_come_is_noticed_before_the_next_letter(self, cluster):
        told = []
        cluster.nodes["b"].take("it", lambda node, data: told.append(data))
        b = cluster.nodes["b"].me
        cluster.nodes["a"].tell(b, "it", b"1")
        cluster.clock.advance(0.1)
        cluster.engine.cut("a", "b")
        cluster.nodes["a"].tell(b, "it", b"2")
        cluster.clock.advance(0.1)
        cluster.engine.heal()
        cluster.clock.advance(0.01)
        cluster.nodes["a"].tell(b, "it", b"3")
        cluster.nodes["b"].watch(marking := Marking(told))
        assert marking
        cluster.clock.advance(0.1)
        assert told == [b"1", "gap", b"3"]

    def test_a_beat_tells_that_the_last_letter_did_not_come(self, cluster):
        cluster.engine.cut("a", "b")
        cluster.nodes["a"].tell(cluster.nodes["b"].me, "it", b"1")
        cluster.clock.advance(0.01)
        cluster.engine.heal()
        cluster.clock.advance(1.1)
        assert cluster.watchers["b"].take() == [("gap", "a")]

    def test_a_question_that_was_lost_ends_then(self, cluster):
        cluster.engine.cut("a", "b")
        asked = outcome(cluster.nodes["a"].ask(cluster.nodes["b"].me, "it", b"x", 60))
        cluster.clock.advance(0.01)
        cluster.engine.heal()
        cluster.clock.advance(1.5)
        (error,) = asked
        assert error.text == "the way to node b broke"

    def test_all_are_asked_and_who_does_not_answer_is_named(self, cluster):
        b, c = cluster.nodes["b"], cluster.nodes["c"]
        b.take("it", lambda node, data: b"b")
        c.take("it", lambda node, data: Promise())
        asked = outcome(cluster.nodes["a"].ask_all("it", b"", 1))
        cluster.clock.advance(1.5)
        (answers,) = asked
        assert answers.given == {b.me: b"b"}
        assert answers.unanswered == ("c",)


class Marking:
    """Notes gaps among what is told."""

    def __init__(self, told):
        self._told = told

    def joined(self, node):
        pass

    def gap(self, node):
        self._told.append("gap")


class TestTellingAll:
    def test_it_is_kept_when_all_have_taken_it_in(self, cluster):
        slow = Promise()
        told = []
        cluster.nodes["b"].take("it", lambda node, data: told.append(("b", data)))
        cluster.nodes["c"].take("it", lambda node, data: slow)
        done = outcome(cluster.nodes["a"].tell_all("it", b"x"))
        cluster.clock.advance(0.1)
        assert (told, done) == ([("b", b"x")], [])
        slow.settle(b"")
        cluster.clock.advance(0.1)
        assert done == [None]

    @pytest.mark.parametrize("after", [0.0004, 0.0008, 0.0012, 0.1])
    def test_what_was_lost_is_written_again_and_taken_in_once(self, cluster, after):
        told = []
        cluster.nodes["b"].take("it", lambda node, data: told.append(data))
        done = outcome(cluster.nodes["a"].tell_all("it", b"x"))
        cluster.clock.advance(after if after < 0.1 else 0)
        cluster.engine.cut("a", "b")
        cluster.clock.advance(2)
        cluster.engine.heal()
        cluster.clock.advance(3)
        assert (told, done) == ([b"x"], [None])

    def test_who_dies_needs_not_take_it_in(self, cluster):
        cluster.nodes["c"].take("it", lambda node, data: Promise())
        done = outcome(cluster.nodes["a"].tell_all("it", b"x"))
        cluster.kill("c")
        cluster.clock.advance(4)
        assert done == [None]

    def test_what_cannot_be_sent_is_sent_when_there_is_a_connection(self, cluster):
        told = []
        cluster.nodes["b"].take("it", lambda node, data: told.append(data))
        cluster.engine.disconnect("a")
        done = outcome(cluster.nodes["a"].tell_all("it", b"x"))
        cluster.clock.advance(1)
        cluster.engine.connect("a")
        cluster.clock.advance(1)
        assert (told, done) == ([b"x"], [None])

    def test_it_is_refused_if_too_much_is_not_taken_in_yet(self, cluster):
        one = cluster.nodes["a"]
        while one.post.questions.has_room(2):
            one.post.questions.begin(cluster.nodes["b"].me, "it", b"", lambda answer: None, is_kept=False)
        (refusal,) = outcome(one.tell_all("it", b"x"))
        assert refusal.text == "10000 questions to other nodes wait for an answer"

    def test_nobody_is_told_at_once(self):
        cluster = Cluster("a")
        assert outcome(cluster.nodes["a"].tell_all("it", b"x")) == [None]
        (answers,) = outcome(cluster.nodes["a"].ask_all("it", b"x", 1))
        assert answers == ({}, ())


def test_what_is_answered_where_nobody_is_looked_for_is_no_matter():
    world = Cluster("a", "b")
    world.clock.advance(2)
    for reply in ("r.found.1.x", "r.found.1." + "9" * 5000, "r.found.1.7", ""):
        world.nodes["a"].unreachable(reply)
    world.clock.advance(2)
    assert world.names("a") == ["b"]


def test_what_no_node_writes_is_counted_and_told_once():
    world = Cluster("a", "b")
    world.clock.advance(2)
    a, b = world.nodes["a"], world.nodes["b"]
    for _ in range(2):
        a.came("r.nodes", "", b"?")
        b.tell(a.me, "part", b"")
        a.note_malformed("part", b.me)
    assert a.malformed == 4
    lines = [line for port, line in world.lines if port == "a" and "dropped" in line]
    assert lines == [
        "somebody sends what no node of this version writes, of nodes: it is dropped",
        "node b sends what no node of this version writes, of part: it is dropped",
    ]


@pytest.mark.parametrize("phase", range(11))
@pytest.mark.parametrize("dead_after_s", [2.0, 5.0, 20.0])
@pytest.mark.parametrize("how", ["disconnect", "cut"])
def test_a_node_knows_that_it_is_alone_before_anybody_takes_it_for_dead(phase, dead_after_s, how):
    """So with ``isolated = "close"`` nobody answers any more for what others may have by then."""
    cluster = Cluster("a", "b", "c", dead_after_s=dead_after_s)
    cluster.clock.advance(3 + phase / 10)
    if how == "disconnect":
        cluster.engine.disconnect("a")
    else:
        for other in "bc":
            cluster.engine.cut("a", other)
    while not cluster.nodes["a"].is_isolated:
        assert all("a" in cluster.names(other) for other in "bc")
        cluster.clock.advance(0.05)
    cluster.clock.advance(2 * dead_after_s)
    assert not any("a" in cluster.names(other) for other in "bc")


def test_no_more_nodes_than_agreed_are_met():
    cluster = Cluster("a")
    cluster.clock.advance(2)
    a = cluster.nodes["a"]
    for number in range(1, MAX_NODES + 3):
        a.came("r.nodes", "", encode(Beat(number, f"n{number}", PROTOCOL, 0, "", {})))
    assert len(a._members.known) == MAX_NODES
    lines = [line for _, line in cluster.lines if "no more" in line]
    assert lines == [f"{MAX_NODES} other nodes are known: no more are let in"]
    cluster.clock.advance(10)
    assert len(a._members.known) == 0
