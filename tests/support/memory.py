"""A whole radiod in memory: connections are byte strings, time is a clock that tests turn."""

from __future__ import annotations

import base64
import os
import socket
import zlib
from typing import Any

import msgspec
from twisted.internet.address import IPv4Address
from twisted.internet.testing import MemoryReactorClock, StringTransportWithDisconnection

from radiod import __version__
from radiod.core.build import BUILD
from radiod.service.radio import Radio
from radiod.service.settings import door

HEALTHY = f'{{"status":"ok","version":"{__version__}","build":"{BUILD}"}}'.encode()
"""What ``/healthz`` answers."""

HELLO = [1, "radio", {"roles": {"publisher": {}, "subscriber": {}, "caller": {}, "callee": {}}}]


HELLO_CODE = 1
REQUESTS = frozenset({16, 32, 34, 48, 64, 66})
"""Codes of the messages whose request ids a session counts: PUBLISH, SUBSCRIBE … UNREGISTER."""


class Requests:
    """Counts one session's requests, for tests that do not care about their ids."""

    def __init__(self) -> None:
        self.last = 0

    def number(self, message: Any) -> Any:
        """``message``, with the next request id where it has None."""
        if message and message[0] == HELLO_CODE:
            self.last = 0
        elif len(message) > 1 and message[0] in REQUESTS:
            if message[1] is None:
                message = [message[0], self.last + 1, *message[2:]]
            self.last = message[1]
        return message


class Wire:
    """One connection to a ``Radio`` in memory."""

    def __init__(self, radio: Radio, reactor: MemoryReactorClock, port: int = 40_000) -> None:
        self._reactor = reactor
        address = IPv4Address("TCP", "127.0.0.1", port)
        protocol = self.admit(radio, address)
        assert protocol is not None
        self.transport = self.make_transport(address)
        self.transport.protocol = protocol
        protocol.makeConnection(self.transport)

    def make_transport(self, address: IPv4Address) -> Any:
        """The server's end of a connection from there."""
        return StringTransportWithDisconnection(peerAddress=address)

    def admit(self, radio: Radio, address: IPv4Address) -> Any:
        """What the server makes of a connection from there."""
        return radio.port.buildProtocol(address)

    def send(self, data: bytes) -> None:
        """Deliver bytes to the server, and let it finish its turn."""
        self.transport.protocol.dataReceived(data)
        self.settle()

    def settle(self) -> None:
        """End the reactor turn."""
        self._reactor.advance(0)

    def received(self) -> bytes:
        """What the server has written since the last call."""
        data = self.transport.value()
        self.transport.clear()
        return bytes(data)

    @property
    def is_closed(self) -> bool:
        """True once the server has hung up."""
        return self.transport.disconnecting or not self.transport.connected

    def hang_up(self) -> None:
        """Close from the client's side, without a word."""
        if self.transport.connected:
            self.transport.loseConnection()


class DoorWire(Wire):
    """A connection through the door that the configuration describes in its first ``[[listen]]``."""

    def __init__(self, radio: Radio, reactor: MemoryReactorClock, *, is_loopback: bool = False) -> None:
        self.door = door(radio._config.listen[0])
        self.door.is_loopback = is_loopback
        super().__init__(radio, reactor)

    def admit(self, radio: Radio, address: IPv4Address) -> Any:
        """What it makes of it at this door."""
        return radio.port.admit(self.door, address)


class WampWire(Wire):
    """A connection that speaks WAMP; subclasses say how messages are framed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._unread = b""
        self.requests = Requests()
        self.open()

    def open(self) -> None:
        """Do the transport's opening handshake."""
        raise NotImplementedError

    def frame(self, data: bytes) -> bytes:
        """One message as it goes over the wire."""
        raise NotImplementedError

    def unframe(self) -> list[bytes]:
        """The payloads of the complete message frames received."""
        raise NotImplementedError

    def say(self, *messages: Any) -> None:
        """Send messages, all in one segment; a request whose id is None gets the next one."""
        numbered = [self.requests.number(message) for message in messages]
        self.send(b"".join(self.frame(msgspec.json.encode(message)) for message in numbered))

    def heard(self) -> list[Any]:
        """Messages received since the last call."""
        self._unread += self.received()
        return [msgspec.json.decode(data) for data in self.unframe()]

    def ask(self, message: Any) -> Any:
        """Send a message and return the one answer."""
        self.say(message)
        answers = self.heard()
        assert len(answers) == 1, answers
        return answers[0]

    def join(self, hello: Any = HELLO) -> int:
        """Open an anonymous session; returns its id."""
        welcome = self.ask(hello)
        assert welcome[0] == 2, welcome
        return int(welcome[1])


class WebSocketWire(WampWire):
    """WAMP over WebSocket, JSON."""

    subprotocol = "wamp.2.json"
    is_ended = False
    """True once a close frame was read."""

    def open(self) -> None:
        """Upgrade on ``/ws``."""
        self.send(upgrade("/ws", self.subprotocol))
        answer = self.received()
        assert answer.startswith(b"HTTP/1.1 101 "), answer

    def frame(self, data: bytes) -> bytes:
        """A masked text frame."""
        return client_frame(0x81, data)

    def unframe(self) -> list[bytes]:
        """Data frames only; see ``frames`` for all."""
        return [payload for opcode, payload in self.frames() if opcode in (1, 2)]

    def frames(self) -> list[tuple[int, bytes]]:
        """(opcode, payload) of every frame received."""
        self._unread += self.received()
        frames, self._unread = server_frames(self._unread)
        self.is_ended = self.is_ended or 8 in {opcode for opcode, _ in frames}
        return frames


class RawSocketWire(WampWire):
    """WAMP over RawSocket, JSON."""

    @property
    def is_ended(self) -> bool:
        """True once the server has hung up."""
        return self.is_closed

    def open(self) -> None:
        """The four bytes there and back."""
        self.send(b"\x7f\xf1\x00\x00")
        assert self.received() == b"\x7f\xb1\x00\x00"

    def frame(self, data: bytes) -> bytes:
        """A length in front."""
        return len(data).to_bytes(4, "big") + data

    def unframe(self) -> list[bytes]:
        """Complete message frames."""
        payloads = []
        while len(self._unread) >= 4:
            size = int.from_bytes(self._unread[:4], "big")
            assert size < 1 << 24, "not a message frame"
            if len(self._unread) < 4 + size:
                break
            payloads.append(self._unread[4 : 4 + size])
            self._unread = self._unread[4 + size :]
        return payloads


def upgrade(path: str, *protocols: str, extra: str = "") -> bytes:
    """A WebSocket opening request."""
    offered = f"Sec-WebSocket-Protocol: {', '.join(protocols)}\r\n" if protocols else ""
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{offered}{extra}\r\n"
    ).encode("latin-1")


def client_frame(first_byte: int, payload: bytes, mask: bytes = b"\x01\x02\x03\x04") -> bytes:
    """A masked frame, as a client sends it."""
    size = len(payload)
    if size < 126:
        head = bytes([first_byte, 0x80 | size])
    elif size < 1 << 16:
        head = bytes([first_byte, 0xFE]) + size.to_bytes(2, "big")
    else:
        head = bytes([first_byte, 0xFF]) + size.to_bytes(8, "big")
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


def server_frames(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """(opcode, payload) of the complete frames in ``data``, inflated if compressed, and the rest."""
    frames = []
    while len(data) >= 2:
        size, head = data[1] & 0x7F, 2
        if size > 125:
            wide = 2 if size == 126 else 8
            size, head = int.from_bytes(data[2 : 2 + wide], "big"), 2 + wide
        if len(data) < head + size:
            break
        payload = data[head : head + size]
        if data[0] & 0x40:
            payload = zlib.decompressobj(-15).decompress(payload + b"\x00\x00\xff\xff")
        frames.append((data[0] & 0x0F, payload))
        data = data[head + size :]
    return frames, data


class AdminWire(RawSocketWire):
    """A connection to the admin socket, of this process's user."""

    def make_transport(self, address: IPv4Address) -> Any:
        """One over a pair of sockets, of which the kernel knows whose they are."""
        transport: Any = super().make_transport(address)
        transport.socket, self._other = socket.socketpair()
        return transport

    def open(self) -> None:
        """The four bytes. Who has come was asked before; what is written goes to the test."""
        self.transport.socket.close()
        del self.transport.socket
        super().open()

    def admit(self, radio: Radio, address: IPv4Address) -> Any:
        """What the server makes of it at that door."""
        return radio.admin.buildProtocol(None)
