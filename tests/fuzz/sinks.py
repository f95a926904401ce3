"""Sinks: whatever stands in a text, heads of answers and lines of the log (see the oracle) stay clean."""

from __future__ import annotations

import re
from random import Random
from typing import Any
from urllib.parse import quote

from fuzz.pipes import ROLES, SERIALIZERS, Pipe, RawSocket, WebSocket, frame, request, upgrade
from fuzz.target import Finding, Oracle
from fuzz.values import encoded

__all__ = ["ACTS", "play_http", "play_wamp"]

ACTS = ("\r\n", "\n", "\r", "\x1b[31m", "\0", "\x9b2J", "\x85", "\u2028", "\u2029", "\x7f", "\b", "\u202e")
"""What acts on whoever reads it as one line of text."""

UNCLEAN = re.compile(rb"[^\x20-\x7e\r\n]|\r(?!\n)|(?<!\r)\n")


def text(random: Random) -> str:
    """A text with something in it that acts, and with what would be seen if it did."""
    return f"a{random.choice(ACTS)}X-Evil:{random.choice(ACTS)}yes{random.choice(('', random.choice(ACTS)))}"


def _wamp_messages(evil: str) -> list[tuple[str, list[Any]]]:
    """(stage, message): a text in every field that takes one."""
    roles = {"roles": ROLES}
    return [
        ("hello", [1, evil, roles]),
        ("hello", [1, "radio", {**roles, "authid": evil, "authmethods": ["ticket"]}]),
        ("hello", [1, "radio", {**roles, "authmethods": [evil]}]),
        ("hello", [1, "radio", {**roles, "agent": evil, "authextra": {evil: evil}}]),
        ("hello", [1, "radio", {"roles": {evil: {"features": {evil: True}}}}]),
        ("hello", [1, "radio", {evil: 1}]),
        ("hello", [3, {"message": evil}, evil]),
        ("hello", [5, evil, {evil: evil}]),
        ("hello", [evil]),
        ("login", [5, evil, {evil: evil}]),
        ("session", [6, {"message": evil}, evil]),
        ("session", [3, {"message": evil}, evil]),
        ("session", [16, 1, {"acknowledge": True, "_radiod_stream": evil}, evil, [evil], {evil: evil}]),
        (
            "session",
            [16, 1, {"acknowledge": True, "exclude_authid": [evil], "_radiod_key": evil}, "a", [evil]],
        ),
        ("session", [16, 1, {"acknowledge": evil}, "a"]),
        ("session", [32, 1, {"match": evil}, evil]),
        ("session", [32, 1, {"_radiod_after": evil, "_radiod_buffer": {evil: evil}}, "a"]),
        ("session", [64, 1, {"invoke": evil}, evil]),
        ("session", [64, 1, {"_radiod_signature": {evil: evil}}, "a.b"]),
        ("session", [48, 1, {"x": evil}, evil, [evil]]),
        ("session", [48, 1, {"enc_algo": evil}, "radiod.echo", [evil]]),
        ("session", [48, 1, {}, "radiod.channel.create", [evil]]),
        ("session", [48, 1, {}, "radiod.channel.create", ["a.c"], {evil: evil}]),
        ("session", [48, 1, {}, "wamp.session.kill_all", [], {"reason": evil, "message": evil}]),
        ("owner", [48, 1, {}, "wamp.session.kill_by_authid", ["nobody"], {"reason": evil, "message": evil}]),
        ("owner", [48, 1, {}, "wamp.session.kill_by_authid", [evil]]),
        ("session", [48, 1, {}, "radiod.rpc.document", ["a.b", {"doc": evil}]]),
        ("session", [8, 68, 1, {evil: evil}, evil, [evil]]),
        ("session", [70, 1, {evil: evil}, [evil]]),
        ("session", [evil, evil]),
    ]


def play_wamp(random: Random, oracle: Oracle) -> None:
    """Each message, on a connection of its own. Raises: Finding."""
    for stage, message in _wamp_messages(text(random)):
        serializer = random.choice(SERIALIZERS)
        kind: type[Pipe] = random.choice((WebSocket, RawSocket))
        pipe = kind(oracle.target.port, serializer)
        if stage == "login":
            pipe.ask([1, "radio", {"roles": ROLES, "authmethods": ["ticket"], "authid": "owner"}])
        elif stage != "hello":
            pipe.join("owner" if stage == "owner" else None)
        pipe.say(encoded(serializer, message))
        oracle.settled(pipe)
        pipe.close()
    oracle.check()


def play_http(random: Random, oracle: Oracle) -> None:
    """Each place of a request, on a connection of its own. Raises: Finding."""
    evil = text(random)
    once, twice, raw = (
        quote(evil),
        quote(quote(evil)),
        evil.encode("utf-8", "surrogatepass").decode("latin-1"),
    )
    folded = raw.replace("\r", "").replace("\n", "").replace("\0", "")
    words = (once, twice, raw, folded)
    requests = []
    for word in words:
        for path in (
            "/",
            "/listen/",
            "/channels/",
            "/lp/",
            "/lp/x/",
            "/ws",
            "/static/",
            "/listen/a?last=",
            "/listen/a?after=",
            "/channels?after=",
        ):
            requests += [
                request("GET", path + word),
                upgrade(path + word),
                request("POST", path + word, b"{}"),
                request(f"G{word}", path),
            ]
        for name in ("Host", "Origin", "API-KEY", "Authorization", "Accept", "Cookie", "Last-Event-ID",
        "X-Forwarded-For", "Forwarded", "Expect",
                     "Content-Type", "Channel-Key", "Idempotency-Key", "Transfer-Encoding", "Upgrade",
                     f"X{word}"):  # fmt: skip
            requests += [
                request("GET", "/listen/a?wait=0", b"", [f"{name}: {word}"]),
                request("POST", "/publish", b"{}", [f"{name}: {word}"]),
            ]
        for name in ("Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions", "Sec-WebSocket-Version", "Origin"):
            requests += [upgrade("/ws", f"{name}: {word}\r\n"), upgrade("/listen/a", f"{name}: {word}\r\n")]
    for body in (
        {"network": evil, "data": {evil: evil}},
        {"topic": evil, "args": [evil]},
        {"protocols": [evil]},
        evil,
        {"topic": "a", "options": evil},
    ):
        data = encoded("json", body)
        requests += [
            request("POST", path, data, ["API-KEY: sample-key"])
            for path in ("/publish", "/lp/open", "/lp/x/send")
        ]
    for data in random.sample(requests, 60):
        pipe = Pipe(oracle.target.port)
        pipe.send(data + frame(0x88, b"\x03\xe8" + evil.encode()))
        answer = b"".join(oracle.settled(pipe))
        pipe.close()
        head_is_clean(answer, data)
    oracle.check()


def head_is_clean(answer: bytes, data: bytes) -> None:
    """Raises: Finding: something of the request acts in the head of the answer."""
    if not answer.startswith(b"HTTP/"):
        return
    head = answer.partition(b"\r\n\r\n")[0]
    if UNCLEAN.search(head) or re.search(rb"(?im)^x-evil", head):
        raise Finding(f"the head of an answer is not clean: {head!r} for {data!r}")
