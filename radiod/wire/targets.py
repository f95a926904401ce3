"""What a request's first line asks for (RFC 9112, 3.2): a path as it was written, and a query.

Paths are compared as they stand, and are never normalized: a proxy in front decides by the path that it sees,
and must not be walked around by another spelling of it. Only names behind a fixed path (``below``) are
decoded, once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

__all__ = [
    "KEY_IN_QUERY",
    "MAX_TARGET_BYTES",
    "BadTarget",
    "Target",
    "below",
    "parameters",
    "shows_key",
    "target_of",
    "values",
]

MAX_TARGET_BYTES: Final = 8192

KEY_NAMES: Final = frozenset(("apikey", "xapikey"))

VISIBLE: Final = re.compile(rb"[!-\"$-~]+")
"""Visible ASCII without ``#``: fragments never leave a browser."""

ABSOLUTE: Final = re.compile(
    rb"(?:https?|wss?)://(?:[A-Za-z0-9._~:-]|\[[0-9A-Fa-f:.]+\])+(?=[/?]|$)", re.IGNORECASE
)
"""Scheme and authority of an absolute form, without user names; what proxies and a few clients write."""

ESCAPE: Final = re.compile(rb"%([0-9A-Fa-f]{2})?")


class BadTarget(ValueError):
    """The target is refused with this HTTP status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Target(Struct, frozen=True):
    """``path`` begins with ``/`` and is as the client wrote it, or is ``*``; ``query`` has no ``?``."""

    path: str
    query: str = ""


def target_of(method: bytes, raw: bytes) -> Target:
    """The target of a request line. The host of an absolute form counts for nothing.

    Raises: BadTarget: 414, it is too long; 405, CONNECT; 400, it is none.
    """
    if len(raw) > MAX_TARGET_BYTES:
        raise BadTarget(414)
    if method == b"CONNECT":
        raise BadTarget(405)
    if not VISIBLE.fullmatch(raw):
        raise BadTarget(400)
    if raw == b"*" and method == b"OPTIONS":
        return Target("*")
    if raw[:1] != b"/":
        absolute = ABSOLUTE.match(raw)
        if absolute is None:
            raise BadTarget(400)
        rest = raw[absolute.end() :]
        raw = rest if rest[:1] == b"/" else b"/" + rest
    path, _, query = raw.decode("ascii").partition("?")
    return Target(path, query)


def below(path: str, base: str) -> str | None:
    """The name behind ``base`` in ``path``, percent-decoded; None: it is no UTF-8 text.

    ``path`` begins with ``base``, which ends with a slash. A ``%2F`` is a slash of the name.
    """
    name = path[len(base) :].encode("ascii")
    if b"%" not in name:
        return name.decode("ascii")
    if b"" in ESCAPE.findall(name):
        return None
    try:
        return _unescaped(name).decode("utf-8")
    except UnicodeDecodeError:
        return None


def values(query: str, name: str) -> list[str]:
    """All values of one parameter, in order; as ``parameters``."""
    pairs = (pair.partition("=") for pair in query.split("&"))
    return [_text(value) for found, _, value in pairs if _text(found) == name]


def parameters(query: str) -> dict[str, str]:
    """A query's parameters by name, the last one of each; what is no UTF-8 becomes U+FFFD."""
    found = {}
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if name:
            found[_text(name)] = _text(value)
    return found


KEY_IN_QUERY: Final = (
    "an API key is never in the query, where logs and histories keep it: show it in the header API-KEY; "
    "where no header can be sent, use a token"
)


def shows_key(query: Iterable[str]) -> bool:
    """Whether one of these parameters' names says that its value is an API key, however it is spelt."""
    return any(name.lower().replace("-", "").replace("_", "") in KEY_NAMES for name in query)


def _text(part: str) -> str:
    plain = part.replace("+", " ")
    return _unescaped(plain.encode("ascii")).decode("utf-8", "replace") if "%" in plain else plain


def _unescaped(data: bytes) -> bytes:
    """What is no escape stays as it is, as in any query."""
    return ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()) if found[1] else found[0], data)
