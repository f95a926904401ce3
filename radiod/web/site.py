"""The tree of HTTP resources, and the live page's files (read once, when the tree is built)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from twisted.web.resource import Resource
from twisted.web.server import Request

from radiod.web.answers import JsonResource, answer, target

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
    """Everything under ``/``. The whole path decides, as it was written: see ``wire.targets``.

    Args:
        leaves: whole path -> resource.
        below: path that ends with a slash -> resource of all names below it.
    """

    def __init__(self, leaves: Mapping[str, Resource], below: Mapping[str, Resource]) -> None:
        super().__init__()
        pages = {file.name: Page(file) for file in sorted(PAGES.iterdir()) if file.suffix in TYPES}
        # Its addresses are relative, so that it works below any path; it is at one only.
        index = pages.pop("index.html")
        files = {f"/static/{name}": page for name, page in pages.items()}
        self._leaves = {"/": index, **files, **leaves}
        self._below = dict(below)

    def getChild(self, path: bytes, request: Request) -> Resource:
        """The resource of the request's path; every one is a leaf."""
        asked = target(request).path
        leaf = self._leaves.get(asked)
        if leaf is not None:
            return leaf
        base = asked[: asked.find("/", 1) + 1]
        return NotFound() if asked == base else self._below.get(base) or NotFound()
