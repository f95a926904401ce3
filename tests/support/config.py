"""The one configuration of all tests: each says only what it wants otherwise."""

from __future__ import annotations

import functools
import json
import tomllib
from pathlib import Path
from typing import Any

from radiod.config import Config

__all__ = ["BASE", "configuration", "parsed", "written"]

BASE = """
[realms.radio]
anonymous = "open"

[realms.radio.roles.open]
subscribe = ["*"]
publish = ["*"]
call = ["*"]
register = ["*"]
deny = ["forbidden"]
hold_publishers = true

[realms.radio.roles.listener]
subscribe = ["*"]
call = ["*"]

[realms.radio.users.joe]
role = "open"
ticket = "joe-ticket"

[realms.radio.users.listener]
role = "listener"
ticket = "listener-ticket"

[realms.radio.keys.sample]
key = "sample-key"
publish = ["sample_net", "other_net", "other"]
listen = ["*"]

[realms.radio.channels.sample_net]
aliases = ["/macro/sample/"]

[realms.closed.users.joe]
role = "listener"
ticket = "joe-ticket"
"""
"""Anonymous sessions may do all but with the URI ``forbidden``; two users, one key, one channel.

A realm ``closed``, for users only. A ticket is the user's name with ``-ticket`` behind it.
"""


def configuration(text: str = "", *, base: str = BASE, **limits: Any) -> str:
    """The TOML of ``base`` with ``text`` merged into it: a value that both have is that of ``text``.

    Args:
        base: "" for a configuration of which the test says everything.
        limits: keys of ``[limits]``.
    """
    merged = _merged(tomllib.loads(base), tomllib.loads(text))
    if limits:
        merged = _merged(merged, {"limits": limits})
    return written(merged)


def written(values: dict[str, Any]) -> str:
    """TOML of that."""
    return "".join(f"{key} = {value}\n" for key, value in _lines("", values))


@functools.lru_cache(maxsize=64)
def parsed(text: str = "", **options: Any) -> Config:
    """The same for a radiod in memory; files are looked for in the current folder."""
    return Config.parse(configuration(text, **options), Path())


def _merged(base: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    both = {**base, **more}
    for key in base.keys() & more.keys():
        if isinstance(base[key], dict) and isinstance(more[key], dict):
            both[key] = _merged(base[key], more[key])
    return both


def _lines(prefix: str, table: dict[str, Any]) -> list[tuple[str, str]]:
    """Each value with its whole dotted key."""
    lines = []
    for name, value in table.items():
        key = prefix + (name if name.isidentifier() and name.isascii() else _toml(name))
        if isinstance(value, dict) and value:
            lines += _lines(f"{key}.", value)
        else:
            lines.append((key, _toml(value)))
    return lines


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_toml(key)} = {_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    # Strings, numbers, true and false are written in TOML as in JSON.
    return json.dumps(value, ensure_ascii=False)
