"""``/openapi.json`` says what each route answers: all of it, and nothing else."""

import json
from functools import partial

import pytest
from openapi_spec_validator import validate
from support import http
from support.access import end, issued_key, refuse
from support.http import Answer
from support.memory import DoorWire
from support.openapi import CONFIG, DOCUMENT, OPERATIONS, answers, check
from support.signing import signed_query

from radiod import __version__
from radiod.core.allowances import Allowances
from radiod.core.budgets.guesses import FREE, MAX_WAITING
from radiod.core.plans import Plan
from radiod.core.promises import Promise
from radiod.errors import STORE_UNAVAILABLE, Refused
from radiod.web.openapi import EVERYWHERE

UNDECIDED = """
[realms.radio]
anonymous = "guest"

[realms.radio.roles.guest]
authorizer = "com.example.authorize"
"""
KEY = "API-KEY: sample-key"
GOOD = {"network": "sample_net", "data": {"speed": 1}}
TOPIC = {"topic": "sample_net", "args": [1]}
JSON = "application/json"
ROWS = {}


def row(operation, status, media_type=JSON):
    """Remember what brings this answer about: ``of(world)``, or several in a list."""

    def remember(of):
        ROWS.setdefault((operation, status, media_type), []).append(of)
        return of

    return remember


def rows(operation, status, *requests, media_type=JSON):
    """The same for plain requests."""
    for one in requests:
        row(operation, status, media_type)(lambda world, one=one: ask(world, one))


def ask(world, request):
    return Answer(world.ask(request).received())


# --- publish

LINES = "Content-Type: application/x-ndjson"
ND_JSON = "application/x-ndjson"
EVENTS = "text/event-stream"
ITEMS = [GOOD, TOPIC, {"network": "not yours", "data": {}}, 3]
MINIMAL = "Prefer: return=minimal"
ONCE = "Idempotency-Key: once"


def sending(method, path):
    """Makes requests that send a body: JSON, or bytes."""

    def send(body, *lines):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return http.request(method, path, *lines, body=data)

    return send


def signed(method, path):
    """Asks with a signature that is wrong."""

    def send(world):
        body = json.dumps(GOOD).encode()
        return ask(world, sending(method, f"{path}?{signed_query(body, key='sample')}")(body))

    return send


for operation, method, path in (
    ("publish", "POST", "/publish"),
    ("publishByPut", "PUT", "/publish"),
    ("publishAlias", "POST", "/api/publish"),
    ("publishAliasByPut", "PUT", "/api/publish"),
):
    send = sending(method, path)
    uploaded = b"\n".join(json.dumps(one).encode() for one in ITEMS)

    rows(operation, 200, send(GOOD, KEY), send(TOPIC, KEY), send({"topic": "not yours"}, KEY))
    rows(operation, 200, send(ITEMS, KEY), send(ITEMS, KEY, MINIMAL), send(ITEMS, KEY, ONCE))
    rows(operation, 200, send(uploaded, KEY, LINES), send(uploaded, KEY, LINES, MINIMAL), media_type=ND_JSON)
    rows(operation, 400, send(GOOD), send(GOOD, "API-KEY: wrong"), send(b"nonsense", KEY), send({}, KEY))
    rows(operation, 400, send({"topic": 3}, KEY), send({"topic": "a", "args": 3}, KEY), send([], KEY))
    rows(operation, 400, send(GOOD, KEY, 'Idempotency-Key: "'), send(uploaded, KEY, LINES, ONCE))
    row(operation, 401)(signed(method, path))
    rows(operation, 403, send({"network": "secret_net", "data": {}}, KEY))
    rows(operation, 403, send(GOOD, KEY, "Channel-Key: wrong"))

    @row(operation, 200)
    def again(world, send=send):
        answers = [ask(world, send(GOOD, KEY, ONCE)) for _ in range(2)]
        assert answers[1].headers["Idempotency-Replayed"] == "true"
        return answers

    @row(operation, 404)
    def no_such_channel(world, send=send):
        world.start("realms.radio.undeclared_topics = false")
        return ask(world, send({"network": "other", "data": {}}, KEY))

    @row(operation, 409)
    def still_running(world, send=send):
        hold(world, "wait")
        ask(world, send(GOOD, KEY))
        return [ask(world, send(GOOD, KEY, ONCE)) for _ in range(2)][1]

    @row(operation, 410)
    def closed_to_publishers(world, send=send):
        ended(world, "other")
        return ask(world, send({"network": "other", "data": {}}, KEY))

    @row(operation, 422)
    def another_body(world, send=send):
        return [ask(world, send(body, KEY, ONCE)) for body in (GOOD, TOPIC)][1]

    @row(operation, 503)
    def no_room(world, send=send):
        hold(world, "raise")
        ask(world, send(GOOD, KEY))
        return [ask(world, send(GOOD, KEY)), ask(world, send(TOPIC, KEY))]

    @row(operation, 429)
    def too_many_guesses(world, send=send):
        crowd(world)
        return ask(world, send(GOOD, KEY))

    @row(operation, 429)
    def over_the_plan(world, send=send):
        limit(world, publish_day=1)
        ask(world, send(GOOD, KEY))
        answers = [ask(world, send(body, KEY)) for body in (GOOD, TOPIC)]
        assert all('"publish_day";r=0' in answer.headers["RateLimit"] for answer in answers)
        return answers


def hold(world, policy):
    """A listener that has room for one event, and does not read."""
    listener = world.join()
    listener.ask([32, 1, {"_radiod_buffer": {"policy": policy, "size": 1}}, "sample_net"])
    listener.transport.producer.pauseProducing()


def ended(world, channel):
    owner = world.join()
    owner.ask([48, 1, {}, "radiod.channel.create", [channel], {"lifetime": 0.25}])
    world.reactor.advance(0.25)


def limit(world, **limits):
    """Give the key's account a plan."""
    account = world.radio.keys.by_id("sample").holder.account
    account.allowances = Allowances(Plan(**limits), world.radio.clock)


def crowd(world):
    """Many wrong keys, and all who may wait for their turn do."""
    for _ in range(FREE):
        ask(world, http.post("/publish", GOOD, "API-KEY: wrong"))
    for _ in range(MAX_WAITING):
        world.radio.fan_out.guesses.turn("127.0.0.1")


# --- call

COUNT = {"procedure": "wamp.session.count"}

for operation, method in (("call", "POST"), ("callByPut", "PUT")):
    send = sending(method, "/call")

    rows(
        operation, 200, send(COUNT, KEY), send({"procedure": "p"}, KEY), send({"procedure": "not yours"}, KEY)
    )
    rows(operation, 400, send(COUNT), send(b"nonsense", KEY), send(COUNT, KEY, 'Idempotency-Key: "'))
    row(operation, 401)(signed(method, "/call"))

    for kind in (ND_JSON, EVENTS):

        @row(operation, 200, kind)
        def progressive(world, send=send, kind=kind):
            callee, invocation, wire = invoked(world, send({"procedure": "p"}, KEY, f"Accept: {kind}"))
            callee.say([70, invocation, {"progress": True}, [1]], [70, invocation, {}, [2], {"a": 3}])
            wire.settle()
            answer = Answer(wire.received())
            assert b"progress" in answer.body
            return answer

    @row(operation, 409)
    def still_called(world, send=send):
        invoked(world, send({"procedure": "p"}, KEY, ONCE))
        return ask(world, send({"procedure": "p"}, KEY, ONCE))

    @row(operation, 422)
    def another_call(world, send=send):
        return [ask(world, send(body, KEY, ONCE)) for body in (COUNT, {"procedure": "p"})][1]

    @row(operation, 503)
    def not_stored(world, send=send):
        disk = world.realm.lifecycle.store = Disk()
        options = {"durable": True, "lifetime": 60}
        created = world.join().ask([48, 1, {}, "radiod.channel.create", ["other"], options])
        disk.is_full = True
        kwargs = {"lifetime": 90, "control_key": created[3][0]["control_key"]}
        return ask(
            world, send({"procedure": "radiod.channel.extend", "args": ["other"], "kwargs": kwargs}, KEY)
        )

    @row(operation, 429)
    def too_many_callers(world, send=send):
        crowd(world)
        return ask(world, send(COUNT, KEY))

    @row(operation, 429)
    def more_than_the_plan(world, send=send):
        limit(world, call_rate=0.001)
        ask(world, send(COUNT, KEY))
        return ask(world, send(COUNT, KEY))


class Disk:
    """A store of channels, as ``core.channels.settings.ChannelStore`` has it."""

    is_full = False

    def save(self, channel, done):
        done(Refused(STORE_UNAVAILABLE, "it could not be stored") if self.is_full else None)

    def forget(self, topic):
        """There is nothing."""


CALLEE = [1, "radio", {"roles": {"callee": {"features": {"progressive_call_results": True}}}}]


def invoked(world, request):
    """A callee, the invocation that a request brought it, and the request's connection."""
    callee = world.join(hello=CALLEE)
    callee.ask([64, None, {}, "p"])
    wire = world.ask(request)
    ((_, invocation, *_),) = callee.heard()
    return callee, invocation, wire


# --- tokens

ISSUE = {"listen": ["sample_net"], "ttl": 60}
rows("issueToken", 200, http.post("/tokens", ISSUE, KEY), http.post("/tokens", {"listen": ["a.*"]}, KEY))
rows("issueToken", 400, http.post("/tokens", ISSUE), http.post("/tokens", {}, KEY))
rows("issueToken", 403, http.post("/tokens", ISSUE, "API-KEY: e30.e30.e30"))
row("issueToken", 401)(signed("POST", "/tokens"))


@row("issueToken", 429)
def too_many_who_ask(world):
    crowd(world)
    return ask(world, http.post("/tokens", ISSUE, KEY))


# --- the account

BROWSER = "Accept: text/html,application/xhtml+xml"
MONTH = "/account/usage.csv?month=2026-11"
SELLER = """
[plans.basic]
self_rotate = true

[accounts.acme]
plan = "basic"
"""

rows("readAccount", 200, http.get("/account", KEY), http.get("/account", KEY, BROWSER))
rows("readAccount", 200, http.get("/account", BROWSER), media_type="text/html")
rows("readUsage", 200, http.get(MONTH, KEY), media_type="text/csv")
rows("readUsage", 400, http.get("/account/usage.csv", KEY), http.get(MONTH + "x", KEY))
rows("rotateKey", 400, http.post("/account/rotate", {"overlap": "x"}, KEY))
rows("rotateKey", 403, http.post("/account/rotate", {}, KEY))


@row("rotateKey", 200)
def rotated(world):
    world.start(SELLER)
    key = issued_key(world, "acme")["key"]
    return ask(world, http.post("/account/rotate", {"overlap": 0}, f"API-KEY: {key}"))


for operation, method, path in (
    ("readAccount", "GET", "/account"),
    ("readUsage", "GET", MONTH),
    ("rotateKey", "POST", "/account/rotate"),
):
    send = partial(http.request, method, path)
    rows(operation, 400, send(), send("API-KEY: wrong"))
    rows(operation, 403, send("API-KEY: e30.e30.e30"))

    @row(operation, 401)
    def wrongly_signed(world, method=method, path=path):
        query = signed_query(b"", key="sample")
        mark = "&" if "?" in path else "?"
        return ask(world, http.request(method, f"{path}{mark}{query}"))

    @row(operation, 429)
    def too_many_at_the_account(world, send=send):
        crowd(world)
        return ask(world, send(KEY))

    @row(operation, 503)
    def no_store(world, send=send):
        world.start(SELLER)
        key = issued_key(world, "acme")["key"]
        broken = Refused(STORE_UNAVAILABLE, "the store cannot be read now")
        late = Promise()
        late.settle(broken)
        world.radio.access.desk.store = world.radio.usage = Broken(late)
        world.radio.statements._source = Broken(late)
        return ask(world, send(f"API-KEY: {key}"))


class Broken:
    """A store, and a ledger, that fail."""

    def __init__(self, late):
        self.change = self.usage = lambda *asked: late
        self.used = lambda secrets: None


# --- access that has ended, or ends

for operation, method, path, body in (
    ("publish", "POST", "/publish", TOPIC),
    ("publishAlias", "POST", "/api/publish", TOPIC),
    ("call", "POST", "/call", COUNT),
    ("callByPut", "PUT", "/call", COUNT),
    ("issueToken", "POST", "/tokens", ISSUE),
    ("readAccount", "GET", "/account", None),
    ("readUsage", "GET", MONTH, None),
    ("rotateKey", "POST", "/account/rotate", {}),
    ("listen", "GET", "/listen/sample_net?wait=0", None),
    ("listenToSeveral", "GET", "/listen?channel=sample_net&wait=0", None),
):

    @row(operation, 403)
    def revoked(world, method=method, path=path, body=body):
        refuse(world, "revoked")
        plain = b"" if body is None else json.dumps(body).encode()
        answers = [ask(world, http.request(method, path, KEY, body=plain))]
        if body is not None and "signing" in CONFIG:
            query = signed_query(plain, key="sample", secret="sample-signing")
            answers.append(ask(world, http.request(method, f"{path}?{query}", body=plain)))
        assert [answer.json["reason"] for answer in answers] == ["revoked"] * len(answers)
        return answers


@row("publish", 400)
def revoked_in_the_articles_dialect(world):
    refuse(world, "revoked")
    return ask(world, http.post("/publish", GOOD, KEY))


for operation, path in (("listen", "/listen/other_net"), ("listenToSeveral", "/listen?channel=other_net")):
    for kind in (ND_JSON, EVENTS):

        @row(operation, 200, kind)
        def ends(world, path=path, kind=kind):
            wire = world.ask(http.get(path, KEY, f"Accept: {kind}"))
            end(world)
            answer = Answer(wire.received())
            assert b"revoked" in answer.body
            return answer


@row("call", 200, ND_JSON)
def a_call_ends(world):
    _, _, wire = invoked(world, http.post("/call", {"procedure": "p"}, KEY, f"Accept: {ND_JSON}"))
    end(world)
    return Answer(wire.received())


# --- Centrifugo

for operation, (_, path, _) in OPERATIONS.items():
    if not operation.startswith("centrifugo"):
        continue
    content = OPERATIONS[operation][2]["requestBody"]["content"]["application/json"]

    @row(operation, 200)
    def done(world, path=path, example=content["example"]):
        world.join().ask([32, 1, {}, "other_net"])
        publish_some(world)
        answer = ask(world, http.post(path, example, "X-API-Key: sample-key"))
        assert "error" not in answer.json
        return answer

    rows(operation, 200, http.post(path, b"nonsense", "Authorization: apikey sample-key"))
    rows(operation, 401, http.post(path, content["example"]), http.post(path, {}, "X-API-Key: wrong"))

    @row(operation, 429)
    def too_many_wrong(world, path=path):
        crowd(world)
        return ask(world, http.post(path, {}, "X-API-Key: sample-key"))


SAMPLE = {"channel": "other_net", "data": {"n": 1}}
rows("publishAlias", 200, http.post("/api/publish", SAMPLE, "X-API-Key: sample-key"))
rows("publishAlias", 200, http.post("/api/publish", {"channel": "x", "data": 1}, "X-API-Key: sample-key"))
rows("publishAlias", 401, http.post("/api/publish", SAMPLE, "X-API-Key: wrong"))

# --- listen

rows("listen", 204, http.get("/listen/sample_net?wait=0"), media_type="")
rows("listen", 400, http.get("/listen/sample_net?last=0"), http.get("/listen/sample_net?last=1&after=a:1"))
rows(
    "listen",
    400,
    http.get("/listen/a%20b"),
    http.get("/listen/wamp.session.on_join"),
    http.get("/listen/%FF"),
)
rows("listen", 403, http.get("/listen/sample_net", "API-KEY: wrong"), http.get("/listen/forbidden"))


@row("listen", 200)
def polled(world):
    publish_some(world)
    return [ask(world, http.get(f"/listen/other_net?{query}")) for query in ("last=2", "after=gone:1")]


@row("listen", 200)
def polled_at_last(world):
    wire = world.ask(http.get("/listen/sample_net"))
    ask(world, http.post("/publish", GOOD, KEY))
    wire.settle()
    return Answer(wire.received())


@row("listen", 200, "application/x-ndjson")
def lines(world):
    return streamed(world, "application/x-ndjson")


@row("listen", 200, "text/event-stream")
def events(world):
    return streamed(world, "text/event-stream")


@row("listen", 404)
def nothing_to_listen_to(world):
    world.start("realms.radio.undeclared_topics = false")
    return ask(world, http.get("/listen/other?wait=0"))


@row("listen", 410)
def closed_to_listeners(world):
    ended(world, "other")
    return ask(world, http.get("/listen/other?wait=0"))


@row("listen", 429)
def too_many_polls(world):
    world.start(CONFIG, max_connections=20)
    wires = [world.ask(http.get("/listen/other_net")) for _ in range(20)]
    return Answer(wires[-1].received())


@row("listen", 429)
def more_than_the_plan_has(world):
    limit(world, connections=0)
    return ask(world, http.get("/listen/other_net?wait=0", KEY))


@row("listen", 503)
def nobody_decides(world):
    world.start(UNDECIDED, base="")
    return ask(world, http.get("/listen/undecided?wait=0"))


def publish_some(world):
    for number in range(3):
        body = {"network": "other_net", "data": {"n": number}}
        assert ask(world, http.post("/publish", body, KEY)).status == 200


def streamed(world, media_type):
    publish_some(world)
    wire = world.ask(http.get("/listen/other_net?after=gone:1", f"Accept: {media_type}"))
    wire.settle()
    return Answer(wire.received())


# --- listen to several

BOTH = "/listen?channel=sample_net&channel=other_net"

rows(
    "listenToSeveral", 204, http.get(f"{BOTH}&wait=0"), http.get("/listen?channel=x.*&wait=0"), media_type=""
)
rows(
    "listenToSeveral",
    400,
    http.get("/listen"),
    http.get("/listen?channel="),
    http.get("/listen?channel=a%20b"),
)
rows("listenToSeveral", 400, http.get(f"{BOTH}&after=a:1"), http.get(f"{BOTH}&last=1&after=c1"))
rows("listenToSeveral", 403, http.get(f"{BOTH}&channel=forbidden"), http.get(BOTH, "API-KEY: wrong"))


@row("listenToSeveral", 200)
def polled_several(world):
    publish_some(world)
    return ask(world, http.get(f"{BOTH}&last=2"))


@row("listenToSeveral", 200, ND_JSON)
def lines_of_several(world):
    return streamed_several(world, ND_JSON)


@row("listenToSeveral", 200, EVENTS)
def events_of_several(world):
    return streamed_several(world, EVENTS)


def streamed_several(world, kind):
    owner = world.join()
    owner.ask([48, 1, {}, "radiod.channel.create", ["other"], {"lifetime": 5}])
    publish_some(world)
    wire = world.ask(http.get(f"{BOTH}&channel=other&last=2", f"Accept: {kind}"))
    world.wait(5)
    answer = Answer(wire.received())
    assert b"closed" in answer.body
    return answer


@row("listenToSeveral", 404)
def one_is_unknown(world):
    world.start("realms.radio.undeclared_topics = false")
    return ask(world, http.get("/listen?channel=sample_net&channel=other&wait=0"))


@row("listenToSeveral", 410)
def one_has_ended(world):
    ended(world, "other")
    return ask(world, http.get(f"{BOTH}&channel=other&wait=0"))


@row("listenToSeveral", 429)
def too_many_polls_of_several(world):
    world.start(CONFIG, max_connections=20)
    return Answer([world.ask(http.get(BOTH)) for _ in range(20)][-1].received())


@row("listenToSeveral", 503)
def nobody_decides_on_several(world):
    world.start(UNDECIDED, base="")
    return ask(world, http.get(f"{BOTH}&wait=0"))


# --- channels

rows("channels", 200, http.get("/channels"), http.get("/channels?prefix=sample&limit=1&after=a"))
rows("channels", 400, http.get("/channels?limit=0"), http.get("/channels?limit=x"))
rows("channel", 200, http.get("/channels/sample_net"), http.get("/channels/other_net"))
rows("channel", 400, http.get("/channels/%FF"))
rows("channel", 404, http.get("/channels/unknown"), http.get("/channels/a%20b"))

# --- WAMP

OPEN = http.post("/lp/open", {"protocols": ["wamp.2.json"]})
HELLO = [1, "radio", {"roles": {"caller": {}}}]
NO_TRANSPORT = f"/lp/{'0' * 32}"

rows("openLongPoll", 200, OPEN, http.post("/lp/open", {"protocols": ["x", "wamp.2.cbor.batched"]}))
rows("openLongPoll", 400, http.post("/lp/open", b"nonsense"), http.post("/lp/open", {"protocols": ["x"]}))
rows("receiveLongPoll", 404, http.post(f"{NO_TRANSPORT}/receive", b""))
rows("sendLongPoll", 404, http.post(f"{NO_TRANSPORT}/send", HELLO))
rows("closeLongPoll", 404, http.post(f"{NO_TRANSPORT}/close", b""))
rows("webSocket", 426, http.get("/ws"))


def opened(world, protocol="wamp.2.json"):
    return "/lp/" + ask(world, http.post("/lp/open", {"protocols": [protocol]})).json["transport"]


@row("openLongPoll", 429)
def too_many_transports(world):
    world.start(max_connections=20)
    return [ask(world, OPEN) for _ in range(20)][-1]


@row("receiveLongPoll", 200)
def received(world):
    base = opened(world)
    ask(world, http.post(f"{base}/send", HELLO))
    return ask(world, http.post(f"{base}/receive", b""))


@row("receiveLongPoll", 200, "application/octet-stream")
def received_binary(world):
    base = opened(world, "wamp.2.cbor")
    # [1, "radio", {"roles": {"caller": {}}}]
    hello = b"\x83\x01\x65radio\xa1\x65roles\xa1\x66caller\xa0"
    ask(world, http.post(f"{base}/send", hello))
    return ask(world, http.post(f"{base}/receive", b""))


@row("receiveLongPoll", 200, "application/octet-stream")
def received_a_batch(world):
    """Each message is JSON, and all of them with their separators are none."""
    base = opened(world, "wamp.2.json.batched")
    ask(world, http.post(f"{base}/send", json.dumps(HELLO).encode() + b"\x1e"))
    return ask(world, http.post(f"{base}/receive", b""))


@row("receiveLongPoll", 204, "")
def received_nothing(world):
    wire = world.ask(http.post(f"{opened(world)}/receive", b""))
    world.wait(10)
    return Answer(wire.received())


@row("receiveLongPoll", 409)
def received_by_another(world):
    base = opened(world)
    wires = [world.ask(http.post(f"{base}/receive", b"")) for _ in range(2)]
    return Answer(wires[0].received())


@row("sendLongPoll", 204, "")
def sent(world):
    return ask(world, http.post(f"{opened(world)}/send", HELLO))


@row("sendLongPoll", 400)
def sent_nonsense(world):
    return ask(world, http.post(f"{opened(world)}/send", b"nonsense"))


@row("sendLongPoll", 429)
def sent_too_much(world):
    base = opened(world)
    ask(world, http.post(f"{base}/send", HELLO))
    wires = [
        world.ask(http.post(f"{base}/send", [48, number, {}, "radiod.echo", ["x" * 70_000]]))
        for number in range(1, 100)
    ]
    answers = [Answer(wire.received()) for wire in wires]
    return [answer for answer in answers if answer.status not in (0, 204)]


@row("closeLongPoll", 204, "")
def shut(world):
    return ask(world, http.post(f"{opened(world)}/close", b""))


# --- the server

rows("health", 200, http.get("/healthz"))
rows("openapi", 200, http.get("/openapi.json"))
rows("ready", 503, http.get("/readyz"))
rows("metrics", 200, http.get("/metrics", KEY), media_type="text/plain")
rows("metrics", 404, http.get("/metrics"), http.get("/metrics", "API-KEY: wrong"))


@row("ready", 200)
def started(world):
    world.radio.readiness.is_restored = True
    return ask(world, http.get("/readyz"))


rows("page", 200, http.get("/"), media_type="text/html")
rows("adminPage", 404, http.get("/admin"))


@row("adminPage", 200, "text/html")
def for_operators(world):
    world.start('[[listen]]\nendpoint = "tcp:0"\nserve = ["radio", "admin"]')
    wire = world.connect(DoorWire)
    wire.send(http.get("/admin"))
    return Answer(wire.received())


rows("pageFile", 200, http.get("/static/main.js"), media_type="text/javascript")
rows("pageFile", 200, http.get("/static/style.css"), media_type="text/css")
rows("pageFile", 200, http.get("/static/radiod.svg"), media_type="image/svg+xml")
rows("pageFile", 404, http.get("/static/none.js"))


# --- everywhere

FILLED = {"channel": "sample_net", "transport": "0" * 32, "file": "main.js"}


def method_and_path(operation):
    method, path, _ = OPERATIONS[operation]
    return method, path.format(**FILLED)


def wrong(operation, *lines, query="", **other):
    """A request for an operation, with these header lines beside its host, and no body."""
    method, path = method_and_path(operation)
    head = [f"{other.get('method', method)} {path}{query} HTTP/1.1", "Host: x", *lines]
    return "\r\n".join([*head, "", ""]).encode()


def at_the_door(world, request):
    world.start('[[listen]]\nendpoint = "tcp:0"')
    wire = world.connect(DoorWire, is_loopback=True)
    wire.send(request)
    return Answer(wire.received())


def too_slow(world, operation):
    wire = world.ask(wrong(operation, "Content-Length: 5"))
    world.wait(31)
    return Answer(wire.received())


def too_many_connections(world, operation):
    world.start(
        '[[listen]]\nendpoint = "tcp:0"\ntrusted_proxies = ["127.0.0.1"]', max_connections_per_address=1
    )
    first, second = (world.connect(DoorWire) for _ in range(2))
    first.send(http.get("/healthz", "X-Forwarded-For: 203.0.113.7"))
    second.send(wrong(operation, "X-Forwarded-For: 203.0.113.7"))
    return Answer(second.received())


def foreign_page(world, operation):
    asked = wrong(operation, "Origin: https://evil.example")
    return at_the_door(world, asked.replace(b"Host: x", b"Host: localhost"))


REFUSALS = {
    400: lambda world, operation: ask(world, wrong(operation, "Host: y")),
    403: foreign_page,
    405: lambda world, operation: ask(world, wrong(operation, method="DELETE")),
    408: too_slow,
    413: lambda world, operation: ask(world, wrong(operation, "Content-Length: 1048577")),
    414: lambda world, operation: ask(world, wrong(operation, query="?" + 8192 * "x")),
    415: lambda world, operation: ask(world, wrong(operation, "Content-Encoding: br", "Content-Length: 1")),
    417: lambda world, operation: ask(world, wrong(operation, "Expect: 200-ok")),
    421: lambda world, operation: at_the_door(world, wrong(operation)),
    429: too_many_connections,
    431: lambda world, operation: ask(world, wrong(operation, "X: " + 16_384 * "x")),
    501: lambda world, operation: ask(world, wrong(operation, "Transfer-Encoding: gzip, chunked")),
    505: lambda world, operation: ask(world, wrong(operation).replace(b"HTTP/1.1", b"HTTP/2.0", 1)),
}


GENERAL = set()
"""Those of ``ROWS`` that any request may get."""

for status, refused in REFUSALS.items():
    for operation in OPERATIONS:
        GENERAL.add(
            row(operation, status)(
                lambda world, refused=refused, operation=operation: refused(world, operation)
            )
        )


@pytest.fixture
def world(world):
    return world.start(CONFIG)


def marks(operation, status, of):
    """What any request may be refused for is tried with a third of the operations, with all in a soak."""
    if of not in GENERAL:
        return ()
    place = list(OPERATIONS).index(operation) + list(REFUSALS).index(status)
    return () if place % 3 == 0 else pytest.mark.soak


@pytest.mark.parametrize(
    ("wanted", "of"),
    [
        pytest.param(wanted, of, id="-".join(map(str, wanted)), marks=marks(*wanted[:2], of))
        for wanted, all in ROWS.items()
        for of in all
    ],
)
def test_each_answer_is_as_it_is_described(world, wanted, of):
    given = of(world)
    assert given
    for answer in given if isinstance(given, list) else [given]:
        assert check(wanted[0], answer) == wanted


def test_each_answer_that_is_described_is_given():
    failed = {(operation, 500, JSON) for operation in OPERATIONS}
    assert answers() - set(ROWS) - failed == set()
    assert set(ROWS) - answers() == set()


def test_what_fails_is_answered_like_any_error(world):
    server = world.radio.http
    route = server.route("/healthz")

    class Failing(type(route)):
        def get(self, request):
            raise RuntimeError("a mistake")

    server.route = lambda path: Failing()
    answer = ask(world, http.get("/healthz"))
    assert answer.status == 500
    check("health", answer)


def test_what_any_request_may_get_is_described_of_each_operation():
    for _, _, operation in OPERATIONS.values():
        assert {str(status) for status in EVERYWHERE} <= set(operation["responses"])


@pytest.mark.parametrize("path", DOCUMENT["paths"])
def test_each_method_of_a_path_is_described(world, path):
    methods = {method.upper() for method in DOCUMENT["paths"][path]}
    allowed = ask(world, http.request("OPTIONS", path.format(**FILLED))).headers["Allow"]
    wanted = methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())
    # What /publish has always told; PUT came later.
    assert set(allowed.split(", ")) == wanted - ({"PUT"} if path.endswith("/publish") else set())


def test_each_path_is_described(world):
    site = world.radio.http.route.__self__
    others = {path for path in site._leaves if path.startswith("/static/")} | {
        "*",
        "/listen/",
        "/macro/sample/",
    }
    described = set(DOCUMENT["paths"])
    assert set(site._leaves) - others <= described
    assert {path[: path.find("/", 1) + 1] for path in described} - {"", "/static/", "/account/"} == set(
        site._below
    )


def test_the_document_is_valid_openapi_of_this_version(world):
    answer = ask(world, http.get("/openapi.json", "Origin: https://editor.example"))
    told = json.loads(answer.body)
    assert told == DOCUMENT
    assert told["info"]["version"] == __version__
    # Editors of such documents are pages of other sites.
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    validate(told)


def test_every_component_is_used():
    text = json.dumps(DOCUMENT)
    schemes = {
        name
        for _, _, operation in OPERATIONS.values()
        for one in operation.get("security", [])
        for name in one
    }
    for kind, components in DOCUMENT["components"].items():
        for name in components:
            assert name in schemes or f'"#/components/{kind}/{name}"' in text, name
