"""How many vehicles want to enter: a day of two rush hours, compressed as far as one likes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from simulator.errors import TownError, numbers
from simulator.looks import Floats
from simulator.turns import check_times

__all__ = ["Demand", "DemandTable", "Rates"]


FOR_EVER: Final = 1e12
"""Seconds at which what has no end ends: 30,000 years."""


class Rates(Protocol):
    """Any demand."""

    def rates(self, time: float) -> Floats:
        """(O,) vehicles/s at ``time`` (seconds)."""


class Demand:
    """Vehicles a second at each origin.

    Between ``low`` and ``high`` times the origin's own level, with two peaks a day; levels (``level``, one
    for all or each its own, times 0.6 to 1.4) and the time of the peaks vary from origin to origin (seeded).
    ``day`` is its seconds. Deterministic: the rate is a function of time. The default ``level`` jams some
    streets of a 10x10 grid at the peaks and lets it recover; a sixth more gridlocks it.
    Raises: TownError: a rate below nothing, or what is no number.
    """

    def __init__(
        self,
        origins: int,
        *,
        level: float | Floats = 0.22,
        low: float = 0.25,
        high: float = 1.0,
        day: float = 7200.0,
        seed: int = 0,
    ) -> None:
        if origins < 0:
            raise TownError(f"demand: {origins} origins")
        factors = {"low": low, "high": high}
        if isinstance(level, np.ndarray):
            level = numbers("demand: level", level, 0.0)
            if len(level) != origins:
                raise TownError(f"demand: {len(level)} levels for {origins} origins")
        else:
            factors["level"] = level
        for name, value in factors.items():
            if not 0 <= value < float("inf"):
                raise TownError(f"demand: {name} is {value:g}, not a finite number of at least 0")
        if not 0 < day < float("inf"):
            raise TownError(f"demand: day is {day:g}, not a finite number of seconds above 0")
        random = np.random.default_rng([seed, 1])
        self._level = level * random.uniform(0.6, 1.4, origins)
        self._phase = random.normal(0.0, 0.03, origins)
        self._low = low
        self._high = high
        self.day = day

    @classmethod
    def constant(cls, rates: Floats) -> Demand:
        """The same rates, vehicles/s, for ever: one for each origin. Raises: TownError: one cannot be."""
        level = numbers("demand: rates", rates, 0.0)
        demand = cls(len(level), low=1.0, high=1.0)
        demand._level = level
        return demand

    def __len__(self) -> int:
        """Origins."""
        return len(self._phase)

    def state(self) -> dict[str, Floats]:
        """All of it, as arrays; ``of`` makes the same one of them."""
        level = np.broadcast_to(np.asarray(self._level, float), self._phase.shape)
        return {"level": level, "phase": self._phase, "day": np.array([self._low, self._high, self.day])}

    @classmethod
    def of(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """What ``state`` was of. Raises: TownError: it is none. KeyError: something is missing."""
        level, phase = (numbers(f"demand: {name}", state[name]) for name in ("level", "phase"))
        if state["day"].shape != (3,) or len(level) != len(phase):
            raise TownError("demand: its parts do not fit together")
        low, high, day = state["day"].tolist()
        demand = cls(len(level), level=np.abs(level), low=low, high=high, day=day)
        demand._level, demand._phase = numbers("demand: level", level, 0.0), phase
        return demand

    def rates(self, time: float) -> Floats:
        """(O,) vehicles/s at ``time`` (seconds)."""
        return self._at(time)

    def rates_at(self, times: Floats) -> Floats:
        """(T, O) vehicles/s at (T,) ``times`` (seconds): those of ``rates``, bit for bit."""
        return self._at(times[:, None])

    def _at(self, time: float | Floats) -> Floats:
        wave = np.sin(2 * np.pi * (time / self.day + self._phase))
        # Two humps a day, the second one lower.
        rise = wave * wave * (0.85 - 0.15 * wave)
        return np.asarray(self._level * (self._low + (self._high - self._low) * rise))


class DemandTable:
    """Rates that hold from one time to another, as tables of demand have them.

    Args:
        origins: how many there are.
        rows: (origin, seconds it begins, seconds it ends, vehicles/s); rows of one origin add up.
        day: seconds after which the table begins again; inf: it ends.
    Raises: TownError: a number cannot be.
    """

    def __init__(
        self,
        origins: int,
        rows: Sequence[tuple[int, float, float, float]],
        *,
        day: float = float("inf"),
    ) -> None:
        if not day > 0:
            raise TownError(f"demand: day is {day:g}, not a number of seconds above 0")
        self._origins = origins
        self.day = day
        self._origin = np.array([row[0] for row in rows], np.intp)
        self._begin = numbers("demand: begin", [row[1] for row in rows])
        self._end = numbers("demand: end", [row[2] for row in rows])
        self._rate = numbers("demand: rate", [row[3] for row in rows], 0.0)
        if len(rows) and not 0 <= self._origin.min() <= self._origin.max() < origins:
            raise TownError(f"demand: a row of an origin that is none of {origins}")
        # Rates only change where a row begins or ends.
        self._changes = np.unique(np.concatenate([self._begin, self._end]))
        self._known: tuple[int, Floats] | None = None

    @classmethod
    def by_time(
        cls, times: Sequence[float], rates: Sequence[Sequence[float]] | Floats, day: float = float("inf")
    ) -> Self:
        """Rates of all origins by the time of day.

        Args:
            times: (H,) seconds, ascending: when each row begins; it holds until the next one does.
            rates: (H, O) vehicles/s; before the first row there is none, or the last row's if days repeat.
            day: seconds after which it begins again; inf: the last row holds for ever.
        Raises: TownError: times or rates cannot be.
        """
        begins = check_times("demand", times, day)
        each = [numbers("demand: rates", row, 0.0) for row in rates]
        if len(each) != len(begins):
            raise TownError(f"demand: {len(each)} rows of rates for {len(begins)} times")
        if len({len(row) for row in each}) > 1:
            raise TownError("demand: rates: not one for each origin in every row")
        table = np.array(each)
        last = day if day < float("inf") else FOR_EVER
        spans = list(zip(begins.tolist(), [*begins[1:].tolist(), last], table.tolist(), strict=True))
        if begins[0] > 0 and day < float("inf"):
            spans.append((0.0, float(begins[0]), table[-1].tolist()))
        rows = [
            (origin, begin, end, rate)
            for begin, end, row in spans
            for origin, rate in enumerate(row)
            if rate > 0
        ]
        return cls(table.shape[1], rows, day=day)

    def __len__(self) -> int:
        """Origins."""
        return self._origins

    def state(self) -> dict[str, NDArray[Any]]:
        """All of it, as arrays; ``of`` makes the same one of them."""
        return {
            **{"origin": self._origin, "begin": self._begin, "end": self._end, "rate": self._rate},
            "table": np.array([self._origins, self.day]),
        }

    @classmethod
    def of(cls, state: Mapping[str, NDArray[Any]]) -> Self:
        """What ``state`` was of. Raises: TownError: it is none. KeyError: something is missing."""
        columns = [state[name] for name in ("origin", "begin", "end", "rate")]
        if state["table"].shape != (2,) or len({column.shape for column in columns}) > 1:
            raise TownError("demand: its parts do not fit together")
        origins, day = state["table"].tolist()
        rows = list(zip(*(column.tolist() for column in columns), strict=True))
        return cls(int(origins), rows, day=day)

    def rates(self, time: float) -> Floats:
        """(O,) vehicles/s at ``time`` (seconds)."""
        if self.day < float("inf"):
            time %= self.day
        between = int(np.searchsorted(self._changes, time, side="right"))
        if self._known is None or self._known[0] != between:
            holds = (self._begin <= time) & (time < self._end)
            rates = np.bincount(self._origin[holds], self._rate[holds], self._origins).astype(float)
            self._known = between, rates
        return self._known[1]
