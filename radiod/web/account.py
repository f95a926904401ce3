"""``/account``: what a key's account has, has used, and may use yet; for programs and for a browser."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

import msgspec

from radiod.core.access.grouping import COUNTS
from radiod.core.promises import Promise, chain
from radiod.core.sheets import sheet
from radiod.errors import Refused
from radiod.web.answers import Request, query, refusal
from radiod.web.callers import Caller, Callers, UnknownCaller
from radiod.web.routes import Outcome, Route
from radiod.web.site import page
from radiod.wire.answer import Answer
from radiod.wire.answers import json_answer

__all__ = ["Account", "Rotation", "Statements", "Usage", "csv"]

COLUMNS: Final = ("day", "key", "channel", *COUNTS)
"""Of the file of one month."""

MONTH: Final = re.compile(r"(19[7-9]|[2-9][0-9]{2})[0-9]-(0[1-9]|1[0-2])")
WRONG_MONTH: Final = json_answer(400, {"error": "month must be as 2026-11"})

TEXT_CSV: Final = b"text/csv; charset=utf-8"


Told = dict[str, Any]
Act = Callable[[Request, Caller], Outcome]


class Statements(Protocol):
    """What is known of accounts; ``access.statements.Statements`` is one, and documents it."""

    def describe(self, key: Caller) -> Told | Promise[Told]: ...

    def usage(self, key: Caller, month: str) -> list[Told] | Promise[list[Told]]: ...

    def rotate(self, key: Caller, address: str, overlap: float) -> Promise[Told]: ...


class Overlap(msgspec.Struct, forbid_unknown_fields=True):
    """The body of POST /account/rotate. ``overlap``: seconds that the old secret is good for yet."""

    overlap: float = 86_400


_OVERLAP: Final = msgspec.json.Decoder(Overlap)


class _OfAccount(Route):
    """Answers whoever has an API key of the account. Pages of other sites have no business here."""

    is_for_pages = False

    def __init__(self, callers: Callers, statements: Statements) -> None:
        self._callers = callers
        self._statements = statements

    def by_key(self, request: Request, act: Act) -> Outcome:
        """What ``act`` comes to, perhaps when it is the address's turn."""

        def attempt() -> Outcome:
            try:
                return act(request, self._callers.of(request))
            except UnknownCaller as nobody:
                return nobody.answer
            except Refused as refused:
                return refusal(refused)

        return self._callers.in_turn(request, attempt)


class Account(_OfAccount):
    """``GET /account``: the statement.

    A browser that was sent here gets a page: it asks for the key, and holds it in memory only.
    """

    def __init__(self, callers: Callers, statements: Statements) -> None:
        super().__init__(callers, statements)
        self._page = page("account.html")

    def get(self, request: Request) -> Outcome:
        """The statement, or the page."""
        return self._page if _wants_page(request) else self.by_key(request, self._describe)

    def _describe(self, request: Request, caller: Caller) -> Outcome:
        return chain(self._statements.describe(caller), _told)


class Usage(_OfAccount):
    """``GET /account/usage.csv?month=2026-11``: what the account has used, by day, key and channel."""

    def get(self, request: Request) -> Outcome:
        """The file."""
        return self.by_key(request, self._month)

    def _month(self, request: Request, caller: Caller) -> Outcome:
        month = query(request).get("month", "")
        if not MONTH.fullmatch(month):
            return WRONG_MONTH
        name = f'attachment; filename="usage-{month}.csv"'

        def say(rows: list[Told]) -> Answer:
            return Answer(200, csv(rows), TEXT_CSV, fields=(("Content-Disposition", name),))

        return chain(self._statements.usage(caller, month), say)


class Rotation(_OfAccount):
    """``POST /account/rotate``: a new secret for the key that asks, if its plan lets it."""

    methods = ("POST", "OPTIONS")

    def post(self, request: Request) -> Outcome:
        """``{"id", "key", "expires"}``."""
        return self.by_key(request, self._rotate)

    def _rotate(self, request: Request, caller: Caller) -> Outcome:
        try:
            asked = _OVERLAP.decode(request.body or b"{}")
        except msgspec.DecodeError as wrong:
            return json_answer(400, {"error": f'the body must be {{"overlap": seconds}}: {str(wrong)[:200]}'})
        return chain(self._statements.rotate(caller, request.visit.peer, asked.overlap), _told)


def _told(found: dict[str, Any]) -> Answer:
    return json_answer(200, found)


def _wants_page(request: Request) -> bool:
    """A browser that was sent here: it shows no key, and would rather have a page."""
    accepted = request.header(b"accept") or ""
    has_key = request.header(b"api-key") or request.header(b"authorization")
    return "text/html" in accepted and not has_key


def csv(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Rows of usage for a spreadsheet, with a header."""
    return sheet(COLUMNS, rows).encode("utf-8", "replace")
