"""The tree of HTTP resources, and the live page's files (read once, when the tree is built)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from twisted.web.resource import Resource
from twisted.web.server import Request

from radiod.web.answers import JsonResource, answer

__all__ = ["PAGES", "Root", "WampPath"]

PAGES: Final = Path(__file__).parent / "pages"

SECURITY_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; style-src 'self'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class Page(JsonResource):
    """One of the live page's files, held in memory: there are few, and they are small."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._content = file.read_bytes()
        self._type = TYPES[file.suffix]

    def render_GET(self, request: Request) -> bytes:
        """The file, to be asked for again each time: a new server may bring a new page."""
        for name, value in SECURITY_HEADERS.items():
            request.setHeader(name, value)
        request.setHeader("Cache-Control", "no-cache")
        request.setHeader("Content-Type", self._type)
        return self._content


class NotFound(JsonResource):
    """Any path that leads nowhere, whatever the method."""

    def render(self, request: Request) -> bytes:
        """404."""
        return answer(request, 404, {"error": "no such path"})


class WampPath(JsonResource):
    """Where WAMP over WebSocket is, for requests that do not ask for a WebSocket."""

    def render(self, request: Request) -> bytes:
        """426."""
        request.setHeader("Upgrade", "websocket")
        return answer(request, 426, {"error": "this is WAMP over WebSocket; over HTTP it is at /lp"})


class Root(Resource):
    """Everything under ``/``.

    Args:
        leaves: first path segment -> resource.
        aliases: whole path -> resource, for pages of older systems.
    """

    def __init__(self, leaves: Mapping[str, Resource], aliases: Mapping[str, Resource]) -> None:
        super().__init__()
        self._leaves = dict(leaves)
        self._aliases = dict(aliases)
        self._pages = {file.name: Page(file) for file in sorted(PAGES.iterdir()) if file.suffix in TYPES}

    def getChild(self, path: bytes, request: Request) -> Resource:
        """Find by alias, then by first segment."""
        alias = self._aliases.get(request.path.decode("latin-1"))
        if alias is not None:
            return alias
        name = path.decode("latin-1")
        if name == "" and not request.postpath:
            return self._pages["index.html"]
        rest = request.postpath or []
        if name == "static" and len(rest) == 1:
            return self._pages.get(rest[0].decode("latin-1")) or NotFound()
        return self._leaves.get(name) or NotFound()
