"""Calls between nodes, through the eyes of their sessions: all that calls of one node can do."""

import pytest
from support.cluster.calling import CALLEE, CallWorld

from radiod.core.cluster.call_letters import Yielded, pack
from radiod.core.limits import Limits
from radiod.errors import (
    CANCELED,
    FEATURE_NOT_SUPPORTED,
    MAX_CONCURRENCY,
    NETWORK_FAILURE,
    NO_AVAILABLE_CALLEE,
    NO_SUCH_PROCEDURE,
    QUOTA,
    STORE_UNAVAILABLE,
    TIMEOUT,
)
from radiod.testing import ALLOW_ALL
from radiod.wire.codecs import CBOR, JSON, MSGPACK, Payload
from radiod.wire.messages import Call, Error
from radiod.wire.options import CallOptions

SIMPLE = ""


@pytest.fixture
def three():
    return CallWorld(limits=Limits(call_timeout_s=30))


@pytest.fixture
def callee(three):
    callee = three["a"].join("callee")
    callee.register("a.procedure")
    return callee


@pytest.fixture
def caller(three):
    return three["b"].join("caller")


def come(world, client, seconds=0.05):
    world.wait(seconds)
    return client.take()


def invoked(world, client):
    """The one INVOCATION that has come: id, details, args."""
    messages = come(world, client)
    assert [message[0] for message in messages] == [68], messages
    _, id, _, details, *args = messages[0]
    return id, details, args[0] if args else []


def error_of(messages):
    assert [message[:2] for message in messages] == [[8, 48]], messages
    return messages[0][4]


class TestACall:
    def test_comes_back_with_its_result(self, three, callee, caller):
        request = caller.call("a.procedure", 1, "two")
        id, details, args = invoked(three, callee)
        assert (details, args) == ({}, [1, "two"])
        callee.send(70, id, {}, [3], {"more": True})
        assert come(three, caller) == [[50, request, {}, [3], {"more": True}]]
        assert [node.pending() for node in three.nodes.values()] == [(0, 0)] * 3

    def test_comes_back_with_its_error(self, three, callee, caller):
        request = caller.call("a.procedure")
        id, _, _ = invoked(three, callee)
        callee.send(8, 68, id, {}, "an.error", ["why"])
        assert come(three, caller) == [[8, 48, request, {}, "an.error", ["why"]]]

    def test_of_what_nobody_has_is_refused(self, three, caller):
        caller.call("a.procedure")
        assert error_of(caller.take()) == NO_SUCH_PROCEDURE

    @pytest.mark.parametrize("codec", [MSGPACK, CBOR])
    def test_passes_from_one_serializer_to_another(self, three, callee, codec):
        caller = three["c"].join("caller", codec=codec)
        request = caller.call("a.procedure", b"\0\1", {"deep": [1.5, None]})
        id, _, args = invoked(three, callee)
        assert args == [b"\0\1", {"deep": [1.5, None]}]
        callee.send(70, id, {}, args)
        assert come(three, caller) == [[50, request, {}, args]]

    def test_calls_of_one_caller_come_in_order(self, three, callee, caller):
        for number in range(100):
            caller.call("a.procedure", number)
        assert [message[4] for message in come(three, callee)] == [[n] for n in range(100)]

    def test_says_who_calls_and_what(self, three, caller):
        callee = three["a"].join("callee")
        callee.register("a", match="prefix", disclose_caller=True)
        caller.call("a.b")
        _, details, _ = invoked(three, callee)
        assert details == {
            "procedure": "a.b",
            "caller": caller.id,
            "caller_authid": "caller",
            "caller_authrole": "tester",
        }

    def test_of_half_a_character_comes_to_its_callee(self, three, caller):
        callee = three["a"].join("callee")
        callee.register("a", match="prefix")
        caller.peer.send_message(Call(1, CallOptions(), "a.\ud800"))
        assert invoked(three, callee)[1] == {"procedure": "a.\ufffd"}

    def test_of_no_session_comes_back_as_well(self, three, callee):
        gateway = three["c"].realm.gateway
        visitor = three["c"].join("visitor").session
        progress, outcomes = [], []
        call = gateway.call(visitor, "a.procedure", Payload.of(1), CallOptions(), progress.append)
        call.outcome.then(outcomes.append)
        id, details, args = invoked(three, callee)
        assert (details["receive_progress"], args) == (True, [1])
        callee.send(70, id, {"progress": True}, ["some"])
        callee.send(70, id, {}, ["all"])
        three.wait(0.05)
        assert [one.values()[0] for one in progress] == [["some"]]
        assert outcomes[0].values()[0] == ["all"]

    def test_of_no_session_ends_with_what_happened(self, three, callee):
        outcome = []
        three["c"].realm.ask("a.procedure", timeout_s=20).then(outcome.append)
        three.wait(0.05)
        three.kill("a")
        three.wait(6)
        assert [one.uri for one in outcome] == [NETWORK_FAILURE]

    def test_is_limited_by_what_a_callee_may_have_pending(self, three):
        world = CallWorld(2, limits=Limits(max_pending_calls=3))
        callee = world["a"].join("callee")
        callee.register("a.procedure")
        callers = [world["b"].join() for _ in range(2)]
        for caller in callers:
            caller.call("a.procedure")
            caller.call("a.procedure")
        answers = [message for caller in callers for message in come(world, caller)]
        assert error_of(answers) == QUOTA

    def test_is_so_limited_by_calls_of_all_nodes(self):
        world = CallWorld(3, limits=Limits(max_pending_calls=3))
        callee = world["a"].join("callee")
        callee.register("a.procedure")
        callers = [world[name].join() for name in "bcbc"]
        for caller in callers:
            caller.call("a.procedure")
        answers = [message for caller in callers for message in come(world, caller)]
        assert error_of(answers) == QUOTA
        assert len(callee.take()) == 3

    def test_that_crosses_its_callees_unregister_is_refused(self, three, caller):
        callee = three["a"].join("callee")
        registration = callee.register("a.procedure")
        callee.send(66, 2, registration)
        caller.call("a.procedure")
        assert error_of(come(three, caller)) == NO_SUCH_PROCEDURE

    def test_too_long_for_its_callee_is_refused(self, three, callee, caller):
        three["a"].outbox._max_payload = 10
        caller.call("a.procedure", "x" * 20)
        assert error_of(come(three, caller)) == "wamp.error.payload_size_exceeded"

    def test_whose_answer_is_too_long_for_its_caller_says_so(self, three, callee, caller):
        three["b"].outbox._max_payload = 60
        caller.call("a.procedure")
        id, _, _ = invoked(three, callee)
        callee.send(70, id, {}, ["x" * 100])
        assert error_of(come(three, caller)) == "wamp.error.payload_size_exceeded"


class TestProgress:
    def test_comes_in_order_before_the_result(self, three, callee, caller):
        request = caller.call("a.procedure", receive_progress=True)
        id, details, _ = invoked(three, callee)
        assert details == {"receive_progress": True}
        for number in range(50):
            callee.send(70, id, {"progress": True}, [number])
        callee.send(70, id, {}, ["end"])
        expected = [[50, request, {"progress": True}, [n]] for n in range(50)]
        assert come(three, caller) == [*expected, [50, request, {}, ["end"]]]

    def test_that_was_not_asked_for_is_dropped(self, three, callee, caller):
        request = caller.call("a.procedure")
        id, _, _ = invoked(three, callee)
        callee.send(70, id, {"progress": True}, [1])
        callee.send(70, id, {}, [2])
        assert come(three, caller) == [[50, request, {}, [2]]]

    def test_keeps_a_call_alive(self, three, callee, caller):
        request = caller.call("a.procedure", receive_progress=True)
        id, _, _ = invoked(three, callee)
        for _ in range(3):
            three.wait(20)
            callee.send(70, id, {"progress": True})
        three.wait(20)
        callee.send(70, id, {})
        assert come(three, caller)[-1] == [50, request, {}]

    def test_of_the_arguments_comes_in_order(self, three, callee, caller):
        request = caller.call("a.procedure", 1, progress=True)
        for last, number in ((False, 2), (True, 3)):
            caller.send(48, request, {} if last else {"progress": True}, "a.procedure", [number])
        messages = come(three, callee)
        assert [message[0] for message in messages] == [68] * 3
        assert len({message[1] for message in messages}) == 1
        assert [message[3].get("progress", False) for message in messages] == [True, True, False]
        assert [message[4] for message in messages] == [[1], [2], [3]]
        callee.send(70, messages[0][1], {}, ["sum"])
        assert come(three, caller) == [[50, request, {}, ["sum"]]]

    def test_of_the_arguments_that_is_late_calls_nobody(self, three, callee, caller):
        request = caller.call("a.procedure", 1, progress=True)
        id, _, _ = invoked(three, callee)
        callee.send(70, id, {})
        caller.send(48, request, {"progress": True}, "a.procedure", [2])
        assert come(three, callee) == []
        assert come(three, caller) == [[50, request, {}]]
        caller.send(48, request, {}, "a.procedure", [3])
        assert (come(three, callee), come(three, caller)) == ([], [])

    def test_of_the_arguments_is_refused_where_the_callee_takes_none(self, three, caller):
        three["a"].join("callee", features=SIMPLE).register("a.procedure")
        caller.call("a.procedure", progress=True)
        assert error_of(come(three, caller)) == FEATURE_NOT_SUPPORTED


class TestCancelling:
    def test_skip_answers_at_once_and_tells_nobody(self, three, callee, caller):
        request = caller.call("a.procedure")
        id, _, _ = invoked(three, callee)
        caller.send(49, request, {"mode": "skip"})
        assert error_of(caller.take()) == CANCELED
        assert come(three, callee) == []
        assert three["a"].pending() == (0, 0)
        callee.send(70, id, {}, ["late"])
        assert come(three, caller) == []

    def test_killnowait_answers_at_once_and_tells_the_callee(self, three, callee, caller):
        request = caller.call("a.procedure")
        id, _, _ = invoked(three, callee)
        caller.send(49, request, {"mode": "killnowait"})
        assert error_of(caller.take()) == CANCELED
        assert come(three, callee) == [[69, id, {"mode": "killnowait", "reason": CANCELED}]]
        callee.send(8, 68, id, {}, CANCELED)
        assert come(three, caller) == []

    def test_kill_tells_the_callee_and_waits_for_it(self, three, callee, caller):
        request = caller.call("a.procedure")
        id, _, _ = invoked(three, callee)
        caller.send(49, request, {"mode": "kill"})
        assert caller.take() == []
        assert come(three, callee) == [[69, id, {"mode": "kill", "reason": CANCELED}]]
        callee.send(70, id, {}, ["in spite of that"])
        assert come(three, caller) == [[50, request, {}, ["in spite of that"]]]

    @pytest.mark.parametrize("mode", ["kill", "killnowait", "skip"])
    def test_a_callee_that_knows_nothing_of_it_is_left_alone(self, three, caller, mode):
        callee = three["a"].join("callee", features=SIMPLE)
        callee.register("a.procedure")
        request = caller.call("a.procedure")
        id, _, _ = invoked(three, callee)
        caller.send(49, request, {"mode": mode})
        assert error_of(caller.take()) == CANCELED
        assert come(three, callee) == []
        callee.send(70, id, {}, ["late"])
        assert come(three, caller) == []
        assert three["a"].pending() == (0, 0)

    def test_a_stream_of_ones_own_node_that_goes_on_for_nobody_is_counted(self, three):
        callee = three["a"].join("callee", features="callee.progressive_call_results")
        callee.register("a.procedure")
        caller = three["a"].join("caller")
        request = caller.call("a.procedure", receive_progress=True)
        assert len(come(three, callee)) == 1
        caller.send(49, request, {"mode": "skip"})
        assert error_of(come(three, caller)) == CANCELED
        assert len(three["a"].realm.dealer.unheard) == 1

    def test_a_stream_that_goes_on_for_nobody_is_counted_at_its_callee(self, three, caller):
        callee = three["a"].join("callee", features="callee.progressive_call_results")
        callee.register("a.procedure")
        request = caller.call("a.procedure", receive_progress=True)
        invoked(three, callee)
        caller.send(49, request, {"mode": "skip"})
        three.wait(0.05)
        assert len(three["a"].realm.dealer.unheard) == 1

    def test_a_caller_that_leaves_has_its_callees_told(self, three, callee, caller):
        caller.call("a.procedure")
        id, _, _ = invoked(three, callee)
        caller.peer.leave()
        assert come(three, callee) == [[69, id, {"mode": "killnowait", "reason": CANCELED}]]
        callee.send(70, id, {})
        three.wait(1)
        assert [node.pending() for node in three.nodes.values()] == [(0, 0)] * 3

    def test_a_callee_that_leaves_ends_its_calls(self, three, callee, caller):
        caller.call("a.procedure")
        invoked(three, callee)
        callee.peer.leave()
        assert error_of(come(three, caller)) == CANCELED
        assert three["b"].registrations == {}


class TestTime:
    def test_that_the_caller_gives_ends_the_call_everywhere(self, three, callee, caller):
        caller.call("a.procedure", timeout=2000)
        id, details, _ = invoked(three, callee)
        assert details == {}
        three.wait(1.9)
        assert caller.take() == []
        three.wait(0.2)
        assert error_of(caller.take()) == TIMEOUT
        assert callee.take() == [[69, id, {"mode": "killnowait", "reason": TIMEOUT}]]
        assert three["a"].pending() == (0, 0)

    def test_is_told_to_a_callee_that_minds_it_itself(self, three, caller):
        callee = three["a"].join("callee")
        callee.register("a.procedure", forward_timeout=True)
        caller.call("a.procedure", timeout=2000)
        _, details, _ = invoked(three, callee)
        assert details == {"timeout": 2000}
        three.wait(3)
        assert caller.take() == []
        three.wait(30)
        assert error_of(caller.take()) == TIMEOUT

    def test_of_the_server_ends_the_call_at_both(self, three, callee, caller):
        caller.call("a.procedure")
        invoked(three, callee)
        three.wait(31)
        assert error_of(caller.take()) == TIMEOUT
        assert [node.pending() for node in three.nodes.values()] == [(0, 0)] * 3


PASSED = {"ppt_scheme": "x_test", "ppt_serializer": "cbor"}


class TestPassthru:
    def test_goes_there_and_back(self, three, callee, caller):
        request = caller.call("a.procedure", "sealed", **PASSED)
        id, details, args = invoked(three, callee)
        assert (details, args) == (PASSED, ["sealed"])
        callee.send(70, id, PASSED, ["sealed, too"])
        assert come(three, caller) == [[50, request, PASSED, ["sealed, too"]]]

    def test_goes_with_progress_and_errors(self, three, callee, caller):
        request = caller.call("a.procedure", receive_progress=True)
        id, _, _ = invoked(three, callee)
        callee.send(70, id, {"progress": True, **PASSED}, ["some"])
        callee.send(8, 68, id, PASSED, "an.error", ["sealed"])
        assert come(three, caller) == [
            [50, request, {**PASSED, "progress": True}, ["some"]],
            [8, 48, request, PASSED, "an.error", ["sealed"]],
        ]

    def test_opaque_payloads_stay_in_their_serializer(self, three, callee, caller):
        enc = {"enc_algo": "cryptobox", "enc_serializer": "json"}
        caller.requests += 1
        caller.send(48, caller.requests, enc, "a.procedure", "c2VhbGVk")
        messages = come(three, callee)
        assert messages[0][3:] == [enc, "c2VhbGVk"]
        callee.send(70, messages[0][1], enc, "YW5zd2Vy")
        assert come(three, caller) == [[50, caller.requests, enc, "YW5zd2Vy"]]

    def test_a_caller_that_takes_none_is_told(self, three, callee):
        caller = three["b"].join("caller", features=SIMPLE)
        caller.call("a.procedure")
        id, _, _ = invoked(three, callee)
        callee.send(70, id, PASSED, ["sealed"])
        assert error_of(come(three, caller)) == FEATURE_NOT_SUPPORTED
        caller.call("a.procedure")
        id, _, _ = invoked(three, callee)
        callee.send(8, 68, id, PASSED, "an.error", ["sealed"])
        assert come(three, caller) == [[8, 48, 2, {}, "an.error", []]]


class TestWhoseTurnItIs:
    def callees(self, world, policy, features=CALLEE, **options):
        callees = [world[name].join(name, features=features) for name in "abc"]
        for callee in callees:
            callee.register("a.procedure", invoke=policy, **options)
        return callees

    def takers(self, world, callees, caller, times):
        """The authids of who was invoked, in order."""
        found = []
        for _ in range(times):
            caller.call("a.procedure")
            world.wait(0.05)
            for callee in callees:
                for message in callee.take():
                    found.append(callee.session.principal.authid)
                    callee.send(70, message[1], {})
        return found

    def test_goes_round_on_each_node(self, three):
        callees = self.callees(three, "roundrobin")
        for name in "abc":
            assert self.takers(three, callees, three[name].join(), 6) == list("abcabc")

    @pytest.mark.parametrize(("policy", "taker"), [("first", "a"), ("last", "c")])
    def test_is_by_the_order_of_claiming(self, three, policy, taker):
        callees = self.callees(three, policy)
        for name in "abc":
            assert self.takers(three, callees, three[name].join(), 2) == [taker] * 2
        one_more = three["a"].join("more")
        one_more.register("a.procedure", invoke=policy)
        expected = "a" if policy == "first" else "more"
        assert self.takers(three, [*callees, one_more], three["b"].join(), 1) == [expected]

    def test_is_anybodys(self, three):
        callees = self.callees(three, "random")
        assert set(self.takers(three, callees, three["b"].join(), 60)) == set("abc")

    def test_one_that_cannot_take_it_has_the_next_asked(self, three):
        callees = self.callees(three, "first")
        caller = three["c"].join()
        request = caller.call("a.procedure", "again")
        for callee in callees:
            id, _, args = invoked(three, callee)
            assert args == ["again"]
            callee.send(8, 68, id, {}, "wamp.error.unavailable")
        assert come(three, caller) == [
            [8, 48, request, {}, NO_AVAILABLE_CALLEE, ["no callee of a.procedure can take this call"]]
        ]

    def test_one_that_cannot_take_a_call_of_no_session_has_the_next_asked(self, three):
        callees = self.callees(three, "first")
        outcomes = []
        three["c"].realm.ask("a.procedure", timeout_s=20).then(outcomes.append)
        id, _, _ = invoked(three, callees[0])
        callees[0].send(8, 68, id, {}, "wamp.error.unavailable")
        id, _, _ = invoked(three, callees[1])
        callees[1].send(70, id, {}, [7])
        three.wait(0.05)
        assert outcomes == [7]

    def test_one_that_did_not_announce_that_just_fails(self, three):
        callees = self.callees(three, "first", features=SIMPLE)
        caller = three["c"].join()
        caller.call("a.procedure")
        id, _, _ = invoked(three, callees[0])
        callees[0].send(8, 68, id, {}, "wamp.error.unavailable")
        assert error_of(come(three, caller)) == "wamp.error.unavailable"

    def test_one_that_is_busy_with_others_calls_has_the_next_asked(self, three):
        callees = self.callees(three, "first", features=SIMPLE, concurrency=1)
        # Each call comes from another node, which does not know of the others.
        for callee, name in zip(callees, "bca", strict=True):
            three[name].join().call("a.procedure")
            three.wait(0.05)
            assert len(callee.take()) == 1
        caller = three["b"].join()
        caller.call("a.procedure")
        assert error_of(come(three, caller)) == MAX_CONCURRENCY

    def test_one_whose_node_cannot_be_written_to_has_the_next_asked(self, three):
        callees = self.callees(three, "first")
        caller = three["c"].join()
        tell = three["c"].port.send
        lost = f"r.node.{three['a'].nodes.me}"
        three["c"].port.send = lambda subject, *rest: subject != lost and tell(subject, *rest)
        caller.call("a.procedure")
        assert len(come(three, callees[1])) == 1
        callees[1].peer.leave()
        callees[2].peer.leave()
        three.wait(0.05)
        caller.take()
        caller.call("a.procedure")
        assert error_of(caller.take()) == NETWORK_FAILURE


class TestTrouble:
    def test_the_death_of_the_callees_node_ends_its_calls_within_dead_after_and_one_second(
        self, three, callee, caller
    ):
        caller.call("a.procedure")
        invoked(three, callee)
        three.kill("a")
        three.wait(6)
        assert error_of(caller.take()) == NETWORK_FAILURE
        assert three["b"].registrations == three["c"].registrations == {}
        caller.call("a.procedure")
        assert error_of(caller.take()) == NO_SUCH_PROCEDURE

    def test_the_death_of_the_callers_node_has_its_callees_told(self, three, callee, caller):
        caller.call("a.procedure")
        id, _, _ = invoked(three, callee)
        three.kill("b")
        three.wait(6)
        assert callee.take() == [[69, id, {"mode": "killnowait", "reason": CANCELED}]]
        callee.send(70, id, {})
        assert three["a"].pending() == (0, 0)

    def test_what_is_lost_on_the_way_there_ends_the_calls(self, three, callee, caller):
        three.cut("a", "b")
        caller.call("a.procedure")
        three.wait(0.1)
        three.engine.heal()
        three.wait(2)
        assert error_of(caller.take()) == NETWORK_FAILURE
        assert callee.take() == []

    def test_what_is_lost_on_the_way_back_ends_the_calls(self, three, callee, caller):
        caller.call("a.procedure")
        id, _, _ = invoked(three, callee)
        three.cut("a", "b")
        callee.send(70, id, {}, ["lost"])
        three.wait(0.1)
        three.engine.heal()
        three.wait(2)
        assert error_of(caller.take()) == NETWORK_FAILURE
        assert [node.pending() for node in three.nodes.values()] == [(0, 0)] * 3

    def test_an_answer_that_cannot_be_sent_ends_the_calls(self, three, callee, caller):
        caller.call("a.procedure")
        id, _, _ = invoked(three, callee)
        three.disconnect("a")
        callee.send(70, id, {}, ["not sent"])
        three.wait(0.5)
        three.connect("a")
        three.wait(3)
        assert error_of(caller.take()) == NETWORK_FAILURE

    def test_a_caller_that_goes_with_its_first_error_has_all_its_calls_ended(self, three, callee, caller):
        caller.call("a.procedure")
        caller.call("a.procedure")
        assert len(come(three, callee)) == 2
        outbox = three["b"].outbox
        send = outbox.send

        def hang_up(session, message, payload=None):
            send(session, message, payload)
            if isinstance(message, Error):
                outbox.send = send
                caller.peer.leave()

        outbox.send = hang_up
        three["b"].realm.dealer.sever(three["a"].nodes.me)
        assert [message[0] for message in caller.take()] == [8]
        assert three["b"].pending() == (0, 0)

    def test_a_call_goes_on_whose_callee_has_unregistered_though_all_is_told_anew(self, three, caller):
        callee = three["a"].join("callee")
        registration = callee.register("a.procedure")
        caller.call("a.procedure")
        id, _, _ = invoked(three, callee)
        callee.send(66, 2, registration)
        three.wait(0.05)
        three["b"].realm.rpc.mirror.gap(three["a"].nodes.me)
        three.wait(0.05)
        assert three["b"].realm.rpc.mirror.is_whole
        callee.send(70, id, {}, [3])
        assert [message[0] for message in come(three, caller)] == [50]

    def test_calls_of_one_node_go_on_when_it_is_alone(self, three, callee):
        caller = three["a"].join("caller")
        three.cut_off("a")
        three.wait(10)
        request = caller.call("a.procedure")
        id, _, _ = invoked(three, callee)
        callee.send(70, id, {}, [1])
        assert caller.take() == [[50, request, {}, [1]]]

    def test_calls_work_again_behind_a_partition(self, three, callee, caller):
        three.cut_off("a")
        three.wait(10)
        caller.call("a.procedure")
        assert error_of(caller.take()) == NO_SUCH_PROCEDURE
        three.engine.heal()
        three.wait(5)
        request = caller.call("a.procedure")
        id, _, _ = invoked(three, callee)
        callee.send(70, id, {}, [1])
        assert come(three, caller) == [[50, request, {}, [1]]]


def test_calls_right_behind_registered_succeed_from_everywhere():
    """At the very moment when REGISTERED is there, whatever the network does with the order of things."""
    for seed in range(40):
        world = CallWorld(3, seed=seed)
        callers = [world[name].join() for name in "abc"]
        callee = world["abc"[seed % 3]].join("callee", permissions=ALLOW_ALL)
        callee.send(64, 1, {}, "a.procedure")
        while not (told := callee.take()):
            world.wait(0.0001)
        assert told[0][0] == 65
        for caller in callers:
            caller.call("a.procedure")
        assert [message[0] for message in come(world, callee)] == [68] * 3


class TestACalleeThatLeaves:
    """While a call is on its way to its node."""

    def test_leaves_the_call_to_the_next_callee(self, three, caller):
        first, second = three["a"].join("first"), three["c"].join("second")
        for callee in (first, second):
            callee.register("a.procedure", invoke="first")
        three.wait(1)
        first.send(6, {}, "wamp.close.normal")
        request = caller.call("a.procedure", 1)
        id, _, args = invoked(three, second)
        assert args == [1]
        second.send(70, id, {}, [2])
        assert come(three, caller) == [[50, request, {}, [2]]]
        assert [node.pending() for node in three.nodes.values()] == [(0, 0)] * 3

    def test_and_was_the_only_one_leaves_no_such_procedure(self, three, callee, caller):
        callee.send(6, {}, "wamp.close.normal")
        caller.call("a.procedure", 1)
        assert error_of(come(three, caller)) == NO_SUCH_PROCEDURE
        assert [node.pending() for node in three.nodes.values()] == [(0, 0)] * 3

    def test_behind_the_call_cancels_it(self, three, callee, caller):
        caller.call("a.procedure", 1)
        invoked(three, callee)
        callee.send(6, {}, "wamp.close.normal")
        assert error_of(come(three, caller)) == CANCELED


class TestWhileItsNodeIsCutOff:
    """Somebody else may register a ``single`` procedure elsewhere, once the node counts as dead."""

    def world(self, **settings):
        world = CallWorld(**settings)
        callee, own = world["a"].join("callee"), world["a"].join("own")
        for procedure, invoke in (("a.single", "single"), ("a.many", "roundrobin")):
            callee.register(procedure, invoke=invoke)
        return world, callee, own

    def answered(self, world, callee, own, procedure):
        """Whether the callee is asked when somebody of its own node calls; else the error's URI."""
        own.call(procedure)
        messages = come(world, own)
        return error_of(messages) if messages else [message[0] for message in callee.take()] == [68]

    @pytest.mark.parametrize("loss", ["cut_off", "disconnect"])
    def test_a_callee_answers_callers_of_its_own_node(self, loss):
        world, callee, own = self.world()
        getattr(world, loss)("a")
        world.wait(20)
        assert self.answered(world, callee, own, "a.single") is True

    @pytest.mark.parametrize("loss", ["cut_off", "disconnect"])
    def test_but_where_sessions_are_sent_elsewhere_then_nobody_answers_twice(self, loss):
        world, callee, own = self.world(closes=True)
        getattr(world, loss)("a")
        rival = world["b"].join("rival")
        for _ in range(100):
            is_taken = isinstance(rival.register("a.single", seconds=0.1), int)
            answered = self.answered(world, callee, own, "a.single")
            assert not (is_taken and answered is True)
            if is_taken:
                break
        assert (is_taken, answered) == (True, STORE_UNAVAILABLE)
        assert self.answered(world, callee, own, "a.many") is True


def test_an_answer_that_no_node_of_this_version_writes_is_counted_and_the_call_goes_on(three, callee, caller):
    request = caller.call("a.procedure")
    three.wait(0.1)
    (invocation,) = [message for message in callee.take() if message[0] == 68]
    node, dealer = three["b"], three["b"].realm.dealer
    home = three["a"].nodes.me
    (asked,) = dealer.calls_of(dealer.proxies.get(home, callee.session.id)).answering
    told = pack(Payload(JSON, b"[]", b""))
    dealer.answered(home, Yielded(callee.session.id, asked, False, {"ppt_scheme": 5}, told))
    assert node.nodes.malformed == 1
    callee.send(70, invocation[1], {}, [1])
    three.wait(0.1)
    assert [message[:2] for message in caller.take()] == [[50, request]]
