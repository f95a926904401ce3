"""The crowd's clients, on asyncio: WAMP over RawSocket, and HTTP by hand."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Callable
from typing import Any

__all__ = ["Http", "Wamp", "Wrong", "stream"]

HELLO, WELCOME, ABORT, GOODBYE, ERROR = 1, 2, 3, 6, 8
PUBLISH, SUBSCRIBE, EVENT = 16, 32, 36
CALL, REGISTER, INVOCATION, YIELD = 48, 64, 68, 70
SECONDS = 60.0


class Wrong(Exception):
    """Something came that should not have come, or did not come."""


class Wamp:
    """One session. ``on_event``: takes details and arguments; ``on_call``: arguments, for a result."""

    def __init__(self) -> None:
        self.on_event: Callable[[dict[str, Any], list[Any]], None] = lambda details, args: None
        self.on_call: Callable[[list[Any]], Any] = lambda args: args
        self._last = 0
        self._waiting: dict[int, asyncio.Future[list[Any]]] = {}

    async def join(self, where: int | str, receive_buffer: int | None = None) -> Wamp:
        """Connect to a port, or to a socket's path."""
        if isinstance(where, str):
            self._reader, self._writer = await asyncio.open_unix_connection(where)
        else:
            with socket.socket() as plain:
                if receive_buffer is not None:
                    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
                plain.setblocking(False)
                await asyncio.get_running_loop().sock_connect(plain, ("127.0.0.1", where))
                self._reader, self._writer = await asyncio.open_connection(sock=plain.dup())
        self._writer.write(b"\x7f\xf1\0\0")
        if (await self._reader.readexactly(4))[0] != 0x7F:
            raise Wrong("no RawSocket")
        self.say(HELLO, "radio", {"roles": {"publisher": {}, "subscriber": {}, "caller": {}, "callee": {}}})
        welcome = await self._hear()
        if welcome[0] != WELCOME:
            raise Wrong(f"{welcome}")
        return self

    def begin(self) -> Wamp:
        """Read from now on; not for one that reads slowly."""
        self._reading = asyncio.create_task(self._read())
        return self

    def say(self, *message: Any) -> None:
        """Send one message."""
        data = json.dumps(message).encode()
        self._writer.write(len(data).to_bytes(4, "big") + data)

    async def _hear(self) -> list[Any]:
        size = int.from_bytes(await self._reader.readexactly(4), "big")
        # Pings and pongs have their type in the first byte.
        if size >> 24:
            data = await self._reader.readexactly(size & 0xFFFFFF)
            if size >> 24 == 1:
                self._writer.write((2 << 24 | len(data)).to_bytes(4, "big") + data)
            return await self._hear()
        return list(json.loads(await self._reader.readexactly(size)))

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                self._take(await self._hear())
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(Wrong("the server hung up"))

    def _take(self, message: list[Any]) -> None:
        if message[0] == EVENT:
            self.on_event(message[3], message[4] if len(message) > 4 else [])
        elif message[0] == INVOCATION:
            self.say(YIELD, message[1], {}, [self.on_call(message[4] if len(message) > 4 else [])])
        elif message[0] not in (GOODBYE, ABORT):
            future = self._waiting.pop(message[2] if message[0] == ERROR else message[1])
            if not future.done():
                future.set_result(message)

    async def ask(self, kind: int, *rest: Any) -> list[Any]:
        """One request, and its answer. Raises: Wrong: it is ERROR."""
        self._last += 1
        future = self._waiting[self._last] = asyncio.get_running_loop().create_future()
        self.say(kind, self._last, *rest)
        answer = await asyncio.wait_for(future, SECONDS)
        if answer[0] == ERROR:
            raise Wrong(f"{rest}: {answer[4]}: {answer[5:]}")
        return answer

    async def has_ended(self, seconds: float) -> bool:
        """Whether the server hangs up within this time."""
        done, _ = await asyncio.wait([self._reading], timeout=max(0.0, seconds))
        return bool(done)

    async def publish(self, topic: str, *args: Any) -> None:
        """Acknowledged."""
        await self.ask(PUBLISH, {"acknowledge": True}, topic, list(args))

    async def listen(self, topic: str, **options: Any) -> None:
        """Subscribe."""
        await self.ask(SUBSCRIBE, options, topic)

    async def register(self, procedure: str) -> None:
        """To be called."""
        await self.ask(REGISTER, {}, procedure)

    async def call(self, procedure: str, **kwargs: Any) -> Any:
        """The first positional result."""
        answer = await self.ask(CALL, {}, procedure, [], kwargs)
        return answer[3][0] if len(answer) > 3 and answer[3] else None

    async def dawdle(self, bytes_a_second: int, end: float) -> None:
        """Read far less than comes."""
        loop = asyncio.get_running_loop()
        data = b"something"
        while data and loop.time() < end:
            (data, _) = await asyncio.gather(self._reader.read(bytes_a_second), asyncio.sleep(1))

    def leave(self, *, politely: bool) -> None:
        """Say goodbye, or hang up."""
        if politely:
            self.say(GOODBYE, {}, "wamp.close.close_realm")
        self._writer.close()


class Http:
    """One connection that is kept."""

    def __init__(self, port: int, key: str | None) -> None:
        self._port = port
        self._key = key
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, method: str, path: str, body: Any = None) -> tuple[int, dict[str, str], bytes]:
        """Status, headers, body."""
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        data = b"" if body is None else json.dumps(body).encode()
        key = "" if self._key is None else f"API-KEY: {self._key}\r\n"
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{key}Content-Length: {len(data)}\r\n\r\n"
        self._writer.write(head.encode() + data)
        status, headers = await asyncio.wait_for(head_of(self._reader), SECONDS)
        content = await self._reader.readexactly(int(headers.get("content-length", 0)))
        return status, headers, content

    def close(self) -> None:
        """Hang up."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


async def head_of(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    """Status and headers, in lower case."""
    lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    fields = (line.partition(":") for line in lines[1:] if line)
    return int(lines[0].split()[1]), {name.lower(): value.strip() for name, _, value in fields}


async def stream(port: int, path: str, accept: str, on_line: Callable[[bytes], None], end: float) -> None:
    """Listen to Server-Sent Events or lines of JSON until ``end``, of the loop's clock."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n".encode())
    status, _ = await head_of(reader)
    if status != 200:
        raise Wrong(f"{path}: {status}")
    rest = b""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(TimeoutError):
        while True:
            size = int(await asyncio.wait_for(reader.readline(), max(0.01, end - loop.time())), 16)
            if not size:
                raise Wrong(f"{path} has ended")
            rest += (await reader.readexactly(size + 2))[:-2]
            *lines, rest = rest.split(b"\n")
            for line in lines:
                on_line(line)
    writer.close()
