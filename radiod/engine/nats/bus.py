"""The ``Bus`` of the core's ports over one connection to NATS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from radiod.core.cluster.ports import BusUser
from radiod.engine.nats.client import Connection
from radiod.engine.nats.errors import EngineError, PayloadTooLarge

__all__ = ["NatsBus"]


class NatsBus:
    """A ``Bus``. ``user``: hears what comes, once it is given; ``connection``: likewise.

    ``too_large``: messages that NATS's ``max_payload`` is too small for; they are dropped. ``malformed``:
    those that came on subjects that no node has; likewise. ``trouble``: takes a line for the log.
    """

    def __init__(self, user: BusUser) -> None:
        self.user = user
        self.too_large = 0
        self.malformed = 0
        self.trouble: Callable[[str], None] = _unheard
        self._connection: Connection | None = None
        # subject -> the ids of its subscriptions, one for each listening
        self._sids: dict[str, list[bytes]] = {}

    def use(self, connection: Connection) -> None:
        """Speak by this one."""
        self._connection = connection

    @property
    def is_up(self) -> bool:
        """As ``Bus.is_up``."""
        return self._connection is not None and self._connection.is_connected

    def listen(self, subject: str) -> None:
        """As ``Bus.listen``."""
        assert self._connection is not None
        self._sids.setdefault(subject, []).append(self._connection.subscribe(subject.encode(), self._came))

    def unlisten(self, subject: str) -> None:
        """As ``Bus.unlisten``."""
        assert self._connection is not None
        sids = self._sids[subject]
        self._connection.unsubscribe(sids.pop())
        if not sids:
            del self._sids[subject]

    def send(self, subject: str, data: bytes, reply: str = "") -> bool:
        """As ``Bus.send``."""
        assert self._connection is not None
        try:
            return self._connection.publish(subject.encode(), data, reply.encode() if reply else None)
        except PayloadTooLarge:
            self.too_large += 1
            return False

    # --- for the connection

    def _came(self, subject: bytes, reply: bytes | None, headers: bytes | None, payload: bytes) -> None:
        try:
            on, back = subject.decode(), "" if reply is None else reply.decode()
        except UnicodeDecodeError:
            self.malformed += 1
            self.trouble("somebody sends on subjects that no node of this version has: it is dropped")
            return
        if headers is not None and not payload and headers.startswith(b"NATS/1.0 503"):
            self.user.unreachable(on)
        else:
            self.user.came(on, back, payload)

    def on_connected(self, server: str, info: Any) -> None:
        """As ``Watcher.on_connected``."""
        self.user.up()

    def on_lost(self, error: EngineError, unsent: int) -> None:
        """As ``Watcher.on_lost``."""
        self.user.down()

    def on_trouble(self, text: str) -> None:
        """As ``Watcher.on_trouble``."""
        self.trouble(text)


def _unheard(text: str) -> None:
    """Nobody runs this who reads a log."""
