"""``radiod.admin.usage.hour``: which keys and users use most in the hour that runs."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from radiod.admin.views import in_small_steps, largest, many
from radiod.core.access.grouping import COUNTS
from radiod.core.access.ledger import Ledger, Line
from radiod.core.procedures.family import Procedure
from radiod.core.promises import Promise
from radiod.core.sessions.session import Session
from radiod.core.slices import Slices

__all__ = ["HourView"]

Answer = dict[str, Any] | Promise[dict[str, Any]]


class HourView:
    """``procedures``: name -> parameters and handler. It reads memory: nothing is written or asked for."""

    def __init__(self, ledger: Ledger, slices: Slices) -> None:
        self._ledger = ledger
        self._slices = slices
        self.procedures: dict[str, Procedure] = {"radiod.admin.usage.hour": ({"limit": 20}, self.hour)}

    def hour(self, session: Session, *, limit: Any) -> Answer:
        """What each key, or user, used since the hour began, by how much → ``{hour, keys, total}``.

        ``hour``: its beginning, seconds since 1970; ``keys``: ``[{key, account, channels, …}]`` with all
        counts of usage, ``channels``: on how many; ``total``: how many keys there are. Cost: O(n) in the
        lines of the hour.
        """
        return self._slices.run(self._hour(many(limit)))

    def _hour(self, limit: int) -> Generator[None, None, dict[str, Any]]:
        sums: dict[tuple[str, str], dict[str, Any]] = {}

        def add(some: list[Line]) -> None:
            for line in some:
                told = sums.get((line.account, line.key))
                if told is None:
                    told = sums[line.account, line.key] = _empty(line)
                told["channels"] += 1 if line.channel else 0
                for name in COUNTS:
                    told[name] += getattr(line, name)

        lines = self._ledger.now()
        yield
        yield from in_small_steps(lines, add)
        found = yield from largest(list(sums.values()), limit, _use, lambda one: True)
        return {
            "hour": self._ledger.hour,
            "keys": [{**one, "seconds": round(one["seconds"], 3)} for one in found],
            "total": len(sums),
        }


def _empty(line: Line) -> dict[str, Any]:
    return {"key": line.key, "account": line.account, "channels": 0, **dict.fromkeys(COUNTS, 0)}


def _use(one: dict[str, Any]) -> tuple[int, float]:
    """Events and calls first; who has none, but is there, by how long."""
    events: int = one["published"] + one["delivered"] + one["calls"] + one["refused"]
    return events, one["seconds"]
