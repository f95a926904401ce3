"""Many listeners of all kinds at once, in one thread, and how each of them ended."""

from __future__ import annotations

import json
import re
import resource
import select
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from support.memory import HELLO, client_frame, upgrade

__all__ = ["KINDS", "Crowd", "Listener", "allow_files"]

SECONDS = 20

POLITE = [1, "radio", {**HELLO[2], "_radiod_goodbye": True}]


def _frame(message: Any) -> bytes:
    return client_frame(0x81, json.dumps(message).encode())


def _raw(message: Any) -> bytes:
    data = json.dumps(message).encode()
    return len(data).to_bytes(4, "big") + data


class Kind(NamedTuple):
    """What it says in turn, each with what it waits for then; and what it says when it is sent away."""

    steps: tuple[tuple[bytes, bytes], ...]
    told: bytes
    reply: bytes = b""


def _get(path: str, accept: str = "*/*") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n".encode()


SUBSCRIBE = [32, 1, {}, "sample_net"]
END_OF_HEAD = b"\r\n\r\n"
WEBSOCKET = upgrade("/ws", "wamp.2.json")
CLOSE = client_frame(0x88, (1000).to_bytes(2, "big"))
KINDS: dict[str, Kind] = {
    "websocket": Kind(
        ((WEBSOCKET, END_OF_HEAD), (_frame(HELLO), b"[2,"), (_frame(SUBSCRIBE), b"[33,")),
        rb"\x03\xf4retry_after=([\d.]+)",
        CLOSE,
    ),
    "polite": Kind(
        ((WEBSOCKET, END_OF_HEAD), (_frame(POLITE), b"[2,"), (_frame(SUBSCRIBE), b"[33,")),
        rb'\[6,\{"_retry_after":([\d.]+)\},"wamp.close.system_shutdown"\]',
        _frame([6, {}, "wamp.close.goodbye_and_out"]) + CLOSE,
    ),
    "plain": Kind(((upgrade("/listen/sample_net"), END_OF_HEAD),), rb"\x03\xe9retry_after=([\d.]+)", CLOSE),
    "rawsocket": Kind(
        ((b"\x7f\xf1\0\0", b"\x7f"), (_raw(HELLO), b"[2,"), (_raw(SUBSCRIBE), b"[33,")), rb"()$"
    ),
    "sse": Kind(((_get("/listen/sample_net", "text/event-stream"), END_OF_HEAD),), rb"retry: (\d+)\n\n"),
    "lines": Kind(
        ((_get("/listen/sample_net", "application/x-ndjson"), END_OF_HEAD),), rb'\{"retry": (\d+)\}\n\n'
    ),
    "poll": Kind(((_get("/listen/sample_net?wait=60"), b""),), rb"HTTP/1.1 204 [^$]*Retry-After: (\d+)"),
}
"""Each listens to ``sample_net``."""


class Listener:
    """One of them. ``ended``: when it was sent away, or cut, None: it was not; ``heard``: since it is in."""

    def __init__(self, name: str, address: Any, context: ssl.SSLContext | None, buffer: int | None) -> None:
        self.name = name
        self.kind = KINDS[name]
        self.heard = b""
        self.ended: float | None = None
        plain = socket.socket()
        if buffer is not None:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        plain.settimeout(SECONDS)
        plain.connect(address)
        self.socket = plain if context is None else context.wrap_socket(plain)
        for said, wanted in self.kind.steps:
            self.socket.sendall(said)
            data = b""
            while wanted not in data:
                more = self.socket.recv(65536)
                assert more, (name, data)
                data += more

    def read(self) -> bool:
        """Take what came. Returns: whether its connection has ended."""
        try:
            data = self.socket.recv(65536)
        except ssl.SSLWantReadError:
            return False
        except OSError:
            data = b""
        self.heard += data
        if self.ended is None and (not data or self.wait is not None):
            self.ended = time.monotonic()
            if data and self.kind.reply:
                self.socket.sendall(self.kind.reply)
            # Who polls is sent away by an answer.
            return not data or self.name == "poll"
        return not data

    @property
    def wait(self) -> float | None:
        """Seconds after which it was told to come back; None: it was told nothing."""
        found = re.search(self.kind.told, self.heard)
        if found is None or not found[1]:
            return None
        seconds = float(found[1])
        return seconds / 1000 if self.name in ("sse", "lines") else seconds


class Crowd:
    """So many, of all ``kinds`` in turn, that are in when this is made; a context manager."""

    def __init__(
        self,
        port: int,
        count: int,
        kinds: tuple[str, ...] = tuple(KINDS),
        *,
        context: ssl.SSLContext | None = None,
        buffer: int | None = None,
    ) -> None:
        address = ("127.0.0.1", port)
        self.all = [Listener(kinds[n % len(kinds)], address, context, buffer) for n in range(count)]

    def __enter__(self) -> Crowd:
        return self

    def __exit__(self, *failure: object) -> None:
        for one in self.all:
            one.socket.close()

    def __iter__(self) -> Iterator[Listener]:
        return iter(self.all)

    def watch(self, seconds: float, look: Callable[[], object] | None = None) -> None:
        """Until all have ended, or so much time has passed. ``look`` is called now and then."""
        until = time.monotonic() + seconds
        poll = select.epoll()
        there = {one.socket.fileno(): one for one in self.all}
        for number, one in there.items():
            one.socket.setblocking(False)
            poll.register(number, select.EPOLLIN)
        while there and time.monotonic() < until:
            for number, _ in poll.poll(0.1):
                if there[number].read():
                    poll.unregister(number)
                    del there[number]
            if look is not None:
                look()
        poll.close()

    def tenths(self, began: float, seconds: float) -> list[int]:
        """How many ended in each tenth of the time since then."""
        counts = [0] * 10
        for one in self.all:
            assert one.ended is not None, one.name
            counts[max(0, min(9, int(10 * (one.ended - began) / seconds)))] += 1
        return counts


def allow_files(count: int) -> None:
    """Let this process have so many open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))
