"""HTTP answers as bytes (RFC 9112, 4 and 7.1): whole ones, and the chunks of those that go on."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import msgspec

from radiod.wire.answer import Answer
from radiod.wire.replies import clean

__all__ = [
    "CONTINUE",
    "LAST_CHUNK",
    "answer_bytes",
    "chunk",
    "end_event",
    "end_line",
    "json_answer",
    "retry_event",
    "retry_line",
    "stream_head",
]

Fields = tuple[tuple[str, str], ...]
"""Header fields: name and value of each, which may hold what a client said."""

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK: Final = b"0\r\n\r\n"

PHRASES: Final = {
    200: b"OK",
    204: b"No Content",
    304: b"Not Modified",
    308: b"Permanent Redirect",
    400: b"Bad Request",
    401: b"Unauthorized",
    403: b"Forbidden",
    404: b"Not Found",
    405: b"Method Not Allowed",
    408: b"Request Timeout",
    409: b"Conflict",
    410: b"Gone",
    413: b"Content Too Large",
    415: b"Unsupported Media Type",
    422: b"Unprocessable Content",
    426: b"Upgrade Required",
    429: b"Too Many Requests",
    500: b"Internal Server Error",
    501: b"Not Implemented",
    503: b"Service Unavailable",
}
NO_BODY: Final = (204, 304)


def json_answer(status: int, body: Any, *fields: tuple[str, str]) -> Answer:
    """An answer that is JSON, and not to be kept by anybody."""
    return Answer(status, msgspec.json.encode(body), fields=fields)


def answer_bytes(answer: Answer, shared: bytes, more: bytes, *, has_body: bool, told: Fields = ()) -> bytes:
    """The whole of an answer.

    Args:
        shared: header lines of all answers, as ``Date``; more: those of this connection.
        told: fields that go with whatever is answered.
        has_body: False for HEAD, whose answer has only the length.
    """
    content = answer.content
    status = answer.status
    lines = _status_line(status) + shared
    if status not in NO_BODY:
        lines += b"Content-Type: %b\r\nContent-Length: %d\r\n" % (answer.type, len(content))
    head = lines + _lines(answer.cache, told, answer.fields) + more + b"\r\n"
    return head + content if has_body and content else head


def stream_head(answer: Answer, shared: bytes, more: bytes, *, is_chunked: bool, told: Fields = ()) -> bytes:
    """The head of an answer whose body comes by and by; without chunks the connection's end is its end."""
    coding = b"Transfer-Encoding: chunked\r\n" if is_chunked else b""
    lines = _status_line(answer.status) + shared + b"Content-Type: %b\r\n" % answer.type
    return lines + _lines(answer.cache, told, answer.fields) + coding + more + b"\r\n"


def chunk(data: bytes) -> bytes:
    """One chunk; nothing for nothing, since an empty chunk is the last one."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def end_event(reason: str) -> bytes:
    """The last Server-Sent Event for one whose access has ended; ``reason``: a word."""
    return b'event: end\ndata: {"reason": "%b"}\n\n' % reason.encode("ascii")


def end_line(reason: str) -> bytes:
    """The last line of JSON for one whose access has ended, and the empty one behind it."""
    return b'{"end": "%b"}\n\n' % reason.encode("ascii")


def retry_event(milliseconds: int) -> bytes:
    """When an EventSource is to come back: the end of its stream is one that it does not mind."""
    return b"retry: %d\n\n" % milliseconds


def retry_line(milliseconds: int) -> bytes:
    """The same as the last line of JSON, and the empty one behind it."""
    return b'{"retry": %d}\n\n' % milliseconds


@lru_cache(64)
def _status_line(status: int) -> bytes:
    return b"HTTP/1.1 %d %b\r\n" % (status, PHRASES[status])


@lru_cache(256)
def _lines(cache: bytes, told: Fields, fields: Fields) -> bytes:
    """Most answers have the same fields as others before them, and to clean them takes its time."""
    lines = [b"%b: %b\r\n" % (clean(name), clean(value)) for name, value in (*told, *fields)]
    return b"Cache-Control: %b\r\n" % cache + b"".join(lines)
