"""Endpoint descriptions as text: their pieces, and arguments that are checked before anything is opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

__all__ = [
    "EndpointError",
    "arguments",
    "count",
    "index",
    "kind_of",
    "one_of",
    "permissions",
    "port_number",
    "text",
]

ESCAPE: Final = "\\"
MAX_PORT: Final = 65_535
MAX_COUNT: Final = 1 << 31


class EndpointError(Exception):
    """An endpoint cannot be used; the message is one line that does not repeat the description."""


Check = Callable[[str], Any]
"""Turns an argument's text into its value. Raises: ValueError: what was expected."""


def kind_of(description: str) -> tuple[str, str]:
    """The kind of an endpoint in lower case, and the rest of its description.

    Raises: EndpointError: it has no kind.
    """
    kind, _, rest = description.partition(":")
    if not kind:
        raise EndpointError("it must begin with its kind, as tcp:8080 does")
    return kind.lower(), rest


def arguments(rest: str, checks: Mapping[str, Check], required: int = 1) -> dict[str, Any]:
    """The values of an endpoint's arguments, by name.

    Args:
        rest: the description behind its kind. A colon ends an argument, the first ``=`` its name, and a
            backslash takes the next character as it is. Arguments without a name come in the order of
            ``checks``.
        checks: name -> how to read it, for each that there may be.
        required: how many of them, from the first on, must be given.
    Raises: EndpointError.
    """
    names = list(checks)
    given: dict[str, str] = {}
    for position, (name, value) in enumerate(_pieces(rest) if rest else ()):
        if name is None and position >= len(names):
            raise EndpointError(f"{value!r} is one argument too many; there are {', '.join(names)}")
        name = names[position] if name is None else name
        if name not in checks:
            raise EndpointError(f"unknown argument {name!r}; there are {', '.join(names)}")
        if name in given:
            raise EndpointError(f"{name} is given twice")
        given[name] = value
    for name in names[:required]:
        if not given.get(name):
            raise EndpointError(f"{name} is missing")
    return {name: _checked(name, value, checks[name]) for name, value in given.items()}


def _checked(name: str, value: str, check: Check) -> Any:
    try:
        return check(value)
    except ValueError as error:
        raise EndpointError(f"{name}: {error}") from None


def _pieces(rest: str) -> Iterator[tuple[str | None, str]]:
    """(name or None, value) of each argument, unescaped."""
    name: str | None = None
    piece = ""
    characters = iter(rest)
    for character in characters:
        if character == ESCAPE:
            escaped = next(characters, None)
            if escaped is None:
                raise EndpointError("it ends in a backslash, which wants a character behind it")
            piece += escaped
        elif character == ":":
            yield name, piece
            name, piece = None, ""
        elif character == "=" and name is None:
            name, piece = piece, ""
        else:
            piece += character
    yield name, piece


# --- what arguments may be


def text(value: str) -> str:
    """Anything that the system takes as a name. Raises: ValueError."""
    if "\0" in value[1:]:
        raise ValueError("a NUL character is no part of a name")
    return value


def port_number(value: str) -> int:
    """A TCP port; 0 is any that is free. Raises: ValueError."""
    return _number(value, 0, MAX_PORT)


def count(value: str) -> int:
    """A number of things. Raises: ValueError."""
    return _number(value, 1, MAX_COUNT)


def index(value: str) -> int:
    """A place in a list, from 0 on. Raises: ValueError."""
    return _number(value, 0, MAX_COUNT)


def _number(value: str, least: int, most: int) -> int:
    # int() alone would take " 80", "+80", "8_0" and digits of all scripts, and thousands of them.
    if not value.isascii() or not value.isdecimal() or len(value) > 10 or not least <= int(value) <= most:
        raise ValueError(f"{value[:40]!r} is no number from {least} to {most}")
    return int(value)


def permissions(value: str) -> int:
    """Permissions of a file, in octal. Raises: ValueError."""
    if not 3 <= len(value) <= 4 or not set(value) <= set("01234567"):
        raise ValueError(f"{value[:40]!r} are no permissions in octal, such as 660")
    return int(value, 8)


def one_of(*values: str) -> Check:
    """One of a few words."""

    def check(value: str) -> str:
        if value not in values:
            raise ValueError(f"{value[:40]!r} is none of {', '.join(values)}")
        return value

    return check
