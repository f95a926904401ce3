"""Stock Autobahn|Python clients that use the advanced profile and print what they saw as one JSON line.

autobahn_features.py twisted|asyncio websocket|rawsocket json|msgpack|cbor PORT REALM
autobahn_features.py asyncio websocket json PORT REALM serve

The second form is a peer for clients in other languages: it prints "ready" and stays until it is killed.
What is expected of each feature stands in tests/support/features.py. Every feature has sessions of its own.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

framework, transport, serializer, port, realm = sys.argv[1:6]
is_serving = sys.argv[6:] == ["serve"]

import txaio  # noqa: E402 - which of the two follows depends on the command line

if framework == "twisted":
    from autobahn.twisted.wamp import ApplicationRunner, ApplicationSession
    from twisted.internet.defer import CancelledError, ensureDeferred
    from twisted.internet.task import react

    START = {"start_reactor": False}

    def run(main: Callable[[], Any]) -> None:
        react(lambda reactor: ensureDeferred(main()))
else:
    import asyncio
    from asyncio import CancelledError

    from autobahn.asyncio.wamp import ApplicationRunner, ApplicationSession

    START = {"start_loop": False}

    def run(main: Callable[[], Any]) -> None:
        asyncio.run(main())


from autobahn.wamp.exception import ApplicationError  # noqa: E402
from autobahn.wamp.serializer import CBORSerializer, JsonSerializer, MsgPackSerializer  # noqa: E402
from autobahn.wamp.types import (  # noqa: E402
    CallOptions,
    EncodedPayload,
    PublishOptions,
    RegisterOptions,
    SubscribeOptions,
)

SERIALIZERS = {"json": JsonSerializer, "msgpack": MsgPackSerializer, "cbor": CBORSerializer}
URL = f"ws://127.0.0.1:{port}/ws" if transport == "websocket" else f"rs://127.0.0.1:{port}"
SECONDS = 8
ACK = PublishOptions(acknowledge=True)

Scenario = Callable[[], Awaitable[Any]]
scenarios: dict[str, Scenario] = {}
members: list[Member] = []


def feature(name: str) -> Callable[[Scenario], Scenario]:
    """Name a scenario; what it returns is what was seen."""

    def add(scenario: Scenario) -> Scenario:
        scenarios[name] = scenario
        return scenario

    return add


def sleep(seconds: float) -> Awaitable[None]:
    future = txaio.create_future()
    txaio.call_later(seconds, lambda: txaio.resolve(future, None))
    return future


async def until(is_so: Callable[[], Any]) -> None:
    """Wait for something that is about to happen."""
    end = time.monotonic() + SECONDS / 2
    while not is_so():
        if time.monotonic() > end:
            raise TimeoutError("it did not happen")
        await sleep(0.005)


async def error_of(awaitable: Awaitable[Any]) -> Any:
    """The URI of the error that a request ends in."""
    try:
        return ["no error", await awaitable]
    except ApplicationError as error:
        return error.error


class Member(ApplicationSession):
    """A session that is told what to do from outside."""

    def __init__(self, config: Any, authid: str | None) -> None:
        super().__init__(config)
        self.who = authid
        self.joined = txaio.create_future()
        self.left: list[Any] = []
        self.is_gone = False

    def onConnect(self) -> None:
        if self.who:
            self.join(realm, ["ticket"], self.who)
        else:
            self.join(realm)

    def onChallenge(self, challenge: Any) -> str:
        return f"{self.who}-ticket"

    def onJoin(self, details: Any) -> None:
        self.details = details
        self.id = details.session
        txaio.resolve(self.joined, None)

    def onLeave(self, details: Any) -> Any:
        self.left = [details.reason, details.message]
        return super().onLeave(details)

    def onDisconnect(self) -> None:
        super().onDisconnect()
        self.is_gone = True

    def onUserError(self, fail: Any, msg: str) -> None:
        """Errors are what some procedures here are for; nobody wants them logged."""

    # Shorthands.

    async def listen(self, topic: str, **options: Any) -> list[tuple[Any, Any]]:
        """Subscribe. Returns: the list that (args, details) of the events will be put into."""
        events: list[tuple[Any, Any]] = []

        def on_event(*args: Any, details: Any = None, **kwargs: Any) -> None:
            events.append((args, details))

        await self.subscribe(on_event, topic, options=SubscribeOptions(details=True, **options))
        return events

    async def relay(self, procedure: str, count: int) -> Any:
        """Call somebody's stream: what came in between, and in the end."""
        progress: list[Any] = []
        result = await self.call(procedure, count, options=CallOptions(on_progress=progress.append))
        return [progress, result]

    async def offer(self, procedure: str, answer: Callable[..., Any], **options: Any) -> Any:
        return await self.register(answer, procedure, options=RegisterOptions(**options))


async def join(authid: str | None = None) -> Member:
    runner = ApplicationRunner(URL, realm, serializers=[SERIALIZERS[serializer]()])
    made: list[Member] = []

    def make(config: Any) -> Member:
        made.append(Member(config, authid))
        return made[0]

    await runner.run(make, log_level="critical", **START)
    await until(lambda: made)
    await made[0].joined
    members.append(made[0])
    return made[0]


async def join_all(*authids: str | None) -> list[Member]:
    return [await join(authid) for authid in authids]


async def go(member: Member) -> None:
    """Let a session leave."""
    if member.is_attached():
        member.leave()
    await until(lambda: member.is_gone)


# --- publish and subscribe


@feature("prefix subscription")
async def prefix_subscription() -> Any:
    publisher, subscriber = await join_all(None, None)
    events = await subscriber.listen("prefix.ab", match="prefix")
    for topic in ("prefix.ab", "prefix.abc", "prefix.ab.c.d", "prefix.b", "prefix.ab.end"):
        await publisher.publish(topic, options=ACK)
    await until(lambda: len(events) >= 4)
    return [details.topic for _, details in events]


@feature("wildcard subscription")
async def wildcard_subscription() -> Any:
    publisher, subscriber = await join_all(None, None)
    events = await subscriber.listen("wild..end", match="wildcard")
    for topic in ("wild.a.end", "wild.a.b.end", "wild.end", "wild.b.other", "wild.b.end"):
        await publisher.publish(topic, options=ACK)
    await until(lambda: len(events) >= 2)
    return [details.topic for _, details in events]


@feature("overlapping subscriptions")
async def overlapping_subscriptions() -> Any:
    publisher, subscriber = await join_all(None, None)
    matches = {"exact": "over.lap.ped", "prefix": "over.lap", "wildcard": "over..ped"}
    events = [await subscriber.listen(topic, match=match) for match, topic in matches.items()]
    published = await publisher.publish("over.lap.ped", 1, options=ACK)
    await until(lambda: all(events))
    return [
        [len(got), got[0][1].topic, got[0][1].publication == published.id] for got in events
    ]  # one event for each subscription, with the same publication


@feature("publisher identification")
async def publisher_identification() -> Any:
    # Autobahn|Python cannot ask: the router's configuration tells under "told".
    publisher, subscriber = await join_all("joe", None)
    events = await subscriber.listen("", match="prefix")
    await publisher.publish("told.event", options=ACK)
    await publisher.publish("untold.event", options=ACK)
    await until(lambda: len(events) >= 2)
    (_, told), (_, untold) = events
    return [
        [told.publisher == publisher.id, told.publisher_authid, told.publisher_authrole],
        [untold.publisher, untold.publisher_authid, untold.publisher_authrole],
    ]


@feature("black- and whitelisting")
async def lists() -> Any:
    publisher, nobody, joe, rita = await join_all(None, None, "joe", "rita")
    receivers = {"nobody": nobody, "joe": joe, "rita": rita}
    received = {name: await member.listen("lists") for name, member in receivers.items()}
    options: list[dict[str, Any]] = [
        {"exclude": [nobody.id]},
        {"eligible": [nobody.id]},
        {"exclude_authid": ["joe"]},
        {"eligible_authid": ["joe"]},
        {"exclude_authrole": ["rated"]},
        {"eligible_authrole": ["rated"]},
        {"eligible": [nobody.id, joe.id], "exclude": [joe.id]},
        {},
    ]
    for number, choice in enumerate(options, 1):
        await publisher.publish("lists", number, options=PublishOptions(acknowledge=True, **choice))
    await until(lambda: all(events and events[-1][0] == (8,) for events in received.values()))
    return {name: [args[0] for args, _ in events] for name, events in received.items()}


@feature("publisher exclusion")
async def publisher_exclusion() -> Any:
    publisher = await join()
    events = await publisher.listen("myself")
    for number, exclude_me in enumerate((None, True, False)):
        options = PublishOptions(acknowledge=True, exclude_me=exclude_me)
        await publisher.publish("myself", number, options=options)
    await until(lambda: events)
    return [args[0] for args, _ in events]


@feature("acknowledgement")
async def acknowledgement() -> Any:
    publisher, subscriber = await join_all(None, None)
    events = await subscriber.listen("acknowledged")
    published = await publisher.publish("acknowledged", options=ACK)
    await until(lambda: events)
    return [
        events[0][1].publication == published.id,
        publisher.publish("acknowledged") is None,
        await error_of(publisher.publish("wamp.forbidden", options=ACK)),
    ]


@feature("event retention")
async def event_retention() -> Any:
    publisher, subscriber = await join_all(None, None)
    keep = PublishOptions(acknowledge=True, retain=True)
    for topic in ("kept.a", "kept.b"):
        await publisher.publish(topic, f"old {topic}", options=keep)
        await publisher.publish(topic, topic, options=keep)
    exact = await subscriber.listen("kept.a", get_retained=True)
    prefix = await subscriber.listen("kept.", match="prefix", get_retained=True)
    without = await subscriber.listen("kept..b", match="wildcard")
    await until(lambda: exact and len(prefix) >= 2)
    await publisher.publish("kept.a", "live", options=ACK)
    await until(lambda: len(exact) >= 2 and len(prefix) >= 3)
    return [
        [[args[0], bool(details.retained)] for args, details in exact],
        sorted([args[0], details.topic, bool(details.retained)] for args, details in prefix),
        len(without),
    ]


@feature("event history")
async def event_history() -> Any:
    publisher, subscriber = await join_all(None, None)
    subscription = await subscriber.subscribe(lambda *args: None, "past")
    for number in range(1, 5):
        await publisher.publish("past", number, options=ACK)

    async def events(**arguments: Any) -> Any:
        result = await subscriber.call("wamp.subscription.get_events", subscription.id, **arguments)
        return [[event["args"], event["topic"]] for event in result.results], result.kwresults

    # Of four events the configuration keeps three.
    unkept = await subscriber.subscribe(lambda *args: None, "unkept")
    return [
        await events(),
        await events(limit=2),
        await events(reverse=True, limit=1),
        await error_of(subscriber.call("wamp.subscription.get_events", unkept.id)),
    ]


@feature("subscription revocation")
async def subscription_revocation() -> Any:
    # Autobahn|Python breaks on what a revocation looks like, and so is not told: it must live on.
    admin, subscriber = await join_all(None, None)
    events = await subscriber.listen("revoked")
    found = await admin.call("wamp.subscription.lookup", "revoked")
    await admin.publish("revoked", 1, options=ACK)
    await admin.call("wamp.subscription.remove_subscriber", found, subscriber.id, reason="test.reason")
    await admin.publish("revoked", 2, options=ACK)
    again = await subscriber.listen("revoked.again")
    await admin.publish("revoked.again", 3, options=ACK)
    await until(lambda: again)
    return [[args[0] for args, _ in events], await admin.call("wamp.subscription.lookup", "revoked")]


# --- remote procedure calls


@feature("pattern-based registration")
async def pattern_based_registration() -> Any:
    caller, callee = await join_all(None, None)

    def answering(name: str) -> Callable[..., Any]:
        return lambda details: [name, details.procedure]

    for match, uri in (
        ("wildcard", "call..b.c"),
        ("wildcard", "call.a..c"),
        ("prefix", "call.p"),
        ("prefix", "call.p.q"),
        ("exact", "call.p.q.r"),
        ("wildcard", "call.p..r"),
    ):
        await callee.offer(uri, answering(f"{match} {uri}"), match=match, details=True)
    calls = ("call.p.q.r", "call.p.q.s", "call.p.x.r", "call.a.b.c", "call.x.b.c")
    answers = [await caller.call(uri) for uri in calls]
    return [*answers, await error_of(caller.call("call.x.y.z"))]


@feature("shared registration")
async def shared_registration() -> Any:
    caller, *callees = await join_all(None, None, None, None)
    answers: dict[str, Any] = {}
    for policy in ("roundrobin", "first", "last", "random"):
        for number, callee in enumerate(callees):
            await callee.offer(f"shared.{policy}", lambda number=number: number, invoke=policy)
        count = 60 if policy == "random" else 6
        answers[policy] = [await caller.call(f"shared.{policy}") for _ in range(count)]
    answers["random"] = sorted(set(answers["random"]))
    answers["other policy"] = await error_of(caller.offer("shared.first", int, invoke="last"))
    answers["single"] = await error_of(caller.offer("shared.first", int))
    await go(callees[0])
    answers["one left"] = [await caller.call(f"shared.{policy}") for policy in ("first", "roundrobin")]
    return answers


@feature("taking over a registration")
async def taking_over_a_registration() -> Any:
    caller, first, second = await join_all(None, None, None)
    gate = txaio.create_future()

    asked: list[bool] = []

    async def answer(is_late: bool = False) -> str:
        asked.append(is_late)
        return f"first{await gate}" if is_late else "first"

    await first.offer("taken", answer, force_reregister=True)
    answers = [await caller.call("taken")]
    pending = caller.call("taken", True)
    await until(lambda: True in asked)
    await second.offer("taken", lambda: "second", force_reregister=True)
    answers.append(await caller.call("taken"))
    txaio.resolve(gate, ", late")
    answers.append(await pending)
    registration = await caller.call("wamp.registration.lookup", "taken")
    return [*answers, await caller.call("wamp.registration.count_callees", registration)]


@feature("concurrency")
async def concurrency() -> Any:
    caller, callee = await join_all(None, None)
    gate = txaio.create_future()

    async def wait() -> str:
        await gate
        return "done"

    await callee.offer("busy", wait, concurrency=1)
    first = caller.call("busy")
    second = await error_of(caller.call("busy"))
    txaio.resolve(gate, None)
    return [second, await first, await caller.call("busy")]


@feature("caller identification")
async def caller_identification() -> Any:
    caller, callee = await join_all("joe", None)

    def who(details: Any) -> Any:
        return [details.caller, details.caller_authid, details.caller_authrole]

    for procedure in ("told.who", "untold.who"):
        await callee.offer(procedure, who, details=True)
    told = await caller.call("told.who")
    return [[told[0] == caller.id, *told[1:]], await caller.call("untold.who")]


@feature("progressive call results")
async def progressive_call_results() -> Any:
    caller, callee = await join_all(None, None)
    await callee.offer("count", count_up, details=True)
    progress: list[Any] = []
    result = await caller.call("count", 3, options=CallOptions(on_progress=progress.append))
    return [progress, result, await caller.call("count", 3)]


async def count_up(most: int, details: Any) -> str:
    """Count as progress; the result tells whether progress was asked for."""
    if details.progress is None:
        return "not asked"
    for number in range(most):
        details.progress(number)
        await sleep(0.01)
    return "asked"


class Slow:
    """A procedure that never answers; ``interrupted``: how often it was told to end."""

    def __init__(self) -> None:
        self.started = 0
        self.interrupted = 0

    async def __call__(self) -> None:
        self.started += 1
        try:
            await txaio.create_future()
        except CancelledError:
            self.interrupted += 1
            raise ApplicationError("test.interrupted") from None


@feature("call canceling")
async def call_canceling() -> Any:
    # Autobahn|Python has no way to choose a mode: the default is killnowait.
    caller, callee = await join_all(None, None)
    slow = Slow()
    await callee.offer("slow", slow.__call__)
    await callee.offer("quick", lambda: "still here")
    pending = caller.call("slow")
    await until(lambda: slow.started)
    txaio.cancel(pending)
    try:
        outcome = await pending
    except CancelledError:
        outcome = "canceled"
    await until(lambda: slow.interrupted)
    return [outcome, slow.interrupted, await caller.call("quick")]


@feature("canceled by leaving")
async def canceled_by_leaving() -> Any:
    caller, callee = await join_all(None, None)
    slow = Slow()
    await callee.offer("slow", slow.__call__)
    pending = error_later(caller.call("slow"))
    await until(lambda: slow.started)
    await go(caller)
    await until(lambda: slow.interrupted)
    await until(lambda: pending)
    return slow.interrupted


def error_later(future: Any) -> list[str]:
    """The list that the error of a call will be put into."""
    errors: list[str] = []
    txaio.add_callbacks(
        future, lambda result: errors.append("no error"), lambda fail: errors.append(fail.value.error)
    )
    return errors


@feature("call timeout")
async def call_timeout() -> Any:
    # Autobahn|Python sends the number as it is, and WAMP counts milliseconds.
    caller, callee = await join_all(None, None)
    slow = Slow()
    await callee.offer("slow", slow.__call__)
    start = time.monotonic()
    error = await error_of(caller.call("slow", options=CallOptions(timeout=200)))
    took = time.monotonic() - start
    await until(lambda: slow.interrupted)
    return [error, 0.15 < took < 2, slow.interrupted]


@feature("callee leaves")
async def callee_leaves() -> Any:
    caller, callee = await join_all(None, None)
    slow = Slow()
    await callee.offer("slow", slow.__call__)
    pending = error_later(caller.call("slow"))
    await until(lambda: slow.started)
    await go(callee)
    await until(lambda: pending)
    return [*pending, await error_of(caller.call("slow"))]


@feature("registration revocation")
async def registration_revocation() -> Any:
    admin, callee = await join_all(None, None)
    await callee.offer("revoked", lambda: "answer")
    found = await admin.call("wamp.registration.lookup", "revoked")
    before = await admin.call("revoked")
    await admin.call("wamp.registration.remove_callee", found, callee.id, reason="test.reason")
    after = await error_of(admin.call("revoked"))
    await callee.offer("revoked.again", lambda: "again")
    return [before, after, await admin.call("revoked.again")]


# --- the meta API


@feature("session meta API")
async def session_meta_api() -> Any:
    admin = await join()
    joins = await admin.listen("wamp.session.on_join")
    leaves = await admin.listen("wamp.session.on_leave")
    joe, rita, other = await join_all("joe", "rita", None)
    seen: dict[str, Any] = {
        "count": [
            await admin.call("wamp.session.count"),
            await admin.call("wamp.session.count", ["rated", "nobody"]),
        ],
        "list": sorted(await admin.call("wamp.session.list"))
        == sorted(member.id for member in (admin, joe, rita, other)),
        "list by role": await admin.call("wamp.session.list", ["rated"]) == [rita.id],
    }
    details = await admin.call("wamp.session.get", joe.id)
    seen["get"] = [details["session"] == joe.id, *(details[name] for name in IDENTITY)]
    await until(lambda: len(joins) >= 3)
    named = [args[0] for args, _ in joins if args[0]["authid"] in ("joe", "rita")]
    seen["on_join"] = sorted([joined[name] for name in IDENTITY[:2]] for joined in named)
    await go(other)
    await until(lambda: leaves)
    (session, _authid, role), _ = leaves[0]
    seen["on_leave"] = [session == other.id, role]
    seen["unknown"] = await error_of(admin.call("wamp.session.get", other.id))
    return seen


IDENTITY = ("authid", "authrole", "authmethod")


@feature("killing sessions")
async def killing_sessions() -> Any:
    admin, one, joe, joe_again, rita, *others = await join_all(None, None, "joe", "joe", "rita", None, "joe")
    why = {"reason": "test.reason", "message": "because"}
    seen = {
        "invalid reason": await error_of(admin.call("wamp.session.kill", one.id, reason="not..valid")),
        "kill": await admin.call("wamp.session.kill", one.id, **why),
    }
    await until(lambda: one.is_gone)
    seen["reason"] = one.left
    killed = await admin.call("wamp.session.kill_by_authid", "joe")
    seen["kill_by_authid"] = sorted(killed) == sorted((joe.id, joe_again.id, others[1].id))
    seen["kill_by_authrole"] = await admin.call("wamp.session.kill_by_authrole", "rated")
    seen["kill_all"] = await admin.call("wamp.session.kill_all", "test.everybody")
    await until(lambda: joe.is_gone and rita.is_gone and others[0].is_gone)
    seen["reasons"] = [member.left[0] for member in (joe, rita, others[0])]
    seen["oneself"] = await error_of(admin.call("wamp.session.kill", admin.id))
    return seen


@feature("subscription meta API")
async def subscription_meta_api() -> Any:
    admin, one, two = await join_all(None, None, None)
    meta = ("on_create", "on_subscribe", "on_unsubscribe", "on_delete")
    log: list[list[Any]] = []
    names = {one.id: "one", two.id: "two"}
    for name in meta:
        await admin.subscribe(
            lambda session, what, name=name: log.append([name, names[session]]), f"wamp.subscription.{name}"
        )
    subscription = await one.subscribe(print, "meta.topic")
    await two.subscribe(print, "meta.topic")
    by_prefix = await two.subscribe(print, "meta", options=SubscribeOptions(match="prefix"))
    found = await admin.call("wamp.subscription.get", subscription.id)
    listed = await admin.call("wamp.subscription.list")
    seen = {
        "get": [found["id"] == subscription.id, found["uri"], found["match"], "T" in found["created"]],
        "list": [subscription.id in listed["exact"], listed["prefix"] == [by_prefix.id], listed["wildcard"]],
        "lookup": [
            await admin.call("wamp.subscription.lookup", "meta.topic") == subscription.id,
            await admin.call("wamp.subscription.lookup", "meta", {"match": "prefix"}) == by_prefix.id,
            await admin.call("wamp.subscription.lookup", "meta.topic", {"match": "wildcard"}),
        ],
        "match": [
            await admin.call("wamp.subscription.match", "meta.topic") == [subscription.id, by_prefix.id],
            await admin.call("wamp.subscription.match", "unheard"),
        ],
        "subscribers": sorted(await admin.call("wamp.subscription.list_subscribers", subscription.id))
        == sorted([one.id, two.id]),
        "count": await admin.call("wamp.subscription.count_subscribers", subscription.id),
    }
    await subscription.unsubscribe()
    await until(lambda: ["on_unsubscribe", "one"] in log)
    await go(two)
    await until(lambda: len(log) >= 10)
    seen["events"] = sorted(log)
    seen["unknown"] = await error_of(admin.call("wamp.subscription.get", subscription.id))
    return seen


@feature("registration meta API")
async def registration_meta_api() -> Any:
    admin, one, two = await join_all(None, None, None)
    meta = ("on_create", "on_register", "on_unregister", "on_delete")
    log: list[list[Any]] = []
    names = {one.id: "one", two.id: "two"}
    for name in meta:
        await admin.subscribe(
            lambda session, what, name=name: log.append([name, names[session]]), f"wamp.registration.{name}"
        )
    registration = await one.offer("meta.procedure", int, invoke="roundrobin")
    await two.offer("meta.procedure", int, invoke="roundrobin")
    by_prefix = await two.offer("meta", int, match="prefix")
    found = await admin.call("wamp.registration.get", registration.id)
    listed = await admin.call("wamp.registration.list")
    seen = {
        "get": [
            *(found["id"] == registration.id, found["uri"], found["match"]),
            *(found["invoke"], "T" in found["created"]),
        ],
        "list": [
            listed["exact"] == [registration.id],
            listed["prefix"] == [by_prefix.id],
            listed["wildcard"],
        ],
        "lookup": [
            await admin.call("wamp.registration.lookup", "meta.procedure") == registration.id,
            await admin.call("wamp.registration.lookup", "meta", {"match": "prefix"}) == by_prefix.id,
            await admin.call("wamp.registration.lookup", "meta.procedure", {"match": "wildcard"}),
        ],
        "match": [
            await admin.call("wamp.registration.match", "meta.procedure") == registration.id,
            await admin.call("wamp.registration.match", "meta.other") == by_prefix.id,
            await admin.call("wamp.registration.match", "unheard"),
        ],
        "callees": await admin.call("wamp.registration.list_callees", registration.id) == [one.id, two.id],
        "count": await admin.call("wamp.registration.count_callees", registration.id),
    }
    await registration.unregister()
    await until(lambda: ["on_unregister", "one"] in log)
    await go(two)
    await until(lambda: len(log) >= 10)
    seen["events"] = sorted(log)
    seen["unknown"] = await error_of(admin.call("wamp.registration.get", registration.id))
    return seen


@feature("testaments")
async def testaments() -> Any:
    survivor, left, lost, flushed = await join_all(None, None, None, None)
    events: list[Any] = []
    await survivor.subscribe(lambda *args, **kwargs: events.append([list(args), kwargs]), "testament")
    add = "wamp.session.add_testament"
    await left.call(add, "testament", ["destroyed"], {"who": "left"})
    await left.call(add, "testament", ["detached"], {"who": "left"}, scope="detached")
    await lost.call(add, "testament", ["lost"], {})
    await flushed.call(add, "testament", ["flushed"], {})
    await flushed.call("wamp.session.flush_testaments")
    await go(flushed)
    await go(left)
    await until(lambda: len(events) >= 2)
    # Without a goodbye.
    lost.disconnect()
    await until(lambda: len(events) >= 3)
    return [events, await error_of(survivor.call(add, "wamp.forbidden", [], {}))]


@feature("options of testaments")
async def options_of_testaments() -> Any:
    survivor, left = await join_all(None, None)
    events = await survivor.listen("testament", get_retained=True)
    add = "wamp.session.add_testament"
    for number, options in enumerate(
        ({"exclude": [survivor.id]}, {"eligible": [survivor.id]}, {"retain": True})
    ):
        await left.call(add, "testament", [number], {}, publish_options=options)
    await go(left)
    await until(lambda: len(events) >= 2)
    late = await survivor.listen("testament", match="prefix", get_retained=True)
    await until(lambda: late)
    return [[args[0] for args, _ in events], [args[0] for args, _ in late]]


# --- payloads that only clients can read


class Codec:
    """A payload codec: JSON, backwards."""

    def encode(self, is_originating: bool, uri: str, args: Any = None, kwargs: Any = None) -> EncodedPayload:
        text = json.dumps([uri, list(args or ()), dict(kwargs or {})])
        return EncodedPayload(text[::-1].encode(), "x_backwards", "json", "key-1")

    def decode(self, is_originating: bool, uri: str, encoded: EncodedPayload) -> Any:
        uri, args, kwargs = json.loads(encoded.payload.decode()[::-1])
        return uri, args, kwargs


@feature("payload passthru mode")
async def payload_passthru_mode() -> Any:
    publisher, subscriber, stranger = await join_all(None, None, None)
    for member in (publisher, subscriber):
        member.set_payload_codec(Codec())
    events: list[Any] = []
    await subscriber.subscribe(lambda *args, **kwargs: events.append([list(args), kwargs]), "opaque")
    # Without the codec an event cannot be read, which is no reason to end the session.
    unread = await stranger.listen("opaque")
    await publisher.publish("opaque", 1, "two", options=ACK, key=[3])
    await until(lambda: events)

    def fail() -> None:
        raise ApplicationError("test.error", "reason")

    await subscriber.offer("opaque.add", lambda a, b: a + b)
    await subscriber.offer("opaque.fail", fail)
    await subscriber.offer("opaque.count", count_up, details=True)
    sum_ = await publisher.call("opaque.add", 2, 3)
    progress: list[Any] = []
    await publisher.call("opaque.count", 2, options=CallOptions(on_progress=progress.append))
    error = await error_of(publisher.call("opaque.fail"))
    return [
        events,
        sum_,
        progress,
        error,
        len(unread),
        await stranger.call("wamp.subscription.match", "unheard"),
    ]


# --- running


async def guarded(scenario: Scenario) -> Any:
    """What a scenario returned, or what became of it."""
    outcome: list[Any] = []
    txaio.add_callbacks(
        txaio.as_future(scenario),
        outcome.append,
        lambda fail: outcome.append(["failed", repr(fail.value), txaio.failure_format_traceback(fail)]),
    )
    end = time.monotonic() + SECONDS
    while not outcome:
        if time.monotonic() > end:
            return ["failed", "took too long"]
        await sleep(0.005)
    return outcome[0]


async def main() -> None:
    seen = {}
    for name, scenario in scenarios.items():
        start = time.monotonic()
        seen[name] = await guarded(scenario)
        if time.monotonic() - start > 1:
            print(f"{name}: {time.monotonic() - start:.1f} s", file=sys.stderr)
        for member in members:
            if not member.is_gone:
                member.leave()
        for member in members:
            await until(lambda member=member: member.is_gone)
        members.clear()
    # Autobahn on Twisted turns sys.stdout into a log.
    print(json.dumps(seen), file=sys.__stdout__, flush=True)


async def serve() -> None:
    member = await join()
    slow = Slow()
    await member.offer("helper.count", count_up, details=True)
    await member.offer("helper.slow", slow.__call__)
    await member.offer("helper.relay", member.relay)
    await member.offer("helper.interrupted", lambda: [slow.started, slow.interrupted])
    print("ready", file=sys.__stdout__, flush=True)
    await txaio.create_future()


run(serve if is_serving else main)
