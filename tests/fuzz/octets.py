"""Bytes: heads, frames and chunks, mutated; and whole = chunked = bytewise gives the same answer."""

from __future__ import annotations

import gzip
import json
import re
from random import Random

from fuzz.messages import random_message
from fuzz.pipes import DUMP, ROLES, SERIALIZERS, Pipe, frame, request, upgrade
from fuzz.target import Finding, Oracle
from fuzz.values import Maker, encoded

__all__ = ["burst", "cut", "mutated", "play", "seeds"]

HELLO = [1, "radio", {"roles": ROLES}]
FIELDS = (
    "API-KEY: sample-key", "Accept: text/event-stream", "Accept: application/x-ndjson",
    "Content-Type: application/json", "Connection: close",
    "Expect: 100-continue", "Origin: http://x.example", "Last-Event-ID: 0:0", "Transfer-Encoding: chunked",
    "Content-Length: 5",
    "Host: x", "X-Forwarded-For: 1.2.3.4", "Authorization: Bearer sample-key", "Upgrade: websocket",
    "Connection: upgrade", "Cookie: a=b",
    "Content-Encoding: gzip", "Content-Encoding: br", "Connection: keep-alive", "TE: trailers",
)  # fmt: skip
TARGETS = (
    "/", "/healthz", "/channels", "/channels/sample_net", "/publish", "/listen/sample_net?last=1&wait=0",
    "/listen/a?wait=0", "/lp/open",
    "/ws", "/static/page.css", "/listen/%0d%0aX", "/listen/sample_net?after=0:0&wait=0", "*",
    "http://h/healthz", "/no", "/tokens", "/account", "/listen/a?wait=0&token=e30.e30.AAAA",
)  # fmt: skip
BODIES = (
    b"", b"{}", b"[]", b'{"network":"sample_net","data":{"a":1}}', b'{"topic":"other_net","args":[1]}',
    b'{"protocols":["wamp.2.json"]}',
    b'{"network":1}', b'{"listen":["a"],"ttl":60}', b"\xff\xfe", b'{"network":"other_net","data":[]}',
)  # fmt: skip
TOKENS = (
    b"\r\n", b"\n", b"\r", b"\0", b" ", b":", b"\r\n\r\n", b"%00", b"%", b"?", b"#", b"\xff", b"\x7f",
    b"HTTP/1.1", b"HTTP/9.9", b"0\r\n\r\n",
    b"ffffffffffffffff", b"-1", b",", b";", b"\x85", b"chunked", b"GET ", b"\x1b", b"\x81\x80", b"\x88\x00",
    b"\x7f\xf1\0\0",
)  # fmt: skip


def burst(random: Random, count: int = 12) -> list[bytes]:
    """What each connection of a burst sends."""
    return [
        mutated(random, random.choice(seeds)(random))
        if random.random() < 0.8
        else random.choice(seeds)(random)
        for _ in range(count)
    ]


def _http(random: Random) -> bytes:
    found = b""
    for _ in range(random.choice((1, 1, 2, 3, 3, 20))):
        method = random.choice(("GET", "POST", "GET", "POST", "HEAD", "OPTIONS", "PUT"))
        fields = random.sample(FIELDS, random.randrange(4))
        body = random.choice(BODIES) if method in ("POST", "PUT") else b""
        if random.random() < 0.3 and body:
            body = packed(random, body)
            fields = [field for field in fields if "Encoding" not in field] + ["Content-Encoding: gzip"]
        if random.random() < 0.3 and body:
            head = request(method, random.choice(TARGETS), b"", [*fields, "Transfer-Encoding: chunked"])
            found += head.replace(b"Content-Length: 0\r\n", b"") + chunked(random, body)
        else:
            found += request(method, random.choice(TARGETS), body, fields)
    return found


def chunked(random: Random, body: bytes) -> bytes:
    """A body in chunks, with extensions and trailers now and then."""
    extension = random.choice((b"", b"", b";a", b';a="b"'))
    pieces = [piece for piece in cut(random, body) if piece]
    trailers = random.choice((b"", b"", b"X: y\r\n", b"Content-Length: 3\r\nHost: y\r\n"))
    return (
        b"".join(b"%x%b\r\n%b\r\n" % (len(piece), extension, piece) for piece in pieces)
        + b"0\r\n%b\r\n" % trailers
    )


def packed(random: Random, body: bytes) -> bytes:
    """A body by gzip, of several members now and then, and seldom one that is none or is a small bomb."""
    whole = b"".join(gzip.compress(piece, mtime=0) for piece in cut(random, body))
    kind = random.randrange(8)
    if kind == 0:
        return whole[:-1]
    if kind == 1:
        return whole + b"\0"
    if kind == 2:
        return gzip.compress(bytes(2 << 20), mtime=0)
    return whole


def _websocket(random: Random) -> bytes:
    path = random.choice(("/ws", "/ws", "/ws", "/listen/sample_net", "/no"))
    serializer = random.choice(SERIALIZERS)
    more = f"Sec-WebSocket-Protocol: wamp.2.{serializer}\r\n" if path == "/ws" else ""
    if random.random() < 0.3:
        more += "Sec-WebSocket-Extensions: permessage-deflate\r\n"
    data = upgrade(path, more) + _frames(random, DUMP[serializer](HELLO), serializer)
    maker = Maker(random, serializer)
    for number in range(random.randrange(6)):
        if random.random() < 0.2:
            data += frame(
                random.choice((0x89, 0x8A, 0x88, 0x8B, 0xC1, 0x80)),
                random.randbytes(random.randrange(10)),
                random,
            )
        data += _frames(random, encoded(serializer, random_message(maker, number + 1)), serializer)
    return data


def _frames(random: Random, message: bytes, serializer: str) -> bytes:
    first = 1 if serializer == "json" else 2
    pieces = cut(random, message) if random.random() < 0.3 else [message]
    data = b""
    for at, piece in enumerate(pieces):
        is_last = at == len(pieces) - 1
        data += frame((0x80 if is_last else 0) | (first if at == 0 else 0), piece, random)
    return data


def _rawsocket(random: Random) -> bytes:
    serializer = random.choice(SERIALIZERS)
    data = bytes((0x7F, 0xF0 | {"json": 1, "msgpack": 2, "cbor": 3}[serializer], 0, 0))
    maker = Maker(random, serializer)
    said = [
        DUMP[serializer](HELLO),
        *(encoded(serializer, random_message(maker, n + 1)) for n in range(random.randrange(6))),
    ]
    return data + b"".join(
        bytes((random.choice((0, 0, 0, 1, 2, 3)),)) + len(one).to_bytes(3, "big") + one for one in said
    )


seeds = (_http, _http, _websocket, _rawsocket)
"""Each makes what one well-behaved connection sends."""


def mutated(random: Random, data: bytes) -> bytes:
    """``data`` with a few bytes, tokens or pieces changed, doubled, moved or left out."""
    found = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 4))):
        at = random.randrange(len(found) + 1)
        to = min(len(found), at + random.choice((1, 2, 8, 60)))
        kind = random.randrange(6)
        if kind == 0 and at < len(found):
            found[at] ^= 1 << random.randrange(8)
        elif kind == 1:
            found[at:at] = random.choice(TOKENS)
        elif kind == 2:
            del found[at:to]
        elif kind == 3:
            found[at:at] = found[at:to] * random.choice((1, 2, 20))
        elif kind == 4:
            found[at:to] = random.choice(TOKENS)
        else:
            found[at:to] = random.randbytes(to - at)
    return bytes(found)


def cut(random: Random, data: bytes) -> list[bytes]:
    """``data`` in pieces."""
    places = sorted(random.randrange(len(data) + 1) for _ in range(random.randrange(1, 5)))
    return [data[first:last] for first, last in zip([0, *places], [*places, len(data)], strict=True)]


def play(inputs: list[bytes], random: Random, oracle: Oracle) -> None:
    """Send each whole, in pieces and byte by byte; the answers must be alike. Raises: Finding."""
    for data in inputs:
        whole = _answer(oracle, [data])
        _check(whole, data)
        # What changes the world changes later answers: only the heads of what is read can be compared.
        for way, pieces in (
            ("in pieces", cut(random, data)),
            ("byte by byte", [data[at : at + 1] for at in range(len(data))]),
        ):
            if len(pieces) > 3000:
                continue
            again = _answer(oracle, pieces)
            if again != whole:
                _compare(oracle, way, pieces, data)
    oracle.check()


def _compare(oracle: Oracle, way: str, pieces: list[bytes], data: bytes) -> None:
    """Look again, for longer: what was sent may have changed the world. Raises: Finding."""
    for _ in range(4):
        whole, again = _answer(oracle, [data], LATE), _answer(oracle, pieces, LATE)
        if whole == again:
            return
    raise Finding(f"{way} gives\n{again!r}\nwhole gives\n{whole!r}\nfor {data.hex()}")


LATE = 60
"""Answers to others, after which all has come that does not wait for a clock."""


def _answer(oracle: Oracle, pieces: list[bytes], turns: int = 5) -> bytes:
    """What is answered, without what is new each time: ids, dates, keys."""
    pipe = Pipe(oracle.target.port)
    try:
        for piece in pieces:
            if piece and not pipe.is_closed:
                pipe.send(piece)
        return normal(b"".join(oracle.settled(pipe, turns)))
    finally:
        pipe.close()


def normal(data: bytes) -> bytes:
    """An answer's kinds alone: status lines, and first bytes of WAMP, since much else is new each time."""
    statuses = re.findall(rb"HTTP/1\.1 (\d{3})", data)
    return b" ".join(statuses) if statuses else data[:4]


def _check(answer: bytes, data: bytes) -> None:
    if any(
        status.isdigit() and status >= b"500" and status not in (b"501", b"503", b"505")
        for status in answer.split()
    ):
        raise Finding(f"answered {answer!r} for {data.hex()}")


def shown(inputs: list[bytes]) -> str:
    """For a report."""
    return json.dumps([data.hex() for data in inputs])
