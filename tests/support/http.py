"""HTTP as bytes: requests as a client sends them, and answers taken apart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

__all__ = ["Answer", "dechunked", "get", "post", "request"]


def request(method: str, path: str, *lines: str, body: bytes = b"") -> bytes:
    """A request with these header lines; a body has its length announced."""
    length = [f"Content-Length: {len(body)}"] if body or method == "POST" else []
    head = "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *lines, *length])
    return f"{head}\r\n\r\n".encode("latin-1") + body


def get(path: str, *lines: str) -> bytes:
    """A GET."""
    return request("GET", path, *lines)


def post(path: str, body: Any, *lines: str) -> bytes:
    """A POST; a ``body`` that is not bytes becomes JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return request("POST", path, *lines, body=data)


class Answer:
    """One answer: ``status, headers, body = Answer(wire.received())``; none has the status 0."""

    def __init__(self, data: bytes) -> None:
        head, _, self.body = data.partition(b"\r\n\r\n")
        self.head = head.decode("latin-1")
        first, *lines = self.head.split("\r\n")
        self.status = int(first.split()[1]) if first else 0
        self.headers = dict(line.split(": ", 1) for line in lines)

    def __iter__(self) -> Iterator[Any]:
        yield from (self.status, self.headers, self.body)

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


def dechunked(data: bytes) -> str:
    """The text of a chunked body, or of whole chunks of it."""
    body = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        length = int(size, 16)
        body, data = body + data[:length], data[length + 2 :]
    return body.decode()
