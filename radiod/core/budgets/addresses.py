"""Whose something is, as far as an address tells; and how many of something each address has.

A household or an office has one address of IPv4, but a network of IPv6 addresses: of these the first 64 bits
count. Without an address (unix sockets, proxies that tell none) nothing is counted.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv6Address

__all__ = ["Crowd", "address_of_peer", "network_of", "network_of_peer"]


def network_of(address: str | None) -> str | None:
    """What counts as one of an IP address as text: itself, or ``2001:db8:0:1::/64``."""
    if address is None or ":" not in address:
        return address
    try:
        parsed = IPv6Address(address)
    except ValueError:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return f"{IPv6Address(int(parsed) >> 64 << 64)}/64"


def network_of_peer(peer: str) -> str | None:
    """The same of a peer as the log names it."""
    return network_of(address_of_peer(peer))


def address_of_peer(peer: str) -> str | None:
    """The address in ``tcp:192.0.2.1:4711`` or ``tcp:[2001:db8::1]``; None: ``unix``."""
    _, colon, rest = peer.partition(":")
    if not colon:
        return None
    if rest.startswith("["):
        return rest[1:].partition("]")[0]
    host, _, _ = rest.rpartition(":")
    return host or rest


class Crowd:
    """How many each network has of something, at most ``limit``. The table is as long as that is."""

    __slots__ = ("_by_network", "_limit")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        # network -> ([how many], what gives one back): one function for all of a network, to save memory.
        self._by_network: dict[str, tuple[list[int], Callable[[], None]]] = {}

    def __len__(self) -> int:
        """Networks that have any."""
        return len(self._by_network)

    def enter(self, network: str) -> Callable[[], None] | None:
        """One more. Returns: what must be called, once, when it is no more; None: there are enough."""
        entry = self._by_network.get(network)
        if entry is None:
            count = [0]

            def leave() -> None:
                count[0] -= 1
                if not count[0]:
                    del self._by_network[network]

            entry = self._by_network[network] = count, leave
        count, leave = entry
        if count[0] >= self._limit:
            return None
        count[0] += 1
        return leave
