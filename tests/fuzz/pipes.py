"""Byte-level clients: what is sent is given as bytes, what came is read as bytes."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import socket
import time
import zlib
from collections.abc import Iterable
from random import Random
from typing import Any

import cbor2
import msgpack

__all__ = [
    "DUMP",
    "LOAD",
    "SERIALIZERS",
    "LongPoll",
    "Pipe",
    "RawSocket",
    "WebSocket",
    "http",
    "loaded",
    "request",
]

SECONDS = 20.0
"""How long an answer may take at all."""

SERIALIZERS = ("json", "msgpack", "cbor")
NUMBERS = {"json": 1, "msgpack": 2, "cbor": 3}
DUMP = {
    "json": lambda value: json.dumps(value).encode("utf-8", "surrogatepass"),
    "msgpack": lambda value: msgpack.packb(value),
    "cbor": lambda value: cbor2.dumps(value),
}
LOAD = {
    "json": json.loads,
    "msgpack": lambda data: msgpack.unpackb(data, strict_map_key=False),
    "cbor": cbor2.loads,
}
ROLES = {
    "publisher": {"features": {"payload_passthru_mode": True}},
    "subscriber": {"features": {"payload_passthru_mode": True}},
    "caller": {
        "features": {
            "call_canceling": True,
            "progressive_call_invocations": True,
            "progressive_call_results": True,
            "payload_passthru_mode": True,
        }
    },
    "callee": {
        "features": {
            "call_canceling": True,
            "progressive_call_invocations": True,
            "progressive_call_results": True,
            "payload_passthru_mode": True,
        }
    },
}


def _another_address() -> str:
    """One of this machine's own: what one stranger did is not to be held against the next."""
    return ".".join(["127", *(str(1 + byte % 254) for byte in os.urandom(3))])


class Pipe:
    """One connection. ``framed`` says how WAMP messages go onto it, ``unframed`` how they come off.

    Args:
        port: of TCP; or the path of a Unix socket.
    """

    def __init__(self, port: int | str, serializer: str = "json", receive_buffer: int | None = None) -> None:
        self.port = port
        self.serializer = serializer
        self.socket = socket.socket(socket.AF_UNIX if isinstance(port, str) else socket.AF_INET)
        self.socket.settimeout(SECONDS)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if isinstance(port, str):
            self.socket.connect(port)
        else:
            self.socket.bind((_another_address(), 0))
            self.socket.connect(("127.0.0.1", port))
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.unread = b""
        self.is_closed = False
        self.close_code: int | None = None
        self._messages: list[bytes] = []

    def framed(self, message: bytes) -> bytes:
        """One message, as it is sent."""
        return message

    def unframed(self) -> list[bytes]:
        """Take the complete messages out of ``unread``."""
        data, self.unread = self.unread, b""
        return [data] if data else []

    def send(self, data: bytes) -> None:
        """Send bytes as they are; what a server that has hung up does not take is nobody's loss.

        Whatever comes meanwhile is kept: a server that waits for us to read need not wait for ever.
        """
        view, end = memoryview(data), time.monotonic() + SECONDS
        self.socket.setblocking(False)
        try:
            while view and not self.is_closed:
                readable, writable, _ = select.select([self.socket], [self.socket], [], SECONDS)
                if readable:
                    self._receive()
                elif writable:
                    try:
                        view = view[self.socket.send(view) :]
                    except OSError:
                        self.is_closed = True
                if time.monotonic() > end:
                    raise TimeoutError("the server takes nothing any more")
        finally:
            self.socket.settimeout(SECONDS)

    def say(self, *messages: bytes) -> None:
        """Send messages in one write."""
        self.send(b"".join(map(self.framed, messages)))

    def _receive(self) -> None:
        try:
            data = self.socket.recv(1 << 18)
        except (ConnectionError, TimeoutError):
            data = b""
        self.is_closed = self.is_closed or not data
        self.unread += data

    def hear(self, seconds: float = SECONDS) -> list[bytes]:
        """The next messages: at least one, if any comes within the time and before the end."""
        end = time.monotonic() + seconds
        while not (found := self._take()) and not self.is_closed:
            if not select.select([self.socket], [], [], max(0.0, end - time.monotonic()))[0]:
                return []
            self._receive()
        return found

    def _take(self) -> list[bytes]:
        found, self._messages = self._messages + self.unframed(), []
        return found

    def ask(self, message: Any, *, lenient: bool = False) -> Any:
        """Say one message, given as a value; returns the answer. ConnectionError: there is none."""
        self.say(DUMP[self.serializer](message))
        return self.next(lenient=lenient)

    def next(self, *, lenient: bool = False) -> Any:
        """The next message, decoded. ConnectionError: none comes."""
        found = self.hear()
        if not found:
            if lenient:
                return None
            raise ConnectionError("no answer")
        self._messages = found[1:]
        return LOAD[self.serializer](found[0])

    def join(self, authid: str | None = None, **details: Any) -> int:
        """Open a session, with the ticket ``<authid>-ticket`` if it has a user; returns its id."""
        hello: dict[str, Any] = {"roles": ROLES, **details}
        if authid is not None:
            hello |= {"authmethods": ["ticket"], "authid": authid}
        answer = self.ask([1, "radio", hello])
        if answer[0] == 4:
            answer = self.ask([5, f"{authid}-ticket", {}])
        assert answer[0] == 2, answer
        return int(answer[1])

    def close(self) -> None:
        """Hang up."""
        self.socket.close()


class WebSocket(Pipe):
    """WAMP over WebSocket; ``batched``: the subprotocol of that name."""

    def __init__(
        self, port: int, serializer: str = "json", batched: bool = False, path: str = "/ws", **more: Any
    ) -> None:
        super().__init__(port, serializer, **more)
        self.batched = batched
        name = f"wamp.2.{serializer}" + (".batched" if batched else "")
        protocol = f"Sec-WebSocket-Protocol: {name}\r\n" if path == "/ws" else ""
        self.socket.sendall(upgrade(path, protocol))
        while b"\r\n\r\n" not in self.unread and not self.is_closed:
            self._receive()
        head, _, self.unread = self.unread.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101"), head[:200]

    def framed(self, message: bytes) -> bytes:
        return frame(0x81 if self.serializer == "json" else 0x82, self.batch([message]))

    def batch(self, messages: Iterable[bytes]) -> bytes:
        """Messages as the payload of one frame."""
        if not self.batched:
            return b"".join(messages)
        if self.serializer == "json":
            return b"".join(message + b"\x1e" for message in messages)
        return b"".join(len(message).to_bytes(4, "big") + message for message in messages)

    def unframed(self) -> list[bytes]:
        found = []
        for opcode, payload in self.frames():
            if opcode in (1, 2):
                found += unbatched(payload, self.serializer) if self.batched else [payload]
            elif opcode == 8:
                # The server waits for an answer; for us it is over.
                self.close_code = int.from_bytes(payload[:2], "big")
                self.is_closed = True
            elif opcode == 9:
                with contextlib.suppress(OSError):
                    self.socket.sendall(frame(0x8A, payload))
        return found

    def frames(self) -> list[tuple[int, bytes]]:
        """Take the complete frames out of ``unread``."""
        found, data = [], self.unread
        while len(data) >= 2:
            size, head = data[1] & 0x7F, 2
            if size > 125:
                head = 4 if size == 126 else 10
                size = int.from_bytes(data[2:head], "big")
            if len(data) < head + size:
                break
            payload = data[head : head + size]
            if data[0] & 0x40:
                payload = zlib.decompressobj(-15).decompress(payload + b"\x00\x00\xff\xff")
            found.append((data[0] & 0x0F, payload))
            data = data[head + size :]
        self.unread = data
        return found


class RawSocket(Pipe):
    """WAMP over RawSocket."""

    def __init__(self, port: int | str, serializer: str = "json", **more: Any) -> None:
        super().__init__(port, serializer, **more)
        self.socket.sendall(bytes((0x7F, 0xF0 | NUMBERS[serializer], 0, 0)))
        while len(self.unread) < 4 and not self.is_closed:
            self._receive()
        assert self.unread[:2] == bytes((0x7F, self.unread[1])), self.unread
        self.unread = self.unread[4:]

    def framed(self, message: bytes) -> bytes:
        return len(message).to_bytes(4, "big") + message

    def unframed(self) -> list[bytes]:
        found, data = [], self.unread
        while len(data) >= 4 and len(data) >= 4 + int.from_bytes(data[1:4], "big"):
            size = int.from_bytes(data[1:4], "big")
            if data[0] == 0:
                found.append(data[4 : 4 + size])
            data = data[4 + size :]
        self.unread = data
        return found

    def pinged(self, seconds: float = SECONDS) -> float:
        """Seconds until a PING of the transport's is answered, with nothing of WAMP in it."""
        start = time.monotonic()
        self.socket.sendall(b"\x01\0\0\x04ping")
        while b"\x02\0\0\x04ping" not in self.unread:
            left = start + seconds - time.monotonic()
            if self.is_closed or left <= 0 or not select.select([self.socket], [], [], left)[0]:
                raise TimeoutError("the canary is not answered")
            self._receive()
        self.unread = b""
        return time.monotonic() - start


class LongPoll(Pipe):
    """WAMP over long-poll, on one connection: what is said is one send, what is heard one receive."""

    def __init__(self, port: int, serializer: str = "json", batched: bool = False, **more: Any) -> None:
        super().__init__(port, serializer, **more)
        self.batched = batched
        name = f"wamp.2.{serializer}" + (".batched" if batched else "")
        self.answers: list[tuple[int, bytes, bytes]] = []
        answer = self._post("open", json.dumps({"protocols": [name]}).encode())
        assert answer[0] == 200, answer
        self.path = json.loads(answer[2])["transport"]
        self._heard: list[bytes] = []

    def _post(self, path: str, body: bytes) -> tuple[int, bytes, bytes]:
        self.send(request("POST", f"/lp/{path}", body))
        return self._answer()

    def _answer(self) -> tuple[int, bytes, bytes]:
        end = time.monotonic() + SECONDS
        while True:
            answer, rest = http(self.unread)
            if answer is not None:
                self.unread = rest
                return answer
            if self.is_closed or time.monotonic() > end:
                raise ConnectionError("no answer over long-poll")
            self._receive()

    def say(self, *messages: bytes) -> None:
        if self.batched and self.serializer == "json":
            body = b"".join(message + b"\x1e" for message in messages)
        elif self.batched:
            body = b"".join(len(message).to_bytes(4, "big") + message for message in messages)
        else:
            for message in messages[:-1]:
                self.say(message)
            body = messages[-1]
        self.answers.append(self._post(f"{self.path}/send", body))

    def hear(self, seconds: float = SECONDS) -> list[bytes]:
        # A receive would wait for ten seconds: what there is comes before what is certain.
        status, _, body = self._post(f"{self.path}/receive", b"")
        if status != 200:
            self.is_closed = status != 204
            return []
        return unbatched(body, self.serializer) if self.batched else [body]

    def ended(self) -> list[bytes]:
        """Close the transport; returns what nobody waited for, which is nothing."""
        self.answers.append(self._post(f"{self.path}/close", b""))
        self.is_closed = True
        return []


def unbatched(data: bytes, serializer: str) -> list[bytes]:
    """The messages of one batch. Raises: AssertionError: it is none."""
    if serializer == "json":
        assert data[-1:] in (b"\x1e", b"\x18"), data[-50:]
        return data[:-1].split(data[-1:])
    found = []
    while data:
        size = int.from_bytes(data[:4], "big")
        assert size <= len(data) - 4, "a batch ends within a message"
        found.append(data[4 : 4 + size])
        data = data[4 + size :]
    return found


def loaded(serializer: str, messages: Iterable[bytes]) -> list[Any]:
    """Messages, decoded."""
    return [LOAD[serializer](message) for message in messages]


def upgrade(path: str, more: str = "") -> bytes:
    """The head that asks for a WebSocket."""
    key = base64.b64encode(bytes(16)).decode()
    return (
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
    ).encode("latin-1")


def frame(first: int, payload: bytes, random: Random | None = None) -> bytes:
    """A client's frame; its mask is of zeros, which leaves the payload readable, without a ``random``."""
    size = len(payload)
    if size < 126:
        head = bytes((first, 0x80 | size))
    elif size < 1 << 16:
        head = bytes((first, 0xFE)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, 0xFF)) + size.to_bytes(8, "big")
    if random is None:
        return head + bytes(4) + payload
    mask = random.randbytes(4)
    pattern = (mask * (size // 4 + 1))[:size]
    mixed = int.from_bytes(payload, "big") ^ int.from_bytes(pattern, "big")
    return head + mask + mixed.to_bytes(size, "big")


def request(method: str, target: str, body: bytes = b"", fields: Iterable[str] = ()) -> bytes:
    """One HTTP request."""
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", *fields]
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body


def http(data: bytes, is_head: bool = False) -> tuple[tuple[int, bytes, bytes] | None, bytes]:
    """The first complete HTTP answer in ``data`` as (status, head, body), or None; and what follows.

    ``is_head``: it answers HEAD, and so has no body.
    """
    head, found, rest = data.partition(b"\r\n\r\n")
    if not found:
        return None, data
    status = int(head.split(b" ", 2)[1])
    fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:] if b":" in line)
    if is_head or status in (101, 204, 304):
        return (status, head, b""), rest
    if b"content-length" in fields:
        size = int(fields[b"content-length"])
        return ((status, head, rest[:size]), rest[size:]) if len(rest) >= size else (None, data)
    if b"chunked" in fields.get(b"transfer-encoding", b""):
        body = b""
        while b"\r\n" in rest:
            line, _, rest = rest.partition(b"\r\n")
            size = int(line, 16)
            if len(rest) < size + 2:
                break
            body += rest[:size]
            rest = rest[size + 2 :]
            if size == 0:
                return (status, head, body), rest
        return None, data
    # Until the connection ends, which the caller knows.
    return (status, head, rest), b""
