"""How many listen on the other nodes: to the topics where somebody here wants to know.

Those are few, so each node tells the others which it watches, and they tell how many listen there: when the
watch begins, and when the number changes. That somebody listens, or nobody any more, is told in the same
turn; other changes are put together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from radiod.core.cluster.looks import Looks
from radiod.core.cluster.peers import Peers
from radiod.core.cluster.reader_letters import (
    Counts,
    ReaderLetter,
    Unwatch,
    Want,
    Watch,
    Watched,
    read_readers,
    write_readers,
)
from radiod.core.cluster.stale import Stale
from radiod.core.promises import Promise, gather
from radiod.core.timers import Clock, Deadline, Timers

__all__ = ["Readers"]

TOGETHER_S: Final = 0.1
"""For so long changes are put together."""

ANSWER_S: Final = 2.0
"""How long a node may take to tell its counts before it is not waited for."""

IN_A_LETTER: Final = 500

MAX_WATCHED: Final = 100_000
"""Places that one other node may watch; of more it learns nothing."""


class _Place:
    """One place that this node watches.

    ``holders``: how many want that; ``counts``: node -> listeners there, but for 0; ``silent``: nodes whose
    count has not come; ``waiting``: what is kept when all have.
    """

    __slots__ = ("counts", "holders", "silent", "total", "waiting")

    def __init__(self, silent: set[int]) -> None:
        self.holders = 0
        self.counts: dict[int, int] = {}
        self.total = 0
        self.silent = silent
        self.waiting: list[Promise[None]] = []


class _Watcher:
    """What another node watches. ``coming``: a snapshot that is not whole yet; None: there is none."""

    __slots__ = ("coming", "places")

    def __init__(self) -> None:
        self.places: set[str] = set()
        self.coming: set[str] | None = None


class Readers:
    """The listeners of one realm on the other nodes; a ``PeerWatcher``.

    ``changed``: called with a place whose count elsewhere has changed.

    Args:
        count: how many sessions of this node listen to a place.
    """

    def __init__(
        self, realm: str, peers: Peers, clock: Clock, timers: Timers, count: Callable[[str], int]
    ) -> None:
        self._about = f"{realm} readers"
        self._peers = peers
        self._clock = clock
        self._timers = timers
        self._count = count
        self.changed: Callable[[str], None] = _nobody
        self._own: dict[str, _Place] = {}
        self._looks = Looks(clock, timers, self.hold, self.release)
        self._watchers: dict[int, _Watcher] = {}
        # place that others watch -> how many of them do; what they were told last
        self._watched: dict[str, int] = {}
        self._told: dict[str, int] = {}
        self._dirty: dict[str, None] = {}
        self._flush: Deadline | None = None
        self._flush_at = 0.0
        self._flushed_at = -TOGETHER_S
        self._stale = Stale(peers, clock, timers, self.gap)
        peers.take(self._about, self._came)
        peers.watch(self)

    def __len__(self) -> int:
        """Places that this node watches."""
        return len(self._own)

    # --- what this node wants to know

    def elsewhere(self, place: str) -> int:
        """How many listen on other nodes, as far as is known: 0 where nobody watches."""
        found = self._own.get(place)
        return 0 if found is None else found.total

    def hold(self, place: str) -> None:
        """Watch a place; ``release`` must follow."""
        self._watch(place).holders += 1

    def release(self, place: str) -> None:
        """Watch it no more, unless somebody else does."""
        found = self._own[place]
        found.holders -= 1
        if not found.holders:
            self._end(place)

    def look(self, place: str) -> Promise[None] | None:
        """Watch a place for a while. Returns: kept when its count is known; None: it is."""
        self._looks.look(place)
        found = self._own[place]
        if not found.silent:
            return None
        known: Promise[None] = Promise()
        found.waiting.append(known)
        return known

    def look_all(self, places: list[str]) -> Promise[None] | None:
        """As ``look``, of several."""
        return gather([known for place in places if (known := self.look(place)) is not None])

    def _watch(self, place: str) -> _Place:
        found = self._own.get(place)
        if found is None:
            silent = set(self._peers.live())
            found = self._own[place] = _Place(silent)
            for node in silent:
                self._tell(node, Watch((place,)))
            if silent:
                self._timers.at(self._clock.seconds() + ANSWER_S, lambda: self._give_up(place))
        return found

    def _give_up(self, place: str) -> None:
        """Whoever has not answered is not waited for."""
        found = self._own.get(place)
        if found is not None and found.silent:
            found.silent.clear()
            _keep(found)

    def _end(self, place: str) -> None:
        found = self._own.pop(place)
        found.silent.clear()
        _keep(found)
        for node in self._peers.live():
            self._tell(node, Unwatch((place,)))

    # --- what others want to know

    @property
    def watched(self) -> Iterator[str]:
        """The places that others watch."""
        return iter(self._watched)

    def note(self, place: str) -> None:
        """The number of this node's listeners may have changed."""
        if place not in self._watched:
            return
        self._dirty[place] = None
        now = self._clock.seconds()
        is_turn = bool(self._count(place)) != bool(self._told.get(place, 0))
        self._plan_flush(now if is_turn else max(now, self._flushed_at + TOGETHER_S))

    def _plan_flush(self, when: float) -> None:
        if self._flush is not None:
            if self._flush_at <= when:
                return
            self._flush.cancel()
        self._flush_at = when
        self._flush = self._timers.at(when, self._on_flush)

    def _on_flush(self) -> None:
        self._flush = None
        self._flushed_at = self._clock.seconds()
        dirty, self._dirty = self._dirty, {}
        news: dict[str, int] = {}
        for place in dirty:
            count = self._count(place)
            if place in self._watched and count != self._told.get(place, 0):
                news[place] = self._told[place] = count
        if not news:
            return
        for node, watcher in list(self._watchers.items()):
            self._tell_counts(
                node, {place: count for place, count in news.items() if place in watcher.places}
            )

    def _tell_counts(self, node: int, counts: dict[str, int]) -> None:
        for some in _parts(list(counts)):
            self._tell(node, Counts({place: counts[place] for place in some}))

    def _tell_current(self, node: int, places: list[str]) -> None:
        """Tell how many listen here, also if nobody does."""
        counts = {place: self._count(place) for place in places}
        for place, count in counts.items():
            if self._told.get(place, 0) != count:
                # The others do not know it yet.
                self._dirty[place] = None
                self._plan_flush(self._clock.seconds())
        self._tell_counts(node, counts)

    def _add_watched(self, watcher: _Watcher, places: tuple[str, ...]) -> None:
        for place in places:
            if place not in watcher.places and len(watcher.places) < MAX_WATCHED:
                watcher.places.add(place)
                self._watched[place] = self._watched.get(place, 0) + 1

    def _remove_watched(self, watcher: _Watcher, places: tuple[str, ...]) -> None:
        for place in places:
            if place in watcher.places:
                watcher.places.remove(place)
                self._watched[place] -= 1
                if not self._watched[place]:
                    del self._watched[place]
                    self._told.pop(place, None)

    # --- letters

    def _came(self, node: int, data: bytes) -> None:
        letter = read_readers(data)
        watcher = self._watchers.setdefault(node, _Watcher())
        if isinstance(letter, Counts):
            for place, count in letter.counts.items():
                self._counted(node, place, count)
        elif isinstance(letter, Watch):
            self._add_watched(watcher, letter.places)
            self._tell_current(node, list(letter.places))
        elif isinstance(letter, Unwatch):
            self._remove_watched(watcher, letter.places)
        elif isinstance(letter, Watched):
            self._take_snapshot(node, watcher, letter)
        elif isinstance(letter, Want):
            self._tell_all_to(node)
        else:
            self._peers.note_malformed(self._about, node)

    def _take_snapshot(self, node: int, watcher: _Watcher, letter: Watched) -> None:
        if letter.is_first:
            watcher.coming = set()
        if watcher.coming is None:
            return  # its beginning was lost, and it comes again
        if len(watcher.coming) < MAX_WATCHED:
            watcher.coming.update(letter.places)
        if letter.is_last:
            whole, watcher.coming = watcher.coming, None
            self._remove_watched(watcher, tuple(watcher.places - whole))
            self._add_watched(watcher, tuple(whole))
            self._tell_current(node, list(whole))

    def _counted(self, node: int, place: str, count: int) -> None:
        found = self._own.get(place)
        if found is None:
            return
        before = found.counts.pop(node, 0)
        if count:
            found.counts[node] = count
        found.total += count - before
        if node in found.silent:
            found.silent.remove(node)
            _keep(found)
        if count != before:
            self.changed(place)

    def _tell(self, node: int, letter: ReaderLetter) -> None:
        if not self._peers.tell(node, self._about, write_readers(letter)):
            self._stale.add(node)

    def _tell_all_to(self, node: int) -> None:
        self._tell_watched(node)
        watcher = self._watchers.get(node)
        if watcher is not None:
            self._tell_current(node, list(watcher.places))

    def _tell_watched(self, node: int) -> None:
        parts = _parts(list(self._own)) or [[]]
        for number, some in enumerate(parts, 1):
            self._tell(node, Watched(tuple(some), number == 1, number == len(parts)))

    # --- PeerWatcher

    def joined(self, node: int) -> None:
        self._tell_watched(node)

    def left(self, node: int) -> None:
        self._stale.forget(node)
        watcher = self._watchers.pop(node, None)
        if watcher is not None:
            self._remove_watched(watcher, tuple(watcher.places))
        for place, found in list(self._own.items()):
            if node in found.counts or node in found.silent:
                self._counted(node, place, 0)

    def gap(self, node: int) -> None:
        watcher = self._watchers.get(node)
        if watcher is not None:
            watcher.coming = None
        self._tell(node, Want())
        self._tell_all_to(node)

    def isolated(self) -> None:
        pass

    def healed(self) -> None:
        pass


def _nobody(place: str) -> None:
    """Nobody minds."""


def _keep(found: _Place) -> None:
    """Keep what waits, once all have told."""
    if not found.silent:
        waiting, found.waiting = found.waiting, []
        for known in waiting:
            known.settle(None)


def _parts(places: list[str]) -> list[list[str]]:
    return [places[start : start + IN_A_LETTER] for start in range(0, len(places), IN_A_LETTER)]
