"""A raw WAMP-over-WebSocket client on a real socket: it reads exactly when told to."""

from __future__ import annotations

import json
import re
import socket
import struct
from typing import Any

from support.memory import Requests, server_frames, upgrade

SECONDS = 20
ROLES = ("publisher", "subscriber", "caller", "callee")


class RawClient:
    """One session; frames it sends have a mask of zeros, so that payloads need no masking.

    ``login``: user and ticket, else it is anonymous; ``agent``: what it calls itself; ``roles``: as it
    announces them, by default without any feature; ``cookie``: what it comes back by, without a ticket. It
    has in ``cookie`` what it was given.
    """

    def __init__(
        self,
        port: int,
        receive_buffer: int | None = None,
        *,
        login: tuple[str, str] | None = None,
        agent: str | None = None,
        roles: dict[str, Any] | None = None,
        cookie: str | None = None,
    ) -> None:
        self._socket = socket.socket()
        self._socket.settimeout(SECONDS)
        if receive_buffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.connect(("127.0.0.1", port))
        extra = "" if cookie is None else f"Cookie: {cookie}\r\n"
        self._socket.sendall(upgrade("/ws", "wamp.2.json", extra=extra))
        self._unread = b""
        while b"\r\n\r\n" not in self._unread:
            self._unread += self._socket.recv(65536)
        head, _, self._unread = self._unread.partition(b"\r\n\r\n")
        given = re.search(rb"Set-Cookie: ([^;\r]*)", head)
        self.cookie = None if given is None else given[1].decode()
        self._messages: list[Any] = []
        # A close frame that came together with messages.
        self._close: list[tuple[int, bytes]] = []
        self._requests = Requests()
        hello: dict[str, Any] = {"roles": roles or {role: {} for role in ROLES}}
        if agent is not None:
            hello["agent"] = agent
        if cookie is not None:
            hello |= {"authmethods": ["cookie"]}
        elif login is not None:
            hello |= {"authmethods": ["ticket"], "authid": login[0]}
        welcome = self.ask([1, "radio", hello])
        if login is not None and welcome[0] == 4:
            welcome = self.ask([5, login[1], {}])
        assert welcome[0] == 2, welcome
        self.session = welcome[1]
        self.authid = welcome[2].get("authid")

    def say(self, *messages: Any) -> None:
        """Send messages in one go; a request whose id is None gets the next one."""
        numbered = [self._requests.number(message) for message in messages]
        self._socket.sendall(b"".join(frame(json.dumps(message).encode()) for message in numbered))

    def hear(self) -> Any:
        """The next message."""
        while not self._messages:
            data = self._socket.recv(1 << 18)
            assert data, "the server has hung up"
            frames, self._unread = server_frames(self._unread + data)
            self._messages = [json.loads(payload) for opcode, payload in frames if opcode == 1]
            self._close = [frame for frame in frames if frame[0] == 8]
        return self._messages.pop(0)

    def hear_close(self) -> int:
        """The code of the close frame that comes next; answers it, and sees the server hang up."""
        assert self._messages == []
        frames, self._close = self._close, []
        while not frames:
            data = self._socket.recv(1 << 18)
            assert data, "the server has hung up without a close frame"
            frames, self._unread = server_frames(self._unread + data)
        ((opcode, payload),) = frames
        assert opcode == 8, frames
        self._socket.sendall(b"\x88\x82" + bytes(4) + payload[:2])
        assert self._socket.recv(1) == b""
        return int.from_bytes(payload[:2], "big")

    def ask(self, message: Any) -> Any:
        """Send a message and return the next one received."""
        self.say(message)
        return self.hear()

    def give_up_after(self, seconds: float) -> None:
        """Let sending and receiving raise TimeoutError sooner."""
        self._socket.settimeout(seconds)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def reset(self) -> None:
        """Vanish: the server gets a reset, and not even a TCP goodbye."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()


def frame(data: bytes) -> bytes:
    """A client frame whose mask is zero."""
    size = len(data)
    if size < 126:
        return bytes([0x81, 0x80 | size]) + bytes(4) + data
    return b"\x81\xfe" + size.to_bytes(2, "big") + bytes(4) + data
