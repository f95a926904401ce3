"""``POST /publish``: samples in, broadcast to everybody who listens.

One item, in one of two dialects (``web.dialects``); an array of items; or a stream of lines, an item each.
"""

from __future__ import annotations

from typing import Any, Final

from radiod.core.promises import Promise
from radiod.errors import Refused
from radiod.web.answers import Request
from radiod.web.batches import Batch, items_of, wants_minimum
from radiod.web.callers import Caller, Callers, UnknownCaller, is_signed
from radiod.web.dialects import Later, Publisher, is_for_bridge
from radiod.web.limits import telling
from radiod.web.repeats import HEADER, Repeats
from radiod.web.routes import Outcome, Route, settle
from radiod.web.upload import Upload, begin_lines, is_lines
from radiod.wire.answer import Answer
from radiod.wire.answers import json_answer
from radiod.wire.heads import Head

__all__ = ["Publish"]

NO_JSON: Final = json_answer(400, {"error": "POST data is not JSON"})
ONCE: Final = json_answer(400, {"error": "Idempotency-Key is not for a stream of lines: it has many answers"})
UNSIGNED: Final = json_answer(400, {"error": "a stream of lines cannot be signed: sign an array of items"})


class Publish(Route):
    """Publishes for whoever has an API key.

    Args:
        max_upload: most bytes of a stream of lines.
        max_line: most bytes of one of its lines.
    """

    methods = ("POST", "OPTIONS")
    # Clients of the Django radio were told the two above.
    untold = ("PUT",)

    def __init__(self, callers: Callers, repeats: Repeats, *, max_upload: int, max_line: int) -> None:
        self._callers = callers
        self._repeats = repeats
        self._max_upload = max_upload
        self._max_line = max_line

    def post(self, request: Request) -> Outcome:
        """Publish, perhaps when it is the address's turn."""
        return self._callers.in_turn(request, lambda: self._publish(request))

    def _publish(self, request: Request) -> Outcome:
        """Check in the contract's order; publish; answer."""
        try:
            caller = self._callers.of(request)
        except UnknownCaller as nobody:
            return _answer_of(nobody, request)
        outcome: Outcome
        if request.head.first(HEADER) is None:
            outcome = self._publish_for(request, caller)
        else:
            outcome = self._repeats.once(request, caller, lambda: self._publish_for(request, caller), _refuse)
        return telling(request, caller.visitor, "publish", outcome)

    def _publish_for(self, request: Request, caller: Caller) -> Answer | Promise[Answer]:
        body = request.body
        publisher = Publisher(caller, request, self._callers)
        if body[:1] != b"{":
            if not body and is_lines(request.head):
                return _no_lines(request)
            try:
                items = items_of(body)
            except (ValueError, RecursionError):
                return NO_JSON
            if items:
                batch = Batch(caller.realm.slices, publisher, items, wants_minimum(request))
                batch.go_on()
                return batch.answer
        outcome = publisher.publish(body)
        return outcome.answer if isinstance(outcome, Later) else outcome

    def taker(self, request: Request) -> Any:
        """Who takes a stream of lines as it comes."""
        head = request.head
        if not is_lines(head) or request.method not in ("POST", "PUT") or not _has_body(head):
            return None
        self.tell_page(request)
        if head.first(HEADER) is not None:
            request.answer(ONCE)
            return None
        if is_signed(request):
            request.answer(UNSIGNED)
            return None
        upload = Upload(request, self._max_upload, self._max_line, is_minimal=wants_minimum(request))
        settle(request, self._callers.in_turn(request, lambda: self._begin(request, upload)))
        if upload.publisher is None and not request.is_over:
            # It is not its address's turn.
            request.connection.hold_body(True)
        return upload

    def _begin(self, request: Request, upload: Upload) -> Outcome:
        try:
            caller = self._callers.of(request)
        except UnknownCaller as nobody:
            return _answer_of(nobody, request)
        upload.begin(Publisher(caller, request, self._callers))
        request.connection.hold_body(False)
        return None


def _answer_of(nobody: UnknownCaller, request: Request) -> Answer:
    """To a key that is known and not let in: in the article's dialect 400, as to any other."""
    if nobody.reason and not nobody.is_bridge and not is_for_bridge(request.body):
        return json_answer(400, nobody.body)
    return nobody.answer


def _has_body(head: Head) -> bool:
    if head.first(b"transfer-encoding") is not None:
        return True
    return bool((head.first(b"content-length") or b"").lstrip(b"0"))


def _no_lines(request: Request) -> Answer:
    is_minimal = wants_minimum(request)
    told = begin_lines(is_minimal)
    content = b'{"items":0,"failed":0}\n' if is_minimal else b""
    return Answer(200, content, told.type, told.cache, told.fields)


def _refuse(refusal: Refused, status: int) -> Answer:
    return json_answer(status, {"error": refusal.text})
