"""Relative paths in Twisted's endpoint strings, made absolute: twistd changes its working directory."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

__all__ = ["placed_endpoint"]

# What stands between colons; a backslash takes the next character as it is.
PART: Final = re.compile(r"((?:\\.|[^\\:])*)(:|$)", re.DOTALL)
KEYWORD: Final = re.compile(r"(\w+)=(.*)", re.DOTALL)

PATHS: Final[dict[str, dict[str, int | None]]] = {
    "unix": {"address": 0},
    "ssl": {"privateKey": 1, "certKey": 2, "extraCertChain": None, "dhParameters": None},
    "tls": {"path": 0},
}
"""Kind of endpoint -> its arguments that are paths, and their places where they are given without a name."""


def placed_endpoint(endpoint: str, base: Path) -> str:
    """The same endpoint with its paths relative to ``base``; what is no endpoint stays as it is."""
    parts = [found[0] for found in PART.findall(endpoint)]
    if parts and parts[-1] == "":
        parts.pop()  # the match at the end
    start = 1 if parts[:1] == ["haproxy"] else 0
    paths = PATHS.get(parts[start] if len(parts) > start else "")
    if paths is None or ":".join(parts) != endpoint:
        return endpoint
    for index in range(start + 1, len(parts)):
        named = KEYWORD.match(parts[index])
        if named is not None and named[1] in paths:
            parts[index] = f"{named[1]}={_placed(named[2], base)}"
        elif named is None and index - start - 1 in paths.values():
            parts[index] = _placed(parts[index], base)
    return ":".join(parts)


def _placed(quoted: str, base: Path) -> str:
    path = re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL)
    # A NUL at the beginning: a name that is in no folder.
    if path.startswith(("/", "\0")) or not path:
        return quoted
    return re.sub(r"([\\:=])", r"\\\1", str(base / path))
