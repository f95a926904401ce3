"""One place to listen, as requests see it: which proxies are believed, which names and pages are served.

A page of another site must not use a radiod that only its visitor can reach; nor may one that gave its own
name this machine's address (DNS rebinding), which browsers then take for a page of this server.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from radiod.wire.forwarded import Forwarding, Proxies
from radiod.wire.heads import BadHead, Head

__all__ = [
    "ANY",
    "NULL",
    "ORIGIN",
    "WAMP_PATH",
    "Caller",
    "Door",
    "Visit",
    "is_loopback_name",
    "usual_origin",
]

ANY: Final = "*"
NULL: Final = "null"
"""The origin of pages from files, and of those in a sandbox."""

ORIGIN: Final = re.compile(r"(https?)://((?:[a-z0-9._-]+|\[[0-9a-f:.]+\]))(?::(\d{1,5}))?")
PORTS: Final = {"http": "80", "https": "443"}

WAMP_PATH: Final = "/ws"
"""Where WAMP over WebSocket is."""

LOOPBACK: Final = re.compile(r"localhost|.+\.localhost|127(?:\.\d{1,3}){3}|\[::1\]")


class Visit(Struct, frozen=True):
    """One request, as its answer needs to know it.

    ``peer``: whose it is, for the log; ``address``: the same without more, None for a unix socket;
    ``is_secure``: whether the client's connection is encrypted; ``host``: as the client wrote it, ``""``
    without; ``origin``: of the page that asks, if one does; ``allowed``: what to tell that page by
    ``Access-Control-Allow-Origin``, None: nothing; ``is_named``: whether the configuration names it.
    """

    peer: str
    address: str | None = None
    is_secure: bool = False
    host: str = ""
    origin: str | None = None
    allowed: str | None = ANY
    is_named: bool = False


class Door:
    """The rules of one endpoint.

    Args:
        trusted: proxies that are believed, see ``Proxies``.
        hosts: names to be asked by, lower case, without port; ``*`` for any, ``*.example.org`` for all below;
            None: loopback names where only this machine can connect without a proxy, else any.
        origins: of pages of other sites that are served, lower case, ``*`` for any; None: as with hosts.
    """

    def __init__(
        self,
        trusted: Iterable[str] = (),
        hosts: Iterable[str] | None = None,
        origins: Iterable[str] | None = None,
    ) -> None:
        trusted = tuple(trusted)
        self.proxies = Proxies(trusted)
        self._has_proxies = bool(trusted)
        self._hosts = None if hosts is None else frozenset(hosts)
        self._origins = None if origins is None else frozenset(map(usual_origin, origins))
        self.serves_radio = True
        self.serves_metrics = False
        self.serves_admin = False
        """What is served behind it: all that the radio is for, what it tells whoever watches it, and the page
        of those who operate it, with the WebSocket that this speaks."""
        self.tells_peer_late = False
        """Whether the PROXY protocol tells who connects, after the connection was accepted."""
        self.is_loopback = False
        """Whether only this machine can connect; told when it is known."""

    @property
    def _is_private(self) -> bool:
        return self.is_loopback and not self._has_proxies

    def upgrades(self, path: str) -> bool:
        """Whether a WebSocket may be asked for at this path."""
        return self.serves_radio or (self.serves_admin and path == WAMP_PATH)

    def serves(self, host: str) -> bool:
        """Whether requests to this ``Host`` are answered; clients without any are none of a browser's."""
        name = _name(host)
        if not name:
            return True
        hosts = self._hosts
        if hosts is None:
            return not self._is_private or is_loopback_name(name)
        parents = (f"*{name[dot:]}" for dot in range(len(name)) if name[dot] == ".")
        return ANY in hosts or name in hosts or any(parent in hosts for parent in parents)

    def names(self, origin: str) -> bool:
        """Whether the configuration names this origin."""
        return self._origins is not None and origin in self._origins

    def serves_all(self) -> bool:
        """Whether pages of any site are served."""
        return not self._is_private if self._origins is None else ANY in self._origins

    def serves_page(self, origin: str) -> bool:
        """Whether a page of this other site is served."""
        if self.serves_all() or self.names(origin):
            return True
        parts = ORIGIN.fullmatch(origin)
        return self._origins is None and parts is not None and is_loopback_name(parts[2])


class Caller(Struct, frozen=True):
    """One connection: the door that it came through, and from where.

    ``address``, ``port``: None for a unix socket; ``is_tls``: whether it is encrypted.
    """

    door: Door
    peer: str
    address: str | None = None
    is_tls: bool = False
    is_proxy: bool = False

    def visit(self, head: Head) -> Visit:
        """What a request is. Raises: BadHead: it is not served here."""
        door = self.door
        told = door.proxies.forwarding(head) if self.is_proxy else Forwarding()
        host = told.host or (head.first(b"host") or b"").decode("latin-1")
        is_secure = self.is_tls if told.is_secure is None else told.is_secure
        if not door.serves(host):
            raise BadHead(421, f"{_name(host)} is no name of this server: see hosts of its listen table")
        origin, allowed, is_named = self._page(head, host, is_secure)
        peer, address = (self.peer, self.address) if told.address is None else _told(told.address)
        return Visit(peer, address, is_secure, host, origin, allowed, is_named)

    def _page(self, head: Head, host: str, is_secure: bool) -> tuple[str | None, str | None, bool]:
        """The page's origin, what it is to be told, and whether it is named. Raises: BadHead."""
        door = self.door
        told = head.first(b"origin")
        everybody = ANY if door.serves_all() else None
        if told is None:
            return None, everybody, False
        origin = usual_origin(told.decode("latin-1").lower())
        is_named = door.names(origin)
        if not is_named and not _is_same(origin, host) and not door.serves_page(origin):
            raise BadHead(403, "pages of this origin are not served: see origins of the listen table")
        return origin, everybody or told.decode("latin-1"), is_named


def is_loopback_name(name: str) -> bool:
    """Whether a host's name, lower case, without port, is that of the machine one sits at."""
    return LOOPBACK.fullmatch(name) is not None


def _told(address: str) -> tuple[str, str]:
    return f"tcp:[{address}]" if ":" in address else f"tcp:{address}", address


def _name(host: str) -> str:
    """A Host without its port, in lower case, without the dot of the root."""
    name, colon, port = host.rpartition(":")
    bare = name if colon and (port.isdigit() or not port) else host
    return bare.lower().removesuffix(".")


def usual_origin(origin: str) -> str:
    """An origin without the port that its scheme has anyhow."""
    parts = ORIGIN.fullmatch(origin)
    if parts is None or parts[3] != PORTS[parts[1]]:
        return origin
    return f"{parts[1]}://{parts[2]}"


def _is_same(origin: str, host: str) -> bool:
    """Whether a page is of the server that it asks. Its scheme tells the usual port: behind a proxy ours
    may be another."""
    parts = ORIGIN.fullmatch(origin)
    if parts is None:
        return False
    usual = PORTS[parts[1]]
    here, colon, port = host.lower().rpartition(":")
    name, port = (here, port) if colon and port.isdigit() else (host.lower(), usual)
    return (parts[2], parts[3] or usual) == (name, port)
