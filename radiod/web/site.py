"""The tree of HTTP resources, and the live page's files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from twisted.web.resource import Resource
from twisted.web.server import Request
from twisted.web.static import File

from radiod.web.answers import JsonResource, answer

__all__ = ["PAGES", "Root"]

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
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".css": "text/css; charset=utf-8",
}


class PageFile(File):
    """One of the live page's files."""

    contentTypes = {**File.contentTypes, **TYPES, ".html": "text/html; charset=utf-8"}

    def render_GET(self, request: Request) -> Any:
        """The file, to be asked for again each time: a new server may bring a new page."""
        for name, value in SECURITY_HEADERS.items():
            request.setHeader(name, value)
        request.setHeader("Cache-Control", "no-cache")
        return super().render_GET(request)

    def directoryListing(self) -> Resource:
        """There is none."""
        return NotFound()


class NotFound(JsonResource):
    """Any path that leads nowhere, whatever the method."""

    def render(self, request: Request) -> bytes:
        """404."""
        return answer(request, 404, {"error": "no such path"})


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
        self._page = PageFile(str(PAGES / "index.html"))
        self._static = PageFile(str(PAGES))

    def getChild(self, path: bytes, request: Request) -> Resource:
        """Find by alias, then by first segment."""
        alias = self._aliases.get(request.path.decode("latin-1"))
        if alias is not None:
            return alias
        name = path.decode("latin-1")
        if name == "" and not request.postpath:
            return self._page
        if name == "static":
            return self._static
        return self._leaves.get(name) or NotFound()
