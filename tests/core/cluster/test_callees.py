"""Registrations over all nodes: claimed, known to all, and put right when nodes die and come back."""

import pytest
from support.cluster.calling import CallWorld

from radiod.core.cluster.callee_letters import read_holders
from radiod.core.limits import Limits
from radiod.errors import (
    CLOSE_SUPERSEDED,
    INVALID_URI,
    NETWORK_FAILURE,
    NO_SUCH_REGISTRATION,
    NOT_AUTHORIZED,
    PROCEDURE_ALREADY_EXISTS,
    QUOTA,
    STORE_UNAVAILABLE,
)
from radiod.wire.messages import Register
from radiod.wire.options import RegisterOptions

REVOCABLE = "callee.registration_revocation"


@pytest.fixture
def three():
    return CallWorld()


def holders(world, key="exact a.p"):
    """Names of the nodes that a claim names, as all nodes know; None: there is no claim."""
    found = {holders_of(node, key) for node in world.nodes.values()}
    assert len(found) == 1, found
    return found.pop()


def holders_of(node, key="exact a.p"):
    """The same, as one node knows."""
    claim = node.cluster.claims.get("radio registrations", key)
    return claim and tuple(node.nodes.name(one) for one in read_holders(claim.value).nodes)


def known(world):
    """The registrations, which all nodes know alike."""
    found = [node.registrations for node in world.nodes.values()]
    assert all(one == found[0] for one in found), found
    return found[0]


class TestARegistration:
    def test_has_the_same_id_everywhere(self, three):
        one, other = three["a"].join(), three["b"].join()
        id = one.register("a.p", invoke="roundrobin")
        assert other.register("a.p", invoke="roundrobin") == id
        assert 1 <= id <= 2**52
        assert holders(three) == ("a", "b")
        assert known(three) == {("exact", "a.p"): ("roundrobin", (one.id, other.id))}

    def test_of_another_match_is_another_one(self, three):
        one = three["a"].join()
        ids = {one.register("a.p", match=match) for match in ("exact", "prefix", "wildcard")}
        assert len(ids) == 3
        assert [claim.key for claim in three["c"].cluster.claims.of("radio registrations")] == [
            "exact a.p",
            "prefix a.p",
            "wildcard a.p",
        ]

    def test_that_is_single_is_given_once_though_all_want_it_at_once(self, three):
        clients = [three[name].join() for name in "abcabc"]
        for client in clients:
            client.send(64, 1, {}, "a.p")
        three.wait(1)
        answers = [client.take() for client in clients]
        assert sorted(len(one) for one in answers) == [1] * 6
        assert [one[0][0] for one in answers].count(65) == 1
        assert {one[0][4] for one in answers if one[0][0] == 8} == {PROCEDURE_ALREADY_EXISTS}
        assert len(known(three)["exact", "a.p"][1]) == 1

    def test_is_under_one_policy_though_all_want_another(self, three):
        clients = [three[name].join() for name in "abc"]
        for client, policy in zip(clients, ("roundrobin", "first", "last"), strict=True):
            client.send(64, 1, {"invoke": policy}, "a.p")
        three.wait(1)
        answers = [client.take()[0] for client in clients]
        assert sorted(answer[0] for answer in answers) == [8, 8, 65]
        known(three)

    def test_is_not_given_twice_to_a_session(self, three):
        one = three["a"].join()
        one.register("a.p", invoke="first")
        assert one.register("a.p", invoke="first") == PROCEDURE_ALREADY_EXISTS

    def test_counts_for_its_session_on_its_node(self):
        world = CallWorld(2, limits=Limits(max_registrations=1))
        one, other = world["a"].join(), world["b"].join()
        one.register("a.p")
        assert one.register("a.q") == QUOTA
        other.register("a.q")
        assert len(known(world)) == 2

    def test_is_free_for_others_as_soon_as_it_is_unregistered(self, three):
        one, other = three["a"].join(), three["b"].join()
        for _ in range(20):
            id = one.register("a.p")
            one.requests += 1
            one.send(66, one.requests, id)
            while not one.take():
                three.wait(0.0001)
            other.send(64, other.requests + 1, {}, "a.p")
            other.requests += 2
            three.wait(0.1)
            assert [message[0] for message in other.take()] == [65]
            other.send(66, other.requests, id)
            three.wait(0.1)
            other.take()
        assert known(three) == {}
        assert holders(three) is None

    def test_is_invoked_behind_its_answer_however_early_others_call(self):
        early = 0
        for seed in range(20):
            world = CallWorld(3, seed=seed)
            callee, caller = world["a"].join(), world["b"].join()
            callee.send(64, 1, {}, "a.p")
            while not world["b"].registrations:
                world.wait(0.0001)
            caller.call("a.p")
            told = callee.take()
            early += not told
            world.wait(0.1)
            assert [message[0] for message in told + callee.take()] == [65, 68]
        assert early

    def test_of_half_a_character_is_refused(self, three):
        one = three["a"].join()
        one.peer.send_message(Register(1, RegisterOptions(), "a.\ud800"))
        assert one.take()[0][4] == INVALID_URI

    def test_that_is_not_there_cannot_be_unregistered(self, three):
        one = three["a"].join()
        assert one.ask(66, 1, 17)[0][4] == NO_SUCH_REGISTRATION

    def test_of_several_is_kept_by_those_who_stay(self, three):
        one, two, three_ = (three[name].join() for name in "aab")
        for client in (one, two, three_):
            client.register("a.p", invoke="first")
        one.peer.leave()
        three.wait(0.1)
        assert (holders(three), known(three)) == (
            ("a", "b"),
            {("exact", "a.p"): ("first", (two.id, three_.id))},
        )
        two.peer.leave()
        three.wait(0.1)
        assert holders(three) == ("b",)

    def test_of_a_session_that_leaves_before_it_is_answered_is_given_up(self, three):
        one = three["a"].join()
        one.send(64, 1, {}, "a.p")
        three.wait(0.0007)
        one.peer.leave()
        three.wait(2)
        assert (known(three), holders(three)) == ({}, None)

    def test_of_a_session_that_leaves_at_once_is_not_even_claimed(self, three):
        stored = three.engine.streams["r-claims"].seq
        one = three["a"].join()
        one.send(64, 1, {}, "a.p")
        one.peer.leave()
        three.wait(2)
        assert (three.engine.streams["r-claims"].seq, known(three)) == (stored, {})

    def test_of_a_session_that_leaves_while_others_learn_of_it_is_given_up(self, three):
        one = three["a"].join()
        one.send(64, 1, {}, "a.p")
        while not three["b"].registrations:
            three.wait(0.0001)
        one.peer.leave()
        three.wait(2)
        assert (known(three), holders(three), one.take()) == ({}, None, [])

    def test_stays_with_those_of_its_node_when_one_of_them_unregisters(self, three):
        one, other = three["a"].join(), three["a"].join()
        id = one.register("a.p", invoke="first")
        other.register("a.p", invoke="first")
        assert one.ask(66, 7, id) == [[67, 7]]
        assert (holders(three), known(three)) == (("a",), {("exact", "a.p"): ("first", (other.id,))})

    def test_is_told_about_on_every_node(self, three):
        watcher = three["b"].join()
        topics = ("on_create", "on_register", "on_unregister", "on_delete")
        for number, topic in enumerate(topics, 1):
            watcher.send(32, number, {}, f"wamp.registration.{topic}")
        three.wait(0.1)
        watcher.take()
        one, other = three["a"].join(), three["c"].join()
        id = one.register("a.p", invoke="first")
        other.register("a.p", invoke="first")
        one.peer.leave()
        three.wait(0.1)
        other.send(66, 2, id)
        three.wait(0.1)
        told = [message[4] for message in watcher.take()]
        assert [one_told[0] for one_told in told] == [one.id, one.id, other.id, one.id, other.id, other.id]
        assert told[0][1]["uri"] == "a.p"
        assert [one_told[1] for one_told in told[1:]] == [id] * 5

    def test_has_the_signature_that_its_callee_tells(self, three):
        one = three["a"].join()
        signature = {"parameters": [], "doc": "first"}
        one.register("a.p", _radiod_signature=signature)
        one.register("a.q")
        registration = three["b"].realm.dealer.registrations.best("a.p")
        assert b"first" in registration.signature
        answer = one.ask(
            48, 2, {}, "radiod.rpc.document", [], {"procedure": "a.p", "signature": {"parameters": []}}
        )
        assert answer[0][0] == 50
        assert registration.signature == b'{"parameters":[]}'


class TestTakingOver:
    def test_ends_the_one_before_on_all_nodes_and_tells_its_callees(self, three):
        watcher = three["c"].join()
        one = three["a"].join("me", features=REVOCABLE)
        two = three["c"].join("me", features=REVOCABLE)
        one.register("a.p", invoke="first")
        two.register("a.p", invoke="first")
        watcher.send(32, 1, {}, "wamp.registration.on_delete")
        three.wait(0.1)
        watcher.take()
        newcomer = three["b"].join("me")
        id = newcomer.register("a.p", force_reregister=True)
        assert known(three) == {("exact", "a.p"): ("single", (newcomer.id,))}
        assert holders(three) == ("b",)
        for client in (one, two):
            assert [message[:3] for message in client.take()] == [
                [67, 0, {"registration": id, "reason": "wamp.error.unregistered"}]
            ]
        assert len(watcher.take()) == 1
        three.wait(5)
        assert one.session.is_open
        assert two.session.is_open

    def test_needs_the_right_to_act_on_others_of_another_node(self, three):
        one = three["a"].join("me")
        one.register("a.p")
        other = three["b"].join("other")
        assert other.register("a.p", force_reregister=True) == NOT_AUTHORIZED
        assert known(three) == {("exact", "a.p"): ("single", (one.id,))}

    def test_needs_none_where_the_callee_agreed(self, three):
        three["a"].join("me").register("a.p", force_reregister=True)
        other = three["b"].join("other")
        other.register("a.p", force_reregister=True)
        assert known(three) == {("exact", "a.p"): ("single", (other.id,))}

    def test_from_another_session_of_the_same_node_tells_that_one(self, three):
        one, other = three["a"].join("me", features=REVOCABLE), three["a"].join("me")
        id = one.register("a.p")
        assert other.register("a.p", force_reregister=True) == id
        assert [message[:2] for message in one.take()] == [[67, 0]]
        assert known(three) == {("exact", "a.p"): ("single", (other.id,))}

    def test_of_one_that_is_not_answered_yet_closes_that_session(self, three):
        one, newcomer = three["c"].join("me"), three["b"].join("me")
        three.pause("a")
        one.send(64, 1, {"invoke": "first"}, "a.p")
        three.wait(0.1)
        newcomer.send(64, 1, {"force_reregister": True}, "a.p")
        three.wait(0.1)
        assert (one.take(), newcomer.take()) == ([], [])
        three.resume("a")
        three.wait(3)
        assert [message[0] for message in newcomer.take()] == [65]
        assert [message[0] for message in one.take()] == [65, 6]
        assert known(three) == {("exact", "a.p"): ("single", (newcomer.id,))}

    def test_by_two_at_once_leaves_one(self, three):
        three["a"].join("me").register("a.p")
        clients = [three[name].join("me") for name in "bc"]
        for client in clients:
            client.send(64, 1, {"force_reregister": True}, "a.p")
        three.wait(5)
        assert len(known(three)["exact", "a.p"][1]) == 1


class TestInTrouble:
    @pytest.mark.parametrize("is_led", [True, False])
    def test_what_took_long_is_answered_by_what_the_leader_has(self, three, is_led):
        one = three["a"].join()
        three.pause("c")
        one.send(64, 1, {}, "a.p")
        three.wait(2)
        assert one.take() == []
        if not is_led:
            three.engine.elect(1)
        three.resume("c")
        three.wait(3)
        answers = one.take()
        assert [answer[0] for answer in answers] == [65 if is_led else 8]
        assert is_led or answers[0][4] == STORE_UNAVAILABLE
        assert holders(three) == (("a",) if is_led else None)

    @pytest.mark.parametrize("before", [0.0011, 0.0012, 0.0015, 0.002])
    def test_what_was_agreed_on_before_a_node_stood_still_is_none_when_it_goes_on(self, three, before):
        one, other = three["a"].join(), three["b"].join()
        one.send(64, 1, {}, "a.p")
        three.wait(before)
        assert one.take() == []
        three.pause("a")
        three.wait(10)
        assert isinstance(other.register("a.p"), int)
        three.resume("a")
        three.wait(3)
        assert [answer[4] for answer in one.take()] == [PROCEDURE_ALREADY_EXISTS]
        assert holders(three) == ("b",)

    def test_a_registration_that_others_cannot_be_told_of_is_refused(self, three):
        one = three["a"].join()
        questions = three["a"].nodes.post.questions
        (other, _) = three["a"].nodes.live()
        while questions.has_room(2):
            questions.begin(other, "whatever", b"", lambda answer: None, is_kept=False)
        assert one.register("a.p") == NETWORK_FAILURE
        questions.end(other, "enough")
        three.wait(2)
        assert (known(three), holders(three), one.session.is_open) == ({}, None, True)

    def test_a_session_that_leaves_while_it_unregisters_is_not_answered(self, three):
        one = three["a"].join()
        id = one.register("a.p")
        one.send(66, 2, id)
        one.peer.leave()
        three.wait(1)
        assert (known(three), holders(three), one.take()) == ({}, None, [])

    def test_a_registration_whose_claim_was_wiped_can_be_joined(self, three):
        one, other = three["a"].join(), three["a"].join()
        one.register("a.p", invoke="first")
        claims = three.engine.streams["r-claims"]
        claims.records.clear()
        claims.last.clear()
        assert other.register("a.p", invoke="last") == PROCEDURE_ALREADY_EXISTS
        other.register("a.p", invoke="first")
        assert holders(three) == ("a",)
        assert known(three) == {("exact", "a.p"): ("first", (one.id, other.id))}

    def test_a_claim_that_nobody_can_read_is_made_anew(self, three):
        one = three["a"].join()
        one.register("a.p")
        claims = three["b"].cluster.claims
        claims.update("radio registrations", "exact a.p", lambda current: b"?")
        claims.create("radio registrations", "exact a.q", b"?")
        three.wait(3)
        assert holders(three) == ("a",)
        three["c"].join().register("a.q")
        assert holders(three, "exact a.q") == ("c",)

    def test_what_a_session_gave_up_while_its_node_had_no_engine_is_free_behind_it(self, three):
        one, other = three["a"].join(), three["b"].join()
        one.register("a.p")
        for name in "abc":
            three.disconnect(name)
        three.wait(4)
        assert three["a"].nodes.is_isolated
        one.peer.leave()
        three.wait(0.1)
        for name in "abc":
            three.connect(name)
        three.wait(4)
        assert (known(three), holders(three)) == ({}, None)
        other.register("a.p")

    def test_what_a_node_had_that_died_while_there_was_no_engine_is_free_behind_it(self, three):
        three["a"].join().register("a.p")
        for name in "abc":
            three.disconnect(name)
        three.kill("a")
        three.wait(8)
        for name in "bc":
            three.connect(name)
        three.wait(8)
        assert (known(three), holders(three)) == ({}, None)

    def test_callees_that_were_taken_for_dead_join_those_who_stayed(self, three):
        one, other = three["a"].join(), three["b"].join()
        one.register("a.p", invoke="first")
        other.register("a.p", invoke="first")
        three.cut_off("a")
        three.wait(12)
        assert holders_of(three["b"]) == ("b",)
        three.heal()
        three.wait(5)
        assert (holders(three), one.session.is_open) == (("b", "a"), True)
        assert known(three) == {("exact", "a.p"): ("first", (other.id, one.id))}

    def test_a_claim_that_could_not_be_put_right_is_tried_again(self, three):
        one = three["a"].join()
        one.register("a.p")
        three.engine.elect(20)
        one.peer.leave()
        three.wait(20)
        three.wait(5)
        assert (known(three), holders(three)) == ({}, None)

    def test_a_node_that_slept_while_it_registered_registers_as_a_new_one(self, three):
        one = three["a"].join()
        three.pause("b")
        one.send(64, 1, {}, "a.p")
        three.wait(0.1)
        three.pause("a")
        three.wait(12)
        assert (three["c"].registrations, one.take()) == ({}, [])
        three.resume("a")
        three.wait(1)
        three.resume("b")
        three.wait(5)
        assert [message[0] for message in one.take()] == [65]
        assert (holders(three), known(three)) == (("a",), {("exact", "a.p"): ("single", (one.id,))})

    def test_a_node_that_is_cut_off_refuses_to_register(self, three):
        one = three["a"].join()
        three.cut_off("a")
        three.wait(8)
        assert one.register("a.p") == STORE_UNAVAILABLE
        assert three["a"].registrations == {}

    def test_a_node_that_does_not_know_yet_that_it_is_refuses_later(self, three):
        one = three["a"].join()
        three.cut_off("a")
        assert one.register("a.p", seconds=15) == STORE_UNAVAILABLE
        three.engine.heal()
        three.wait(20)
        assert (known(three), holders(three)) == ({}, None)

    def test_a_registration_is_made_while_the_stream_has_no_leader_for_some_seconds(self, three):
        three.engine.elect(5)
        three["a"].join().register("a.p", seconds=6)
        assert holders(three) == ("a",)

    def test_what_a_dead_node_had_is_free(self, three):
        one = three["a"].join()
        one.register("a.p")
        three["b"].join().register("a.q", invoke="first")
        three["a"].join().register("a.q", invoke="first")
        three.kill("a")
        three.wait(7)
        assert (holders(three), holders(three, "exact a.q")) == (None, ("b",))
        three["b"].join().register("a.p")
        assert holders(three) == ("b",)

    def test_what_nobody_has_who_lives_is_free_when_all_start_anew(self, three):
        three["a"].join().register("a.p")
        for name in "abc":
            three.kill(name)
        for name in "abc":
            three.start(name)
        three.wait(1)
        # Whoever has it would be heard within 5 s.
        three["b"].join().register("a.p", seconds=6)
        assert holders(three) == ("b",)

    def test_a_claim_whose_name_no_node_of_this_version_gives_is_counted(self, three):
        three["a"].cluster.claims.create("radio registrations", "other a.p", b"")
        three.wait(0.1)
        assert [node.nodes.malformed for node in three.nodes.values()] == [1, 1, 1]
        three["b"].cluster.claims.update("radio registrations", "other a.p", lambda _: None)
        three.wait(3)
        assert [node.nodes.malformed for node in three.nodes.values()] == [1, 1, 1]

    @pytest.mark.parametrize("after", [0.0, 0.0005, 0.05, 0.3])
    def test_who_comes_back_as_another_node_takes_nothing_of_those_it_has_not_heard_yet(self, three, after):
        holder = three["a"].join()
        holder.register("a.p")
        three.pause("c")
        three.wait(9)
        three.resume("c")
        three.wait(after)
        assert three["c"].join().register("a.p", seconds=6) == "wamp.error.procedure_already_exists"
        assert holder.session.is_open
        assert holders(three) == ("a",)

    def test_nor_does_who_begins(self, three):
        holder = three["a"].join()
        holder.register("a.p")
        three.kill("c")
        three.start("c")
        assert three["c"].join().register("a.p", seconds=6) == "wamp.error.procedure_already_exists"
        assert holders(three) == ("a",)

    def test_who_leaves_while_that_is_unknown_registers_nothing(self, three):
        three["a"].join().register("a.p")
        for name in "abc":
            three.kill(name)
        three.start("b")
        client = three["b"].join()
        client.send(64, 1, {}, "a.p")
        three.wait(1)
        client.peer.leave()
        three.wait(12)
        assert holders(three) is None

    def test_a_node_that_was_taken_for_dead_has_again_what_nobody_took(self, three):
        one = three["a"].join()
        one.register("a.p")
        three["a"].join().register("a.q", invoke="last")
        three.cut_off("a")
        three.wait(12)
        assert three["b"].registrations == {}
        assert set(three["a"].registrations) == {("exact", "a.p"), ("exact", "a.q")}
        three.engine.heal()
        three.wait(5)
        assert len(known(three)) == 2
        assert holders(three) == ("a",)
        assert one.session.is_open

    def test_sessions_whose_registration_somebody_else_has_meanwhile_are_closed(self, three):
        one, shared = three["a"].join(), three["a"].join()
        one.register("a.p")
        shared.register("a.q", invoke="first")
        three.cut_off("a")
        three.wait(12)
        other, policy = three["b"].join(), three["c"].join()
        other.register("a.p")
        policy.register("a.q", invoke="last")
        three.engine.heal()
        three.wait(5)
        for client in (one, shared):
            assert not client.session.is_open
            assert [message[:1] + message[2:] for message in client.take()] == [[6, CLOSE_SUPERSEDED]]
        assert known(three) == {
            ("exact", "a.p"): ("single", (other.id,)),
            ("exact", "a.q"): ("last", (policy.id,)),
        }

    def test_a_node_that_comes_late_knows_all(self, three):
        one = three["a"].join()
        for number in range(300):
            one.send(64, number + 1, {}, f"a.p{number}")
        three.wait(2)
        three.start("d")
        three.wait(4)
        assert len(known(three)) == 300

    def test_a_claim_store_that_was_wiped_has_all_again(self, three):
        one = three["a"].join()
        one.register("a.p")
        three.engine.streams.clear()
        three.wait(30)
        assert (holders(three), one.session.is_open) == (("a",), True)
