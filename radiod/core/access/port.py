"""What keeps records of access: the store, or memory where there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from radiod.core.access.records import Act, AuditEntry, Change, Records, UsageQuery, UsageRow
from radiod.core.promises import Promise

__all__ = ["AccessStore", "UsagePage", "UsageSource"]


class AccessStore(Protocol):
    """Keeps what was done, in order. Every promise may settle with ``Refused`` (``unavailable``) instead.

    ``load`` is for the start, before anything else; all others after it.
    """

    def load(self) -> Records:
        """All records. Raises: StoreError: they cannot be read."""

    def change(self, changes: Sequence[Change], act: Act) -> Promise[None]:
        """Make these changes, and enter ``act`` in the audit: all or nothing, on disk when it settles."""

    def used(self, secrets: Mapping[bytes, float]) -> None:
        """When secrets were used last: digest -> seconds since 1970, in whole hours. Nobody waits for it."""

    def count(self, rows: Sequence[UsageRow]) -> Promise[None]:
        """Write usage as absolute values of its hour: writing the same again changes nothing."""

    def usage(self, query: UsageQuery) -> Promise[tuple[list[dict[str, Any]], str | None]]:
        """Sums of what was written: rows as dictionaries with the names in ``by`` and all counts, in the
        order of ``by``; and where the next page begins, None: there is none.
        """

    def forget_usage(self, before: int) -> None:
        """Let usage of hours before this one (seconds since 1970) go, soon."""

    def audit(self, after: int, limit: int) -> Promise[list[AuditEntry]]:
        """The first ``limit`` entries with a higher ``seq``, in order."""

    def backup(self, path: str) -> Promise[int]:
        """Copy everything there is, as of now, into a new file. Returns: its bytes.

        Settles with: Refused: ``invalid_argument``: it is there already, or cannot be written.
        """


class UsagePage(NamedTuple):
    """One page of an answer about usage, as ``AccessStore.usage`` has it.

    ``unanswered``: nodes of a cluster whose usage is missing; None: there is no cluster.
    """

    rows: list[dict[str, Any]]
    next: str | None
    unanswered: tuple[str, ...] | None = None


class UsageSource(Protocol):
    """What knows the usage."""

    def usage(self, query: UsageQuery) -> Promise[UsagePage]:
        """As ``AccessStore.usage``, with what is not written yet."""
