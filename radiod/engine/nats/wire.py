"""NATS's client protocol as bytes: what servers say becomes calls, what a client says becomes bytes.

No socket, no clock. Subjects, sids and header blocks stay ``bytes``: most are only compared, or looked up.

A message's headers, with it or not, are the block as it came; ``parse_headers`` reads one, and
``republished`` what JetStream wrote into it.

Source: NATS client protocol (INFO, CONNECT, PUB, HPUB, SUB, UNSUB, MSG, HMSG, PING, PONG, +OK, -ERR), and
ADR-4 of NATS for headers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple, NoReturn, Protocol

from radiod.engine.nats.errors import ProtocolError

__all__ = [
    "MAX_LINE",
    "MAX_PAYLOAD",
    "PING",
    "PONG",
    "Headers",
    "Parser",
    "Republished",
    "Sink",
    "connect",
    "headers",
    "hpub",
    "parse_headers",
    "pub",
    "republished",
    "status_of",
    "sub",
    "unsub",
]

MAX_LINE: Final = 65_536
"""Bytes of a line: INFO names all servers of a cluster, other lines are below 4,096 by default."""

MAX_PAYLOAD: Final = 64 << 20
"""Bytes of a message, headers included: no server can be configured for more."""

CRLF: Final = b"\r\n"
PING: Final = b"PING\r\n"
PONG: Final = b"PONG\r\n"

VERSION: Final = b"NATS/1.0"
NAME: Final = re.compile(rb"[!#-9;-~]+")
BREAK: Final = re.compile(rb"[\r\n]")

# What a stream writes behind a message's own headers, in this order and with one time between the last two.
SUBJECT: Final = b"Nats-Subject: "
SEQUENCE: Final = b"Nats-Sequence: "
PREVIOUS: Final = b"Nats-Last-Sequence: "
OWN_LINES: Final = 6

# What is longer is no size and no number, and dear to read as one.
SIZE_DIGITS: Final = 9
NUMBER_DIGITS: Final = 20

SHOWN: Final = 80
"""Bytes of what was wrong that an error's text shows."""


class Sink(Protocol):
    """Whom the parser tells. What it raises leaves ``feed``, and the parser is of no use any more."""

    def on_message(
        self, sid: bytes, subject: bytes, reply: bytes | None, headers: bytes | None, payload: bytes
    ) -> None:
        """MSG or HMSG."""

    def on_info(self, text: bytes, is_last: bool) -> None:
        """INFO, JSON behind it. ``is_last``: nothing is behind it in what came."""

    def on_ping(self) -> None:
        """PING: it wants a PONG."""

    def on_pong(self) -> None:
        """PONG."""

    def on_error(self, text: str) -> None:
        """-ERR, without its quotes."""


class Parser:
    """Bytes of one connection in, in any pieces; calls of a ``Sink`` out, in order.

    What is not complete is held: at most a line of ``max_line`` bytes and a message of ``max_payload``.
    """

    __slots__ = ("_held", "_holds", "_max_line", "_max_payload", "_needs", "_sink", "_wrong")

    def __init__(self, sink: Sink, *, max_payload: int = MAX_PAYLOAD, max_line: int = MAX_LINE) -> None:
        self._sink = sink
        self._max_payload = max_payload
        self._max_line = max_line
        self._held: list[bytes] = []
        self._holds = 0
        # Bytes from which on looking at what is held makes sense.
        self._needs = 0
        self._wrong: ProtocolError | None = None

    def feed(self, data: bytes) -> None:
        """Take what came.

        Raises: ProtocolError: it is no NATS; also for all that comes after.
        """
        if self._wrong is not None:
            raise self._wrong
        if self._held:
            self._held.append(data)
            self._holds += len(data)
            if self._holds < self._needs:
                return
            data = b"".join(self._held)
        try:
            rest = self._read(data)
        except ProtocolError as error:
            self._held.clear()
            self._wrong = error
            raise
        self._held = [rest] if rest else []
        self._holds = len(rest)

    def _read(self, data: bytes) -> bytes:
        """Tell of all that is complete. Returns: what is not."""
        find, on_message, length, at = data.find, self._sink.on_message, len(data), 0
        while (end := find(CRLF, at)) >= 0:
            if end - at > self._max_line:
                break
            words = data[at:end].split(b" ")
            start = end + 2
            if words[0] != b"MSG" and words[0] != b"HMSG":
                self._control(data[at:end], start == length)
                at = start
                continue
            stop = start + self._size(words[-1])
            if stop + 2 > length:
                self._needs = stop + 2 - at
                return data[at:]
            if not data.startswith(CRLF, stop):
                _fail("a message that does not end where its size says", data[at:end])
            at = stop + 2
            if words[0] == b"HMSG":
                self._with_headers(words, data[start:stop])
            elif len(words) == 4:
                on_message(words[2], words[1], None, None, data[start:stop])
            elif len(words) == 5:
                on_message(words[2], words[1], words[3], None, data[start:stop])
            else:
                _fail("no MSG", b" ".join(words))
        # A line break may be half there.
        if max(end, length - 1) - at > self._max_line:
            _fail(f"a line of more than {self._max_line} bytes", data[at : at + SHOWN])
        self._needs = 0
        return data[at:]

    def _size(self, word: bytes) -> int:
        if not word.isdigit() or len(word) > SIZE_DIGITS:
            _fail("a message of no size", word)
        size = int(word)
        if size > self._max_payload:
            _fail(f"a message of more than {self._max_payload} bytes", word)
        return size

    def _with_headers(self, words: list[bytes], content: bytes) -> None:
        if len(words) not in (5, 6):
            _fail("no HMSG", b" ".join(words))
        head = self._size(words[-2])
        if head > len(content):
            _fail("headers longer than their message", b" ".join(words))
        reply = words[3] if len(words) == 6 else None
        self._sink.on_message(words[2], words[1], reply, content[:head], content[head:])

    def _control(self, line: bytes, is_last: bool) -> None:
        verb, _, rest = line.partition(b" ")
        if line == b"PING":
            self._sink.on_ping()
        elif line == b"PONG":
            self._sink.on_pong()
        elif verb == b"INFO":
            self._sink.on_info(rest.strip(), is_last)
        elif verb == b"-ERR":
            self._sink.on_error(rest.strip(b" '").decode("utf-8", "replace"))
        elif line != b"+OK":
            _fail("no line of NATS", line)


def _fail(what: str, seen: bytes) -> NoReturn:
    raise ProtocolError(f"{what}: {seen[:SHOWN]!r}")


# --- What a client says


def connect(options: bytes) -> bytes:
    """CONNECT. ``options``: JSON."""
    return b"CONNECT %b\r\n" % options


def sub(subject: bytes, sid: bytes) -> bytes:
    """SUB. ``sid``: any word that the connection has not used; messages come with it."""
    return b"SUB %b %b\r\n" % (subject, sid)


def unsub(sid: bytes) -> bytes:
    """UNSUB: messages that are on their way come yet."""
    return b"UNSUB %b\r\n" % sid


def pub(subject: bytes, payload: bytes, reply: bytes | None = None) -> bytes:
    """PUB. Subjects are not looked at: one with a space or a line break in it breaks the connection."""
    if reply is None:
        return b"PUB %b %d\r\n%b\r\n" % (subject, len(payload), payload)
    return b"PUB %b %b %d\r\n%b\r\n" % (subject, reply, len(payload), payload)


def hpub(subject: bytes, headers: bytes, payload: bytes, reply: bytes | None = None) -> bytes:
    """HPUB. ``headers``: as the function of that name makes them. Subjects are not looked at."""
    to = subject if reply is None else b"%b %b" % (subject, reply)
    size = len(headers)
    return b"HPUB %b %d %d\r\n%b%b\r\n" % (to, size, size + len(payload), headers, payload)


# --- Headers


class Headers(NamedTuple):
    """What a block of headers says.

    ``status``: 0: it has none. ``fields``: name, as it was sent, to its values, in order.
    """

    status: int
    description: str
    fields: dict[bytes, list[bytes]]

    def first(self, name: bytes, default: bytes = b"") -> bytes:
        """The first value of a name."""
        values = self.fields.get(name)
        return values[0] if values else default

    def number(self, name: bytes, default: int = 0) -> int:
        """The first value of a name, if it is a number."""
        value = self.first(name)
        return int(value) if value.isdigit() and len(value) <= NUMBER_DIGITS else default


def headers(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A block of headers. A name may come several times.

    Raises: ValueError: a name or value that would end its line, or a name that is none.
    """
    lines = [VERSION]
    for name, value in fields:
        if NAME.fullmatch(name) is None or BREAK.search(value) is not None:
            raise ValueError(f"no header: {name[:SHOWN]!r}")
        lines.append(b"%b: %b" % (name, value))
    return b"\r\n".join(lines) + b"\r\n\r\n"


def parse_headers(block: bytes) -> Headers:
    """Read a block of headers.

    Raises: ProtocolError: it is none. Servers do not look at what clients send each other.
    """
    if not block.startswith(VERSION) or not block.endswith(b"\r\n\r\n"):
        _fail("no headers", block)
    first, *lines = block[:-4].split(CRLF)
    status, _, description = first[len(VERSION) :].strip().partition(b" ")
    if status and (len(status) != 3 or not status.isdigit()):
        _fail("no status", first)
    fields: dict[bytes, list[bytes]] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not name:
            _fail("no header", line)
        fields.setdefault(name, []).append(value.strip(b" \t"))
    return Headers(int(status or 0), description.decode("utf-8", "replace"), fields)


def status_of(block: bytes) -> int:
    """The status of a block of headers, 0 if it has none; cheaper than all of ``parse_headers``."""
    status = block[9:12]
    return int(status) if status.isdigit() and block.startswith(b"NATS/1.0 ") else 0


class Republished(NamedTuple):
    """What a stream says of a message that it stored and sent on.

    ``sequence``: in the stream, from 1. ``previous``: the one before on the same subject, 0 if none is held.
    ``subject``: what it was published on.
    """

    sequence: int
    previous: int
    subject: bytes


def republished(block: bytes) -> Republished:
    """What a stream wrote behind a message's own headers.

    Raises: ProtocolError: nothing of that kind is there.
    """
    # The stream's own lines are the last ones, whatever those of the publisher are called.
    try:
        subject, sequence, _, previous = block.rsplit(CRLF, OWN_LINES)[1:5]
        if (
            subject[: len(SUBJECT)] == SUBJECT
            and sequence[: len(SEQUENCE)] == SEQUENCE
            and previous[: len(PREVIOUS)] == PREVIOUS
        ):
            return Republished(
                int(sequence[len(SEQUENCE) :]), int(previous[len(PREVIOUS) :]), subject[len(SUBJECT) :]
            )
    except ValueError:
        pass
    _fail("no headers of a stream", block)
