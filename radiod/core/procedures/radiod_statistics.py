"""``radiod.channel.stats``: what goes on in one channel."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Final

from radiod.core.arguments import REQUIRED, Signature, text
from radiod.core.promises import Later
from radiod.core.slices import in_steps

if TYPE_CHECKING:
    from radiod.core.channels.registry import Channel
    from radiod.core.delivery.listeners import Listener
    from radiod.core.realm.realm import Realm
    from radiod.core.sessions.session import Session

__all__ = ["ChannelStatistics"]

Answer = dict[str, Any] | Later[dict[str, Any]]

MAX_LISTENERS: Final = 1000
"""Listeners that one answer tells about."""


class ChannelStatistics:
    """``procedures``: name -> parameters and handler, which takes the calling session and the parameters."""

    def __init__(self, realm: Realm) -> None:
        self._in_slices = realm.in_slices
        self._desk = realm.desk
        self._statistics = realm.statistics
        self.procedures: dict[str, tuple[Signature, Callable[..., Answer]]] = {
            "radiod.channel.stats": ({"name": REQUIRED}, self.stats),
        }

    def stats(self, session: Session, *, name: Any) -> Answer:
        """What goes through a channel and waits for its listeners.

        Who listens concerns nobody but those who feed them: only the channel's owner and writers are told of
        each listener, of those most behind first. Cost: O(n) in the channel's listeners.

        Returns: the channel's description, ``bytes``, ``events_per_s``, ``bytes_per_s``, ``queued``,
            ``lost``, and ``listeners``: ``[{session, queued, lost}, …]``, or None.
        Raises: Refused: as ``Desk.look_up``.
        """
        channel = self._desk.look_up(session, text("name", name))
        return self._in_slices(self._stats(channel, self._desk.feeds(session, channel)))

    def _stats(self, channel: Channel, is_told_all: bool) -> Generator[None, None, dict[str, Any]]:
        queued = lost = 0
        behind: list[Listener] = []

        def look(some: list[Listener]) -> None:
            nonlocal queued, lost, behind
            queued += sum(one.queued for one in some)
            lost += sum(one.lost for one in some)
            if is_told_all:
                behind = heapq.nlargest(MAX_LISTENERS, [*behind, *some], key=_behind)

        for subscription in channel.space.broker.matching(channel.name):
            yield from in_steps(subscription.listeners.values(), look)
        return {
            **self._desk.describe(channel),
            "bytes": channel.traffic.bytes,
            **channel.traffic.rates(self._statistics),
            "queued": queued,
            "lost": lost,
            "listeners": [_told(one) for one in behind] if is_told_all else None,
        }


def _behind(listener: Listener) -> tuple[int, int]:
    return listener.queued, listener.lost


def _told(listener: Listener) -> dict[str, int]:
    return {"session": listener.session.id, "queued": listener.queued, "lost": listener.lost}
