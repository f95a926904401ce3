"""From TOML to nodes: tables become frozen structs, and every mistake names its key.

Which tables there are is told by the structs alone: nothing here knows a particular one.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, inspect

from radiod.secret import Secret, obtain, stand_in, ways

__all__ = ["ConfigError", "KeyPath", "Node", "Reader", "dotted", "load_toml", "quoted"]

KeyPath = tuple[str, ...]


class ConfigError(Exception):
    """Something in the configuration is wrong. ``path`` names the key; ``str`` is one line."""

    def __init__(self, path: KeyPath, message: str, file: Path | None = None) -> None:
        super().__init__(": ".join(part for part in (str(file or ""), dotted(path), message) if part))
        self.path = path
        self.message = message


def dotted(path: Iterable[str]) -> str:
    """A path of keys on one line, as TOML would write it."""
    return ".".join(quoted(key) for key in path)


def quoted(key: str) -> str:
    """One key as TOML would write it in a path; never with a line's end."""
    return key if key and all(c.isalnum() or c in "-_[]" for c in key) else repr(key)


class Node(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One table; each kind repeats ``kw_only`` (not inherited) and ``frozen`` (type checkers ask for it)."""

    def placed(self, base: Path) -> Node:
        """The same with what it leaves to its surroundings; paths in it are relative to ``base``."""
        return self


def load_toml(text: str) -> dict[str, Any]:
    """The tables of a text. Raises: ConfigError."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        end = f"(at line {text.count(chr(10)) + 1}, column {len(text) - text.rfind(chr(10))})"
        raise ConfigError((), f"not TOML: {error}".replace("(at end of document)", end)) from None
    except RecursionError:
        raise ConfigError((), "not TOML: nested too deep") from None
    except ValueError:  # Python's bound on the digits of an integer
        raise ConfigError((), "not TOML: a number is too long") from None


class Reader:
    """Tables to nodes, innermost first and one at a time, so that every error can name its key.

    ``secrets``: whether those that are given elsewhere are read; else something stands in for them.
    """

    def __init__(self, base: Path, secrets: bool = True) -> None:
        self._base = base
        self._secrets = secrets

    def value(self, kind: inspect.Type, value: Any, path: KeyPath) -> Any:
        """A node, or nodes in an array or table, as ``kind`` says; anything else is left to its node."""
        match kind:
            case inspect.UnionType(types=(inspect.StructType() as inner, *_)):
                return self.value(inner, value, path)
            case inspect.StructType():
                return self._node(kind, _table(value, path), path)
            case inspect.DictType(value_type=inner):
                return {
                    key: self.value(inner, item, (*path, key)) for key, item in _table(value, path).items()
                }
            case inspect.VarTupleType(item_type=inspect.StructType() as inner):
                return [
                    self.value(inner, item, (*path, f"[{index}]"))
                    for index, item in enumerate(_list(value, path))
                ]
        return _seconds(value) if isinstance(value, date) and _is_number(kind) else value

    def _node(self, kind: inspect.StructType, table: dict[str, Any], path: KeyPath) -> Any:
        _known(table, [name for item in kind.fields for name in _names(item)], path)
        parsed = {}
        for item in kind.fields:
            given = [name for name in _names(item) if name in table]
            if given:
                parsed[item.name] = self._field(item, given, table, path)
            elif item.required:
                hint = "; give {}, {}, {} or {}".format(*_names(item)) if _is_secret(item.type) else ""
                raise ConfigError((*path, item.name), f"missing{hint}")
        made = _convert(parsed, kind.cls, path)
        # What is no node is the core's, and knows nothing of files.
        return made.placed(self._base) if isinstance(made, Node) else made

    def _field(self, item: inspect.Field, given: list[str], table: dict[str, Any], path: KeyPath) -> Any:
        key, at = given[0], (*path, given[0])
        if not _is_secret(item.type):
            return self.value(item.type, table[key], at)
        if len(given) > 1:
            raise ConfigError((*path, given[1]), f"given together with {key}")
        try:
            if key != item.name and not self._secrets:
                return stand_in(table[key])
            return obtain(key, table[key], self._base, item.name)
        except ValueError as error:
            raise ConfigError(at, str(error)) from None


def _seconds(value: date) -> float:
    """A date of TOML as seconds since 1970: its beginning, and in UTC where it does not say otherwise."""
    moment = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


def _is_number(kind: inspect.Type) -> bool:
    kinds = kind.types if isinstance(kind, inspect.UnionType) else (kind,)
    return any(isinstance(one, inspect.FloatType) for one in kinds)


def _is_secret(kind: inspect.Type) -> bool:
    kinds = kind.types if isinstance(kind, inspect.UnionType) else (kind,)
    return any(isinstance(one, inspect.CustomType) and one.cls is Secret for one in kinds)


def _names(item: inspect.Field) -> tuple[str, ...]:
    return ways(item.name) if _is_secret(item.type) else (item.name,)


def _convert(table: dict[str, Any], kind: type[Struct], path: KeyPath) -> Any:
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        # From the right: the text may quote a value that looks like a place.
        text, found, where = str(error).rpartition(" - at `$")
        keys = tuple(key for key in where.strip("`").replace("[", ".[").split(".") if key) if found else ()
        raise ConfigError((*path, *keys), text if found else where) from None


def _table(value: Any, path: KeyPath) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(path, "expected a table")
    return value


def _list(value: Any, path: KeyPath) -> list[Any]:
    if not isinstance(value, list):
        raise ConfigError(path, "expected an array of tables")
    return value


def _known(table: dict[str, Any], known: list[str], path: KeyPath) -> None:
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            raise ConfigError((*path, key), f"unknown key; {hint}")
