"""The cookie by which browsers come back: what opening requests bring, and what they are answered.

Over TLS its name begins with ``__Host-``: browsers take such a cookie from this very host alone, so that no
neighbour under the same domain can put one that he knows. Requests of other sites' pages have none here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import urlsplit

from radiod.core.sessions.authentication import BrowserCookie, Cookies

__all__ = ["CookieCounter"]

NAME: Final = "radiod"
SECURE_NAME: Final = "__Host-radiod"
ID: Final = re.compile("[0-9a-f]{32}")
PORTS: Final = {"http": 80, "https": 443}


class CookieCounter:
    """Takes and hands out cookies for all realms that have them."""

    def __init__(self, jars: Iterable[Cookies]) -> None:
        self._jars = tuple(jars)
        self._max_age = math.ceil(max((jar.lifetime_s for jar in self._jars), default=0))

    def take(self, headers: Mapping[str, str], is_tls: bool) -> tuple[BrowserCookie | None, str | None]:
        """A request's cookie, and the value of Set-Cookie if it is a new one; None where there is none.

        Args:
            headers: the request's, by lower-case name.
            is_tls: whether it came encrypted; pages that did say so, too, behind a proxy.
        """
        if not self._jars or not _is_same_origin(headers):
            return None, None
        is_secure = is_tls or headers.get("origin", "").startswith("https:")
        name = SECURE_NAME if is_secure else NAME
        presented = _presented(headers, name)
        if presented is not None and any(jar.authenticator(presented) for jar in self._jars):
            return BrowserCookie(presented, False), None
        issued = self._jars[0].issue()
        attributes = f"Max-Age={self._max_age}; Path=/; HttpOnly; SameSite=Strict"
        value = f"{name}={issued}; {attributes}{'; Secure' if is_secure else ''}"
        return BrowserCookie(issued, True), value


def _presented(headers: Mapping[str, str], name: str) -> str | None:
    """The id that the request brings; None: no id, or several, of which only one can be ours."""
    pairs = [part.strip().partition("=") for part in headers.get("cookie", "").split(";")]
    values = [value for key, _, value in pairs if key == name]
    return values[0] if len(values) == 1 and ID.fullmatch(values[0]) else None


def _is_same_origin(headers: Mapping[str, str]) -> bool:
    """Whether the request is of no page, or of one of this server."""
    origin = headers.get("origin")
    if origin is None:
        return True
    try:
        page = urlsplit(origin)
        here = urlsplit(f"{page.scheme}://{headers.get('host', '')}")
        usual = PORTS.get(page.scheme)
        is_here = (page.hostname, page.port or usual) == (here.hostname, here.port or usual)
        return bool(page.hostname) and is_here
    except ValueError:
        return False
