"""What a line of the log is about: its event, and the fields that tell of whom, the same in every format.

Who logs names the event as the field ``event`` of its line, one of ``EVENTS``; docs/logs.md explains each.
Lines of Twisted's and Autobahn's have none.
"""

from __future__ import annotations

from typing import Final

from twisted.logger import LogEvent

from radiod.logs.text import clean

__all__ = ["EVENTS", "FIELDS", "MAX_FIELD", "OTHER", "PER_PEER", "fields", "name"]

OTHER: Final = "other"
"""The event of what is not radiod's own to say."""

EVENTS: Final = (
    "started",
    "listening",
    "stopping",
    "stopped",
    "configuration",
    "signal",
    "reload",
    "reload_refused",
    "drain",
    "session_joined",
    "session_left",
    "session_aborted",
    "login_refused",
    "key_refused",
    "guessing",
    "request_refused",
    "connection_refused",
    "connection_cut",
    "listener_cut",
    "event_undelivered",
    "overload",
    "store_note",
    "store_failed",
    "store_recovered",
    "state_restored",
    "state_left",
    "state_lost",
    "webhook_failed",
    "webhook_recovered",
    "cluster",
    "traces_failed",
    "traces_recovered",
    "certificate_expiring",
    "log_failed",
    "failure",
    OTHER,
)

PER_PEER: Final = ("login_refused", "key_refused")
"""Events whose lines are limited for each peer's address by itself."""

FIELDS: Final = {
    "realm": "realm",
    "authid": "authid",
    "authrole": "role",
    "authmethod": "method",
    "tried": "method",
    "key": "key",
    "peer": "peer",
    "session": "session",
    "topic": "channel",
    "uri": "uri",
    "reason": "reason",
    "left_out": "left_out",
}
"""What a line may tell besides its text: the logger's name for it -> the one that is written."""

MAX_FIELD: Final = 128
"""Characters."""


def name(event: LogEvent) -> str:
    """What the line is about."""
    told = event.get("event")
    return told if told in EVENTS else OTHER


def fields(event: LogEvent, most: int = MAX_FIELD) -> dict[str, str | int]:
    """What is known of whom and what: cleaned and cut to ``most`` characters, numbers as numbers."""
    told: dict[str, str | int] = {}
    for known, written in FIELDS.items():
        value = event.get(known)
        if value is not None and value != "":
            told[written] = value if type(value) is int else clean(str(value), most)
    return told
