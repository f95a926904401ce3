"""Which path leads where, and the live page's files (read once, when the first site is built)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from radiod.web.answers import NO_PATH, Request
from radiod.web.packing import VARY, gzipped, takes_gzip, without_comments
from radiod.web.routes import OTHER, Outcome, Route
from radiod.wire.answer import Answer
from radiod.wire.answers import json_answer

__all__ = ["PAGES", "Site", "WampPath", "page"]

PAGES: Final = Path(__file__).parent / "pages"

CLIENTS: Final = frozenset({"arrays.js", "radiod.js", "samples.js"})
"""Files of ``clients/js``, which our pages run on, too: a comment says at their beginning what they are."""

Fields = tuple[tuple[str, str], ...]

_FIELDS: Final[Fields] = (("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"))

_POLICY: Final = (
    "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; style-src 'self'; "
    "frame-ancestors {}; base-uri 'none'; form-action 'none'"
)
SECURITY_FIELDS: Final[Fields] = (("Content-Security-Policy", _POLICY.format("'none'")), *_FIELDS)
EMBED_FIELDS: Final[Fields] = (("Content-Security-Policy", _POLICY.format("*")), *_FIELDS)
"""Pages of others may show it: there is nothing on it that can be done by mistake."""

ADMIN_FIELDS: Final[Fields] = (
    (
        # Nothing from elsewhere, nothing to elsewhere, and no text that becomes markup. Browsers that take
        # 'self' for the WebSocket of the same host are those since 2022.
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'",
    ),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    *_FIELDS,
)

TYPES: Final = {
    ".html": b"text/html; charset=utf-8",
    ".css": b"text/css; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".svg": b"image/svg+xml",
}


@cache
def page(name: str, fields: Fields = SECURITY_FIELDS) -> Answer:
    """One of the pages' files, held in memory, once in a process: there are few, and they are small.

    It is asked for again each time: a new server may bring a new page. Scripts come without comments, but for
    what those say of themselves that other pages use, too.
    """
    file = PAGES / name
    content = file.read_bytes()
    if file.suffix == ".js":
        content = without_comments(content, keeps_head=name in CLIENTS)
    return Answer(200, content, TYPES[file.suffix], b"no-cache", (*fields, VARY))


@cache
def packed(name: str, fields: Fields) -> Answer:
    """The same, packed: of all that a server does before it listens, this takes longest."""
    return gzipped(page(name, fields))


class Page(Route):
    """One of the pages' files."""

    def __init__(self, name: str, fields: Fields = SECURITY_FIELDS) -> None:
        self._answer = page(name, fields)
        self._packed = packed(name, fields)

    def get(self, request: Request) -> Outcome:
        """The file."""
        return self._packed if takes_gzip(request.header(b"accept-encoding") or "") else self._answer


class LivePage(Page):
    """The live page; ``?embed``: for a frame in somebody else's page."""

    def __init__(self) -> None:
        super().__init__("index.html")
        self._embedded = Page("index.html", EMBED_FIELDS)

    def get(self, request: Request) -> Outcome:
        """The page."""
        names = (part.partition("=")[0] for part in request.target.query.split("&"))
        return self._embedded.get(request) if "embed" in names else super().get(request)


class AdminPage(Page):
    """A file of the page of operators. Where that is not served there is no such path.

    The page is the same for everybody and knows nothing: who logs in there is asked as on any WebSocket.
    """

    is_for_operators = True
    is_for_pages = False

    def __init__(self, name: str) -> None:
        super().__init__(name, ADMIN_FIELDS)

    def get(self, request: Request) -> Outcome:
        """The file, if it is served here."""
        return super().get(request) if request.connection.door.serves_admin else NO_PATH


class NotFound(Route):
    """Any path that leads nowhere, whatever the method."""

    def handle(self, request: Request) -> None:
        """404."""
        request.answer(NO_PATH)


class WholeServer(Route):
    """``OPTIONS *``: what the server as a whole answers."""

    methods = ("OPTIONS",)


class WampPath(Route):
    """Where WAMP over WebSocket is, for requests that do not ask for a WebSocket."""

    is_for_operators = True

    def get(self, request: Request) -> Outcome:
        """426."""
        text = "this is WAMP over WebSocket; over HTTP it is at /lp"
        return json_answer(426, {"error": text}, ("Upgrade", "websocket"))


class Site:
    """Everything under ``/``. The whole path decides, as it was written: see ``wire.targets``.

    Args:
        leaves: whole path -> route.
        below: path that ends with a slash -> route of all names below it.
    """

    def __init__(self, leaves: Mapping[str, Route], below: Mapping[str, Route]) -> None:
        names = sorted(file.name for file in PAGES.iterdir() if file.suffix in TYPES)
        # Addresses in pages are relative, so that they work below any path; each page is at one only.
        files = {f"/static/{name}": _file(name) for name in names if not name.endswith(".html")}
        for page in files.values():
            page.label = "/static/{file}"
            page.is_for_operators = True
        self._leaves: dict[str, Route] = {
            "/": LivePage(),
            "/admin": AdminPage("admin.html"),
            "*": WholeServer(),
            **files,
            **leaves,
        }
        self._below = dict(below)
        self._not_found = NotFound()
        for path, route in self._leaves.items():
            if route.label == OTHER:
                route.label = path

    def route(self, path: str) -> Route:
        """What a path leads to."""
        leaf = self._leaves.get(path)
        if leaf is not None:
            return leaf
        base = path[: path.find("/", 1) + 1]
        return self._not_found if path == base else self._below.get(base, self._not_found)


def _file(name: str) -> Page:
    return AdminPage(name) if name.startswith("admin") else Page(name)
