"""A bounded queue of samples between the network and a listener, for one thread or two."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from msgspec import structs

from radiod_client.samples import Gap, Sample

__all__ = ["Inbox"]


class Inbox:
    """The newest ``limit`` samples: what is too old falls out, and the next one taken tells how many."""

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise ValueError("queue: at least 1")
        self._limit = limit
        self._samples: deque[Sample] = deque()
        self._lock = threading.Lock()
        self._wakes: list[Callable[[], None]] = []
        self._pending: Gap | None = None
        self._end: BaseException | None = None
        self.lost = 0
        """Samples that gaps told so far, where they told a number."""
        self._last: Sample | None = None

    def put(self, sample: Sample) -> None:
        """From the network: never waits."""
        with self._lock:
            if self._end is not None:
                return
            self._samples.append(sample)
            if len(self._samples) > self._limit:
                oldest = self._samples.popleft()
                dropped = Gap(1, "queue").joined(oldest.gap)
                self._pending = dropped.joined(self._pending)
            wakes = self._wakes
            if wakes:
                self._wakes = []
        for wake in wakes:
            wake()

    def end(self, error: BaseException) -> None:
        """Nothing more comes: what waits can be taken, and then ``error`` is raised."""
        with self._lock:
            self._end = self._end or error
            wakes, self._wakes = self._wakes, []
        for wake in wakes:
            wake()

    def forget(self, wake: Callable[[], None]) -> None:
        """Whoever waited with this has gone."""
        with self._lock:
            if wake in self._wakes:
                self._wakes.remove(wake)

    def take_or_none(self) -> Sample | None:
        """The oldest, if there is one, without a word about the end: the fast half of ``take``."""
        return self.take() if self._samples else None

    def take(self, wake: Callable[[], None] | None = None) -> Sample | None:
        """The oldest; or None, and ``wake`` is called once when there is one: ``forget`` it, if nobody waits.

        Of several who wait all are called, and the first has it. Raises: what ended it.
        """
        with self._lock:
            if not self._samples:
                if self._end is not None:
                    raise self._end
                if wake is not None:
                    self._wakes.append(wake)
                return None
            sample = self._samples.popleft()
            if self._pending is not None:
                sample = structs.replace(sample, gap=self._pending.joined(sample.gap))
                self._pending = None
        if sample.gap is not None:
            self.lost += sample.gap.lost or 0
        self._last = sample
        return sample

    @property
    def position(self) -> str | None:
        """Of the last one taken."""
        return None if self._last is None else self._last.position
