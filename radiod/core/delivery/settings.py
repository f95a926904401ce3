"""How one listener wants its events: buffer settings, checked in one place wherever they come from.

They come from a SUBSCRIBE option, a procedure, a channel's default or a query string.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, Literal, get_args

from msgspec import Struct, structs

from radiod.errors import INVALID_ARGUMENT, Refused

__all__ = ["DEFAULTS", "MAX_SIZE", "POLICIES", "BufferSettings", "Policy", "from_query", "settings_from"]

MAX_SIZE: Final = 100_000
"""Events that any buffer holds, also where its ``size`` is 0."""

MAX_EVERY: Final = 2**53
MAX_INTERVAL: Final = 86_400.0
MAX_WEIGHT: Final = 100

Policy = Literal["ring", "skip", "clear", "wait", "raise"]
POLICIES: Final[tuple[Policy, ...]] = get_args(Policy)


class BufferSettings(Struct, frozen=True, kw_only=True):
    """How one listener wants its events.

    ``size`` in events, 0 for as many as ``max_bytes`` holds; ``policy`` when that is full; ``every``: one of
    so many is delivered; ``min_interval`` in seconds between deliveries; ``latest``: only the newest waits;
    ``weight``: its share of the connection beside the session's other listeners; ``max_bytes`` of payload.
    """

    size: int = 100
    policy: Policy = "ring"
    every: int = 1
    min_interval: float = 0.0
    latest: bool = False
    weight: int = 1
    max_bytes: int = 1 << 20

    @property
    def is_paced(self) -> bool:
        """True when the listener cannot simply be given every event at once."""
        return self.every > 1 or self.min_interval > 0 or self.latest or self.holds_publishers

    @property
    def holds_publishers(self) -> bool:
        """True when publishers learn of it that the buffer is full."""
        return self.policy in ("wait", "raise")


DEFAULTS: Final = BufferSettings()
FIELDS: Final = BufferSettings.__struct_fields__


def settings_from(given: Any, defaults: BufferSettings, max_bytes: int) -> BufferSettings:
    """``defaults`` with what is ``given``, a dictionary, in their place.

    Args:
        max_bytes: the server's bound for the setting of that name.
    Raises: Refused: ``invalid_argument``, naming the setting that is wrong.
    """
    if not isinstance(given, dict):
        raise Refused(INVALID_ARGUMENT, "buffer must be a dictionary")
    checked: dict[str, Any] = {}
    for name, value in given.items():
        if name not in FIELDS:
            raise Refused(INVALID_ARGUMENT, f"buffer has no {str(name)[:64]!r}; it has {', '.join(FIELDS)}")
        checked[name] = _CHECKS[name](name, value, max_bytes)
    return structs.replace(defaults, **checked) if checked else defaults


def from_query(parameters: Mapping[str, str]) -> dict[str, Any]:
    """The settings among a query string's parameters, for ``settings_from``; others are left out.

    What cannot be read stays the text it is: ``settings_from`` says what it must be.
    """
    given: dict[str, Any] = {}
    for name in FIELDS:
        if name in parameters:
            given[name] = text = parameters[name]
            with suppress(ValueError, KeyError):
                given[name] = _READERS[name](text)
    return given


def _integer(least: int, most: int | None) -> Callable[[str, Any, int], int]:
    def check(name: str, value: Any, max_bytes: int) -> int:
        bound = max_bytes if most is None else most
        if isinstance(value, float) and value.is_integer():
            # Some clients have no other numbers.
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= bound:
            raise Refused(INVALID_ARGUMENT, f"{name} must be an integer from {least} to {bound}")
        return value

    return check


def _interval(name: str, value: Any, max_bytes: int) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # Compared, never converted: NaN fails every comparison, and an integer may be too large for a float.
    if not is_number or not 0 <= value <= MAX_INTERVAL:
        raise Refused(INVALID_ARGUMENT, f"{name} must be a number of seconds from 0 to {MAX_INTERVAL:.0f}")
    return float(value)


def _policy(name: str, value: Any, max_bytes: int) -> str:
    if not isinstance(value, str) or value not in POLICIES:
        raise Refused(INVALID_ARGUMENT, f"{name} must be one of {', '.join(POLICIES)}")
    return value


def _flag(name: str, value: Any, max_bytes: int) -> bool:
    if not isinstance(value, bool):
        raise Refused(INVALID_ARGUMENT, f"{name} must be true or false")
    return value


_CHECKS: Final[dict[str, Callable[[str, Any, int], Any]]] = {
    "size": _integer(0, MAX_SIZE),
    "policy": _policy,
    "every": _integer(1, MAX_EVERY),
    "min_interval": _interval,
    "latest": _flag,
    "weight": _integer(1, MAX_WEIGHT),
    "max_bytes": _integer(1, None),
}
_READERS: Final[dict[str, Callable[[str], Any]]] = {
    "size": int,
    "policy": str,
    "every": int,
    "min_interval": float,
    "latest": {"true": True, "1": True, "false": False, "0": False}.__getitem__,
    "weight": int,
    "max_bytes": int,
}
