"""What is to be sent: gathered, and written with one call a turn; bounded while the server does not read."""

from __future__ import annotations

from typing import Final, Protocol

from radiod.engine.nats.options import Soon

__all__ = ["Outgoing", "Pipe"]

PIECE: Final = 1 << 20
"""Bytes that a pipe is given at once, or a message more: as they leave, it shows that the server reads."""


class Pipe(Protocol):
    """One socket's way out."""

    def write(self, data: bytes) -> bool:
        """Send. Returns: False: it is full. Whoever writes waits until told that there is room."""

    def start_tls(self) -> None:
        """What comes and goes from now on is encrypted."""

    def close(self) -> None:
        """Close it when what was written has left."""

    def abort(self) -> None:
        """Close it now."""


class Outgoing:
    """The queue of one ``Connection``, which outlives its sockets.

    ``bytes``: what waits, here and in the pipe. ``is_open``: whether more is taken than a link's own words.
    ``has_moved``: the server has read something that waited; whoever looks sets it back.
    """

    __slots__ = ("_held", "_is_full", "_most", "_pipe", "_soon", "_waiting", "bytes", "has_moved", "is_open")

    def __init__(self, soon: Soon, most: int) -> None:
        self._soon = soon
        self._most = most
        self._waiting: list[bytes] = []
        self._pipe: Pipe | None = None
        self._is_full = False
        self._held = 0
        self.is_open = False
        self.has_moved = False
        self.bytes = 0

    def start(self, pipe: Pipe) -> None:
        """There is a socket: for its link's first words."""
        self._pipe = pipe
        self._is_full = False
        self._held = 0

    def stop(self) -> int:
        """The socket is gone, and what waits with it. Returns: bytes that waited."""
        unsent, self.bytes = self.bytes, 0
        self._pipe = None
        self.is_open = False
        self._waiting.clear()
        return unsent

    def offer(self, data: bytes) -> bool:
        """Send it at the end of the turn. Returns: False: it is not open, or too much waits already."""
        size = self.bytes + len(data)
        if not self.is_open or size > self._most:
            return False
        if not self._waiting:
            self._soon(self.flush)
        self._waiting.append(data)
        self.bytes = size
        return True

    def push(self, data: bytes) -> None:
        """Send what must go whatever waits: few bytes. Without a socket it is nothing."""
        if self._pipe is None:
            return
        if not self._waiting:
            self._soon(self.flush)
        self._waiting.append(data)
        self.bytes += len(data)

    def flush(self) -> None:
        """Write what waits, as much of it as can be written."""
        while self._pipe is not None and not self._is_full and self._waiting:
            piece = self._piece()
            if self._pipe.write(piece):
                self.bytes -= len(piece)
            else:
                self._is_full = True
                self._held = len(piece)

    def on_room(self, pipe: Pipe) -> None:
        """A pipe has sent what it held."""
        if pipe is not self._pipe:
            return
        self._is_full = False
        self.has_moved = True
        self.bytes -= self._held
        self._held = 0
        self.flush()

    def _piece(self) -> bytes:
        if self.bytes <= PIECE:
            piece = b"".join(self._waiting)
            self._waiting.clear()
            return piece
        size = count = 0
        for data in self._waiting:
            size += len(data)
            count += 1
            if size >= PIECE:
                break
        piece = b"".join(self._waiting[:count])
        del self._waiting[:count]
        return piece
