"""``radiod.channel.stats``: what goes on in one channel."""

from __future__ import annotations

import heapq
from collections.abc import Generator
from typing import Any, Final

from radiod.core.arguments import REQUIRED, text
from radiod.core.channels.channel import Channel
from radiod.core.channels.descriptions import Descriptions
from radiod.core.channels.lookup import Lookup
from radiod.core.channels.writers import Writers
from radiod.core.delivery.listeners import Listener
from radiod.core.procedures.family import Procedure
from radiod.core.promises import Promise
from radiod.core.sessions.session import Session
from radiod.core.slices import Slices, in_steps
from radiod.core.statistics import Statistics

__all__ = ["ChannelStatistics"]

Answer = dict[str, Any] | Promise[dict[str, Any]]

MAX_LISTENERS: Final = 1000
"""Listeners that one answer tells about."""


class ChannelStatistics:
    """``procedures``: name -> parameters and handler, which takes the calling session and the parameters."""

    def __init__(
        self,
        lookup: Lookup,
        descriptions: Descriptions,
        writers: Writers,
        statistics: Statistics,
        slices: Slices,
    ) -> None:
        self._lookup = lookup
        self._descriptions = descriptions
        self._writers = writers
        self._statistics = statistics
        self._slices = slices
        self.procedures: dict[str, Procedure] = {
            "radiod.channel.stats": ({"name": REQUIRED}, self.stats),
        }

    def stats(self, session: Session, *, name: Any) -> Answer:
        """What goes through a channel and waits for its listeners.

        Who listens concerns nobody but those who feed them: only the channel's owner and writers are told of
        each listener, of those most behind first. Cost: O(n) in the channel's listeners.

        Returns: the channel's description, ``bytes``, ``events_per_s``, ``bytes_per_s``, ``queued``,
            ``lost``, and ``listeners``: ``[{session, queued, lost}, …]``, or None.
        Raises: Refused: as ``Lookup.known``.
        """
        channel = self._lookup.known(session, text("name", name))
        return self._slices.run(self._stats(channel, self._writers.feeds(session, channel)))

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
            **self._descriptions.describe(channel),
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
