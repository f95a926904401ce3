"""What may be done to a running town from outside, with arguments that come from anybody."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Protocol

from simulator.arguments import Invalid, flag, lists, number, optional, pair, phases_in, text, texts
from simulator.pace import MAX_SPEED
from simulator.reactive import RULES, TIMES, Rule
from simulator.source import Source

__all__ = ["Controls", "Invalid", "Running"]

OF_A_TOWN = (
    *("set_demand", "set_light", "set_phases", "set_reactive", "set_wave"),
    *("close_street", "open_street", "set_capacity", "light"),
)
"""Those that only a source has that computes."""


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
        return own + [name for name in OF_A_TOWN if hasattr(self._source, name)]

    def call(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Do it. Returns: ``{paused, speed, time, engine}``, and what else it tells. Raises: Invalid."""
        method: Callable[..., dict[str, Any] | None] = getattr(self, f"_{name}")
        try:
            bound = inspect.signature(method).bind(*args, **kwargs)
        except TypeError as error:
            raise Invalid(f"{name}: {error}") from None
        try:
            told = method(*bound.args, **bound.kwargs)
        except ValueError as error:
            # The simulator's own words, which begin with what they are about.
            raise Invalid(str(error)) from None
        return {**self.state(), **(told or {})}

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
        speed = number("x", x)
        if not 0 < speed <= MAX_SPEED:
            raise Invalid(f"x: {speed:g} is not above 0 and at most {MAX_SPEED:g}")
        self._running.speed = speed

    def _set_demand(self, junction: Any, rate: Any) -> None:
        self._do("set_demand", text("junction", junction), optional(number, "rate", rate))

    # Lights.

    def _set_light(self, junction: Any, cycle: Any, offset: Any, greens: Any) -> None:
        if not isinstance(greens, dict):
            raise Invalid("greens: expected {street: [begin, seconds]}")
        pairs = {text("greens", street): pair(street, times) for street, times in greens.items()}
        plan = number("cycle", cycle), number("offset", offset)
        self._do("set_light", text("junction", junction), *plan, pairs)

    def _set_phases(self, junction: Any, phases: Any, all_red: Any = 3.0, offset: Any = 0.0) -> None:
        times = number("all_red", all_red), number("offset", offset)
        self._do("set_phases", text("junction", junction), phases_in(phases), *times)

    def _set_reactive(
        self,
        junction: Any,
        kind: Any,
        min_green: Any = None,
        max_green: Any = None,
        all_red: Any = None,
        phases: Any = None,
    ) -> dict[str, Any]:
        junctions = None if junction is None else [text("junction", junction)]
        said = dict(zip(TIMES, (min_green, max_green, all_red), strict=True))
        rule = _rule(text("kind", kind), {key: value for key, value in said.items() if value is not None})
        if rule is None and phases is not None:
            raise Invalid("kind: plan has no phases")
        groups = optional(lists, "phases", phases)
        return {"lights": self._do("set_reactive", rule, junctions, groups)}

    def _set_wave(self, streets: Any, cycle: Any = None, both_ways: Any = False) -> dict[str, Any]:
        along, seconds = texts("streets", streets), optional(number, "cycle", cycle)
        return {"band": self._do("set_wave", along, seconds, flag("both_ways", both_ways))}

    def _light(self, junction: Any) -> dict[str, Any]:
        return {"light": self._do("light", text("junction", junction))}

    # Streets.

    def _close_street(self, id: Any, t0: Any = None, t1: Any = None, detour: Any = True) -> None:
        self._do("close_street", text("id", id), *_times(t0, t1), detour=flag("detour", detour))

    def _open_street(self, id: Any, t0: Any = None, t1: Any = None) -> None:
        self._do("open_street", text("id", id), *_times(t0, t1))

    def _set_capacity(self, id: Any, share: Any, t0: Any = None, t1: Any = None) -> None:
        self._do("set_capacity", text("id", id), number("share", share), *_times(t0, t1))

    def _do(self, name: str, *args: Any, **kwargs: Any) -> Any:
        try:
            return getattr(self._source, name)(*args, **kwargs)
        except KeyError as error:
            raise Invalid(f"{name}: there is no {error}") from None


def _times(t0: Any, t1: Any) -> list[float | None]:
    """From and until, where they are said."""
    return [optional(number, name, time) for name, time in (("t0", t0), ("t1", t1))]


def _rule(kind: str, times: dict[str, Any]) -> Rule | None:
    """How a light is to react; None: by its plan. Raises: Invalid; TownError: its times cannot be."""
    if kind == "plan":
        for name in times:
            raise Invalid(f"kind: plan has no {name}")
        return None
    if kind not in RULES:
        raise Invalid(f"kind: there is no {kind!r:.40}; there are {', '.join(RULES)}, plan")
    return RULES[kind](**{name: number(name, value) for name, value in times.items()})
