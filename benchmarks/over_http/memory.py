"""What an idle connection of each kind takes: resident memory of a fresh server, before and after."""

from __future__ import annotations

import argparse
import contextlib
import functools
import select
import socket
import time
from collections.abc import Callable

from harness import SUBSCRIBE, SUBSCRIBED, WebSocket

from over_http.loads import KEY, TOPIC, Row, Wrong, in_turn, markdown, middle, radiod

UPGRADE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: d3Nsb2FkLWJlbmNobWFyaw==\r\n"
)


def http(port: int, path: str, headers: str, status: int | None, body: bytes = b"") -> socket.socket:
    """A connection on which one request was answered with this status; None: it still waits."""
    connection = socket.create_connection(("127.0.0.1", port), 30)
    method = "POST" if body else "GET"
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAPI-KEY: {KEY}\r\n{headers}"
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    connection.sendall(f"{head}{length}\r\n".encode() + body)
    if status is not None:
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += (data := connection.recv(1 << 16))
            if not data:
                break
        if int(answer[9:12] or b"0") != status:
            raise Wrong(f"{path}: {answer[:200]!r}")
    return connection


def wamp(port: int) -> socket.socket:
    """A session that listens."""
    session = WebSocket(port, "/ws")
    session.request(SUBSCRIBE, {}, TOPIC)
    session.expect(SUBSCRIBED)
    return session.socket


POLL = "waiting poll"
LISTEN = f"/listen/{TOPIC}"
SAMPLE = f'{{"network": "{TOPIC}", "data": {{}}}}'.encode()
KINDS: dict[str, Callable[[int], socket.socket]] = {
    "keep-alive HTTP, after a POST": lambda port: http(port, "/publish", "", 200, SAMPLE),
    "SSE": lambda port: http(port, LISTEN, "Accept: text/event-stream\r\n", 200),
    "NDJSON": lambda port: http(port, LISTEN, "Accept: application/x-ndjson\r\n", 200),
    POLL: lambda port: http(port, f"{LISTEN}?wait=60", "", None),
    "plain WebSocket": lambda port: http(port, LISTEN, UPGRADE, 101),
    "WAMP WebSocket, subscribed": wamp,
}


def one(options: argparse.Namespace, kind: str) -> Row:
    """One kind, on a fresh server; the first connections, for which modules may be loaded, do not count."""
    connect = KINDS[kind]
    with radiod(options) as server, contextlib.ExitStack() as stack:
        hold = [stack.enter_context(connect(server.port)) for _ in range(options.connections // 20)]
        time.sleep(options.settle)
        before = server.resident_kib()
        hold += [stack.enter_context(connect(server.port)) for _ in range(options.connections)]
        time.sleep(options.settle)
        after = server.resident_kib()
        alive = sum(is_open(connection) for connection in hold)
        if alive != len(hold):
            raise Wrong(f"{len(hold) - alive} of {len(hold)} connections were closed")
        if kind == POLL and any(was_told(connection) for connection in hold):
            raise Wrong("polls do not wait")
    return {"kib": (after - before) / options.connections, "other_cpu_pct": 0}


def is_open(connection: socket.socket) -> bool:
    """Whether neither side has closed."""
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) == b"\1"


def was_told(connection: socket.socket) -> bool:
    """Whether an answer is there that nobody has read."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))


def measure(options: argparse.Namespace) -> dict[str, list[Row]]:
    """All kinds, in turn."""
    variants = {kind: functools.partial(one, options, kind) for kind in KINDS}
    return in_turn("memory", variants, options.repeat)


def table(rows: dict[str, list[Row]]) -> str:
    """KiB for each connection."""
    lines = [
        [kind, f"{middle(found, 'kib'):.1f}", " ".join(f"{row['kib']:.1f}" for row in found)]
        for kind, found in rows.items()
    ]
    return markdown("idle connection|resident KiB|rounds", lines)
