"""What a channel with a history told its listeners, and its publishers: all must be one order of events."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Book", "Event", "Place", "Reader"]


class Event(NamedTuple):
    """Which one: ``life`` counts the sessions of one publisher, ``number`` what it published in one."""

    name: str
    life: int
    number: int


class Place(NamedTuple):
    """Where it happened, by its details."""

    epoch: str
    seq: int


class Book:
    """One topic: ``order`` is what its first listener at each place heard, everybody else is compared.

    ``lost``, ``repeated``, ``reordered``, ``misplaced``: events, over all readers; ``epochs``: in turn;
    ``silence``: the longest time between two events.
    """

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.order: list[tuple[Place, Event]] = []
        self.at: dict[Event, int] = {}
        self.epochs: list[str] = []
        self.acknowledged: set[Event] = set()
        self.refused: set[Event] = set()
        self.readers: list[Reader] = []
        self.repeated = 0
        self.reordered = 0
        self.misplaced = 0
        self.silence = 0.0
        self._then: float | None = None
        self._publishers: dict[tuple[str, int], int] = {}

    def append(self, place: Place, event: Event, now: float) -> None:
        """One that nobody has heard before: it is the last."""
        if not self.epochs or self.epochs[-1] != place.epoch:
            self.reordered += place.epoch in self.epochs
            self.epochs.append(place.epoch)
        elif place.seq <= self.order[-1][0].seq:
            self.reordered += 1
        of = event.name, event.life
        self.reordered += event.number <= self._publishers.get(of, -1)
        self._publishers[of] = event.number
        self.at[event] = len(self.order)
        self.order.append((place, event))
        if self._then is not None:
            self.silence = max(self.silence, now - self._then)
        self._then = now

    def pause(self) -> None:
        """The time until the next event does not count: nobody publishes."""
        self._then = None

    def missing(self) -> set[Event]:
        """Acknowledged, and heard by nobody."""
        return self.acknowledged - self.at.keys()

    def denied(self) -> set[Event]:
        """Those of which a publisher was told that they did not happen."""
        return self.refused & self.at.keys()

    @property
    def lost(self) -> int:
        """Events that readers should have heard, and have not."""
        return sum(len(reader.skipped) + len(self.order) - reader.next for reader in self.readers)

    @property
    def told(self) -> int:
        """What readers were told that they missed, and events behind which something may be missing."""
        return sum(reader.told + reader.unsure for reader in self.readers)


class Reader:
    """One listener through all its sessions.

    ``next``: the index in the order that should come; ``skipped``: those before it that did not; ``place``:
    where it stands; ``told``: sum of ``_lost``; ``unsure``: how often ``_recovered`` was false;
    ``changed``: epochs that began; ``untold``: those of them of which it was told nothing when it went on
    behind a place of the one before.
    """

    def __init__(self, book: Book) -> None:
        self.book = book
        self.next = 0
        self.skipped: set[int] = set()
        self.place: Place | None = None
        self.told = 0
        self.unsure = 0
        self.changed = 0
        self.untold = 0
        self.heard = 0
        self.is_resuming = False
        book.readers.append(self)

    def take(self, place: Place, event: Event, lost: int, is_whole: bool, now: float) -> None:
        """An event came. ``lost``: its ``_lost``; ``is_whole``: whether nothing may be missing before it."""
        self.heard += 1
        if self.place is not None and place.epoch != self.place.epoch:
            self.changed += 1
            self.untold += self.is_resuming and is_whole and not lost
        self.is_resuming = False
        self.place = place
        self.told += lost
        self.unsure += not is_whole
        book = self.book
        if self.next == len(book.order) and event not in book.at:
            book.append(place, event, now)
            self.next += 1
        elif self.next < len(book.order) and book.order[self.next] == (place, event):
            self.next += 1
        else:
            self._compare(place, event)

    def _compare(self, place: Place, event: Event) -> None:
        """It is not the one that should come."""
        at = self.book.at.get(event)
        if at is None or self.book.order[at][0] != place:
            # Others went past this place, and did not hear it; or they heard it elsewhere.
            self.book.misplaced += 1
        if at is None:
            return
        if at >= self.next:
            self.skipped.update(range(self.next, at))
            self.next = at + 1
        elif at in self.skipped:
            self.skipped.discard(at)
            self.book.reordered += 1
        else:
            self.book.repeated += 1
