"""Streets that are closed or narrowed for a time, and where those turn who would have gone there.

A closed street takes nobody in; who is on it drives on and leaves. Who would turn into it turns elsewhere, in
the ratios of what is left, or waits: where nothing is left, and where the closure says so. A narrowed street
has a share of its capacity at both ends; with a share of 0 nobody enters it, and nobody leaves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from simulator.errors import TownError
from simulator.network import Floats, Town
from simulator.street import within
from simulator.timeline import MAX_PIECES, Timeline

__all__ = ["Incidents", "Limited"]

LATEST = 1e9
"""Seconds: no incident begins later."""

KINDS: Mapping[str, float] = {"open": 1.0, "through": 1.0, "share": 1.0}
"""Timeline -> its usual value: whether the street takes vehicles in; whether signs lead through it; share of
its capacity."""


class Limited(Protocol):
    """What incidents limit of an engine."""

    capacity: Floats
    intake: Floats

    def turn(self, ratio: Floats) -> None: ...


class Incidents:
    """What is closed and narrowed in a town, and when."""

    def __init__(self, town: Town) -> None:
        self._town = town
        self._at = {id: number for number, id in enumerate(town.street_ids)}
        self._lines: dict[str, dict[int, Timeline]] = {kind: {} for kind in KINDS}
        # Nothing changes before; minus infinity: something was said since the last step.
        self._due = float("inf")
        self._base = town.ratio
        self._turned: Floats | None = town.ratio

    def close(
        self,
        id: str,
        now: float,
        begin: float | None = None,
        end: float | None = None,
        *,
        detour: bool = True,
        is_closed: bool = True,
    ) -> None:
        """Close a street from ``begin`` (default: ``now``) to ``end`` (default: for ever), or open it.

        Args: detour: whether those who would have turned into it turn elsewhere, where they can.
        Raises: TownError: no such street, or the times are none.
        """
        at, begin, end = self._when(id, now, begin, end)
        value = 0.0 if is_closed else 1.0
        self._lay("open", at, begin, end, value)
        self._lay("through", at, begin, end, value if detour else 1.0)

    def narrow(
        self, id: str, share: float, now: float, begin: float | None = None, end: float | None = None
    ) -> None:
        """Leave a street a share of its capacity, 0 to 1. Raises: TownError: as ``close``; no such share."""
        at, begin, end = self._when(id, now, begin, end)
        self._lay("share", at, begin, end, within(f"street {id}: share of its capacity", share, 0.0, 1.0))

    def is_due(self, time: float, dt: float, base: Floats) -> bool:
        """Whether ``apply`` has something to do for the ``dt`` seconds from ``time`` on."""
        return time + dt > self._due or base is not self._base

    def apply(self, engine: Limited, time: float, dt: float, base: Floats) -> None:
        """Limit what passes in the ``dt`` seconds from ``time`` on; parts of a step count as parts.

        Args: base: (M,) turning ratios where nothing is closed.
        """
        town = self._town
        share = self._means("share", time, dt)
        engine.capacity = town.capacity * share
        engine.intake = engine.capacity * self._means("open", time, dt)
        self._base = base
        through = self._means("through", time, dt)
        turned = base if through.min(initial=1.0) == 1.0 else _detours(town, base, through)
        if turned is not self._turned:
            self._turned = turned
            engine.turn(turned)
        self._due = self._after(time, dt)

    def closed(self, time: float) -> list[str]:
        """The streets that are closed at ``time``, seconds, now or later; in order."""
        return [self._town.street_ids[at] for at in self._places("open", time)]

    def narrowed(self, time: float) -> dict[str, float]:
        """Street -> share of its capacity that is left at ``time``, seconds, now or later."""
        lines, ids = self._lines["share"], self._town.street_ids
        return {ids[at]: lines[at].mean(time, 1.0) for at in self._places("share", time)}

    def told(self, time: float) -> dict[str, list[Any]]:
        """What samples tell of ``time``: ``closed``, places of streets; ``narrowed``, pairs of a place and
        the share of the capacity that is left. Both only where there are any."""
        lines = self._lines["share"]
        narrowed = [[at, round(lines[at].mean(time, 1e-3), 3)] for at in self._places("share", time)]
        found: dict[str, list[Any]] = {"closed": self._places("open", time), "narrowed": narrowed}
        return {name: places for name, places in found.items() if places}

    def dump(self) -> dict[str, Any]:
        """All that was said, ready for JSON."""
        ids = self._town.street_ids
        return {
            kind: {ids[at]: line.dump() for at, line in sorted(lines.items())}
            for kind, lines in self._lines.items()
        }

    def restore(self, dumped: Mapping[str, Any]) -> None:
        """What ``dump`` returned. Raises: TownError: it is of another town, or none."""
        try:
            self._lines = {
                kind: {self._at[id]: Timeline.restored(usual, line) for id, line in dumped[kind].items()}
                for kind, usual in KINDS.items()
            }
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            raise TownError("incidents: not those of this town") from None
        # Whatever the engine has now, it is told anew.
        self._due, self._turned = float("-inf"), None

    def _when(self, id: str, now: float, begin: float | None, end: float | None) -> tuple[int, float, float]:
        """(street, seconds from, seconds to)."""
        if not isinstance(id, str) or id not in self._at:
            raise TownError(f"street {id}: there is none of that name")
        start = now if begin is None else within(f"street {id}: begin", begin, -LATEST, LATEST, "s")
        stop = float("inf") if end is None else within(f"street {id}: end", end, -LATEST, LATEST, "s")
        if not start < stop:
            raise TownError(f"street {id}: it would begin at {start:g} s, not before its end, {stop:g} s")
        if stop <= now:
            raise TownError(f"street {id}: it would end at {stop:g} s; it is {now:g} s already")
        return self._at[id], max(start, now), stop

    def _lay(self, kind: str, at: int, begin: float, end: float, value: float) -> None:
        line = self._lines[kind].setdefault(at, Timeline(KINDS[kind]))
        try:
            line.lay(begin, end, value)
        except OverflowError:
            raise TownError(
                f"street {self._town.street_ids[at]}: more than {MAX_PIECES} changes ahead"
            ) from None
        self._due = float("-inf")

    def _means(self, kind: str, time: float, dt: float) -> Floats:
        """(S,) means over the step."""
        means = np.full(len(self._town.street_ids), KINDS[kind])
        for at, line in self._lines[kind].items():
            means[at] = line.mean(time, dt)
        return means

    def _after(self, time: float, dt: float) -> float:
        """When ``apply`` is due again: the next change, or the end of this step if it has one. What is over
        is forgotten."""
        due = float("inf")
        for kind, lines in self._lines.items():
            for line in lines.values():
                due = min(due, line.next_change(time))
                line.forget(time)
            self._lines[kind] = {at: line for at, line in lines.items() if not line.is_usual}
        return max(due, time + dt) if due < time + dt else due

    def _places(self, kind: str, time: float) -> list[int]:
        """The streets, in order, for which a timeline has less than its usual value."""
        lines = self._lines[kind]
        return [at for at in sorted(lines) if lines[at].mean(time, 1e-3) < KINDS[kind]]


def _detours(town: Town, base: Floats, through: Floats) -> Floats:
    """(M,) turning ratios, where some streets are led past: in the ratios of those that are not."""
    feeders = len(town.priority)
    lost = np.bincount(town.movement_from, base * (1.0 - through[town.movement_to]), feeders)
    stays = np.where(through[town.movement_to] == 1.0, base, 0.0)
    left = np.bincount(town.movement_from, stays, feeders)
    has_other = (left > 0)[town.movement_from]
    factor = (lost / np.where(left > 0, left, 1.0))[town.movement_from]
    return np.where(has_other, base * through[town.movement_to] + stays * factor, base)
