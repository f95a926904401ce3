"""Answers to requests with an ``Idempotency-Key``, kept so that a request that is repeated is not done again.

Whoever sends a request and gets no answer may send it again with the same key. A key belongs to one holder
(an API key) and one path, and to the body that it came with first. Bounded: 10,000 for each holder, whose
oldest go first, and ``max_bytes`` over all of a server: above that the holder with most bytes loses its
oldest. A request whose answer is gone is new. Source: draft-ietf-httpapi-idempotency-key-header-07.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from typing import Final, NamedTuple

from radiod.core.promises import Promise
from radiod.core.timers import Clock, Deadline, Timers
from radiod.errors import IDEMPOTENCY_MISMATCH, INVALID_ARGUMENT, QUOTA, STILL_RUNNING, Refused

__all__ = [
    "MOST_BYTES",
    "MOST_OF_ONE",
    "Answers",
    "Begun",
    "Kept",
    "Name",
    "Remembered",
    "Running",
    "Table",
    "idempotency_key",
]

MOST_OF_ONE: Final = 10_000
"""Requests of one holder that are remembered."""

MOST_BYTES: Final = 64 << 20
"""Of all answers that are kept."""

OVERHEAD: Final = 600
"""Bytes that an answer costs beside its own."""

SLICE: Final = 1000
"""Answers forgotten at a time, unless one holder has more; the next ``SOON``."""

SOON: Final = 0.01
MOST_OFTEN: Final = 1.0
"""Seconds between two looks for what is too old."""

_MOST_AT_ONCE: Final = 64
"""Who loses answers for want of room loses up to this part of all room at once: looking for that one costs a
look at each holder."""

_VISIBLE: Final = re.compile(rb"[!-~]{1,255}")
_QUOTED: Final = re.compile(rb'"((?:[!#-\[\]-~]|\\["\\])*)"')
_ESCAPED: Final = re.compile(rb'\\(["\\])')

Name = tuple[str, str]
"""A path and a key."""


def idempotency_key(value: bytes) -> str:
    """The key that a header's value says, quoted as the draft has it or bare as most send it.

    Raises: Refused: ``invalid_argument``: it is not 1 to 255 visible ASCII characters.
    """
    key = value
    if value.startswith(b'"'):
        quoted = _QUOTED.fullmatch(value)
        key = _ESCAPED.sub(rb"\1", quoted[1]) if quoted is not None else b""
    if _VISIBLE.fullmatch(key) is None:
        what = "Idempotency-Key must be 1 to 255 visible ASCII characters, bare or in double quotes"
        raise Refused(INVALID_ARGUMENT, what)
    return key.decode("ascii")


class Kept:
    """A request that was answered. ``answer``: as it was given to ``Running.answered``."""

    __slots__ = ("answer", "digest", "size", "until")

    def __init__(self, digest: bytes, answer: object, size: int, until: float) -> None:
        self.digest = digest
        self.answer = answer
        self.size = size
        self.until = until

    def is_of(self, digest: bytes) -> bool:
        """Whether the request had the body with this SHA-256."""
        return self.digest == digest


class Remembered(NamedTuple):
    """One request that was answered: whose, where, under which key."""

    holder: Hashable
    path: str
    key: str
    kept: Kept


class Running:
    """A request that is being done for the first time: tell how it ended, by one of the two methods."""

    __slots__ = ("_digest", "_name", "_table")

    def __init__(self, table: Table, name: Name, digest: bytes) -> None:
        self._table: Table | None = table
        self._name = name
        self._digest = digest

    def is_of(self, digest: bytes) -> bool:
        """Whether the request has the body with this SHA-256."""
        return self._digest == digest

    def answered(self, status: int, answer: object, size: int) -> None:
        """It has its answer, of ``size`` bytes; those of 429 and 5xx are not kept: it may be tried again."""
        table, self._table = self._table, None
        if table is not None:
            is_final = status != 429 and status < 500
            table.answers.end(table, self._name, Kept(self._digest, answer, size, 0.0) if is_final else None)

    def release(self) -> None:
        """It came to nothing: whoever asked has gone, or it failed. After its answer this does nothing."""
        table, self._table = self._table, None
        if table is not None:
            table.answers.end(table, self._name, None)


Begun = Running | Kept | Promise[Running | Kept]
"""What comes of beginning a request."""


class Table:
    """The requests of one holder. ``held``: bytes of its answers."""

    __slots__ = ("answers", "held", "holder", "kept", "running")

    def __init__(self, answers: Answers, holder: Hashable) -> None:
        self.answers = answers
        self.holder = holder
        self.running: dict[Name, Running] = {}
        # name -> its answer, the oldest first
        self.kept: OrderedDict[Name, Kept] = OrderedDict()
        self.held = 0

    def __len__(self) -> int:
        return len(self.running) + len(self.kept)

    def keep(self, name: Name, kept: Kept) -> int:
        """Returns: the bytes that it takes."""
        size = cost(name, kept)
        self.kept[name] = kept
        self.held += size
        return size

    def drop_oldest(self) -> int:
        """Returns: the bytes that it had."""
        name, kept = self.kept.popitem(last=False)
        size = cost(name, kept)
        self.held -= size
        return size


class Answers:
    """Those of one server.

    Args:
        keep: seconds that an answer is kept.
        max_each: requests remembered for each holder.
        max_bytes: of all that is kept; an answer above a sixteenth of it is not kept.
    """

    __slots__ = ("_clock", "_held", "_keep", "_max_bytes", "_max_each", "_sweep", "_tables", "_timers")

    def __init__(
        self,
        clock: Clock,
        timers: Timers,
        keep: float,
        max_each: int = MOST_OF_ONE,
        max_bytes: int = MOST_BYTES,
    ) -> None:
        self._clock = clock
        self._timers = timers
        self._keep = keep
        self._max_each = max_each
        self._max_bytes = max_bytes
        self._held = 0
        self._sweep: Deadline | None = None
        # holder -> its requests; only those that have any
        self._tables: dict[Hashable, Table] = {}

    def __len__(self) -> int:
        """Requests that are remembered."""
        return sum(len(table) for table in self._tables.values())

    @property
    def held(self) -> int:
        """Bytes of all answers that are kept, with what they cost beside."""
        return self._held

    def begin(self, holder: Hashable, path: str, key: str, body: bytes) -> Begun:
        """A request comes. O(1), and the SHA-256 of its body.

        Returns: ``Running``: it is new, and to be done; ``Kept``: it was done, and this was its answer; on
            a node of several also later, or ``Refused`` instead.
        Raises: Refused: ``still_running`` (409), ``idempotency_mismatch`` (422): it came with another body;
            ``quota`` (429): all that the holder may have are running.
        """
        return self.begin_here(holder, path, key, body)

    def begin_here(self, holder: Hashable, path: str, key: str, body: bytes) -> Running | Kept:
        """The same, as far as this server knows."""
        table = self._tables.get(holder)
        if table is None:
            table = Table(self, holder)
        else:
            self._forget_old(table, self._clock.seconds())
        name, digest = (path, key), hashlib.sha256(body).digest()
        found = table.kept.get(name) or table.running.get(name)
        if found is not None and not found.is_of(digest):
            raise Refused(IDEMPOTENCY_MISMATCH, "Idempotency-Key was used for a request with another body")
        if isinstance(found, Running):
            raise Refused(STILL_RUNNING, "a request with this Idempotency-Key is still running")
        return self._begin(table, name, digest) if found is None else found

    def _begin(self, table: Table, name: Name, digest: bytes) -> Running:
        if len(table) >= self._max_each:
            if not table.kept:
                raise Refused(QUOTA, f"{self._max_each} requests with an Idempotency-Key are running")
            self._held -= table.drop_oldest()
        running = table.running[name] = Running(table, name, digest)
        self._tables[table.holder] = table
        return running

    def end(self, table: Table, name: Name, kept: Kept | None) -> None:
        """A request has ended (``Running`` calls this)."""
        del table.running[name]
        if kept is not None:
            kept.until = self._clock.seconds() + self._keep
            self._remember(table, name, kept)
        self._tidy(table)

    def _remember(self, table: Table, name: Name, kept: Kept) -> None:
        if cost(name, kept) > self._max_bytes // 16:
            return
        self._held += table.keep(name, kept)
        while self._held > self._max_bytes:
            self._make_room()
        if self._sweep is None:
            self._sweep = self._timers.at(kept.until, self._forget)

    def __iter__(self) -> Iterator[Remembered]:
        """Requests that were answered, of each holder the oldest first."""
        for holder, table in list(self._tables.items()):
            for (path, key), kept in list(table.kept.items()):
                yield Remembered(holder, path, key, kept)

    def resume(self, one: Remembered) -> None:
        """Remember what another process answered, in the order of ``__iter__``; as long as is allowed now."""
        now = self._clock.seconds()
        one.kept.until = min(one.kept.until, now + self._keep)
        table = self._tables.get(one.holder)
        if one.kept.until <= now or (table is not None and len(table) >= self._max_each):
            return
        if table is None:
            table = self._tables[one.holder] = Table(self, one.holder)
        self._remember(table, (one.path, one.key), one.kept)
        self._tidy(table)

    def _make_room(self) -> None:
        """Whoever holds most loses the older half, or its part of all room."""
        most = max(self._tables.values(), key=_held_by)
        dropped, enough = 0, min(most.held // 2, self._max_bytes // _MOST_AT_ONCE)
        while dropped <= enough:
            dropped += most.drop_oldest()
        self._held -= dropped
        self._tidy(most)

    def _tidy(self, table: Table) -> None:
        if not len(table):
            self._tables.pop(table.holder, None)

    def _forget_old(self, table: Table, now: float) -> int:
        """Returns: how many answers went."""
        before = len(table.kept)
        while table.kept and next(iter(table.kept.values())).until <= now:
            self._held -= table.drop_oldest()
        return before - len(table.kept)

    def _forget(self) -> None:
        """What those left behind who ask no more, some at a time. Again as long as anything is kept."""
        now = self._clock.seconds()
        wait = max(MOST_OFTEN, self._keep / 60)
        dropped = 0
        for table in list(self._tables.values()):
            dropped += self._forget_old(table, now)
            self._tidy(table)
            if dropped >= SLICE:
                wait = SOON
                break
        self._sweep = self._timers.at(now + wait, self._forget) if self._held else None


def cost(name: Name, kept: Kept) -> int:
    """Bytes that an answer takes."""
    return kept.size + len(name[0]) + len(name[1]) + OVERHEAD


def _held_by(table: Table) -> int:
    return table.held
