"""How every HTTP resource answers: JSON bodies, allowed methods, the caller's key."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import Request

__all__ = ["JsonResource", "answer", "argument", "credential", "header", "log_refused", "rest_of_path"]

log: Final = Logger()

KEY_HEADERS: Final = "API-KEY, Authorization, Channel-Key, Last-Event-ID"
"""What a page of another site may send with GET: whoever has a key was given it, cookies mean nothing."""


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
    address: Any = request.getClientAddress()
    peer = f"tcp:{address.host}:{address.port}" if hasattr(address, "port") else str(address)
    log.info("refused {peer}: {text}", peer=peer, text=text)


def rest_of_path(request: Request) -> str:
    """What follows the resource's own path; twisted.web has undone its percent-encoding."""
    return b"/".join(request.postpath or ()).decode("utf-8", "replace")


def credential(request: Request) -> str | None:
    """The API key in ``API-KEY`` or ``Authorization: Bearer``; None: the request has none."""
    key = header(request, b"API-KEY")
    if key is not None:
        return key
    scheme, _, token = (header(request, b"Authorization") or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def argument(request: Request, name: bytes) -> str | None:
    """One parameter of the query, the first of its name."""
    values: list[bytes] = request.args.get(name, [])
    return values[0].decode("utf-8", "replace") if values else None


def header(request: Request, name: bytes) -> str | None:
    """One request header; twisted.web's own decoding raises on what is not UTF-8."""
    value: bytes | None = request.getHeader(name)
    return None if value is None else value.decode("utf-8", "replace")


class JsonResource(Resource):
    """A leaf that answers ``methods`` and refuses others with 405 and ``Allow``."""

    isLeaf = True
    methods: tuple[str, ...] = ("GET", "HEAD", "OPTIONS")

    def render(self, request: Request) -> Any:
        """Dispatch by method."""
        method = request.method.decode("latin-1")
        if "GET" in self.methods:
            # What anybody may read, pages of other sites may read too; no answer depends on cookies.
            request.setHeader("Access-Control-Allow-Origin", "*")
        if method not in self.methods:
            request.setHeader("Allow", ", ".join(self.methods))
            return answer(request, 405, {"error": f"method {method[:16]} is not allowed here"})
        if method == "OPTIONS":
            request.setHeader("Allow", ", ".join(self.methods))
            if "GET" in self.methods:
                request.setHeader("Access-Control-Allow-Headers", KEY_HEADERS)
                request.setHeader("Access-Control-Max-Age", "86400")
            return answer(request, 200, {})
        if method == "HEAD":
            content = self.render_GET(request)
            if content:
                request.setHeader("Content-Length", str(len(content)))
            return b""
        return super().render(request)

    def render_GET(self, request: Request) -> bytes:
        """Answer GET; a resource that has neither GET nor HEAD in ``methods`` need not override it."""
        raise NotImplementedError
