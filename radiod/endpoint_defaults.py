"""What radiod adds to endpoint strings that leave it out: who may use a unix socket, and how many may wait.

Twisted makes unix sockets writable for everybody, and lets 50 connections wait to be accepted: of 500 that
come at once the others try again a second later. Source: ``twisted.internet.endpoints.serverFromString``.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["with_defaults"]

BACKLOG: Final = "4096"
"""Linux itself allows no more, unless told to (``net.core.somaxconn``)."""

UNIX_MODE: Final = "660"
"""Read and write for owner and group: a proxy shares the group."""

PARAMETERS: Final = {
    "tcp": ("port", "interface", "backlog"),
    "tcp6": ("port", "backlog", "interface"),
    "ssl": ("port", "privateKey", "certKey", "sslmethod", "interface", "backlog"),
    "unix": ("address", "mode", "backlog", "lockfile"),
}
"""Type of endpoint -> its parameters, in the order that they have without names."""

DEFAULTS: Final = {"backlog": BACKLOG, "mode": UNIX_MODE}

# A backslash takes its meaning from the character behind it; a last one is Twisted's to refuse.
WHOLE: Final = re.compile(r"(?:\\.|[^\\])*", re.DOTALL)
PART: Final = re.compile(r"(?:\\.|[^:\\])*", re.DOTALL)
NAME: Final = re.compile(r"((?:\\.|[^=\\])*)=", re.DOTALL)


def with_defaults(endpoint: str) -> str:
    """The endpoint string, with what it leaves open and radiod wants otherwise than Twisted.

    Types of other plugins, and of sockets that somebody else has opened (``systemd:``), are left as they are.
    """
    if not WHOLE.fullmatch(endpoint):
        return endpoint
    kind, *parts = _split(endpoint)
    if kind.lower() == "haproxy" and parts:
        # The PROXY protocol stands before any other endpoint.
        inner = endpoint[len(kind) + 1 :]
        return f"{kind}:{with_defaults(inner)}"
    parameters = PARAMETERS.get(kind.lower(), ())
    names = [match[1] for part in parts if (match := NAME.match(part))]
    given = {*names, *parameters[: len(parts) - len(names)]}
    missing = [name for name in parameters if name in DEFAULTS and name not in given]
    return "".join([endpoint, *(f":{name}={DEFAULTS[name]}" for name in missing)])


def _split(endpoint: str) -> list[str]:
    parts, at = [], 0
    while at <= len(endpoint):
        part = PART.match(endpoint, at)
        assert part is not None
        parts.append(part[0])
        at = part.end() + 1
    return parts
