"""One upload of lines that never ends, nearly: its CPU, memory, and when the first result is there."""

from __future__ import annotations

import argparse
import functools
import json
import select
import socket
from collections.abc import Iterator

from harness import Neighbours, Server, cpu_seconds

from over_http.loads import KEY, TOPIC, Row, Wrong, ask, in_turn, markdown, middle, notes, radiod

LINE = json.dumps({"network": TOPIC, "data": {"sample": "x" * 54}}).encode() + b"\n"
BLOCK = LINE * 640
KIND = "Content-Type: application/x-ndjson\r\n"
WAYS = {"a result for each line": "", "Prefer: return=minimal": "Prefer: return=minimal\r\n"}


def upload(port: int, blocks: int, prefer: str) -> Iterator[tuple[int, bytes]]:
    """Send, and read beside it. Yields: bytes of lines sent so far, what came."""
    connection = socket.create_connection(("127.0.0.1", port), 30)
    with connection:
        head = f"POST /publish HTTP/1.1\r\nHost: localhost\r\nAPI-KEY: {KEY}\r\n{KIND}{prefer}"
        connection.sendall(f"{head}Content-Length: {blocks * len(BLOCK)}\r\n\r\n".encode())
        connection.setblocking(False)
        total, sent, tail = blocks * len(BLOCK), 0, b""
        while not tail.endswith(b"\r\n0\r\n\r\n"):
            readable, writable, _ = select.select([connection], [connection] if sent < total else [], [], 60)
            if not readable and not writable:
                raise Wrong("nothing goes on")
            if readable:
                data = connection.recv(1 << 18)
                if not data:
                    raise Wrong(f"hung up after {sent} bytes: {tail!r}")
                if not tail and not data.startswith(b"HTTP/1.1 200"):
                    raise Wrong(f"{data[:300]!r}")
                tail = (tail + data)[-300:]
                yield sent, data
            if writable:
                sent += connection.send(memoryview(BLOCK)[sent % len(BLOCK) :][: total - sent])


def one(server: Server, options: argparse.Namespace, prefer: str) -> Row:
    """One upload."""
    blocks = max(1, options.megabytes * 1_000_000 // len(BLOCK))
    before, cpu, neighbours = server.resident_kib(), cpu_seconds(server.pid), Neighbours(server.pid)
    first, most, rest, good = -1, before, b"", 0
    for number, (sent, data) in enumerate(upload(server.port, blocks, prefer)):
        if first < 0 and b'"OK"' in data:
            first = sent
        rest += data
        good += rest.count(b'"OK"')
        rest = rest[-300:] if prefer else rest[max(rest.rfind(b'"OK"') + 4, len(rest) - 3) :]
        if number % 50 == 49:
            most = max(most, server.resident_kib())
    most = max(most, server.resident_kib())
    lines = blocks * 640
    if prefer and b'"failed":0' not in rest.replace(b" ", b""):
        raise Wrong(f"it ends with {rest!r}")
    if not prefer and good != lines:
        raise Wrong(f"{good} of {lines} lines were published")
    return {
        "us": 1e6 * (cpu_seconds(server.pid) - cpu) / lines,
        "mib": (most - before) / 1024,
        "first": first,
        "lines": lines,
        "other_cpu_pct": neighbours.percent(),
    }


def measure(options: argparse.Namespace) -> dict[str, list[Row]]:
    """Both ways, in turn, on one server; nothing where there are no uploads."""
    with radiod(options) as server:
        status, _ = ask(server.port, "POST", "/publish", LINE + LINE, KIND)
        if status != 200:
            print(f"upload: skipped, this server answers {status}")
            return {}
        variants = {name: functools.partial(one, server, options, prefer) for name, prefer in WAYS.items()}
        return in_turn("upload", variants, options.repeat)


def table(rows: dict[str, list[Row]]) -> str:
    """CPU for each line, memory, when results begin."""
    lines = [
        [
            name,
            f"{middle(found, 'lines'):,.0f}",
            f"{middle(found, 'us'):.1f}",
            f"{max(row['mib'] for row in found):.1f}",
            "at the end" if middle(found, "first") < 0 else f"{middle(found, 'first') / 1000:,.0f} kB",
            notes(found),
        ]
        for name, found in rows.items()
    ]
    heads = "upload|lines|µs CPU a line|resident memory grows by, MiB|sent before the first result|"
    return markdown(heads, lines) if lines else ""
