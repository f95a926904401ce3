"""Demand: telling the writers of a channel whether anybody listens.

A channel is watched while somebody has opened it for writing, or wants to know all the same. It becomes
active with its first reader at once, and inactive when it has had none for a while, so that a reader who
reconnects does not stop and start its source.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

from radiod.core.timers import Clock, Deadline, Timers

__all__ = ["Demand"]

Topic = TypeVar("Topic", bound=Hashable)
Writer = TypeVar("Writer", bound=Hashable)


class Watch(Generic[Writer]):
    """One channel that has writers or observers. ``ending``: when it becomes inactive, if no reader comes."""

    __slots__ = ("ending", "is_active", "observers", "writers")

    def __init__(self, is_active: bool) -> None:
        self.is_active = is_active
        self.writers: dict[Writer, None] = {}
        self.observers: dict[Writer, None] = {}
        self.ending: Deadline | None = None


class Demand(Generic[Topic, Writer]):
    """The channels of one realm that have writers, or observers: who is told, and does not write.

    Args:
        hold_s: seconds without readers after which a channel becomes inactive.
        readers: how many listen to a channel now.
        tell: called with a channel, its writers and observers, and whether it is active, when that changed.
    """

    def __init__(
        self,
        clock: Clock,
        timers: Timers,
        hold_s: float,
        readers: Callable[[Topic], int],
        tell: Callable[[Topic, list[Writer], bool], None],
    ) -> None:
        self._clock = clock
        self._timers = timers
        self._hold_s = hold_s
        self._readers = readers
        self._tell = tell
        self._watches: dict[Topic, Watch[Writer]] = {}

    def __len__(self) -> int:
        """Channels that have writers."""
        return sum(bool(watch.writers) for watch in self._watches.values())

    def __iter__(self) -> Iterator[Topic]:
        return iter(list(self._watches))

    def writers(self, topic: Topic) -> list[Writer]:
        """Who has opened a channel for writing, in order of opening."""
        watch = self._watches.get(topic)
        return [] if watch is None else list(watch.writers)

    def add(self, topic: Topic, writer: Writer) -> bool:
        """Add a writer; twice is the same. Returns: whether the channel is active."""
        watch = self._watch(topic)
        watch.writers[writer] = None
        return watch.is_active

    def observe(self, topic: Topic, observer: Writer) -> None:
        """Tell somebody, too, as long as it is not ``overlook``, whether there are writers or not."""
        self._watch(topic).observers[observer] = None

    def overlook(self, topic: Topic, observer: Writer) -> None:
        """Remove an observer; one that is none is left alone."""
        watch = self._watches.get(topic)
        if watch is not None:
            watch.observers.pop(observer, None)
            self._forget_unwatched(topic, watch)

    def _watch(self, topic: Topic) -> Watch[Writer]:
        watch = self._watches.get(topic)
        if watch is None:
            watch = self._watches[topic] = Watch(self._readers(topic) > 0)
        return watch

    def remove(self, topic: Topic, writer: Writer) -> None:
        """Remove a writer; one that is none is left alone."""
        watch = self._watches.get(topic)
        if watch is not None:
            watch.writers.pop(writer, None)
            self._forget_unwatched(topic, watch)

    def _forget_unwatched(self, topic: Topic, watch: Watch[Writer]) -> None:
        if not watch.writers and not watch.observers:
            self.forget(topic)

    def forget(self, topic: Topic) -> None:
        """Nobody wants to know of the channel any more."""
        watch = self._watches.pop(topic, None)
        if watch is not None and watch.ending is not None:
            watch.ending.cancel()

    def update(self, topic: Topic) -> None:
        """The number of a channel's readers may have changed."""
        watch = self._watches.get(topic)
        if watch is None:
            return
        if self._readers(topic):
            if watch.ending is not None:
                watch.ending.cancel()
                watch.ending = None
            if not watch.is_active:
                watch.is_active = True
                self._tell(topic, [*watch.writers, *watch.observers], True)
        elif watch.is_active and watch.ending is None:
            when = self._clock.seconds() + self._hold_s
            watch.ending = self._timers.at(when, lambda: self._end(topic, watch))

    def _end(self, topic: Topic, watch: Watch[Writer]) -> None:
        watch.ending = None
        watch.is_active = False
        self._tell(topic, [*watch.writers, *watch.observers], False)
