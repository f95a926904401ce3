"""What happens to a publication, whoever it comes from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.answers import assert_error, assert_refused, assert_silent
from support.realms import YES, Follower, World

from radiod.core.access.ledger import Ledger
from radiod.core.access.records import UsageRow
from radiod.core.allowances import Allowances
from radiod.core.channels.settings import ChannelSettings
from radiod.core.delivery.broadcast import Publication
from radiod.core.delivery.receipts import AwaitedRoom
from radiod.core.disclosure import Visitor
from radiod.core.holders import Account, Holder
from radiod.core.limits import Limits
from radiod.core.plans import Plan
from radiod.core.realm.publications import MAX_KEPT, Usage
from radiod.core.rights import Disclose, Verdict
from radiod.errors import (
    BAD_KEY,
    CHANNEL_CLOSED,
    DISCLOSE_ME,
    INVALID_ARGUMENT,
    INVALID_URI,
    NO_SUCH_CHANNEL,
    NOT_AUTHORIZED,
    OVERRUN,
    QUOTA,
)
from radiod.testing import (
    ALLOW_NONE,
    FakeClock,
    make_principal,
)
from radiod.wire.codecs import CBOR, JSON, MSGPACK, Payload
from radiod.wire.options import PublishOptions

RESERVED = ["wamp.session.on_join", "radiod.channel.on_create", "wamp.x", "radiod.x"]
ACKNOWLEDGE = {"acknowledge": True}


@pytest.mark.parametrize("topic", RESERVED)
def test_cannot_forge_what_the_router_says(world, alice, topic):
    listener = world.listener(topic)
    alice.send(16, 1, {}, topic, ["forged"])
    assert_silent(listener)


def test_on_a_closed_channel_is_refused(world, alice):
    alice.send(48, 1, {}, "radiod.channel.create", ["a"], {"lifetime": 5})
    listener = world.listener("a")
    world.clock.advance(5)
    world.outbox.take()
    assert_error(alice.ask(16, 2, ACKNOWLEDGE, "a"), 16, 2, CHANNEL_CLOSED)
    assert_silent(listener)


def test_on_an_undeclared_topic_is_refused_where_the_realm_says_so():
    world = World(undeclared_topics=False)
    world.realm.lifecycle.declare("a")
    alice = world.join()
    assert alice.ask(16, 1, ACKNOWLEDGE, "a")[0] == 17
    assert_error(alice.ask(16, 2, ACKNOWLEDGE, "b"), 16, 2, NO_SUCH_CHANNEL)


def test_is_counted_by_its_channel_once_it_was_accepted(world, alice):
    world.realm.lifecycle.declare("a")
    alice.send(16, 1, {}, "a")
    alice.ask(16, 2, ACKNOWLEDGE, "a")
    world.join(permissions=ALLOW_NONE).send(16, 1, {}, "a")
    assert world.realm.descriptions.get(None, "a")["events"] == 2


def test_beyond_the_number_of_retained_topics_is_refused_and_not_counted():
    world = World(limits=Limits(max_retained_topics=1))
    world.realm.lifecycle.declare("b")
    alice = world.join()
    retain = {"retain": True, "acknowledge": True}
    assert alice.ask(16, 1, retain, "a")[0] == 17
    assert_error(alice.ask(16, 2, retain, "b"), 16, 2, QUOTA)
    assert world.realm.descriptions.get(None, "b")["events"] == 0


@given(
    sent=st.lists(
        st.tuples(st.integers(0, 1), st.sampled_from("ab"), st.sampled_from([{}, ACKNOWLEDGE])),
        max_size=20,
    )
)
def test_keeps_the_order_of_each_publisher_on_each_topic(sent):
    world = World()
    publishers = [world.join(codec=JSON), world.join(codec=MSGPACK)]
    listeners = [world.join(codec=codec) for codec in (JSON, CBOR)]
    for listener in listeners:
        for request, topic in enumerate("ab", 1):
            listener.ask(32, request, {}, topic)
    for number, (publisher, topic, options) in enumerate(sent):
        publishers[publisher].send(16, number + 1, options, topic, [publisher, topic, number])
    expected = [[publisher, topic, number] for number, (publisher, topic, _) in enumerate(sent)]
    for listener in listeners:
        assert [event[4] for event in listener.received()] == expected


class Recording:
    """A ``Meter`` that keeps what it is told."""

    def __init__(self):
        self.told = []

    def published(self, actor, channel, size, *, is_public):
        self.told.append((actor.id, channel, size, is_public))

    def called(self, actor, procedure):
        """Other tests' business."""


class TestMeter:
    @pytest.fixture
    def meter(self, world):
        meter = world.realm.publications.meter = Recording()
        return meter

    @pytest.fixture
    def visitor(self):
        return Visitor(99, make_principal())

    def publish(self, world, publisher, topic, *args, verdict=YES, **options):
        options = PublishOptions(**options)
        return world.realm.publications.publish(publisher, topic, Payload.of(*args), options, verdict)

    def test_counts_what_messages_testaments_and_visitors_publish(self, world, meter, alice, visitor):
        alice.send(16, 1, {}, "a", [1])
        alice.call("wamp.session.add_testament", "a", ["bye"], {})
        assert meter.told == [(alice.id, "a", 3, True)]
        alice.leave()
        self.publish(world, visitor, "a", "xy")
        assert meter.told[1:] == [
            (alice.id, "a", len(CBOR.dump(["bye"])), True),
            (99, "a", len(Payload.of("xy")), True),
        ]

    def test_counts_nothing_that_the_router_says(self, world, meter):
        world.watch("wamp.session.on_join")
        world.join()
        assert meter.told == []

    def test_tells_private_channels_apart(self, world, meter, visitor):
        world.realm.lifecycle.declare("p", key="secret")
        world.realm.lifecycle.declare("c")
        self.publish(world, visitor, "p", key="secret")
        self.publish(world, visitor, "p")
        self.publish(world, visitor, "c")
        told = [(channel, is_public) for _, channel, _, is_public in meter.told]
        assert told == [("p", False), ("p", True), ("c", True)]

    def test_counts_nothing_that_was_refused(self, world, meter, alice, visitor):
        world.realm.lifecycle.declare("p", key="secret")
        world.realm.lifecycle.declare("w", ChannelSettings(single_writer=True))
        alice.call("radiod.channel.open_write", "w")
        never = Verdict(is_allowed=True, disclose=Disclose.NEVER)
        for uri, topic, verdict, options in (
            (INVALID_URI, "wamp.x", YES, {}),
            (BAD_KEY, "p", YES, {"key": "wrong"}),
            (NOT_AUTHORIZED, "w", YES, {}),
            (DISCLOSE_ME, "a", never, {"disclose_me": True}),
            (INVALID_ARGUMENT, "a", YES, {"stream": "no mark"}),
        ):
            assert_refused(uri, self.publish, world, visitor, topic, verdict=verdict, **options)
        assert meter.told == []

    def test_counts_what_waits_for_room_once_it_is_accepted(self, world, meter, alice, visitor):
        alice.subscribe("a", _radiod_buffer={"policy": "wait", "size": 1})
        world.outbox.block(alice.session)
        answers = [self.publish(world, visitor, "a", n, acknowledge=True) for n in range(2)]
        assert isinstance(answers[1], AwaitedRoom)
        assert len(meter.told) == 1
        world.outbox.unblock(alice.session)
        outcomes = []
        answers[1].then(outcomes.append)
        world.clock.advance(0)
        assert isinstance(outcomes[0], Publication)
        assert len(meter.told) == 2

    def test_what_waits_for_room_under_a_plan_is_paid_for_once_it_has_it(self, world, meter, alice):
        holder = Holder("k", Account("acme"))
        holder.account.allowances = Allowances(Plan(publish_day=10), world.clock)
        visitor = Visitor(99, make_principal(holder=holder))
        alice.subscribe("a", _radiod_buffer={"policy": "wait", "size": 1})
        world.outbox.block(alice.session)
        answers = [self.publish(world, visitor, "a", n, acknowledge=True) for n in range(2)]
        world.outbox.unblock(alice.session)
        outcomes = []
        answers[1].then(outcomes.append)
        world.clock.advance(0)
        assert isinstance(outcomes[0], Publication)
        assert holder.account.allowances.publish_day.used == 2

    def test_does_not_count_what_never_had_room(self, world, meter, alice, visitor):
        alice.subscribe("a", _radiod_buffer={"policy": "wait", "size": 1})
        world.outbox.block(alice.session)
        answers = [self.publish(world, visitor, "a", n, acknowledge=True) for n in range(2)]
        outcomes = []
        answers[1].then(outcomes.append)
        world.clock.advance(10)
        assert outcomes[0].uri == OVERRUN
        assert len(meter.told) == 1


def test_what_is_kept_of_an_event_does_not_hold_the_key(world):
    world.realm.lifecycle.declare("p", key="secret")
    options = PublishOptions(key="secret", retain=True)
    world.realm.publications.publish(Visitor(99, make_principal()), "p", Payload.of(), options, YES)
    assert options.key is None


def test_a_sample_that_was_refused_is_not_counted_in_its_stream(world):
    visitor = Visitor(99, make_principal())
    listener = world.listener("a")

    def publish(**options):
        options = PublishOptions(stream={"id": 1}, **options)
        return world.realm.publications.publish(visitor, "a", Payload.of(), options, YES)

    busy = world.join()
    busy.subscribe("a", _radiod_buffer={"policy": "raise", "size": 1})
    world.outbox.block(busy.session)
    publish()
    assert_refused(OVERRUN, publish, acknowledge=True)
    publish()
    assert [event[3]["_stream"]["counter"] for event in listener.received()] == [1, 2]


def test_public_events_are_counted_and_nothing_of_private_channels():
    ledger = Ledger(FakeClock())
    usage, actor = Usage(ledger), Visitor(1, make_principal())
    assert usage.published_events == 0
    for is_public in (True, False, True):
        usage.published(actor, "a", 100, is_public=is_public)
    ledger.settle()
    assert usage.published_events == 2
    assert ledger.line(None, "a").published == 3


def test_usage_is_entered_under_holder_and_channel():
    ledger, holder = Ledger(FakeClock()), Holder("k", Account("acme"))
    usage, actor = Usage(ledger), Visitor(1, make_principal(holder=holder))
    usage.published(actor, "a", 10, is_public=True)
    usage.published(actor, "a", 5, is_public=False)
    usage.refused(actor, "a")
    usage.retold(actor, "a", 3, 30)
    usage.called(actor, "add")
    usage.called(actor, "add")
    ledger.settle()
    row, called = (line.row() for line in ledger.changed())
    assert row == UsageRow(
        hour=ledger.hour,
        account="acme",
        key="k",
        channel="a",
        published=2,
        delivered=3,
        refused=1,
        bytes_in=15,
        bytes_out=30,
    )
    assert (called.account, called.key, called.channel, called.calls) == ("acme", "k", "add", 2)


def test_what_is_kept_of_many_is_entered_before_it_is_too_much():
    ledger = Ledger(FakeClock())
    usage, actor = Usage(ledger), Visitor(1, make_principal())
    for number in range(MAX_KEPT + 1):
        usage.published(actor, f"a{number}", 1, is_public=True)
    assert usage.published_events == MAX_KEPT
    for number in range(MAX_KEPT + 1):
        usage.called(actor, f"p{number}")
    assert usage.published_events == MAX_KEPT + 1
    assert ledger.line(None, "p0").calls == 1
    ledger.settle()
    assert sum(line.published + line.calls for line in ledger.changed()) == 2 * (MAX_KEPT + 1)


def test_a_realm_counts_with_it(world, alice):
    world.realm.lifecycle.declare("p", key="secret")
    alice.request(16, {}, "a")
    alice.request(16, {}, "wamp.x")
    alice.request(16, {"_radiod_key": "secret"}, "p")
    world.realm.ledger.settle()
    assert world.realm.usage.published_events == 1


def test_whoever_watches_the_server_counts_all_and_names_public_topics_alone(world, alice):
    world.realm.lifecycle.declare("p", key="secret")
    for topic, options in (("a", {}), ("a", {}), ("b", {}), ("p", {"_radiod_key": "secret"})):
        alice.request(16, options, topic)
    visitor = Visitor(7, make_principal())
    world.realm.gateway.publish(visitor, "b", Payload.of(1))
    usage = world.realm.usage
    world.realm.ledger.settle()
    assert (usage.published_events, usage.published_in_private, usage.published_by_sessions) == (4, 1, 4)
    assert {topic: total.published for topic, total in world.realm.totals.by_topic.items()} == {
        "a": 2,
        "b": 2,
    }


def test_deliveries_and_losses_are_entered_by_topic_and_those_of_private_channels_are_not(world, alice):
    world.realm.lifecycle.declare("p", key="secret")
    listener = world.join("listener")
    listener.subscribe("a", _radiod_buffer={"min_interval": 60, "size": 1})
    listener.subscribe("a.", match="prefix")
    listener.subscribe("p", _radiod_key="secret")
    world.realm.ledger.settle()
    for topic, options in (("a", {}), ("a", {}), ("a", {}), ("a.b", {}), ("p", {"_radiod_key": "secret"})):
        alice.request(16, options, topic)
    world.realm.ledger.settle()
    told = {topic: (total.delivered, total.dropped) for topic, total in world.realm.totals.by_topic.items()}
    assert told == {"a": (1, 1), "a.*": (1, 0), "a.b": (0, 0)}
    assert world.realm.private_tally.delivered == 1
    assert [channel.name for channel in world.realm.channels.private] == ["p"]


def test_whoever_was_refused_something_is_looked_at():
    ledger, holder = Ledger(FakeClock()), Holder("k", Account("acme"))
    for principal in (make_principal(), make_principal(holder=holder)):
        Usage(ledger).refused(Visitor(1, principal), "a")
    assert list(ledger.charged) == [holder.account]


class TestTraces:
    """Of publishes that say which trace they are part of."""

    TRACED = {"_radiod_traceparent": "yes", "_radiod_tracestate": "a=1"}  # nobody changes it

    @pytest.fixture
    def follower(self, world):
        follower = world.realm.publications.tracer = Follower()
        return follower

    def test_whoever_follows_them_is_told_what_happens_in_its_order(self, world, alice, follower):
        listener = world.listener("a")
        alice.request(16, {**self.TRACED, "acknowledge": True}, "a", [1])
        assert follower.take() == [
            ("event", len(b"[1]"), "yes", "a=1", True),
            ("details", "a"),
            ("fan_out",),
            ("accepted", 1),
        ]
        ((_, _, _, details, _),) = listener.received()
        assert details == {"_traceparent": "there"}
        assert alice.received()[0][0] == 17

    def test_of_others_nothing_is_asked(self, alice, follower):
        alice.request(16, {"_radiod_tracestate": "a=1"}, "a")
        assert follower.take() == []

    def test_nobody_need_want_to_know(self, world, alice, follower):
        listener = world.listener("a")
        alice.request(16, {"_radiod_traceparent": "no"}, "a")
        assert [one[0] for one in follower.take()] == ["event"]
        world.realm.publications.tracer = None
        alice.request(16, self.TRACED, "a")
        assert [message[3] for message in listener.received()] == [{}, {}]

    def test_visitors_are_no_sessions(self, world, follower):
        options = PublishOptions(traceparent="yes")
        world.realm.gateway.publish(Visitor(99, make_principal()), "a", Payload.of(), options)
        assert follower.take()[0] == ("event", len(b"[]"), "yes", None, False)

    def test_what_is_refused_at_once(self, alice, follower):
        alice.request(16, {**self.TRACED, **ACKNOWLEDGE, "_radiod_stream": "no mark"}, "a")
        told = follower.take()
        assert [one[0] for one in told] == ["event", "details", "refused"]
        assert told[-1] == ("refused", INVALID_ARGUMENT)
        assert_error(alice.received()[0], 16, 1, INVALID_ARGUMENT)

    def test_a_private_channels_name_is_not_told(self, world, alice, follower):
        world.realm.lifecycle.declare("p", key="secret")
        alice.request(16, {**self.TRACED, "_radiod_key": "secret"}, "p")
        assert ("details", None) in follower.take()

    def test_a_part_of_a_stream(self, alice, follower):
        alice.request(16, {**self.TRACED, "_radiod_stream": {"id": "s"}}, "a")
        assert [one[0] for one in follower.take()] == ["event", "details", "fan_out", "accepted"]

    @pytest.mark.parametrize("is_in_time", [True, False])
    def test_what_waits_for_room_has_its_end_later(self, world, alice, follower, is_in_time):
        listener = world.join()
        listener.subscribe("a", _radiod_buffer={"policy": "wait", "size": 1})
        world.outbox.block(listener.session)
        alice.request(16, ACKNOWLEDGE, "a")
        alice.request(16, {**self.TRACED, **ACKNOWLEDGE}, "a")
        assert [one[0] for one in follower.take()] == ["event", "details", "fan_out"]
        if is_in_time:
            world.outbox.unblock(listener.session)
            world.clock.advance(0)
            assert follower.take() == [("accepted", 1)]
        else:
            world.clock.advance(60)
            assert follower.take() == [("refused", OVERRUN)]

    def test_it_is_paid_for_once(self, world, follower):
        holder = Holder("k", Account("acme"))
        holder.account.allowances = Allowances(Plan(publish_day=2), world.clock)
        visitor = Visitor(99, make_principal(holder=holder))
        for _ in range(2):
            options = PublishOptions(traceparent="yes")
            world.realm.gateway.publish(visitor, "a", Payload.of(), options)
        options = PublishOptions(traceparent="yes")
        assert_refused(QUOTA, world.realm.gateway.publish, visitor, "a", Payload.of(), options)
        assert follower.take()[-1] == ("refused", QUOTA)
