"""``/account``: what a key's account has, has used, and may use yet; for programs and for a browser."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

import msgspec

from radiod.core.promises import Promise, chain
from radiod.errors import Refused
from radiod.web.answers import NO_PATH, Request, query, refusal, rest_of_path
from radiod.web.callers import Caller, Callers, UnknownCaller
from radiod.web.routes import Outcome, Route
from radiod.wire.answer import Answer
from radiod.wire.answers import json_answer

__all__ = ["Account", "Statements"]

COLUMNS: Final = (
    "day",
    "key",
    "channel",
    "published",
    "delivered",
    "dropped",
    "refused",
    "calls",
    "bytes_in",
    "bytes_out",
    "seconds",
)
"""Of the file of one month."""

MONTH: Final = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
WRONG_MONTH: Final = json_answer(400, {"error": "month must be as 2026-11"})
NEEDS_QUOTES: Final = re.compile(r'[",\r\n]')
FORMULA: Final = ("=", "+", "-", "@", "\t")
"""Beginnings of texts that spreadsheets would carry out."""

TEXT_CSV: Final = b"text/csv; charset=utf-8"


class Statements(Protocol):
    """What is known of accounts; ``access.statements.Statements`` is one, and documents it."""

    def describe(self, caller: Caller) -> dict[str, Any] | Promise[dict[str, Any]]: ...

    def usage(self, caller: Caller, month: str) -> Promise[list[dict[str, Any]]]: ...

    def rotate(
        self, caller: Caller, address: str, overlap: Any
    ) -> dict[str, Any] | Promise[dict[str, Any]]: ...


class Rotation(msgspec.Struct, forbid_unknown_fields=True):
    """The body of POST /account/rotate. ``overlap``: seconds that the old secret is good for yet."""

    overlap: float = 86_400


_ROTATION: Final = msgspec.json.Decoder(Rotation)


class Account(Route):
    """Below ``/account``, for whoever has an API key of it.

    Args:
        page: what a browser gets, which has no key yet: it asks for one, and holds it in memory only.
    """

    def __init__(self, callers: Callers, statements: Statements, page: Answer) -> None:
        self._callers = callers
        self._statements = statements
        self._page = page
        self._paths: dict[str, Callable[[Request, Caller], Outcome]] = {
            "": self._describe,
            "usage.csv": self._month,
        }

    def get(self, request: Request) -> Outcome:
        """The statement, a month's usage, or the page."""
        act = self._paths.get(rest_of_path(request) or "")
        if act is None:
            return NO_PATH
        if act == self._describe and _wants_page(request):
            return self._page
        return self._callers.in_turn(request, lambda: self._with_key(request, act))

    def _with_key(self, request: Request, act: Callable[[Request, Caller], Outcome]) -> Outcome:
        try:
            return act(request, self._callers.of(request))
        except UnknownCaller as nobody:
            return nobody.answer
        except Refused as refused:
            return refusal(refused)

    def _describe(self, request: Request, caller: Caller) -> Outcome:
        return chain(self._statements.describe(caller), _told)

    def _month(self, request: Request, caller: Caller) -> Outcome:
        month = query(request).get("month", "")
        if not MONTH.fullmatch(month):
            return WRONG_MONTH
        name = f'attachment; filename="usage-{month}.csv"'

        def say(rows: list[dict[str, Any]]) -> Answer:
            return Answer(200, csv(rows), TEXT_CSV, fields=(("Content-Disposition", name),))

        return chain(self._statements.usage(caller, month), say)


class Rotate(Route):
    """``POST /account/rotate``: a new secret for the key that asks, if its plan lets it."""

    methods = ("POST", "OPTIONS")
    is_for_pages = False

    def __init__(self, callers: Callers, statements: Statements) -> None:
        self._callers = callers
        self._statements = statements

    def post(self, request: Request) -> Outcome:
        """``{"id", "key", "expires"}``: the new secret, and when the old ones end."""
        return self._callers.in_turn(request, lambda: self._rotate(request))

    def _rotate(self, request: Request) -> Outcome:
        try:
            caller = self._callers.of(request)
            asked = _ROTATION.decode(request.body or b"{}")
            found = self._statements.rotate(caller, request.visit.peer, asked.overlap)
        except UnknownCaller as nobody:
            return nobody.answer
        except msgspec.DecodeError as wrong:
            return json_answer(400, {"error": f'the body must be {{"overlap": seconds}}: {str(wrong)[:200]}'})
        except Refused as refused:
            return refusal(refused)
        return chain(found, _told)


def _told(found: dict[str, Any]) -> Answer:
    return json_answer(200, found)


def _wants_page(request: Request) -> bool:
    """A browser that was sent here: it shows no key, and would rather have a page."""
    accepted = request.header(b"accept") or ""
    has_key = request.header(b"api-key") or request.header(b"authorization")
    return "text/html" in accepted and not has_key


def csv(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Rows of usage as RFC 4180 has them, with a header; no text begins as a formula."""
    lines = [",".join(COLUMNS), *(",".join(_field(row.get(name, "")) for name in COLUMNS) for row in rows)]
    return "".join(f"{line}\r\n" for line in lines).encode("utf-8", "replace")


def _field(value: Any) -> str:
    if not isinstance(value, str):
        return str(value)
    text = f"'{value}" if value.startswith(FORMULA) else value
    return '"' + text.replace('"', '""') + '"' if NEEDS_QUOTES.search(text) else text
