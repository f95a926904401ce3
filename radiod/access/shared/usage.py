"""What was used on all nodes: each is asked, and the sums are added up, page by page.

Each node has its own usage in its own store. So a node that does not answer, or is not there, is named: what
was used on it is missing until it is back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgspec

from radiod.access.shared.mirror import MEMORY, STORES
from radiod.core.access.grouping import COUNTS, PERIODS, Group
from radiod.core.access.port import UsagePage, UsageSource
from radiod.core.access.records import UsageQuery
from radiod.core.cluster.claims import Claims
from radiod.core.cluster.encoding import decode
from radiod.core.cluster.peers import Answers, Peers
from radiod.core.promises import Promise
from radiod.errors import NETWORK_FAILURE, RadiodError, Refused

__all__ = ["USAGE", "SharedUsage"]

USAGE: Final = "access usage"
"""What these questions are about."""

PAGE: Final = 500
"""Rows of one answer, which goes in one message."""

SECONDS: Final = 10.0
"""How long a node may take to answer."""

Row = dict[str, Any]
Page = tuple[list[Row], str | None]

ENCODER: Final = msgspec.msgpack.Encoder()
QUESTION: Final = msgspec.msgpack.Decoder(UsageQuery)
ANSWER: Final = msgspec.msgpack.Decoder(Page)


class SharedUsage:
    """As ``UsageSource``, of all nodes. ``own``: that of this one; ``node``: its name."""

    def __init__(self, own: UsageSource, peers: Peers, claims: Claims, node: str) -> None:
        self._own = own
        self._peers = peers
        self._claims = claims
        self._node = node
        peers.take(USAGE, self._take)

    def usage(self, query: UsageQuery) -> Promise[UsagePage]:
        """As ``UsageSource.usage``; ``unanswered``: the nodes whose usage is missing."""
        asked = _Asked(self, query)
        asked.go_on()
        return asked.outcome

    def ask(self, query: UsageQuery, done: Callable[[list[Page], list[str]], None]) -> Promise[UsagePage]:
        """One page of each node; ``done`` is called with those, and who did not answer."""
        pages: list[Page] = []
        outcome: Promise[UsagePage] = Promise()

        def asked(answers: Answers | RadiodError) -> None:
            silent = [self._peers.name(node) for node in self._peers.live()]
            if isinstance(answers, Answers):
                silent = list(answers.unanswered)
                for node, data in answers.given.items():
                    page = decode(ANSWER, data)
                    if page is not None and is_answer(page, query):
                        pages.append(page)
                    else:
                        silent.append(self._peers.name(node))
            done(pages, silent)

        def own(page: UsagePage | RadiodError) -> None:
            if isinstance(page, RadiodError):
                outcome.settle(page)
                return
            pages.append((page.rows, page.next))
            self._peers.ask_all(USAGE, ENCODER.encode(query), SECONDS).then(asked)

        self._own.usage(query).then(own)
        return outcome

    def away(self) -> set[str]:
        """Nodes that are not there, and have a store with usage."""
        there = {self._node, *(self._peers.name(node) for node in self._peers.live())}
        stores = (claim for claim in self._claims.of(STORES) if not claim.key.startswith(MEMORY))
        return {claim.value.decode(errors="replace") for claim in stores} - there

    def _take(self, node: int, data: bytes) -> Promise[bytes]:
        answer: Promise[bytes] = Promise()
        query = decode(QUESTION, data)
        if query is None:
            answer.settle(Refused(NETWORK_FAILURE, "this is no question about usage"))
            return answer

        def tell(page: UsagePage | RadiodError) -> None:
            answer.settle(page if isinstance(page, RadiodError) else ENCODER.encode((page.rows, page.next)))

        self._own.usage(query).then(tell)
        return answer


class _Asked:
    """One question, in as many rounds as it takes to fill its page."""

    def __init__(self, usage: SharedUsage, query: UsageQuery) -> None:
        self._usage = usage
        self._query = query
        self._rows: list[Row] = []
        self._silent: set[str] = set()
        self.outcome: Promise[UsagePage] = Promise()

    def go_on(self) -> None:
        """Ask for what is missing of the page."""
        limit = min(PAGE, self._query.limit - len(self._rows))
        query = msgspec.structs.replace(self._query, limit=limit)
        self._usage.ask(query, self._came).then(self.outcome.settle)

    def _came(self, pages: list[Page], silent: list[str]) -> None:
        self._silent |= {*silent, *self._usage.away()}
        rows, more = merged(pages, self._query.by, min(PAGE, self._query.limit - len(self._rows)))
        self._rows += rows
        if more is None or len(self._rows) >= self._query.limit:
            self.outcome.settle(UsagePage(self._rows, more, tuple(sorted(self._silent))))
            return
        self._query = msgspec.structs.replace(self._query, after=more)
        self.go_on()


def is_answer(page: Page, query: UsageQuery) -> bool:
    """Whether this is a page that the question may have: what is none must not be added up, nor asked for
    again and again.
    """
    rows, _ = page
    kinds = {name: int if name in PERIODS else str for name in query.by}
    last = None if query.after is None else tuple(msgspec.json.decode(query.after))
    for row in rows:
        is_counted = all(type(row.get(name)) in (int, float) for name in COUNTS)
        if not is_counted or any(type(row.get(name)) is not kind for name, kind in kinds.items()):
            return False
        group = _group(row, query.by)
        if last is not None and group <= last:
            return False
        last = group
    return len(rows) <= query.limit


def merged(pages: Sequence[Page], by: tuple[str, ...], limit: int) -> Page:
    """The sums of several pages of one question, as one page of at most ``limit`` rows.

    Of a page that is not the last nothing is known behind its last row: there the merged one ends, too.
    """
    sums = _sums((row for rows, _ in pages for row in rows), by)
    ends = [_group(rows[-1], by) for rows, more in pages if more is not None and rows]
    end = min(ends) if ends else None
    groups = sorted(group for group in sums if end is None or group <= end)
    shown = groups[:limit]
    is_last = end is None and len(shown) == len(groups)
    more = None if is_last else msgspec.json.encode(shown[-1]).decode()
    return [sums[group] for group in shown], more


def _sums(rows: Iterable[Row], by: tuple[str, ...]) -> dict[Group, Row]:
    """Rows of one group as one."""
    sums: dict[Group, Row] = {}
    for row in rows:
        group = _group(row, by)
        found = sums.get(group)
        sums[group] = dict(row) if found is None else _added(found, row)
    return sums


def _added(found: Row, row: Row) -> Row:
    return {**found, **{name: found[name] + row[name] for name in COUNTS}}


def _group(row: Row, by: tuple[str, ...]) -> Group:
    return tuple(row[name] for name in by)
