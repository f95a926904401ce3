"""Dates as they are told, and read: RFC 3339."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

__all__ = ["date", "moment"]

# ``datetime`` reads much more than that as a date.
DATE: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def date(seconds: float) -> str:
    """Seconds since 1970 as a date, in UTC and to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(text: str) -> float:
    """Seconds since 1970 of a date with its zone. Raises: ValueError: it is none."""
    if not DATE.fullmatch(text):
        raise ValueError(f"no date: {text[:64]!r}")
    return datetime.fromisoformat(text.upper()).timestamp()
