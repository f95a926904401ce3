"""How every HTTP resource answers: JSON bodies, allowed methods, the caller's key."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import Request

from radiod.wire.doors import Visit
from radiod.wire.targets import Target, below, parameters

__all__ = [
    "NO_TEXT",
    "JsonResource",
    "answer",
    "credential",
    "header",
    "log_refused",
    "query",
    "rest_of_path",
    "target",
    "visit",
]

log: Final = Logger()

NO_TEXT: Final = {"error": "what is percent-encoded in the path must be UTF-8"}

ALLOWED_HEADERS: Final = (
    "API-KEY, Authorization, Channel-Key, Last-Event-ID, "
    "Cache-Control, Content-Type, Pragma, X-Requested-With"
)
"""What pages of other sites may send: keys (whoever has one was given it, cookies mean nothing), and what
stock clients add to their requests."""

EXPOSED_HEADERS: Final = "X-Radiod-Position, X-Radiod-Readers, X-Radiod-Recovered, X-Radiod-Lost, Retry-After"


def answer(request: Request, status: int, body: Any) -> bytes:
    """Set ``status`` and the JSON headers; returns ``body`` serialized."""
    request.setResponseCode(status)
    request.setHeader("Content-Type", "application/json")
    request.setHeader("Cache-Control", "no-store")
    content = msgspec.json.encode(body)
    if request.method == b"HEAD":
        request.setHeader("Content-Length", str(len(content)))
        return b""
    return content


def log_refused(request: Request, text: str) -> None:
    """Say that a request was refused for its credential, never with it."""
    log.info("refused {peer}: {text}", peer=visit(request).peer, text=text)


def visit(request: Request) -> Visit:
    """Who asks."""
    found: Visit = request.visit  # type: ignore[attr-defined] # every request is a web.channel.RadioRequest
    return found


def target(request: Request) -> Target:
    """What is asked for, as it was written."""
    found: Target = request.target  # type: ignore[attr-defined] # every request is a web.channel.RadioRequest
    return found


def rest_of_path(request: Request) -> str | None:
    """What follows the first segment of the path, percent-decoded; ``""``: nothing; None: it is no text."""
    path = target(request).path
    slash = path.find("/", 1)
    return "" if slash < 0 else below(path, path[: slash + 1])


def credential(request: Request) -> str | None:
    """The API key in ``API-KEY`` or ``Authorization: Bearer``; None: the request has none."""
    key = header(request, b"API-KEY")
    if key is not None:
        return key
    scheme, _, token = (header(request, b"Authorization") or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def query(request: Request) -> dict[str, str]:
    """The query's parameters by name, the last one of each."""
    return parameters(target(request).query)


def header(request: Request, name: bytes) -> str | None:
    """One request header; twisted.web's own decoding raises on what is not UTF-8."""
    value: bytes | None = request.getHeader(name)
    return None if value is None else value.decode("utf-8", "replace")


class JsonResource(Resource):
    """A leaf that answers ``methods`` and refuses others with 405 and ``Allow``."""

    isLeaf = True
    methods: tuple[str, ...] = ("GET", "HEAD", "OPTIONS")
    is_for_pages: bool | None = None
    """Whether pages of any site that is served may use it, or only those that the configuration names; None:
    what can be read is for all of them."""

    def render(self, request: Request) -> Any:
        """Dispatch by method."""
        method = request.method.decode("latin-1")
        is_served = self._tell_page(request)
        if method not in self.methods:
            request.setHeader("Allow", ", ".join(self.methods))
            return answer(request, 405, {"error": f"method {method[:16]} is not allowed here"})
        if method == "OPTIONS":
            request.setHeader("Allow", ", ".join(self.methods))
            if is_served:
                self._answer_preflight(request)
            return answer(request, 200, {})
        if method == "HEAD":
            content = self.render_GET(request)
            if content:
                request.setHeader("Content-Length", str(len(content)))
            return b""
        return super().render(request)

    def _tell_page(self, request: Request) -> bool:
        """Tell a page's browser whether it may have the answer; no answer depends on cookies."""
        asked_by = visit(request)
        if asked_by.allowed != "*":
            request.setHeader("Vary", "Origin")
        is_for_pages = "GET" in self.methods if self.is_for_pages is None else self.is_for_pages
        if asked_by.allowed is None or not (is_for_pages or asked_by.is_named):
            return False
        request.setHeader("Access-Control-Allow-Origin", asked_by.allowed)
        request.setHeader("Access-Control-Expose-Headers", EXPOSED_HEADERS)
        return True

    def _answer_preflight(self, request: Request) -> None:
        request.setHeader("Access-Control-Allow-Methods", ", ".join(self.methods))
        request.setHeader("Access-Control-Allow-Headers", ALLOWED_HEADERS)
        request.setHeader("Access-Control-Max-Age", "86400")
        if header(request, b"Access-Control-Request-Private-Network") == "true" and visit(request).is_named:
            # Pages of the internet reach into a private network only where somebody said which.
            request.setHeader("Access-Control-Allow-Private-Network", "true")

    def render_GET(self, request: Request) -> bytes:
        """Answer GET; a resource that has neither GET nor HEAD in ``methods`` need not override it."""
        raise NotImplementedError
