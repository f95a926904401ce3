"""One WAMP session over a WebSocket, for many of them in one thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

import msgspec
from support.memory import upgrade

__all__ = ["Gone", "Refusal", "Session"]

HELLO, WELCOME, GOODBYE, ERROR = 1, 2, 6, 8
PUBLISH, PUBLISHED, SUBSCRIBE, SUBSCRIBED, EVENT = 16, 17, 32, 33, 36
CALL, RESULT, REGISTER, REGISTERED, UNREGISTER, UNREGISTERED = 48, 50, 64, 65, 66, 67
INVOCATION, INTERRUPT, YIELD = 68, 69, 70

ANSWERS = frozenset({PUBLISHED, SUBSCRIBED, RESULT, REGISTERED, UNREGISTERED})
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
DIAL_S = 4.0
DETAILS = {
    "roles": {
        "publisher": {}, "subscriber": {}, "caller": {},
        "callee": {"features": {"call_canceling": True}},
    }
}  # fmt: skip

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Gone(Exception):
    """The session has ended, or could not begin."""


class Refusal(Exception):
    """ERROR: ``uri`` and ``text`` say why."""

    def __init__(self, uri: str, text: str) -> None:
        super().__init__(f"{uri}: {text}")
        self.uri = uri
        self.text = text


class Session(asyncio.Protocol):
    """Joined by ``Session.open``.

    ``id``, ``authid``: of the session; ``why``: what ended it; ``extra``: answers that nobody waits for: to a
    request that has been answered before. ``on_event``, ``on_asked``: take EVENT, and INVOCATION or
    INTERRUPT; ``on_end``: called once. ``everybody``: all sessions of this process that are not forgotten.
    """

    everybody: WeakSet[Session] = WeakSet()

    def __init__(self) -> None:
        self.id = 0
        self.authid = ""
        self.why = ""
        self.extra = 0
        self.on_event: Callable[[Any], None] = _ignore
        self.on_asked: Callable[[Any], None] = _ignore
        self.on_end: Callable[[], None] = lambda: None
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._unread = b""
        self._is_open = False
        self._joined: asyncio.Future[Any] = self._loop.create_future()
        self._requests = 0
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self.is_gone = False

    @classmethod
    async def open(cls, host: str, port: int) -> Session:
        """Raises: Gone: nobody is there, or nobody is let in."""
        try:
            async with asyncio.timeout(DIAL_S):
                _, session = await asyncio.get_running_loop().create_connection(cls, host, port)
        except (OSError, TimeoutError) as error:
            raise Gone(repr(error)) from None
        try:
            async with asyncio.timeout(DIAL_S):
                welcome = await session._joined
        except TimeoutError:
            session.close()
            raise Gone("no answer") from None
        if welcome[0] != WELCOME:
            session.close()
            raise Gone(f"not welcome: {welcome}")
        session.id, session.authid = welcome[1], welcome[2]["authid"]
        cls.everybody.add(session)
        return session

    # --- asyncio.Protocol

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.write(upgrade("/ws", "wamp.2.json"))

    def data_received(self, data: bytes) -> None:
        self._unread += data
        if not self._is_open:
            head, end, rest = self._unread.partition(b"\r\n\r\n")
            if not end:
                return
            if b" 101 " not in head[:32]:
                self._end(head[:80].decode(errors="replace"))
                return
            self._is_open, self._unread = True, rest
            self.say(HELLO, "radio", DETAILS)
        self._read()

    def connection_lost(self, error: Exception | None) -> None:
        self._end(self.why or repr(error))

    # --- what comes

    def _read(self) -> None:
        data, at = self._unread, 0
        while len(data) - at >= 2:
            size, head = data[at + 1] & 0x7F, 2
            if size > 125:
                wide = 2 if size == 126 else 8
                size, head = int.from_bytes(data[at + 2 : at + 2 + wide], "big"), 2 + wide
            end = at + head + size
            if len(data) < end:
                break
            opcode, payload = data[at] & 0x0F, data[at + head : end]
            at = end
            self._frame(opcode, payload)
        self._unread = data[at:]

    def _frame(self, opcode: int, payload: bytes) -> None:
        if opcode == TEXT:
            self._hear(_decode(payload))
        elif opcode == PING:
            self._write(PONG, payload)
        elif opcode == CLOSE:
            self.why = self.why or f"close {int.from_bytes(payload[:2], 'big')} {payload[2:].decode()}"
            self._write(CLOSE, payload[:2])
            self.close()

    def _hear(self, message: Any) -> None:
        code = message[0]
        if code == EVENT:
            self.on_event(message)
        elif code in ANSWERS:
            self._answer(message[1], message)
        elif code == ERROR:
            self._answer(message[2], message)
        elif code in (INVOCATION, INTERRUPT):
            self.on_asked(message)
        elif code == GOODBYE:
            self.why = f"{message[2]}"
            self.say(GOODBYE, {}, "wamp.close.goodbye_and_out")
        elif not self._joined.done():
            self._joined.set_result(message)

    def _answer(self, request: int, message: Any) -> None:
        future = self._waiting.pop(request, None)
        if future is None:
            self.extra += 1
        elif not future.done():
            future.set_result(message)

    # --- what is said

    def _write(self, opcode: int, data: bytes) -> None:
        size = len(data)
        head = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
        if self._transport is not None and not self._transport.is_closing():
            # A mask of zeros leaves the payload as it is.
            self._transport.write(bytes([0x80 | opcode]) + head + bytes(4) + data)

    def say(self, *message: Any) -> None:
        """Send one message."""
        self._write(TEXT, _encode(message))

    def ask(self, code: int, *rest: Any) -> asyncio.Future[Any]:
        """Send a request. Returns: the answer, whatever it is; raises Gone in the end if none comes."""
        future = self._loop.create_future()
        if self.is_gone:
            future.set_exception(Gone(self.why))
            return future
        self._requests += 1
        self._waiting[self._requests] = future
        self.say(code, self._requests, *rest)
        return future

    async def answer(self, code: int, *rest: Any) -> Any:
        """As ``ask``. Raises: Refusal, Gone."""
        message = await self.ask(code, *rest)
        if message[0] == ERROR:
            raise Refusal(message[4], str(message[5][0]) if len(message) > 5 and message[5] else "")
        return message

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    def _end(self, why: str) -> None:
        if self.is_gone:
            return
        self.is_gone, self.why = True, why
        self.close()
        if not self._joined.done():
            self._joined.set_exception(Gone(why))
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            if not future.done():
                future.set_exception(Gone(why))
                # Not everybody who asks waits.
                future.exception()
        self.on_end()


def _ignore(message: Any) -> None:
    """Nobody wants it."""
