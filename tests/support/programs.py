"""A program that uses the radio over one real WebSocket: it publishes, listens, calls, answers; blocking."""

from __future__ import annotations

import json
import socket
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import cbor2
import msgpack

from support.memory import server_frames, upgrade

SECONDS = 20

HELLO, WELCOME, ABORT, CHALLENGE, AUTHENTICATE, GOODBYE, ERROR = 1, 2, 3, 4, 5, 6, 8
PUBLISH, PUBLISHED, SUBSCRIBE, SUBSCRIBED, UNSUBSCRIBE, UNSUBSCRIBED, EVENT = 16, 17, 32, 33, 34, 35, 36
CALL, CANCEL, RESULT, REGISTER, REGISTERED = 48, 49, 50, 64, 65
INVOCATION, INTERRUPT, YIELD = 68, 69, 70

TEXT, BINARY, CLOSE = 1, 2, 8
DETAILS = {
    "roles": {
        "publisher": {},
        "subscriber": {},
        "caller": {"features": {"call_canceling": True}},
        "callee": {"features": {"call_canceling": True}},
    }
}
SERIALIZERS: dict[str, tuple[Callable[[Any], bytes], Callable[[bytes], Any]]] = {
    "json": (lambda value: json.dumps(value).encode(), json.loads),
    "msgpack": (msgpack.packb, msgpack.unpackb),
    "cbor": (cbor2.dumps, cbor2.loads),
}


class Failed(Exception):
    """ERROR, or ABORT: ``uri`` says what it is."""

    def __init__(self, uri: str, text: str) -> None:
        super().__init__(f"{uri}: {text}")
        self.uri = uri
        self.text = text


class Event(NamedTuple):
    """One event, with its first positional argument as ``data``."""

    subscription: int
    details: dict[str, Any]
    data: Any


class Program:
    """One session. Events, invocations and interrupts that come while it waits for an answer are kept.

    Args:
        receive_buffer: of the socket; small, so that a program that does not read stops the server soon.
        hello: HELLO.Details beside the roles.
    Raises: Failed: the session was refused.
    """

    def __init__(
        self,
        port: int,
        *,
        serializer: str = "json",
        receive_buffer: int | None = None,
        ticket: str | None = None,
        **hello: Any,
    ) -> None:
        self._dump, self._load = SERIALIZERS[serializer]
        self._opcode = TEXT if serializer == "json" else BINARY
        self._socket = socket.socket()
        self._socket.settimeout(SECONDS)
        if receive_buffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.connect(("127.0.0.1", port))
        self._socket.sendall(upgrade("/ws", f"wamp.2.{serializer}"))
        self._unread = b""
        while b"\r\n\r\n" not in self._unread:
            self._unread += self._socket.recv(65536)
        self._unread = self._unread.partition(b"\r\n\r\n")[2]
        self._messages: deque[Any] = deque()
        self._events: deque[Event] = deque()
        self._asked: deque[Any] = deque()
        self._answers: dict[int, Any] = {}
        self._requests = 0
        try:
            self._join(hello, ticket)
        except BaseException:
            self.close()
            raise

    def _join(self, hello: dict[str, Any], ticket: str | None) -> None:
        self.say(HELLO, "radio", {**DETAILS, **hello})
        answer = self.hear()
        if answer[0] == CHALLENGE:
            self.say(AUTHENTICATE, ticket, {})
            answer = self.hear()
        if answer[0] == ABORT:
            raise Failed(answer[2], answer[1].get("message", ""))
        assert answer[0] == WELCOME, answer
        self.id, self.welcome = int(answer[1]), answer[2]

    # --- messages

    def say(self, *message: Any) -> None:
        """Send one message."""
        self._socket.sendall(self._frame(message))

    def _frame(self, message: Any) -> bytes:
        data = self._dump(list(message))
        if len(data) < 126:
            size = bytes([0x80 | len(data)])
        elif len(data) < 1 << 16:
            size = b"\xfe" + len(data).to_bytes(2, "big")
        else:
            size = b"\xff" + len(data).to_bytes(8, "big")
        # A mask of zeros leaves the payload as it is.
        return bytes([0x80 | self._opcode]) + size + bytes(4) + data

    def hear(self) -> Any:
        """The next message. Raises: ConnectionError: the server hung up; TimeoutError: nothing came."""
        while not self._messages:
            data = self._socket.recv(1 << 18)
            if not data:
                raise ConnectionError("the server hung up")
            frames, self._unread = server_frames(self._unread + data)
            self._messages.extend(self._load(data) for opcode, data in frames if opcode == self._opcode)
        return self._messages.popleft()

    def _request(self, code: int, *rest: Any) -> int:
        self._requests += 1
        self.say(code, self._requests, *rest)
        return self._requests

    def _sort(self) -> None:
        """Hear one message, and put it where it will be looked for."""
        message = self.hear()
        if message[0] == EVENT:
            data = message[4][0] if len(message) > 4 and message[4] else None
            self._events.append(Event(message[1], message[3], data))
        elif message[0] in (INVOCATION, INTERRUPT):
            self._asked.append(message)
        else:
            assert message[0] != ABORT, message
            self._answers[message[2] if message[0] == ERROR else message[1]] = message

    def answer(self, request: int) -> Any:
        """The answer to a request. Raises: Failed: it is ERROR."""
        while request not in self._answers:
            self._sort()
        message = self._answers.pop(request)
        if message[0] == ERROR:
            raise Failed(message[4], message[5][0] if len(message) > 5 and message[5] else "")
        return message

    def is_answered(self, request: int) -> bool:
        """True when the answer to a request has come, of all that was sent before now."""
        self.call("radiod.echo")
        return request in self._answers

    def close(self) -> None:
        """Hang up without a word."""
        self._socket.close()

    # --- calling

    def begin_call(self, procedure: str, *args: Any, timeout: int = 0, **kwargs: Any) -> int:
        """Send CALL; returns the request."""
        return self._request(CALL, {"timeout": timeout}, procedure, list(args), kwargs)

    def result(self, request: int) -> Any:
        """The first positional result of a call. Raises: Failed."""
        message = self.answer(request)
        return message[3][0] if len(message) > 3 and message[3] else None

    def call(self, procedure: str, *args: Any, **kwargs: Any) -> Any:
        """Call, and wait for the result. Raises: Failed."""
        return self.result(self.begin_call(procedure, *args, **kwargs))

    def refusal(self, procedure: str, *args: Any, **kwargs: Any) -> str:
        """Call what will be refused; returns the error's URI."""
        try:
            answer = self.call(procedure, *args, **kwargs)
        except Failed as failure:
            return failure.uri
        raise AssertionError(f"{procedure} answered {answer}")

    # --- answering

    def register(self, procedure: str, **options: Any) -> int:
        """Returns the registration. Raises: Failed."""
        return int(self.answer(self._request(REGISTER, options, procedure))[2])

    def asked(self) -> Any:
        """The next INVOCATION or INTERRUPT."""
        while not self._asked:
            self._sort()
        return self._asked.popleft()

    def give(self, invocation: Any, *args: Any) -> None:
        """Answer an INVOCATION."""
        self.say(YIELD, invocation[1], {}, list(args))

    def fail(self, invocation: Any, uri: str, *args: Any) -> None:
        """Answer an INVOCATION with ERROR."""
        self.say(ERROR, INVOCATION, invocation[1], {}, uri, list(args))

    # --- publishing and listening

    def begin_publish(self, topic: str, *args: Any, **options: Any) -> int:
        """Send PUBLISH, by default to be acknowledged; returns the request."""
        return self._request(PUBLISH, {"acknowledge": True, **options}, topic, list(args))

    def publish(self, topic: str, *args: Any, **options: Any) -> int:
        """Publish, and wait for the acknowledgement; returns the publication. Raises: Failed."""
        return int(self.answer(self.begin_publish(topic, *args, **options))[2])

    def publish_refusal(self, topic: str, *args: Any, **options: Any) -> str:
        """Publish what will be refused; returns the error's URI."""
        try:
            self.publish(topic, *args, **options)
        except Failed as failure:
            return failure.uri
        raise AssertionError(f"{topic} was published")

    def send(self, topic: str, *samples: Any, **options: Any) -> None:
        """Publish each sample for itself, without acknowledgement, all in one segment."""
        frames = []
        for sample in samples:
            self._requests += 1
            frames.append(self._frame([PUBLISH, self._requests, options, topic, [sample]]))
        self._socket.sendall(b"".join(frames))

    def listen(self, topic: str, **options: Any) -> int:
        """Subscribe; returns the subscription. Raises: Failed."""
        return int(self.answer(self._request(SUBSCRIBE, options, topic))[2])

    def listen_refusal(self, topic: str, **options: Any) -> str:
        """Subscribe to what will be refused; returns the error's URI."""
        try:
            self.listen(topic, **options)
        except Failed as failure:
            return failure.uri
        raise AssertionError(f"{topic} was subscribed to")

    def stop_listening(self, subscription: int) -> None:
        """Unsubscribe. Raises: Failed."""
        self.answer(self._request(UNSUBSCRIBE, subscription))

    def event(self) -> Event:
        """The next event, when it comes."""
        while not self._events:
            self._sort()
        return self._events.popleft()

    def events(self, count: int) -> list[Any]:
        """The data of the next ``count`` events, when they come."""
        return [self.event().data for _ in range(count)]

    def heard(self) -> list[Event]:
        """The events that the server has sent before it took what this call sends."""
        self.call("radiod.echo")
        events, self._events = list(self._events), deque()
        return events
