"""What keys, users and accounts have open, and when secrets were used last, on all nodes: each is asked.

Every node has what it counts itself in its books. Who describes a key, or some, asks the others for theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final

import msgspec

from radiod.access.shared.all_books import AccessBooks
from radiod.core.cluster.encoding import decode
from radiod.core.cluster.peers import Answers, Peers
from radiod.core.procedures.family import Procedure
from radiod.core.promises import Promise, after, chain
from radiod.core.sessions.session import Session
from radiod.errors import RadiodError

__all__ = ["EVERYWHERE", "Everywhere"]

EVERYWHERE: Final = "access everywhere"
"""What these questions are about."""

ANSWER_S: Final = 2.0
"""How long a node may take to answer."""

PART: Final = 100
"""Records in one question."""

PROCEDURES: Final = {
    "radiod.admin.key.get": "keys",
    "radiod.admin.key.list": "keys",
    "radiod.admin.account.get": "accounts",
    "radiod.admin.account.list": "accounts",
    "radiod.admin.user.list": "users",
}
"""What is told of all nodes -> what it describes."""

NAMES: Final = {"keys": ("id", "realm"), "accounts": ("id",), "users": ("realm", "authid")}
"""What names a record, in its description."""

COUNTS: Final = {"keys": "sessions", "accounts": "connections", "users": "sessions"}
"""What is added up."""

Count = Annotated[int, msgspec.Meta(ge=0)]
Use = tuple[str, float, float]
"""One secret: its hint, when it was made, and when it was used last."""

Question = tuple[str, list[list[str]]]
Answer = list[tuple[Count, list[Use]]]

ENCODER: Final = msgspec.msgpack.Encoder()
QUESTION: Final = msgspec.msgpack.Decoder(Question)
ANSWER: Final = msgspec.msgpack.Decoder(Answer)

Row = dict[str, Any]


class Everywhere:
    """One node's part."""

    def __init__(self, books: AccessBooks, peers: Peers) -> None:
        self._books = books
        self._peers = peers
        peers.take(EVERYWHERE, self._take)

    def wrap(self, table: dict[str, Procedure]) -> None:
        """Have the procedures in a realm's table tell of all nodes.

        ``unanswered`` names nodes of which what they tell knows nothing, if there are such.
        """
        for name, kind in PROCEDURES.items():
            signature, handler = table[name]
            table[name] = signature, self._wrapped(kind, handler)

    def _wrapped(self, kind: str, handler: Callable[..., Any]) -> Callable[..., Any]:
        def do(session: Session, **arguments: Any) -> Any:
            def complete(told: Row) -> Promise[Row]:
                return self.complete(kind, told, told.get(kind, [told]))

            return chain(handler(session, **arguments), complete)

        return do

    def statement(self, told: Row) -> Promise[Row]:
        """As ``Statements.complete``; nodes that do not answer are not named: customers do not know them."""
        account = {"id": told["account"], "connections": told["connections"]}

        def tell(_: Row) -> Row:
            return {**told, "connections": account["connections"]}

        def count(_: Row) -> Promise[Row]:
            return after(self.complete("keys", {}, told["keys"]), tell)

        return after(self.complete("accounts", {}, [account]), count)

    def complete(self, kind: str, told: Row, rows: list[Row]) -> Promise[Row]:
        """What is ``told``, when the descriptions in it have what all nodes count.

        Args:
            rows: descriptions of ``kind``, which are changed.
        """
        completed: Promise[Row] = Promise()
        parts = [rows[start : start + PART] for start in range(0, len(rows), PART)]
        silent: set[str] = set()
        left = len(parts)

        def added(names: Sequence[str]) -> None:
            nonlocal left
            left -= 1
            silent.update(names)
            if left <= 0:
                completed.settle({**told, "unanswered": sorted(silent)} if silent else told)

        if not parts:
            added(())
        for part in parts:
            self._ask(kind, part, added)
        return completed

    def _ask(self, kind: str, rows: list[Row], added: Callable[[Sequence[str]], None]) -> None:
        question: Question = kind, [[row[name] for name in NAMES[kind]] for row in rows]

        def came(answers: Answers | RadiodError) -> None:
            if isinstance(answers, RadiodError):
                added([self._peers.name(node) for node in self._peers.live()])
                return
            silent = list(answers.unanswered)
            for node, data in answers.given.items():
                answer = decode(ANSWER, data)
                if answer is None or len(answer) != len(rows):
                    silent.append(self._peers.name(node))
                    continue
                for row, (count, uses) in zip(rows, answer, strict=True):
                    row[COUNTS[kind]] += count
                    _note_uses(row, uses)
            added(silent)

        self._peers.ask_all(EVERYWHERE, ENCODER.encode(question), ANSWER_S).then(came)

    def _take(self, node: int, data: bytes) -> bytes | None:
        question = decode(QUESTION, data)
        if question is None or question[0] not in NAMES or len(question[1]) > PART:
            return None
        kind, names = question
        if any(len(one) != len(NAMES[kind]) for one in names):
            return None
        return ENCODER.encode([self._own(kind, one) for one in names])

    def _own(self, kind: str, name: list[str]) -> tuple[int, list[Use]]:
        """What this node counts of one record; of one that it does not know nothing."""
        row = self._books.described(kind, name)
        if row is None:
            return 0, []
        secrets = row.get("secrets", ())
        uses = [(*_secret(one), one["last_used"]) for one in secrets if one["last_used"] is not None]
        return row[COUNTS[kind]], uses


def _secret(secret: Row) -> tuple[str, float]:
    """What tells the secrets of one key apart. That of a key of the configuration is as old as its node."""
    return secret["hint"], secret["created"] if secret["hint"] else 0.0


def _note_uses(row: Row, uses: list[Use]) -> None:
    last = {(hint, created): used for hint, created, used in uses}
    for secret in row.get("secrets", ()):
        used = last.get(_secret(secret))
        if used is not None:
            secret["last_used"] = max(used, secret["last_used"] or 0.0)
