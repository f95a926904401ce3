"""A line of the log as JSON, and as an entry of systemd's journal. Pure: what it gets is cleaned."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final

from twisted.logger import LogEvent, LogLevel

from radiod.logs.events import fields, name

__all__ = ["IDENTIFIER", "MAX_LINE_BYTES", "journal_entry", "json_line"]

MAX_LINE_BYTES: Final = 4000
"""A pipe that has room takes so many at once; a line without a traceback is no longer."""

SHORT_FIELD: Final = 24
"""Characters of a field where all together would be too long."""

IDENTIFIER: Final = "radiod"

PRIORITIES: Final = {
    LogLevel.debug: 7,
    LogLevel.info: 6,
    LogLevel.warn: 4,
    LogLevel.error: 3,
    LogLevel.critical: 2,
}
"""syslog's."""


def json_line(event: LogEvent) -> str:
    """One JSON object and a newline: ``time`` (RFC 3339, UTC), ``level``, ``event``, ``text``, and fields."""
    line = _json(event, fields(event))
    if len(line.encode()) > MAX_LINE_BYTES:
        line = _json(event, fields(event, SHORT_FIELD))
    return line


def _json(event: LogEvent, told: dict[str, str | int]) -> str:
    moment = datetime.fromtimestamp(event.get("log_time", 0.0), UTC)
    line = {
        "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": _level(event).name,
        "event": name(event),
        "text": event["log_text"],
        "logger": event.get("log_namespace", ""),
        **told,
    }
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n"


def journal_entry(event: LogEvent) -> bytes:
    """A datagram for the journal: ``MESSAGE`` and what can be searched for, without a time of its own.

    Source: systemd.io/JOURNAL_NATIVE_PROTOCOL.
    """
    told = {
        "MESSAGE": event["log_text"],
        "PRIORITY": PRIORITIES[_level(event)],
        "SYSLOG_IDENTIFIER": IDENTIFIER,
        "RADIOD_EVENT": name(event),
        "RADIOD_LOGGER": event.get("log_namespace", ""),
    }
    told |= {f"RADIOD_{field.upper()}": value for field, value in fields(event).items()}
    return b"".join(_journal_field(field, str(value)) for field, value in told.items())


def _journal_field(field: str, value: str) -> bytes:
    data = value.encode()
    if b"\n" not in data:
        return b"%b=%b\n" % (field.encode(), data)
    # Whatever is in it, it stays one field.
    return b"%b\n%b%b\n" % (field.encode(), len(data).to_bytes(8, "little"), data)


def _level(event: LogEvent) -> Any:
    level = event.get("log_level")
    return level if level in PRIORITIES else LogLevel.info
