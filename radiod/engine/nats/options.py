"""How a connection to NATS is made: where to, as whom, and its bounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from radiod.engine.nats.credentials import Credentials
from radiod.engine.nats.tls import Tls

__all__ = ["PORT", "Address", "Options", "Soon"]

PORT: Final = 4222


class Address(NamedTuple):
    """One server. ``is_tls``: nothing is said to it in the clear."""

    host: str
    port: int
    is_tls: bool = False

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read ``nats://host:4222`` or ``tls://host:4222``; the port may be missing.

        Raises: ValueError: it is none, or holds more: credentials do not belong there.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("nats", "tls") or not parts.hostname:
            raise ValueError(f"expected nats://host:port or tls://host:port, not {_shown(parts.netloc, url)}")
        has_more = parts.username is not None or parts.path not in ("", "/") or parts.query or parts.fragment
        if has_more or parts.port == 0:
            raise ValueError(f"expected only a host and a port in {parts.scheme}://{parts.hostname}…")
        return cls(parts.hostname, parts.port or PORT, parts.scheme == "tls")

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _shown(place: str, url: str) -> str:
    """A URL for an error's text: no more of it than its host, if it may hold a password."""
    return f"…@{place.rpartition('@')[2]}" if "@" in place or "@" in url else repr(url)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """All of a connection. Times in seconds.

    Args:
        servers: at least one; they are tried in an order of chance, and no others.
        name: what servers call us in their lists.
        tls: None: TLS as servers ask for it, believed as this machine does.
        min_payload: a server that takes less, in bytes, is refused.
        ping_interval, pings: after so many pings, one an interval, in which nothing came, the server is lost.
        attempt: for a try, from dialling to the server's first PONG; and for each 1,000 subscriptions more.
        max_unsent: bytes that wait for the server; what is published above is dropped.
        max_requests: open ones.
        backoff: least and most between two rounds of tries; the first round comes at once.
        steady: a connection that lasted so long begins the back-off anew.
        gives_up: whether a first server that refuses ends all; else it, and others, are tried on.
    """

    servers: Sequence[Address]
    name: str = "radiod"
    credentials: Credentials | None = None
    tls: Tls | None = None
    echo: bool = False
    min_payload: int = 0
    ping_interval: float = 1.0
    pings: int = 3
    attempt: float = 4.0
    max_unsent: int = 64 << 20
    max_requests: int = 10_000
    backoff: tuple[float, float] = (0.1, 5.0)
    steady: float = 10.0
    gives_up: bool = True


Soon = Callable[[Callable[[], None]], None]
"""Calls something once, after the input that is being handled now."""
