"""What callers' nodes ask of a callee's node, letter by letter."""

import pytest
from support.cluster.fake_peers import FakePeers

from radiod.core.cluster.call_letters import (
    Declined,
    Dropped,
    Failed,
    Invoke,
    Reset,
    Stop,
    Yielded,
    pack,
    read_call,
    write_call,
)
from radiod.core.cluster.callee_letters import CalleeFacts
from radiod.core.cluster.calls import OWED_S, ClusterDealer
from radiod.core.cluster.visits import MAX_HELD, Visits
from radiod.core.limits import Limits
from radiod.core.rpc.unheard import MAX_UNHEARD
from radiod.core.sessions.session import Session
from radiod.errors import CANCELED, MAX_CONCURRENCY, NO_SUCH_PROCEDURE, UNAVAILABLE
from radiod.testing import FakeClock, RecordingOutbox, SequentialIds, make_principal
from radiod.wire.codecs import JSON, Payload
from radiod.wire.messages import Interrupt, Invocation
from radiod.wire.options import RegisterOptions, YieldOptions

PAYLOAD = pack(Payload(JSON, b"[1]", b""))
FEATURES = frozenset({"callee.call_canceling", "callee.progressive_call_invocations"})


class Node:
    """A node with one session, 7, that has a procedure; others are 2 and 3."""

    def __init__(self, **options):
        self.clock, self.outbox, self.peers = FakeClock(), RecordingOutbox(), FakePeers(2, 3)
        self.dealer = ClusterDealer(
            self.outbox,
            self.clock,
            self.clock.timers,
            SequentialIds(),
            Limits(),
            peers=self.peers,
            realm="radio",
        )
        self.session = Session(7, make_principal(), None, FEATURES)
        self.visits = Visits("radio", self.peers, self.dealer, {7: self.session})
        facts = CalleeFacts(7, "a", "b", (), "exact", "a.p", "first", 5.0, 1, None, False, False, False, b"")
        options = RegisterOptions(**options)
        self.registration, _ = self.dealer.shared.enter(self.session, facts, options, 1)

    def take(self, *letters, node=2):
        for letter in letters:
            self.peers.handlers["radio/calls"](node, write_call(letter))

    def invoke(self, request, node=2, session=7, registration=None, **details):
        registration = registration or self.registration.id
        self.take(Invoke(session, request, registration, details, PAYLOAD), node=node)

    def sent(self):
        return [sent.message for sent in self.outbox.take(self.session)]

    def told(self):
        return self.peers.take_told(read_call)


@pytest.fixture
def node():
    return Node()


def test_that_callee_is_invoked_and_its_answer_goes_back(node):
    node.invoke(3)
    assert node.sent() == [Invocation(1, node.registration.id, {})]
    node.dealer.answer(node.session, 1, YieldOptions(), Payload(JSON, b"[2]", b""))
    assert node.told() == [(2, Yielded(7, 3, False, {}, pack(Payload(JSON, b"[2]", b""))))]
    assert node.visits.pending == 0


def test_calls_of_two_nodes_are_not_mixed_up(node):
    node.invoke(3, node=2)
    node.invoke(3, node=3)
    node.dealer.fail(node.session, 2, "an.error", Payload.of(), {})
    assert node.told() == [(3, Failed(7, 3, "an.error", {}, pack(Payload.of())))]
    assert node.visits.pending == 1


@pytest.mark.parametrize("wrong", [{"session": 8}, {"registration": 1}])
def test_a_callee_that_is_not_there_is_said(node, wrong):
    node.invoke(3, **wrong)
    assert [(letter.session, letter.error) for _, letter in node.told()] == [
        (wrong.get("session", 7), NO_SUCH_PROCEDURE)
    ]


def test_a_callee_that_is_busy_is_said():
    node = Node(concurrency=1)
    node.invoke(3)
    node.invoke(4)
    assert [(letter.request, letter.error) for _, letter in node.told()] == [(4, MAX_CONCURRENCY)]


def test_a_callee_that_goes_on_with_too_much_for_nobody_is_asked_for_no_progress():
    node = Node()
    for invocation in range(100, 100 + MAX_UNHEARD):
        node.dealer.unheard.begin(node.session, invocation)
    node.invoke(3, receive_progress=True)
    assert [message.details for message in node.sent()] == [{}]


def test_a_chunk_goes_to_its_call_and_a_late_one_nowhere(node):
    node.invoke(3, progress=True)
    node.invoke(3)
    assert [message.details for message in node.sent()] == [{"progress": True}, {}]
    node.invoke(3)
    assert node.sent() == []
    node.dealer.answer(node.session, 1, YieldOptions(), Payload.of())
    node.invoke(3)
    assert node.sent() == []


def test_an_answer_to_what_nobody_waits_for_is_dropped(node):
    node.take(Declined(9, 1, UNAVAILABLE, "busy"))
    assert (node.told(), node.sent()) == ([], [])


def test_what_is_malformed_is_counted(node):
    node.peers.handlers["radio/calls"](2, b"?")
    assert node.peers.malformed == [("radio/calls", 2)]


class TestWhileARegisterIsNotAnswered:
    def test_it_is_invoked_though_later_calls_of_the_same_node_were_faster(self, node):
        node.visits.hold(node.session)
        node.invoke(3)
        node.invoke(4, session=8)
        assert node.told() == [(2, Declined(8, 4, NO_SUCH_PROCEDURE, "the callee has unregistered it"))]
        node.visits.release(node.session)
        assert [message.request for message in node.sent()] == [1]

    def test_what_comes_waits_in_order(self, node):
        node.visits.hold(node.session)
        node.invoke(3, progress=True)
        node.invoke(1, node=3)
        node.invoke(3)
        assert node.sent() == []
        node.visits.release(node.session)
        assert [(message.request, message.details) for message in node.sent()] == [
            (1, {"progress": True}),
            (2, {}),
            (1, {}),
        ]

    def test_too_many_are_declined(self, node):
        node.visits.hold(node.session)
        for request in range(1, MAX_HELD + 2):
            node.invoke(request)
        assert node.told() == [
            (2, Declined(7, MAX_HELD + 1, UNAVAILABLE, "too many calls wait for the callee"))
        ]

    def test_what_is_stopped_is_never_begun(self, node):
        node.visits.hold(node.session)
        node.invoke(3)
        node.invoke(4)
        node.invoke(5)
        node.take(Stop(3, "killnowait", CANCELED), Dropped(4), Stop(5, "kill", CANCELED), Dropped(9))
        node.visits.release(node.session)
        assert node.sent() == []
        assert [(letter.request, letter.error) for _, letter in node.told()] == [(5, CANCELED)]

    @pytest.mark.parametrize("end", ["left", "gap"])
    def test_what_a_lost_node_asked_for_is_forgotten(self, node, end):
        node.visits.hold(node.session)
        node.invoke(3)
        node.invoke(3, node=3)
        getattr(node.visits, end)(2)
        node.visits.release(node.session)
        assert len(node.sent()) == 1


class TestANodeThatIsLost:
    def test_has_its_calls_stopped(self, node):
        node.invoke(3)
        node.invoke(3, node=3)
        node.sent()
        node.visits.left(2)
        node.visits.left(99)
        assert node.sent() == [Interrupt(1, {"mode": "killnowait", "reason": CANCELED})]
        node.dealer.answer(node.session, 1, YieldOptions(), Payload.of())
        assert node.told() == []

    def test_in_part_has_its_calls_stopped_and_is_told(self, node):
        node.invoke(3)
        node.sent()
        node.visits.gap(2)
        assert len(node.sent()) == 1
        assert node.told() == [(2, Reset())]

    def test_or_that_has_lost_something_has_its_calls_stopped(self, node):
        node.invoke(3)
        node.sent()
        node.take(Reset())
        assert len(node.sent()) == 1
        assert node.told() == []

    def test_or_cannot_be_told_learns_of_it_as_soon_as_it_can(self, node):
        node.invoke(3)
        node.invoke(4)
        node.peers.deaf.add(2)
        node.dealer.answer(node.session, 1, YieldOptions(), Payload.of())
        node.clock.advance(OWED_S)
        node.peers.deaf.clear()
        # Not before: what it does not know would be out of order.
        node.dealer.answer(node.session, 2, YieldOptions(), Payload.of())
        assert node.told() == []
        node.clock.advance(OWED_S)
        assert node.told() == [(2, Reset())]
