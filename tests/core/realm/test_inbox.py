"""The way of every message of an open session: its place, its number, its rate, its right."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from support.answers import assert_error, assert_protocol_violation, assert_silent
from support.realms import NO, YES, Slow, World

from radiod.core.limits import Limits
from radiod.core.rates import RateLimit
from radiod.core.rights import Action
from radiod.core.rpc.calls import MAX_PROGRESSIVE, Calls, PendingCall
from radiod.core.slices import SLICE_S
from radiod.errors import (
    CANCELED,
    INVALID_ARGUMENT,
    INVALID_URI,
    NO_SUCH_REGISTRATION,
    NO_SUCH_SUBSCRIPTION,
    NOT_AUTHORIZED,
    PROTOCOL_VIOLATION,
    RATE_LIMITED,
    PeerError,
    Refused,
)
from radiod.testing import (
    ALLOW_ALL,
    ALLOW_NONE,
    Allow,
    Peer,
    RecordingOutbox,
    make_principal,
    make_realm,
)
from radiod.wire.codecs import JSON, Payload
from radiod.wire.messages import (
    Call,
    Cancel,
    InvocationError,
    Publish,
    Register,
    Subscribe,
    Unregister,
    Unsubscribe,
    Yield,
)
from radiod.wire.options import (
    CallOptions,
    CancelOptions,
    PublishOptions,
    RegisterOptions,
    SubscribeOptions,
    YieldOptions,
)

INVALID_URIS = ["", "a..b", "a b", ".a", "a.", "a#b", "a\n", "x" * 256]
RESERVED = ["wamp.session.on_join", "radiod.channel.on_create", "wamp.x", "radiod.x"]
ACKNOWLEDGE = {"acknowledge": True}


PROGRESSIVE = "caller.progressive_call_invocations"
TAKES_CHUNKS = "callee.progressive_call_invocations callee.call_canceling"


class TestMessagesOutOfPlace:
    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("HELLO", [1, "radio", {"roles": {"caller": {}}}]),
            ("AUTHENTICATE", [5, "signature", {}]),
            ("ABORT", [3, {}, "a.reason"]),
        ],
    )
    def test_have_no_place_in_an_open_session(self, alice, name, message):
        with pytest.raises(PeerError, match=f"{name} is not expected in an open session"):
            alice.send(*message)

    @pytest.mark.parametrize(
        "message",
        [
            [16, 1, {}, "a", {}],
            [16, 1, ACKNOWLEDGE, "a", [], []],
            [48, 1, {}, "p", "args"],
            [48, 1, {}, "radiod.echo", [], 1],
            [70, 1, {}, None],
            [8, 68, 1, {}, "an.error", [], "kwargs"],
        ],
    )
    def test_payloads_of_the_wrong_kind_break_the_protocol(self, alice, message):
        assert_protocol_violation(alice, *message)

    @pytest.mark.parametrize(
        "message",
        [
            [16, 1, ACKNOWLEDGE, "a"],
            [32, 1, {}, "a"],
            [34, 1, 1],
            [48, 1, {}, "p"],
            [64, 1, {}, "p"],
            [66, 1, 1],
            [70, 1, {}],
            [8, 68, 1, {}, "an.error"],
            [6, {}, "a.reason"],
        ],
    )
    def test_nothing_is_done_for_a_session_that_left(self, world, alice, message):
        alice.leave()
        alice.send(*message)
        assert_silent(alice)
        assert (len(world.realm.space.broker), len(world.realm.dealer)) == (0, 0)
        assert alice.subscriptions == alice.registrations == {}


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
    """A call that nobody has answered yet."""
    return PendingCall(None, Calls(), 1, CallOptions(progress=progress), {}, Payload.of(), None)


class Counted:
    """A session whose request ids are checked, and its part in calls."""

    def __init__(self):
        self.realm = make_realm()
        self.session = self.realm.join(make_principal(), None)

    def count(self, *messages):
        for message in messages:
            self.realm.inbox.check_request(self.session, message)

    def refuse(self, message, *, match=None):
        with pytest.raises(PeerError, match=match):
            self.count(message)

    @property
    def calls(self):
        return self.realm.dealer.calls_of(self.session)


@pytest.fixture
def counted():
    return Counted()


class TestRequestIds:
    @given(kinds=st.lists(st.sampled_from(sorted(COUNTED)), max_size=20))
    def test_count_from_1_through_all_kinds_of_requests(self, kinds):
        counted = Counted()
        for id, kind in enumerate(kinds, 1):
            counted.count(COUNTED[kind](id))
        assert counted.session.last_request == len(kinds)

    @pytest.mark.parametrize("kind", sorted(COUNTED))
    @pytest.mark.parametrize("id", [1, 2, 4, 2**53])
    def test_out_of_sequence_break_the_protocol(self, counted, kind, id):
        counted.session.last_request = 2
        message = COUNTED[kind](id)
        counted.refuse(message, match=rf"{kind.upper()}.Request is {id}, the next one is 3")
        assert counted.session.last_request == 2
        counted.count(COUNTED[kind](3))

    @pytest.mark.parametrize("kind", sorted(COUNTED))
    @pytest.mark.parametrize("first", [1, 4, 2**53 - 1])
    def test_begin_anywhere_and_count_from_there(self, counted, kind, first):
        counted.count(COUNTED[kind](first))
        for id in (first, first + 2, 1 if first > 1 else 7):
            counted.refuse(final(id), match=f"the next one is {first + 1}")
        counted.count(final(first + 1))

    def test_that_begin_with_the_last_one_go_on_with_1(self, counted):
        counted.count(final(2**53), final(1), final(2))

    def test_begin_again_behind_two_to_the_53rd(self, counted):
        counted.session.last_request = 2**53 - 1
        counted.count(final(2**53), final(1), final(2))
        assert counted.session.last_request == 2

    def test_do_not_begin_again_before(self, counted):
        counted.session.last_request = 2**53 - 1
        counted.refuse(final(1))
        counted.count(final(2**53))
        counted.refuse(final(2**53))

    def test_of_answers_and_cancels_are_other_messages_ids(self, counted):
        for id in (5, 5, 2):
            counted.count(Yield(id, YieldOptions()))
            counted.count(InvocationError(68, id, {}, "an.error"))
            counted.count(Cancel(id, CancelOptions()))
        assert counted.session.last_request == 0

    def test_cost_a_session_without_progressive_calls_nothing(self, counted):
        counted.count(final(1), COUNTED["publish"](2))
        counted.refuse(final(1))
        assert counted.realm.dealer._calls == {}


class TestProgressiveCalls:
    def test_use_one_id_for_all_chunks(self, counted):
        counted.count(chunk(1), chunk(1), final(2), chunk(1), final(1), chunk(3), final(3))
        assert counted.session.last_request == 3

    def test_other_messages_may_not_use_it(self, counted):
        counted.count(chunk(1))
        counted.refuse(Subscribe(1, SubscribeOptions(), "t"))

    def test_a_call_without_chunks_has_none_to_come(self, counted):
        counted.count(final(1))
        for message in (final(1), chunk(1)):
            counted.refuse(message)

    def test_begin_with_the_next_id(self, counted):
        counted.count(final(4))
        counted.refuse(chunk(6))
        assert counted.calls.progressive == {}

    def test_are_known_while_they_are_pending(self, counted):
        counted.count(final(1), final(2))
        counted.calls.made.update({1: pending(progress=True), 2: pending(progress=False)})
        counted.count(final(1))
        counted.refuse(final(2))

    def test_the_latest_are_remembered_when_they_are_over(self, counted):
        for id in range(1, MAX_PROGRESSIVE + 2):
            counted.count(chunk(id), final(id))
        assert len(counted.calls.progressive) == MAX_PROGRESSIVE
        counted.refuse(final(1))
        counted.count(final(2), final(MAX_PROGRESSIVE + 1))

    def test_ending_makes_one_the_latest(self, counted):
        for id in range(1, MAX_PROGRESSIVE + 1):
            counted.count(chunk(id))
        counted.realm.dealer.forget_chunks(counted.session, 1)
        counted.count(chunk(MAX_PROGRESSIVE + 1))
        assert counted.calls.progressive[1] is True
        assert 2 not in counted.calls.progressive

    def test_cost_the_same_memory_however_long_one_of_them_takes(self, counted):
        counted.calls.made[1] = pending(progress=True)
        for id in range(1, 5 * MAX_PROGRESSIVE):
            counted.count(chunk(id), final(id))
            assert len(counted.calls.progressive) <= MAX_PROGRESSIVE
        counted.count(chunk(1))

    def test_of_two_sessions_are_apart(self, counted):
        other = counted.realm.join(make_principal(), None)
        counted.count(chunk(1))
        counted.realm.inbox.check_request(other, final(1))
        with pytest.raises(PeerError):
            counted.realm.inbox.check_request(other, final(1))
        counted.count(final(1))


class TestWaiting:
    """A session whose authorizer has not decided yet."""

    @pytest.fixture
    def slow(self):
        return Slow(*Action)

    @pytest.fixture
    def late(self, world, slow):
        return world.join("late", permissions=slow)

    MESSAGES = [
        [16, 1, ACKNOWLEDGE, "a"],
        [32, 1, {}, "a"],
        [48, 1, {}, "radiod.echo"],
        [64, 1, {}, "p"],
    ]

    @pytest.mark.parametrize("message", MESSAGES)
    def test_is_answered_when_the_decision_comes(self, world, slow, late, message):
        late.send(*message)
        assert_silent(late)
        assert world.outbox.held == {late.session}
        slow.settle()
        assert late.received()[0][:2] == [message[0] + (2 if message[0] == 48 else 1), 1]
        assert world.outbox.held == set()

    @pytest.fixture
    def behind(self, world):
        """A session that waits for its subscription, with twenty calls behind it."""
        slow = Slow(Action.SUBSCRIBE)
        peer = world.join("late", permissions=slow)
        peer.send(32, 1, {}, "a")
        for request in range(2, 22):
            peer.send(48, request, {}, "radiod.echo", [request])
        world.clock.look_s = SLICE_S / 2
        return slow, peer

    def test_goes_on_with_what_came_behind_in_slices_and_in_order(self, world, behind):
        slow, peer = behind
        slow.settle()
        assert [answer[1] for answer in peer.received()] == [1, 2, 3]
        # The peer is not read, and what comes nevertheless stays behind.
        assert world.outbox.held == {peer.session}
        peer.send(48, 22, {}, "radiod.echo", [22])
        world.clock.advance(1)
        assert [answer[1] for answer in peer.received()] == list(range(4, 23))
        assert world.outbox.held == set()
        peer.send(48, 23, {}, "radiod.echo", [23])
        assert [answer[1] for answer in peer.received()] == [23]

    def test_may_leave_before_all_that_came_behind_was_taken(self, world, behind):
        slow, peer = behind
        slow.settle()
        peer.received()
        peer.leave()
        world.clock.advance(1)
        assert_silent(peer)
        assert world.outbox.held == set()

    def test_may_have_to_wait_again_for_what_came_behind(self, world):
        slow = Slow(Action.SUBSCRIBE)
        peer = world.join("late", permissions=slow)
        for request in (1, 3):
            peer.send(32, request, {}, "a")
            peer.send(48, request + 1, {}, "radiod.echo")
        slow.settle()
        assert [answer[1] for answer in peer.received()] == [1, 2]
        assert world.outbox.held == {peer.session}
        slow.settle()
        assert [answer[1] for answer in peer.received()] == [3, 4]
        assert world.outbox.held == set()

    @pytest.mark.parametrize("message", MESSAGES)
    @pytest.mark.parametrize(
        ("outcome", "uri"), [(NO, NOT_AUTHORIZED), (Refused("an.error", "nobody knows"), "an.error")]
    )
    def test_is_refused_when_the_decision_is_no(self, world, slow, late, message, outcome, uri):
        late.send(*message)
        slow.settle(outcome)
        assert_error(late.received()[0], message[0], 1, uri)
        assert world.outbox.held == set()
        assert (len(world.realm.space.broker), len(world.realm.dealer)) == (0, 0)

    def test_keeps_the_order_of_what_it_sends(self, world, slow, late):
        late.send(32, 1, {}, "a")
        late.send(34, 2, 1)
        late.send(16, 3, ACKNOWLEDGE, "a b")
        late.send(64, 4, {}, "p")
        late.send(66, 5, 1)
        assert len(slow.pending) == 1
        slow.settle()
        assert [message[:3] for message in late.received()] == [[33, 1, 1], [35, 2], [8, 16, 3]]
        assert world.outbox.held == {late.session}
        slow.settle()
        assert [message[:2] for message in late.received()] == [[65, 4], [67, 5]]
        assert world.outbox.held == set()

    def test_delays_nobody_else(self, slow, late, alice, bob):
        late.send(16, 1, {}, "a")
        alice.ask(32, 1, {}, "a")
        alice.ask(64, 2, {}, "p")
        bob.send(48, 1, {}, "p")
        alice.send(70, 1, {}, [1])
        assert bob.received() == [[50, 1, {}, [1]]]
        slow.settle()
        assert [message[0] for message in alice.received()] == [68, 36]

    def test_hears_what_others_say_meanwhile(self, slow, late, alice):
        late.send(32, 1, {}, "a")
        slow.settle()
        late.received()
        late.send(32, 2, {}, "b")
        alice.send(16, 1, {}, "a")
        assert late.received()[0][0] == 36

    @pytest.mark.parametrize("message", MESSAGES)
    @pytest.mark.parametrize("outcome", [YES, NO, Refused("an.error", "nobody knows")])
    def test_does_nothing_after_it_left(self, world, slow, late, message, outcome):
        late.send(*message)
        late.send(*message)
        late.leave()
        assert world.outbox.held == set()
        slow.settle(outcome)
        assert_silent(late)
        assert (len(world.realm.space.broker), len(world.realm.dealer)) == (0, 0)
        assert world.realm.inbox._waiting == {}

    def test_that_is_killed_leaves_nothing(self, world, slow, late, alice):
        late.send(32, 1, {}, "a")
        late.send(64, 2, {}, "p")
        alice.ask(48, 1, {}, "wamp.session.kill", [late.id])
        slow.settle()
        assert [message[0] for message in late.received()] == [6]
        assert world.outbox.held == set()
        assert (len(world.realm.space.broker), len(world.realm.dealer)) == (0, 0)

    def test_may_say_goodbye_behind(self, world, slow, late):
        late.send(32, 1, {}, "a")
        late.send(6, {}, "wamp.close.normal")
        late.send(32, 2, {}, "b")
        slow.settle()
        assert [message[0] for message in late.received()] == [33, 6]
        assert world.outbox.held == set()
        assert list(world.realm.sessions) == []
        assert slow.pending == []

    @pytest.mark.parametrize(
        "fault",
        [[3, {}, "a.reason"], [16, 2, {}, "a", {}], [1, "radio", {"roles": {"caller": {}}}]],
        ids=["ABORT", "payload", "HELLO"],
    )
    def test_is_ended_for_a_fault_found_late(self, world, slow, late, fault):
        late.send(64, 1, {}, "p")
        late.send(*fault)
        late.send(6, {}, "wamp.close.normal")
        while slow.pending:
            slow.settle()
        assert [message[0] for message in late.received()] == [65, 3]
        assert world.outbox.aborted == [late.session]
        assert world.outbox.held == set()
        assert world.realm.sessions == {}
        assert len(world.realm.dealer) == 0

    def test_is_ended_for_the_fault_of_the_message_that_waited(self, world, slow, late):
        late.send(16, 1, {}, "a", {})
        slow.settle()
        assert [message[::2] for message in late.received()] == [[3, PROTOCOL_VIOLATION]]
        assert world.realm.sessions == {}

    def test_asks_nobody_about_what_can_never_be(self, slow, late):
        assert_error(late.ask(32, 1, {}, "a b"), 32, 1, INVALID_URI)
        assert slow.asked == []

    def test_takes_decisions_that_were_there_already(self, world):
        class Ready(Slow):
            def decide(self, session, action, uri, options):
                super().decide(session, action, uri, options).settle(YES)
                return self.pending.pop()

        ready, slow = Ready(*Action), Slow(Action.PUBLISH)
        alice = world.join(permissions=ready)
        assert alice.ask(32, 1, {}, "a")[0] == 33
        # In the middle of what came behind a message that waited, too.
        late = world.join(permissions=slow)
        late.send(16, 1, ACKNOWLEDGE, "b")
        slow.decide = ready.decide
        for request in (2, 3, 4):
            late.send(16, request, ACKNOWLEDGE, "b")
        slow.settle()
        assert [message[:2] for message in late.received()] == [[17, 1], [17, 2], [17, 3], [17, 4]]
        assert world.outbox.held == set()

    def test_cancelling_a_call_that_waits_keeps_its_place(self, slow, late, alice):
        alice.ask(64, 1, {}, "p")
        late.send(48, 1, {}, "p")
        late.send(49, 1, {"mode": "skip"})
        slow.settle()
        assert [message[0] for message in alice.received()] == [68]
        assert_error(late.received()[0], 48, 1, CANCELED)


RATED = Allow(*Action, rate_limit=RateLimit(rate=1, burst=2))


class TestRates:
    """What they are is tested in ``test_rates``; here, whose they are."""

    def test_are_those_of_the_role(self, world):
        client = world.join(permissions=RATED)
        codes = [client.answer(48, {}, "radiod.echo")[0] for _ in range(3)]
        assert codes == [50, 50, 8]
        assert world.realm.bounds.counts == {"rate": 1}

    def test_change_with_the_rights_at_once(self, world, alice):
        client = world.join(permissions=RATED)
        for permissions, codes in ((ALLOW_ALL, [50] * 3), (RATED, [50, 50, 8])):
            client.session.principal = structs.replace(client.session.principal, permissions=permissions)
            world.realm.inbox.admit(client.session)
            assert [client.answer(48, {}, "radiod.echo")[0] for _ in range(3)] == codes
        # Nobody else is counted.
        assert [alice.answer(48, {}, "radiod.echo")[0] for _ in range(5)] == [50] * 5

    def test_drop_a_publish_that_asks_for_no_answer_without_a_word(self, world):
        client = world.join(permissions=RATED)
        for _ in range(3):
            client.request(16, {}, "a")
        assert_silent(client)
        # There may be very many: they are counted, and no more.
        assert world.outbox.not_published == []
        assert world.realm.bounds.counts == {"rate": 1}

    def test_end_the_call_of_a_chunk_too_many(self, world):
        callee = world.join(features=TAKES_CHUNKS)
        callee.register("p")
        client = world.join(permissions=RATED, features=PROGRESSIVE)
        for number in range(4):
            client.send(48, 1, {"progress": True}, "p", [number])
        (answer,) = client.received()
        assert_error(answer, 48, 1, RATE_LIMITED)
        assert [message[0] for message in callee.received()] == [68, 68, 69]
        assert client.calls.made == {}

    def test_are_forgotten_with_the_session(self, world):
        client = world.join(permissions=RATED)
        assert set(world.realm.inbox._buckets) == {client.session}
        client.leave()
        assert world.realm.inbox._buckets == {}

    def test_count_a_message_when_it_is_taken_and_not_when_it_came(self, world):
        class SlowAndRated(Slow):
            rate_limit = RATED.rate_limit

        slow = SlowAndRated(Action.SUBSCRIBE)
        client = world.join(permissions=slow)
        client.request(32, {}, "a")
        client.request(48, {}, "radiod.echo")
        client.request(48, {}, "radiod.echo")
        world.clock.advance(1)
        slow.settle()
        assert [message[0] for message in client.received()] == [33, 50, 50]


class TestUnfitMessages:
    """JavaScript wrote half a character into a name, or an option."""

    HALF = "a text holds half a character, a lone surrogate"

    def send(self, peer, data):
        message = JSON.decode(data)
        peer._realm.inbox.check_request(peer.session, message)
        peer.send_message(message)

    @pytest.mark.parametrize(
        "data",
        [
            b'[16,1,{"acknowledge":true},"\\ud800"]',
            b'[32,1,{},"\\ud800"]',
            b'[48,1,{},"\\ud800"]',
            b'[64,1,{},"\\ud800"]',
        ],
        ids=["PUBLISH", "SUBSCRIBE", "CALL", "REGISTER"],
    )
    def test_are_an_error_and_the_session_goes_on(self, alice, data):
        self.send(alice, data)
        (answer,) = alice.received()
        assert_error(answer, int(data[1:3]), 1, INVALID_ARGUMENT)
        assert answer[5] == [self.HALF]
        # It has had its number.
        self.send(alice, b'[48,2,{},"radiod.echo"]')
        assert alice.received() == [[50, 2, {}]]

    def test_that_publish_and_ask_for_no_answer_are_nothing(self, alice):
        self.send(alice, b'[16,1,{},"\\ud800"]')
        assert_silent(alice)

    def test_count_like_any_other(self, alice):
        self.send(alice, b'[32,1,{},"\\ud800"]')
        with pytest.raises(PeerError, match="the next one is 2"):
            self.send(alice, b'[32,3,{},"\\ud800"]')

    def test_are_bounded_by_the_role_as_others_are(self, world):
        client = world.join(permissions=RATED)
        for number in range(3):
            self.send(client, b'[32,%d,{},"\\ud800"]' % (number + 1))
        assert [message[4] for message in client.received()] == [
            INVALID_ARGUMENT,
            INVALID_ARGUMENT,
            RATE_LIMITED,
        ]

    @pytest.mark.parametrize("answer", [b'[70,1,{"ppt_keyid":"\\ud800"}]', b'[8,68,1,{},"\\ud800"]'])
    def test_that_answer_a_call_are_an_error_for_the_caller(self, world, alice, answer):
        callee = world.join()
        callee.ask(64, 1, {}, "p")
        alice.send(48, 1, {}, "p")
        self.send(callee, answer)
        (error,) = alice.received()
        assert_error(error, 48, 1, INVALID_ARGUMENT)
        assert callee.answer(48, {}, "radiod.echo")[0] == 50

    def test_that_go_on_with_a_call_end_it(self, world):
        callee = world.join(features=TAKES_CHUNKS)
        callee.register("p")
        caller = world.join(features=PROGRESSIVE)
        caller.send(48, 1, {"progress": True}, "p", [1])
        self.send(caller, b'[48,1,{"progress":true},"\\ud800"]')
        (error,) = caller.received()
        assert_error(error, 48, 1, INVALID_ARGUMENT)
        assert [message[0] for message in callee.received()] == [68, 69]

    def test_that_answer_what_was_never_asked_break_the_protocol(self, alice):
        with pytest.raises(PeerError, match="there was no INVOCATION 7"):
            self.send(alice, b'[8,68,7,{},"\\ud800"]')


class TestRefusals:
    def test_of_a_session_that_ended_with_them_are_told_to_nobody(self, world, alice):
        """A decision may end the session whose message it refuses."""

        class Ending(Slow):
            def decide(self, session, action, uri, options):
                world.realm.departures.kill(session, "a.reason", {})
                raise Refused("an.error", "no")

        late = world.join(permissions=Ending())
        late.request(48, {}, "radiod.echo")
        assert late.received() == [[6, {}, "a.reason"]]

    @pytest.mark.parametrize(("code", "uri"), [(34, NO_SUCH_SUBSCRIPTION), (66, NO_SUCH_REGISTRATION)])
    def test_of_what_needs_no_right_become_errors_too(self, alice, code, uri):
        assert_error(alice.ask(code, 1, 999), code, 1, uri)

    def test_for_a_bound_are_counted(self):
        world = World(limits=Limits(max_subscriptions=0))
        alice = world.join()
        alice.ask(32, 1, {}, "a")
        alice.ask(32, 2, {}, "a b")
        assert world.realm.bounds.counts == {"quota": 1}


class TestChunksOfOneCall:
    @pytest.fixture
    def callee(self, world):
        callee = world.join(features=TAKES_CHUNKS)
        callee.ask(64, 1, {}, "p")
        return callee

    def test_need_a_right_once(self, world, callee):
        slow = Slow(Action.CALL)
        caller = world.join(features=PROGRESSIVE, permissions=slow)
        caller.send(48, 1, {"progress": True}, "p", [1])
        caller.send(48, 1, {"progress": True}, "p", [2])
        slow.settle()
        caller.send(48, 1, {}, "p", [3])
        assert slow.pending == []
        assert [message[4] for message in callee.received()] == [[1], [2], [3]]

    def test_are_not_asked_for_rights_that_the_first_had(self, world, callee):
        slow = Slow()
        caller = world.join(features=PROGRESSIVE, permissions=slow)
        caller.send(48, 1, {"progress": True}, "p", [1])
        caller.send(48, 1, {}, "p", [2])
        assert slow.asked == [(Action.CALL, "p")]

    @pytest.mark.parametrize("procedure", ["p", "q", "a..b", "radiod.echo", "wamp.session.count"])
    @pytest.mark.parametrize("permissions", [ALLOW_ALL, ALLOW_NONE])
    def test_that_were_not_announced_break_the_protocol(self, world, callee, procedure, permissions):
        caller = world.join(permissions=permissions)
        assert_protocol_violation(caller, 48, 1, {"progress": True}, procedure)
        assert_silent(callee)

    @pytest.mark.parametrize(
        "procedure", ["p", "q", "a..b", "radiod.echo", "radiod.nothing", "wamp.session.get"]
    )
    @pytest.mark.parametrize("verdict", [YES, NO])
    def test_are_answered_once(self, world, callee, procedure, verdict):
        slow = Slow(Action.CALL)
        caller = world.join(features=PROGRESSIVE, permissions=slow)
        caller.send(48, 1, {"progress": True}, procedure, [1])
        caller.send(48, 1, {"progress": True}, procedure, [2])
        caller.send(48, 1, {}, procedure, [3])
        if slow.pending:
            slow.settle(verdict)
        if procedure == "p" and verdict is YES:
            callee.send(70, 1, {}, [4])
        assert len(caller.received()) == 1
        assert slow.pending == []


def test_a_wrong_key_is_told_to_the_outbox_and_other_refusals_are_not():
    outbox = RecordingOutbox()
    realm = make_realm(outbox=outbox)
    peer = Peer(realm, outbox)
    peer.ask(32, 1, {"_radiod_key": "wrong"}, "a")
    peer.ask(32, 2, {}, "wamp.a b")
    assert outbox.suspected == [peer.session]


def test_a_message_that_comes_in_is_checked_and_taken(counted):
    inbox = counted.realm.inbox
    inbox.receive(counted.session, Subscribe(1, SubscribeOptions(), "a"), JSON)
    with pytest.raises(PeerError, match="the next one is 2"):
        inbox.receive(counted.session, Subscribe(3, SubscribeOptions(), "b"), JSON)
    lookup = counted.realm.space.broker.lookup
    assert (lookup("exact", "a") is None, lookup("exact", "b") is None) == (False, True)
