"""Tables for spreadsheets: CSV (RFC 4180) in which no text is carried out as a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

__all__ = ["sheet"]

FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""Beginnings of texts that programs for tables would carry out: customers choose names of channels."""


def sheet(columns: Sequence[str], rows: Iterable[Mapping[str, Any]], *, line_end: str = "\r\n") -> str:
    """Rows under a header; what a row lacks is empty, and what it has besides is left out."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=line_end)
    writer.writerow(columns)
    writer.writerows([_safe(row.get(name, "")) for name in columns] for row in rows)
    return text.getvalue()


def _safe(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
