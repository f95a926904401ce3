"""A file that says what happens to a town: lights, green waves, closed and narrowed streets.

TOML, a list of tables of each: ``[[light]]``, ``[[wave]]``, ``[[closure]]``, ``[[capacity]]``. What is wrong
is told with file and line. All lights come first, then waves, and so on; each in the order of the file.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from math import inf
from pathlib import Path
from typing import Any, Final

from simulator.errors import TownError
from simulator.operation import Operated
from simulator.phases import phased
from simulator.reactive import RULES, TIMES, Rule

__all__ = ["apply_scenario"]

MAX_BYTES = 16 * 2**20
"""Of a file."""

HEADER = re.compile(r"\s*\[\[\s*[\"']?([A-Za-z_-]+)[\"']?\s*\]\]")
WITHIN = re.compile(r"\s*\[\[\s*[A-Za-z_-]+\s*\.\s*([A-Za-z_-]+)\s*\]\]")
KEY = re.compile(r"\s*[\"']?([A-Za-z_0-9-]+)[\"']?\s*=")


def apply_scenario(simulator: Operated, path: str | Path) -> None:
    """Do what a file says.

    Raises: TownError: it cannot be read, or something in it cannot be; the text begins with FILE:LINE. What
        stands before that is done already.
    """
    tables, lines = _read(Path(path))
    for kind, act in ACTS.items():
        for number, table in enumerate(tables.get(kind, [])):
            where = lines.of(kind, number)
            try:
                act(simulator, table)
            except _AtKey as wrong:
                raise TownError(f"{path}:{lines.of(kind, number, wrong.key)}: {kind}: {wrong}") from None
            except TownError as error:
                raise TownError(f"{path}:{where}: {error}") from None


class _AtKey(Exception):
    """A key of a table is missing, unknown, or no such thing."""

    def __init__(self, key: str, text: str) -> None:
        super().__init__(text)
        self.key = key


class _Lines:
    """Where the tables of a file stand: ``tomllib`` does not say."""

    def __init__(self, text: str) -> None:
        self._tables: dict[str, list[int]] = {}
        self._keys: dict[tuple[str, int, str], int] = {}
        kind, number, is_within = "", 0, False
        for at, line in enumerate(text.splitlines(), 1):
            if header := HEADER.match(line):
                kind = header[1]
                number = len(self._tables.setdefault(kind, []))
                self._tables[kind].append(at)
                is_within = False
            elif inner := WITHIN.match(line):
                # The first of them stands for those that are lists in one line, too.
                self._keys.setdefault((kind, number, inner[1]), at)
                count = sum(key[:2] == (kind, number) and key[2].startswith(inner[1]) for key in self._keys)
                self._keys[kind, number, f"{inner[1]} {count}"] = at
                is_within = True
            elif is_within:
                continue
            elif found := KEY.match(line):
                self._keys.setdefault((kind, number, found[1]), at)

    def of(self, kind: str, number: int, key: str = "") -> int:
        """The line of a key, else that of its table, else of the list of tables."""
        tables = self._tables.get(kind, [])
        header = tables[number] if number < len(tables) else self._keys.get(("", 0, kind), 1)
        whole = self._keys.get((kind, number, key.partition(" ")[0]), header)
        return self._keys.get((kind, number, key), whole)


def _read(path: Path) -> tuple[dict[str, list[dict[str, Any]]], _Lines]:
    """(kind -> tables, where they stand). Raises: TownError."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        text = content.decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise TownError(f"{path}: {reason}") from None
    if len(content) > MAX_BYTES:
        raise TownError(f"{path}: more than {MAX_BYTES} bytes")
    try:
        tables = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        # A number of thousands of digits is no TOMLDecodeError.
        line = re.search(r"\(at line (\d+)", str(error))
        at = line[1] if line else len(text.splitlines())
        raise TownError(f"{path}:{at}: {error}") from None
    lines = _Lines(text)
    for kind, found in tables.items():
        if kind not in ACTS:
            raise TownError(f"{path}:{lines.of(kind, 0)}: {kind}: expected [[{']], [['.join(ACTS)}]]")
        if not isinstance(found, list) or not all(isinstance(table, dict) for table in found):
            raise TownError(f"{path}:{lines.of(kind, 0)}: {kind}: expected a list of tables, [[{kind}]]")
    return tables, lines


class _Table:
    """One table, whose keys are taken out one after the other."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        self._left = dict(table)

    def take(self, key: str, kind: type | tuple[type, ...], default: Any = ...) -> Any:
        """Raises: _AtKey: it is missing, and has no default; or is something else."""
        if key not in self._left:
            if default is ...:
                raise _AtKey("", f"{key} is missing")
            return default
        value = self._left.pop(key)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            names = " or ".join(NAMES[one] for one in (kind if isinstance(kind, tuple) else (kind,)))
            raise _AtKey(key, f"{key} is {value!r}; it must be {names}"[:200])
        return value

    def number(self, key: str, default: Any = ...) -> Any:
        """A number, or the default."""
        return self.take(key, (int, float), default)

    def names(self, key: str, default: Any = ...) -> Any:
        """A list of ids, or the default."""
        ids = self.take(key, list, default)
        if ids is not default and not all(isinstance(id, str) for id in ids):
            raise _AtKey(key, f"{key} is a list of ids, as strings")
        return ids

    def end(self) -> None:
        """Raises: _AtKey: there are more keys."""
        for key in self._left:
            raise _AtKey(key, f"there is no {key}")


NAMES: Final = {
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "a table",
}


def _light(simulator: Operated, values: Mapping[str, Any]) -> None:
    """A plan, its phases, or a rule."""
    table = _Table(values)
    kind = table.take("kind", str, "plan")
    if kind in RULES:
        _reactive(simulator, table, RULES[kind])
        return
    if kind != "plan":
        raise _AtKey("kind", f"kind is {kind!r}; there are plan, {', '.join(RULES)}")
    junction = table.take("junction", str)
    if "plans" in values:
        _plans(simulator, table, junction)
        return
    offset = table.number("offset", 0.0)
    if "phases" in values:
        phases = [_phase(one) for one in table.take("phases", list)]
        all_red = table.number("all_red", 3.0)
        table.end()
        simulator.set_phases(junction, phases, all_red, offset)
        return
    cycle, greens = table.number("cycle"), table.take("greens", dict)
    table.end()
    simulator.set_light(junction, cycle, offset, greens)


def _plans(simulator: Operated, table: _Table, junction: str) -> None:
    """Plans by the time of day, each a table with ``from``."""
    day, plans = table.number("day", inf), {}
    for number, one in enumerate(table.take("plans", list), 1):
        key = f"plans {number}"
        if not isinstance(one, dict):
            raise _AtKey(key, "each of plans is a table, with from, cycle and greens, or from and phases")
        try:
            since, plan = _plan_of(one)
        except _AtKey as wrong:
            raise _AtKey(key, f"plan {number}: {wrong}") from None
        if since in plans:
            raise _AtKey(key, f"plan {number}: there is another one from {since:g} s on")
        plans[since] = plan
    table.end()
    simulator.set_plans(junction, plans, day)


def _plan_of(values: Mapping[str, Any]) -> tuple[float, tuple[float, float, Any]]:
    """(seconds, plan) as ``set_plans`` takes them."""
    table = _Table(values)
    since, offset = table.number("from"), table.number("offset", 0.0)
    if "phases" in values:
        phases = [_phase(one) for one in table.take("phases", list)]
        plan = phased(phases, table.number("all_red", 3.0), offset)
    else:
        plan = table.number("cycle"), offset, table.take("greens", dict)
    table.end()
    return since, plan


def _phase(value: Any) -> tuple[list[str], float]:
    """``{streets = […], green = 27}``."""
    if not isinstance(value, dict) or set(value) != {"streets", "green"}:
        raise _AtKey("phases", "each of phases is {streets = […], green = SECONDS}")
    phase = _Table(value)
    try:
        return phase.names("streets"), phase.number("green")
    except _AtKey as wrong:
        raise _AtKey("phases", f"phases: {wrong}") from None


def _reactive(simulator: Operated, table: _Table, kind: type[Rule]) -> None:
    """One junction, or all of them."""
    junction, phases = table.take("junction", str, None), table.take("phases", list, None)
    times = {key: value for key in TIMES if (value := table.number(key, None)) is not None}
    table.end()
    simulator.set_reactive(kind(**times), None if junction is None else [junction], phases)


def _wave(simulator: Operated, values: Mapping[str, Any]) -> None:
    table = _Table(values)
    streets, cycle = table.names("streets"), table.number("cycle", None)
    both_ways = table.take("both_ways", bool, False)
    table.end()
    simulator.set_wave(streets, cycle, both_ways)


def _closure(simulator: Operated, values: Mapping[str, Any]) -> None:
    table = _Table(values)
    streets = table.names("streets")
    begin, end = table.number("begin", None), table.number("end", None)
    detour = table.take("detour", bool, True)
    table.end()
    for id in streets:
        simulator.close_street(id, begin, end, detour=detour)


def _capacity(simulator: Operated, values: Mapping[str, Any]) -> None:
    table = _Table(values)
    streets, share = table.names("streets"), table.number("share")
    begin, end = table.number("begin", None), table.number("end", None)
    table.end()
    for id in streets:
        simulator.set_capacity(id, share, begin, end)


ACTS: Final[Mapping[str, Callable[[Operated, Mapping[str, Any]], None]]] = {
    "light": _light,
    "wave": _wave,
    "closure": _closure,
    "capacity": _capacity,
}
"""Kind of table -> what it does."""
