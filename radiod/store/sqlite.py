"""The store as the reactor sees it: everything is queued, one thread writes it, and the caller hears of it.

The writer takes all that is queued, writes it in one transaction, and only when that is on disk are the
``done`` callbacks called, in order, in the main thread: as many events as arrive during one sync of the disk
share the next one. Before ``start`` the main thread may read; after it the database belongs to the writer.

A transaction that fails fails everything in it, by ``done``; the next is tried as if nothing had happened.
Only what was to go is tried again, alone at first: nobody else will ask for it, and it may make room.
An event whose ``done`` told an error is not stored, but for one case: the process dies before the next
success, and the disk had written the event nevertheless.

Figures: docs/performance.md, "Store".
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter
from typing import Any, Final, TypeVar

import msgspec
from twisted.logger import Logger

from radiod.core.access.records import Records
from radiod.core.histograms import Histogram
from radiod.store.database import Append, Cuts, Database, DeleteChannel, Request, SaveChannel
from radiod.store.keeping import AccessRequest, Probe
from radiod.store.opening import explain
from radiod.store.records import LostEvent, Position, StoredChannel, StoredEvent, StoreError, StoreFull
from radiod.store.tasks import Copy, Question, Slices, Tasks

__all__ = ["SqliteStore"]

MAX_WAITING: Final = 10_000
MAX_WAITING_BYTES: Final = 64 * 1024 * 1024
CLOSE_SECONDS: Final = 10.0
CUT_SECONDS: Final = 1.0
SHA256_BYTES: Final = 32

Done = Callable[[Exception | None], None]
T = TypeVar("T")


def _ignore(error: Exception | None) -> None:
    """Nobody waits for this; failures are in the log."""


class SqliteStore:
    """Durable channels and their history in one file.

    Every method is for the main thread. ``open``, then ``channels``, ``positions`` and ``recent``, then
    ``start``; what is asked for before ``start`` waits for it.

    Args:
        path: of the file; it is created if it is not there, readable for its owner only.
        call_in_main: runs a function in the main thread, soon: ``reactor.callFromThread``.
        max_waiting: how many requests may be unanswered.
        max_waiting_bytes: how many bytes they may hold, exceeded by one request at most.
        cut_seconds: histories are trimmed no more often than this.
    """

    log = Logger()

    def __init__(
        self,
        path: str,
        call_in_main: Callable[[Callable[[], None]], None],
        *,
        max_waiting: int = MAX_WAITING,
        max_waiting_bytes: int = MAX_WAITING_BYTES,
        cut_seconds: float = CUT_SECONDS,
    ) -> None:
        self._path = path
        self._call_in_main = call_in_main
        self._max_waiting = max_waiting
        self._max_waiting_bytes = max_waiting_bytes
        self._cut_seconds = cut_seconds
        self._database: Database | None = None
        self._thread: threading.Thread | None = None

        # The main thread's: callbacks and sizes of what is unanswered, in the order of asking.
        self._unanswered: deque[tuple[Done, int]] = deque()
        self._waiting_bytes = 0
        self._is_failing = False
        # Transactions that failed, and what those that did not took; these the writer counts.
        self.failures = 0
        self.commits = Histogram()

        # Shared, under the lock.
        self._changed = threading.Condition()
        self._queue: list[Request] = []
        self._cuts = Cuts()
        self._must_cut = False
        self._is_closing = False
        self._tasks = Tasks(call_in_main, self.log)

        # The writer's, for everybody to read: since when it is at one transaction, or at closing the file.
        self._busy_since: float | None = None

        # From the writer to the main thread: answers in the order of asking.
        self._answers: deque[Exception | None] = deque()

        # The writer's: deletions that failed, in order, the oldest out of ``max_waiting``.
        self._overdue: dict[DeleteChannel, None] = {}
        self._next_cut = 0.0

    def open(self) -> None:
        """Open the file, which is ours alone until ``close``.

        Raises: StoreError: it is locked, damaged, of another program or a newer radiod, or inaccessible.
        """
        self._database = Database(self._path)

    @property
    def notes(self) -> list[str]:
        """What the operator should know of the file that was opened, a line for each."""
        return [] if self._database is None else self._database.notes

    def channels(self) -> list[StoredChannel]:
        """The stored channels, also those that have expired since. Raises: StoreError: as ``open``."""
        return self._read(Database.channels)

    def positions(self) -> dict[tuple[str, str], Position]:
        """Realm and channel -> where its count goes on. Raises: StoreError: as ``open``."""
        return self._read(Database.positions)

    def records(self) -> Records:
        """What is kept of access. Raises: StoreError: as ``open``."""
        return self._read(lambda database: database.keeping.load())

    def recent(self, realm: str, channel: str, limit: int) -> list[StoredEvent | LostEvent]:
        """The last ``limit`` events of a channel, oldest first, those that are damaged included.

        Raises: StoreError: as ``open``.
        """
        return self._read(lambda database: database.recent(realm, channel, limit))

    def start(self) -> None:
        """Begin to write; from here on nothing can be read."""
        assert self._database is not None
        assert self._thread is None
        # A daemon: a disk that hangs shall not keep the process from ending.
        self._thread = threading.Thread(
            target=self._write_until_closed, args=(self._database,), name="store", daemon=True
        )
        self._thread.start()

    @property
    def is_full(self) -> bool:
        """Whether the next request would be refused."""
        return len(self._unanswered) >= self._max_waiting or self._waiting_bytes >= self._max_waiting_bytes

    @property
    def waiting(self) -> int:
        """How many requests are unanswered."""
        return len(self._unanswered)

    def counters(self) -> dict[str, int]:
        """What statistics tell of the store: requests that wait to be written, and their bytes."""
        return {"waiting": len(self._unanswered), "waiting_bytes": self._waiting_bytes}

    def busy(self) -> float:
        """For how many seconds the writer has been at what it does now; endless if it has died."""
        since = self._busy_since
        if self._thread is not None and not self._thread.is_alive() and not self._is_closing:
            return float("inf")
        return 0.0 if since is None else time.monotonic() - since

    def when_answered(self, done: Callable[[], None]) -> None:
        """Call ``done`` once everything that was asked for by now has been answered, which may be at once."""
        if not self._unanswered:
            done()
            return
        last, size = self._unanswered.pop()

        def both(error: Exception | None) -> None:
            try:
                last(error)
            finally:
                done()

        self._unanswered.append((both, size))

    def append(
        self,
        realm: str,
        channel: str,
        epoch: str,
        seq: int,
        time: float,
        publication: int,
        codec_name: str,
        args: bytes,
        kwargs: bytes,
        details_json: bytes,
        options_json: bytes,
        done: Done,
    ) -> None:
        """Keep one event (see ``StoredEvent``), and call ``done(None)`` once it is on disk.

        Another ``epoch`` than the channel's last begins its history anew. ``done`` is given ``StoreFull`` at
        once if too much waits, and ``StoreError`` if the event could not be written or is there already.
        """
        event = StoredEvent(
            epoch=epoch,
            seq=seq,
            time=time,
            publication=publication,
            codec_name=codec_name,
            args=args,
            kwargs=kwargs,
            details_json=details_json,
            options_json=options_json,
        )
        size = len(args) + len(kwargs) + len(details_json) + len(options_json)
        self._ask(Append(realm, channel, event), size, done)

    def save_channel(
        self,
        realm: str,
        name: str,
        settings: dict[str, Any],
        control_key_hash: bytes | None,
        expires: float | None,
        done: Done = _ignore,
    ) -> None:
        """Add a channel (see ``StoredChannel``), or replace what is stored of it. ``done``: as ``append``."""
        if control_key_hash is not None and len(control_key_hash) != SHA256_BYTES:
            raise ValueError("a control key is stored as its SHA-256 only")
        encoded = msgspec.json.encode(settings).decode()
        self._ask(SaveChannel(realm, name, encoded, control_key_hash, expires), len(encoded), done)

    def delete_channel(self, realm: str, name: str, done: Done = _ignore) -> None:
        """Forget a channel, its history and its position.

        ``done``: as ``append``, but what could not be written is tried again; and though too much waits for
        anything else, there is room for as many requests of this kind: a channel must not come back.
        """
        self._ask(DeleteChannel(realm, name), 0, done, is_full=len(self._unanswered) >= 2 * self._max_waiting)

    def trim(self, realm: str, channel: str, epoch: str, first_seq: int) -> None:
        """Let events of that epoch before ``first_seq`` go, with some later transaction.

        Cheap: this alone wakes nobody, and however often it is called, ``cut_seconds`` passes between two
        deletions. ``close`` and ``expire`` do not leave it undone.
        """
        with self._changed:
            self._cuts.firsts[realm, channel, epoch] = first_seq

    def expire(self, realm: str, channel: str, before: float) -> None:
        """Let the oldest events go up to the first from ``before`` (seconds since 1970) or later, soon."""
        with self._changed:
            self._cuts.befores[realm, channel] = before
            self._must_cut = True
            self._changed.notify()

    def ask(self, request: AccessRequest, size: int, done: Done = _ignore) -> None:
        """Have something of access written; ``size``: its bytes, about. ``done``: as ``append``."""
        self._ask(request, size, done)

    def probe(self, done: Done) -> None:
        """Find out whether it writes: a few bytes are written that mean nothing. ``done``: as ``append``."""
        self._ask(Probe(), 0, done)

    def read(self, slices: Slices, done: Done) -> None:
        """Read in the writer's thread, slice by slice, behind all that was asked for by now.

        ``done`` is called when there are no more slices; what waits to be written is written between them.
        """
        self._begin(Question(slices, done))

    def copy(self, path: str, done: Callable[[int | Exception], None]) -> None:
        """Copy the store into a new file, whatever is written meanwhile; ``done`` is given its bytes.

        Or an error; ``FileError``: the file is there already, or cannot be made.
        """
        copy = Copy(path, lambda error: done(copy.size if error is None else error))
        self._begin(copy)

    def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Write all that waits, and let go of the file. Every ``done`` has been called when this returns.

        Raises: StoreError: the writer did not finish in ``seconds``; who still waited was told an error,
            though their requests may be carried out yet.
        """
        if self._database is None:
            return
        if self._thread is None:
            self.start()
        assert self._thread is not None
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join(seconds)
        # Answers may be on their way already, but the reactor need not run any more.
        self._deliver()
        self._answers.extend([StoreError("the store did not finish in time")] * len(self._unanswered))
        self._deliver()
        self._tasks.end()
        if self._thread.is_alive():
            raise StoreError(f"store {self._path}: not closed in {seconds:g} seconds")
        self._database = None

    def _read(self, read: Callable[[Database], T]) -> T:
        assert self._database is not None
        assert self._thread is None
        try:
            return read(self._database)
        except (sqlite3.Error, msgspec.MsgspecError) as error:
            raise StoreError(f"store {self._path}: {explain(error)}") from error

    def _begin(self, task: Question | Copy) -> None:
        if self._is_closing:
            task.done(StoreError("the store is closed"))
            return
        with self._changed:
            self._tasks.begin(task)
            self._changed.notify()

    def _ask(self, request: Request, size: int, done: Done, *, is_full: bool | None = None) -> None:
        if self._is_closing:
            done(StoreError("the store is closed"))
            return
        if self.is_full if is_full is None else is_full:
            done(StoreFull("too much waits to be stored"))
            return
        self._unanswered.append((done, size))
        self._waiting_bytes += size
        with self._changed:
            self._queue.append(request)
            self._changed.notify()

    def _deliver(self) -> None:
        """Pass on the answers that came; in the main thread."""
        while self._answers and self._unanswered:
            error = self._answers.popleft()
            done, size = self._unanswered.popleft()
            self._waiting_bytes -= size
            try:
                done(error)
            except Exception:
                self.log.failure("what waited for the store failed")

    def _after_transaction(self, failure: Exception | None) -> None:
        if failure is not None and not self._is_failing:
            self.log.error("store {path}: cannot write: {error}", path=self._path, error=failure)
        elif failure is None and self._is_failing:
            self.log.info("store {path}: writes again", path=self._path)
        self._is_failing = failure is not None
        self.failures += self._is_failing
        self._deliver()

    def _write_until_closed(self, database: Database) -> None:
        """The writer thread."""
        while not self._turn(database):
            self._tasks.copy(database, partial(self._pause, database))
            with self._changed:
                while not (self._queue or self._must_cut or self._is_closing or self._tasks):
                    self._changed.wait()
        try:
            database.close()
        except sqlite3.Error as error:
            self._call_in_main(partial(self._after_transaction, StoreError(explain(error))))

    def _pause(self, database: Database) -> None:
        """Between two pieces of a copy. Raises: StoreError: there is no time for more."""
        if self._turn(database):
            raise StoreError("the store is closed")

    def _turn(self, database: Database) -> bool:
        """Write all that waits, and read a little. Returns: whether there is nothing more to do, ever."""
        with self._changed:
            # Nothing is queued once this is true.
            is_closing = self._is_closing
            requests, self._queue = self._queue, []
            cuts = Cuts()
            if self._must_cut or is_closing or time.monotonic() >= self._next_cut:
                cuts = self._take_cuts()
                self._next_cut = time.monotonic() + self._cut_seconds
        self._busy_since = time.monotonic()
        if requests or cuts or (is_closing and self._overdue):
            self._write(database, requests, cuts)
        self._tasks.read(database)
        self._busy_since = None
        return is_closing

    def _take_cuts(self) -> Cuts:
        """All that is to be cut; under the lock."""
        cuts, self._cuts = self._cuts, Cuts()
        self._must_cut = False
        return cuts

    def _write(self, database: Database, requests: Sequence[Request], cuts: Cuts) -> None:
        failure: Exception | None = None
        overdue = list(self._overdue)
        began = perf_counter()
        try:
            errors = database.write([*overdue, *requests], cuts)
            self.commits.observe(perf_counter() - began)
            self._overdue.clear()
            self._answers.extend(
                errors.get(index) for index in range(len(overdue), len(overdue) + len(requests))
            )
        except Exception as error:
            failure = StoreError(f"not stored: {explain(error)}")
            self._answers.extend([failure] * len(requests))
            self._postpone(requests)
            self._clear_alone(database, cuts)
        self._call_in_main(partial(self._after_transaction, failure))

    def _postpone(self, requests: Sequence[Request]) -> None:
        """Keep the deletions among requests that failed: whatever was asked for behind them failed too."""
        self._overdue.update((request, None) for request in requests if isinstance(request, DeleteChannel))
        while len(self._overdue) > self._max_waiting:
            del self._overdue[next(iter(self._overdue))]

    def _clear_alone(self, database: Database, cuts: Cuts) -> None:
        """Perhaps a full disk is why the transaction failed, and this makes room."""
        with self._changed:
            all_cuts = self._take_cuts()
        all_cuts.add_older(cuts)
        if not (all_cuts or self._overdue):
            return
        try:
            database.write(list(self._overdue), all_cuts)
            self._overdue.clear()
        except Exception:
            with self._changed:
                self._cuts.add_older(all_cuts)
