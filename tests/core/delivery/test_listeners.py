"""A listener: what it holds, what it gives, and when it is an ordinary one."""

import pytest

from radiod.core.allowances import Allowances
from radiod.core.delivery.broadcast import Broadcast
from radiod.core.delivery.flow import Flow
from radiod.core.delivery.listeners import Listener
from radiod.core.delivery.settings import DEFAULTS, BufferSettings
from radiod.core.delivery.totals import Tally
from radiod.core.holders import Account, Holder
from radiod.core.limits import Limits
from radiod.core.plans import Plan
from radiod.core.pubsub.broker import Broker, Subscription
from radiod.core.sessions.session import Session
from radiod.testing import FakeClock, RecordingOutbox, make_principal
from radiod.wire.codecs import JSON, Payload


def subscription(match="exact", topic="a"):
    clock, outbox = FakeClock(), RecordingOutbox()
    flow = Flow(outbox, clock, clock.timers, Tally(), 5.0)
    return Subscription(1, match, topic, 0.0, flow, Broker(outbox, clock, clock.timers, Limits()))


@pytest.fixture
def listener():
    return Listener(Session(1, make_principal(), "outlet"), subscription())


def event(number, size=1):
    return Broadcast(1, number, "a", {}, Payload(JSON, b"x" * size, b""))


def test_holds_what_its_session_cannot_take_within_a_bound(listener):
    assert listener.outlet == "outlet"
    assert listener.settings is DEFAULTS
    assert listener.buffer is None
    assert listener.queued == 0
    assert [listener.hold(event(n)) for n in range(102)] == [0] * 100 + [1, 1]
    assert listener.queued == 100
    assert listener.lost == 2
    broadcast, lost = listener.take()
    assert (broadcast.publication, lost) == (2, 2)


def test_gives_nothing_when_it_holds_nothing(listener):
    assert listener.take() is None
    listener.hold(event(1))
    listener.take()
    assert listener.take() is None
    assert listener.pacer is None


def test_a_loss_that_nothing_was_held_to_tell_with_makes_it_a_paced_one_until_it_is_told(listener):
    listener.tune(BufferSettings(policy="skip", max_bytes=10))
    listener.hold(event(1, size=11))
    assert listener.take() is None
    subscription = listener.subscription
    assert subscription.paced == {listener.session: listener}
    listener.pacer.offer(event(2), None)
    (sent,) = subscription.flow.outbox.take()
    assert (sent.message.publication, sent.message.details) == (2, {"_lost": 1})
    assert listener.pacer is None
    assert subscription.paced == {}


def test_a_loss_that_could_not_be_told_is_told_with_the_next_event(listener):
    listener.hold(event(1))
    listener.hold(event(2))
    listener.miss(0)
    listener.miss(3)
    assert listener.lost == 2
    assert listener.subscription.flow.tally.undeliverable == 2
    assert listener.take()[1] == 5
    # Meanwhile no event may pass the buffer by.
    assert listener.pacer is not None
    assert (listener.take()[1], listener.take()) == (0, None)
    assert listener.pacer is None


def test_a_loss_that_no_event_waits_to_tell_of_can_be_told_in_another_way_once(listener):
    assert listener.take_untold() == 0
    listener.miss(2)
    assert (listener.take_untold(), listener.take_untold()) == (3, 0)
    assert listener.pacer is None
    listener.tune(BufferSettings(policy="skip", max_bytes=10))
    listener.hold(event(1, size=11))
    assert listener.take_untold() == 1
    listener.miss(0)
    listener.hold(event(2))
    # There is one to tell it with.
    assert listener.take_untold() == 0
    assert listener.take()[1] == 1


def test_a_loss_amid_the_past_is_told_with_the_next_event(listener):
    class Past:
        is_done, lost = False, 0

        def take(self):
            return event(2), 4

    listener.replay(Past())
    listener.miss(0)
    assert listener.take_untold() == 0
    assert listener.take()[1] == 5
    assert listener.take()[1] == 4


def test_tuning_drops_what_has_no_room_any_more(listener):
    for n in range(5):
        listener.hold(event(n))
    listener.tune(BufferSettings(size=2))
    assert (listener.queued, listener.lost) == (2, 3)
    assert listener.pacer is None
    listener.tune(BufferSettings(size=2, every=2))
    assert listener.pacer is not None
    assert listener.subscription.flow.paced == 1


def test_one_that_stops_is_owed_nothing(listener):
    listener.tune(BufferSettings(min_interval=5))
    listener.hold(event(1))
    listener.stop()
    assert listener.take() is None
    assert listener.subscription.paced == {}
    assert listener.subscription.flow.paced == 0


@pytest.mark.parametrize(
    ("pattern", "topic", "takes"),
    [
        ("", "a", True),
        ("", "radiod.a", False),
        ("radiod.", "radiod.a", True),
        ("b", "a", False),
    ],
)
def test_a_subscription_knows_the_topics_it_takes(pattern, topic, takes):
    assert subscription("prefix", pattern).takes(topic) is takes


def test_its_accounts_plan_says_how_often_it_may_get_an_event():
    group = subscription()
    holder = Holder("k", Account("acme"))
    holder.account.allowances = Allowances(Plan(deliver_rate=4), group.flow.clock)
    one = Listener(Session(1, make_principal(holder=holder), "outlet"), group)
    assert (one.interval, one.is_paced) == (0.25, True)
    one.tune(BufferSettings(min_interval=2.0))
    assert one.interval == 2
    holder.account.allowances.change(Plan())
    one.tune(DEFAULTS)
    assert (one.interval, one.is_paced, one.pacer) == (0, False, None)
