"""How events that were lost between nodes are counted: by their sender, and where they arrive.

Each sender counts what it publishes on each topic, whether it can be sent or not. Whoever gets two events of
a sender and topic knows how many are missing between. Where a listening begins is known, too: the sender says
how far it had counted, so that nobody is told of what was lost before.

Both ends have the same bound. A topic that its sender has forgotten begins a new epoch: what was lost of it
before is not told, and nothing is told that was not lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from radiod.core.ids import MAX_ID

__all__ = ["MAX_KNOWN", "MAX_SENDERS", "MAX_TOPICS", "Counts", "Sender", "Senders"]

MAX_TOPICS: Final = 100_000
"""Topics of one sender that are counted; the one that was silent longest makes room."""

MAX_SENDERS: Final = 100
"""Processes whose counts are known; the one that was silent longest is forgotten."""

MAX_KNOWN: Final = 1_000_000
"""Topics of all senders together that are known when one more comes: those silent longest make room."""


class Counted:
    """How many events of one topic one sender has sent since ``epoch`` began."""

    __slots__ = ("count", "epoch")

    def __init__(self, epoch: int, count: int) -> None:
        self.epoch = epoch
        self.count = count


class Counts:
    """What one sender has counted. ``number``: of all its events."""

    def __init__(self, max_topics: int = MAX_TOPICS) -> None:
        self._max = max_topics
        self.number = 0
        # topic -> its count; the one that was silent longest is the first
        self._topics: dict[str, Counted] = {}

    def __len__(self) -> int:
        """Topics that are counted."""
        return len(self._topics)

    def next(self, topic: str) -> Counted:
        """One more of a topic, whose numbers are returned: not to be kept."""
        self.number += 1
        counted = self._topics.pop(topic, None)
        if counted is None:
            counted = Counted(self.number, 0)
            if len(self._topics) >= self._max:
                del self._topics[next(iter(self._topics))]
        counted.count += 1
        self._topics[topic] = counted
        return counted

    def get(self, topic: str) -> Counted | None:
        """What was counted of one topic."""
        return self._topics.get(topic)

    def topics(self) -> Iterable[str]:
        """All that are counted."""
        return self._topics


class Sender:
    """What arrived of one sender, and how far it had counted before.

    ``number``: of its last event; ``is_met``: it has said since when it counts.
    """

    __slots__ = ("_early", "_max", "_topics", "forgotten", "is_met", "number")

    def __init__(self, max_topics: int = MAX_TOPICS) -> None:
        self._max = max_topics
        self.number = 0
        self.is_met = False
        self._topics: dict[str, Counted] = {}
        # topic -> its epoch, and how many had gone before the first that came, while it was not met: whether
        # somebody listened to these is not known before.
        self._early: dict[str, tuple[int, int]] = {}
        # Of topics that began up to this number, some are not known any more.
        self.forgotten = 0

    def __len__(self) -> int:
        """Topics that are known."""
        return len(self._topics)

    def knows(self, topic: str) -> bool:
        """Whether it is known how far it has counted a topic."""
        return topic in self._topics

    def is_copy(self, number: int) -> bool:
        """Whether an event has come before; else it has now."""
        if number <= self.number:
            return True
        self.number = number
        return False

    def arrive(self, topic: str, epoch: int, count: int, begun: int | None) -> int:
        """An event came. Returns: how many of its topic were lost before it.

        Args:
            begun: the sender's number when it knew that the topic is listened to; None: it never said.
        """
        counted = self._topics.pop(topic, None)
        if counted is None:
            lost = count - 1 if self.is_whole(epoch, begun) else 0
            if begun is None and count > 1 and not self.is_met and len(self._early) < self._max:
                self._early[topic] = epoch, count - 1
            counted = Counted(epoch, count)
            if len(self._topics) >= self._max:
                oldest = self._topics.pop(next(iter(self._topics)))
                self.forgotten = max(self.forgotten, oldest.epoch)
        else:
            lost = _advance(counted, epoch, count) - 1
        self._topics[topic] = counted
        return max(0, lost)

    def meet(self, number: int) -> dict[str, tuple[int, int]]:
        """It has said since when it counts. ``number``: of its last event then.

        Returns: topic -> its epoch, and how many of it had gone before the first that came.
        """
        self.is_met = True
        # Whatever of it was known once and forgotten had begun before.
        self.forgotten = min(self.forgotten, number)
        early, self._early = self._early, {}
        return early

    def is_whole(self, epoch: int, begun: int | None) -> bool:
        """Whether a topic began later than a listening to it, so that all of it should have come."""
        return begun is not None and epoch > begun and epoch > self.forgotten

    def begin(self, topic: str, epoch: int, count: int, begun: int | None) -> int:
        """The sender says how far it has counted.

        ``begun``: as for ``arrive``, of those who listened before.
        Returns: how many of those did not arrive.
        """
        counted = self._topics.get(topic)
        if counted is None:
            self.arrive(topic, epoch, count, None)
            return count if self.is_whole(epoch, begun) else 0
        return max(0, _advance(counted, epoch, count))


def _advance(counted: Counted, epoch: int, count: int) -> int:
    """Count on. Returns: how many there are from the last one to this."""
    if epoch < counted.epoch:
        return 0  # it was said before what is known by now
    before = counted.count if counted.epoch == epoch else 0
    counted.epoch = epoch
    counted.count = max(before, count)
    return count - before


class Senders:
    """All senders that were heard of."""

    def __init__(self, max_topics: int = MAX_TOPICS, max_known: int = MAX_KNOWN) -> None:
        self._max_topics = max_topics
        self._max_known = max_known
        # The one that was silent longest is the first.
        self._by_origin: dict[int, Sender] = {}
        self._has_forgotten = False

    def of(self, origin: int) -> Sender:
        """One of them."""
        sender = self._by_origin.pop(origin, None)
        if sender is None:
            self._make_room()
            sender = Sender(self._max_topics)
            if self._has_forgotten:
                # It may be one that was known: nothing is lost before it says how far it has counted.
                sender.forgotten = MAX_ID
        self._by_origin[origin] = sender
        return sender

    def _make_room(self) -> None:
        """For one more: those of processes that ended are not told from those of others that are silent."""
        known = sum(map(len, self._by_origin.values()))
        while len(self._by_origin) >= MAX_SENDERS or known > self._max_known:
            sender = self._by_origin.pop(next(iter(self._by_origin)))
            known -= len(sender)
            self._has_forgotten = True
