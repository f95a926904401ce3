"""One HTTP request, as whoever answers it sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from radiod.transport.formats import NOTHING, Format
from radiod.transport.outlets import Outlet
from radiod.wire.answer import Answer
from radiod.wire.doors import Visit
from radiod.wire.heads import Head
from radiod.wire.targets import Target

__all__ = ["Connection", "Request"]


class Connection(Protocol):
    """What a request needs of its connection; ``connection.HttpConnection`` is one, and documents it."""

    proven: object

    def answer(self, request: Request, answer: Answer) -> None: ...

    def begin(
        self,
        request: Request,
        answer: Answer,
        format: Format,
        opening: Callable[[Outlet], None],
        *,
        is_cut_for_backlog: bool,
    ) -> Outlet: ...

    def end(self, request: Request) -> None: ...

    def hold_body(self, is_held: bool) -> None: ...

    def cut(self) -> None: ...


FORGOTTEN: Final = {version: Head(b"GET", Target("/"), version, []) for version in (b"1.0", b"1.1")}
"""What stands for the head of a stream: its own may be long, and the stream lives for days."""


def _nothing(outlet: Outlet) -> None:
    """Nobody but who began it writes."""


class Request:
    """``body`` is whole, but for those who take it piece by piece.

    ``fields`` are told with the answer, whoever answers. ``on_lost`` is called when nobody waits any more for
    an answer that has not been given, or has begun and not ended: the connection is lost, or the server has
    ended it. What is answered after that goes nowhere.
    """

    __slots__ = ("body", "connection", "fields", "has_begun", "head", "is_over", "on_lost", "visit")

    def __init__(self, connection: Connection, head: Head, visit: Visit) -> None:
        self.connection = connection
        self.head = head
        self.visit = visit
        self.body = b""
        self.fields: tuple[tuple[str, str], ...] = ()
        self.on_lost: Callable[[], None] | None = None
        # Whether an answer that goes on has begun.
        self.has_begun = False
        # Whether it has been answered, or nobody waits for that.
        self.is_over = False

    @property
    def method(self) -> str:
        """In the letters of the client."""
        return self.head.method.decode("ascii")

    @property
    def target(self) -> Target:
        """What is asked for, as it was written."""
        return self.head.target

    @property
    def is_chunked(self) -> bool:
        """Whether an answer that goes on comes in chunks: the client speaks HTTP/1.1."""
        return self.head.version == b"1.1"

    def header(self, name: bytes) -> str | None:
        """The first value of a header, named in lower case; what is no UTF-8 becomes U+FFFD."""
        value = self.head.first(name)
        return None if value is None else value.decode("utf-8", "replace")

    def tell(self, name: str, value: str) -> None:
        """One more header field for the answer to come."""
        self.fields = (*self.fields, (name, value))

    def answer(self, answer: Answer) -> None:
        """Answer, unless somebody has, or the client is gone."""
        if not self.is_over:
            self.connection.answer(self, answer)

    def begin(
        self,
        answer: Answer,
        format: Format = NOTHING,
        opening: Callable[[Outlet], None] = _nothing,
        *,
        is_cut_for_backlog: bool = True,
    ) -> Outlet:
        """Begin an answer that goes on. Returns: where its bytes are pushed, framed as chunks if need be.

        Args:
            answer: its status, type and fields; ``content`` is not looked at.
            format: what events look like there.
            opening: opens whatever writes them; what it raises is raised here, and nothing has begun.
            is_cut_for_backlog: a client that does not read what it is sent is cut; otherwise its request is
                not read on.
        """
        return self.connection.begin(self, answer, format, opening, is_cut_for_backlog=is_cut_for_backlog)

    def forget_head(self) -> None:
        """Its head has been looked at. What answers HEAD ends at once, and without a chunk."""
        if self.head.method != b"HEAD":
            self.head = FORGOTTEN[self.head.version]

    def end(self) -> None:
        """An answer that went on has ended."""
        if not self.is_over:
            self.connection.end(self)
