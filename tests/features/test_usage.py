"""The ledger counts what came out, in every form in which somebody hears a channel."""

import json
from types import SimpleNamespace

import cbor2
import pytest
from support.cluster.far import Far
from support.forms import FORMS, Lost, Publisher
from support.http import Answer, post
from support.memory import Wire

KEPT = """
[realms.radio.keys.k]
key = "key"
publish = ["*"]
listen = ["*"]
call = ["radiod.admin.usage"]

[realms.radio.channels.kept]
history = { size = 100 }
"""
STORED = """
[store]
path = "usage:8080:.sqlite"
"""
"""One for each node: the port is its own."""

TOPIC = "kept"

FINE = [cbor2.dumps([number, "x" * number]) for number in (0, 1, 30, 500)]
TOO_LONG = cbor2.dumps(["x" * 5000])
NOT_JSON = b"\x81\xf7"
"""``undefined``: only CBOR has a word for it, so that it may be a loss elsewhere."""

NO_BUFFER = ("history", "get_events", "replay, poll")
"""Answers to questions: what they cannot say was lost in no buffer."""


COUNTS = ("published", "delivered", "dropped", "bytes_in", "bytes_out")


def start(world, text=""):
    """With a store where there are nodes: each tells what was used by it."""
    return world.start(KEPT + text + (STORED if world.fleet else ""))


def told(world, channel=TOPIC):
    """What was used of a channel, by whom: in memory by the ledger, of nodes as they tell it together."""
    radio = world.radio
    if not isinstance(radio, Far):
        radio.usage.ledger.settle()
        return [line for line in radio.usage.ledger.changed() if line.channel == channel]
    asked = {"channel": channel, "by": ["account", "key", "channel"]}
    wire = Wire(radio, world.reactor)
    wire.send(local(post("/call", {"procedure": "radiod.admin.usage", "kwargs": asked}, "API-KEY: key")))
    wire.settle()
    answer = Answer(wire.received())
    assert answer.status == 200, answer.body
    (used,) = answer.json["args"]
    assert used["unanswered"] == []
    return [SimpleNamespace(**row) for row in used["rows"]]


def lines(world, channel=TOPIC):
    """Sums over everybody."""
    rows = told(world, channel)
    return {name: sum(getattr(row, name) for row in rows) for name in COUNTS}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("payloads", [FINE, [FINE[1], NOT_JSON, TOO_LONG, FINE[2]]], ids=["fine", "lossy"])
def test_each_form_counts_what_it_was_given(world, name, payloads):
    router = start(world)
    form = FORMS[name](router.radio, router.reactor, TOPIC)
    publisher = Publisher(router.radio, router.reactor, "cbor")
    form.begin()
    for payload in payloads:
        assert publisher.publish(TOPIC, payload)
        form.step()
    heard = form.end()
    samples = [item for item in heard if not isinstance(item, Lost)]
    lost = sum(item.count for item in heard if isinstance(item, Lost))
    used = lines(router)
    assert used["published"] == len(payloads)
    assert used["bytes_in"] == sum(map(len, payloads))
    # Who asks for the events of a subscription has them by that, too.
    live = len(payloads) if name.startswith("get_events") else 0
    assert used["delivered"] == len(samples) + live
    if not live and len(samples) == len(payloads):
        assert used["bytes_out"] == used["bytes_in"]
    if not name.startswith(NO_BUFFER) and form.is_told and "poll" not in name:
        assert used["dropped"] == lost


@pytest.mark.parametrize("sender", ["json", "msgpack", "cbor", "http"])
def test_payload_counts_as_its_sender_wrote_it(world, sender):
    router = start(world)
    listeners = [
        FORMS[name](router.radio, router.reactor, TOPIC) for name in ("websocket, cbor", "lines of json")
    ]
    for listener in listeners:
        listener.begin()
    publisher = Publisher(router.radio, router.reactor, sender)
    args = cbor2.dumps(["ü", 1]) if sender == "cbor" else b'["\xc3\xbc",1]'
    args = b"\x92\xa2\xc3\xbc\x01" if sender == "msgpack" else args
    assert publisher.publish(TOPIC, args)
    for listener in listeners:
        assert listener.end() == [["ü", 1]]
    size = lines(router)["bytes_in"]
    assert size == len(args)
    assert lines(router)["bytes_out"] == 2 * size


def test_private_channels_are_counted_under_their_names_and_told_nowhere_else(world):
    router = start(world, '[realms.radio.channels.secret]\npublic = false\nkey = "s"\n')
    publisher = Publisher(router.radio, router.reactor, "json")
    before = router.radio.main_realm.usage.published_events
    assert publisher.publish("secret", b"[1]", _radiod_key="s")
    assert lines(router, "secret")["published"] == 1
    assert router.radio.main_realm.usage.published_events == before


def test_what_the_router_says_counts_for_its_listeners(world):
    router = start(world)
    topic = "wamp.session.on_join"
    listener = FORMS["websocket, json"](router.radio, router.reactor, topic)
    listener.begin()
    Publisher(router.radio, router.reactor, "json")
    used = lines(router, topic)
    assert (used["published"], used["delivered"]) == (0, 1)
    assert used["bytes_out"] > 0


def test_time_counts_for_sessions_streams_and_polls_that_wait(world):
    router = start(world)
    forms = [
        FORMS[name](router.radio, router.reactor, TOPIC)
        for name in ("rawsocket, json", "lines of json", "poll")
    ]
    for form in forms:
        form.begin()
    router.reactor.advance(10)
    router.radio.usage.ledger.settle_time()
    assert router.radio.usage.ledger.line(None, "").seconds == pytest.approx(30)


def local(request):
    """A request to the name that every server here has."""
    return request.replace(b"Host: x", b"Host: localhost", 1)


def test_each_item_of_an_upload_counts_and_a_repeated_answer_does_not(world):
    router = start(world)
    body = b"".join(json.dumps({"topic": TOPIC, "args": [n]}).encode() + b"\n" for n in range(5))
    wire = Wire(router.radio, router.reactor)
    wire.send(local(post("/publish", body, "API-KEY: key", "Content-Type: application/x-ndjson")))
    wire.settle()
    assert Answer(wire.received()).status == 200
    for _ in range(2):
        wire = Wire(router.radio, router.reactor)
        again = post("/publish", {"topic": TOPIC, "args": [7]}, "API-KEY: key", "Idempotency-Key: again")
        wire.send(local(again))
        wire.settle()
        assert Answer(wire.received()).status == 200
    used = lines(router)
    assert (used["published"], used["bytes_in"]) == (6, 6 * 3)
    (line,) = told(router)
    assert (line.account, line.key) == ("k", "k")
