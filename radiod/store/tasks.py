"""What the store's writer does besides writing: questions, a slice at a time, and copies.

One slice of one question, or one piece of a copy, then all that waits to be written, and so on: neither holds
up a publish for longer than a slice takes. Questions take turns with one another; copies come one by one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from twisted.logger import Logger

from radiod.store.database import Database
from radiod.store.opening import explain
from radiod.store.records import StoreError, StoreFull

__all__ = ["Copy", "Question", "Slices", "Tasks"]

MAX_TASKS: Final = 100

Done = Callable[[Exception | None], None]
Slices = Callable[[Database], Iterator[None]]


class Question:
    """Something to be read. ``done`` is called once, in the main thread."""

    __slots__ = ("done", "rest", "slices")

    def __init__(self, slices: Slices, done: Done) -> None:
        self.slices = slices
        self.done = done
        # What of it is still to be read, once it has begun.
        self.rest: Iterator[None] | None = None


class Copy:
    """A copy to be made. ``done``: as a question's; ``size``: its bytes, once it is made."""

    __slots__ = ("done", "path", "size")

    def __init__(self, path: str, done: Done) -> None:
        self.path = path
        self.done = done
        self.size = 0


Task = Question | Copy


class Tasks:
    """The tasks of one store, in order.

    Args:
        call_in_main: runs a function in the main thread, soon.
        log: of the store.
    """

    def __init__(self, call_in_main: Callable[[Callable[[], None]], None], log: Logger) -> None:
        self._call_in_main = call_in_main
        self._log = log
        # The main thread's: those that are not answered.
        self._open: dict[Task, None] = {}
        # Appended to in the one thread, taken from in the other.
        self._questions: deque[Question] = deque()
        self._copies: deque[Copy] = deque()
        self._ended: deque[tuple[Task, Exception | None]] = deque()

    def __bool__(self) -> bool:
        return bool(self._questions or self._copies)

    # --- The main thread

    def begin(self, task: Task) -> None:
        """Queue it; the writer is to be woken. Too many: it ends at once."""
        if len(self._open) >= MAX_TASKS:
            task.done(StoreFull("too much is asked of the store"))
            return
        self._open[task] = None
        if isinstance(task, Copy):
            self._copies.append(task)
        else:
            self._questions.append(task)

    def deliver(self) -> None:
        """Tell of those that ended."""
        while self._ended:
            task, error = self._ended.popleft()
            self._tell(task, error)

    def end(self) -> None:
        """Nothing more will be done: whoever waits is told so."""
        self.deliver()
        for task in list(self._open):
            self._tell(task, StoreError("the store is closed"))

    def _tell(self, task: Task, error: Exception | None) -> None:
        if task not in self._open:
            return
        del self._open[task]
        try:
            task.done(error)
        except Exception:
            self._log.failure("what waited for the store failed", event="failure")

    # --- The writer

    def read(self, database: Database) -> None:
        """One slice of the next question, if there is one."""
        if not self._questions:
            return
        question = self._questions.popleft()
        try:
            if question.rest is None:
                question.rest = question.slices(database)
            next(question.rest)
        except StopIteration:
            self._end(question, None)
        except Exception as error:
            self._end(question, error)
        else:
            self._questions.append(question)

    def copy(self, database: Database, pause: Callable[[], None]) -> None:
        """All of the next copy, if there is one; ``pause`` is called between its pieces."""
        if not self._copies:
            return
        copy = self._copies.popleft()
        try:
            copy.size = database.copy(copy.path, pause)
        except Exception as error:
            self._end(copy, error)
        else:
            self._end(copy, None)

    def _end(self, task: Task, error: Exception | None) -> None:
        if error is not None and not isinstance(error, StoreError):
            error = StoreError(explain(error))
            self._log.error("the store cannot answer: {error}", error=error, event="store_failed")
        self._ended.append((task, error))
        self._call_in_main(self.deliver)
