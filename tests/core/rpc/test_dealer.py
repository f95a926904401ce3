"""The dealer, case by case and against a model of who waits for whom."""

from functools import partial

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)
from support.answers import assert_refused
from support.realms import Follower

from radiod.core.limits import Limits
from radiod.core.rpc.calls import MAX_PROGRESSIVE, Calls
from radiod.core.rpc.dealer import CALL, Dealer
from radiod.core.rpc.unheard import MAX_UNHEARD
from radiod.core.sessions.session import UNSTOPPABLE_CHUNKS, Session
from radiod.errors import (
    CANCELED,
    FEATURE_NOT_SUPPORTED,
    MAX_CONCURRENCY,
    NO_AVAILABLE_CALLEE,
    NO_SUCH_PROCEDURE,
    NO_SUCH_REGISTRATION,
    PAYLOAD_SIZE_EXCEEDED,
    PROCEDURE_ALREADY_EXISTS,
    QUOTA,
    TIMEOUT,
    UNAVAILABLE,
    PeerError,
    Refused,
)
from radiod.testing import FakeClock, RecordingOutbox, Sent, SequentialIds, make_principal
from radiod.wire.codecs import Payload
from radiod.wire.messages import Error, Interrupt, Invocation, Result
from radiod.wire.options import CallOptions, RegisterOptions, YieldOptions

CANCELING = "callee.call_canceling"
RESULTS = "callee.progressive_call_results"
CHUNKS = "callee.progressive_call_invocations"
TIMES = "callee.call_timeout"
REROUTE = "callee.call_reroute"
SENDS_CHUNKS = "caller.progressive_call_invocations"
SENDS_OPAQUE = "caller.payload_passthru_mode"
TAKES_OPAQUE = "callee.payload_passthru_mode"
LONG = "x" * 200


class World:
    """A dealer, its clock, and the sessions on it."""

    def __init__(self, *, max_payload=None, **limits):
        self.clock = FakeClock()
        self.outbox = RecordingOutbox(max_payload)
        self.dealer = Dealer(
            self.outbox,
            self.clock,
            self.clock.timers,
            SequentialIds(),
            Limits(**{"call_timeout_s": 10, **limits}),
        )
        # Stands for the router where the router itself has called.
        self.router = Session(0, make_principal(), None)
        self._sessions = 0

    def join(self, *features):
        self._sessions += 1
        return Session(self._sessions, make_principal(), None, frozenset(features))

    def callee(self, *procedures, features=(), **options):
        session = self.join(*features)
        for procedure in procedures:
            self.register(session, procedure, **options)
        return session

    def register(self, session, procedure, **options):
        return self.dealer.registrations.add(session, procedure, RegisterOptions(**options))

    def call(self, caller, request, procedure, *args, details=None, **options):
        self.dealer.call(caller, request, procedure, CallOptions(**options), Payload.of(*args), details or {})

    def ask(self, number, procedure, *args, timeout_ms=0, on_end=lambda: None):
        """Call for the router itself; the end shows among what was sent, to session 0."""

        def end(message, payload):
            assert message.request == 0
            message.request = number
            self.outbox.sent.append(Sent(self.router, message, payload))
            on_end()

        self.dealer.ask(procedure, Payload.of(*args), CallOptions(timeout=timeout_ms), {}, end)

    def answer(self, callee, invocation, *args, **options):
        self.dealer.answer(callee, invocation, YieldOptions(**options), Payload.of(*args))

    def fail(self, callee, invocation, uri, *args, **details):
        self.dealer.fail(callee, invocation, uri, Payload.of(*args), details)

    def calls_of(self, session):
        """Its part in calls, without making one that it has not."""
        return self.dealer._calls.get(session, Calls())

    def made(self, session):
        """Its pending calls, by their requests."""
        return self.calls_of(session).made

    def answering(self, session):
        """The pending calls that it is to answer, by their invocations."""
        return self.calls_of(session).answering

    def registrations(self, session):
        """Its part in each of its registrations, by their ids."""
        return self.dealer.registrations.of(session)

    def sent(self):
        """What was sent since the last time asked, in short."""
        return [in_short(sent) for sent in self.outbox.take()]

    def details(self):
        """The details of what was sent since the last time asked."""
        return [sent.message.details for sent in self.outbox.take()]


def in_short(sent):
    """(session id, kind, request, what): what is an error's URI, an interrupt's mode and reason, or the
    payload's arguments."""
    id, message = sent.session.id, sent.message
    match message:
        case Invocation(request=request, details=details):
            return id, "chunk" if "progress" in details else "invocation", request, sent.payload.values()[0]
        case Result(request=request, details=details):
            return id, "progress" if "progress" in details else "result", request, sent.payload.values()[0]
        case Error(request_type=48, request=request, error=uri):
            return id, "error", request, uri
        case Interrupt(request=request, options={"mode": mode, "reason": reason}):
            return id, "interrupt", request, (mode, reason)
    raise AssertionError(f"the dealer never sends {message}")


@pytest.fixture
def world():
    return World()


@pytest.fixture
def callee(world):
    return world.callee("p")


@pytest.fixture
def caller(world):
    return world.join(SENDS_CHUNKS)


def assert_idle(world, *sessions):
    """Nobody waits for anything."""
    assert len(world.clock.timers) == 0
    for session in sessions:
        assert (world.made(session), world.answering(session)) == ({}, {})
        assert all(callee.running == 0 for callee in world.registrations(session).values())


class TestRegistering:
    def test_gives_each_procedure_an_id(self, world):
        session = world.callee("p", "q")
        assert set(world.registrations(session)) == {1, 2}
        assert len(world.dealer) == 2

    def test_is_for_one_session_only_unless_shared(self, world, callee):
        assert_refused(PROCEDURE_ALREADY_EXISTS, world.register, world.join(), "p")
        assert_refused(PROCEDURE_ALREADY_EXISTS, world.register, callee, "p")
        assert len(world.dealer) == 1

    def test_an_ended_registration_frees_its_procedure(self, world, callee):
        world.dealer.registrations.remove(callee, 1)
        assert_refused(NO_SUCH_PROCEDURE, world.call, world.join(), 1, "p")
        world.callee("p")
        assert len(world.dealer) == 1

    def test_ending_what_the_session_does_not_hold_is_refused(self, world, callee):
        assert_refused(NO_SUCH_REGISTRATION, world.dealer.registrations.remove, world.join(), 1)
        assert_refused(NO_SUCH_REGISTRATION, world.dealer.registrations.remove, callee, 999)
        assert len(world.dealer) == 1


class TestCalling:
    def test_invokes_the_callee_and_returns_its_result(self, world, caller, callee):
        world.call(caller, 7, "p", "question")
        assert world.sent() == [(callee.id, "invocation", 1, ["question"])]
        world.answer(callee, 1, "answer")
        assert world.sent() == [(caller.id, "result", 7, ["answer"])]
        assert_idle(world, caller, callee)

    def test_names_the_registration_in_the_invocation(self, world, caller):
        callee = world.callee("p", "q")
        world.call(caller, 1, "q")
        (sent,) = world.outbox.take()
        assert world.registrations(callee)[sent.message.registration].registration.procedure == "q"

    def test_tells_the_callee_what_it_may_know_of_the_caller(self, world, caller, callee):
        details = {"caller": 5}
        world.call(caller, 1, "p", details=details)
        assert world.details() == [{"caller": 5}]

    def test_names_the_procedure_where_the_callee_registered_a_pattern(self, world, caller):
        shared = {}
        world.callee("a", match="prefix")
        world.callee("..z", match="wildcard")
        world.callee("a.b.c")
        world.call(caller, 1, "a.b", details=shared)
        world.call(caller, 2, "x.y.z", details=shared)
        world.call(caller, 3, "a.b.c", details=shared)
        assert world.details() == [{"procedure": "a.b"}, {"procedure": "x.y.z"}, {}]
        assert shared == {}

    def test_returns_the_callees_error_with_its_payload(self, world, caller, callee):
        world.call(caller, 7, "p")
        world.outbox.take()
        world.fail(callee, 1, "an.error", "details")
        (sent,) = world.outbox.take(caller)
        assert sent.message == Error(CALL, 7, {}, "an.error")
        assert sent.payload.values() == (["details"], {})
        assert_idle(world, caller, callee)

    def test_what_nobody_has_registered_is_refused(self, world, caller):
        assert_refused(NO_SUCH_PROCEDURE, world.call, caller, 1, "p")
        assert_idle(world, caller)

    def test_a_request_that_is_still_pending_breaks_the_protocol(self, world, caller, callee):
        world.call(caller, 1, "p")
        with pytest.raises(PeerError):
            world.call(caller, 1, "p")
        assert len(world.answering(callee)) == len(world.made(caller)) == 1

    def test_a_request_that_has_ended_may_come_again(self, world, caller, callee):
        for invocation in (1, 2):
            world.call(caller, 1, "p")
            world.answer(callee, invocation)
        kinds = ("invocation", 1), ("result", 1), ("invocation", 2), ("result", 1)
        assert tuple(entry[1:3] for entry in world.sent()) == kinds

    def test_a_session_may_call_itself(self, world, callee):
        world.call(callee, 1, "p")
        world.answer(callee, 1, "me")
        assert world.sent() == [(callee.id, "invocation", 1, []), (callee.id, "result", 1, ["me"])]
        assert_idle(world, callee)

    def test_unregistering_lets_the_callee_finish(self, world, caller, callee):
        world.call(caller, 1, "p")
        world.dealer.registrations.remove(callee, 1)
        world.answer(callee, 1, "late")
        assert world.sent()[-1] == (caller.id, "result", 1, ["late"])
        assert_idle(world, caller, callee)

    def test_a_callee_cannot_answer_for_another(self, world, caller, callee):
        world.call(caller, 1, "p")
        world.outbox.take()
        other = world.callee("q")
        world.call(caller, 2, "q")
        world.answer(other, 1, "its own")
        world.outbox.take()
        world.answer(other, 1, "forged")
        world.fail(other, 1, "an.error", "forged")
        assert world.sent() == []
        assert len(world.made(caller)) == 1

    def test_nobody_can_answer_what_never_was(self, world, caller, callee):
        world.call(caller, 1, "p")
        world.outbox.take()
        for session, invocation in ((callee, 2), (callee, 2**53), (caller, 1)):
            with pytest.raises(PeerError, match=f"there was no INVOCATION {invocation}"):
                world.answer(session, invocation, "forged")
            with pytest.raises(PeerError, match=f"there was no INVOCATION {invocation}"):
                world.fail(session, invocation, "an.error", "forged")
        assert world.sent() == []
        assert len(world.made(caller)) == 1

    def test_a_second_answer_is_dropped(self, world, caller, callee):
        world.call(caller, 1, "p")
        world.answer(callee, 1, "first")
        world.answer(callee, 1, "second")
        world.fail(callee, 1, "an.error", "third")
        assert [entry[1] for entry in world.sent()] == ["invocation", "result"]


class TestPendingCallsAreBounded:
    def test_for_a_caller(self):
        world = World(max_pending_calls=2)
        world.callee("p"), world.callee("q"), world.callee("r")
        caller = world.join()
        world.call(caller, 1, "p")
        world.call(caller, 2, "q")
        assert_refused(QUOTA, world.call, caller, 3, "r")
        assert len(world.made(caller)) == len(world.clock.timers) == 2
        world.call(world.join(), 1, "r")

    def test_for_a_callee(self):
        world = World(max_pending_calls=2)
        callee = world.callee("p")
        world.call(world.join(), 1, "p")
        world.call(world.join(), 1, "p")
        assert_refused(QUOTA, world.call, world.join(), 1, "p")
        assert_refused(QUOTA, world.ask, 1, "p")
        world.answer(callee, 1)
        world.call(world.join(), 1, "p")
        assert len(world.answering(callee)) == 2

    def test_by_what_a_callee_asks_for_under_an_error_of_its_own(self, world, caller):
        callee = world.callee("p", concurrency=1)
        world.call(caller, 1, "p")
        assert_refused(MAX_CONCURRENCY, world.call, caller, 2, "p")
        assert set(world.made(caller)) == {1}
        world.answer(callee, 1)
        world.call(caller, 3, "p")
        assert [entry[2] for entry in world.sent() if entry[1] == "invocation"] == [1, 2]

    def test_by_what_each_of_several_callees_asks_for(self, world, caller):
        one = world.callee("p", invoke="first", concurrency=1)
        other = world.callee("p", invoke="first", concurrency=2)
        for request in (1, 2, 3):
            world.call(caller, request, "p")
        assert [entry[0] for entry in world.sent()] == [one.id, other.id, other.id]
        assert_refused(MAX_CONCURRENCY, world.call, caller, 4, "p")
        world.fail(other, 1, "an.error")
        world.call(caller, 5, "p")
        assert set(world.answering(other)) == {2, 3}

    def test_a_registration_made_anew_counts_from_nothing(self, world, caller):
        callee = world.callee("p", concurrency=1)
        world.call(caller, 1, "p")
        world.dealer.registrations.remove(callee, 1)
        world.register(callee, "p", concurrency=1)
        world.call(caller, 2, "p")
        world.answer(callee, 1)
        assert_refused(MAX_CONCURRENCY, world.call, caller, 3, "p")
        world.answer(callee, 2)
        assert_idle(world, caller, callee)


class TestPayloadsThatDoNotFit:
    @pytest.fixture
    def world(self):
        return World(max_payload=100)

    def test_a_question_that_the_callee_cannot_take_is_refused_as_a_whole(self, world, caller, callee):
        assert_refused(PAYLOAD_SIZE_EXCEEDED, world.call, caller, 1, "p", LONG)
        assert_refused(PAYLOAD_SIZE_EXCEEDED, world.ask, 1, "p", LONG)
        assert_idle(world, caller, callee)
        assert world.sent() == []

    def test_and_leaves_no_gap_in_the_callees_ids(self, world, caller, callee):
        world.call(caller, 1, "p")
        assert_refused(PAYLOAD_SIZE_EXCEEDED, world.call, caller, 2, "p", LONG)
        world.call(caller, 3, "p")
        assert [entry[2] for entry in world.sent()] == [1, 2]

    @pytest.mark.parametrize("ending", ["answer", "fail"])
    def test_an_answer_that_the_caller_cannot_take_becomes_an_error(self, world, caller, callee, ending):
        world.call(caller, 7, "p")
        world.sent()
        if ending == "answer":
            world.answer(callee, 1, LONG)
        else:
            world.fail(callee, 1, "an.error", LONG)
        assert world.sent() == [(caller.id, "error", 7, PAYLOAD_SIZE_EXCEEDED)]
        assert_idle(world, caller, callee)

    def test_neither_does_a_progressive_result(self, world, caller):
        callee = world.callee("p", features=(RESULTS, CANCELING))
        world.call(caller, 7, "p", receive_progress=True)
        world.sent()
        world.answer(callee, 1, LONG, progress=True)
        assert world.sent() == [
            (callee.id, "interrupt", 1, ("killnowait", CANCELED)),
            (caller.id, "error", 7, PAYLOAD_SIZE_EXCEEDED),
        ]
        assert_idle(world, caller, callee)

    def test_nor_a_chunk_without_which_the_rest_means_nothing(self, world, caller):
        callee = world.callee("p", features=(CHUNKS, CANCELING))
        world.call(caller, 7, "p", progress=True)
        world.sent()
        world.call(caller, 7, "p", LONG, progress=True)
        assert world.sent() == [
            (callee.id, "interrupt", 1, ("killnowait", CANCELED)),
            (caller.id, "error", 7, PAYLOAD_SIZE_EXCEEDED),
        ]
        world.call(caller, 7, "p")
        assert world.sent() == []
        assert_idle(world, caller, callee)


class TestDeadlines:
    @pytest.mark.parametrize(
        ("timeout", "seconds"), [(0, 10), (1, 0.001), (2500, 2.5), (10_000, 10), (10_001, 10), (2**53, 10)]
    )
    def test_are_milliseconds_up_to_the_servers_own_limit(self, world, caller, callee, timeout, seconds):
        world.call(caller, 7, "p", timeout=timeout)
        world.clock.advance(seconds - 0.0005)
        assert [entry[1] for entry in world.sent()] == ["invocation"]
        world.clock.advance(0.0005)
        assert world.sent() == [(caller.id, "error", 7, TIMEOUT)]
        assert_idle(world, caller, callee)

    def test_what_comes_after_them_is_dropped(self, world, caller, callee):
        world.call(caller, 7, "p")
        world.clock.advance(10)
        world.sent()
        world.answer(callee, 1)
        assert world.sent() == []

    def test_do_not_touch_calls_that_were_answered(self, world, caller, callee):
        world.call(caller, 7, "p")
        world.answer(callee, 1)
        world.sent()
        world.clock.advance(100)
        assert world.sent() == []

    def test_interrupt_a_callee_that_listens(self, world, caller):
        callee = world.callee("p", features=[CANCELING])
        world.call(caller, 7, "p", timeout=1000)
        world.sent()
        world.clock.advance(1)
        assert world.sent() == [
            (callee.id, "interrupt", 1, ("killnowait", TIMEOUT)),
            (caller.id, "error", 7, TIMEOUT),
        ]

    def test_are_the_callees_own_business_if_it_asked_for_that(self, world, caller):
        callee = world.callee("p", features=[TIMES], forward_timeout=True)
        world.call(caller, 7, "p", timeout=1000)
        assert world.details() == [{"timeout": 1000}]
        world.clock.advance(9.5)
        assert world.sent() == []
        world.fail(callee, 1, TIMEOUT)
        assert world.sent() == [(caller.id, "error", 7, TIMEOUT)]

    def test_but_the_servers_own_limit_holds_for_everybody(self, world, caller):
        world.callee("p", features=[TIMES], forward_timeout=True)
        world.call(caller, 7, "p", timeout=20_000)
        world.sent()
        world.clock.advance(10)
        assert world.sent() == [(caller.id, "error", 7, TIMEOUT)]

    @pytest.mark.parametrize(
        ("features", "forward", "timeout"), [([], True, 1000), ([TIMES], False, 1000), ([TIMES], True, 0)]
    )
    def test_are_told_only_who_announced_and_asked_for_it(self, world, caller, features, forward, timeout):
        world.callee("p", features=features, forward_timeout=forward)
        world.call(caller, 7, "p", timeout=timeout)
        assert world.details() == [{}]
        world.clock.advance(timeout / 1000 or 10)
        assert world.sent() == [(caller.id, "error", 7, TIMEOUT)]

    def test_of_the_routers_own_calls_are_left_to_nobody(self, world):
        world.callee("p", features=[TIMES], forward_timeout=True)
        world.ask(1, "p", timeout_ms=1000)
        assert world.details() == [{}]
        world.clock.advance(1)
        assert world.sent() == [(0, "error", 1, TIMEOUT)]


class TestProgressiveResults:
    @pytest.fixture
    def callee(self, world):
        return world.callee("p", features=(RESULTS, CANCELING))

    def test_reach_a_caller_that_asked_for_them(self, world, caller, callee):
        world.call(caller, 7, "p", receive_progress=True)
        assert world.details() == [{"receive_progress": True}]
        world.answer(callee, 1, "one", progress=True)
        world.answer(callee, 1, "two", progress=True)
        world.answer(callee, 1)
        assert world.sent() == [
            (caller.id, "progress", 7, ["one"]),
            (caller.id, "progress", 7, ["two"]),
            (caller.id, "result", 7, []),
        ]
        assert_idle(world, caller, callee)

    def test_may_end_in_an_error(self, world, caller, callee):
        world.call(caller, 7, "p", receive_progress=True)
        world.answer(callee, 1, "one", progress=True)
        world.fail(callee, 1, "an.error")
        world.answer(callee, 1, "late", progress=True)
        assert [entry[1] for entry in world.sent()] == ["invocation", "progress", "error"]

    def test_are_dropped_when_nobody_asked(self, world, caller, callee):
        world.call(caller, 7, "p")
        world.ask(1, "p")
        assert world.details() == [{}, {}]
        world.answer(callee, 1, "one", progress=True)
        world.answer(callee, 2, "one", progress=True)
        assert world.sent() == []
        world.answer(callee, 1, "all")
        world.answer(callee, 2, "all")
        assert world.sent() == [(caller.id, "result", 7, ["all"]), (0, "result", 1, ["all"])]

    def test_are_asked_of_a_callee_that_cannot_be_stopped_too(self, world, caller):
        """The specification disregards those; stock clients in JavaScript are such callees."""
        callee = world.callee("q", features=[RESULTS])
        world.call(caller, 7, "q", receive_progress=True)
        assert world.details() == [{"receive_progress": True}]
        world.answer(callee, 1, "one", progress=True)
        world.dealer.leave(caller)
        world.answer(callee, 1, "two", progress=True)
        world.answer(callee, 1, "all")
        assert world.sent() == [(caller.id, "progress", 7, ["one"])]
        assert_idle(world, caller, callee)

    @pytest.mark.parametrize("features", [(), (CANCELING,)])
    def test_are_not_asked_of_a_callee_that_did_not_announce_them(self, world, caller, features):
        callee = world.callee("q", features=features)
        world.call(caller, 7, "q", receive_progress=True)
        assert world.details() == [{}]
        world.answer(callee, 1, "one", progress=True)
        assert world.sent() == []

    def test_nobody_takes_are_bounded(self, world):
        """A callee that cannot be stopped does not run more and more of them for callers who come and go."""
        callee = world.callee("q", features=[RESULTS])

        def call():
            caller = world.join()
            world.call(caller, 1, "q", receive_progress=True)
            (details,) = world.details()
            return caller, details

        for _ in range(MAX_UNHEARD):
            caller, details = call()
            assert details == {"receive_progress": True}
            world.dealer.leave(caller)
        assert call()[1] == {}
        world.answer(callee, 1, "late", progress=True)
        assert call()[1] == {}
        world.answer(callee, 1, "all")
        world.fail(callee, 2, "an.error")
        caller, details = call()
        assert details == {"receive_progress": True}
        world.dealer.cancel(caller, 1, "skip")
        assert world.sent() == [(caller.id, "error", 1, CANCELED)]
        assert [call()[1] for _ in range(2)] == [{"receive_progress": True}] * 2
        world.clock.advance(20)
        world.dealer.leave(callee)
        assert len(world.dealer.unheard) == 0

    @pytest.mark.parametrize(("timeout", "seconds"), [(2000, 2), (0, 10)])
    def test_each_gives_the_next_the_full_time(self, world, caller, callee, timeout, seconds):
        world.call(caller, 7, "p", receive_progress=True, timeout=timeout)
        for _ in range(3):
            world.clock.advance(seconds - 0.5)
            world.answer(callee, 1, progress=True)
        world.sent()
        world.clock.advance(seconds - 0.5)
        assert world.sent() == []
        world.clock.advance(0.5)
        assert world.sent() == [
            (callee.id, "interrupt", 1, ("killnowait", TIMEOUT)),
            (caller.id, "error", 7, TIMEOUT),
        ]
        assert_idle(world, caller, callee)


class TestWhatIsKnownOfChunks:
    """What a session may send under an id that it has used, and whether anybody looks at it."""

    @pytest.fixture
    def callee(self, world):
        return world.callee("p", features=(CHUNKS, CANCELING, TAKES_OPAQUE))

    def known(self, world, caller, request=7):
        """Whether a chunk may come, whether it goes on with what was decided, and whether it is opaque."""
        dealer = world.dealer
        return (
            dealer.takes_chunks(caller, request),
            dealer.is_chunk(caller, request),
            dealer.is_opaque(caller, request),
        )

    def test_asking_about_a_session_without_calls_makes_no_table(self, world, caller):
        assert self.known(world, caller) == (False, False, True)
        world.dealer.cancel(caller, 7, "kill")
        world.dealer.give_up(caller, 7, Refused(QUOTA, "too much"))
        assert world.dealer._calls == {}

    def test_one_that_is_expected_may_come_though_nothing_was_decided_yet(self, world, caller):
        world.dealer.expect_chunks(caller, 7)
        assert self.known(world, caller) == (True, False, True)
        assert self.known(world, caller, 8) == (False, False, True)

    def test_one_of_a_pending_call_goes_on_with_that(self, world, caller, callee):
        world.dealer.expect_chunks(caller, 7)
        world.call(caller, 7, "p", progress=True)
        assert self.known(world, caller) == (True, True, False)

    def test_a_call_without_chunks_has_none_to_come_while_it_is_pending_and_after(
        self, world, caller, callee
    ):
        world.call(caller, 7, "p")
        assert self.known(world, caller) == (False, True, False)
        world.answer(callee, 1)
        assert self.known(world, caller) == (False, False, True)

    @pytest.mark.parametrize(("name", "is_opaque"), [("enc_algo", True), ("ppt_scheme", False)])
    def test_nobody_looks_at_what_is_no_list_of_arguments(self, world, caller, callee, name, is_opaque):
        world.call(caller, 7, "p", progress=True, **{name: "x_scheme"})
        assert self.known(world, caller) == (True, True, is_opaque)

    def test_one_that_comes_late_is_of_no_call_any_more(self, world, caller, callee):
        world.call(caller, 7, "p", progress=True)
        world.answer(callee, 1)
        assert self.known(world, caller) == (True, True, True)

    def test_one_of_a_call_that_was_answered_before_it_reached_a_callee_is_late_too(self, world, caller):
        world.dealer.expect_chunks(caller, 7)
        world.dealer.forget_chunks(caller, 7)
        assert self.known(world, caller) == (True, True, True)
        world.call(caller, 7, "p", progress=True)
        assert world.sent() == []

    def test_giving_one_up_ends_the_call(self, world, caller, callee):
        world.call(caller, 7, "p", progress=True)
        world.sent()
        world.dealer.give_up(caller, 7, Refused(QUOTA, "too much"))
        assert world.sent() == [
            (callee.id, "interrupt", 1, ("killnowait", CANCELED)),
            (caller.id, "error", 7, QUOTA),
        ]
        assert_idle(world, caller, callee)

    def test_nothing_is_known_of_a_session_that_left(self, world, caller, callee):
        world.dealer.expect_chunks(caller, 6)
        world.call(caller, 7, "p", progress=True)
        world.dealer.leave(caller)
        world.dealer.leave(caller)
        assert self.known(world, caller) == (False, False, True)
        world.answer(callee, 1)
        world.dealer.leave(callee)
        assert world.dealer._calls == {}


class TestProgressiveInvocations:
    @pytest.fixture
    def callee(self, world):
        return world.callee("p", features=(CHUNKS, CANCELING, RESULTS, TIMES), forward_timeout=True)

    def test_reach_the_callee_under_one_id(self, world, caller, callee):
        world.call(caller, 7, "p", "one", progress=True)
        world.call(caller, 7, "p", "two", progress=True)
        world.call(caller, 7, "p", "three")
        assert world.sent() == [
            (callee.id, "chunk", 1, ["one"]),
            (callee.id, "chunk", 1, ["two"]),
            (callee.id, "invocation", 1, ["three"]),
        ]
        world.answer(callee, 1, "done")
        assert world.sent() == [(caller.id, "result", 7, ["done"])]
        assert_idle(world, caller, callee)

    def test_count_as_one_call_for_limits_and_ids(self, caller):
        world = World(max_pending_calls=1)
        callee = world.callee("p", features=(CHUNKS, CANCELING), concurrency=1)
        for is_more in (True, True, False):
            world.call(caller, 7, "p", progress=is_more)
        world.answer(callee, 1)
        world.call(caller, 8, "p")
        assert [entry[2] for entry in world.sent()] == [1, 1, 1, 7, 2]

    def test_all_go_to_the_callee_that_had_the_first(self, world, caller):
        sessions = [
            world.callee("q", features=(CHUNKS, CANCELING), invoke="roundrobin", concurrency=1)
            for _ in range(2)
        ]
        world.call(caller, 1, "q", progress=True)
        world.call(caller, 2, "q", progress=True)
        world.dealer.registrations.remove(sessions[0], 1)
        world.call(caller, 1, "q", progress=True)
        world.call(caller, 2, "q", progress=True)
        assert [entry[0] for entry in world.sent()] == [session.id for session in sessions] * 2

    def test_options_are_those_of_the_first_chunk(self, world, caller, callee):
        first = {"receive_progress": True, "timeout": 5000}
        world.call(caller, 7, "p", progress=True, details={"caller": 5}, **first)
        world.call(caller, 7, "p", progress=True, timeout=1, ppt_scheme="x", disclose_me=True)
        world.call(caller, 7, "other", details={"caller": 6})
        told = {"caller": 5, **first}
        assert world.details() == [{**told, "progress": True}, {**told, "progress": True}, told]

    def test_results_may_come_in_between(self, world, caller, callee):
        world.call(caller, 7, "p", progress=True, receive_progress=True)
        world.answer(callee, 1, "one", progress=True)
        world.call(caller, 7, "p")
        world.answer(callee, 1, "all")
        assert [entry[1] for entry in world.sent()] == ["chunk", "progress", "invocation", "result"]

    def test_chunks_that_come_after_the_end_are_ignored(self, world, caller, callee):
        world.call(caller, 7, "p", progress=True)
        world.answer(callee, 1, "enough")
        world.sent()
        world.call(caller, 7, "p", progress=True)
        world.call(caller, 7, "p")
        assert world.sent() == []
        assert_idle(world, caller, callee)

    def test_also_when_many_others_came_and_went_before_it_ended(self, world, caller, callee):
        world.call(caller, 1, "p", progress=True)
        for request in range(2, MAX_PROGRESSIVE + 3):
            world.call(caller, request, "p", progress=True)
            world.answer(callee, request)
        world.call(caller, 1, "p", progress=True)
        world.answer(callee, 1)
        world.sent()
        world.call(caller, 1, "p")
        assert world.sent() == []
        assert len(world.calls_of(caller).progressive) == MAX_PROGRESSIVE

    def test_a_call_whose_first_chunk_was_refused_is_refused_once(self, world, caller):
        assert_refused(NO_SUCH_PROCEDURE, world.call, caller, 7, "q", progress=True)
        world.callee("q", features=(CHUNKS, CANCELING))
        world.call(caller, 7, "q", progress=True)
        world.call(caller, 7, "q")
        assert world.sent() == []
        assert_idle(world, caller)

    def test_a_chunk_behind_the_final_one_breaks_the_protocol(self, world, caller, callee):
        world.call(caller, 7, "p", progress=True)
        world.call(caller, 7, "p")
        for is_more in (False, True):
            with pytest.raises(PeerError):
                world.call(caller, 7, "p", progress=is_more)

    def test_goes_to_a_callee_that_has_nothing_to_be_stopped(self, world, caller):
        callee = world.callee("q", features=[UNSTOPPABLE_CHUNKS])
        world.call(caller, 7, "q", "one", progress=True)
        world.call(caller, 7, "q", "two")
        world.dealer.cancel(caller, 7, "kill")
        assert world.sent() == [
            (callee.id, "chunk", 1, ["one"]),
            (callee.id, "invocation", 1, ["two"]),
            (caller.id, "error", 7, CANCELED),
        ]

    @pytest.mark.parametrize("features", [(), (CHUNKS,), (CANCELING,)])
    def test_what_the_callee_did_not_announce_is_refused(self, world, caller, features):
        callee = world.callee("q", features=features)
        assert_refused(FEATURE_NOT_SUPPORTED, world.call, caller, 7, "q", progress=True)
        assert_idle(world, caller, callee)
        world.call(caller, 8, "q")
        assert [entry[1:3] for entry in world.sent()] == [("invocation", 1)]

    def test_each_chunk_restarts_the_servers_own_limit(self, world, caller, callee):
        world.call(caller, 7, "p", progress=True)
        for is_more in (True, False):
            world.clock.advance(9.5)
            world.call(caller, 7, "p", progress=is_more)
        world.clock.advance(9.5)
        assert [entry[1] for entry in world.sent()] == ["chunk", "chunk", "invocation"]
        world.clock.advance(0.5)
        assert [entry[1] for entry in world.sent()] == ["interrupt", "error"]

    def test_also_where_the_callee_minds_the_callers_time(self, world, caller, callee):
        world.call(caller, 7, "p", progress=True, timeout=1000)
        world.clock.advance(9.5)
        world.call(caller, 7, "p", progress=True)
        world.clock.advance(9.5)
        assert [entry[1] for entry in world.sent()] == ["chunk", "chunk"]

    def test_no_chunk_prolongs_the_time_that_the_caller_gave(self, world, caller):
        world.callee("q", features=(CHUNKS, CANCELING))
        world.call(caller, 7, "q", progress=True, timeout=1000)
        world.clock.advance(0.5)
        world.call(caller, 7, "q", progress=True)
        world.clock.advance(0.5)
        assert [entry[1] for entry in world.sent()] == ["chunk", "chunk", "interrupt", "error"]


class TestCanceling:
    @pytest.fixture
    def deaf(self, world):
        return world.callee("deaf")

    @pytest.fixture
    def callee(self, world):
        return world.callee("p", features=[CANCELING])

    @pytest.mark.parametrize("mode", ["skip", "kill", "killnowait"])
    def test_ends_a_call_at_once_whose_callee_does_not_listen(self, world, caller, deaf, mode):
        world.call(caller, 7, "deaf")
        world.sent()
        world.dealer.cancel(caller, 7, mode)
        assert world.sent() == [(caller.id, "error", 7, CANCELED)]
        assert_idle(world, caller, deaf)
        world.answer(deaf, 1)
        assert world.sent() == []

    def test_skip_tells_the_callee_nothing(self, world, caller, callee):
        world.call(caller, 7, "p")
        world.sent()
        world.dealer.cancel(caller, 7, "skip")
        assert world.sent() == [(caller.id, "error", 7, CANCELED)]
        assert_idle(world, caller, callee)

    def test_killnowait_interrupts_and_waits_for_nothing(self, world, caller, callee):
        world.call(caller, 7, "p")
        world.sent()
        world.dealer.cancel(caller, 7, "killnowait")
        assert world.sent() == [
            (callee.id, "interrupt", 1, ("killnowait", CANCELED)),
            (caller.id, "error", 7, CANCELED),
        ]
        assert_idle(world, caller, callee)
        world.fail(callee, 1, CANCELED)
        assert world.sent() == []

    @pytest.mark.parametrize("is_error", [True, False])
    def test_kill_interrupts_once_and_waits_for_the_callee(self, world, caller, callee, is_error):
        world.call(caller, 7, "p")
        world.sent()
        world.dealer.cancel(caller, 7, "kill")
        world.dealer.cancel(caller, 7, "kill")
        assert world.sent() == [(callee.id, "interrupt", 1, ("kill", CANCELED))]
        if is_error:
            world.fail(callee, 1, "wamp.error.canceled")
            assert world.sent() == [(caller.id, "error", 7, CANCELED)]
        else:
            world.answer(callee, 1, "done already")
            assert world.sent() == [(caller.id, "result", 7, ["done already"])]
        assert_idle(world, caller, callee)

    def test_kill_can_be_followed_by_less_patience(self, world, caller, callee):
        for request, mode in ((7, "skip"), (8, "killnowait")):
            world.call(caller, request, "p")
            world.dealer.cancel(caller, request, "kill")
            world.sent()
            world.dealer.cancel(caller, request, mode)
            assert world.sent()[-1] == (caller.id, "error", request, CANCELED)
        assert_idle(world, caller, callee)

    def test_kill_waits_no_longer_than_the_deadline(self, world, caller, callee):
        world.call(caller, 7, "p", timeout=1000)
        world.dealer.cancel(caller, 7, "kill")
        world.sent()
        world.clock.advance(1)
        assert world.sent()[-1] == (caller.id, "error", 7, TIMEOUT)
        assert_idle(world, caller, callee)

    def test_after_kill_no_chunk_is_passed_on_but_the_last_is_noticed(self, world, caller):
        world.callee("q", features=(CHUNKS, CANCELING))
        world.call(caller, 7, "q", progress=True)
        world.dealer.cancel(caller, 7, "kill")
        world.sent()
        world.call(caller, 7, "q", progress=True)
        world.call(caller, 7, "q")
        assert world.sent() == []
        with pytest.raises(PeerError):
            world.call(caller, 7, "q")

    @pytest.mark.parametrize("mode", ["skip", "kill", "killnowait"])
    def test_what_never_was_or_has_ended_is_left_alone(self, world, caller, callee, mode):
        world.dealer.cancel(caller, 1, mode)
        world.call(caller, 7, "p")
        world.dealer.cancel(world.join(), 7, mode)
        world.answer(callee, 1)
        world.sent()
        world.dealer.cancel(caller, 7, mode)
        assert world.sent() == []


class TestRerouting:
    def callees(self, world, *features, count=3, invoke="first", **options):
        return [
            world.callee("p", features=(REROUTE, *features), invoke=invoke, **options) for _ in range(count)
        ]

    @pytest.mark.parametrize(
        ("invoke", "order"), [("first", [1, 2, 3]), ("last", [3, 2, 1]), ("roundrobin", [1, 2, 3])]
    )
    def test_asks_the_next_until_nobody_is_left(self, world, invoke, order):
        sessions = {session.id: session for session in self.callees(world, invoke=invoke)}
        caller = world.join()
        world.call(caller, 7, "p", "question")
        for id in order:
            assert world.sent() == [(id, "invocation", 1, ["question"])]
            world.fail(sessions[id], 1, UNAVAILABLE)
        assert world.sent() == [(caller.id, "error", 7, NO_AVAILABLE_CALLEE)]
        assert_idle(world, caller, *sessions.values())

    def test_at_random_never_asks_the_same_twice(self, world):
        sessions = {session.id: session for session in self.callees(world, invoke="random")}
        caller = world.join()
        world.call(caller, 7, "p")
        asked = []
        while world.outbox.sent[-1].session is not caller:
            asked.append(world.outbox.take()[-1].session.id)
            world.fail(sessions[asked[-1]], 1, UNAVAILABLE)
        assert sorted(asked) == [1, 2, 3]
        assert [entry[3] for entry in world.sent()] == [NO_AVAILABLE_CALLEE]

    def test_the_next_may_answer(self, world, caller):
        first, second, _ = self.callees(world)
        world.call(caller, 7, "p")
        world.fail(first, 1, UNAVAILABLE)
        world.answer(first, 1, "no longer asked")
        world.answer(second, 1, "here")
        assert world.sent()[-1] == (caller.id, "result", 7, ["here"])
        assert_idle(world, caller, first, second)

    def test_can_be_canceled(self, world, caller):
        first, second, _ = self.callees(world, CANCELING)
        world.call(caller, 7, "p")
        world.fail(first, 1, UNAVAILABLE)
        world.sent()
        world.dealer.cancel(caller, 7, "killnowait")
        assert [entry[:2] for entry in world.sent()] == [(second.id, "interrupt"), (caller.id, "error")]

    def test_a_call_of_the_routers_own_too(self, world):
        first, second, third = self.callees(world)
        world.ask(1, "p", "question")
        world.fail(first, 1, UNAVAILABLE)
        world.fail(second, 1, UNAVAILABLE)
        world.answer(third, 1, "here")
        world.ask(2, "p")
        for session in (first, second, third):
            world.fail(session, 2, UNAVAILABLE)
        answers = [entry for entry in world.sent() if entry[0] == 0]
        assert answers == [(0, "result", 1, ["here"]), (0, "error", 2, NO_AVAILABLE_CALLEE)]
        assert_idle(world, first, second, third)

    def test_leaves_a_single_callees_call_without_anybody(self, world, caller):
        callee = world.callee("p", features=[REROUTE])
        world.call(caller, 7, "p")
        world.fail(callee, 1, UNAVAILABLE)
        assert world.sent()[-1] == (caller.id, "error", 7, NO_AVAILABLE_CALLEE)

    def test_a_callee_that_did_not_announce_it_means_what_it_says(self, world, caller):
        first, _ = (world.callee("p", invoke="first") for _ in range(2))
        world.call(caller, 7, "p")
        world.fail(first, 1, UNAVAILABLE)
        assert world.sent()[-1] == (caller.id, "error", 7, UNAVAILABLE)

    def test_nobody_else_goes_on_where_a_callee_began(self, world, caller):
        first, second, _ = self.callees(world, RESULTS, CHUNKS, CANCELING)
        world.call(caller, 7, "p", receive_progress=True)
        world.answer(first, 1, "one", progress=True)
        world.fail(first, 1, UNAVAILABLE)
        world.call(caller, 8, "p", progress=True)
        world.fail(first, 2, UNAVAILABLE)
        world.call(caller, 9, "p")
        world.dealer.cancel(caller, 9, "kill")
        world.fail(first, 3, UNAVAILABLE)
        errors = [entry for entry in world.sent() if entry[1] == "error"]
        assert errors == [(caller.id, "error", request, NO_AVAILABLE_CALLEE) for request in (7, 8, 9)]
        assert_idle(world, caller, first, second)

    def test_callees_that_are_gone_are_not_asked(self, world, caller):
        first, second = self.callees(world, count=2)
        world.call(caller, 7, "p")
        world.dealer.leave(second)
        world.dealer.registrations.remove(first, 1)
        world.fail(first, 1, UNAVAILABLE)
        assert world.sent()[-1] == (caller.id, "error", 7, NO_AVAILABLE_CALLEE)
        assert len(world.dealer) == 0

    def test_callees_that_came_meanwhile_are(self, world, caller):
        first, second = self.callees(world, count=2)
        world.call(caller, 7, "p")
        (third,) = self.callees(world, count=1)
        for session in (first, second):
            world.fail(session, 1, UNAVAILABLE)
        world.answer(third, 1, "here")
        assert world.sent()[-1] == (caller.id, "result", 7, ["here"])

    def test_a_refusal_by_the_next_ends_the_call(self, world, caller):
        first, busy = self.callees(world, count=2, concurrency=1)
        world.call(caller, 1, "p")
        world.call(caller, 2, "p")
        world.fail(first, 1, UNAVAILABLE)
        assert world.sent()[-1] == (caller.id, "error", 1, MAX_CONCURRENCY)
        world.answer(busy, 1)
        assert_idle(world, caller, first, busy)

    def test_options_are_those_that_the_next_announced(self, world, caller):
        first = world.callee(
            "p", features=(REROUTE, RESULTS, CANCELING, TIMES), invoke="first", forward_timeout=True
        )
        second = world.callee("p", features=[REROUTE], invoke="first")
        third = world.callee("p", features=(RESULTS, CANCELING), invoke="first")
        world.call(caller, 7, "p", receive_progress=True, timeout=5000, details={"caller": 1})
        before = world.outbox.sent[0].message.details.copy()
        world.fail(first, 1, UNAVAILABLE)
        world.fail(second, 1, UNAVAILABLE)
        assert world.details() == [
            before,
            {"caller": 1},
            {"caller": 1, "receive_progress": True},
        ]
        assert before == {"caller": 1, "receive_progress": True, "timeout": 5000}
        world.answer(third, 1, progress=True)
        assert world.sent() == [(caller.id, "progress", 7, [])]

    @pytest.mark.parametrize("timeout", [4000, 0])
    def test_keeps_the_deadline(self, world, caller, timeout):
        first, *_ = self.callees(world)
        world.call(caller, 7, "p", timeout=timeout)
        world.clock.advance(3)
        world.fail(first, 1, UNAVAILABLE)
        world.sent()
        left = (timeout / 1000 or 10) - 3
        world.clock.advance(left - 0.5)
        assert world.sent() == []
        world.clock.advance(0.5)
        assert world.sent() == [(caller.id, "error", 7, TIMEOUT)]

    @pytest.mark.parametrize("wait", [3, 5])
    def test_keeps_the_callers_time_that_the_callee_minded_before(self, world, caller, wait):
        first, second, _ = self.callees(world, TIMES, forward_timeout=True)
        world.call(caller, 7, "p", timeout=4000)
        world.clock.advance(wait)
        world.fail(first, 1, UNAVAILABLE)
        world.sent()
        world.clock.advance(max(0, 4 - wait))
        assert world.sent() == [(caller.id, "error", 7, TIMEOUT)]
        assert_idle(world, caller, first, second)


class TestPassthru:
    OPAQUE = {"ppt_scheme": "x_test", "ppt_cipher": "none"}

    def test_attributes_go_along_in_both_directions(self, world):
        caller = world.join(SENDS_OPAQUE)
        callee = world.callee("p", features=(TAKES_OPAQUE, RESULTS, CANCELING))
        world.call(caller, 7, "p", receive_progress=True, **self.OPAQUE)
        world.answer(callee, 1, progress=True, **self.OPAQUE)
        world.answer(callee, 1, **self.OPAQUE)
        world.call(caller, 8, "p")
        world.fail(callee, 2, "an.error", **self.OPAQUE)
        assert world.details() == [
            {"receive_progress": True, **self.OPAQUE},
            {"progress": True, **self.OPAQUE},
            self.OPAQUE,
            {},
            self.OPAQUE,
        ]

    def test_what_the_callee_did_not_announce_breaks_the_protocol(self, world, caller, callee):
        world.call(caller, 7, "p")
        world.sent()
        with pytest.raises(PeerError, match=r"payload_passthru_mode .* callee"):
            world.answer(callee, 1, **self.OPAQUE)
        with pytest.raises(PeerError, match=r"payload_passthru_mode .* callee"):
            world.fail(callee, 1, "an.error", **self.OPAQUE)
        assert world.sent() == []

    def test_a_callee_that_cannot_read_it_is_not_asked(self, world, callee):
        caller = world.join(SENDS_OPAQUE)
        assert_refused(FEATURE_NOT_SUPPORTED, world.call, caller, 7, "p", **self.OPAQUE)
        assert_idle(world, caller, callee)

    def test_a_caller_that_cannot_read_it_gets_an_error(self, world, caller):
        callee = world.callee("p", features=(TAKES_OPAQUE, RESULTS, CANCELING))
        world.call(caller, 7, "p")
        world.call(caller, 8, "p", receive_progress=True)
        world.sent()
        world.answer(callee, 1, **self.OPAQUE)
        world.answer(callee, 2, progress=True, **self.OPAQUE)
        assert world.sent() == [
            (caller.id, "error", 7, FEATURE_NOT_SUPPORTED),
            (callee.id, "interrupt", 2, ("killnowait", CANCELED)),
            (caller.id, "error", 8, FEATURE_NOT_SUPPORTED),
        ]
        assert_idle(world, caller, callee)

    def test_and_of_an_error_its_name(self, world, caller):
        callee = world.callee("p", features=[TAKES_OPAQUE])
        world.call(caller, 7, "p")
        world.outbox.take()
        world.fail(callee, 1, "an.error", "secret", **self.OPAQUE)
        (sent,) = world.outbox.take()
        assert sent.message == Error(CALL, 7, {}, "an.error")
        assert sent.payload.values() == ([], {})

    def test_the_router_looks_for_itself(self, world):
        callee = world.callee("p", features=[TAKES_OPAQUE])
        world.ask(1, "p")
        world.ask(2, "p")
        world.outbox.take()
        world.answer(callee, 1, **self.OPAQUE)
        world.fail(callee, 2, "an.error", **self.OPAQUE)
        assert world.details() == [self.OPAQUE, self.OPAQUE]


class TestCallsOfTheRouterItself:
    def test_get_the_result_or_the_error(self, world, callee):
        world.ask(1, "p", "question")
        world.ask(2, "p")
        assert world.sent()[0] == (callee.id, "invocation", 1, ["question"])
        world.answer(callee, 1, "answer")
        world.fail(callee, 2, "an.error")
        assert world.sent() == [(0, "result", 1, ["answer"]), (0, "error", 2, "an.error")]
        assert_idle(world, callee)

    def test_are_refused_like_any_other(self, world):
        assert_refused(NO_SUCH_PROCEDURE, world.ask, 1, "p")
        assert_idle(world)

    def test_find_patterns(self, world):
        world.callee("", match="prefix")
        world.ask(1, "p.q")
        assert world.details() == [{"procedure": "p.q"}]

    @pytest.mark.parametrize(("timeout_ms", "seconds"), [(2500, 2.5), (0, 10), (60_000, 10)])
    def test_have_deadlines(self, world, callee, timeout_ms, seconds):
        world.ask(1, "p", timeout_ms=timeout_ms)
        world.sent()
        world.clock.advance(seconds - 0.5)
        assert world.sent() == []
        world.clock.advance(0.5)
        assert world.sent() == [(0, "error", 1, TIMEOUT)]
        assert_idle(world, callee)

    def test_end_with_their_callee(self, world, callee):
        world.ask(1, "p")
        world.sent()
        world.dealer.leave(callee)
        assert world.sent() == [(0, "error", 1, CANCELED)]
        assert_idle(world, callee)

    @pytest.mark.parametrize("ending", ["answer", "fail", "time out", "leave"])
    def test_their_end_may_begin_and_end_others(self, world, caller, callee, ending):
        """An authorizer's decision lets the messages of a session go on, in the middle of anything."""
        other = world.callee("q")

        def go_on():
            world.call(caller, 2, "q")
            world.dealer.cancel(caller, 1, "skip")
            world.register(other, "r")
            world.ask(2, "r")

        world.ask(1, "p", timeout_ms=1000, on_end=go_on)
        world.call(caller, 1, "p")
        world.sent()
        match ending:
            case "answer":
                world.answer(callee, 1)
            case "fail":
                world.fail(callee, 1, "an.error")
            case "time out":
                world.clock.advance(1)
            case "leave":
                world.dealer.leave(callee)
        assert [entry[:3] for entry in world.sent()][1:] == [
            (other.id, "invocation", 1),
            (caller.id, "error", 1),
            (other.id, "invocation", 2),
        ]
        assert set(world.made(caller)) == {2}
        assert len(world.clock.timers) == 2

    def test_while_their_callee_leaves_others_may_leave_too(self, world, caller, callee):
        second = world.callee("q")
        world.ask(1, "p", on_end=lambda: (world.dealer.leave(caller), world.dealer.leave(second)))
        world.call(caller, 1, "p")
        world.call(caller, 2, "q")
        world.call(second, 1, "p")
        world.ask(2, "q")
        world.ask(3, "p")
        world.sent()
        world.dealer.leave(callee)
        assert world.sent() == [(0, "error", number, CANCELED) for number in (1, 2, 3)]
        assert_idle(world, caller, callee, second)
        assert len(world.dealer) == 0

    def test_nobody_is_asked_who_is_leaving(self, world, callee):
        refusals = []

        def ask_again():
            with pytest.raises(Refused) as refusal:
                world.ask(2, "p")
            refusals.append(refusal.value.uri)

        world.ask(1, "p", on_end=ask_again)
        world.dealer.leave(callee)
        assert refusals == [NO_SUCH_PROCEDURE]
        assert_idle(world, callee)


class TestLeaving:
    def test_a_callee_ends_the_calls_it_was_answering(self, world, caller, callee):
        other = world.join()
        world.call(caller, 7, "p")
        world.call(other, 8, "p")
        world.sent()
        (registration,) = world.dealer.leave(callee)
        assert registration.procedure == "p"
        assert world.sent() == [(caller.id, "error", 7, CANCELED), (other.id, "error", 8, CANCELED)]
        assert len(world.dealer) == 0
        assert_idle(world, caller, callee, other)

    def test_a_caller_takes_its_calls_along_and_late_answers_are_dropped(self, world, caller, callee):
        world.call(caller, 7, "p")
        world.sent()
        world.dealer.leave(caller)
        world.answer(callee, 1, "late")
        world.clock.advance(100)
        assert world.sent() == []
        assert_idle(world, caller, callee)

    def test_a_callee_that_listens_hears_that_its_caller_left(self, world, caller):
        callee = world.callee("p", features=(CANCELING, CHUNKS))
        world.call(caller, 7, "p", progress=True)
        world.sent()
        world.dealer.leave(caller)
        assert world.sent() == [(callee.id, "interrupt", 1, ("killnowait", CANCELED))]
        assert_idle(world, caller, callee)

    def test_a_session_that_called_itself_hears_nothing_of_it(self, world):
        session = world.callee("p", features=[CANCELING])
        world.call(session, 7, "p")
        world.sent()
        world.dealer.leave(session)
        assert world.sent() == []
        assert_idle(world, session)

    def test_a_shared_registration_goes_on_with_those_who_stay(self, world, caller):
        first, second = (world.callee("p", invoke="first") for _ in range(2))
        (registration,) = world.dealer.leave(first)
        assert [callee.session for callee in registration.callees] == [second]
        world.call(caller, 1, "p")
        assert world.sent() == [(second.id, "invocation", 1, [])]

    def test_twice_does_nothing(self, world, callee):
        world.dealer.leave(callee)
        assert world.dealer.leave(callee) == []
        assert len(world.dealer) == 0


UNSTOPPABLE = {UNSTOPPABLE_CHUNKS}
EVERYTHING = {CANCELING, RESULTS, CHUNKS, REROUTE, TIMES}
FEATURES = st.sampled_from(
    [
        EVERYTHING,
        EVERYTHING - {CANCELING},
        EVERYTHING - {REROUTE},
        EVERYTHING - {TIMES},
        EVERYTHING - {CANCELING} | UNSTOPPABLE,
        {REROUTE},
        set(),
    ]
)
PROCEDURES = st.sampled_from(["a.b.c", "a.b.d", "a.x.c", "a.z", "z"])
PATTERNS = st.sampled_from(
    [("exact", "a.b.c"), ("exact", "z")]
    + [("prefix", "a"), ("prefix", "a.b")]
    + [("wildcard", uri) for uri in ("a..c", ".b.c", "..", "a.b.", "")]
)
SHARED = st.sampled_from(["first", "last", "roundrobin", "random"])
# Milliseconds, in halves of a second, so that the fake clock meets each deadline exactly.
TIMEOUTS = st.integers(0, 14).map(lambda n: n * 500)
RARELY = st.integers(0, 7).map(lambda n: n == 0)
PICKS = st.integers(0, 3)


class ModelRegistration:
    """What the specification says of one registration."""

    def __init__(self, match, uri, invoke):
        self.match, self.uri, self.invoke = match, uri, invoke
        self.callees = []
        self.turn = 0

    def takes(self, procedure):
        """None, or how well it fits: the greatest is asked."""
        if self.match == "exact":
            return (2,) if procedure == self.uri else None
        if self.match == "prefix":
            return (1, len(self.uri)) if procedure.startswith(self.uri) else None
        components, pattern = procedure.split("."), self.uri.split(".")
        if len(components) != len(pattern):
            return None
        if any(part not in ("", component) for part, component in zip(pattern, components, strict=True)):
            return None
        return (0, [component != "" for component in pattern])

    def in_order(self):
        callees = self.callees
        if self.invoke == "last":
            return callees[::-1]
        if self.invoke == "roundrobin":
            turn = self.turn % len(callees)
            return callees[turn:] + callees[:turn]
        return callees

    def asked(self, callee):
        """The one behind is next; with one callee there is no turn to speak of."""
        if len(self.callees) > 1:
            self.turn = (self.callees.index(callee) + 1) % len(self.callees)

    def drop(self, callee):
        self.turn -= self.callees.index(callee) < self.turn
        self.callees.remove(callee)


class ModelCallee:
    def __init__(self, session, registration, concurrency, forwards):
        self.session, self.registration, self.concurrency = session, registration, concurrency
        self.minds_time = forwards and TIMES in session.features


class ModelCall:
    def __init__(self, caller, request, options, is_long):
        # caller: None for the router itself
        self.caller, self.request, self.options, self.is_long = caller, request, options, is_long
        self.is_sending = options.get("progress", False)
        self.is_killed = False
        self.unavailable = set()
        # A call that the router cancels when it hears of the end of this one.
        self.next_to_end = None


class DealerMachine(RuleBasedStateMachine):
    """The model: registrations, and the list of pending calls in order of invoking."""

    LIMIT_S = 5.0
    MAX_PENDING = 4
    MAX_REGISTRATIONS = 3
    sessions = Bundle("sessions")

    def __init__(self):
        super().__init__()
        self.world = World(
            max_payload=100,
            call_timeout_s=self.LIMIT_S,
            max_pending_calls=self.MAX_PENDING,
            max_registrations=self.MAX_REGISTRATIONS,
        )
        self.dealer, self.clock = self.world.dealer, self.world.clock
        self.alive = []
        self.gone = []
        self.registered = []
        self.pending = []
        # session -> how many invocations it was sent
        self.invocations = {}
        self.calls_made = 0
        self.calls_ended = 0
        self.deadlines = 0
        # (caller, request) of progressive calls that ended or were refused
        self.late = []
        self.expected = []

    # --- what the model does

    def expect(self, session, kind, request, what):
        self.expected.append((session.id if session else 0, kind, request, what))

    def end(self, call, kind=None, what=None):
        """One call ends; who called hears of it, unless it is the one who left."""
        self.pending.remove(call)
        self.calls_ended += 1
        if call.is_progressive and call.caller in self.alive:
            self.late.append((call.caller, call.request))
        if kind:
            self.expect(call.caller, kind, call.request, what)
        if call.next_to_end in self.pending:
            self.interrupt(call.next_to_end)
            self.end(call.next_to_end, "error", CANCELED)

    def interrupt(self, call, mode="killnowait", reason=CANCELED):
        if CANCELING in call.callee.session.features:
            self.expect(call.callee.session, "interrupt", call.invocation, (mode, reason))

    def restart(self, call):
        call.since = self.clock.seconds()
        self.set_due(call, call.is_forwarded)

    def set_due(self, call, is_forwarded):
        timeout = call.options.get("timeout", 0) / 1000
        call.due = call.since + (min(timeout, self.LIMIT_S) if timeout and not is_forwarded else self.LIMIT_S)
        self.deadlines += 1
        call.order = self.deadlines

    def asked_of(self, session):
        return [call for call in self.pending if call.callee.session is session]

    def made_by(self, session):
        return [call for call in self.pending if call.caller is session]

    def running(self, callee):
        return sum(call.callee is callee for call in self.pending)

    def candidates(self, registration, unavailable):
        """Who may be asked now, or why nobody."""
        others = [callee for callee in registration.in_order() if callee.session not in unavailable]
        free = [c for c in others if c.concurrency is None or self.running(c) < c.concurrency]
        if free:
            return (free if registration.invoke == "random" else free[:1]), None
        return [], MAX_CONCURRENCY if others else NO_AVAILABLE_CALLEE

    def obstacle(self, call, callee):
        """Why this callee cannot take this call, or None."""
        session = callee.session
        if len(self.asked_of(session)) >= self.MAX_PENDING:
            return QUOTA
        if call.is_sending and not (
            {CHUNKS, CANCELING} <= session.features or UNSTOPPABLE & session.features
        ):
            return FEATURE_NOT_SUPPORTED
        return PAYLOAD_SIZE_EXCEEDED if call.is_long else None

    def invoke(self, call, registration, act):
        """Let the dealer act; True when it asked somebody whom the model would ask."""
        candidates, refusal = self.candidates(registration, call.unavailable)
        obstacles = {callee: self.obstacle(call, callee) for callee in candidates}
        before = len(self.world.outbox.sent)
        uri = act()
        if len(candidates) == 1:
            registration.asked(candidates[0])
        if uri is not None:
            assert uri in ({refusal} if refusal else set(obstacles.values()))
            return False
        told = self.world.outbox.sent[before]
        (callee,) = (callee for callee in candidates if callee.session is told.session)
        assert obstacles[callee] is None
        session, options = callee.session, call.options
        self.invocations[session] += 1
        call.callee, call.invocation = callee, self.invocations[session]
        call.is_streaming = options.get("receive_progress", False) and RESULTS in session.features
        call.is_forwarded = callee.minds_time and bool(options.get("timeout")) and call.caller is not None
        call.can_move = (
            not call.is_progressive and len(registration.callees) > 1 and REROUTE in session.features
        )
        call.details = {
            **({"receive_progress": True} if call.is_streaming else {}),
            **({"timeout": options["timeout"]} if call.is_forwarded else {}),
            **({"procedure": call.procedure} if registration.match != "exact" else {}),
        }
        more = {"progress": True} if call.is_sending else {}
        assert told.message.details == {**call.details, **more}
        asked = self.world.registrations(session)[told.message.registration]
        assert asked.registration.procedure == registration.uri
        kind = "chunk" if call.is_sending else "invocation"
        self.expect(session, kind, call.invocation, [call.request])
        self.pending.append(call)
        return True

    # --- sessions

    @initialize(
        target=sessions,
        features=st.lists(FEATURES, min_size=4, max_size=4),
        invoke=SHARED,
        concurrency=st.sampled_from([None, 1, 2]),
    )
    def begin(self, features, invoke, concurrency):
        """Something is going on already."""
        sessions = [self.join(some) for some in features]
        for session in sessions[:3]:
            self.register(session, ("prefix", "a"), invoke, True, concurrency, True)
        return multiple(*sessions)

    @precondition(lambda self: len(self.alive) < 5)
    @rule(target=sessions, features=FEATURES)
    def join(self, features):
        session = self.world.join(SENDS_CHUNKS, *features)
        self.alive.append(session)
        self.invocations[session] = 0
        return session

    @precondition(lambda self: len(self.alive) > 3)
    @rule(session=consumes(sessions))
    def leave(self, session):
        self.alive.remove(session)
        self.gone.append(session)
        held = []
        for registration in self.registered:
            for callee in [callee for callee in registration.callees if callee.session is session]:
                registration.drop(callee)
                held.append(registration.uri)
        self.registered = [registration for registration in self.registered if registration.callees]
        self.late = [(caller, request) for caller, request in self.late if caller is not session]
        for call in self.made_by(session):
            self.end(call)
            if call.callee.session is not session:
                self.interrupt(call)
        while asked := self.asked_of(session):
            self.end(asked[0], "error", CANCELED)
        left = self.dealer.leave(session)
        assert sorted(registration.procedure for registration in left) == sorted(held)

    # --- registrations

    @rule(
        session=sessions,
        pattern=PATTERNS,
        invoke=st.just("single") | SHARED,
        follows=st.booleans(),
        concurrency=st.sampled_from([None, None, 1, 2]),
        forwards=st.booleans(),
    )
    def register(self, session, pattern, invoke, follows, concurrency, forwards):
        known = next((r for r in self.registered if (r.match, r.uri) == pattern), None)
        if known and follows:
            invoke = known.invoke
        match, uri = pattern
        options = {"match": match, "invoke": invoke, "concurrency": concurrency, "forward_timeout": forwards}
        if known and (
            "single" in (invoke, known.invoke)
            or invoke != known.invoke
            or any(callee.session is session for callee in known.callees)
        ):
            assert_refused(PROCEDURE_ALREADY_EXISTS, self.world.register, session, uri, **options)
        elif sum(c.session is session for r in self.registered for c in r.callees) >= self.MAX_REGISTRATIONS:
            assert_refused(QUOTA, self.world.register, session, uri, **options)
        else:
            registration, is_new = self.world.register(session, uri, **options)
            assert is_new == (known is None)
            if known is None:
                known = ModelRegistration(match, uri, invoke)
                known.id = registration.id
                self.registered.append(known)
            assert registration.id == known.id
            known.callees.append(ModelCallee(session, known, concurrency, forwards))

    @rule(session=sessions, pattern=PATTERNS, invoke=st.just("single") | SHARED)
    def take_over(self, session, pattern, invoke):
        """All have one authid, and so may; the dealer's part is what becomes of calls."""
        match, uri = pattern
        known = next((r for r in self.registered if (r.match, r.uri) == pattern), None)
        before = [] if known is None else [callee.session for callee in known.callees]
        options = RegisterOptions(match=match, invoke=invoke, force_reregister=True)
        take = partial(self.dealer.registrations.take_over, session, uri, options, False)
        held = [r for r in self.registered if r is not known and session in [c.session for c in r.callees]]
        if len(held) >= self.MAX_REGISTRATIONS:
            assert_refused(QUOTA, take)
            return
        registration, replaced = take()
        assert [callee.session for callee in replaced] == before
        if known is not None:
            known.callees.clear()
            self.registered.remove(known)
        known = ModelRegistration(match, uri, invoke)
        known.id = registration.id
        known.callees.append(ModelCallee(session, known, None, False))
        self.registered.append(known)

    @rule(session=sessions, pick=PICKS)
    def unregister(self, session, pick):
        held = [(r, callee) for r in self.registered for callee in r.callees if callee.session is session]
        if pick >= len(held):
            assert_refused(NO_SUCH_REGISTRATION, self.dealer.registrations.remove, session, 10_000)
            return
        registration, callee = held[pick]
        self.dealer.registrations.remove(session, registration.id)
        registration.drop(callee)
        if not registration.callees:
            self.registered.remove(registration)

    # --- calls

    def make(self, call, procedure, act):
        """A call that begins, or is refused."""
        fitting = [(fit, r) for r in self.registered if (fit := r.takes(procedure)) is not None]
        call.procedure = procedure
        call.is_progressive = call.is_sending
        if call.caller and len(self.made_by(call.caller)) >= self.MAX_PENDING:
            assert act() == QUOTA
        elif not fitting:
            assert act() == NO_SUCH_PROCEDURE
        elif self.invoke(call, max(fitting, key=lambda pair: pair[0])[1], act):
            self.restart(call)
            return
        self.calls_ended += 1
        if call.is_progressive:
            self.late.append((call.caller, call.request))

    @rule(
        caller=sessions,
        procedure=PROCEDURES,
        timeout=TIMEOUTS,
        streams=st.booleans(),
        sends=RARELY | st.booleans(),
        is_long=RARELY,
        times=st.integers(1, 3),
    )
    def call(self, caller, procedure, timeout, streams, sends, is_long, times):
        options = {"timeout": timeout, "receive_progress": streams, "progress": sends}
        for _ in range(times):
            self.calls_made += 1
            call = ModelCall(caller, self.calls_made, options, is_long)
            args = [LONG] if is_long else [call.request]
            arguments = (self.world.call, caller, call.request, procedure, *args)
            self.make(call, procedure, partial(refusal, *arguments, **options))

    @rule(procedure=PROCEDURES, timeout=TIMEOUTS, is_long=RARELY, pick=PICKS)
    def ask(self, procedure, timeout, is_long, pick):
        self.calls_made += 1
        call = ModelCall(None, self.calls_made, {"timeout": timeout}, is_long)
        args = [LONG] if is_long else [call.request]
        others = [other for other in self.pending if other.caller]
        if pick < len(others):
            call.next_to_end = others[pick]

        def on_end():
            if call.next_to_end:
                self.dealer.cancel(call.next_to_end.caller, call.next_to_end.request, "killnowait")

        arguments = (self.world.ask, call.request, procedure, *args)
        self.make(call, procedure, partial(refusal, *arguments, timeout_ms=timeout, on_end=on_end))

    @precondition(lambda self: any(call.is_sending for call in self.pending))
    @rule(data=st.data(), is_last=st.booleans(), is_long=RARELY)
    def send_another_chunk(self, data, is_last, is_long):
        call = data.draw(st.sampled_from([call for call in self.pending if call.is_sending]))
        args = [LONG] if is_long else [call.request]
        arguments = (call.caller, call.request, "z", *args)
        call.is_sending = not is_last
        if not call.is_killed and is_long:
            self.interrupt(call)
            self.end(call, "error", PAYLOAD_SIZE_EXCEEDED)
        elif not call.is_killed:
            kind = "invocation" if is_last else "chunk"
            self.expect(call.callee.session, kind, call.invocation, [call.request])
            if not call.options["timeout"] or call.is_forwarded:
                self.restart(call)
        self.world.call(*arguments, progress=not is_last, timeout=1, receive_progress=True)

    @precondition(lambda self: any(call.caller for call in self.pending))
    @rule(data=st.data(), mode=st.sampled_from(["skip", "kill", "kill", "killnowait"]))
    def cancel(self, data, mode):
        call = data.draw(st.sampled_from([call for call in self.pending if call.caller]))
        if mode == "kill" and CANCELING in call.callee.session.features:
            if not call.is_killed:
                self.interrupt(call, mode)
            call.is_killed = True
        else:
            if mode == "killnowait":
                self.interrupt(call)
            self.end(call, "error", CANCELED)
        self.dealer.cancel(call.caller, call.request, mode)

    # --- answers

    @precondition(lambda self: self.pending)
    @rule(data=st.data(), is_long=RARELY)
    def answer(self, data, is_long):
        call = data.draw(st.sampled_from(self.pending))
        args = [LONG] if is_long else [call.invocation]
        # The router takes any length.
        if is_long and call.caller:
            self.end(call, "error", PAYLOAD_SIZE_EXCEEDED)
        else:
            self.end(call, "result", args)
        self.world.answer(call.callee.session, call.invocation, *args)

    @precondition(lambda self: self.pending)
    @rule(data=st.data(), is_long=RARELY)
    def answer_in_part(self, data, is_long):
        call = data.draw(st.sampled_from(self.pending))
        args = [LONG] if is_long else [call.invocation]
        if call.is_streaming:
            call.can_move = False
            self.restart(call)
            if is_long:
                self.interrupt(call)
                self.end(call, "error", PAYLOAD_SIZE_EXCEEDED)
            else:
                self.expect(call.caller, "progress", call.request, args)
        self.world.answer(call.callee.session, call.invocation, *args, progress=True)

    @precondition(lambda self: self.pending)
    @rule(data=st.data(), uri=st.sampled_from(["an.error", UNAVAILABLE, UNAVAILABLE]))
    def fail(self, data, uri):
        call = data.draw(st.sampled_from(self.pending))
        callee = call.callee
        arguments = (callee.session, call.invocation, uri)
        if uri != UNAVAILABLE or REROUTE not in callee.session.features:
            self.end(call, "error", uri)
            self.world.fail(*arguments)
            return
        call.unavailable.add(callee.session)
        registration = callee.registration
        if not call.can_move or call.is_killed or not registration.callees:
            self.end(call, "error", NO_AVAILABLE_CALLEE)
            self.world.fail(*arguments)
            return
        self.pending.remove(call)
        before = len(self.world.outbox.sent)

        def act():
            self.world.fail(*arguments)
            message = self.world.outbox.sent[before].message
            return message.error if isinstance(message, Error) else None

        if self.invoke(call, registration, act):
            self.set_due(call, is_forwarded=False)
        else:
            self.pending.append(call)
            self.end(call, "error", self.world.outbox.sent[before].message.error)

    @rule(session=sessions, progress=st.booleans())
    def say_again_what_is_over_or_never_was(self, session, progress):
        pending = {call.invocation for call in self.asked_of(session)}
        for invocation in set(range(1, self.invocations[session] + 1)) - pending:
            self.world.answer(session, invocation, "again", progress=progress)
            self.world.fail(session, invocation, UNAVAILABLE)
        with pytest.raises(PeerError):
            self.world.answer(session, self.invocations[session] + 1, "too early", progress=progress)
        pending = {call.request for call in self.made_by(session)}
        for request in set(range(1, self.calls_made + 2)) - pending:
            for mode in ("skip", "kill", "killnowait"):
                self.dealer.cancel(session, request, mode)
        for caller, request in self.late:
            self.world.call(caller, request, "z", LONG, progress=progress)
        for call in self.made_by(session):
            if not call.is_sending:
                with pytest.raises(PeerError):
                    self.world.call(session, call.request, "z", progress=progress)

    @rule(halves=st.integers(0, 4) | st.integers(0, 12))
    def advance(self, halves):
        until = self.clock.seconds() + halves / 2
        for call in sorted(self.pending, key=lambda call: (call.due, call.order)):
            if call.due <= until and call in self.pending:
                self.interrupt(call, reason=TIMEOUT)
                self.end(call, "error", TIMEOUT)
        self.clock.advance(halves / 2)

    # --- what holds at any time

    @invariant()
    def everybody_heard_what_the_model_says_in_that_order_and_nothing_else(self):
        assert self.world.sent() == self.expected
        self.expected.clear()

    @invariant()
    def every_call_made_has_ended_once_or_is_pending(self):
        assert self.calls_made == self.calls_ended + len(self.pending)
        assert self.dealer.tally.pending == len(self.pending)
        assert len(self.clock.timers) == len(self.pending)

    @invariant()
    def the_tables_of_both_sides_name_the_same_calls(self):
        for session in self.alive:
            mine, asked = self.made_by(session), self.asked_of(session)
            assert list(self.world.made(session)) == [call.request for call in mine]
            assert list(self.world.answering(session)) == [call.invocation for call in asked]
            assert max(len(mine), len(asked)) <= self.MAX_PENDING
            for call in self.world.made(session).values():
                assert self.world.answering(call.callee.session)[call.invocation] is call
                assert call.caller is session
            for request, call in self.world.answering(session).items():
                assert call.invocation == request
                assert call.caller is None or self.world.made(call.caller)[call.request] is call

    @invariant()
    def registrations_lead_to_sessions_that_live(self):
        registrations = self.dealer.registrations
        assert len(self.dealer) == len(registrations) == len(self.registered)
        for known in self.registered:
            registration = registrations.find(known.id)
            assert registrations.lookup(known.match, known.uri) is registration
            callees = registration.callees
            assert [callee.session for callee in callees] == [callee.session for callee in known.callees]
            for callee, known_callee in zip(callees, known.callees, strict=True):
                assert callee.session in self.alive
                assert registrations.of(callee.session)[known.id] is callee
                assert callee.running == self.running(known_callee)

    @invariant()
    def nothing_is_kept_of_sessions_that_left(self):
        for session in self.gone:
            assert session not in self.dealer._calls
            assert self.world.registrations(session) == {}

    def teardown(self):
        for session in self.alive:
            self.dealer.leave(session)
        assert_idle(self.world, *self.alive, *self.gone)
        assert self.dealer._calls == {}
        registrations = self.dealer.registrations
        assert len(registrations) == len(registrations._by_pattern) == 0
        assert not registrations._by_pattern.has_patterns


def refusal(function, *arguments, **keywords):
    """The URI of a refusal, None when there was none."""
    try:
        function(*arguments, **keywords)
    except Refused as refused:
        return refused.uri
    return None


DealerMachine.TestCase.settings = settings(max_examples=200, stateful_step_count=80)
TestDealerMachine = DealerMachine.TestCase


def test_whoever_follows_traces_is_told_of_calls_that_carry_one(world, caller):
    follower = world.dealer.tally.tracer = Follower()
    callee = world.callee("p")
    world.call(caller, 7, "p", traceparent="yes")
    world.call(caller, 8, "p")
    world.answer(callee, 1)
    world.answer(callee, 2)
    assert follower.take() == [("call", "p", "yes", None, True), ("details",), ("ended", "")]
