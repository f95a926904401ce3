"""From a channel into a file: each sample once, in order, and every gap mended or told."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext

from msgspec import structs

from radiod_client.command.past import Past
from radiod_client.recordings.recording import Recording
from radiod_client.recordings.records import record_of
from radiod_client.samples import Gap, Sample, between, numbered

__all__ = ["Recorder"]


class Recorder:
    """Writes what it is given behind what is in the recording already.

    Args:
        on_gap: told of each gap that goes into the file.
        hold: entered while something is written, and told with it: no signal comes between.
        most: so many are wanted; None for all.
        now: seconds since 1970.
    """

    def __init__(
        self,
        recording: Recording,
        past: Past,
        on_gap: Callable[[Gap, str | None], object],
        hold: Callable[[], AbstractContextManager[object]] = nullcontext,
        most: int | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._recording = recording
        self._past = past
        self._on_gap = on_gap
        self._hold = hold
        self._most = most
        self._now = now
        self._behind = recording.position
        self.count = 0
        """Samples that were written."""
        self.lost = 0
        """Samples that are missing, where a gap tells how many."""
        self.gaps = 0

    def catch_up(self, is_promised: bool = True) -> Iterator[None]:
        """Write what was published since the file's last sample, a page at a time.

        Afterwards ``position`` is where to listen.

        Args:
            is_promised: whether what is not kept any more is a gap.
        """
        if self._behind is None:
            return
        for samples, going_on in self._past.behind(self._behind, is_promised=is_promised):
            self.put(samples)
            self._behind = going_on
            yield

    @property
    def position(self) -> str | None:
        """Behind what was seen: samples for others are passed by without a word."""
        return self._behind

    def put(self, samples: list[Sample]) -> None:
        """Write these, with what can be found again in the past where some were dropped."""
        found: list[Sample] = []
        for sample in samples:
            if self._is_known(sample):
                continue
            if sample.gap is not None and sample.gap.reason in ("buffer", "queue"):
                found += self._mended(sample)
            else:
                found.append(sample)
            self._behind = sample.position or self._behind
        pending, self._past.pending = self._past.pending, None
        if pending is not None and found:
            found[0] = structs.replace(found[0], gap=pending.joined(found[0].gap))
        elif pending is not None:
            self._past.pending = pending
        if self._most is not None:
            del found[max(self._most - self.count, 0) :]
        with self._hold():
            self._write(found)

    @property
    def is_full(self) -> bool:
        """Whether as many as are wanted were written."""
        return self._most is not None and self.count >= self._most

    def _is_known(self, sample: Sample) -> bool:
        if self._behind is None or sample.position is None:
            return False
        (epoch, seq), (known, last) = numbered(sample.position), numbered(self._behind)
        return epoch == known and seq <= last

    def _mended(self, sample: Sample) -> list[Sample]:
        """What was dropped on its way, from the past, and the sample behind it."""
        if self._behind is None or sample.position is None:
            return [sample]
        epoch, seq = numbered(sample.position)
        if numbered(self._behind)[0] != epoch:
            return [sample]
        found: list[Sample] = []
        is_kept, gap = False, None
        for page, going_on in self._past.behind(self._behind):
            is_kept = True
            found += [each for each in page if _number(each) < seq]
            gap = next((each.gap for each in page if _number(each) >= seq and each.gap), gap)
            if numbered(going_on)[1] >= seq:
                break
        if not is_kept:
            return [sample]
        if gap is not None:
            # It begins behind what is missing.
            missing = between(found[-1].position if found else self._behind, sample.position)
            gap = None if missing == 0 else Gap(missing, "history")
        return [*found, structs.replace(sample, gap=gap)]

    def _write(self, samples: list[Sample]) -> None:
        now = self._now()
        self._recording.write([record_of(sample, now) for sample in samples])
        self.count += len(samples)
        for sample in samples:
            if sample.gap is not None:
                self.gaps += 1
                self.lost += sample.gap.lost or 0
                self._on_gap(sample.gap, sample.position)


def _number(sample: Sample) -> int:
    return numbered(sample.position or ":0")[1]
