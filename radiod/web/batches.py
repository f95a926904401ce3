"""Many items in one request: what each comes to, in their order, and all items of an array.

One result is the answer that the item alone would have had, with its ``status`` among the members. Who asks
for the minimum (``Prefer: return=minimal``, RFC 7240) is told only what failed, with its ``index``, and at
the end how many there were.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from typing import Final

import msgspec
from twisted.logger import Logger

from radiod.core.promises import Promise
from radiod.core.slices import Slices
from radiod.errors import RadiodError
from radiod.web.answers import Request
from radiod.web.dialects import Later, Publisher
from radiod.wire.answer import Answer
from radiod.wire.answers import json_answer

__all__ = ["MINIMAL", "Batch", "Results", "items_of", "wants_minimum"]

log: Final = Logger()

_ITEMS: Final = msgspec.json.Decoder(list[msgspec.Raw])

MOST_WAITING: Final = 64
MOST_WAITING_BYTES: Final = 1 << 20
"""Of items that have no result yet: a channel on disk writes them together."""

MINIMAL: Final = ("Preference-Applied", "return=minimal")

ERROR: Final = b'{"error"'


def wants_minimum(request: Request) -> bool:
    """Whether only failures are to be told."""
    preferences = b",".join(request.head.all(b"prefer")).lower().split(b",")
    return any(one.partition(b";")[0].replace(b" ", b"") in _MINIMUM for one in preferences)


_MINIMUM: Final = (b"return=minimal", b'return="minimal"')


def items_of(body: bytes) -> list[bytes] | None:
    """The items of a JSON array; None: that is no array.

    Raises: ValueError, RecursionError: it begins like one, and is no JSON.
    """
    if body[:1] == b"{" or body.lstrip()[:1] != b"[":
        return None
    return [bytes(one) for one in _ITEMS.decode(body)]


class _Waiting:
    """An item that has no result yet, or waits behind one. ``size``: its bytes."""

    __slots__ = ("answer", "is_for_room", "size")

    def __init__(self, size: int, answer: Answer | None, *, is_for_room: bool) -> None:
        self.size = size
        self.answer = answer
        self.is_for_room = is_for_room


class Results:
    """What the items of one request came to, in their order.

    Args:
        write: takes results, each as JSON on one line without its end.
        is_minimal: only those of failures.
        on_known: told when one is known that had to be waited for.

    ``items``, ``failed``: how many there were so far.
    """

    __slots__ = ("_bytes", "_is_minimal", "_on_known", "_waiting", "_write", "failed", "items")

    def __init__(
        self, write: Callable[[bytes], object], is_minimal: bool, on_known: Callable[[], object]
    ) -> None:
        self._write = write
        self._is_minimal = is_minimal
        self._on_known = on_known
        self._waiting: deque[_Waiting] = deque()
        self._bytes = 0
        self.items = 0
        self.failed = 0

    @property
    def is_complete(self) -> bool:
        """Whether all results are known."""
        return not self._waiting

    @property
    def is_full(self) -> bool:
        """Whether no more items should be published for now."""
        waiting = self._waiting
        return bool(waiting) and (
            waiting[-1].is_for_room or len(waiting) >= MOST_WAITING or self._bytes >= MOST_WAITING_BYTES
        )

    def add(self, outcome: Answer | Later, size: int) -> None:
        """The next item, of ``size`` bytes, came to this."""
        if isinstance(outcome, Later):
            waiting = self._wait(size, None, is_for_room=outcome.is_for_room)
            outcome.answer.then(lambda answer: self._known(waiting, answer))
        elif self._waiting:
            self._wait(size, outcome, is_for_room=self._waiting[-1].is_for_room)
        else:
            self._tell(outcome)

    def summary(self) -> bytes:
        """How many there were, and how many of them failed."""
        return b'{"items":%d,"failed":%d}' % (self.items, self.failed)

    def _wait(self, size: int, answer: Answer | None, *, is_for_room: bool) -> _Waiting:
        waiting = _Waiting(size, answer, is_for_room=is_for_room)
        self._waiting.append(waiting)
        self._bytes += size
        return waiting

    def _known(self, known: _Waiting, answer: Answer | RadiodError) -> None:
        assert isinstance(answer, Answer)
        known.answer = answer
        waiting = self._waiting
        while waiting and waiting[0].answer is not None:
            first = waiting.popleft()
            self._bytes -= first.size
            assert first.answer is not None
            self._tell(first.answer)
        self._on_known()

    def _tell(self, answer: Answer) -> None:
        content = answer.content
        # Crossbar's dialect tells failures with status 200, too.
        has_failed = answer.status != 200 or content.startswith(ERROR)
        self.failed += has_failed
        if not self._is_minimal:
            self._write(b'{"status":%d,%b' % (answer.status, content[1:]))
        elif has_failed:
            self._write(b'{"index":%d,"status":%d,%b' % (self.items, answer.status, content[1:]))
        self.items += 1


class Batch:
    """The items of one array, published in their order, a slice of each turn at a time.

    ``answer``: an array of their results.
    """

    __slots__ = (
        "_at",
        "_is_minimal",
        "_is_working",
        "_items",
        "_publisher",
        "_results",
        "_slices",
        "_told",
        "answer",
    )

    def __init__(self, slices: Slices, publisher: Publisher, items: list[bytes], is_minimal: bool) -> None:
        self.answer: Promise[Answer] = Promise()
        self._slices = slices
        self._publisher = publisher
        self._items = items
        self._at = 0
        self._is_minimal = is_minimal
        self._told: list[bytes] = []
        self._results = Results(self._told.append, is_minimal, self.go_on)
        self._is_working = False

    def go_on(self) -> None:
        """Publish what may be published now, unless that is being done."""
        if self._is_working:
            return
        self._is_working = True
        outcome: object = self._slices.run(self._work())
        if isinstance(outcome, Promise):
            outcome.then(self._failed)

    def _work(self) -> Generator[None, None, None]:
        results, items = self._results, self._items
        while self._at < len(items) and not results.is_full:
            item = items[self._at]
            self._at += 1
            publisher = self._publisher
            results.add(publisher.refuse() or publisher.publish(item), len(item))
            yield
        self._is_working = False
        if self._at == len(items) and results.is_complete:
            self.answer.settle(self._whole())

    def _whole(self) -> Answer:
        if self._is_minimal:
            self._told.append(self._results.summary())
        fields = (MINIMAL,) if self._is_minimal else ()
        return Answer(200, b"[%b]" % b",".join(self._told), fields=fields)

    def _failed(self, outcome: object) -> None:
        """The log has what went wrong."""
        if isinstance(outcome, RadiodError):
            self.answer.settle(json_answer(500, {"error": "internal error"}))
