"""Arguments of controls, which come from anybody: what they are, or which one is wrong."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

from simulator.phases import MAX_PHASES

__all__ = ["Invalid", "flag", "lists", "number", "optional", "pair", "phases_in", "text", "texts"]

T = TypeVar("T")


class Invalid(ValueError):
    """An argument is wrong; the text says which, and how."""


def optional(read: Callable[[str, Any], T], name: str, value: Any) -> T | None:
    """None, or what ``read`` makes of it. Raises: Invalid."""
    return None if value is None else read(name, value)


def text(name: str, value: Any) -> str:
    """A text. Raises: Invalid: it is none."""
    if not isinstance(value, str):
        raise Invalid(f"{name}: expected a text")
    return value


def number(name: str, value: Any) -> float:
    """A finite number. Raises: Invalid: it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Invalid(f"{name}: expected a number")
    # No float is as large as some integers.
    if abs(value) > 1e300 or not math.isfinite(value):
        raise Invalid(f"{name}: expected a finite number")
    return float(value)


def flag(name: str, value: Any) -> bool:
    """True or false. Raises: Invalid: it is neither."""
    if not isinstance(value, bool):
        raise Invalid(f"{name}: expected true or false")
    return value


def texts(name: str, value: Any) -> list[str]:
    """A list of ids of streets. Raises: Invalid: it is none."""
    if not isinstance(value, list | tuple):
        raise Invalid(f"{name}: expected [street, …]")
    return [text(name, one) for one in value]


def lists(name: str, value: Any) -> list[list[str]]:
    """Lists of ids of streets. Raises: Invalid: they are none."""
    if not isinstance(value, list | tuple) or not all(isinstance(one, list | tuple) for one in value):
        raise Invalid(f"{name}: expected [[street, …], …]")
    return [texts(name, one) for one in value]


def pair(street: Any, times: Any) -> tuple[float, float]:
    """When a green begins and how long it lasts. Raises: Invalid: it is none."""
    if not isinstance(times, list | tuple) or len(times) != 2:
        raise Invalid(f"greens: of {street!r:.40}: expected [begin, seconds]")
    begin, seconds = times
    return number("greens", begin), number("greens", seconds)


def phases_in(value: Any) -> list[tuple[list[str], float]]:
    """Phases of a plan, each (streets, seconds of green). Raises: Invalid: they are none."""
    wrong = Invalid("phases: expected [[[street, …], seconds], …]")
    if not isinstance(value, list | tuple):
        raise wrong
    if len(value) > MAX_PHASES:
        raise Invalid(f"phases: at most {MAX_PHASES}")
    found = []
    for phase in value:
        if not isinstance(phase, list | tuple) or len(phase) != 2 or not isinstance(phase[0], list | tuple):
            raise wrong
        found.append((texts("phases", phase[0]), number("phases", phase[1])))
    return found
