"""Tables of comma-separated values whose first row names the columns."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence

from simulator.errors import TownError
from simulator.importers.reading import Lines, Path, number

__all__ = ["Row", "rows"]

CUT = 10
"""Letters that some programs leave of a column's name."""

Aliases = Mapping[str, Sequence[str]]
"""Column -> other names for it."""


class Row:
    """One row; ``where`` is its FILE:LINE."""

    def __init__(self, where: str, cells: list[str], columns: Mapping[str, int]) -> None:
        self.where = where
        self._cells = cells
        self._columns = columns

    def text(self, column: str) -> str:
        """What stands there without the blanks around it; nothing where there is no such column or cell."""
        at = self._columns.get(column)
        return "" if at is None or at >= len(self._cells) else self._cells[at].strip()

    def needed(self, column: str) -> str:
        """What stands there. Raises: TownError: nothing."""
        found = self.text(column)
        if not found:
            raise TownError(f"{self.where}: no {column} in this row")
        return found

    def number(self, column: str) -> float | None:
        """The number that stands there; None: nothing. Raises: TownError: something else."""
        found = self.text(column)
        return number(self.where, column, found) if found else None

    def needed_number(self, column: str) -> float:
        """The number that stands there. Raises: TownError: none."""
        return number(self.where, column, self.needed(column))


def rows(
    path: Path, needed: Sequence[str], aliases: Aliases | None = None, encoding: str = "utf-8"
) -> Iterator[Row]:
    """The rows of a table, one by one; empty ones are left out.

    Args: needed: columns that must be there. aliases: what else a column may be called.
    Raises: TownError: a column is missing, or it is no such table.
    """
    lines = Lines(path, encoding)
    reader = csv.reader(lines, strict=True)
    columns: dict[str, int] | None = None
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if columns is None:
                columns = _columns(lines.here, cells, needed, aliases or {})
            else:
                yield Row(lines.here, cells, columns)
    except csv.Error as error:
        raise TownError(f"{lines.here}: {error}") from None
    if columns is None:
        raise TownError(f"{lines.here}: the file is empty; it has columns {', '.join(needed)}")


def _columns(here: str, cells: list[str], needed: Sequence[str], aliases: Aliases) -> dict[str, int]:
    """Column -> its place, by its own name, one cut to ten letters, or an alias."""
    found: dict[str, int] = {}
    for at, cell in enumerate(cells):
        found.setdefault(cell.strip().lower(), at)
    for name in {*needed, *aliases}:
        for alias in (name, *aliases.get(name, ()), name[:CUT]):
            if alias in found:
                found[name] = found[alias]
                break
    missing = [name for name in needed if name not in found]
    if missing:
        raise TownError(f"{here}: no column {', '.join(missing)}; there are {', '.join(found)[:200]}")
    return found
