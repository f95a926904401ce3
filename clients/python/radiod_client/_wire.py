"""A WebSocket without a socket: ``websockets``' sans-I/O protocol, behind a fast path for plain frames."""

from __future__ import annotations

import logging
import re

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, ProtocolError
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

__all__ = ["Wire", "WireBroken"]

MAX_HEAD = 65_536
MAX_MESSAGE = 64 * 2**20
_DATA = (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)
_TOLD = re.compile(r"retry_after=([0-9]+(?:\.[0-9]+)?)\Z")
_SILENT = logging.getLogger("radiod_client.websocket")
_SILENT.propagate = False
_SILENT.addHandler(logging.NullHandler())


class WireBroken(Exception):
    """The other end is no WebSocket server of WAMP's, or broke the protocol."""


class Wire:
    """One connection: bytes in, messages out, and the other way round."""

    def __init__(self, url: str, subprotocol: str, is_binary: bool, max_message: int = MAX_MESSAGE) -> None:
        self._protocol = ClientProtocol(
            parse_uri(url),
            subprotocols=[Subprotocol(subprotocol)],
            max_size=max_message,
            logger=_SILENT,
        )
        self._subprotocol = subprotocol
        self._is_binary = is_binary
        self._max_message = max_message
        self._data: bytes | bytearray = b""
        self._wanted = 0
        self._pieces: list[bytes] = []
        self._broken: WireBroken | None = None
        self._opcode = 0x82 if is_binary else 0x81
        self.is_open = False
        self.is_stirred = True
        """Whether other things came than plain messages: perhaps there is something to write."""
        self._protocol.send_request(self._protocol.connect())

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes: the socket is to be closed."""
        return self._protocol.state is State.CLOSED or (self.is_open and self._protocol.close_expected())

    @property
    def ending(self) -> str:
        """Why the other end closed, as far as it said."""
        said = self._protocol.close_rcvd
        return (
            "the connection was lost" if said is None else f"closed by the server: {said.code} {said.reason}"
        )

    @property
    def told(self) -> float | None:
        """After how many seconds the server wants us back."""
        said = self._protocol.close_rcvd
        found = None if said is None else _TOLD.search(said.reason)
        return float(found[1]) if found else None

    def outgoing(self) -> bytes:
        """What is to be written; once."""
        return b"".join(self._protocol.data_to_send())

    def send(self, message: bytes) -> None:
        """Send one message."""
        if self._protocol.state is not State.OPEN:
            return
        if self._is_binary:
            self._protocol.send_binary(message)
        else:
            self._protocol.send_text(message)

    def ping(self) -> None:
        """Ask the other end for a sign of life."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_ping(b"radiod")

    def close(self) -> None:
        """Begin the closing handshake."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(1000)

    def feed(self, data: bytes) -> None:
        """Bytes from the socket. Raises: WireBroken: the handshake failed."""
        if not self._data:
            # Nearly always whole messages, which are taken out of it as they stand.
            self._data = data
        else:
            if isinstance(self._data, bytes):
                self._data = bytearray(self._data)
            self._data += data
        if not self.is_open:
            self._shake_hands()

    def _shake_hands(self) -> None:
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            if len(self._data) > MAX_HEAD:
                raise WireBroken("no HTTP answer")
            return
        head = bytes(self._data[: end + 4])
        first = head.partition(b"\r\n")[0].decode("latin-1")
        if not re.match(r"HTTP/1\.1 101( |\Z)", first):
            raise WireBroken(f"no WebSocket there: {first[:200]}")
        self._data = self._data[end + 4 :]
        self._protocol.receive_data(head)
        self._protocol.events_received()
        if isinstance(self._protocol.handshake_exc, InvalidHandshake):
            raise WireBroken(f"no WebSocket there: {self._protocol.handshake_exc}")
        if self._protocol.subprotocol != self._subprotocol:
            raise WireBroken("a WebSocket that does not speak WAMP")
        self.is_open = True

    @property
    def is_broken(self) -> bool:
        """Whether the next ``messages`` raises: what stands before a mistake was good."""
        return self._broken is not None

    def messages(self, most: int) -> list[bytes]:
        """At most so many whole messages; there are more while it is as many. Raises: WireBroken."""
        found: list[bytes] = []
        if self._broken is not None:
            raise self._broken
        if self.is_open and len(self._data) >= self._wanted:
            try:
                self._find(most, found)
            except WireBroken as error:
                self._broken = error
                if not found:
                    raise
        return found

    def _find(self, most: int, found: list[bytes]) -> None:
        self._wanted = 0
        data, at, opcode = bytes(self._data), 0, self._opcode  # No copy of bytes.
        size = len(data)
        try:
            while len(found) < most and size - at > 1:
                length = data[at + 1]
                start = at + 2
                # A whole head and a length that stands in it: nearly all of them.
                if length > 126 or size - at < 4:
                    frame = self._frame(data, at)
                    if frame is None:
                        break
                    start, end = frame
                else:
                    if length == 126:
                        length, start = data[start] << 8 | data[start + 1], at + 4
                    end = start + length
                    if end > size:
                        self._wanted = end - at
                        break
                if data[at] == opcode and not self._pieces:
                    found.append(data[start:end])
                else:
                    self._receive(data[at:end], found)
                at = end
        finally:
            self._data = data[at:] if at < size else b""

    def _frame(self, data: bytes, at: int) -> tuple[int, int] | None:
        """Where the payload of the frame at ``at`` begins and ends; None: it is not whole."""
        size = len(data) - at
        if size < 2:
            return None
        length, start = data[at + 1], at + 2
        if length >= 126:
            # A masked frame is longer, and an error: let the protocol find it.
            width = 2 if length == 126 else 8
            if length > 127:
                raise WireBroken("a masked frame of a server")
            start += width
            if len(data) < start:
                return None
            length = int.from_bytes(data[at + 2 : start], "big")
        if length > self._max_message:
            raise WireBroken(f"a message of {length} bytes")
        if len(data) < start + length:
            # A long one is looked at again when it is whole, not at every read.
            self._wanted = start + length - at
            return None
        return start, start + length

    def _receive(self, frame: bytes, found: list[bytes]) -> None:
        """The slow way: control frames, messages in pieces, and mistakes."""
        self.is_stirred = True
        self._protocol.receive_data(frame)
        for event in self._protocol.events_received():
            if isinstance(event, Frame) and event.opcode in _DATA:
                self._add(event, found)
        if isinstance(self._protocol.parser_exc, ProtocolError | UnicodeDecodeError):
            raise WireBroken(f"not WebSocket's: {self._protocol.parser_exc}")

    def _add(self, frame: Frame, found: list[bytes]) -> None:
        if frame.opcode is not Opcode.CONT and (frame.opcode is Opcode.BINARY) is not self._is_binary:
            raise WireBroken("a message of the wrong kind")
        self._pieces.append(bytes(frame.data))
        if sum(map(len, self._pieces)) > self._max_message:
            raise WireBroken("a message that is too long")
        if frame.fin:
            found.append(b"".join(self._pieces))
            self._pieces.clear()
