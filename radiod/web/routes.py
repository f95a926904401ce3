"""Routes: which methods a path answers, and what pages of other sites may have of it."""

from __future__ import annotations

from typing import Any, Final

from radiod.core.promises import Promise
from radiod.errors import RadiodError
from radiod.web.answers import Request, refusal
from radiod.wire.answer import Answer
from radiod.wire.answers import json_answer
from radiod.wire.doors import ANY

__all__ = ["Outcome", "Route", "settle"]

ALLOWED_HEADERS: Final = (
    "API-KEY, Authorization, Channel-Key, Idempotency-Key, Last-Event-ID, Prefer, "
    "Cache-Control, Content-Encoding, Content-Type, Pragma, X-Requested-With, traceparent, tracestate"
)
"""What pages of other sites may send: keys (whoever has one was given it, cookies mean nothing), and what
stock clients add to their requests."""

EXPOSED_HEADERS: Final = (
    "X-Radiod-Position, X-Radiod-Readers, X-Radiod-Recovered, X-Radiod-Lost, "
    "Idempotency-Replayed, Preference-Applied, RateLimit, RateLimit-Policy, Retry-After"
)

OTHER: Final = "other"
"""The label of what is nowhere."""

Outcome = Answer | Promise[Answer] | None
"""What a method comes to: an answer, now or later, or None: it answers the request itself."""


class Route:
    """Answers ``methods`` and refuses others with 405 and ``Allow``.

    A subclass has ``get`` if GET is one of them, and ``post`` if POST is.
    """

    label: str = OTHER
    """What its requests are counted under: where it is, with ``{names}`` for what clients choose."""
    is_for_watchers: bool = False
    """Whether it is served where only those come who watch the server."""
    is_for_operators: bool = False
    """Whether it is served where only those come who operate it."""
    methods: tuple[str, ...] = ("GET", "HEAD", "OPTIONS")
    untold: tuple[str, ...] = ()
    """Methods that are answered, too, and that ``Allow`` does not name."""
    is_for_pages: bool | None = None
    """Whether pages of any site that is served may use it, or only those that the configuration names; None:
    what can be read is for all of them."""
    page_origins: frozenset[str] = frozenset()
    """Of pages that may use it, too, as ``wire.doors.usual_origin`` has them; ``*`` for any."""

    def taker(self, request: Request) -> Any:
        """Who takes the body piece by piece; None: it is wanted whole."""
        return None

    def handle(self, request: Request) -> None:
        """Answer, now or later."""
        settle(request, self._dispatch(request))

    def _dispatch(self, request: Request) -> Outcome:
        method = request.method
        is_served = self.tell_page(request)
        if method not in self.methods and method not in self.untold:
            request.tell("Allow", ", ".join(self.methods))
            return json_answer(405, {"error": f"method {method[:16]} is not allowed here"})
        if method in ("POST", "PUT"):
            return self.post(request)
        if method != "OPTIONS":
            return self.get(request)
        request.tell("Allow", ", ".join(self.methods))
        if is_served:
            self._answer_preflight(request)
        return json_answer(200, {})

    def get(self, request: Request) -> Outcome:
        """Answer GET, or HEAD, whose answer is the same without its content."""
        raise NotImplementedError

    def post(self, request: Request) -> Outcome:
        """Answer POST."""
        raise NotImplementedError

    def tell_page(self, request: Request) -> bool:
        """Tell a page's browser whether it may have the answer; no answer depends on cookies."""
        asked_by = request.visit
        if asked_by.allowed != "*":
            request.tell("Vary", "Origin")
        is_for_pages = "GET" in self.methods if self.is_for_pages is None else self.is_for_pages
        origins = self.page_origins
        is_named = asked_by.is_named or (origins and (ANY in origins or asked_by.origin in origins))
        if asked_by.allowed is None or not (is_for_pages or is_named):
            return False
        request.tell("Access-Control-Allow-Origin", asked_by.allowed)
        request.tell("Access-Control-Expose-Headers", EXPOSED_HEADERS)
        return True

    def _answer_preflight(self, request: Request) -> None:
        request.tell("Access-Control-Allow-Methods", ", ".join((*self.methods, *self.untold)))
        request.tell("Access-Control-Allow-Headers", ALLOWED_HEADERS)
        request.tell("Access-Control-Max-Age", "86400")
        if request.header(b"access-control-request-private-network") == "true" and request.visit.is_named:
            # Pages of the internet reach into a private network only where somebody said which.
            request.tell("Access-Control-Allow-Private-Network", "true")


def settle(request: Request, outcome: Outcome) -> None:
    """Answer with what a method comes to, as soon as that is known."""
    if isinstance(outcome, Promise):
        outcome.then(lambda late: request.answer(refusal(late) if isinstance(late, RadiodError) else late))
    elif outcome is not None:
        request.answer(outcome)
