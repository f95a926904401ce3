#!/usr/bin/env python3
"""What it costs to read one HTTP request: ours, llhttp (httptools) with and without the same checks, and h11.

    python benchmarks/http_parsers.py             needs httptools and h11, which the tests' extra has

One keep-alive POST of nine fields and 91 bytes, with its length and in two chunks. Microseconds, the best
of 15 rounds of all readers in turn, so that what else runs here disturbs none more than another.
"""

from __future__ import annotations

import sys
import timeit
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Python's own ``http`` and not the script beside this one.
sys.path[:] = [path for path in sys.path if Path(path or ".").resolve() != HERE]

import h11  # noqa: E402
import httptools  # noqa: E402

from radiod.core.build import BUILD  # noqa: E402
from radiod.wire.bodies import body_of  # noqa: E402
from radiod.wire.heads import END_OF_HEAD, HOST, Head, read_head  # noqa: E402

BODY = b'{"network": "sample_net", "data": {"time": "2026-11-27T12:00:00Z", "values": [21.5, 22.25]}}'
FIELDS = (
    b"POST /publish HTTP/1.1\r\nHost: radio.example.org\r\nUser-Agent: python-requests/2.32\r\n"
    b"Accept-Encoding: gzip, deflate\r\nAccept: */*\r\nConnection: keep-alive\r\n"
    b"API-KEY: 0123456789abcdef0123\r\nContent-Type: application/json\r\nX-Request: 1\r\n"
)
SIZED = FIELDS + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
CHUNKED = (
    FIELDS
    + b"Transfer-Encoding: chunked\r\n\r\n"
    + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (BODY[:40], BODY[40:], b""))
)
LIMIT = 1 << 20
ROUNDS = 15
NUMBER = 3000


def ours(data: bytes) -> Callable[[], object]:
    """Find the head, read it, and take the body."""

    def read() -> bytes:
        end = data.index(END_OF_HEAD) + 4
        return taken(read_head(data[:end]), data[end:])

    return read


def ours_again(data: bytes) -> Callable[[], object]:
    """The same, where the head is that of the request before."""
    end = data.index(END_OF_HEAD) + 4
    last, head = data[:end], read_head(data[:end])

    def read() -> bytes:
        end = data.index(END_OF_HEAD) + 4
        found = data[:end]
        return taken(head if found == last else read_head(found), data[end:])

    return read


def taken(head: Head, rest: bytes) -> bytes:
    """A body that is all there."""
    body = body_of(head, LIMIT)
    return b"" if body is None else body.take(rest)


class Seen:
    """What llhttp's callbacks collect."""

    def __init__(self) -> None:
        self.fields: list[tuple[bytes, bytes]] = []
        self.url = self.body = b""

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.lower(), value))

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        """All there."""


def llhttp(data: bytes, *, is_checked: bool) -> Callable[[], object]:
    """A parser of a connection that goes on, request after request."""
    seen = Seen()
    parser = httptools.HttpRequestParser(seen)

    def read() -> bytes:
        seen.fields, seen.url, seen.body = [], b"", b""
        parser.feed_data(data)
        if is_checked:
            check(parser, seen, data)
        return seen.body

    return read


def check(parser: httptools.HttpRequestParser, seen: Seen, data: bytes) -> None:
    """What llhttp lets through and radiod does not; for two spaces and sizes the raw bytes are read again."""
    if data.find(END_OF_HEAD, 0, 16_384) < 0 or len(seen.url) > 8192 or len(seen.fields) > 100:
        raise ValueError
    line = data[: data.index(b"\r\n")]
    if line.count(b" ") != 2 or parser.get_http_version() not in ("1.1", "1.0"):
        raise ValueError
    by_name = dict(reversed(seen.fields))
    if len(by_name) != len(seen.fields):
        names = [name for name, _ in seen.fields]
        if any(names.count(name) > 1 for name in (b"host", b"content-length", b"api-key", b"authorization")):
            raise ValueError
    host = by_name.get(b"host")
    if host is None or not HOST.fullmatch(host):
        raise ValueError
    coding = by_name.get(b"transfer-encoding")
    if coding is not None and (coding.lower() != b"chunked" or parser.get_http_version() == "1.0"):
        raise ValueError
    expected = by_name.get(b"expect")
    if expected is not None and expected.lower() != b"100-continue":
        raise ValueError
    if int(by_name.get(b"content-length", b"0")) > LIMIT:
        raise ValueError


def by_h11(data: bytes) -> Callable[[], object]:
    """A server that answers each request, which it must before the next."""
    server = h11.Connection(h11.SERVER)
    answer = h11.Response(status_code=200, headers=[("Content-Length", "0")])

    def read() -> bytes:
        server.receive_data(data)
        server.next_event()
        body = b""
        while isinstance(event := server.next_event(), h11.Data):
            body += event.data
        server.send(answer)
        server.send(h11.EndOfMessage())
        server.start_next_cycle()
        return body

    return read


def main() -> None:
    """The table."""
    readers: dict[str, Callable[[bytes], Callable[[], object]]] = {
        f"ours ({BUILD})": ours,
        f"ours ({BUILD}), a head like the last": ours_again,
        "llhttp, callbacks for all fields": lambda data: llhttp(data, is_checked=False),
        "llhttp, the same checks": lambda data: llhttp(data, is_checked=True),
        "h11 (its answer is in it)": by_h11,
    }
    made = {(name, kind): make(data) for name, make in readers.items() for kind, data in KINDS.items()}
    for read in made.values():
        if read() != BODY:
            raise AssertionError("not the body")
    best = dict.fromkeys(made, 1e9)
    for _ in range(ROUNDS):
        for key, read in made.items():
            best[key] = min(best[key], timeit.timeit(read, number=NUMBER) / NUMBER * 1e6)
    print(f"| {'µs a request':42} | {' | '.join(KINDS)} |\n|---|---|---|")
    for name in readers:
        print(f"| {name:42} | {' | '.join(f'{best[name, kind]:6.2f}' for kind in KINDS)} |")


KINDS = {"length": SIZED, "chunks": CHUNKED}

if __name__ == "__main__":
    main()
