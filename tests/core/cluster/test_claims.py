import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.cluster.claiming import ClaimWorld

from radiod.core.cluster.claim import Taken
from radiod.core.cluster.claims import MAX_TRIES
from radiod.core.cluster.ports import Stored
from radiod.errors import STORE_UNAVAILABLE, Refused


@pytest.fixture
def three():
    return ClaimWorld()


class TestAClaim:
    def test_is_known_everywhere_soon(self, three):
        claim = three.come(three.nodes[0].claims.create("part", "a", b"1"))
        assert (claim.key, claim.value, claim.node) == ("a", b"1", 100)
        assert [node.all() for node in three.nodes] == [{"a": b"1"}] * 3
        assert [node.heard for node in three.nodes] == [[("a", b"1")]] * 3

    def test_is_made_once_when_all_want_it(self, three):
        promises = [node.claims.create("part", "a", b"%d" % node.me) for node in three.nodes]
        outcomes = [three.come(promise) for promise in promises]
        won = [outcome for outcome in outcomes if not isinstance(outcome, Taken)]
        assert len(won) == 1
        assert all(one.current == won[0] for one in outcomes if isinstance(one, Taken))

    def test_is_changed_by_whoever_has_seen_it_last(self, three):
        first = three.come(three.nodes[0].claims.create("part", "a", b"1"))
        second = three.come(three.nodes[1].claims.change(first, b"2"))
        late = three.come(three.nodes[2].claims.change(first, b"3"))
        assert isinstance(late, Taken)
        assert late.current == second

    def test_that_is_released_may_be_made_anew(self, three):
        claim = three.come(three.nodes[0].claims.create("part", "a", b"1"))
        assert three.come(three.nodes[1].claims.release(claim)) is None
        assert [node.all() for node in three.nodes] == [{}] * 3
        assert three.come(three.nodes[2].claims.create("part", "a", b"2")).value == b"2"

    def test_that_is_released_may_be_made_anew_when_its_end_is_forgotten(self, three):
        claim = three.come(three.nodes[0].claims.create("part", "a", b"1"))
        three.come(three.nodes[1].claims.release(claim))
        three.wait(4000)
        assert three.come(three.nodes[2].claims.create("part", "a", b"2")).value == b"2"

    def test_that_the_mirror_does_not_know_yet_is_found(self, three):
        late = three.nodes[2]
        late.port.unfollow("c.>")
        three.come(three.nodes[0].claims.create("part", "a", b"1"))
        assert late.all() == {}
        assert isinstance(three.come(late.claims.create("part", "a", b"2")), Taken)
        assert late.all() == {"a": b"1"}

    def test_that_the_mirror_still_has_is_asked_for_before_it_refuses(self, three):
        claim = three.come(three.nodes[0].claims.create("part", "a", b"1"))
        late = three.nodes[2]
        late.port.unfollow("c.>")
        three.come(three.nodes[0].claims.release(claim))
        assert late.all() == {"a": b"1"}
        assert three.come(late.claims.create("part", "a", b"2")).value == b"2"

    def test_of_another_part_is_another_claim(self, three):
        three.come(three.nodes[0].claims.create("part", "a", b"1"))
        three.come(three.nodes[1].claims.create("other", "a", b"2"))
        assert three.nodes[2].claims.get("other", "a").value == b"2"
        assert three.nodes[2].all() == {"a": b"1"}
        assert len(three.nodes[2].claims) == 2


class TestAnUpdate:
    def test_of_all_at_once_loses_nothing(self, three):
        def count(current):
            return b"%d" % (1 if current is None else int(current.value) + 1)

        for _ in range(10):
            for node in three.nodes:
                node.claims.update("part", "n", count)
        three.wait(2)
        assert [node.all() for node in three.nodes] == [{"n": b"30"}] * 3

    def test_without_a_change_writes_nothing(self, three):
        three.come(three.nodes[0].claims.create("part", "a", b"1"))
        stored = three.stream.seq
        same = three.come(three.nodes[1].claims.update("part", "a", lambda current: current.value))
        assert (same.value, three.stream.seq) == (b"1", stored)

    def test_that_others_change_for_ever_is_given_up(self, three):
        asked = []

        def decide(current):
            asked.append(current)
            three.engine.store(three.stream, "c." + subject, three.stream.records[-1].data, "", None, 0.0)
            return b"2"

        three.come(three.nodes[0].claims.create("part", "a", b"1"))
        subject = three.stream.records[-1].subject.removeprefix("c.")
        outcome = three.come(three.nodes[1].claims.update("part", "a", decide), 5)
        assert (outcome.uri, len(asked)) == (STORE_UNAVAILABLE, MAX_TRIES)


class TestAClaimWithATimeToLive:
    def test_goes_by_itself_and_is_made_anew(self, three):
        nodes = three.nodes
        claim = three.come(nodes[0].claims.update("part", "a", lambda current: b"1", ttl_s=60.0))
        three.wait(61)
        assert three.told() == {}
        # Nobody tells so: whoever knows when it is over says that.
        assert nodes[1].all() == {"a": b"1"}
        nodes[1].claims.expire(claim)
        assert (nodes[1].all(), nodes[1].heard) == ({}, [("a", b"1"), ("a", None)])
        assert three.come(nodes[1].claims.create("part", "a", b"2")).value == b"2"
        assert [node.all() for node in nodes] == [{"a": b"2"}] * 3


class TestToReachAClaim:
    def test_is_done_at_once_where_it_is_known(self, three):
        claim = three.come(three.nodes[0].claims.create("part", "a", b"1"))
        assert three.come(three.nodes[1].claims.reach("part", "a", claim.revision), 0) is None

    def test_asks_for_it_where_it_has_not_come(self, three):
        late = three.nodes[2]
        late.port.unfollow("c.>")
        claim = three.come(three.nodes[0].claims.create("part", "a", b"1"))
        assert late.all() == {}
        assert three.come(late.claims.reach("part", "a", claim.revision)) is None
        assert late.all() == {"a": b"1"}

    def test_asks_until_somebody_answers(self, three):
        late = three.nodes[2]
        late.port.unfollow("c.>")
        claim = three.come(three.nodes[0].claims.create("part", "a", b"1"))
        three.engine.elect(3)
        outcomes = []
        late.claims.reach("part", "a", claim.revision).then(outcomes.append)
        three.wait(2)
        assert outcomes == []
        three.wait(2)
        assert (outcomes, late.all()) == ([None], {"a": b"1"})


def test_whoever_wants_to_know_is_told_that_the_mirror_is_whole(three):
    told = []
    three.nodes[0].claims.on_whole.append(lambda: told.append(three.nodes[0].claims.is_ready))
    three.wait(15)
    assert told == [True]


class TestWhenNobodyAgrees:
    def test_an_isolated_node_refuses_at_once(self, three):
        three.nodes[0].is_isolated = True
        refusal = three.come(three.nodes[0].claims.create("part", "a", b"1"), 0)
        assert refusal.uri == STORE_UNAVAILABLE
        assert "cut off" in refusal.text

    def test_without_a_majority_it_is_refused_and_says_that_it_may_be_done(self, three):
        three.engine.cut("n0", "n1")
        three.engine.cut("n0", "n2")
        refusal = three.come(three.nodes[0].claims.create("part", "a", b"1"), 20)
        assert isinstance(refusal, Refused)
        assert "may be done" in refusal.text

    def test_without_a_leader_it_waits_for_one(self, three):
        three.engine.elect(5)
        assert three.come(three.nodes[0].claims.create("part", "a", b"1"), 6).value == b"1"

    def test_without_a_leader_for_long_it_is_refused_and_is_not_done(self, three):
        three.engine.elect(60)
        refusal = three.come(three.nodes[0].claims.create("part", "a", b"1"), 20)
        assert (refusal.uri, "may be done" in refusal.text) == (STORE_UNAVAILABLE, False)

    def test_what_the_mirror_would_refuse_is_refused_by_nobody_without_a_leader(self, three):
        three.come(three.nodes[0].claims.create("part", "a", b"1"))
        three.engine.elect(5)
        refusal = three.come(three.nodes[1].claims.create("part", "a", b"2"))
        assert (refusal.uri, refusal.text) == (
            STORE_UNAVAILABLE,
            "the cluster cannot agree: nobody tells what is claimed",
        )

    def test_what_was_not_answered_is_done_once(self):
        world = ClaimWorld()
        world.engine.mishaps = 1.0
        outcomes = []
        world.nodes[0].claims.create("part", "a", b"1").then(outcomes.append)
        world.wait(0.01)
        world.engine.mishaps = 0.0
        world.wait(5)
        assert [claim.value for claim in outcomes] == [b"1"]
        assert [record.seq for record in world.stream.records] == [outcomes[0].revision]


def test_what_comes_again_or_late_changes_nothing(three):
    claim = three.come(three.nodes[0].claims.create("part", "a", b"1"))
    before = three.stream.records[-1]
    three.come(three.nodes[0].claims.change(claim, b"2"))
    for node in three.nodes:
        node.claims.stored(before)
    assert [node.all() for node in three.nodes] == [{"a": b"2"}] * 3
    three.come(three.nodes[0].claims.release(three.nodes[0].claims.get("part", "a")))
    three.wait(20)
    for node in three.nodes:
        node.claims.stored(before)
    assert [node.all() for node in three.nodes] == [{}] * 3


def test_a_record_that_shows_that_others_are_missing_has_all_of_them_read(three):
    late = three.nodes[2]
    late.port.unfollow("c.>")
    claim = three.come(three.nodes[0].claims.create("part", "a", b"1"))
    three.come(three.nodes[0].claims.create("part", "b", b"1"))
    late.port.follow("c.>")
    three.come(three.nodes[0].claims.change(claim, b"2"))
    assert late.all() == {"a": b"2", "b": b"1"}


def test_what_is_no_claim_is_counted(three):
    three.nodes[0].claims.stored(Stored("c.x.y", 99, 0, b"?"))
    assert three.nodes[0].malformed == ["claims"]


ACTION = st.one_of(
    st.tuples(st.just("add"), st.integers(0, 2), st.sampled_from("ab")),
    st.tuples(st.just("free"), st.integers(0, 2), st.sampled_from("ab")),
    st.tuples(st.just("cut"), st.integers(0, 2)),
    st.tuples(st.just("heal")),
    st.tuples(st.just("elect")),
    st.tuples(st.just("lag"), st.integers(0, 5)),
    st.tuples(st.just("deaf"), st.integers(0, 2)),
    st.tuples(st.just("drop"), st.integers(0, 2)),
    st.tuples(st.just("wait"), st.sampled_from([0.001, 0.3, 5.0, 30.0])),
)


def free(world, number, key):
    world.nodes[number].claims.update("part", f"{key}.free", lambda current: None)
    world.nodes[number].claims.update("part", f"{key}.free", lambda current: b"x")


def cut(world, number):
    for other in {0, 1, 2} - {number}:
        world.engine.cut(f"n{number}", f"n{other}")


def lag(world, records):
    world.stream.lag = records


def drop(world, number):
    world.engine.disconnect(f"n{number}")
    world.engine.connect(f"n{number}")


HAPPENING = {
    "free": free,
    "cut": cut,
    "heal": lambda world: world.engine.heal(),
    "elect": lambda world: world.engine.elect(5.0),
    "lag": lag,
    "deaf": lambda world, number: world.nodes[number].port.followed.clear(),
    "drop": drop,
    "wait": lambda world, seconds: world.wait(seconds),
}


@settings(max_examples=200)
@given(st.lists(ACTION, max_size=30), st.integers(0, 1000))
def test_whatever_happens_nothing_is_done_twice_and_all_mirrors_agree(actions, seed):
    """Each node adds marks to a claim: those that it was told are there stay, and are there once."""
    world = ClaimWorld(seed=seed, mishaps=0.1)
    marks = {}  # (node, key, n) -> None: on its way, True: told that it is there, False: refused

    def add(node, key):
        mark = f"{node.me}.{len(marks)}".encode()
        marks[key, mark] = None

        def decide(current):
            held = [] if current is None else current.value.split()
            return b" ".join([*held, mark] if mark not in held else held)

        def done(outcome):
            marks[key, mark] = not isinstance(outcome, Refused)

        node.claims.update("part", key, decide).then(done)

    for kind, *where in actions:
        if kind == "add":
            add(world.nodes[where[0]], where[1])
        else:
            HAPPENING[kind](world, *where)
    world.engine.heal()
    world.stream.lag = 0
    world.wait(60)
    there = world.told()
    assert [node.all() for node in world.nodes] == [there] * 3
    assert all(len(node.claims.writes) == 0 for node in world.nodes)
    for (key, mark), outcome in marks.items():
        assert outcome is not None
        count = there.get(key, b"").split().count(mark)
        assert count == 1 if outcome else count <= 1


def test_a_claim_that_is_heard_of_while_the_leader_s_answer_is_on_its_way_stays():
    world = ClaimWorld()
    world.engine.answer_s = 0.5
    found = []
    world.nodes[1].claims.refresh("part", "a").then(found.append)
    world.wait(0.1)
    world.come(world.nodes[0].claims.create("part", "a", b"1"))
    world.wait(1)
    assert [claim.value for claim in found] == [b"1"]
    assert world.nodes[1].all() == {"a": b"1"}
    assert world.nodes[1].heard == [("a", b"1")]
