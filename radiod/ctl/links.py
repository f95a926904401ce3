"""A blocking connection that carries WAMP messages: RawSocket (unix, TCP, TLS), or WebSocket."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import time
from collections import deque
from collections.abc import Iterator
from typing import Any, Final, Protocol

from radiod.ctl.failures import NoServer
from radiod.errors import PeerError
from radiod.wire.frames import MESSAGE, PING, PONG, rawsocket_frame, rawsocket_frames

__all__ = ["Link", "RawSocketLink", "open_unix", "open_url"]

JSON: Final = 1
LONGEST: Final = 0xF
"""Of what RawSocket can announce: 16 MiB."""

MAX_PATH: Final = 107
"""Bytes of a path that a Unix socket can have."""

PORTS: Final = {"rs": 8080, "rss": 443}


class Link(Protocol):
    """What a session speaks over. Both raise NoServer when the connection is lost."""

    def send(self, message: bytes) -> None:
        """Send one message."""

    def receive(self, seconds: float | None) -> bytes | None:
        """The next message; None: there was none in so much time. ``seconds`` None: wait for ever."""

    def close(self) -> None:
        """Hang up."""


class RawSocketLink:
    """WAMP over RawSocket, JSON. Source: WAMP specification, "RawSocket Transport"."""

    def __init__(self, connection: socket.socket, seconds: float) -> None:
        self._socket = connection
        self._unread = b""
        self._messages: deque[bytes] = deque()
        with _lost():
            connection.settimeout(seconds)
            connection.sendall(bytes([0x7F, LONGEST << 4 | JSON, 0, 0]))
            while len(self._unread) < 4:
                self._read()
        answer, self._unread = self._unread[:4], self._unread[4:]
        if answer[0] != 0x7F or answer[1] & 0xF != JSON:
            raise NoServer("what answers there does not speak RawSocket")
        self._longest = 1 << (9 + (answer[1] >> 4))

    def _read(self) -> None:
        data = self._socket.recv(1 << 18)
        if not data:
            raise NoServer("the server hung up")
        self._unread += data

    def send(self, message: bytes) -> None:
        """As ``Link.send``."""
        if len(message) > self._longest:
            raise NoServer(f"a message of {len(message)} bytes; the server takes {self._longest}")
        with _lost():
            self._socket.sendall(rawsocket_frame(message))

    def receive(self, seconds: float | None) -> bytes | None:
        """As ``Link.receive``."""
        end = None if seconds is None else time.monotonic() + seconds
        while not self._messages:
            left = None if end is None else max(0.001, end - time.monotonic())
            try:
                with _lost():
                    self._socket.settimeout(left)
                    self._read()
            except TimeoutError:
                return None
            self._take()
        return self._messages.popleft()

    def _take(self) -> None:
        """Take what came apart; pings are answered."""
        try:
            frames, taken = rawsocket_frames(self._unread, 1 << 24)
        except PeerError as error:
            raise NoServer(error.text) from None
        self._unread = self._unread[taken:]
        for kind, payload in frames:
            if kind == MESSAGE:
                self._messages.append(payload)
            elif kind == PING:
                with _lost():
                    self._socket.sendall(rawsocket_frame(payload, PONG))
        if frames and self._unread:
            self._take()

    def close(self) -> None:
        """As ``Link.close``."""
        self._socket.close()


class _WebSocketLink:
    """WAMP over WebSocket, JSON."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def send(self, message: bytes) -> None:
        """As ``Link.send``."""
        with _lost(), _closed():
            self._connection.send(message.decode())

    def receive(self, seconds: float | None) -> bytes | None:
        """As ``Link.receive``."""
        try:
            with _lost(), _closed():
                message = self._connection.recv(seconds)
        except TimeoutError:
            return None
        return message if isinstance(message, bytes) else str(message).encode()

    def close(self) -> None:
        """As ``Link.close``."""
        self._connection.close()


@contextlib.contextmanager
def _lost() -> Iterator[None]:
    try:
        yield
    except TimeoutError:
        raise
    except OSError as error:
        raise NoServer(f"the connection is lost: {error.strerror or error}") from None


@contextlib.contextmanager
def _closed() -> Iterator[None]:
    from websockets.exceptions import ConnectionClosed

    try:
        yield
    except ConnectionClosed as closed:
        raise NoServer(f"the server hung up: {closed}") from None


def open_unix(path: str, seconds: float) -> Link:
    """A link over a Unix socket. Raises: NoServer."""
    folder = -1
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(seconds)
        if len(os.fsencode(path)) > MAX_PATH:
            # A shorter way to the same.
            folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY)
            connection.connect(f"/proc/self/fd/{folder}/{os.path.basename(path)}")
        else:
            connection.connect(path)
        return RawSocketLink(connection, seconds)
    except OSError as error:
        connection.close()
        raise NoServer(f"no server at {path}: {error.strerror or error}") from None
    finally:
        if folder >= 0:
            os.close(folder)


def open_url(scheme: str, host: str, port: int | None, url: str, seconds: float) -> Link:
    """A link by ``ws``, ``wss``, ``rs`` or ``rss``. Raises: NoServer."""
    try:
        if scheme in ("ws", "wss"):
            return _open_websocket(url, seconds)
        connection = socket.create_connection((host, port or PORTS[scheme]), seconds)
        if scheme == "rss":
            connection = ssl.create_default_context().wrap_socket(connection, server_hostname=host)
        return RawSocketLink(connection, seconds)
    except OSError as error:
        raise NoServer(f"no server at {url}: {error.strerror or error}") from None


def _open_websocket(url: str, seconds: float) -> Link:
    from websockets.exceptions import InvalidHandshake
    from websockets.sync.client import connect
    from websockets.typing import Subprotocol

    try:
        connection = connect(
            url, subprotocols=[Subprotocol("wamp.2.json")], open_timeout=seconds, max_size=1 << 24
        )
    except InvalidHandshake as error:
        raise NoServer(f"no server at {url}: {error}") from None
    return _WebSocketLink(connection)
