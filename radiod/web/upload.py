"""A stream of lines, each an item that is published as it comes, and whose result goes back at once.

However long it is, no more of it is held than a line, and results that the client does not read: above
``max_backlog_bytes`` of those it is not read on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from radiod.errors import NoAccess
from radiod.web.answers import Request, refusal
from radiod.web.batches import MINIMAL, Results
from radiod.web.dialects import Publisher
from radiod.web.ongoing import Ongoing
from radiod.wire.answer import Answer
from radiod.wire.answers import chunk, end_line, json_answer
from radiod.wire.heads import Head
from radiod.wire.pieces import Pieces

__all__ = ["LINES", "Upload", "begin_lines", "is_lines"]

LINES: Final = b"application/x-ndjson"
JSON: Final = b"application/json"

IN_A_STEP: Final = 8
"""Lines without a pause: each pause costs about a tenth of a line."""


def is_lines(head: Head) -> bool:
    """Whether a request's body is a stream of lines."""
    kind = head.first(b"content-type")
    if kind is None or kind == JSON:
        return False
    return kind.partition(b";")[0].strip().lower() == LINES


def begin_lines(is_minimal: bool) -> Answer:
    """The answer to a stream of lines, without the lines."""
    # What collects answers before it passes them on would keep the client waiting.
    fields = (("X-Accel-Buffering", "no"), *((MINIMAL,) if is_minimal else ()))
    return Answer(200, type=LINES, fields=fields)


class Upload:
    """Takes the body of one request, as ``transport.http.routes.Taker`` has it.

    ``publisher``: None until it is known who asks; the body is held until then.

    Args:
        limit: most bytes of the whole body.
        max_line: most bytes of a line.
    """

    __slots__ = (
        "_has_ended",
        "_is_held",
        "_is_minimal",
        "_is_too_long",
        "_line",
        "_max_line",
        "_ongoing",
        "_outlet",
        "_request",
        "_results",
        "_told",
        "limit",
        "publisher",
    )

    def __init__(self, request: Request, limit: int, max_line: int, *, is_minimal: bool) -> None:
        self.limit = limit
        self.publisher: Publisher | None = None
        self._request = request
        self._max_line = max_line
        self._is_minimal = is_minimal
        # Results that have not been sent yet.
        self._told: list[bytes] = []
        self._results = Results(self._told.append, is_minimal, self._known)
        # What has come of a line, and whether that is too much already.
        self._line = Pieces()
        self._is_too_long = False
        self._outlet: Any = None
        self._is_held = False
        self._has_ended = False
        self._ongoing: Ongoing | None = None

    def begin(self, publisher: Publisher) -> None:
        """It is known who asks."""
        self.publisher = publisher
        self._ongoing = Ongoing(publisher.holder, self._dismiss)
        self._request.on_lost = self._ongoing.done

    def _dismiss(self, why: NoAccess) -> None:
        """Access has ended: no more lines are taken."""
        request = self._request
        if request.is_over:
            return
        request.on_lost = None
        if self._outlet is None:
            request.answer(refusal(why))
            return
        self._send()
        last = end_line(why.reason)
        self._outlet.push(chunk(last) if request.is_chunked else last)
        request.end()

    def take(self, piece: bytes, is_over: bool) -> Iterator[None]:
        """Publish the lines that end in this piece, some in each step."""
        start = count = 0
        while (end := piece.find(b"\n", start)) >= 0:
            self._end_line(piece[start:end])
            start = end + 1
            count += 1
            if count % IN_A_STEP == 0 or self._results.is_full:
                self._send()
                self._hold()
                yield
        self._add(piece[start:] if start else piece)
        if is_over:
            self._end_line(b"")
            self._has_ended = True
        self._send()
        self._end()

    def _add(self, part: bytes) -> None:
        """Keep what has come of a line, as long as that is no line yet."""
        if self._is_too_long or not part:
            return
        self._line.add(part)
        if self._line.size > self._max_line:
            self._is_too_long = True
            self._line.take()

    def _end_line(self, part: bytes) -> None:
        if self._line.size or self._is_too_long or len(part) > self._max_line:
            self._add(part)
            part = self._line.take()
        if self._is_too_long:
            self._is_too_long = False
            text = f"the line is longer than {self._max_line} bytes"
            self._results.add(json_answer(413, {"error": text}), 0)
        elif part and not part.isspace():
            assert self.publisher is not None
            self._results.add(self.publisher.publish(part), len(part))

    def _send(self) -> None:
        """Send the results that are known."""
        request = self._request
        if not self._told or request.is_over:
            self._told.clear()
            return
        data = b"\n".join(self._told) + b"\n"
        self._told.clear()
        self._begun().push(chunk(data) if request.is_chunked else data)

    def _begun(self) -> Any:
        """Where results go. Not before there is one: some proxies read no more once an answer has begun."""
        if self._outlet is None:
            answer = begin_lines(self._is_minimal)
            if self.publisher is not None:
                self.publisher.tell_limits()
            self._outlet = self._request.begin(answer, is_cut_for_backlog=False)
        return self._outlet

    def _hold(self) -> None:
        if self._results.is_full and not self._is_held:
            self._is_held = True
            self._request.connection.hold_body(True)

    def _known(self) -> None:
        """Of a line that was waited for it is known what it came to."""
        self._send()
        if self._is_held and not self._results.is_full:
            self._is_held = False
            self._request.connection.hold_body(False)
        self._end()

    def _end(self) -> None:
        if self._has_ended and self._results.is_complete and not self._request.is_over:
            if self._is_minimal:
                self._told.append(self._results.summary())
                self._send()
            self._begun()
            if self._ongoing is not None:
                self._ongoing.done()
            self._request.on_lost = None
            self._request.end()
