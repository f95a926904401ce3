"""The public fakes keep the contracts of what they stand for."""

import pytest

from radiod.core.delivery.broadcast import Broadcast
from radiod.core.delivery.flow import Flow
from radiod.core.delivery.listeners import Listener
from radiod.core.delivery.totals import Tally
from radiod.core.ids import RandomIds
from radiod.core.limits import Limits
from radiod.core.pubsub.broker import Broker, Subscription
from radiod.core.rights import Action
from radiod.core.sessions.session import Session
from radiod.errors import PAYLOAD_SIZE_EXCEEDED, Refused
from radiod.testing import (
    ALLOW_ALL,
    ALLOW_NONE,
    Allow,
    FakeClock,
    RecordingOutbox,
    SequentialIds,
    make_principal,
)
from radiod.wire.codecs import Payload
from radiod.wire.messages import Event, Goodbye, Unsubscribed


@pytest.fixture
def session():
    return Session(1, make_principal(), None)


@pytest.mark.parametrize("action", Action)
def test_fake_permissions_hold_for_every_uri(action):
    assert ALLOW_ALL.allows(action, "a.b")
    assert not ALLOW_NONE.allows(action, "a.b")
    assert Allow(action).allows(action, "a.b")
    assert not Allow(*set(Action) - {action}).allows(action, "a.b")


@pytest.mark.parametrize("ids", [SequentialIds(), RandomIds()], ids=["sequential", "random"])
def test_every_source_of_ids_keeps_the_contract(ids):
    assert all(1 <= ids.next() <= 2**53 for _ in range(100))
    secrets = [ids.secret() for _ in range(100)]
    assert all(len(secret) == 32 and int(secret, 16) >= 0 for secret in secrets)
    assert len(set(secrets)) == 100


class TestFakeClock:
    def test_stands_still_until_it_is_advanced(self):
        clock = FakeClock(start=5.0)
        assert clock.seconds() == clock.seconds() == 5.0
        clock.advance(1.5)
        assert clock.seconds() == 6.5

    def test_keeps_both_times_in_step(self):
        clock = FakeClock()
        before = clock.time() - clock.seconds()
        clock.advance(90)
        assert clock.time() - clock.seconds() == before

    def test_runs_each_deadline_at_its_own_moment(self):
        clock, seen = FakeClock(start=0.0), []
        for when in (3.0, 1.0, 2.0):
            clock.timers.at(when, lambda: seen.append(clock.seconds()))
        clock.advance(2.5)
        assert seen == [1.0, 2.0]
        clock.advance(0.5)
        assert seen == [1.0, 2.0, 3.0]

    def test_runs_what_was_due_already_without_going_back(self):
        clock, seen = FakeClock(start=10.0), []
        clock.timers.at(4.0, lambda: seen.append(clock.seconds()))
        clock.advance(0)
        assert seen == [10.0]


class TestRecordingOutbox:
    def test_keeps_messages_in_order_and_gives_them_out_once(self, session):
        outbox, other = RecordingOutbox(), Session(2, make_principal(), None)
        for request in (1, 2):
            outbox.send(session, Unsubscribed(request))
            outbox.send(other, Unsubscribed(request))
        assert [sent.message.request for sent in outbox.take(session)] == [1, 2]
        assert outbox.take(session) == []
        assert [sent.session for sent in outbox.take()] == [other, other]

    def test_makes_one_event_of_a_broadcast_for_each_listener(self, session):
        outbox, payload, clock = RecordingOutbox(), Payload.of("x"), FakeClock()
        flow = Flow(outbox, clock, clock.timers, Tally(), 5.0)
        broker = Broker(outbox, clock, clock.timers, Limits())
        listener = Listener(session, Subscription(7, "exact", "a", 0.0, flow, broker))
        outbox.fan_out([listener, listener], Broadcast(7, 9, "a", {}, payload))
        assert [sent.message for sent in outbox.sent] == [Event(7, 9, {})] * 2
        assert outbox.sent[0].payload is payload

    def test_has_events_wait_for_a_blocked_session_and_gives_them_out_in_turns(self, session):
        outbox, clock = RecordingOutbox(), FakeClock()
        flow = Flow(outbox, clock, clock.timers, Tally(), 5.0)
        broker = Broker(outbox, clock, clock.timers, Limits())
        listeners = [Listener(session, Subscription(id, "exact", "a", 0.0, flow, broker)) for id in (1, 2)]
        outbox.block(session)
        assert outbox.is_blocked(session)
        for number in (1, 2):
            for listener in listeners:
                outbox.fan_out([listener], Broadcast(listener.subscription.id, number, "a", {}, Payload.of()))
        assert outbox.take() == []
        outbox.unblock(session)
        assert not outbox.is_blocked(session)
        events = [(sent.message.subscription, sent.message.publication) for sent in outbox.take()]
        assert events == [(1, 1), (2, 1), (1, 2), (2, 2)]

    def test_gives_out_what_was_released_when_its_turn_comes(self, session):
        outbox, clock = RecordingOutbox(), FakeClock()
        flow = Flow(outbox, clock, clock.timers, Tally(), 5.0)
        broker = Broker(outbox, clock, clock.timers, Limits())
        listener = Listener(session, Subscription(1, "exact", "a", 0.0, flow, broker))
        listener.miss(2)
        listener.hold(Broadcast(1, 1, "a", {}, Payload.of()))
        outbox.release(listener)
        outbox.release(listener)
        assert outbox.sent == []
        outbox.turn()
        assert [sent.message.details for sent in outbox.sent] == [{"_lost": 3}]

    def test_takes_nothing_after_the_transport_was_closed(self, session):
        outbox = RecordingOutbox()
        assert not outbox.is_closed(session)
        outbox.close(session, Goodbye({}, "a.reason"))
        assert outbox.is_closed(session)
        assert outbox.sent[0].is_last
        with pytest.raises(AssertionError, match="after its transport was closed"):
            outbox.send(session, Unsubscribed(1))

    def test_refuses_payloads_above_its_limit_and_sends_nothing(self, session):
        outbox = RecordingOutbox(max_payload=10)
        with pytest.raises(Refused) as refusal:
            outbox.send(session, Event(1, 2, {}), Payload.of("longer than that"))
        assert refusal.value.uri == PAYLOAD_SIZE_EXCEEDED
        outbox.send(session, Event(1, 2, {}), Payload.of("short"))
        assert len(outbox.sent) == 1
