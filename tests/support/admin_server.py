"""What ``radioctl`` speaks to in its own tests: a WAMP server on a Unix socket that answers as it is told."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["AdminServer", "Refuse"]

HELLO, WELCOME, ABORT, CHALLENGE, AUTHENTICATE, GOODBYE, ERROR = 1, 2, 3, 4, 5, 6, 8
PUBLISH, PUBLISHED, SUBSCRIBE, SUBSCRIBED, EVENT, CALL, RESULT = 16, 17, 32, 33, 36, 48, 50
PING = 1


class Refuse(Exception):
    """An answer of a procedure: ERROR with this URI and sentence."""

    def __init__(self, uri: str, text: str) -> None:
        super().__init__(text)
        self.uri = uri


class AdminServer:
    """Serves one connection after the other, in a thread. ``calls``: (procedure, args, kwargs) of all so far.

    ``answers``: procedure -> what answers its arguments by keyword; ``events``: topic -> payloads that each
    subscriber gets; ``goodbye``: (details, reason) that end a session after its events.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.calls: list[tuple[str, list[Any], dict[str, Any]]] = []
        self.published: list[list[Any]] = []
        self.subscribed: list[list[Any]] = []
        self.hellos: list[list[Any]] = []
        self.answers: dict[str, Callable[..., Any]] = {}
        self.events: dict[str, list[Any]] = {}
        self.goodbye: tuple[dict[str, Any], str] | None = None
        self.abort: tuple[dict[str, Any], str] | None = None
        self.ticket: str | None = None
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        self._listening.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop."""
        # Closing alone wakes nobody.
        self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listening.close()
        self.path.unlink()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with connection, contextlib.suppress(ConnectionError):
                _Connection(self, connection).serve()


class _Connection:
    def __init__(self, server: AdminServer, connection: socket.socket) -> None:
        self._server = server
        self._socket = connection

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self._socket.recv(count - len(data))
            if not more:
                raise ConnectionError
            data += more
        return data

    def _say(self, *message: Any) -> None:
        data = json.dumps(message).encode()
        self._socket.sendall(len(data).to_bytes(4, "big") + data)

    def serve(self) -> None:
        """Everything that the peer asks for, until it hangs up."""
        assert self._read(4)[0] == 0x7F
        self._socket.sendall(b"\x7f\xf1\x00\x00")
        # Whoever speaks RawSocket answers a ping, whenever it comes.
        self._socket.sendall(b"\x01\x00\x00\x04ping")
        is_answered = False
        while True:
            head = self._read(4)
            data = self._read(int.from_bytes(head[1:], "big"))
            if head[0] == 2:
                assert data == b"ping"
                is_answered = True
                continue
            if not self._take(json.loads(data)):
                assert is_answered
                return

    def _take(self, message: list[Any]) -> bool:
        server, code = self._server, message[0]
        if code == HELLO:
            server.hellos.append(message)
            if server.abort is not None:
                self._say(ABORT, *server.abort)
            elif server.ticket is not None:
                self._say(CHALLENGE, "ticket", {})
            else:
                self._say(WELCOME, 1, {})
        elif code == AUTHENTICATE:
            if message[1] == server.ticket:
                self._say(WELCOME, 1, {})
            else:
                self._say(ABORT, {"message": "the ticket is wrong"}, "wamp.error.authentication_failed")
        elif code == CALL:
            self._call(*message[1:])
        elif code == PUBLISH:
            server.published.append(message[2:])
            self._say(PUBLISHED, message[1], 77)
        elif code == SUBSCRIBE:
            self._subscribe(*message[1:])
        return code != GOODBYE

    def _call(self, id: int, _: Any, procedure: str, args: list[Any], kwargs: dict[str, Any]) -> None:
        self._server.calls.append((procedure, args, kwargs))
        answer = self._server.answers.get(procedure)
        try:
            if answer is None:
                raise Refuse("wamp.error.no_such_procedure", f"the router has no procedure {procedure}")
            self._say(RESULT, id, {}, [answer(*args, **kwargs)])
        except Refuse as refusal:
            self._say(ERROR, CALL, id, {}, refusal.uri, [str(refusal)])

    def _subscribe(self, id: int, options: dict[str, Any], topic: str) -> None:
        server = self._server
        server.subscribed.append([options, topic])
        subscription = 100 + len(server.subscribed)
        self._say(SUBSCRIBED, id, subscription)
        for details, payload in server.events.get(topic, ()):
            self._say(EVENT, subscription, 1, details, payload)
        if server.goodbye is not None:
            self._say(GOODBYE, *server.goodbye)
