"""Messages: structured random WAMP over every transport, serializer and role; what comes back must be WAMP.

A burst is a list of actors, made from its seed alone; so one that fails can be run again, with fewer.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from fuzz.inputs import procedures
from fuzz.pipes import LOAD, ROLES, SERIALIZERS, LongPoll, Pipe, RawSocket, WebSocket
from fuzz.target import Finding, Oracle
from fuzz.values import Maker, Pairs, encoded

__all__ = ["Actor", "burst", "fewer", "play", "random_message"]

TRANSPORTS: dict[str, Callable[[int, str], Pipe]] = {
    "websocket": WebSocket,
    "batched": lambda port, serializer: WebSocket(port, serializer, batched=True),
    "rawsocket": RawSocket,
    "longpoll": LongPoll,
    "longpoll batched": lambda port, serializer: LongPoll(port, serializer, batched=True),
}
USERS = (None, "listener", "stranger")
"""Of whom an actor poses as: nobody, a user, or it says nothing at all before its messages."""

KNOWN = {2, 3, 4, 6, 8, 17, 33, 35, 36, 50, 65, 67, 68, 69}
"""Codes of what a router sends."""

FORBIDDEN_CODES = {1011}
"""Close codes by which a server says that it failed."""

PROCEDURES = tuple(procedures().items())


@dataclass(frozen=True)
class Actor:
    """One connection of a burst, and what it says, encoded."""

    transport: str
    serializer: str
    user: str | None
    messages: tuple[bytes, ...] = field(repr=False)

    def __str__(self) -> str:
        said = "\n".join(
            f"    {message[:400].hex()}{'…' if len(message) > 400 else ''}" for message in self.messages
        )
        return f"  {self.transport} {self.serializer} as {self.user or 'anonymous'}, messages in hex:\n{said}"


def burst(random: Random, actors: int = 8, messages: int = 25) -> list[Actor]:
    """What one burst says."""
    found = []
    for _ in range(actors):
        serializer = random.choice(SERIALIZERS)
        maker = Maker(random, serializer)
        requests = range(1, random.randrange(2, messages))
        said = [encoded(serializer, random_message(maker, request)) for request in requests]
        found.append(Actor(random.choice(list(TRANSPORTS)), serializer, random.choice(USERS), tuple(said)))
    return found


def random_message(maker: Maker, request: int) -> Any:
    """One message as a value for ``encoded``: mostly right, and then wrong in one place."""
    random = maker.random
    message = random.choice(KINDS)(maker, request)
    kind = random.random()
    if kind < 0.12:
        message[random.randrange(len(message))] = maker.value()
    elif kind < 0.15:
        del message[random.randrange(len(message))]
    elif kind < 0.18:
        message.insert(random.randrange(len(message) + 1), maker.value())
    elif kind < 0.19:
        return maker.value()
    return message


def _options(*names: str) -> Callable[[Maker], Pairs]:
    def options(maker: Maker) -> Pairs:
        random = maker.random
        return Pairs(
            (name, VALUES[name](maker) if name in VALUES and random.random() < 0.85 else maker.value())
            for name in names
            if random.random() < 0.3
        )

    return options


def _flag(maker: Maker) -> Any:
    return maker.random.random() < 0.6


def _ids(maker: Maker) -> Any:
    return [maker.random.randrange(1, 100) for _ in range(maker.random.randrange(4))]


def _texts(maker: Maker) -> Any:
    return [maker.text() for _ in range(maker.random.randrange(4))]


def _among(*values: Any) -> Callable[[Maker], Any]:
    return lambda maker: maker.random.choice(values)


VALUES: dict[str, Callable[[Maker], Any]] = {
    "acknowledge": _flag, "exclude_me": _flag, "disclose_me": _flag, "retain": _flag, "get_retained": _flag,
    "receive_progress": _flag, "progress": _flag, "forward_timeout": _flag, "disclose_caller": _flag,
    "force_reregister": _flag,
    "exclude": _ids, "eligible": _ids, "exclude_authid": _texts, "exclude_authrole": _texts,
    "eligible_authid": _texts,
    "eligible_authrole": _texts, "match": _among("exact", "prefix", "wildcard", "regex"),
    "mode": _among("skip", "kill", "killnowait"),
    "invoke": _among("single", "first", "last", "roundrobin", "random"), "concurrency": _among(1, 2, 1.0,
    0), "timeout": _among(0, 1, 50, 1.0),
    "ppt_scheme": _among("x_y", "mqtt", ""), "ppt_serializer": _among("cbor", "native"),
    "enc_algo": _among("cryptobox", ""),
    "_radiod_after": _among("a:1", "0:0", ":", "x:99999999999999999999"), "_radiod_position": _flag,
    "_radiod_key": Maker.text,
    "_radiod_buffer": lambda maker: Pairs((name, maker.value()) for name in ("size", "policy", "every",
    "min_interval") if maker.random.random() < 0.5),
    "_radiod_stream": lambda maker: Pairs([("id", maker.text()), ("end", _flag(maker))]),
    "_radiod_signature": lambda maker: maker.value(),
}  # fmt: skip

_PPT = ("ppt_scheme", "ppt_serializer", "ppt_cipher", "enc_algo", "enc_key")
_PUBLISH = _options(
    "acknowledge", "exclude_me", "disclose_me", "retain", "exclude", "eligible", "exclude_authid",
    "exclude_authrole", "eligible_authid",
    "eligible_authrole", "_radiod_key", "_radiod_stream", "x", *_PPT,
)  # fmt: skip
_SUBSCRIBE = _options(
    "match", "get_retained", "_radiod_key", "_radiod_buffer", "_radiod_position", "_radiod_after", "x"
)
_REGISTER = _options(
    "match",
    "invoke",
    "concurrency",
    "forward_timeout",
    "disclose_caller",
    "force_reregister",
    "_radiod_signature",
    "x",
)
_CALL = _options("timeout", "receive_progress", "progress", "disclose_me", "x", *_PPT)
_YIELD = _options("progress", "x", *_PPT)


def _payload(maker: Maker) -> list[Any]:
    random = maker.random
    args = [maker.value() for _ in range(random.randrange(4))]
    kwargs = Pairs((maker.text(), maker.value()) for _ in range(random.randrange(3)))
    return random.choice(([], [args], [args, kwargs], [[], kwargs]))


def _call_of_the_router(maker: Maker, request: int) -> list[Any]:
    random = maker.random
    name, signature = random.choice(PROCEDURES)
    kwargs = Pairs(
        (key, random.choice((maker.value, maker.uri, lambda: random.randrange(1, 50)))())
        for key in signature
        if random.random() < 0.7
    )
    return [48, request, _CALL(maker), name, [], kwargs]


def _hello(maker: Maker, request: int) -> list[Any]:
    details = Pairs([("roles", ROLES)])
    for name in ("authid", "authmethods", "authextra", "agent", "_radiod_revocation", "x"):
        if maker.random.random() < 0.3:
            details.append((name, maker.value()))
    return [1, maker.random.choice(("radio", maker.text())), details]


KINDS: list[Callable[[Maker, int], list[Any]]] = [
    *[lambda maker, n: [16, n, _PUBLISH(maker), maker.uri(), *_payload(maker)]] * 5,
    *[lambda maker, n: [32, n, _SUBSCRIBE(maker), maker.uri()]] * 3,
    *[_call_of_the_router] * 5,
    *[lambda maker, n: [48, n, _CALL(maker), maker.uri(), *_payload(maker)]] * 3,
    *[lambda maker, n: [64, n, _REGISTER(maker), maker.uri()]] * 2,
    lambda maker, n: [34, n, maker.random.randrange(1, 30)],
    lambda maker, n: [66, n, maker.random.randrange(1, 30)],
    lambda maker, n: [49, maker.random.randrange(1, n + 1), _options("mode")(maker)],
    lambda maker, n: [70, maker.random.randrange(1, 10), _YIELD(maker), *_payload(maker)],
    lambda maker, n: [8, 68, maker.random.randrange(1, 10), _YIELD(maker), maker.uri(), *_payload(maker)],
    _hello,
    lambda maker, n: [5, maker.text(), Pairs([("x", maker.value())])],
    lambda maker, n: [6, Pairs([("message", maker.value())]), maker.uri()],
]


def play(actors: list[Actor], oracle: Oracle) -> None:
    """Say it all, look at what comes back, and ask the oracle. Raises: Finding."""
    pipes: list[tuple[Actor, Pipe]] = []
    for actor in actors:
        pipe = TRANSPORTS[actor.transport](oracle.target.port, actor.serializer)
        if actor.user != "stranger":
            pipe.join(actor.user)
        pipes.append((actor, pipe))
    try:
        for actor, pipe in pipes:
            _say(pipe, actor.messages)
        for actor, pipe in pipes:
            _look(actor, pipe, oracle)
    finally:
        for _, pipe in pipes:
            pipe.close()
    oracle.check()


def _say(pipe: Pipe, messages: tuple[bytes, ...]) -> None:
    if isinstance(pipe, LongPoll):
        # Where sends are refused the transport has ended: that is an answer.
        with contextlib.suppress(ConnectionError):
            pipe.say(*messages)
    else:
        pipe.say(*messages)


def _look(actor: Actor, pipe: Pipe, oracle: Oracle) -> None:
    with contextlib.suppress(ConnectionError):
        heard = pipe.ended() if isinstance(pipe, LongPoll) else oracle.settled(pipe)
        for data in heard:
            try:
                message = LOAD[actor.serializer](data)
            except Exception as error:
                raise Finding(f"{actor.serializer} that cannot be read ({error}): {data[:500]!r}") from None
            if not isinstance(message, list) or message[0] not in KNOWN:
                raise Finding(f"a router does not say {message}"[:1000])
    if pipe.close_code in FORBIDDEN_CODES:
        raise Finding(f"closed with {pipe.close_code}")
    if isinstance(pipe, LongPoll) and any(status >= 500 for status, _, _ in pipe.answers):
        raise Finding(f"long-poll answers {pipe.answers}"[:1000])


def fewer(actors: list[Actor], fails: Callable[[list[Actor]], bool]) -> list[Actor]:
    """A smaller burst that still fails: one actor if one will do, and as few of its messages as it takes."""
    for actor in actors:
        if fails([actor]):
            actors = [actor]
            break
    for at, actor in enumerate(actors):
        messages = list(actor.messages)
        step = len(messages) // 2
        while step:
            for first in range(0, len(messages), step):
                rest = messages[:first] + messages[first + step :]
                trial = [*actors[:at], replace(actor, messages=tuple(rest)), *actors[at + 1 :]]
                if rest and fails(trial):
                    messages, actors = rest, trial
                    break
            else:
                step //= 2
    return actors
