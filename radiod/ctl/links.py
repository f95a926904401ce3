"""A blocking connection that carries WAMP messages as JSON: RawSocket or WebSocket, with or without TLS.

Everything happens in the thread that asks for it. Clients that read in one thread and write in another, as
the blocking one of ``websockets`` does, lose what they write under TLS 1.3: Python's sockets do not bear it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import time
from collections import deque
from collections.abc import Iterator
from typing import Final

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, InvalidURI
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from radiod.ctl.failures import NoServer
from radiod.errors import PeerError
from radiod.wire.frames import MESSAGE, PING, PONG, rawsocket_frame, rawsocket_frames

__all__ = ["Link", "open_unix", "open_url"]

JSON: Final = 1
LONGEST: Final = 0xF
"""Of what RawSocket can announce: 16 MiB."""

MAX_BYTES: Final = 1 << 24

READ: Final = 1 << 18

MAX_PATH: Final = 107
"""Bytes of a path that a Unix socket can have."""

PORTS: Final = {"ws": 80, "wss": 443, "rs": 8080, "rss": 443}


class Link:
    """What a session speaks over. All raise NoServer when the connection is lost.

    ``seconds``: how long the server may take for the opening handshake.
    """

    def __init__(self, connection: socket.socket, seconds: float) -> None:
        self._socket = connection
        self._messages: deque[bytes] = deque()
        end = time.monotonic() + seconds
        with _lost():
            connection.settimeout(seconds)
            self._greet()
        while not self._is_open():
            if not self._read(end):
                raise NoServer(f"no opening handshake within {seconds:g} s")
        connection.settimeout(seconds)

    # --- what kinds of link do each in their own way

    def _greet(self) -> None:
        """Send the opening handshake."""
        raise NotImplementedError

    def _is_open(self) -> bool:
        """Whether the server's has come. Raises: NoServer: it says no."""
        raise NotImplementedError

    def _take(self, data: bytes) -> None:
        """Take bytes that came, to ``_messages``; answer pings."""
        raise NotImplementedError

    def send(self, message: bytes) -> None:
        """Send one message."""
        raise NotImplementedError

    # --- what is the same

    def _read(self, end: float | None) -> bool:
        """Take what comes next. Returns: False: nothing did until then."""
        try:
            with _lost():
                self._socket.settimeout(None if end is None else max(0.001, end - time.monotonic()))
                data = self._socket.recv(READ)
        except TimeoutError:
            return False
        if not data:
            raise NoServer("the server hung up")
        self._take(data)
        return True

    def _write(self, data: bytes) -> None:
        with _lost():
            try:
                self._socket.settimeout(None)
                self._socket.sendall(data)
            except TimeoutError:
                raise NoServer("the server does not read") from None

    def receive(self, seconds: float | None) -> bytes | None:
        """The next message; None: there was none in so much time. ``seconds`` None: wait for ever."""
        end = None if seconds is None else time.monotonic() + seconds
        while not self._messages:
            if not self._read(end):
                return None
        return self._messages.popleft()

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


class _RawSocketLink(Link):
    """Source: WAMP specification, "RawSocket Transport"."""

    _unread = b""
    _longest = 0

    def _greet(self) -> None:
        self._socket.sendall(bytes([0x7F, LONGEST << 4 | JSON, 0, 0]))

    def _is_open(self) -> bool:
        if not self._longest and len(self._unread) >= 4:
            answer, self._unread = self._unread[:4], self._unread[4:]
            if answer[0] != 0x7F or answer[1] & 0xF != JSON:
                raise NoServer("what answers there does not speak RawSocket")
            self._longest = 1 << (9 + (answer[1] >> 4))
            self._take(b"")
        return self._longest > 0

    def _take(self, data: bytes) -> None:
        self._unread += data
        is_more = self._longest > 0
        while is_more:
            try:
                frames, taken = rawsocket_frames(self._unread, MAX_BYTES)
            except PeerError as error:
                raise NoServer(error.text) from None
            self._unread = self._unread[taken:]
            for kind, payload in frames:
                if kind == MESSAGE:
                    self._messages.append(payload)
                elif kind == PING:
                    self._write(rawsocket_frame(payload, PONG))
            is_more = bool(frames)

    def send(self, message: bytes) -> None:
        """As ``Link.send``."""
        if len(message) > self._longest:
            raise NoServer(f"a message of {len(message)} bytes; the server takes {self._longest}")
        self._write(rawsocket_frame(message))


class _WebSocketLink(Link):
    """The library knows the protocol; bytes come and go here."""

    def __init__(self, connection: socket.socket, url: str, seconds: float) -> None:
        protocols = [Subprotocol("wamp.2.json")]
        self._protocol = ClientProtocol(parse_uri(url), subprotocols=protocols, max_size=MAX_BYTES)
        # Of a message in several frames, those that came.
        self._parts: list[bytes] = []
        super().__init__(connection, seconds)

    def _greet(self) -> None:
        self._protocol.send_request(self._protocol.connect())
        self._flush()

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            # Empty: we have nothing more to say; the server closes the connection.
            if data:
                self._write(data)

    def _is_open(self) -> bool:
        error = self._protocol.handshake_exc
        if error is not None:
            raise NoServer(f"no WebSocket there: {error}")
        return self._protocol.state is State.OPEN

    def _take(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Frame) and event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                self._parts.append(bytes(event.data))
                if event.fin:
                    self._messages.append(b"".join(self._parts))
                    self._parts.clear()
        # Pongs, and the answer to a close.
        with contextlib.suppress(NoServer):
            self._flush()
        if self._protocol.state in (State.CLOSING, State.CLOSED) and not self._messages:
            told = self._protocol.close_rcvd
            raise NoServer(f"the server hung up: {told}" if told else "the server hung up")

    def send(self, message: bytes) -> None:
        """As ``Link.send``."""
        if self._protocol.state is not State.OPEN:
            raise NoServer("the server hung up")
        self._protocol.send_text(message)
        self._flush()

    def close(self) -> None:
        """As ``Link.close``."""
        with contextlib.suppress(NoServer):
            if self._protocol.state is State.OPEN:
                self._protocol.send_close(1000)
                self._flush()
        super().close()


@contextlib.contextmanager
def _lost() -> Iterator[None]:
    try:
        yield
    except TimeoutError:
        raise
    except OSError as error:
        raise NoServer(f"the connection is lost: {error.strerror or error}") from None


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
    except OSError as error:
        connection.close()
        raise NoServer(f"no server at {path}: {error.strerror or error}") from None
    finally:
        if folder >= 0:
            os.close(folder)
    return _opened(_RawSocketLink, connection, seconds)


def open_url(scheme: str, host: str, port: int | None, url: str, seconds: float) -> Link:
    """A link by ``ws``, ``wss``, ``rs`` or ``rss``. Raises: NoServer."""
    try:
        connection = socket.create_connection((host, port or PORTS[scheme]), seconds)
        if scheme in ("wss", "rss"):
            connection = ssl.create_default_context().wrap_socket(connection, server_hostname=host)
    except OSError as error:
        raise NoServer(f"no server at {url}: {error.strerror or error}") from None
    if scheme in ("rs", "rss"):
        return _opened(_RawSocketLink, connection, seconds)
    try:
        return _opened(_WebSocketLink, connection, url, seconds)
    except (InvalidHandshake, InvalidURI) as error:
        raise NoServer(f"no server at {url}: {error}") from None


def _opened(kind: type[Link], connection: socket.socket, *rest: object) -> Link:
    """The link; without one there is no connection either."""
    try:
        return kind(connection, *rest)  # type: ignore[arg-type] # kinds have more or less
    except BaseException:
        connection.close()
        raise
