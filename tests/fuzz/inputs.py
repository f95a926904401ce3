"""What the cost part sends: every message, procedure, kind of value and route, as functions of a size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from support.config import parsed
from twisted.internet.testing import MemoryReactorClock

from fuzz.pipes import SERIALIZERS, request
from fuzz.values import CONTAINERS, Raw, encoded
from fuzz.world import LONG, World
from radiod.core.arguments import REQUIRED
from radiod.service.radio import Radio

__all__ = ["Http", "Wamp", "http_inputs", "procedures", "wamp_inputs"]

HELLO_SIZE = 50_000
"""Twice this is below what a message may hold before a session is open."""

SIZE = 60_000


@dataclass(frozen=True)
class Wamp:
    """One message. ``make(request, size)`` returns it encoded, or None where there is none.

    ``stage``: "hello" without a session, "login" within a ticket login, "session".
    """

    name: str
    serializer: str
    make: Callable[[int, int], bytes | None]
    size: int = SIZE
    stage: str = "session"
    doubles: bool = True
    group: str = "messages"


@dataclass(frozen=True)
class Http:
    """One request. ``make(size)`` returns it whole."""

    name: str
    make: Callable[[int], bytes]
    size: int = SIZE
    doubles: bool = True
    group: str = "requests"


def procedures() -> dict[str, dict[str, Any]]:
    """The router's own: name -> parameters with their defaults."""
    radio = Radio(parsed(), MemoryReactorClock())
    realm = next(iter(radio.realms.values()))
    table = realm.procedures.table
    return {name: signature for name, (signature, _) in table.items()} | {"radiod.echo": {}}


PLACES: dict[str, tuple[str, Callable[[int, Any], list[Any]]]] = {
    "HELLO.details": ("hello", lambda n, v: [1, "radio", v]),
    "HELLO.details.x": ("hello", lambda n, v: [1, "radio", {"roles": {"caller": {}}, "x": v}]),
    "HELLO.authextra": ("hello", lambda n, v: [1, "radio", {"roles": {"caller": {}}, "authextra": v}]),
    "HELLO.features": ("hello", lambda n, v: [1, "radio", {"roles": {"caller": {"features": v}}}]),
    "HELLO.roles": ("hello", lambda n, v: [1, "radio", {"roles": v}]),
    "HELLO.realm": ("hello", lambda n, v: [1, v, {"roles": {"caller": {}}}]),
    "HELLO.authmethods": ("hello", lambda n, v: [1, "radio", {"roles": {"caller": {}}, "authmethods": v}]),
    "a message of another kind": ("hello", lambda n, v: v),
    "a code": ("hello", lambda n, v: [v, 1]),
    "ABORT": ("hello", lambda n, v: [3, {"message": v}, v]),
    "AUTHENTICATE.signature": ("login", lambda n, v: [5, v, {}]),
    "AUTHENTICATE.extra": ("login", lambda n, v: [5, "x", v]),
    "GOODBYE": ("session", lambda n, v: [6, v, "wamp.close.normal"]),
    "PUBLISH.options": ("session", lambda n, v: [16, n, v, "heard"]),
    "PUBLISH.options.x": ("session", lambda n, v: [16, n, {"x": v, "acknowledge": True}, "heard", []]),
    "PUBLISH.exclude": ("session", lambda n, v: [16, n, {"exclude": v}, "heard"]),
    "PUBLISH.eligible_authid": ("session", lambda n, v: [16, n, {"eligible_authid": v}, "heard"]),
    "PUBLISH._radiod_stream": ("session", lambda n, v: [16, n, {"_radiod_stream": v}, "heard"]),
    "PUBLISH.topic": ("session", lambda n, v: [16, n, {}, v]),
    "PUBLISH.args": ("session", lambda n, v: [16, n, {}, "heard", [v]]),
    "PUBLISH.args itself": ("session", lambda n, v: [16, n, {}, "heard", v]),
    "PUBLISH.kwargs": ("session", lambda n, v: [16, n, {}, "heard", [], v]),
    "PUBLISH, nobody listens": ("session", lambda n, v: [16, n, {}, "unheard", [v]]),
    "PUBLISH, kept": ("session", lambda n, v: [16, n, {}, "sample_net", [v]]),
    "PUBLISH, opaque": ("session", lambda n, v: [16, n, {"ppt_scheme": "x_x"}, "heard", [v]]),
    "SUBSCRIBE.options.x": ("session", lambda n, v: [32, n, {"x": v}, "a"]),
    "SUBSCRIBE._radiod_buffer": ("session", lambda n, v: [32, n, {"_radiod_buffer": v}, "a"]),
    "SUBSCRIBE._radiod_after": ("session", lambda n, v: [32, n, {"_radiod_after": v}, "a"]),
    "SUBSCRIBE.topic": ("session", lambda n, v: [32, n, {}, v]),
    "UNSUBSCRIBE": ("session", lambda n, v: [34, n, v]),
    "CALL.options.x": ("session", lambda n, v: [48, n, {"x": v}, "radiod.echo"]),
    "CALL.procedure": ("session", lambda n, v: [48, n, {}, v]),
    "CALL of echo": ("session", lambda n, v: [48, n, {}, "radiod.echo", [v]]),
    "CALL of echo, kwargs": ("session", lambda n, v: [48, n, {}, "radiod.echo", [], v]),
    "CALL of what is not there": ("session", lambda n, v: [48, n, {}, "no.such", [v], v]),
    "CANCEL.options": ("session", lambda n, v: [49, 1, v]),
    "REGISTER._radiod_signature": ("session", lambda n, v: [64, n, {"_radiod_signature": v}, "a.b"]),
    "REGISTER.procedure": ("session", lambda n, v: [64, n, {}, v]),
    "YIELD": ("session", lambda n, v: [70, 5, {}, [v]]),
    "YIELD.options": ("session", lambda n, v: [70, 5, v]),
    "ERROR": ("session", lambda n, v: [8, 68, 5, {"x": v}, "a.b", [v]]),
    "too many elements": ("session", lambda n, v: [48, n, {}, "radiod.echo", [], {}, v]),
}  # fmt: skip
"""Where a value may stand: name -> (stage, message of a request id and the value)."""


def wamp_inputs(world: World) -> Iterator[Wamp]:
    """All of them, in one order."""
    for serializer in SERIALIZERS:
        for place, (stage, message) in PLACES.items():
            for kind, container in CONTAINERS.items():
                if container(serializer, 100) is not None:
                    size = SIZE if stage == "session" else HELLO_SIZE
                    yield Wamp(
                        f"{serializer} {place}: {kind}",
                        serializer,
                        _filled(serializer, message, container),
                        size,
                        stage,
                    )
        yield from _of_procedures(serializer, world)
        yield from _of_the_world(serializer)


def _filled(serializer: str, message: Any, container: Any) -> Callable[[int, int], bytes | None]:
    def make(number: int, size: int) -> bytes | None:
        data = container(serializer, size)
        return None if data is None else encoded(serializer, message(number, Raw(data)))

    return make


def _of_procedures(serializer: str, world: World) -> Iterator[Wamp]:
    """Each procedure: without arguments, as it is meant and for as much as it gives, and with long ones."""
    for name, signature in procedures().items():
        meant = {key: _meant(key, default, world) for key, default in signature.items()}
        meant = {key: value for key, value in meant.items() if value is not None}
        most = {**meant, **{key: 1000 for key in signature if key == "limit"}}
        for what, kwargs in (("nothing", {}), ("what it takes", meant), ("as much as it gives", most)):
            yield Wamp(
                f"{serializer} {name} of {what}",
                serializer,
                lambda n, s, name=name, kwargs=kwargs: encoded(serializer, [48, n, {}, name, [], kwargs]),
                doubles=False,
                group="procedures",
            )
        for key in signature:
            for kind, container in CONTAINERS.items():
                if container(serializer, 100) is not None:

                    def message(
                        n: int, v: Any, name: str = name, key: str = key, meant: Any = meant
                    ) -> list[Any]:
                        return [48, n, {}, name, [], {**meant, key: v}]

                    yield Wamp(
                        f"{serializer} {name}({key}={kind})",
                        serializer,
                        _filled(serializer, message, container),
                        group="arguments",
                    )


def _meant(key: str, default: Any, world: World) -> Any:
    """A plausible value of a parameter; None: it is left out."""
    known: dict[str, Any] = {
        "subscription": world.history,
        "registration": world.registration,
        "session": 1,
        "topic": LONG,
        "procedure": "procedure.1",
        "name": "kept.t1",
        "channel": "kept.t1",
        "args": [],
        "kwargs": {},
        "authid": "nobody",
        "authrole": "nobody",
        "id": 1,
        "key": "k",
        "control_key": "k",
        "lifetime": 5,
        "signature": {},
        "scope": "destroyed",
    }
    if key in known and (default is REQUIRED or key == "key"):
        return known[key]
    return "x" if default is REQUIRED else None


def _of_the_world(serializer: str) -> Iterator[Wamp]:
    """What is expensive because of what is there, or long where lists are looked at."""

    def one(name: str, message: Callable[[int, int], list[Any]], size: int = 500, **more: Any) -> Wamp:
        return Wamp(
            f"{serializer} {name}",
            serializer,
            lambda n, s: encoded(serializer, message(n, s)),
            size,
            group="world",
            **more,
        )

    lists = ("exclude_authid", "exclude_authrole", "eligible_authid", "eligible_authrole")

    def narrowed(number: int, count: int) -> list[Any]:
        options: dict[str, Any] = {name: [f"n{i:06}" for i in range(count)] for name in lists}
        options |= {name: list(range(1, count + 1)) for name in ("exclude", "eligible")}
        return [16, number, options, LONG]

    yield one("PUBLISH with six lists under 249 prefixes", narrowed, 2500)
    yield one("PUBLISH under 249 prefixes", lambda n, s: [16, n, {}, LONG, ["x" * s]], 50_000)
    yield one("PUBLISH under 300 wildcards", lambda n, s: [16, n, {}, ".".join("w" * 9)], doubles=False)
    yield one("PUBLISH to 127 components", lambda n, s: [16, n, {}, ".".join("w" * 127)], doubles=False)
    yield one(
        "SUBSCRIBE to 127 components", lambda n, s: [32, n, {"match": "wildcard"}, "." * 127], doubles=False
    )
    yield one("REGISTER of 127 components", lambda n, s: [64, n, {}, "a" + ".a" * 127], doubles=False)
    yield one(
        "SUBSCRIBE to what is kept", lambda n, s: [32, n, {"_radiod_after": "0:0"}, "kept.t1"], doubles=False
    )
    yield one(
        "HELLO with many roles",
        lambda n, s: [1, "radio", {"roles": {f"r{i}": {"features": {f"f{i}": True}} for i in range(s)}}],
        1000,
        stage="hello",
    )


ROUTES = (
    "/", "/static/page.css", "/healthz", "/channels", "/channels?limit=1000", "/channels/sample_net",
    "/publish", "/api/publish",
    "/listen/sample_net?last=1000", "/listen/kept.t1?last=1000", "/listen/kept.t1?last=1", "/lp/open",
    "/lp/x/send", "/lp/x/receive", "/lp/x/close",
    "/ws", "/no/such", "/call", "/tokens", "/account", "/account/usage.csv?month=2026-11", "/account/rotate",
)  # fmt: skip
METHODS = ("GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE")
FORMS = (
    "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json",
    "text/plain;charset=utf-16",
    "application/x-ndjson", "application/octet-stream",
)  # fmt: skip


def http_inputs() -> Iterator[Http]:
    """All of them: routes by methods, bodies, fields, targets, chunks, pipelines."""
    for route in ROUTES:
        wait = "" if "listen" not in route else "&wait=0"
        for method in METHODS:
            yield Http(f"{method} {route}", lambda s, m=method, r=route + wait: request(m, r), doubles=False)
        for form in FORMS:
            for kind, body in _bodies().items():
                yield Http(
                    f"POST {route}, {form.partition(';')[0]}: {kind}",
                    lambda s, r=route, f=form, b=body: request(
                        "POST", r, b(s), [f"Content-Type: {f}", "API-KEY: sample-key"]
                    ),
                    group="bodies",
                )
        for kind, fields in _fields().items():
            yield Http(
                f"GET {route}, {kind}",
                lambda s, r=route + wait, f=fields: request("GET", r, b"", f(s)),
                3500,
                group="fields",
            )
        yield Http(
            f"GET {route}, a long query",
            lambda s, r=route: request("GET", _queried(r, "x=1&" * (s // 4))),
            3500,
            group="fields",
        )
        yield Http(
            f"GET {route}, many escapes",
            lambda s, r=route: request("GET", r.partition("?")[0] + "/%41" * (s // 4)),
            3500,
        )
        yield Http(f"POST {route}, chunks of one byte", lambda s, r=route: _chunked(r, s), 30_000)


def _queried(route: str, query: str) -> str:
    return f"{route}{'&' if '?' in route else '?'}{query}wait=0"


def _bodies() -> dict[str, Callable[[int], bytes]]:
    def network(value: Callable[[str, int], bytes | None]) -> Callable[[int], bytes]:
        return lambda size: b'{"network":"sample_net","data":{"a":' + (value("json", size) or b"1") + b"}}"

    def crossbar(value: Callable[[str, int], bytes | None]) -> Callable[[int], bytes]:
        return lambda size: b'{"topic":"other_net","args":[' + (value("json", size) or b"1") + b"]}"

    bodies: dict[str, Callable[[int], bytes]] = {
        "form fields": lambda size: b"a=1&" * (size // 4),
        "form escapes": lambda size: b"a=" + b"%41" * (size // 3),
        "form parts": lambda size: (
            b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n" * (size // 50) + b"--x--\r\n"
        ),
        "empty lines": lambda size: b"\r\n" * (size // 2),
        "protocols": lambda size: b'{"protocols":[' + b",".join([b'"x"'] * (size // 4)) + b"]}",
        "members": lambda size: b"{" + b",".join(b'"k%d":1' % i for i in range(size // 10)) + b"}",
    }
    for kind, container in CONTAINERS.items():
        if container("json", 100) is not None:
            bodies[f"data of {kind}"] = network(container)
            bodies[f"args of {kind}"] = crossbar(container)
            bodies[f"nothing but {kind}"] = lambda size, c=container: c("json", size)
    return bodies


def _fields() -> dict[str, Callable[[int], list[str]]]:
    return {
        "many fields": lambda size: [f"X-{i}: {'y' * (size // 90)}" for i in range(90)],
        "a long field": lambda size: [f"X: {'y' * size}"],
        "long Accept": lambda size: ["Accept: " + "a/b;q=0.1," * (size // 10)],
        "long API-KEY": lambda size: ["API-KEY: " + "k" * size],
        "long Origin": lambda size: ["Origin: http://" + "a." * (size // 2)],
        "long Forwarded": lambda size: ["Forwarded: " + 'for="_x";' * (size // 9)],
        "long X-Forwarded-For": lambda size: ["X-Forwarded-For: " + "1.1.1.1," * (size // 8)],
        "long Cookie": lambda size: ["Cookie: " + "a=b; " * (size // 5)],
        "long Connection": lambda size: ["Connection: " + "a," * (size // 2) + "keep-alive"],
        "long Last-Event-ID": lambda size: ["Last-Event-ID: " + "1" * size],
        "long extensions": lambda size: [
            "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
            "Sec-WebSocket-Extensions: " + "permessage-deflate; server_max_window_bits=9, " * (size // 47),
        ],
        "long protocols": lambda size: [
            "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
            "Sec-WebSocket-Protocol: " + ", ".join(f"p{i}" for i in range(size // 7)),
        ],
    }  # fmt: skip


def _chunked(route: str, size: int) -> bytes:
    head = f"POST {route} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    return head + b"1\r\nx\r\n" * (size // 6) + b"0\r\n\r\n"
