"""The dealer, case by case and against a model of who waits for whom."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule

from radiod.core.dealer import CALL, Dealer
from radiod.core.ports import Limits
from radiod.core.sessions import Session
from radiod.errors import (
    CANCELED,
    FEATURE_NOT_SUPPORTED,
    NO_SUCH_PROCEDURE,
    NO_SUCH_REGISTRATION,
    PAYLOAD_SIZE_EXCEEDED,
    PROCEDURE_ALREADY_EXISTS,
    QUOTA,
    TIMEOUT,
    PeerError,
    Refused,
)
from radiod.testing import FakeClock, RecordingOutbox, make_principal
from radiod.wire.codecs import Payload
from radiod.wire.messages import CallOptions, Error, Invocation, RegisterOptions, Result

SINGLE = RegisterOptions()
LONG = "x" * 200


class World:
    """A dealer, its clock, and the sessions on it."""

    def __init__(self, *, max_payload=None, **limits):
        self.clock = FakeClock()
        self.outbox = RecordingOutbox(max_payload)
        self.dealer = Dealer(self.outbox, self.clock, self.clock.timers, Limits(**limits))
        self._sessions = 0

    def join(self):
        self._sessions += 1
        return Session(self._sessions, make_principal(), None)

    def callee(self, *procedures):
        session = self.join()
        for procedure in procedures:
            self.dealer.register(session, procedure, SINGLE)
        return session

    def call(self, caller, request, procedure, *args, timeout=0):
        self.dealer.call(caller, request, procedure, CallOptions(timeout=timeout), Payload.of(*args))

    def sent(self):
        """What was sent since the last time asked, in short."""
        return [in_short(sent) for sent in self.outbox.take()]


def in_short(sent):
    """(session id, kind, request, what): what is an error's URI, or the payload's arguments."""
    match sent.message:
        case Invocation(request=request):
            return sent.session.id, "invocation", request, sent.payload.values()[0]
        case Result(request=request):
            return sent.session.id, "result", request, sent.payload.values()[0]
        case Error(request_type=48, request=request, error=uri):
            return sent.session.id, "error", request, uri
    raise AssertionError(f"the dealer never sends {sent.message}")


@pytest.fixture
def world():
    return World(call_timeout_s=10)


@pytest.fixture
def callee(world):
    return world.callee("p")


@pytest.fixture
def caller(world):
    return world.join()


def assert_refused(uri, function, *arguments, **keywords):
    with pytest.raises(Refused) as refusal:
        function(*arguments, **keywords)
    assert refusal.value.uri == uri


def assert_idle(world, *sessions):
    """Nobody waits for anything."""
    assert len(world.clock.timers) == 0
    for session in sessions:
        assert (session.calls, session.invocations) == ({}, {})


class TestRegistering:
    def test_gives_each_procedure_an_id(self, world):
        session = world.callee("p", "q")
        assert len(set(session.registrations)) == 2
        assert len(world.dealer) == 2

    def test_is_for_one_session_only(self, world, callee):
        assert_refused(PROCEDURE_ALREADY_EXISTS, world.dealer.register, world.join(), "p", SINGLE)
        assert_refused(PROCEDURE_ALREADY_EXISTS, world.dealer.register, callee, "p", SINGLE)
        assert len(world.dealer) == 1

    @pytest.mark.parametrize(
        "options",
        [{"match": "prefix"}, {"match": "wildcard"}]
        + [{"invoke": invoke} for invoke in ("first", "last", "roundrobin", "random")],
    )
    def test_patterns_and_shared_registrations_are_refused_rather_than_misunderstood(self, world, options):
        options = RegisterOptions(**options)
        assert_refused(FEATURE_NOT_SUPPORTED, world.dealer.register, world.join(), "p", options)
        assert len(world.dealer) == 0

    def test_so_many_for_one_session_and_no_more(self):
        world = World(max_registrations=2)
        session = world.callee("p", "q")
        assert_refused(QUOTA, world.dealer.register, session, "r", SINGLE)
        world.dealer.unregister(session, next(iter(session.registrations)))
        world.dealer.register(session, "r", SINGLE)
        assert len(session.registrations) == len(world.dealer) == 2

    def test_an_ended_registration_frees_its_procedure(self, world, callee):
        world.dealer.unregister(callee, next(iter(callee.registrations)))
        assert_refused(NO_SUCH_PROCEDURE, world.call, world.join(), 1, "p")
        world.callee("p")
        assert len(world.dealer) == 1

    def test_ending_what_the_session_does_not_hold_is_refused(self, world, callee):
        registration = next(iter(callee.registrations))
        assert_refused(NO_SUCH_REGISTRATION, world.dealer.unregister, world.join(), registration)
        assert_refused(NO_SUCH_REGISTRATION, world.dealer.unregister, callee, 999)
        assert len(world.dealer) == 1


class TestCalling:
    def test_invokes_the_callee_and_returns_its_result(self, world, caller, callee):
        world.call(caller, 7, "p", "question")
        assert world.sent() == [(callee.id, "invocation", 1, ["question"])]
        world.dealer.answer(callee, 1, Payload.of("answer"))
        assert world.sent() == [(caller.id, "result", 7, ["answer"])]
        assert_idle(world, caller, callee)

    def test_names_the_registration_in_the_invocation(self, world, caller):
        callee = world.callee("p", "q")
        world.call(caller, 1, "q")
        (sent,) = world.outbox.take()
        assert callee.registrations[sent.message.registration].procedure == "q"

    def test_returns_the_callees_error_with_its_payload(self, world, caller, callee):
        world.call(caller, 7, "p")
        world.outbox.take()
        world.dealer.fail(callee, 1, "an.error", Payload.of("details"))
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
        assert len(callee.invocations) == len(caller.calls) == 1

    def test_a_request_that_has_ended_may_come_again(self, world, caller, callee):
        for invocation in (1, 2):
            world.call(caller, 1, "p")
            world.dealer.answer(callee, invocation, Payload.of())
        assert [entry[1:3] for entry in world.sent()] == [
            ("invocation", 1),
            ("result", 1),
            ("invocation", 2),
            ("result", 1),
        ]

    def test_a_session_may_call_itself(self, world, callee):
        world.call(callee, 1, "p")
        world.dealer.answer(callee, 1, Payload.of("me"))
        assert world.sent() == [(callee.id, "invocation", 1, []), (callee.id, "result", 1, ["me"])]
        assert_idle(world, callee)

    def test_unregistering_lets_the_callee_finish(self, world, caller, callee):
        world.call(caller, 1, "p")
        world.dealer.unregister(callee, next(iter(callee.registrations)))
        world.dealer.answer(callee, 1, Payload.of("late"))
        assert world.sent()[-1] == (caller.id, "result", 1, ["late"])

    def test_a_callee_cannot_answer_for_another(self, world, caller, callee):
        world.call(caller, 1, "p")
        world.outbox.take()
        world.dealer.answer(world.callee("q"), 1, Payload.of("forged"))
        world.dealer.fail(caller, 1, "an.error", Payload.of("forged"))
        assert world.sent() == []
        assert len(caller.calls) == 1

    def test_a_second_answer_is_dropped(self, world, caller, callee):
        world.call(caller, 1, "p")
        world.dealer.answer(callee, 1, Payload.of("first"))
        world.dealer.answer(callee, 1, Payload.of("second"))
        world.dealer.fail(callee, 1, "an.error", Payload.of("third"))
        assert [entry[1] for entry in world.sent()] == ["invocation", "result"]


class TestPendingCallsAreBounded:
    def test_for_a_caller(self):
        world = World(max_pending_calls=2)
        world.callee("p"), world.callee("q"), world.callee("r")
        caller = world.join()
        world.call(caller, 1, "p")
        world.call(caller, 2, "q")
        assert_refused(QUOTA, world.call, caller, 3, "r")
        assert len(caller.calls) == len(world.clock.timers) == 2
        world.call(world.join(), 1, "r")

    def test_for_a_callee(self):
        world = World(max_pending_calls=2)
        callee = world.callee("p")
        world.call(world.join(), 1, "p")
        world.call(world.join(), 1, "p")
        assert_refused(QUOTA, world.call, world.join(), 1, "p")
        world.dealer.answer(callee, 1, Payload.of())
        world.call(world.join(), 1, "p")
        assert len(callee.invocations) == 2


class TestPayloadsThatDoNotFit:
    @pytest.fixture
    def world(self):
        return World(max_payload=100)

    def test_a_question_that_the_callee_cannot_take_is_refused_as_a_whole(self, world, caller, callee):
        assert_refused(PAYLOAD_SIZE_EXCEEDED, world.call, caller, 1, "p", LONG)
        assert_idle(world, caller, callee)
        assert world.sent() == []

    @pytest.mark.parametrize("ending", ["answer", "fail"])
    def test_an_answer_that_the_caller_cannot_take_becomes_an_error(self, world, caller, callee, ending):
        world.call(caller, 7, "p")
        world.sent()
        if ending == "answer":
            world.dealer.answer(callee, 1, Payload.of(LONG))
        else:
            world.dealer.fail(callee, 1, "an.error", Payload.of(LONG))
        assert world.sent() == [(caller.id, "error", 7, PAYLOAD_SIZE_EXCEEDED)]
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
        world.dealer.answer(callee, 1, Payload.of())
        assert world.sent() == []

    def test_do_not_touch_calls_that_were_answered(self, world, caller, callee):
        world.call(caller, 7, "p")
        world.dealer.answer(callee, 1, Payload.of())
        world.sent()
        world.clock.advance(100)
        assert world.sent() == []


class TestLeaving:
    def test_a_callee_ends_the_calls_it_was_answering(self, world, caller, callee):
        other = world.join()
        world.call(caller, 7, "p")
        world.call(other, 8, "p")
        world.sent()
        world.dealer.leave(callee)
        assert world.sent() == [(caller.id, "error", 7, CANCELED), (other.id, "error", 8, CANCELED)]
        assert len(world.dealer) == 0
        assert_idle(world, caller, callee, other)

    def test_a_caller_takes_its_calls_along_and_late_answers_are_dropped(self, world, caller, callee):
        world.call(caller, 7, "p")
        world.sent()
        world.dealer.leave(caller)
        world.dealer.answer(callee, 1, Payload.of("late"))
        world.clock.advance(100)
        assert world.sent() == []
        assert_idle(world, caller, callee)

    def test_a_session_that_called_itself_hears_nothing_of_it(self, world, callee):
        world.call(callee, 7, "p")
        world.sent()
        world.dealer.leave(callee)
        assert world.sent() == []
        assert_idle(world, callee)

    def test_twice_does_nothing(self, world, callee):
        world.dealer.leave(callee)
        world.dealer.leave(callee)
        assert len(world.dealer) == 0


PROCEDURES = st.sampled_from(["p", "q", "r"])
# Milliseconds, in halves of a second, so that the fake clock meets each deadline exactly.
TIMEOUTS = st.integers(0, 14).map(lambda n: n * 500)


class DealerMachine(RuleBasedStateMachine):
    """The model: procedure -> callee, and the list of pending calls in order of calling."""

    LIMIT_S = 5.0
    MAX_PENDING = 3
    MAX_REGISTRATIONS = 2
    sessions = Bundle("sessions")

    def __init__(self):
        super().__init__()
        self.world = World(
            call_timeout_s=self.LIMIT_S,
            max_pending_calls=self.MAX_PENDING,
            max_registrations=self.MAX_REGISTRATIONS,
        )
        self.dealer, self.clock = self.world.dealer, self.world.clock
        self.alive = []
        self.gone = []
        self.registered = {}
        self.pending = []
        self.invocations = {}
        self.calls_made = 0
        self.calls_ended = 0
        self.expected = []

    def end(self, call, *what):
        """One call ends; the caller hears of it, unless it is the one who left."""
        self.pending.remove(call)
        self.calls_ended += 1
        if what:
            kind, content = what
            self.expected.append((call["caller"].id, kind, call["request"], content))

    @precondition(lambda self: len(self.alive) < 4)
    @rule(target=sessions)
    def join(self):
        session = self.world.join()
        self.alive.append(session)
        self.invocations[session] = 0
        return session

    @rule(session=sessions, procedure=PROCEDURES)
    def register(self, session, procedure):
        held = [name for name, callee in self.registered.items() if callee is session]
        if procedure in self.registered:
            assert_refused(PROCEDURE_ALREADY_EXISTS, self.dealer.register, session, procedure, SINGLE)
        elif len(held) >= self.MAX_REGISTRATIONS:
            assert_refused(QUOTA, self.dealer.register, session, procedure, SINGLE)
        else:
            self.dealer.register(session, procedure, SINGLE)
            self.registered[procedure] = session

    @rule(session=sessions, pick=st.integers(0, 2))
    def unregister(self, session, pick):
        held = sorted(session.registrations)
        if pick >= len(held):
            assert_refused(NO_SUCH_REGISTRATION, self.dealer.unregister, session, 10_000)
            return
        procedure = session.registrations[held[pick]].procedure
        self.dealer.unregister(session, held[pick])
        assert self.registered.pop(procedure) is session

    @rule(caller=sessions, procedure=PROCEDURES, timeout=TIMEOUTS, again=st.booleans())
    def call(self, caller, procedure, timeout, again):
        mine = [call for call in self.pending if call["caller"] is caller]
        callee = self.registered.get(procedure)
        self.calls_made += 1
        request = mine[0]["request"] if mine and again else self.calls_made
        if callee is None:
            self.calls_made -= 1
            assert_refused(NO_SUCH_PROCEDURE, self.world.call, caller, request, procedure)
        elif mine and again:
            self.calls_made -= 1
            with pytest.raises(PeerError):
                self.world.call(caller, request, procedure)
        elif max(len(mine), sum(call["callee"] is callee for call in self.pending)) >= self.MAX_PENDING:
            self.calls_made -= 1
            assert_refused(QUOTA, self.world.call, caller, request, procedure)
        else:
            self.invocations[callee] += 1
            invocation = self.invocations[callee]
            seconds = min(timeout / 1000 or self.LIMIT_S, self.LIMIT_S)
            call = {"caller": caller, "request": request, "callee": callee, "invocation": invocation}
            self.pending.append({**call, "due": self.clock.seconds() + seconds})
            self.expected.append((callee.id, "invocation", invocation, [caller.id, request]))
            self.world.call(caller, request, procedure, caller.id, request, timeout=timeout)

    @rule(callee=sessions, pick=st.integers(0, 3), is_error=st.booleans())
    def answer(self, callee, pick, is_error):
        mine = [call for call in self.pending if call["callee"] is callee]
        # Past the end: an answer to something that is pending no more, or never was.
        invocation = mine[pick]["invocation"] if pick < len(mine) else self.invocations[callee] + 1
        if pick < len(mine):
            what = ("error", "an.error") if is_error else ("result", [invocation])
            self.end(mine[pick], *what)
        if is_error:
            self.dealer.fail(callee, invocation, "an.error", Payload.of())
        else:
            self.dealer.answer(callee, invocation, Payload.of(invocation))

    @rule(callee=sessions)
    def answer_again_what_has_ended(self, callee):
        pending = {call["invocation"] for call in self.pending if call["callee"] is callee}
        for invocation in set(range(1, self.invocations[callee] + 1)) - pending:
            self.dealer.answer(callee, invocation, Payload.of("again"))

    @rule(session=consumes(sessions))
    def leave(self, session):
        for call in [call for call in self.pending if call["caller"] is session]:
            self.end(call)
        for call in [call for call in self.pending if call["callee"] is session]:
            self.end(call, "error", CANCELED)
        self.registered = {name: callee for name, callee in self.registered.items() if callee is not session}
        self.dealer.leave(session)
        self.alive.remove(session)
        self.gone.append(session)

    @rule(halves=st.integers(0, 12))
    def advance(self, halves):
        until = self.clock.seconds() + halves / 2
        # Sorting is stable: equal deadlines end in order of calling.
        for call in sorted(self.pending, key=lambda call: call["due"]):
            if call["due"] <= until:
                self.end(call, "error", TIMEOUT)
        self.clock.advance(halves / 2)

    @invariant()
    def everybody_heard_what_the_model_says_in_that_order_and_nothing_else(self):
        assert self.world.sent() == self.expected
        self.expected.clear()

    @invariant()
    def every_call_made_has_ended_once_or_is_pending(self):
        assert self.calls_made == self.calls_ended + len(self.pending)
        assert len(self.clock.timers) == len(self.pending)

    @invariant()
    def the_tables_of_both_sides_name_the_same_calls(self):
        for session in self.alive:
            mine = {call["request"] for call in self.pending if call["caller"] is session}
            asked = {call["invocation"] for call in self.pending if call["callee"] is session}
            assert set(session.calls) == mine
            assert set(session.invocations) == asked
            assert max(len(mine), len(asked)) <= self.MAX_PENDING
            for call in session.calls.values():
                assert call.callee.invocations[call.invocation] is call

    @invariant()
    def procedures_lead_to_sessions_that_live(self):
        assert len(self.dealer) == len(self.registered)
        for procedure, registration in self.dealer._by_procedure.items():
            assert registration.callee is self.registered[procedure]
            assert registration.callee.registrations[registration.id] is registration
        for session in self.gone:
            tables = (session.registrations, session.calls, session.invocations)
            assert all(table == {} for table in tables)

    def teardown(self):
        for session in self.alive:
            self.dealer.leave(session)
            assert not session.registrations
            assert_idle_session(session)
        assert len(self.dealer) == 0
        assert len(self.clock.timers) == 0


def assert_idle_session(session):
    assert (session.calls, session.invocations) == ({}, {})


DealerMachine.TestCase.settings = settings(max_examples=200, stateful_step_count=50)
TestDealerMachine = DealerMachine.TestCase
