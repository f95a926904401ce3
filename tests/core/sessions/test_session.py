"""The session record, and the ids that its peer may use."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.core.rpc.dealer import PendingCall
from radiod.core.sessions.session import MAX_PROGRESSIVE, UNSTOPPABLE_CHUNKS, Session, announced
from radiod.errors import PeerError
from radiod.testing import make_principal
from radiod.wire.codecs import NOTHING
from radiod.wire.messages import (
    Call,
    CallOptions,
    Cancel,
    CancelOptions,
    InvocationError,
    PeerRole,
    Publish,
    PublishOptions,
    Register,
    RegisterOptions,
    Subscribe,
    SubscribeOptions,
    Unregister,
    Unsubscribe,
    Yield,
    YieldOptions,
)

COUNTED = {
    "publish": lambda id: Publish(id, PublishOptions(), "t"),
    "subscribe": lambda id: Subscribe(id, SubscribeOptions(), "t"),
    "unsubscribe": lambda id: Unsubscribe(id, 99),
    "call": lambda id: Call(id, CallOptions(), "p"),
    "register": lambda id: Register(id, RegisterOptions(), "p"),
    "unregister": lambda id: Unregister(id, 99),
}


def chunk(request):
    return Call(request, CallOptions(progress=True), "p")


def final(request):
    return Call(request, CallOptions(), "p")


def pending(progress):
    """A call that nobody has answered yet; a session looks at its options alone."""
    return PendingCall(None, 1, CallOptions(progress=progress), {}, NOTHING, None)


@pytest.fixture
def session():
    return Session(7, make_principal(), None)


def count(session, *messages):
    for message in messages:
        session.count(message)


def assert_violation(session, message, *, match=None):
    with pytest.raises(PeerError, match=match):
        session.count(message)


class TestRecord:
    def test_a_new_session_is_open_and_holds_nothing(self):
        outlet = object()
        session = Session(7, make_principal(), outlet)
        assert session.is_open
        assert not session.is_revocable
        assert session.outlet is outlet
        tables = (session.subscriptions, session.registrations, session.calls, session.invocations)
        assert all(table == {} for table in tables)
        assert session.progressive == {}
        assert session.features == frozenset()
        assert (session.waiting, session.testaments) == (None, None)
        assert session.invocation_ids.next() == 1

    def test_sessions_share_no_table(self):
        first, second = (Session(id, make_principal(), None) for id in (1, 2))
        first.calls[1] = object()
        first.progressive[1] = True
        assert second.calls == second.progressive == {}

    def test_a_log_line_shows_who_it_is(self):
        assert repr(Session(7, make_principal("alice", "writer"), None)) == "<Session 7 alice (writer)>"

    def test_sessions_are_told_apart_by_identity_and_not_by_id(self):
        principal = make_principal()
        assert len({Session(1, principal, None), Session(1, principal, None)}) == 2


class TestFeatures:
    def test_are_named_by_role(self):
        roles = {
            "callee": PeerRole(features={"call_canceling": True, "call_timeout": True}),
            "caller": PeerRole(features={"payload_passthru_mode": True}),
            "publisher": PeerRole(),
        }
        assert announced(roles) == {
            "callee.call_canceling",
            "callee.call_timeout",
            "caller.payload_passthru_mode",
        }

    @pytest.mark.parametrize("value", [False, None, 1, "true", {}])
    def test_count_when_they_are_true_and_nothing_else(self, value):
        assert announced({"callee": PeerRole(features={"call_canceling": value})}) == frozenset()

    def test_that_the_router_does_not_ask_about_are_forgotten(self):
        roles = {
            "callee": PeerRole(features={"flying": True}),
            "pilot": PeerRole(features={"call_canceling": True}),
            "caller": PeerRole(features={"call_canceling": True}),
        }
        assert announced(roles) == frozenset()

    def test_have_other_spellings(self):
        features = {"call_cancelling": True, "payload_transparency": True}
        expected = {"callee.call_canceling", "callee.payload_passthru_mode"}
        assert announced({"callee": PeerRole(features=features)}) == expected

    def test_are_one_object_for_all_who_announce_the_same(self):
        first, second = (announced({"callee": PeerRole(features={"call_timeout": True})}) for _ in range(2))
        assert first is second


class TestAnnouncing:
    def test_is_needed_for_what_is_used(self, session):
        session.features = frozenset({"caller.a"})
        session.check_announced("caller.a", True)
        session.check_announced("callee.a", False)
        for feature in ("callee.a", "caller.b"):
            with pytest.raises(PeerError, match=r"[ab] was not announced for the role calle[re]"):
                session.check_announced(feature, True)


class TestRequestIds:
    @given(kinds=st.lists(st.sampled_from(sorted(COUNTED)), max_size=20))
    def test_count_from_1_through_all_kinds_of_requests(self, kinds):
        session = Session(7, make_principal(), None)
        for id, kind in enumerate(kinds, 1):
            session.count(COUNTED[kind](id))
        assert session.last_request == len(kinds)

    @pytest.mark.parametrize("kind", sorted(COUNTED))
    @pytest.mark.parametrize("id", [1, 2, 4, 2**53])
    def test_out_of_sequence_break_the_protocol(self, session, kind, id):
        session.last_request = 2
        message = COUNTED[kind](id)
        assert_violation(session, message, match=rf"{kind.upper()}.Request is {id}, the next one is 3")
        assert session.last_request == 2
        session.count(COUNTED[kind](3))

    @pytest.mark.parametrize("kind", sorted(COUNTED))
    @pytest.mark.parametrize("first", [1, 4, 2**53 - 1])
    def test_begin_anywhere_and_count_from_there(self, session, kind, first):
        session.count(COUNTED[kind](first))
        for id in (first, first + 2, 1 if first > 1 else 7):
            assert_violation(session, final(id), match=f"the next one is {first + 1}")
        session.count(final(first + 1))

    def test_that_begin_with_the_last_one_go_on_with_1(self, session):
        count(session, final(2**53), final(1), final(2))

    def test_begin_again_behind_two_to_the_53rd(self, session):
        session.last_request = 2**53 - 1
        count(session, final(2**53), final(1), final(2))
        assert session.last_request == 2

    def test_do_not_begin_again_before(self, session):
        session.last_request = 2**53 - 1
        assert_violation(session, final(1))
        session.count(final(2**53))
        assert_violation(session, final(2**53))

    def test_of_answers_and_cancels_are_other_messages_ids(self, session):
        for id in (5, 5, 2):
            session.count(Yield(id, YieldOptions()))
            session.count(InvocationError(68, id, {}, "an.error"))
            session.count(Cancel(id, CancelOptions()))
        assert session.last_request == 0


class TestProgressiveCalls:
    def test_use_one_id_for_all_chunks(self, session):
        count(session, chunk(1), chunk(1), final(2), chunk(1), final(1), chunk(3), final(3))
        assert session.last_request == 3

    def test_other_messages_may_not_use_it(self, session):
        session.count(chunk(1))
        assert_violation(session, Subscribe(1, SubscribeOptions(), "t"))

    def test_a_call_without_chunks_has_none_to_come(self, session):
        session.count(final(1))
        for message in (final(1), chunk(1)):
            assert_violation(session, message)

    def test_begin_with_the_next_id(self, session):
        session.count(final(4))
        assert_violation(session, chunk(6))
        assert session.progressive == {}

    def test_are_known_while_they_are_pending(self, session):
        count(session, final(1), final(2))
        session.calls = {1: pending(progress=True), 2: pending(progress=False)}
        session.count(final(1))
        assert_violation(session, final(2))

    def test_the_latest_are_remembered_when_they_are_over(self, session):
        for id in range(1, MAX_PROGRESSIVE + 2):
            count(session, chunk(id), final(id))
        assert len(session.progressive) == MAX_PROGRESSIVE
        assert_violation(session, final(1))
        count(session, final(2), final(MAX_PROGRESSIVE + 1))

    def test_ending_makes_one_the_latest(self, session):
        for id in range(1, MAX_PROGRESSIVE + 1):
            session.count(chunk(id))
        session.remember_progressive(1, True)
        session.count(chunk(MAX_PROGRESSIVE + 1))
        assert session.progressive[1] is True
        assert 2 not in session.progressive

    def test_cost_the_same_memory_however_long_one_of_them_takes(self, session):
        session.calls[1] = pending(progress=True)
        for id in range(1, 5 * MAX_PROGRESSIVE):
            count(session, chunk(id), final(id))
            assert len(session.progressive) <= MAX_PROGRESSIVE
        session.count(chunk(1))


def test_one_stock_client_has_more_than_it_announces():
    roles = {"callee": PeerRole(features={"call_timeout": True})}
    unannounced = {
        "caller.progressive_call_invocations",
        "callee.progressive_call_results",
        UNSTOPPABLE_CHUNKS,
    }
    assert announced(roles, "Wampy.js v8.0.2") == {"callee.call_timeout", *unannounced}
    for agent in (None, "", "AutobahnPython/26.10.2", "NotWampy.js v8", "Wampy.json"):
        assert announced(roles, agent) == {"callee.call_timeout"}
