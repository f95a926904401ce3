"""What is told of channels to those who may know of them."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final

from msgspec import Raw

from radiod.core.channels.channel import Channel
from radiod.core.channels.lookup import Lookup
from radiod.core.channels.registry import Channels
from radiod.core.channels.writers import Writers, readers
from radiod.core.history.topic_history import History
from radiod.core.promises import Promise
from radiod.core.rights import Permissions
from radiod.core.sessions.session import Session
from radiod.core.sight import is_steward, may_know
from radiod.core.slices import Slices
from radiod.wire.codecs import JSON

__all__ = ["Descriptions"]

DESCRIBED_IN_A_STEP: Final = 10
"""Channels that are looked at, and described, without a pause."""


class Descriptions:
    """Describes the channels of one realm."""

    def __init__(self, channels: Channels, lookup: Lookup, writers: Writers, slices: Slices) -> None:
        self._channels = channels
        self._lookup = lookup
        self._writers = writers
        self._slices = slices

    def describe(self, channel: Channel) -> dict[str, Any]:
        """What those who may know of a channel are told.

        ``{name, public, readers, writers, events, expires, position}``
        """
        history = channel.space.histories.find(channel.name)
        return {
            "name": channel.name,
            "public": channel.is_public,
            "readers": readers(channel.topic),
            "writers": len(self._writers.of(channel.topic)),
            "events": channel.traffic.events,
            "expires": self._channels.expires(channel),
            "position": None if history is None else str(history.position),
        }

    def get(
        self, session: Session | None, name: str, permissions: Permissions | None = None
    ) -> dict[str, Any]:
        """The description of what ``Lookup.counted`` finds. Raises: Refused: as that."""
        found = self._lookup.counted(session, name, permissions)
        if isinstance(found, History):
            return self._count(found)
        return self._described(found, session is not None and is_steward(session))

    def _count(self, history: History) -> dict[str, Any]:
        """The same of a topic that is no channel, as far as there is anything to tell."""
        topic = self._lookup.space_of(None).at(history.topic)
        return {
            "name": history.topic,
            "public": True,
            "readers": readers(topic),
            "writers": len(self._writers.of(topic)),
            "events": history.seq,
            "expires": None,
            "position": str(history.position),
        }

    def page(
        self,
        prefix: str = "",
        limit: int = 100,
        after: str | None = None,
        permissions: Permissions | None = None,
        *,
        with_owners: bool = False,
    ) -> dict[str, Any] | Promise[dict[str, Any]]:
        """One page of the public channels by name that ``permissions`` show: ``{channels, next}``.

        Later, if it takes long. The descriptions are JSON already: so much in one piece keeps others waiting.
        """
        return self._slices.run(self._page(prefix, limit, after, permissions, with_owners))

    def _page(
        self, prefix: str, limit: int, after: str | None, permissions: Permissions | None, with_owners: bool
    ) -> Generator[None, None, dict[str, Any]]:
        told: list[Raw] = []
        last = None
        # Those that are hidden take their time as well, and there may be many between two that are shown.
        while some := self._channels.page(prefix, DESCRIBED_IN_A_STEP, after):
            for channel in some:
                if not may_know(permissions, channel.name):
                    continue
                if len(told) == limit:
                    return {"channels": told, "next": last}
                told.append(Raw(JSON.dump(self._described(channel, with_owners))))
                last = channel.name
            after = some[-1].name
            yield
        return {"channels": told, "next": None}

    def _described(self, channel: Channel, with_owner: bool) -> dict[str, Any]:
        """Its description, and ``owner`` of a public one."""
        told = self.describe(channel)
        return {**told, "owner": _owner(channel)} if with_owner and channel.is_public else told


def _owner(channel: Channel) -> dict[str, Any] | None:
    """``{session, authid, authrole}``: who owns it, and who created it; None: the configuration."""
    if channel.control_hash is None:
        return None
    authid, authrole = channel.settings.user or (None, None)
    return {"session": channel.owner, "authid": authid, "authrole": authrole}
