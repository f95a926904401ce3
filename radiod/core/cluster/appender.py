"""Appends to one stream in the order of asking, over the moments when nobody leads it.

Up to ``MOST_ON_WAY`` records are on their way at once, each with an id, by which the stream knows one that
comes again. After the first that fails nothing more is sent until each of these has an outcome. Then the
oldest that is not stored is sent alone, again and again, until it is; and then the rest. None is stored
twice, and what waits longer than ``hold_s`` is given up, with a word whether it may be stored all the same.

Where the leadership of a stream is handed over, one that was on its way may be lost, and the next be stored.
So nothing more is sent while the oldest has been on its way for longer than ``STALLED_S``. One of a publisher
that was overtaken all the same, by a later one of it to the same subject, is not stored any more: it is
refused, and the events of a publisher stay in order.

Source: measured of NATS, kills, pauses, partitions and lame ducks of its servers under load.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from radiod.core.cluster.ports import Appended, Failure, Streams
from radiod.core.timers import Clock, Deadline, Timers
from radiod.errors import STORE_UNAVAILABLE, Refused

__all__ = ["MAY_HAVE", "Appender"]

MOST_ON_WAY: Final = 256

MAX_BYTES: Final = 64 << 20
"""What may be held at most: of all that is not answered yet."""

ITEM_BYTES: Final = 512
"""About what a record takes in memory besides, while it is held."""

PAUSE_S: Final = 0.1
"""Between two tries of the oldest record."""

STALLED_S: Final = 0.02
"""An answer takes 1 to 10 ms: one that takes longer may not come."""

ANSWER_S: Final = 1.0
"""The oldest is tried again that has no answer for so long; then whenever twice as long is over."""

MAY_HAVE: Final = "the log did not answer: it may have happened"
HAS_NOT: Final = "the log is not to be had: it did not happen"


class _Item:
    """One record that is held. ``may_have``: some try of it had no answer.

    ``is_overtaken``: a later one of its publisher, and its subject, is stored, and it was not; ``tries``: so
    many, and ``sent``: when the last; ``again``: how many of these while an earlier one may be answered;
    ``is_over``: it has its last outcome.
    """

    __slots__ = (
        "again",
        "data",
        "done",
        "id",
        "is_over",
        "is_overtaken",
        "may_have",
        "order",
        "publisher",
        "sent",
        "since",
        "subject",
        "tries",
        "ttl_s",
    )

    def __init__(
        self,
        order: int,
        since: float,
        subject: str,
        data: bytes,
        id: str,
        ttl_s: float,
        publisher: int,
        done: Callable[[Appended | Refused], None],
    ) -> None:
        self.order = order
        self.since = since
        self.subject = subject
        self.data = data
        self.id = id
        self.ttl_s = ttl_s
        self.done = done
        self.publisher = publisher
        self.sent = since
        self.tries = 0
        self.again = 0
        self.may_have = False
        self.is_overtaken = False
        self.is_over = False

    @property
    def size(self) -> int:
        return len(self.data) + ITEM_BYTES

    def is_before(self, other: _Item) -> bool:
        """Whether the other is to be behind this one."""
        is_same = self.publisher == other.publisher and self.subject == other.subject
        return is_same and self.publisher != 0 and self.order < other.order


def _too_long(item: _Item) -> float:
    """When the try of one takes too long that is on its way."""
    return item.sent + (ANSWER_S if not item.again else 2 * ANSWER_S)


class Appender:
    """Appends to one stream.

    ``bytes``: held now; ``failures``: tries that did not store anything, or had no answer.

    Args:
        hold_s: how long a record may be held; well below the stream's window for ids.
    """

    def __init__(
        self,
        streams: Streams,
        stream: str,
        clock: Clock,
        timers: Timers,
        hold_s: float,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._streams = streams
        self._stream = stream
        self._clock = clock
        self._timers = timers
        self._hold_s = hold_s
        self._max_bytes = max_bytes
        self.bytes = 0
        self.failures = 0
        self._orders = 0
        # Not on their way, oldest first.
        self._waiting: deque[_Item] = deque()
        # order -> on its way
        self._on_way: dict[int, _Item] = {}
        # Those that failed since all went well, in the order of their outcomes.
        self._failed: list[_Item] = []
        # Whether one goes at a time, since the last one failed.
        self._is_careful = False
        self._is_held = False
        self._next_try: Deadline | None = None
        self._next_look: Deadline | None = None

    def __len__(self) -> int:
        """Records that are held."""
        return len(self._waiting) + len(self._on_way) + len(self._failed)

    @property
    def is_held_up(self) -> bool:
        """Whether the last outcome was a failure."""
        return self._is_careful or bool(self._failed)

    def append(
        self,
        subject: str,
        data: bytes,
        id: str,
        done: Callable[[Appended | Refused], None],
        ttl_s: float = 0.0,
        publisher: int = 0,
    ) -> None:
        """Store one record behind all that this publisher has asked for before; 0: nobody.

        ``done``: later, with its number; or with ``unavailable``, whose text says whether it may be stored.
        Raises: Refused: ``unavailable``: too much is held already; it is not stored.
        """
        self._orders += 1
        item = _Item(self._orders, self._clock.seconds(), subject, data, id, ttl_s, publisher, done)
        if self.bytes + item.size > self._max_bytes:
            raise Refused(STORE_UNAVAILABLE, "too much waits for the log: it did not happen")
        self.bytes += item.size
        self._waiting.append(item)
        self._go_on()

    def hold(self) -> None:
        """Send nothing more until ``go_on``; what waits for too long is given up all the same."""
        self._is_held = True

    def go_on(self) -> None:
        """Send what waits."""
        self._is_held = False
        self._go_on()

    def _go_on(self) -> None:
        """Send what may be sent now."""
        if self._failed:
            # Each that is on its way has its outcome first.
            return
        if self._is_held:
            if self._waiting:
                self._try_later()
            return
        most = 1 if self._is_careful else MOST_ON_WAY
        while self._waiting and len(self._on_way) < most and self._next_try is None:
            if self._is_stalled():
                return
            item = self._waiting.popleft()
            item.again = 0
            self._on_way[item.order] = item
            self._send(item)
            self._plan_look()

    def _is_stalled(self) -> bool:
        """Whether the oldest on its way may be lost; it has an outcome soon, and all goes on from there."""
        oldest = next(iter(self._on_way.values()), None)
        if oldest is None:
            return False
        return oldest.again > 0 or self._clock.seconds() - oldest.sent > STALLED_S

    def _send(self, item: _Item) -> None:
        item.sent = self._clock.seconds()
        item.tries += 1
        attempt = item.tries
        self._streams.append(
            self._stream,
            item.subject,
            item.data,
            lambda outcome: self._came(item, attempt, outcome),
            id=item.id,
            ttl_s=item.ttl_s,
        )

    def _plan_look(self) -> None:
        """Look at the oldest when it takes too long."""
        oldest = next(iter(self._on_way.values()), None)
        if oldest is None or self._next_look is not None:
            return
        then = _too_long(oldest)
        # One that is held for too long is given up, once its last try has an outcome.
        if then <= oldest.since + self._hold_s:
            self._next_look = self._timers.at(then, self._look)

    def _look(self) -> None:
        """The oldest may be lost: try it again, which its id makes harmless, unless it comes too late."""
        self._next_look = None
        oldest = next(iter(self._on_way.values()), None)
        if oldest is not None and _too_long(oldest) <= self._clock.seconds():
            if oldest.is_overtaken:
                self._came(oldest, oldest.tries, Failure.UNKNOWN)
            else:
                oldest.again += 1
                self._send(oldest)
        self._plan_look()

    def _came(self, item: _Item, attempt: int, outcome: Appended | Failure) -> None:
        """A try of one has an outcome."""
        is_awaited = attempt == item.tries and item.order in self._on_way
        if item.is_over or not (is_awaited or isinstance(outcome, Appended)):
            return
        self._withdraw(item)
        if isinstance(outcome, Appended):
            if is_awaited and not self._failed:
                self._is_careful = False
            self._note_overtaken(item)
            self._end(item, outcome)
        else:
            self.failures += 1
            item.may_have = item.may_have or outcome is Failure.UNKNOWN
            self._failed.append(item)
        if self._failed and not self._on_way:
            self._be_careful()
        self._plan_look()
        self._go_on()

    def _withdraw(self, item: _Item) -> None:
        """Take one from wherever it is."""
        if self._on_way.pop(item.order, None) is None:
            for held in (self._failed, self._waiting):
                if item in held:
                    held.remove(item)

    def _note_overtaken(self, stored: _Item) -> None:
        """One is stored: those that are to be before it, and are not, come too late."""
        for item in self._on_way.values():
            if item.order > stored.order:
                break
            item.is_overtaken = item.is_overtaken or item.is_before(stored)
        for item in self._failed:
            item.is_overtaken = item.is_overtaken or item.is_before(stored)

    def _be_careful(self) -> None:
        """All outcomes are there, some bad: begin anew with the oldest, after a pause."""
        failed, self._failed = self._failed, []
        failed.sort(key=lambda item: item.order)
        late = [item for item in failed if item.is_overtaken]
        self._waiting.extendleft(item for item in reversed(failed) if not item.is_overtaken)
        self._is_careful = True
        self._try_later()
        for item in late:
            self._refuse(item)

    def _try_later(self) -> None:
        if self._next_try is None:
            self._next_try = self._timers.at(self._clock.seconds() + PAUSE_S, self._try_again)

    def _try_again(self) -> None:
        self._next_try = None
        self._give_up()
        self._go_on()

    def _give_up(self) -> None:
        """Refuse what was held for too long."""
        oldest = self._clock.seconds() - self._hold_s
        given_up: list[_Item] = []
        while self._waiting and self._waiting[0].since <= oldest:
            given_up.append(self._waiting.popleft())
        for item in given_up:
            self._refuse(item)

    def _refuse(self, item: _Item) -> None:
        self._end(item, Refused(STORE_UNAVAILABLE, MAY_HAVE if item.may_have else HAS_NOT))

    def _end(self, item: _Item, outcome: Appended | Refused) -> None:
        self.bytes -= item.size
        item.is_over = True
        item.done(outcome)
