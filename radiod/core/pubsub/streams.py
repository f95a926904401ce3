"""Runs of samples: what a publisher marks with ``_radiod_stream``, and listeners see as ``_stream``.

A run is named by its publisher's session, its topic and an id that the publisher chose. It begins with the
first sample of that name and ends with the one that says so; the next of the same name begins another run.
The router counts, so that listeners can tell a complete run from one with a gap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

from msgspec import Meta, Struct

from radiod.core.arguments import struct

if TYPE_CHECKING:
    from radiod.core.sessions.session import Session

__all__ = ["MAX_RUNS", "Runs", "Step", "step"]

MAX_RUNS: Final = 256
"""Runs of one session that are remembered: some publishers never say that one has ended."""


Runs = dict[tuple[str, str | int], int]
"""The open runs of one session, in order of their last sample: (topic, id) -> samples so far."""


class Mark(Struct, frozen=True):
    """What a publisher says about one sample: which run it belongs to, and whether it is the last of it."""

    id: Annotated[str, Meta(min_length=1, max_length=64)] | Annotated[int, Meta(ge=-(2**53), le=2**53)]
    end: bool = False


class Step:
    """One sample in its run, before it is published.

    ``place``: where it stands, as listeners see it: ``{id, counter, begin?, end?}``.
    """

    __slots__ = ("_key", "_runs", "is_end", "place")

    def __init__(self, runs: Runs, topic: str, mark: Mark) -> None:
        self._runs = runs
        self._key = (topic, mark.id)
        self.is_end = mark.end
        counter = runs.get(self._key, 0) + 1
        self.place: dict[str, Any] = {"id": mark.id, "counter": counter}
        if counter == 1:
            self.place["begin"] = True
        if mark.end:
            self.place["end"] = True

    def take(self) -> None:
        """The sample was published. The run that was silent longest makes room for a new one."""
        runs = self._runs
        runs.pop(self._key, None)
        if not self.is_end:
            runs[self._key] = self.place["counter"]
            if len(runs) > MAX_RUNS:
                del runs[next(iter(runs))]


def step(session: Session, topic: str, value: Any) -> Step:
    """The next sample of a run that ``session`` marks with ``value``; nothing is counted before ``take``.

    Raises: Refused: ``invalid_argument``: no mark.
    """
    mark = struct("_radiod_stream", value, Mark)
    if session.runs is None:
        session.runs = {}
    return Step(session.runs, topic, mark)
