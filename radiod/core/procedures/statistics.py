"""``radiod.channel.stats``: what goes on in one channel."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from radiod.core.arguments import REQUIRED, Signature, text

if TYPE_CHECKING:
    from radiod.core.listeners import Listener
    from radiod.core.realm import Realm
    from radiod.core.sessions import Session

__all__ = ["ChannelStatistics"]

MAX_LISTENERS: Final = 1000
"""Listeners that one answer tells about."""


class ChannelStatistics:
    """``procedures``: name -> parameters and handler, which takes the calling session and the parameters."""

    def __init__(self, realm: Realm) -> None:
        self._desk = realm.desk
        self._statistics = realm.statistics
        self.procedures: dict[str, tuple[Signature, Callable[..., dict[str, Any]]]] = {
            "radiod.channel.stats": ({"name": REQUIRED}, self.stats),
        }

    def stats(self, session: Session, *, name: Any) -> dict[str, Any]:
        """What goes through a channel and waits for its listeners.

        Who listens concerns nobody but those who feed them: only the channel's owner and writers are told of
        each listener, of those most behind first. Cost: O(n) in the channel's listeners.

        Returns: the channel's description, ``bytes``, ``events_per_s``, ``bytes_per_s``, ``queued``,
            ``lost``, and ``listeners``: ``[{session, queued, lost}, …]``, or None.
        Raises: Refused: as ``Desk.look_up``.
        """
        desk = self._desk
        channel = desk.look_up(session, text("name", name))
        broker = channel.space.broker
        listeners = [
            listener
            for subscription in broker.matching(channel.name)
            for listener in subscription.listeners.values()
        ]
        return {
            **desk.describe(channel),
            "bytes": channel.traffic.bytes,
            **channel.traffic.rates(self._statistics),
            "queued": sum(listener.queued for listener in listeners),
            "lost": sum(listener.lost for listener in listeners),
            "listeners": _told(listeners) if desk.feeds(session, channel) else None,
        }


def _told(listeners: list[Listener]) -> list[dict[str, int]]:
    behind = heapq.nlargest(MAX_LISTENERS, listeners, key=lambda one: (one.queued, one.lost))
    return [{"session": one.session.id, "queued": one.queued, "lost": one.lost} for one in behind]
