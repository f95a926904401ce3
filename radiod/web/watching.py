"""``GET /metrics`` and ``/readyz``: for those who watch the server, and those who send it clients."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from radiod.core.promises import Promise, chain
from radiod.web.answers import NO_PATH, Request, credential
from radiod.web.callers import Callers, UnknownCaller
from radiod.web.packing import VARY, gzipped, takes_gzip
from radiod.web.routes import Outcome, Route
from radiod.wire.answer import Answer
from radiod.wire.answers import json_answer

__all__ = ["Metrics", "Ready"]

CONTENT_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"

GZIP_LEVEL: Final = 1
"""A scrape is made in the loop: the others wait. More saves little."""

RETRY_S: Final = 5


class Ready(Route):
    """``GET /readyz``: whether clients should be sent here.

    Args:
        reasons: finds out why not, perhaps later; none: they should.
    """

    is_for_watchers = True

    def __init__(self, reasons: Callable[[], list[str] | Promise[list[str]]]) -> None:
        self._reasons = reasons

    def get(self, request: Request) -> Outcome:
        """200, or 503 with the reasons."""
        return chain(self._reasons(), _readiness)


def _readiness(reasons: list[str]) -> Answer:
    if not reasons:
        return json_answer(200, {"ready": True, "reasons": []})
    return json_answer(503, {"ready": False, "reasons": reasons}, ("Retry-After", str(RETRY_S)))


class Metrics(Route):
    """``GET /metrics``: what Prometheus reads. Where it is not served there is no such path.

    Args:
        read: makes the text, perhaps later.
        watchers: realm and id of the keys that may read it, wherever they ask.
    """

    is_for_watchers = True
    is_for_pages = False

    def __init__(
        self,
        callers: Callers,
        watchers: Collection[tuple[str, str]],
        read: Callable[[], bytes | Promise[bytes]],
    ) -> None:
        self._callers = callers
        self._watchers = watchers
        self._read = read

    def get(self, request: Request) -> Outcome:
        """The text; 404 to whoever has no right to it."""
        if request.connection.door.serves_metrics:
            return self._told(request)
        if not self._watchers or credential(request) is None:
            return NO_PATH
        return self._callers.in_turn(request, lambda: self._told_to_holder(request))

    def _told_to_holder(self, request: Request) -> Outcome:
        try:
            caller = self._callers.of(request)
        except UnknownCaller:
            # It is counted as a guess, and learns nothing.
            return NO_PATH
        if (caller.realm.name, caller.id) not in self._watchers:
            return NO_PATH
        return self._told(request)

    def _told(self, request: Request) -> Outcome:
        is_zipped = takes_gzip(request.header(b"accept-encoding") or "")
        return chain(self._read(), lambda text: _answer(text, is_zipped=is_zipped))


def _answer(text: bytes, *, is_zipped: bool) -> Answer:
    answer = Answer(200, text, CONTENT_TYPE, b"no-store", (VARY,))
    return gzipped(answer, GZIP_LEVEL) if is_zipped else answer
