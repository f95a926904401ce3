"""``radiod.admin.usage``: who used how much of what, and when."""

from __future__ import annotations

from typing import Any, Final

from radiod.access.procedures import checks
from radiod.core.access.port import UsagePage, UsageSource
from radiod.core.access.records import UsageQuery
from radiod.core.arguments import a_list, optional, text, whole
from radiod.core.procedures.family import Procedure
from radiod.core.promises import Promise, chain
from radiod.core.sessions.session import Session
from radiod.errors import INVALID_ARGUMENT, Refused

__all__ = ["UsageProcedures"]

MAX_ROWS: Final = 1000

ALL: Final = ("hour", "account", "key", "channel")


class UsageProcedures:
    """``procedures``: name -> parameters and handler."""

    def __init__(self, source: UsageSource) -> None:
        self._source = source
        self.procedures: dict[str, Procedure] = {
            "radiod.admin.usage": (
                {
                    "account": None,
                    "key": None,
                    "channel": None,
                    "since": None,
                    "until": None,
                    "by": ALL,
                    "limit": MAX_ROWS,
                    "after": None,
                },
                self.usage,
            ),
        }

    def usage(
        self,
        session: Session,
        *,
        account: Any,
        key: Any,
        channel: Any,
        since: Any,
        until: Any,
        by: Any,
        limit: Any,
        after: Any,
    ) -> dict[str, Any] | Promise[dict[str, Any]]:
        """Sums of all usage that was asked for → ``{rows, next}``; what is not on disk yet is included.

        Each row has what is named in ``by``, of ``hour``, ``day``, ``month``, ``account``, ``key`` and
        ``channel``, and all counts of ``UsageRow``.
        """
        query = UsageQuery(
            account=optional(text, "account", account),
            key=optional(text, "key", key),
            channel=optional(text, "channel", channel),
            since=checks.date("since", since),
            until=checks.date("until", until),
            by=_names(by),
            limit=whole("limit", limit, 1, MAX_ROWS),
            after=optional(text, "after", after),
        )
        return chain(self._source.usage(query), _told)


def _names(by: Any) -> tuple[str, ...]:
    names = a_list("by", list(by) if isinstance(by, tuple) else by)
    if not all(isinstance(name, str) for name in names):
        raise Refused(INVALID_ARGUMENT, "by must be a list of strings")
    return tuple(names)


def _told(found: UsagePage) -> dict[str, Any]:
    told = {"rows": found.rows, "next": found.next}
    return told if found.unanswered is None else {**told, "unanswered": list(found.unanswered)}
