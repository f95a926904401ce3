"""What an HTTP request is answered with."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["Answer"]


class Answer(Struct, frozen=True):
    """``content`` is a whole body of media type ``type``; ``cache``: what ``Cache-Control`` says; ``fields``:
    more header fields, by name and value, which may hold what a client said.
    """

    status: int
    content: bytes = b""
    type: bytes = b"application/json"
    cache: bytes = b"no-store"
    fields: tuple[tuple[str, str], ...] = ()
