"""One HTTP request head, checked as a whole (RFC 9110 and 9112) before anybody acts on a part of it.

What two programs could read differently is refused: a proxy in front and radiod must see the same requests.
"""

from __future__ import annotations

import re
from typing import Final

from radiod.wire.targets import BadTarget, Target, target_of

__all__ = ["END_OF_HEAD", "HOST", "MAX_DIGITS", "MAX_HEAD_BYTES", "PHRASES", "BadHead", "Head", "read_head"]

MAX_HEAD_BYTES: Final = 16_384
MAX_FIELDS: Final = 100
MAX_DIGITS: Final = 16
BEYOND: Final = 1 << 62
"""What a length of more digits is taken for: beyond any limit. To read it would take long."""
END_OF_HEAD: Final = b"\r\n\r\n"

# Names are tokens, with the colon right behind; values hold no control character but the tab. So there is no
# folding, and no bare CR or LF.
FIELDS: Final = re.compile(rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\x00-\x08\x0a-\x1f\x7f]*\r\n)*\r\n")
REQUEST_LINE: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([^\x00-\x20\x7f]+) HTTP/(\d\.\d)")
HOST: Final = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=%-]*|\[[0-9A-Fa-f:.]+\])(?::\d{0,5})?")
"""A host, and a port perhaps (RFC 3986, 3.2)."""

LINE_END_IN_LATIN_1: Final = b"\x85"
"""Some WebSocket libraries take it for a line's end, and see fields that others do not (CVE-2026-44546)."""

SINGLE: Final = frozenset(
    (b"host", b"content-length", b"transfer-encoding", b"api-key", b"x-api-key", b"authorization", b"origin")
)
"""Fields that decide on a request: two of them could be read as one or the other."""

PHRASES: Final = {
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    413: "Content Too Large",
    414: "URI Too Long",
    415: "Unsupported Media Type",
    417: "Expectation Failed",
    421: "Misdirected Request",
    426: "Upgrade Required",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    501: "Not Implemented",
    505: "HTTP Version Not Supported",
}


class BadHead(ValueError):
    """The head is refused with this status; ``str`` says why, in a sentence without the peer's words."""

    def __init__(self, status: int, text: str = "") -> None:
        super().__init__(text or PHRASES[status])
        self.status = status


class Head:
    """A head without a fault.

    ``fields`` are (lower-case name, value without white space around it), in order; ``version`` is ``b"1.1"``
    or ``b"1.0"``; ``is_websocket``: an upgrade to a WebSocket is asked for; ``is_kept``: whether the client
    wants to ask on over this connection (RFC 9112, 9.3). Of the body: ``is_chunked``; ``length``, None: it
    tells none; ``coding``: how it is compressed, as it was written, None: not at all.
    """

    __slots__ = (
        "_by_name",
        "coding",
        "fields",
        "is_chunked",
        "is_kept",
        "is_websocket",
        "length",
        "method",
        "target",
        "version",
    )

    def __init__(
        self, method: bytes, target: Target, version: bytes, fields: list[tuple[bytes, bytes]]
    ) -> None:
        self.method = method
        self.target = target
        self.version = version
        self.fields = fields
        # From the back, so that of several the first remains.
        self._by_name = dict(reversed(fields))
        # Other protocols than WebSocket may be asked for beside it; they are ignored.
        self.is_websocket = b"upgrade" in self._by_name and any(
            token == b"websocket" for token in self.tokens(b"upgrade")
        )
        # Told once for all requests that have this very head.
        self.is_chunked = b"transfer-encoding" in self._by_name
        length = self._by_name.get(b"content-length")
        self.length = None if length is None else _size(length)
        self.coding = self._by_name.get(b"content-encoding")
        self.is_kept = version == b"1.1"
        if b"connection" in self._by_name:
            tokens = self.tokens(b"connection")
            self.is_kept = b"close" not in tokens and (self.is_kept or b"keep-alive" in tokens)

    def all(self, name: bytes) -> list[bytes]:
        """The values of a field, in order; ``name`` in lower case."""
        return [value for key, value in self.fields if key == name]

    def tokens(self, name: bytes) -> list[bytes]:
        """A field that is a list of tokens, in lower case."""
        return [token.strip() for token in b",".join(self.all(name)).lower().split(b",")]

    def first(self, name: bytes) -> bytes | None:
        """The first value of a field."""
        return self._by_name.get(name)

    def repeated(self) -> list[bytes]:
        """The names of fields that come more than once."""
        if len(self._by_name) == len(self.fields):
            return []
        names = [name for name, _ in self.fields]
        return [name for name in self._by_name if names.count(name) > 1]


def _size(digits: bytes) -> int | None:
    if not digits.isdigit():
        # Refused when the framing is looked at.
        return None
    return int(digits) if len(digits) <= MAX_DIGITS else BEYOND


def read_head(data: bytes) -> Head:
    """Read one request head, the empty line at its end included.

    Raises: BadHead: it must be refused, and the connection closed.
    """
    if len(data) > MAX_HEAD_BYTES:
        raise BadHead(431)
    line, _, rest = data.partition(b"\r\n")
    method, target, version = _request_line(line)
    if not FIELDS.fullmatch(rest):
        raise BadHead(400)
    parts = (each.partition(b":") for each in rest[:-4].split(b"\r\n"))
    fields = [(name.lower(), value.strip(b" \t")) for name, _, value in parts] if len(rest) > 2 else []
    if len(fields) > MAX_FIELDS:
        raise BadHead(431)
    head = Head(method, target, version, fields)
    _check_fields(head)
    if head.is_websocket and LINE_END_IN_LATIN_1 in data:
        raise BadHead(400)
    return head


def _request_line(line: bytes) -> tuple[bytes, Target, bytes]:
    found = REQUEST_LINE.fullmatch(line)
    if found is None:
        raise BadHead(400)
    method, raw, version = found.groups()
    if version not in (b"1.1", b"1.0"):
        raise BadHead(505)
    try:
        return method, target_of(method, raw), version
    except BadTarget as bad:
        raise BadHead(bad.status) from None


def _check_fields(head: Head) -> None:
    for name in head.repeated():
        if name in SINGLE:
            raise BadHead(400, f"more than one {name.decode()}")
    host = head.first(b"host")
    if (host is None and head.version == b"1.1") or (host is not None and not HOST.fullmatch(host)):
        raise BadHead(400, "HTTP/1.1 needs a Host")
    _check_framing(head)
    if head.first(b"expect") is not None:
        for expected in head.all(b"expect"):
            if expected.lower() != b"100-continue":
                raise BadHead(417)


def _check_framing(head: Head) -> None:
    """Where a body ends must not be in doubt (RFC 9112, 6.1 and 6.3)."""
    length, coding = head.first(b"content-length"), head.first(b"transfer-encoding")
    if length is not None and not length.isdigit():
        raise BadHead(400)
    if coding is None:
        return
    if length is not None or head.version == b"1.0":
        raise BadHead(400)
    codings = [one.strip().lower() for one in coding.split(b",")]
    if codings[-1] != b"chunked" or b"chunked" in codings[:-1]:
        raise BadHead(400)
    if len(codings) > 1:
        raise BadHead(501)
