"""Who asks, when proxies are in between: ``X-Forwarded-For`` and its kin, ``Forwarded`` (RFC 7239).

Only what a trusted proxy wrote counts. Each adds, at the right end, whom it was asked by; so the lists are
walked from the right, as long as who wrote the next entry is trusted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from msgspec import Struct

from radiod.wire.heads import HOST, Head

__all__ = ["UNIX", "Forwarding", "Proxies", "network"]

UNIX: Final = "unix"
"""Stands for whoever connects to a unix socket."""

MAX_HOPS: Final = 32

NODE: Final = re.compile(r"\[?([0-9A-Fa-f:.]+?)\]?(?::(\d{1,5}))?")
PAIR: Final = re.compile(r'\s*([A-Za-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s";,]*))\s*')

Address = IPv4Address | IPv6Address


class Forwarding(Struct, frozen=True):
    """What the trusted proxies say about a request; None: nothing.

    ``address`` is of whom the first trusted proxy was asked by; ``is_secure``: by TLS; ``host``: its Host.
    """

    address: str | None = None
    is_secure: bool | None = None
    host: str | None = None


class Hop(Struct, frozen=True):
    """One entry of the lists."""

    node: str | None = None
    proto: str | None = None
    host: str | None = None


def network(text: str) -> IPv4Network | IPv6Network | None:
    """A network or a single address in CIDR form; None: it is neither."""
    try:
        return ip_network(text)
    except ValueError:
        return None


class Proxies:
    """Those that are trusted: networks in CIDR form, and ``unix``."""

    def __init__(self, trusted: Iterable[str] = ()) -> None:
        texts = tuple(trusted)
        self._networks = tuple(found for found in map(network, texts) if found is not None)
        self._is_unix_trusted = UNIX in texts

    def trust(self, address: str | None) -> bool:
        """Whether a peer is one of them; None: it came by a unix socket."""
        if address is None:
            return self._is_unix_trusted
        if not self._networks:
            return False
        parsed = _address(address)
        return parsed is not None and any(parsed in each for each in self._networks)

    def forwarding(self, head: Head) -> Forwarding:
        """What a request says that came from a trusted peer. What is malformed says nothing."""
        hops = _hops(head)
        found = Hop()
        address: str | None = None
        for hop in reversed(hops):
            parsed = _address(hop.node or "")
            if parsed is None:
                break
            found, address = hop, str(parsed)
            if not self.trust(address):
                break
        proto = found.proto.lower() if found.proto else None
        is_secure = None if proto not in ("http", "https", "ws", "wss") else proto in ("https", "wss")
        host = found.host if found.host and HOST.fullmatch(found.host.encode("latin-1")) else None
        return Forwarding(address, is_secure, host)


def _address(text: str) -> Address | None:
    """An address, with a port perhaps. IPv4 in IPv6's clothes counts as IPv4."""
    found = NODE.fullmatch(text)
    bare = text if found is None or (text.count(":") > 1 and "]" not in text) else found[1]
    try:
        parsed = ip_address(bare)
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return mapped or parsed


def _hops(head: Head) -> list[Hop]:
    """Oldest first. ``X-Forwarded-For`` counts where there is one: proxies that write it leave a client's
    ``Forwarded`` as it is."""
    nodes = _list(head, b"x-forwarded-for")
    if nodes:
        protos = _list(head, b"x-forwarded-proto")
        hosts = _list(head, b"x-forwarded-host")
        return [
            Hop(node, _matching(protos, index, len(nodes)), _matching(hosts, index, len(nodes)))
            for index, node in enumerate(nodes)
        ]
    return [_hop(element) for element in _list(head, b"forwarded")]


def _list(head: Head, name: bytes) -> list[str]:
    joined = b",".join(head.all(name)).decode("latin-1")
    return [part.strip() for part in joined.rsplit(",", MAX_HOPS)[-MAX_HOPS:]] if joined else []


def _matching(values: list[str], index: int, count: int) -> str | None:
    """A list as long as that of the addresses has one entry for each; in any other only the last is surely
    the last proxy's."""
    if not values:
        return None
    return values[index] if len(values) == count else values[-1]


def _hop(element: str) -> Hop:
    """One element of ``Forwarded``; a malformed one says nothing."""
    told: dict[str, str] = {}
    for pair in element.split(";"):
        found = PAIR.fullmatch(pair)
        if found is None:
            return Hop()
        quoted, plain = found[2], found[3]
        told[found[1].lower()] = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
    return Hop(told.get("for"), told.get("proto"), told.get("host"))
