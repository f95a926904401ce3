"""Rates, waiting publishers and replays, case by case and against a model that keeps everything in lists."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from radiod.core.delivery.broadcast import Broadcast
from radiod.core.delivery.buffers import MAX_MARKS
from radiod.core.delivery.settings import MAX_SIZE, POLICIES, BufferSettings
from radiod.core.limits import Limits
from radiod.core.promises import Promise
from radiod.core.pubsub.broker import Broker
from radiod.core.sessions.session import Session
from radiod.errors import OVERRUN, RadiodError, Refused
from radiod.testing import FakeClock, RecordingOutbox, make_principal
from radiod.wire.codecs import JSON, Payload
from radiod.wire.options import PublishOptions, SubscribeOptions

WAIT = 0.6
"""Seconds a publisher may be held back."""

ORDINARY = PublishOptions()
ACKNOWLEDGED = PublishOptions(acknowledge=True)


class World:
    """A broker, one listener to one topic, and what became of every publish."""

    def __init__(self, **settings):
        self.outbox, self.clock = RecordingOutbox(), FakeClock()
        self.broker = Broker(self.outbox, self.clock, self.clock.timers, Limits(wait_timeout_s=WAIT))
        self.session = Session(1, make_principal(), None)
        self.published = 0
        # publication -> "held", "published" or "overrun", where an acknowledgement was asked for
        self.receipts = {}
        self.subscribe(**settings)

    def subscribe(self, **settings):
        options = SubscribeOptions()
        subscription, _, _ = self.broker.subscribe(self.session, "a", options, BufferSettings(**settings))
        self.subscription = subscription
        self.listener = subscription.listeners[self.session]

    def unsubscribe(self):
        self.broker.unsubscribe(self.session, self.subscription)

    def publish(self, size=1, *, ack=False, is_end_mark=False):
        """Publish an event of ``size`` bytes. Returns: its number. Raises: Refused."""
        options = ACKNOWLEDGED if ack else ORDINARY
        payload = Payload(JSON, b"x" * size, b"")
        self.broker.check(None, "a", payload, options, is_end_mark)
        number = self.published
        self.published += 1
        outcome = self.broker.publish(number, None, "a", payload, options, {}, is_end_mark)
        if ack:
            self.receipts[number] = "held"
        if isinstance(outcome, Promise):
            outcome.then(lambda late: self.note(number, late))
        elif ack:
            self.note(number, outcome)
        return number

    def note(self, number, outcome):
        assert self.receipts[number] == "held"
        if isinstance(outcome, RadiodError):
            assert outcome.uri == OVERRUN
            self.receipts[number] = "overrun"
        else:
            assert outcome.id == number
            self.receipts[number] = "published"

    def some(self, count, **options):
        return [self.publish(**options) for _ in range(count)]

    def heard(self):
        """Numbers of the events since the last time, with what was lost before where anything was."""
        events = [(sent.message.publication, sent.message.details) for sent in self.outbox.take()]
        return [(number, details["_lost"]) if "_lost" in details else number for number, details in events]

    def pass_time(self, seconds, step=0.25):
        """Let time pass in steps, at each of which the outbox has its turn. Returns: what was heard."""
        heard = []
        for _ in range(round(seconds / step)):
            self.clock.advance(step)
            heard += self.heard()
        return heard

    def block(self):
        self.outbox.block(self.session)

    def unblock(self):
        self.outbox.unblock(self.session)
        return self.heard()


class TestRates:
    def test_every_third_is_the_third_the_sixth_and_so_on(self):
        world = World(every=3)
        world.some(10)
        assert world.heard() == [2, 5, 8]
        assert world.broker.tally.skipped == 7
        assert world.broker.tally.lost == 0

    def test_what_nobody_takes_is_never_given_to_the_outbox(self):
        world = World(every=1000)
        world.some(999)
        assert world.outbox.sent == []

    def test_an_interval_spaces_events_out_and_keeps_what_comes_sooner(self):
        world = World(min_interval=1)
        world.some(3)
        assert world.heard() == [0]
        assert world.pass_time(0.75) == []
        assert world.pass_time(0.25) == [1]
        assert world.pass_time(1) == [2]
        world.pass_time(5)
        world.publish()
        assert world.heard() == [3]

    def test_what_waits_for_its_time_is_bounded_by_the_buffer(self):
        world = World(min_interval=1, size=2)
        world.some(6)
        assert world.heard() == [0]
        assert world.pass_time(2) == [(4, 3), 5]

    def test_latest_tells_the_newest_when_its_time_has_come(self):
        world = World(min_interval=1, latest=True)
        world.some(6)
        assert world.heard() == [0]
        assert world.pass_time(1) == [5]
        assert world.broker.tally.conflated == 4

    def test_there_is_one_timer_for_a_listener_however_much_waits(self):
        world = World(min_interval=1)
        world.some(50)
        world.heard()
        assert len(world.clock.timers) == 1
        world.unsubscribe()
        assert len(world.clock.timers) == 0
        assert world.pass_time(3) == []

    def test_an_interval_that_ends_while_the_session_does_not_read_delivers_when_it_does(self):
        world = World(min_interval=1)
        world.some(4)
        assert world.heard() == [0]
        world.block()
        assert world.pass_time(5) == []
        assert world.unblock() == [1]
        assert world.pass_time(0.75) == []
        assert world.pass_time(0.25) == [2]

    def test_a_mark_passes_rates_behind_what_waits(self):
        world = World(every=2, min_interval=10)
        world.publish()
        mark = world.publish(is_end_mark=True)
        assert world.heard() == [mark]
        world.some(3)
        assert world.heard() == [2]
        second = world.publish(is_end_mark=True)
        assert world.heard() == []
        assert world.pass_time(10) == [4, second]

    def test_others_get_every_event_meanwhile(self):
        world = World(every=2)
        other = Session(2, make_principal(), None)
        world.broker.subscribe(other, "a", SubscribeOptions())
        world.some(4)
        sent = world.outbox.take()
        assert [one.message.publication for one in sent if one.session is other] == [0, 1, 2, 3]
        assert [one.message.publication for one in sent if one.session is world.session] == [1, 3]

    def test_a_listener_that_is_tuned_back_is_an_ordinary_one_again(self):
        world = World(min_interval=5)
        world.some(3)
        assert world.heard() == [0]
        world.listener.tune(BufferSettings())
        assert world.listener.pacer is not None
        assert world.heard() == [1, 2]
        assert world.listener.pacer is None
        assert world.subscription.paced == {}
        assert len(world.clock.timers) == 0


class TestWaiting:
    def test_the_acknowledgement_waits_for_room_and_nothing_else_does(self):
        world = World(policy="wait", size=2)
        world.block()
        held = [world.publish(ack=True) for _ in range(4)]
        world.clock.advance(0)
        assert [world.receipts[number] for number in held] == ["published", "published", "held", "held"]
        assert world.unblock() == [0, 1, 2, 3]
        world.clock.advance(0)
        assert set(world.receipts.values()) == {"published"}

    def test_those_behind_another_size_are_overrun_at_once(self):
        world = World(policy="wait", size=2)
        world.block()
        world.some(6, ack=True)
        world.clock.advance(0)
        assert [*world.receipts.values()] == ["published"] * 2 + ["held"] * 2 + ["overrun"] * 2
        assert world.unblock() == [0, 1, 2, 3]
        world.publish()
        assert world.heard() == [(6, 2)]
        assert world.listener.lost == 2

    def test_what_was_lost_on_its_way_here_is_told_behind_those_that_wait(self):
        world = World(policy="wait", size=1)
        world.block()
        world.some(2, ack=True)
        world.listener.miss_unseen(3)
        world.clock.advance(0)
        assert world.unblock() == [0, 1]
        world.publish()
        assert world.heard() == [(2, 3)]
        assert world.listener.lost == 3

    def test_those_that_waited_too_long_are_overrun_and_their_loss_is_told_in_its_place(self):
        world = World(policy="wait", size=1)
        world.block()
        world.publish(ack=True)
        world.publish(ack=True)
        world.pass_time(0.5)
        assert world.receipts[1] == "held"
        world.pass_time(0.25)
        assert world.receipts[1] == "overrun"
        world.publish(ack=True)
        assert world.unblock() == [0, (2, 1)]
        assert world.broker.tally.by_policy["wait"] == 1
        world.clock.advance(0)
        assert world.receipts[2] == "published"
        assert len(world.clock.timers) == 0

    def test_each_has_its_own_time(self):
        world = World(policy="wait", size=1, max_bytes=100)
        world.block()
        world.publish(ack=True, size=100)
        world.publish(ack=True)
        world.pass_time(0.5)
        world.listener.tune(BufferSettings(policy="wait", size=3, max_bytes=100))
        world.publish(ack=True)
        world.pass_time(0.25)
        assert [*world.receipts.values()] == ["published", "overrun", "held"]
        world.pass_time(0.25)
        assert world.receipts[2] == "held"
        world.pass_time(0.25)
        assert world.receipts[2] == "overrun"

    def test_who_asks_for_no_acknowledgement_waits_for_nothing(self):
        world = World(policy="wait", size=1)
        world.block()
        world.some(3)
        assert world.unblock() == [0]
        world.publish()
        assert world.heard() == [(3, 2)]

    def test_who_asks_for_none_does_not_overtake_those_who_wait(self):
        world = World(policy="wait", size=5, max_bytes=10)
        world.block()
        world.publish(ack=True, size=8)
        world.publish(ack=True, size=8)
        world.publish(size=1)
        assert world.unblock() == [0, 1]
        world.publish(ack=True)
        assert world.heard() == [(3, 1)]

    def test_an_event_that_never_fits_is_overrun_at_once(self):
        world = World(policy="wait", size=1, max_bytes=10)
        world.block()
        world.publish(ack=True, size=11)
        world.clock.advance(0)
        assert world.receipts == {0: "overrun"}
        assert world.unblock() == []
        world.publish(ack=True)
        assert world.heard() == [(1, 1)]

    def test_several_listeners_hold_one_receipt_until_the_last_has_room(self):
        world = World(policy="wait", size=1)
        other = Session(2, make_principal(), None)
        settings = BufferSettings(policy="wait", size=1)
        world.broker.subscribe(other, "a", SubscribeOptions(), settings)
        for session in (world.session, other):
            world.outbox.block(session)
        world.some(2, ack=True)
        world.outbox.unblock(other)
        world.clock.advance(0)
        assert world.receipts == {0: "published", 1: "held"}
        world.outbox.unblock(world.session)
        world.clock.advance(0)
        assert world.receipts == {0: "published", 1: "published"}

    def test_nobody_waits_for_a_listener_that_left(self):
        world = World(policy="wait", size=1)
        world.block()
        world.some(2, ack=True)
        world.publish(is_end_mark=True)
        world.broker._held.end(world.session)
        world.clock.advance(0)
        assert world.receipts == {0: "published", 1: "published"}
        assert len(world.clock.timers) == 0

    def test_nobody_waits_for_a_listener_that_has_another_policy_now(self):
        world = World(policy="wait", size=1)
        world.block()
        world.some(3, ack=True)
        world.listener.tune(BufferSettings(policy="skip", size=2))
        world.clock.advance(0)
        assert [*world.receipts.values()] == ["published", "published", "overrun"]
        assert world.unblock() == [0, 1]
        assert world.listener.lost == 1

    def test_who_waited_is_not_overrun_when_the_new_policy_drops_others(self):
        world = World(policy="wait", size=1)
        world.block()
        world.some(2, ack=True)
        world.listener.tune(BufferSettings(size=1))
        world.clock.advance(0)
        assert world.receipts == {0: "published", 1: "published"}
        assert world.unblock() == [(1, 1)]

    def test_marks_wait_in_order_and_are_not_given_up(self):
        world = World(policy="wait", size=1)
        world.block()
        world.some(2, ack=True)
        mark = world.publish(is_end_mark=True)
        last = world.publish(is_end_mark=True, ack=True)
        world.clock.advance(0)
        assert world.receipts[last] == "held"
        world.pass_time(1)
        assert world.receipts[last] == "published"
        assert world.unblock() == [0, (mark, 1), last]

    def test_marks_that_wait_are_bounded_in_bytes_too(self):
        world = World(policy="wait", size=1, max_bytes=100)
        world.block()
        world.some(2, ack=True)
        marks = world.some(5, size=40, ack=True, is_end_mark=True)
        world.clock.advance(0)
        assert [world.receipts[mark] for mark in marks] == ["held"] * 2 + ["overrun"] * 3

    def test_so_many_marks_wait_and_no_more(self):
        world = World(policy="wait", size=1)
        world.block()
        world.some(2, ack=True)
        world.some(MAX_MARKS + 1, is_end_mark=True)
        assert world.listener.lost == 1
        assert len(world.unblock()) == MAX_MARKS + 2

    def test_a_mark_that_alone_fits_is_delivered_when_those_before_it_were_given_up(self):
        world = World(policy="wait", min_interval=10, max_bytes=10, size=2)
        world.publish(ack=True, size=10)
        assert world.heard() == [0]
        world.block()
        world.some(2, ack=True, size=10)
        world.publish(is_end_mark=True)
        assert world.unblock() == []
        world.listener.tune(BufferSettings(policy="wait", min_interval=10, max_bytes=5))
        assert world.heard() == []
        assert world.pass_time(1) == [(3, 2)]


class TestRaising:
    def test_an_acknowledged_publish_is_refused_before_anybody_gets_it(self):
        world = World(policy="raise", size=2)
        other = Session(2, make_principal(), None)
        world.broker.subscribe(other, "a", SubscribeOptions())
        world.block()
        world.some(2, ack=True)
        with pytest.raises(Refused) as refusal:
            world.publish(ack=True)
        assert refusal.value.uri == OVERRUN
        assert [sent.session for sent in world.outbox.take()] == [other, other]
        assert world.unblock() == [0, 1]
        world.publish(ack=True)
        assert world.heard() == [2, 2]

    def test_others_are_dropped_for_that_listener_alone(self):
        world = World(policy="raise", size=2)
        world.block()
        world.some(4)
        assert world.unblock() == [0, 1]
        world.publish(ack=True)
        assert world.heard() == [(4, 2)]

    def test_only_what_the_listener_wants_is_refused(self):
        world = World(policy="raise", size=1, every=2)
        world.block()
        world.some(3, ack=True)
        with pytest.raises(Refused):
            world.publish(ack=True)
        world.publish(ack=True, is_end_mark=True)
        assert world.unblock() == [1, 3]

    def test_a_publish_that_does_not_reach_the_listener_is_not_refused(self):
        world = World(policy="raise", size=1)
        world.block()
        world.some(1, ack=True)
        payload = Payload.of()
        world.broker.check(None, "a", payload, PublishOptions(acknowledge=True, exclude=[1]))
        world.broker.check(world.session, "a", payload, PublishOptions(acknowledge=True))
        world.broker.check(None, "b", payload, PublishOptions(acknowledge=True))
        with pytest.raises(Refused):
            world.broker.check(None, "a", payload, PublishOptions(acknowledge=True))

    def test_other_subscriptions_of_the_topic_refuse_nothing(self):
        world = World(policy="raise", size=1)
        other = Session(2, make_principal(), None)
        world.broker.subscribe(other, "", SubscribeOptions(match="prefix"))
        world.publish(ack=True)
        assert world.heard() == [0, 0]


@pytest.mark.parametrize("policy", ["wait", "raise"])
class TestAnInterval:
    """A listener that reads, and merely chose an interval: publishers never feel it."""

    def test_alone_neither_holds_nor_refuses_anybody(self, policy):
        world = World(policy=policy, size=1, min_interval=86_400)
        numbers = world.some(4, ack=True)
        assert [world.receipts[number] for number in numbers] == ["published"] * 4
        assert world.heard() == [0]
        assert world.listener.lost == 2

    def test_does_so_no_more_once_the_listener_reads_again(self, policy):
        world = World(policy=policy, size=1, min_interval=86_400)
        world.publish(ack=True)
        world.block()
        world.publish(ack=True)
        if policy == "wait":
            assert world.receipts[world.publish(ack=True)] == "held"
        world.unblock()
        numbers = world.some(3, ack=True)
        assert [world.receipts[number] for number in numbers] == ["published"] * 3
        world.clock.advance(0)
        assert set(world.receipts.values()) == {"published"}


def test_marks_that_waited_keep_their_place_when_an_interval_alone_fills_the_buffer():
    world = World(policy="wait", size=1, min_interval=5)
    world.publish()
    world.heard()
    world.block()
    world.some(2, ack=True)
    world.publish(is_end_mark=True)
    assert world.unblock() == []
    world.publish(ack=True)
    assert world.pass_time(5) == [1, (3, 1)]
    world.publish()
    assert world.pass_time(5) == [(5, 1)]


class Past:
    """A replay of what a test puts in."""

    def __init__(self, *events):
        self.events = list(events)
        self.is_done = False
        self.lost = 0

    def take(self):
        if self.events:
            return self.events.pop(0)
        return None


def record(number):
    return Broadcast(1, number, "a", {}, Payload(JSON, b"x", b""))


class TestReplay:
    def test_comes_before_everything_live_and_live_events_are_left_to_it(self):
        world = World()
        past = Past((record(100), 0), (record(101), 2))
        world.listener.replay(past)
        world.publish()
        past.events.append((record(0), 0))
        assert world.heard() == [100, (101, 2), 0]
        assert world.listener.pacer is not None
        past.is_done = True
        world.outbox.release(world.listener)
        assert world.heard() == []
        assert world.listener.pacer is None
        world.publish()
        assert world.heard() == [1]

    def test_goes_as_the_connection_takes_it(self):
        world = World()
        world.block()
        past = Past((record(100), 0), (record(101), 0))
        past.is_done = True
        world.listener.replay(past)
        assert world.heard() == []
        assert len(past.events) == 2
        assert world.unblock() == [100, 101]

    def test_that_is_done_with_a_gap_leaves_its_news_to_the_next_event(self):
        world = World()
        past = Past((record(100), 0))
        world.listener.replay(past)
        past.is_done = True
        past.lost = 3
        assert world.heard() == [100]
        world.publish()
        world.publish()
        assert world.heard() == [(0, 3), 1]
        assert world.listener.pacer is None

    def test_neither_rates_nor_policies_hold_for_it(self):
        world = World(policy="raise", every=2, min_interval=5, size=1)
        past = Past(*((record(100 + n), 0) for n in range(5)))
        past.is_done = True
        world.listener.replay(past)
        world.some(4, ack=True)
        assert world.heard() == [100, 101, 102, 103, 104]
        world.some(2)
        assert world.heard() == [5]


class TestWhatTheNextEventTells:
    """Besides its own: whatever becomes of the events before, the first that arrives tells it."""

    def told(self, world):
        return [
            (sent.message.publication, sent.message.details.get("_recovered")) for sent in world.outbox.take()
        ]

    def test_is_not_dropped_with_the_event_that_came_first(self):
        world = World(size=1)
        world.listener.tell_next({"_recovered": False})
        world.block()
        world.some(3)
        world.outbox.unblock(world.session)
        world.publish()
        assert self.told(world) == [(2, False), (3, None)]

    def test_is_told_again_when_the_event_could_not_be_said(self):
        world = World()
        world.listener.tell_next({"_recovered": False})
        world.block()
        world.some(2)
        assert world.listener.take()[0].details == {"_recovered": False}
        world.listener.miss(0)
        # Nor could one that told nothing.
        world.listener.miss(0)
        world.outbox.unblock(world.session)
        (sent,) = world.outbox.take()
        assert (sent.message.publication, sent.message.details) == (1, {"_recovered": False, "_lost": 2})


intervals = st.sampled_from([0.0, 0.25, 0.5, 1.0])
any_settings = st.fixed_dictionaries(
    {
        "size": st.integers(0, 3),
        "max_bytes": st.integers(1, 12),
        "policy": st.sampled_from(POLICIES),
        "latest": st.booleans(),
        "every": st.integers(1, 3),
        "min_interval": intervals,
    }
)


class Item:
    """One event in the model. ``fate``: "buffer", "line", "lost" or "gone"."""

    def __init__(self, number, size, is_end_mark, ack, until):
        self.number = number
        self.size = size
        self.is_end_mark = is_end_mark
        self.ack = ack
        self.until = until
        self.fate = None


class PacingMachine(RuleBasedStateMachine):
    """The model: all events since the last one delivered, in order, each with what became of it."""

    @initialize(settings=any_settings)
    def begin(self, settings):
        self.world = World(**settings)
        self.items = []
        self.is_blocked = False
        self.expected = []
        self.receipts = {}
        self.now = 0.0
        self.start(settings)

    def start(self, settings):
        self.settings = BufferSettings(**settings)
        self.offered = 0
        self.last = -100.0

    # --- the model

    def those(self, fate, is_end_mark=None):
        return [one for one in self.items if one.fate == fate and is_end_mark in (None, one.is_end_mark)]

    def has_room(self, item):
        if item.is_end_mark:
            return True
        samples = self.those("buffer", is_end_mark=False)
        if self.settings.latest:
            return item.size <= self.settings.max_bytes
        total = sum(one.size for one in samples) + item.size
        return len(samples) < (self.settings.size or MAX_SIZE) and total <= self.settings.max_bytes

    def hold(self, item):
        """Put an event into the buffer by its policy. Returns: whether it is there."""
        if not item.is_end_mark:
            if item.size > self.settings.max_bytes:
                item.fate = "lost"
                return False
            samples = self.those("buffer", is_end_mark=False)
            if self.settings.latest:
                for one in samples:
                    one.fate = "gone"
            elif not self.has_room(item):
                if self.settings.policy == "clear":
                    for one in samples:
                        one.fate = "lost"
                elif self.settings.policy == "ring":
                    while not self.has_room(item):
                        self.those("buffer", is_end_mark=False)[0].fate = "lost"
                else:
                    item.fate = "lost"
                    return False
        item.fate = "buffer"
        return True

    def is_due(self):
        return self.now >= self.last + self.settings.min_interval

    def deliver(self, item):
        before = self.items[: self.items.index(item)]
        lost = sum(one.fate == "lost" for one in before)
        # Those in line are behind it, and what is lost behind it is told later.
        self.items = self.items[len(before) + 1 :]
        self.expected.append((item.number, lost) if lost else item.number)
        if not item.is_end_mark and self.settings.min_interval:
            self.last = self.now

    def answer(self, item, outcome):
        if item.ack:
            self.receipts[item.number] = outcome

    def admit(self, item):
        self.answer(item, "published" if self.hold(item) else "overrun")

    def let_in(self):
        while (line := self.those("line")) and self.has_room(line[0]):
            self.admit(line[0])

    def pump(self):
        while not self.is_blocked and (waiting := self.those("buffer")):
            if not (waiting[0].is_end_mark or self.is_due()):
                break
            self.deliver(waiting[0])
            self.let_in()

    # --- what happens

    @rule(size=st.integers(0, 8), ack=st.booleans(), is_end_mark=st.sampled_from([False, False, False, True]))
    def publish(self, size, ack, is_end_mark):
        item = Item(self.world.published, 0 if is_end_mark else size, is_end_mark, ack, self.now + WAIT)
        settings = self.settings
        is_wanted = is_end_mark or (self.offered + 1) % settings.every == 0
        line = self.those("line")
        passes = not (line or self.those("buffer") or self.is_blocked) and (is_end_mark or self.is_due())
        room = passes or self.has_room(item)
        may_refuse = settings.policy == "raise" and ack and not is_end_mark
        if may_refuse and is_wanted and self.is_blocked and not room:
            with pytest.raises(Refused):
                self.world.publish(item.size, ack=ack, is_end_mark=is_end_mark)
            return
        self.world.publish(item.size, ack=ack, is_end_mark=is_end_mark)
        self.answer(item, "published")
        if not is_end_mark:
            self.offered += 1
        if not is_wanted:
            return
        if line and not self.is_blocked:
            # It reads: what keeps its buffer full is its own interval.
            for one in line:
                self.hold(one)
                self.answer(one, "published")
            line = []
        self.items.append(item)
        if passes:
            self.deliver(item)
        elif line or (ack and self.is_blocked and settings.policy == "wait" and not self.has_room(item)):
            self.line_up(item, [one for one in line if not one.is_end_mark])
        else:
            self.hold(item)

    def line_up(self, item, samples):
        total = sum(one.size for one in samples) + item.size
        is_full = len(samples) >= (self.settings.size or MAX_SIZE) or total > self.settings.max_bytes
        if not item.is_end_mark and (is_full or not item.ack):
            item.fate = "lost"
            self.answer(item, "overrun")
        else:
            item.fate = "line"
            self.answer(item, "held")

    @rule()
    def pass_time(self):
        self.now += 0.25
        self.world.clock.advance(0.25)
        while (line := self.those("line")) and line[0].until <= self.now:
            self.admit(line[0])
            self.let_in()

    @precondition(lambda self: not self.is_blocked)
    @rule()
    def block(self):
        self.is_blocked = True
        self.world.block()

    @precondition(lambda self: self.is_blocked)
    @rule()
    def unblock(self):
        self.is_blocked = False
        self.world.outbox.unblock(self.world.session)

    @rule(settings=any_settings)
    def tune(self, settings):
        before, self.settings = self.settings, BufferSettings(**settings)
        if before.every != self.settings.every:
            self.offered = 0
        if not self.settings.min_interval:
            self.last = -100.0
        self.shrink()
        if self.settings.policy != "wait":
            for item in self.those("line"):
                self.admit(item)
        self.let_in()
        self.world.listener.tune(self.settings)

    def shrink(self):
        settings = self.settings
        if settings.latest:
            for one in self.those("buffer", is_end_mark=False)[:-1]:
                one.fate = "gone"
        is_smaller = False
        while samples := self.those("buffer", is_end_mark=False):
            total = sum(one.size for one in samples)
            if len(samples) <= (settings.size or MAX_SIZE) and total <= settings.max_bytes:
                break
            is_smaller = True
            samples[0 if settings.policy in ("ring", "clear") else -1].fate = "lost"
        if is_smaller and settings.policy == "clear":
            for one in self.those("buffer", is_end_mark=False)[:-1]:
                one.fate = "lost"

    @rule(settings=any_settings)
    def come_back(self, settings):
        self.world.unsubscribe()
        for item in self.those("line"):
            self.answer(item, "published")
        self.items.clear()
        self.start(settings)
        self.world.subscribe(**settings)

    # --- what holds

    @invariant()
    def the_listener_hears_what_the_model_says_in_order(self):
        self.pump()
        assert self.world.heard() == self.expected
        self.expected.clear()

    @invariant()
    def publishers_are_told_what_the_model_says(self):
        self.pump()
        self.world.outbox.turn()
        self.world.clock.advance(0)
        assert self.world.receipts == self.receipts

    @invariant()
    def what_waits_is_what_the_model_says(self):
        self.pump()
        self.world.outbox.turn()
        assert self.world.listener.queued == len(self.those("buffer"))

    @invariant()
    def an_ordinary_listener_has_no_pacer_unless_something_waits(self):
        subscription = self.world.subscription
        self.pump()
        self.world.outbox.turn()
        is_paced = self.world.listener.pacer is not None
        assert is_paced == (self.world.session in subscription.paced)
        assert self.world.broker._flow.paced == is_paced
        if not self.items and not self.settings.is_paced:
            assert not is_paced


TestPacingMachine = PacingMachine.TestCase
