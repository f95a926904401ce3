"""Channels: declared or created names with an owner's control key and, if wanted, an end.

A channel's name is its topic. Undeclared topics are no channels: anybody entitled may use them, unless the
realm forbids that. Whoever knows a channel's control key controls it; only its holder learns it.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator
from typing import Any, Final

from radiod.core.ports import Clock, Ids
from radiod.core.statistics import Traffic
from radiod.core.timers import Deadline, Timers
from radiod.core.uris import LOOSE, MAX_URI_LENGTH, is_reserved
from radiod.errors import (
    BAD_KEY,
    BAD_NAME,
    CHANNEL_CLOSED,
    CHANNEL_EXISTS,
    NO_SUCH_CHANNEL,
    QUOTA,
    Refused,
)

__all__ = ["MAX_LIFETIME", "Channel", "Channels"]

MAX_LIFETIME: Final = 10 * 365 * 86_400.0
"""Seconds; longer is no lifetime but a mistake."""


class Channel:
    """One channel. ``control_key`` is None for channels of the configuration: nobody may delete those."""

    __slots__ = ("control_key", "deadline", "ends_at", "name", "owner", "traffic")

    def __init__(self, name: str, control_key: str | None, owner: int | None = None) -> None:
        self.name = name
        self.control_key = control_key
        # Id of the session whose leaving ends the channel; None: nobody's does.
        self.owner = owner
        self.ends_at: float | None = None
        self.deadline: Deadline | None = None
        self.traffic = Traffic()


class Channels:
    """The channels of one realm.

    ``on_end(name, reason)`` is called after a channel came to its end: "deleted", "expired", "owner_left".
    """

    def __init__(
        self,
        clock: Clock,
        timers: Timers,
        ids: Ids,
        *,
        max_channels: int,
        undeclared_topics: bool,
        on_end: Callable[[str, str], None],
    ) -> None:
        self._clock = clock
        self._timers = timers
        self._ids = ids
        self._max_channels = max_channels
        self._undeclared_topics = undeclared_topics
        self._on_end = on_end
        # name -> channel, kept sorted by name when listed
        self._by_name: dict[str, Channel] = {}
        # Names whose channel came to an end, oldest first: publishing there is an error, not a new topic.
        self._closed: dict[str, None] = {}
        # session id -> names of the channels that end with it
        self._owned: dict[int, set[str]] = {}

    def __len__(self) -> int:
        return len(self._by_name)

    def __iter__(self) -> Iterator[Channel]:
        return iter(self._by_name.values())

    def declare(self, name: str) -> Channel:
        """Add a channel of the configuration: it has no end and no control key."""
        channel = self._by_name[name] = Channel(name, None)
        return channel

    def create(self, name: str, lifetime: float | None, owner: int | None) -> Channel:
        """Open a channel.

        Args:
            lifetime: seconds until it ends, fractions allowed; None: until it is deleted.
            owner: id of the session whose leaving ends it; None: it outlives every session.

        Raises: Refused: ``bad_name``, ``channel_exists``, ``quota``.
        """
        if len(name) > MAX_URI_LENGTH or not LOOSE.fullmatch(name) or is_reserved(name):
            raise Refused(BAD_NAME, "a channel's name is a WAMP URI outside wamp. and radiod.")
        if name in self._by_name:
            raise Refused(CHANNEL_EXISTS, f"channel {name} exists already")
        if len(self._by_name) >= self._max_channels:
            raise Refused(QUOTA, f"{self._max_channels} channels exist already")
        channel = self._by_name[name] = Channel(name, self._ids.secret(), owner)
        self._closed.pop(name, None)
        if owner is not None:
            self._owned.setdefault(owner, set()).add(name)
        self._set_end(channel, lifetime)
        return channel

    def get(self, name: str) -> Channel:
        """The channel of that name. Raises: Refused: ``channel_closed``, ``no_such_channel``."""
        channel = self._by_name.get(name)
        if channel is None:
            self._refuse_closed(name)
            raise Refused(NO_SUCH_CHANNEL, f"no channel {name}")
        return channel

    def delete(self, name: str, control_key: str) -> None:
        """End a channel now. Raises: Refused: as ``get``; ``bad_key``."""
        self._end(self._controlled(name, control_key), "deleted")

    def owner_left(self, session_id: int) -> None:
        """End the channels of a session that left."""
        for name in sorted(self._owned.get(session_id, ())):
            self._end(self._by_name[name], "owner_left")

    def extend(self, name: str, lifetime: float | None, control_key: str) -> Channel:
        """Let a channel live ``lifetime`` seconds from now, or for good. Raises: Refused: as ``delete``."""
        channel = self._controlled(name, control_key)
        self._set_end(channel, lifetime)
        return channel

    def page(self, prefix: str, limit: int, after: str | None) -> list[Channel]:
        """Up to ``limit`` channels whose names begin with ``prefix`` and sort after ``after``, by name.

        Cost: O(n log n) in the number of channels.
        """
        names = sorted(
            name for name in self._by_name if name.startswith(prefix) and (after is None or name > after)
        )
        return [self._by_name[name] for name in names[:limit]]

    def admit(self, topic: str) -> Channel | None:
        """The channel behind ``topic``, None for a topic that needs none.

        Raises: Refused: ``channel_closed``; ``no_such_channel`` where only declared channels may be used.
        """
        channel = self._by_name.get(topic)
        if channel is None:
            self._refuse_closed(topic)
            if not self._undeclared_topics:
                raise Refused(NO_SUCH_CHANNEL, f"no channel {topic}")
        return channel

    def expires(self, channel: Channel) -> float | None:
        """When the channel ends, in seconds since 1970; None: not by itself."""
        if channel.ends_at is None:
            return None
        return self._clock.time() + channel.ends_at - self._clock.seconds()

    def describe(self, channel: Channel) -> dict[str, Any]:
        """What anybody may know of a public channel, but for what broker and dealer know."""
        return {
            "name": channel.name,
            "public": True,
            "events": channel.traffic.events,
            "expires": self.expires(channel),
        }

    def _refuse_closed(self, name: str) -> None:
        if name in self._closed:
            raise Refused(CHANNEL_CLOSED, f"channel {name} is closed")

    def _controlled(self, name: str, control_key: str) -> Channel:
        channel = self.get(name)
        expected = channel.control_key
        if expected is None or not hmac.compare_digest(expected.encode(), control_key.encode()):
            raise Refused(BAD_KEY, f"not the control key of channel {name}")
        return channel

    def _set_end(self, channel: Channel, lifetime: float | None) -> None:
        if channel.deadline is not None:
            channel.deadline.cancel()
        channel.deadline = channel.ends_at = None
        if lifetime is not None:
            channel.ends_at = self._clock.seconds() + lifetime
            channel.deadline = self._timers.at(channel.ends_at, lambda: self._expire(channel))

    def _expire(self, channel: Channel) -> None:
        self._end(channel, "expired")

    def _end(self, channel: Channel, reason: str) -> None:
        if channel.deadline is not None:
            channel.deadline.cancel()
        del self._by_name[channel.name]
        self._disown(channel)
        self._closed[channel.name] = None
        if len(self._closed) > self._max_channels:
            del self._closed[next(iter(self._closed))]
        self._on_end(channel.name, reason)

    def _disown(self, channel: Channel) -> None:
        if channel.owner is not None:
            owned = self._owned[channel.owner]
            owned.remove(channel.name)
            if not owned:
                del self._owned[channel.owner]
