"""What people write, and what they read: dates, numbers, sizes, words of JSON, secrets."""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from radiod.core.quotas import month_of

__all__ = [
    "arguments",
    "date",
    "moment",
    "month",
    "number",
    "printable",
    "read_secret",
    "size",
    "word",
]

FROM_NOW: Final = re.compile(r"\+(\d+)([smhdw])")
UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
SIZES: Final = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
NAMED: Final = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
MAX_SECRET_BYTES: Final = 65_536


def moment(text: str) -> float:
    """Seconds since 1970 of an ISO 8601 date, UTC unless it says otherwise, or of ``+90d`` from now.

    Raises: BadParameter: it is neither.
    """
    after = FROM_NOW.fullmatch(text)
    try:
        if after is not None:
            when = datetime.now(UTC) + timedelta(**{UNITS[after[2]]: int(after[1])})
        else:
            when = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        what = f"{text!r} is neither a date as 2027-12-31 or 2027-12-31T12:00Z, nor a time as +90d"
        raise click.BadParameter(what) from None
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def month(text: str) -> tuple[float, float]:
    """The start of a month, and that of the next, UTC. Raises: BadParameter: it is none."""
    try:
        start = datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no month as 2026-11") from None
    return month_of(start.timestamp())


def date(seconds: float | None, none: str = "") -> str:
    """A time, to the minute, UTC; ``none``: in place of None."""
    if seconds is None:
        return none
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def number(value: float) -> str:
    """Thousands apart; no more of a fraction than there is."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,g}"


def size(count: float) -> str:
    """Bytes, in the unit that gives at most three digits before the point."""
    for unit in SIZES:
        if count < 999.95 or unit == SIZES[-1]:
            break
        count /= 1000
    return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"


def printable(text: str) -> str:
    """The same with escapes, as JSON has them, in the place of all that could do something to a terminal.

    Names, labels and events are other people's.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


def word(text: str) -> Any:
    """The value of a word of JSON; of what is none, the text itself."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def arguments(words: tuple[str, ...]) -> tuple[list[Any], dict[str, Any]]:
    """Words of a command line as arguments: ``name=value`` by keyword, all others by position."""
    args, kwargs = [], {}
    for text in words:
        named = NAMED.fullmatch(text)
        if named is None:
            args.append(word(text))
        else:
            kwargs[named[1]] = word(named[2])
    return args, kwargs


def read_secret(path: Path | None, prompt: str, *, is_new: bool = False) -> str:
    """A secret: the text of a file, one line end at its end removed; ``-``: of stdin; None: it is asked for.

    Raises: UsageError: there is none. ``is_new``: ask twice.
    """
    if path is None:
        if not sys.stdin.isatty():
            raise click.UsageError(
                f"no terminal to ask for the {prompt.lower()}: give a file, or - for stdin"
            )
        return str(click.prompt(prompt, hide_input=True, confirmation_prompt=is_new, err=True))
    try:
        if str(path) == "-":
            data = sys.stdin.buffer.read(MAX_SECRET_BYTES + 1)
        else:
            with path.open("rb") as file:
                data = file.read(MAX_SECRET_BYTES + 1)
        text = data.decode()
    except OSError as error:
        raise click.UsageError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise click.UsageError(f"{path}: not UTF-8") from None
    if len(data) > MAX_SECRET_BYTES:
        raise click.UsageError(f"{path}: longer than {MAX_SECRET_BYTES} bytes")
    text = re.sub(r"\r?\n\Z", "", text)
    if not text:
        raise click.UsageError(f"{path}: empty")
    return text
