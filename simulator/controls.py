"""What may be done to a running town from outside, with arguments that come from anybody."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any, Protocol

from simulator.pace import MAX_SPEED
from simulator.source import Source

__all__ = ["Controls", "Invalid", "Running"]


class Invalid(ValueError):
    """An argument is wrong; the text says which, and how."""


class Running(Protocol):
    """What is paused, and has a speed."""

    is_paused: bool
    speed: float


class Controls:
    """Procedures by their names, each of which answers with the state.

    Those that the source does not know (a recording cannot be changed) are not among them.
    """

    def __init__(self, source: Source, running: Running, engine: str) -> None:
        self._source = source
        self._running = running
        self._engine = engine

    def names(self) -> list[str]:
        """All that can be called."""
        own = ["pause", "resume", "speed", "state"]
        return own + [
            name for name in ("set_demand", "set_light", "close_street") if hasattr(self._source, name)
        ]

    def call(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Do it. Returns: ``{paused, speed, time, engine}``. Raises: Invalid."""
        method: Callable[..., None] = getattr(self, f"_{name}")
        try:
            bound = inspect.signature(method).bind(*args, **kwargs)
        except TypeError as error:
            raise Invalid(f"{name}: {error}") from None
        try:
            method(*bound.args, **bound.kwargs)
        except ValueError as error:
            # The simulator's own words, which begin with what they are about.
            raise Invalid(str(error)) from None
        return self.state()

    def state(self) -> dict[str, Any]:
        """``paused``, ``speed`` (simulated seconds a second), ``time`` (simulated seconds), ``engine``."""
        return {
            "paused": self._running.is_paused,
            "speed": self._running.speed,
            "time": self._source.time,
            "engine": self._engine,
        }

    def _pause(self) -> None:
        self._running.is_paused = True

    def _resume(self) -> None:
        self._running.is_paused = False

    def _state(self) -> None:
        pass

    def _speed(self, x: Any) -> None:
        speed = _number("x", x)
        if not 0 < speed <= MAX_SPEED:
            raise Invalid(f"x: {speed:g} is not above 0 and at most {MAX_SPEED:g}")
        self._running.speed = speed

    def _set_demand(self, junction: Any, rate: Any) -> None:
        vehicles = None if rate is None else _number("rate", rate)
        self._do("set_demand", _text("junction", junction), vehicles)

    def _set_light(self, junction: Any, cycle: Any, offset: Any, greens: Any) -> None:
        if not isinstance(greens, dict):
            raise Invalid("greens: expected {street: [begin, seconds]}")
        pairs = {_text("greens", street): _pair(street, pair) for street, pair in greens.items()}
        plan = _number("cycle", cycle), _number("offset", offset)
        self._do("set_light", _text("junction", junction), *plan, pairs)

    def _close_street(self, id: Any, t0: Any = None, t1: Any = None) -> None:
        times = [None if time is None else _number(name, time) for name, time in (("t0", t0), ("t1", t1))]
        self._do("close_street", _text("id", id), *times)

    def _do(self, name: str, *args: Any) -> None:
        try:
            getattr(self._source, name)(*args)
        except KeyError as error:
            raise Invalid(f"{name}: there is no {error}") from None


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise Invalid(f"{name}: expected a text")
    return value


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Invalid(f"{name}: expected a number")
    # No float is as large as some integers.
    if abs(value) > 1e300 or not math.isfinite(value):
        raise Invalid(f"{name}: expected a finite number")
    return float(value)


def _pair(street: Any, pair: Any) -> tuple[float, float]:
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        raise Invalid(f"greens: of {street!r:.40}: expected [begin, seconds]")
    begin, seconds = pair
    return _number("greens", begin), _number("greens", seconds)
