"""What tests of authentication methods share: HELLO details, directories, refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from radiod.auth.directory import Credentials
from radiod.core.promises import Promise
from radiod.errors import AUTHENTICATION_DENIED, Denied
from radiod.testing import ALLOW_ALL
from radiod.wire.codecs import JSON
from radiod.wire.options import HelloDetails

AWKWARD: tuple[Any, ...] = (
    None,
    7,
    1.5,
    True,
    [],
    {},
    ["a"],
    {"a": 1},
    b"bytes",
    "",
    " ",
    "é",
    "\0",
    "x" * 65_536,
)
"""Values for members of ``extra`` that expect something else."""


def details(authid: str | None = None, **authextra: Any) -> HelloDetails:
    """The details of a HELLO."""
    return HelloDetails(roles={"subscriber": {}}, authid=authid, authextra=authextra or None)


def parsed(**members: Any) -> HelloDetails:
    """The details of a HELLO as they come in."""
    return JSON.decode(JSON.dump([1, "radio", {"roles": {"caller": {}}, **members}])).details


def user(authid: str, role: str = "member", **proofs: Any) -> Credentials:
    """A user."""
    return Credentials(authid=authid, role=role, permissions=ALLOW_ALL, **proofs)


def refusal(function: Callable[..., Any], *arguments: Any) -> tuple[str, str]:
    """(URI, text) of the denial that the call ends in, now or later."""
    try:
        outcome = function(*arguments)
    except Denied as error:
        outcome = error
    if isinstance(outcome, Promise):
        outcome = outcome_of(outcome)
    assert isinstance(outcome, Denied)
    assert outcome.uri == AUTHENTICATION_DENIED
    return outcome.uri, outcome.text


def outcome_of(later: Promise[Any]) -> Any:
    """What has come; fails if nothing has."""
    seen: list[Any] = []
    later.then(seen.append)
    assert len(seen) == 1
    return seen[0]


class LateDirectory:
    """A directory that keeps the questions in ``asked`` and answers when ``settle`` is called."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None, dict[str, Any]]] = []
        self._waiting: list[Promise[Credentials | None]] = []

    def find(self, method: str, authid: str | None, details: Any) -> Promise[Credentials | None]:
        self.asked.append((method, authid, dict(details)))
        self._waiting.append(Promise())
        return self._waiting[-1]

    def settle(self, outcome: Any) -> None:
        """Answer the oldest question."""
        self._waiting.pop(0).settle(outcome)
