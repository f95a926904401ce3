"""Arguments of the router's own procedures: matching them with parameters, and checking their kinds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec

from radiod.core.ids import MAX_ID
from radiod.errors import INVALID_ARGUMENT, Refused
from radiod.wire.lenient import mend_options

__all__ = [
    "REQUIRED",
    "Signature",
    "a_list",
    "bind",
    "dictionary",
    "identifier",
    "optional",
    "struct",
    "text",
    "whole",
]

REQUIRED: Final = object()
"""The default of a parameter that must be given."""

Signature = dict[str, Any]
"""Parameters of a procedure in order: name -> default."""

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)


def bind(signature: Signature, args: list[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Match arguments with parameters as a Python call does. Raises: Refused: ``invalid_argument``."""
    names = list(signature)
    if len(args) > len(names):
        raise Refused(INVALID_ARGUMENT, f"at most {len(names)} arguments, not {len(args)}")
    given = dict(zip(names, args, strict=False))
    for name, value in kwargs.items():
        if name not in signature:
            raise Refused(INVALID_ARGUMENT, f"no parameter {name[:64]!r}; there are {', '.join(names)}")
        if name in given:
            raise Refused(INVALID_ARGUMENT, f"{name} was given twice")
        given[name] = value
    bound = {**signature, **given}
    for name, value in bound.items():
        if value is REQUIRED:
            raise Refused(INVALID_ARGUMENT, f"{name} is missing")
    return bound


def text(name: str, value: Any) -> str:
    """A string. Raises: Refused: ``invalid_argument``, as all of these."""
    if not isinstance(value, str):
        raise Refused(INVALID_ARGUMENT, f"{name} must be a string")
    return value


def identifier(name: str, value: Any) -> int:
    """A WAMP id; a whole float will do, since some clients write large numbers so."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_ID:
        raise Refused(INVALID_ARGUMENT, f"{name} must be an id, an integer from 1 to 2**53")
    return value


def whole(name: str, value: Any, least: int, most: int) -> int:
    """A whole number within bounds."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise Refused(INVALID_ARGUMENT, f"{name} must be an integer from {least} to {most}")
    return value


def a_list(name: str, value: Any) -> list[Any]:
    """A list."""
    if not isinstance(value, list):
        raise Refused(INVALID_ARGUMENT, f"{name} must be a list")
    return value


def dictionary(name: str, value: Any) -> dict[str, Any]:
    """A dictionary with strings for keys."""
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise Refused(INVALID_ARGUMENT, f"{name} must be a dictionary with strings for keys")
    return value


def struct(name: str, value: Any, kind: type[S]) -> S:
    """A dictionary of options, as lenient as where messages have them; None: the defaults."""
    given = {} if value is None else value
    try:
        return msgspec.convert(mend_options(given) if isinstance(given, dict) else given, kind)
    except msgspec.ValidationError as error:
        # It may quote what was given.
        raise Refused(INVALID_ARGUMENT, f"{name}: {str(error)[:200]!r}") from None


def optional(check: Callable[[str, Any], T], name: str, value: Any) -> T | None:
    """None, or what ``check`` makes of the value."""
    return None if value is None else check(name, value)
