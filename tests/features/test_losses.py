"""What serializers and forms cannot say to each other: each event arrives as it is, or as a told loss.

A table of values, of who publishes them and of how they are heard. Nothing vanishes without a word, and
nothing is made up.
"""

import json
import math
from datetime import UTC, datetime

import cbor2
import msgpack
import pytest
from support.forms import FORMS, HELLO, Lost, Publisher, ShortWire
from support.peers import SERIALIZERS, TRANSPORTS, Peer, Router
from twisted.logger import formatEvent, globalLogPublisher

from radiod.core.history.events import Damaged
from radiod.core.sessions.session import Session
from radiod.testing import make_principal
from radiod.wire import codecs

KEPT = """
[realms.radio.keys.k]
key = "key"
publish = ["*"]

[realms.radio.channels.kept]
history = { size = 100 }
"""
TOPIC = "kept"
SHORT = "4 KiB"
"""In the names of forms that take no more."""

NEVER = object()
"""There is no other word for it."""


class Value:
    """One value as each sender writes it.

    Args:
        args: sender -> bytes of the list that holds it.
        json, binary: its nearest word in JSON, and in MessagePack and CBOR; ``NEVER``: there is none.
        everywhere: whether it must reach everybody. Else it may be a told loss to those of other serializers,
            be said in its nearest word even to those of its own, or be refused to its publisher.
    """

    def __init__(self, *, everywhere=True, binary=None, json=None, **args):
        self.args = args
        self.everywhere = everywhere
        self.binary = binary
        self.json = json


def same(value):
    """A value that all can say."""
    text = json.dumps([value]).encode()
    return Value(
        json=value,
        binary=value,
        json_=text,
        http=text,
        msgpack=msgpack.packb([value]),
        cbor=cbor2.dumps([value]),
    )


BINARY = "\0AP8="
VALUES = {
    "plain": same({"a": [1, -1, 1.5, "ü\n", None, True, 2**53], "": {}}),
    "binary": Value(
        json=BINARY,
        binary=b"\0\xff",
        json_=b'["\\u0000AP8="]',
        http=b'["\\u0000AP8="]',
        msgpack=msgpack.packb([b"\0\xff"]),
        cbor=cbor2.dumps([b"\0\xff"]),
    ),
    "no number": Value(
        json=None, binary=math.nan, msgpack=msgpack.packb([math.nan]), cbor=cbor2.dumps([math.nan])
    ),
    "64 bits": Value(
        json=2**64 - 1,
        binary=2**64 - 1,
        json_=b"[18446744073709551615]",
        http=b"[18446744073709551615]",
        msgpack=msgpack.packb([2**64 - 1]),
        cbor=cbor2.dumps([2**64 - 1]),
    ),
    # From here on most other serializers have no word of their own for it.
    "undefined": Value(everywhere=False, json=None, binary=None, msgpack=b"\x91\xd4\0\0", cbor=b"\x81\xf7"),
    "extension": Value(everywhere=False, json="\0AQI=", binary=b"\1\2", msgpack=b"\x91\xd5\x05\1\2"),
    "unknown tag": Value(
        everywhere=False, json="x", binary="x", cbor=cbor2.dumps([cbor2.CBORTag(1234, "x")])
    ),
    "keys that are numbers": Value(
        everywhere=False,
        json={"1": 2},
        binary={"1": 2},
        msgpack=msgpack.packb([{1: 2}]),
        cbor=cbor2.dumps([{1: 2}]),
    ),
    "big integer": Value(everywhere=False, json=10**40, binary=1e40, cbor=cbor2.dumps([10**40])),
    "date": Value(
        everywhere=False,
        json="2026-01-02T03:04:05Z",
        binary=msgpack.Timestamp(1767323045),
        cbor=cbor2.dumps([datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)]),
    ),
    # A word for it has nobody else.
    "integer beyond every float": Value(
        everywhere=False, json=1 << 5000, binary=NEVER, cbor=cbor2.dumps([1 << 5000])
    ),
    "long": same("x" * 5000),
}
SENT_IN = {"json": "json", "http": "json", "msgpack": "msgpack", "cbor": "cbor"}
"""Who publishes -> the serializer."""

CELLS = [(name, sender.rstrip("_")) for name, value in VALUES.items() for sender in value.args]


def outcomes(name, sender, form):
    """Everything that a form may have heard of two such events: samples, or the word that they are lost."""
    value = VALUES[name]
    if name == "long" and SHORT in form:
        return [[Lost(2)]]
    serializer = FORMS[form].serializer
    own = SERIALIZERS[SENT_IN[sender]].load(written(name, sender))
    nearest = [value.json if serializer == "json" else value.binary]
    if value.everywhere:
        sample = own if serializer == SENT_IN[sender] else nearest
        return [[sample, sample]]
    # Everybody may have the nearest word; whoever speaks as the sender does must have one.
    words = [[sample, sample] for sample in (own, nearest) if sample != [NEVER]]
    return words if serializer == SENT_IN[sender] else [*words, [Lost(2)]]


def written(name, sender):
    """The list with the value, as the sender writes it."""
    args = VALUES[name].args
    return args["json_"] if sender == "json" else args[sender]


def marker(sender, letter):
    """A list with one letter."""
    return SERIALIZERS[SENT_IN[sender]].dump([letter])


@pytest.fixture
def world(world):
    return world.start(KEPT)


@pytest.mark.parametrize(("name", "sender"), CELLS, ids=["-".join(cell) for cell in CELLS])
def test_every_event_arrives_or_is_told_as_lost(world, name, sender):
    radio, reactor = world.radio, world.reactor
    forms = {form: kind(radio, reactor, TOPIC) for form, kind in FORMS.items()}
    for form in forms.values():
        form.begin()
    publisher = Publisher(radio, reactor, sender)
    args = written(name, sender)
    taken = []
    for event in (marker(sender, "a"), args, args, marker(sender, "b")):
        taken.append(publisher.publish(TOPIC, event))
        for form in forms.values():
            form.step()
    # What is refused to its publisher has not happened.
    is_refused = taken == [True, False, False, True] and not VALUES[name].everywhere
    assert is_refused or all(taken)
    wrong = {}
    lost = 0
    for form, listener in forms.items():
        heard = listener.end()
        for middle in [[]] if is_refused else outcomes(name, sender, form):
            told = middle if listener.is_told else [item for item in middle if not isinstance(item, Lost)]
            if repr(heard) == repr([["a"], *told, ["b"]]):
                # Who asks by subscription has heard of it before.
                lost += (4 if form.startswith("get_events") else 2) * (middle == [Lost(2)])
                break
        else:
            wrong[form] = heard
    assert not wrong
    assert sum(stats["undeliverable"] for stats in statistics(world)) == lost


def statistics(world):
    """``radiod.server.stats``, of each node where there are several."""
    ports = getattr(world.radio, "ports", [0])
    wires = [
        TRANSPORTS["websocket"](world.radio, world.reactor, serializer=SERIALIZERS["json"]) for _ in ports
    ]
    return [Peer(wire, HELLO).result("radiod.server.stats") for wire in wires]


# --- at the end of what there is, and beside it


class Losing(Router):
    """Clients over WebSocket in CBOR, and one of them that publishes."""

    def __init__(self, world):
        super().__init__(world, "websocket", "cbor")
        self.publisher = Publisher(self.radio, self.reactor, "cbor")

    def short(self, serializer="cbor"):
        """A client that takes 4096 bytes."""
        return self.join(serializer=serializer, kind=ShortWire)

    def publish(self, value, topic=TOPIC, **options):
        self.publisher.publish(topic, cbor2.dumps([value]), **options)


@pytest.fixture
def router(world):
    return Losing(world)


def told(events):
    return [(message[3].get("_lost"), message[4]) for message in events]


def test_a_retained_event_that_cannot_be_said_is_a_loss(router):
    router.publish("x" * 5000, topic="a.topic", retain=True)
    listener = router.short()
    listener.listen("a.topic", get_retained=True)
    router.publish(1, topic="a.topic")
    router.publish(2, topic="a.topic")
    assert told(listener.heard()) == [(1, [1]), (None, [2])]


def test_a_testament_that_cannot_be_said_is_a_loss(router):
    leaver, listener = router.join(), router.short()
    listener.listen("a.topic")
    leaver.result("wamp.session.add_testament", "a.topic", ["x" * 5000], {})
    leaver.hang_up()
    router.publish(1, topic="a.topic")
    assert told(listener.heard()) == [(1, [1])]


def test_losses_are_told_to_each_subscription_and_by_pattern_too(router):
    listener = router.short()
    ids = [listener.listen("a.topic"), listener.listen("a.", match="prefix")]
    for value in ("x" * 5000, 1):
        router.publish(value, topic="a.topic")
    assert [(event[1], event[3]["_lost"]) for event in listener.heard()] == [(id, 1) for id in ids]


def test_a_loss_before_one_that_cannot_be_said_counts_too(router):
    listener = router.short()
    listener.listen(TOPIC, _radiod_buffer={"size": 1, "policy": "skip"})
    listener.wire.transport.producer.pauseProducing()
    for value in ("x" * 5000, 1, 2):
        router.publish(value)
    listener.wire.transport.producer.resumeProducing()
    listener.wire.settle()
    assert listener.heard() == []
    router.publish(3)
    assert told(listener.heard()) == [(3, [3])]


def test_statistics_tell_what_could_not_be_said(router):
    listener, other = router.short(), router.join()
    for one in (listener, other):
        one.listen(TOPIC)
    router.publish("x" * 5000)
    other.heard()
    stats = statistics(router.world)
    assert [sum(one[name] for one in stats) for name in ("undeliverable", "overtaken")] == [1, 0]


def test_statistics_of_a_channel_tell_to_whom(router):
    listener, other = router.short(), router.join()
    for one in (listener, other):
        one.listen(TOPIC)
    router.publish("x" * 5000)
    other.heard()
    assert other.result("radiod.server.stats")["delivered"] == 1
    other.result("radiod.channel.open_write", TOPIC)
    stats = other.result("radiod.channel.stats", TOPIC)
    assert stats["lost"] == 1
    assert stats["listeners"][0] == {"session": listener.session, "queued": 0, "lost": 1}


def test_the_log_says_what_was_not_told_and_why(router):
    lines = []
    globalLogPublisher.addObserver(lines.append)
    listener, another = router.short(), router.short()
    for one in (listener, another):
        one.listen(TOPIC)
    router.publish("x" * 5000)
    globalLogPublisher.removeObserver(lines.append)
    (line,) = [formatEvent(line) for line in lines if "cannot be told" in line["log_format"]]
    assert line == (
        f"an event on {TOPIC} cannot be told to {listener.welcome['authid']} at tcp:127.0.0.1:40000: "
        "it takes 4100 bytes at most"
    )


# --- forms over HTTP. What JSON cannot say is told there as what a damaged store cannot.


def damaged(router, count=1):
    """Events that nobody can be told, in the history of ``TOPIC``; and live, where somebody listens."""
    realm = router.radio.main_realm
    session = Session(0, make_principal(), None)
    for _ in range(count):
        realm.gateway.publish(session, TOPIC, Damaged(codecs.JSON, b"", b""))
    router.reactor.advance(0)


def form(router, name):
    listener = FORMS[name](router.radio, router.reactor, TOPIC)
    listener.begin()
    return listener


def position(router, seq):
    return f"{router.radio.main_realm.space.histories.find(TOPIC).epoch}:{seq}"


def text(stream):
    """What came since the last look, of a stream."""
    stream.wire.settle()
    return stream.wire.received().decode()


def test_an_event_stream_tells_a_loss_at_once_and_from_where_to_go_on(router):
    stream = form(router, "server-sent events")
    damaged(router, 2)
    assert f"id: {position(router, 2)}\nevent: lost\ndata: 2\n\n" in text(stream)
    router.publish(1)
    assert "lost" not in text(stream)


def test_lines_of_json_tell_a_loss_with_the_next_record_or_with_the_heartbeat(router):
    stream = form(router, "lines of json")
    damaged(router)
    assert text(stream) == ""
    router.publish(1)
    assert f'{{"position":"{position(router, 2)}","data":1,"lost":1}}' in text(stream)
    damaged(router)
    router.reactor.advance(15.1)
    assert f'{{"position":"{position(router, 3)}","lost":1}}\n\n' in text(stream)
    router.publish(2)
    assert "lost" not in text(stream)


def test_an_event_stream_that_was_stalled_tells_what_was_lost_last_with_the_heartbeat(router):
    listener = FORMS["server-sent events"](router.radio, router.reactor, TOPIC)
    listener.query = "?max_bytes=10"
    listener.begin()
    listener.wire.transport.producer.pauseProducing()
    router.publish("longer than ten bytes")
    router.reactor.advance(15.1)
    assert text(listener) == ""
    listener.wire.transport.producer.resumeProducing()
    router.reactor.advance(15.1)
    assert "event: lost\ndata: 1\n\n" in text(listener)


def test_a_replay_that_ends_with_what_cannot_be_said_tells_so(router):
    listener = form(router, "replay, server-sent events")
    router.publish(1)
    damaged(router)
    assert listener.end() == [[1], Lost(1)]


def poll(router, query):
    """Status, headers of radiod's own, samples."""
    wire = FORMS["poll"](router.radio, router.reactor, TOPIC).get(query)
    return lambda: answer(wire)


def answer(wire):
    wire.settle()
    head, _, body = wire.received().decode().partition("\r\n\r\n")
    lines = dict(line.split(": ", 1) for line in head.split("\r\n")[1:])
    own = {name[9:]: value for name, value in lines.items() if name.startswith("X-Radiod-")}
    return int(head.split()[1]), own, json.loads(body or "[]")


def test_a_poll_of_nothing_but_losses_is_answered_with_their_number(router):
    damaged(router, 3)
    expected = 204, {"Position": position(router, 3), "Recovered": "false", "Lost": "3"}, []
    assert poll(router, f"?after={position(router, 0)}")() == expected
    live = poll(router, f"?after={position(router, 3)}")
    damaged(router)
    assert live() == (204, {"Position": position(router, 4), "Recovered": "false", "Lost": "1"}, [])


def test_a_poll_tells_losses_behind_its_samples_too(router):
    damaged(router)
    router.publish(1)
    damaged(router)
    status, headers, samples = poll(router, f"?after={position(router, 0)}")()
    assert (status, headers) == (
        200,
        {"Position": position(router, 3), "Recovered": "false", "Lost": "2"},
    )
    assert samples == [{"position": position(router, 2), "data": 1, "lost": 1}]


def test_a_live_poll_tells_losses_of_its_turn(router):
    live = poll(router, "")
    realm, session = router.radio.main_realm, Session(0, make_principal(), None)
    for payload in (Damaged(codecs.JSON, b"", b""), codecs.Payload.of(1), Damaged(codecs.JSON, b"", b"")):
        realm.gateway.publish(session, TOPIC, payload)
    assert live() == (
        200,
        {"Position": position(router, 3), "Recovered": "false", "Lost": "2"},
        [{"position": position(router, 2), "data": 1, "lost": 1}],
    )


def test_opaque_payloads_reach_plain_listeners_as_they_are(router):
    forms = [form(router, name) for name in ("plain websocket", "server-sent events", "lines of json")]
    live = poll(router, "")
    router.publisher.publish(TOPIC, cbor2.dumps("opaque"), enc_algo="x")
    assert [listener.end() for listener in forms] == [["opaque"]] * 3
    stands = FORMS["poll"](router.radio, router.reactor, TOPIC).stands()
    assert live()[2] == [{"position": stands, "data": {"args": "opaque", "kwargs": {}}}]


# --- calls


def test_a_result_that_cannot_be_said_to_the_caller_is_an_error(router):
    callee, caller = router.join(), router.short()
    callee.serve("a.procedure")
    call = caller.call("a.procedure")
    callee.answer(callee.invoked(), ["x" * 5000])
    assert caller.hears()[:5] == [8, 48, call, {}, "wamp.error.payload_size_exceeded"]


def test_a_progressive_result_that_cannot_be_said_ends_the_call_for_both(router):
    callee, caller = router.join(), router.short()
    callee.serve("a.procedure")
    call = caller.call("a.procedure", receive_progress=True)
    invocation = callee.invoked()
    callee.answer(invocation, [1], progress=True)
    assert caller.hears()[:2] == [50, call]
    callee.answer(invocation, ["x" * 5000], progress=True)
    assert caller.heard()[-1][:5] == [8, 48, call, {}, "wamp.error.payload_size_exceeded"]
    assert callee.hears()[:2] == [69, invocation]


def test_an_invocation_that_cannot_be_said_to_the_callee_is_an_error_to_the_caller(router):
    callee, caller = router.short(), router.join()
    callee.serve("a.procedure")
    call = caller.call("a.procedure", ["x" * 5000])
    assert caller.hears()[:5] == [8, 48, call, {}, "wamp.error.payload_size_exceeded"]
    assert callee.heard() == []


def test_an_error_whose_payload_cannot_be_said_tells_why_in_its_place(router):
    callee, caller = router.join(), router.short()
    callee.serve("a.procedure")
    call = caller.call("a.procedure")
    callee.fail(callee.invoked(), "an.error", ["x" * 5000], {"k": 1}, enc_algo="x")
    assert caller.hears() == [
        *[8, 48, call, {}, "an.error"],
        ["what came with this error cannot be told: the receiver takes 4100 bytes at most"],
    ]
    assert caller.result("radiod.echo", 1) == 1


def test_an_answer_of_the_router_that_is_too_long_is_an_error(router):
    caller = router.short()
    router.publish("x" * 5000)
    assert caller.refusal("radiod.channel.history", TOPIC) == "wamp.error.payload_size_exceeded"
