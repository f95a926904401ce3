"""Pending calls, and what is remembered of those that are over."""

import pytest
from support.realms import Follower

from radiod.core.rpc.calls import MANY, MAX_PROGRESSIVE, Calls, CallTally, PendingCall
from radiod.core.sessions.session import Session
from radiod.errors import CANCELED, TIMEOUT, PeerError
from radiod.testing import make_principal
from radiod.wire.codecs import Payload
from radiod.wire.messages import Error, Result
from radiod.wire.options import CallOptions


@pytest.fixture
def calls():
    return Calls()


def pending(caller=None, details=None, **options):
    return PendingCall(caller, Calls(), 1, CallOptions(**options), details or {}, Payload.of(), None)


class TestProgressive:
    def test_ids_are_known_with_whether_the_dealer_has_seen_them(self, calls):
        calls.remember_progressive(1, False)
        calls.remember_progressive(2, True)
        assert calls.progressive == {1: False, 2: True}

    def test_the_latest_are_remembered(self, calls):
        for request in range(1, MAX_PROGRESSIVE + 2):
            calls.remember_progressive(request, True)
        assert list(calls.progressive) == list(range(2, MAX_PROGRESSIVE + 2))

    def test_ending_makes_one_the_latest(self, calls):
        for request in range(1, MAX_PROGRESSIVE + 1):
            calls.remember_progressive(request, False)
        calls.remember_progressive(1, True)
        calls.remember_progressive(MAX_PROGRESSIVE + 1, False)
        assert calls.progressive[1] is True
        assert 2 not in calls.progressive

    def test_one_that_is_noted_again_and_again_pushes_nobody_out(self, calls):
        for request in range(1, MAX_PROGRESSIVE + 1):
            calls.remember_progressive(request, True)
        for _ in range(5):
            calls.remember_progressive(MAX_PROGRESSIVE, True)
        assert 1 in calls.progressive


class TestInvocations:
    @pytest.mark.parametrize("invocation", [1, 2, 2**53])
    def test_nobody_was_asked_before_the_first(self, calls, invocation):
        with pytest.raises(PeerError, match=f"there was no INVOCATION {invocation}"):
            calls.check_invoked(invocation)

    def test_every_one_up_to_the_last_was(self, calls):
        for _ in range(3):
            calls.invocation_ids.next()
        for invocation in (1, 2, 3):
            calls.check_invoked(invocation)
        with pytest.raises(PeerError):
            calls.check_invoked(4)


class TestPending:
    def test_sessions_share_no_table(self):
        first, second = Calls(), Calls()
        first.made[1] = pending()
        first.remember_progressive(1, True)
        first.invocation_ids.next()
        assert second.made == second.answering == second.progressive == {}
        assert second.invocation_ids.next() == 1

    def test_a_call_says_so_while_more_is_to_come_and_not_when_that_was_all(self):
        call = pending(details={"caller": 5}, progress=True)
        assert call.invocation_details() == {"caller": 5, "progress": True}
        call.is_sending = False
        assert call.invocation_details() == {"caller": 5}

    def test_saying_so_leaves_what_all_its_invocations_carry(self):
        call = pending(progress=True)
        call.invocation_details()["more"] = 1
        assert call.details == {}

    @pytest.mark.parametrize(("features", "takes"), [((), False), (("caller.payload_passthru_mode",), True)])
    def test_an_answer_is_passed_through_to_callers_that_announced_it(self, features, takes):
        caller = Session(1, make_principal(), None, frozenset(features))
        assert pending(caller).takes_passthru is takes

    def test_the_router_takes_every_answer(self):
        assert pending().takes_passthru

    def test_each_has_its_own_list_of_those_that_cannot_take_it(self):
        first, second = pending(), pending()
        first.unavailable.add(Session(1, make_principal(), None))
        assert second.unavailable == set()


class TestTally:
    @pytest.fixture
    def tally(self):
        return CallTally()

    @pytest.mark.parametrize(
        ("answer", "outcome"),
        [
            (Result(1, {}), "result"),
            (Error(48, 1, {}, "com.example.no"), "error"),
            (Error(48, 1, {}, TIMEOUT), "timeout"),
            (Error(48, 1, {}, CANCELED), "canceled"),
        ],
    )
    def test_calls_end_as_they_are_answered(self, tally, answer, outcome):
        call = pending()
        call.began = 10.0
        tally.begun += 1
        assert tally.pending == 1
        tally.answered(call, answer, 12.5)
        assert {name: count for name, count in tally.by_outcome.items() if count} == {outcome: 1}
        assert (tally.pending, tally.seconds.count, tally.seconds.sum) == (0, 1, 2.5)

    def test_those_that_were_refused_never_were_pending(self, tally):
        tally.begun += 2
        for _ in range(5):
            tally.refused(pending(), CANCELED)
        tally.left(pending())
        assert tally.pending == 1
        assert (tally.by_outcome["refused"], tally.by_outcome["left"]) == (5, 1)

    def test_what_many_took_is_counted_before_anybody_looks(self, tally):
        call = pending()
        call.began = 1.0
        for _ in range(MANY):
            tally.answered(call, Result(1, {}), 1.5)
        assert (tally._uncounted, tally._seconds.count) == ([], MANY)


class TestTraces:
    """Of calls that say which trace they are part of."""

    def followed(self, parent="yes"):
        tally = CallTally()
        follower = tally.tracer = Follower()
        call = pending(details={"caller": 7}, traceparent=parent, tracestate="a=1")
        tally.follow(call, "p")
        return tally, call, follower

    def test_whoever_follows_them_is_told_and_says_what_callees_learn(self):
        _, call, follower = self.followed()
        assert follower.take() == [("call", "p", "yes", "a=1", False), ("details",)]
        assert call.details == {"caller": 7, "_traceparent": "there"}

    def test_nobody_need_want_to_know(self):
        tally, call, follower = self.followed("no")
        assert call.details == {"caller": 7}
        call.since = 1.0
        tally.has_begun(call)
        tally.answered(call, Result(1, {}), 2.0)
        assert follower.take() == [("call", "p", "no", "a=1", False)]

    def test_nobody_need_be_there(self):
        call = pending(traceparent="yes")
        CallTally().follow(call, "p")
        assert call.trace is None

    def test_their_ends_are_told(self):
        for answer, outcome in ((Result(1, {}), ""), (Error(48, 1, {}, "com.example.no"), "com.example.no")):
            tally, call, follower = self.followed()
            call.since = 1.0
            tally.has_begun(call)
            tally.answered(call, answer, 2.0)
            assert follower.take()[-1] == ("ended", outcome)
        tally, call, follower = self.followed()
        tally.refused(call, CANCELED)
        tally.left(call)
        assert follower.take()[-2:] == [("ended", CANCELED), ("ended", "left")]
