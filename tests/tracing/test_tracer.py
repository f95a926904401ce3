"""Spans of publishes and calls in a realm on fakes, whose turns end when the test says so."""

import time

import pytest
from support.realms import World

from radiod.core.channels.settings import ChannelSettings
from radiod.core.history.bounds import HistoryBounds
from radiod.core.limits import Limits
from radiod.tracing.spans import CLIENT, PRODUCER, SERVER
from radiod.tracing.tracer import RealmTracer

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
UNSAMPLED = f"00-{TRACE}-{SPAN}-00"
ACKNOWLEDGE = {"acknowledge": True}


class Turns:
    """As ``tracer.Turn``. ``since``: when what is handled came in."""

    def __init__(self):
        self.due = []
        self.since = 0.0

    def arrived(self):
        return self.since

    def after(self, what):
        self.due.append(what)

    def end(self):
        due, self.due = self.due, []
        for what in due:
            what()


class Traced:
    def __init__(self, *, rate=1.0, tells=False, records=True, **given):
        self.world = World(**given)
        self.turns = Turns()
        self.spans = []
        tracer = RealmTracer("radio", self.turns, self if records else None, rate=rate, tells=tells)
        self.world.realm.publications.tracer = tracer
        self.world.realm.dealer.tally.tracer = tracer
        self.alice = self.world.join()
        self.requests = 0

    def add(self, span):
        assert span.begun <= span.ended
        self.spans.append(span)

    def publish(self, topic="a", traceparent=PARENT, **options):
        self.requests += 1
        given = {"_radiod_traceparent": traceparent, **options}
        self.alice.send(16, self.requests, given, topic, ["x"])

    def call(self, procedure="p", traceparent=PARENT, **options):
        self.requests += 1
        self.alice.send(48, self.requests, {"_radiod_traceparent": traceparent, **options}, procedure)
        return self.requests

    def take(self):
        self.turns.end()
        spans, self.spans = self.spans, []
        return spans


def test_a_publish_is_two_spans_one_the_others_parent():
    traced = Traced()
    for _ in range(3):
        traced.world.listener("a")
    traced.publish()
    publish, fan_out = traced.take()
    assert (publish.name, publish.kind, publish.trace, publish.parent) == ("publish", SERVER, TRACE, SPAN)
    assert (fan_out.name, fan_out.kind, fan_out.trace) == ("fan-out", PRODUCER, TRACE)
    assert fan_out.parent == publish.id
    assert publish.begun <= fan_out.begun <= fan_out.ended
    assert publish.attributes["messaging.destination.name"] == "a"
    assert publish.attributes["radiod.via"] == "wamp"
    assert publish.attributes["messaging.message.body.size"] == len(b'["x"]')
    assert fan_out.attributes["radiod.readers"] == 3
    assert publish.attributes["messaging.message.id"] == fan_out.attributes["messaging.message.id"]
    assert publish.error == fan_out.error == ""


def test_it_begins_when_its_bytes_came_in():
    traced = Traced()
    traced.turns.since = time.monotonic() - 5
    traced.publish()
    publish, fan_out = traced.take()
    assert 4.9e9 < fan_out.begun - publish.begun < 60e9


def test_a_fan_out_ends_with_its_turn():
    traced = Traced()
    traced.publish()
    assert [span.name for span in traced.spans] == ["publish"]
    traced.turns.end()
    assert [span.name for span in traced.spans] == ["publish", "fan-out"]


@pytest.mark.parametrize("parent", ["", "00-0-0-01", 7, UNSAMPLED, ["x"]])
def test_others_are_published_all_the_same(parent):
    traced = Traced()
    listener = traced.world.listener("a")
    traced.publish(traceparent=parent)
    assert traced.take() == []
    assert [message[0] for message in listener.received()] == [36]


@pytest.mark.parametrize(("rate", "count"), [(1.0, 100), (0.5, 50), (0.0, 0)])
def test_a_rate_takes_the_same_traces_everywhere(rate, count):
    traced = Traced(rate=rate)
    for number in range(100):
        traced.publish(traceparent=f"00-{'f' * 18}{((number << 56) + (1 << 55)) // 100:014x}-{SPAN}-01")
    assert len(traced.take()) == 2 * count


def test_a_refused_publish_is_one_span_with_the_reason():
    traced = Traced(limits=Limits(max_retained_topics=1))
    traced.publish("a", retain=True, **ACKNOWLEDGE)
    traced.take()
    traced.publish("b", retain=True, **ACKNOWLEDGE)
    (publish,) = traced.take()
    assert publish.error == publish.attributes["error.type"] == "radiod.error.quota"


def test_a_private_channels_name_is_never_told():
    traced = Traced()
    traced.alice.send(48, 1, {}, "radiod.channel.create", [], {"name": "hush", "public": False, "key": "k"})
    traced.requests = 1
    traced.publish("hush", _radiod_key="k")
    spans = traced.take()
    assert len(spans) == 2
    for span in spans:
        assert span.attributes["radiod.private"] is True
        assert "hush" not in repr(span.attributes) + span.name


class TestDetails:
    def told(self, traced, **options):
        listener = traced.world.listener("a")
        traced.publish(**options)
        (event,) = listener.received()
        return {name: value for name, value in event[3].items() if name.startswith("_trace")}

    def test_are_told_where_the_configuration_says_so(self):
        traced = Traced(tells=True)
        told = self.told(traced, _radiod_tracestate="a=1, b=2")
        _, fan_out = traced.take()
        assert told == {"_traceparent": f"00-{TRACE}-{fan_out.id}-01", "_tracestate": "a=1,b=2"}
        assert fan_out.state == "a=1,b=2"

    def test_are_not_told_otherwise(self):
        assert self.told(Traced()) == {}

    @pytest.mark.parametrize(("records", "parent"), [(False, PARENT), (True, UNSAMPLED)])
    def test_of_what_nobody_records_they_are_the_senders(self, records, parent):
        traced = Traced(tells=True, records=records)
        assert self.told(traced, traceparent=parent) == {"_traceparent": parent}
        assert traced.take() == []

    def test_of_a_refusal_that_nobody_records(self):
        traced = Traced(tells=True, records=False, limits=Limits(max_retained_topics=1))
        traced.publish("a", retain=True, **ACKNOWLEDGE)
        traced.publish("b", retain=True, **ACKNOWLEDGE)
        assert traced.alice.received()[-1][4] == "radiod.error.quota"

    def test_of_something_malformed_nothing_is_told(self):
        assert self.told(Traced(tells=True), traceparent="nonsense") == {}

    def test_are_those_of_the_event_in_its_history_too(self):
        traced = Traced(tells=True)
        bounds = HistoryBounds(size=5, seconds=60, bytes=1000)
        traced.world.realm.lifecycle.declare("a", ChannelSettings(history=bounds))
        told = self.told(traced)
        late = traced.world.join()
        late.send(32, 1, {"_radiod_after": "x:0"}, "a")
        events = [message for message in late.received() if message[0] == 36]
        assert [event[3]["_traceparent"] for event in events] == [told["_traceparent"]]


class TestCalls:
    def callee(self, traced):
        callee = traced.world.join()
        callee.ask(64, 1, {}, "p")
        return callee

    def test_are_one_span(self):
        traced = Traced()
        callee = self.callee(traced)
        traced.call()
        (invocation,) = callee.received()
        assert invocation[3] == {}
        assert traced.take() == []
        callee.send(70, invocation[1], {})
        (call,) = traced.take()
        assert (call.name, call.kind, call.trace, call.parent) == ("call", CLIENT, TRACE, SPAN)
        assert call.attributes["rpc.method"] == "p"
        assert call.error == ""

    def test_end_with_what_they_came_to(self):
        traced = Traced()
        callee = self.callee(traced)
        traced.call()
        (invocation,) = callee.received()
        callee.send(8, 68, invocation[1], {}, "com.example.no")
        (call,) = traced.take()
        assert call.error == "com.example.no"

    def test_are_refused(self):
        traced = Traced()
        traced.call("nobody.has.this")
        (call,) = traced.take()
        assert call.error == "wamp.error.no_such_procedure"

    def test_end_when_their_caller_leaves(self):
        traced = Traced()
        self.callee(traced)
        traced.call()
        traced.world.realm.leave(traced.alice.session)
        (call,) = traced.take()
        assert call.error == "left"

    @pytest.mark.parametrize("records", [True, False])
    def test_tell_their_callee(self, records):
        traced = Traced(tells=True, records=records)
        callee = self.callee(traced)
        traced.call()
        (invocation,) = callee.received()
        callee.send(70, invocation[1], {})
        spans = traced.take()
        at = spans[0].id if records else SPAN
        assert invocation[3] == {"_traceparent": f"00-{TRACE}-{at}-01"}

    @pytest.mark.parametrize("parent", ["nonsense", UNSAMPLED])
    def test_others_are_made_all_the_same(self, parent):
        traced = Traced()
        callee = self.callee(traced)
        traced.call(traceparent=parent)
        (invocation,) = callee.received()
        callee.send(70, invocation[1], {})
        assert traced.take() == []
        assert traced.alice.received()[-1][0] == 50

    def test_of_the_routers_own_procedures_nothing_is_told(self):
        traced = Traced()
        traced.call("radiod.echo")
        assert traced.take() == []
