"""Whether mirrors are right: each node tells how much it has, and what is mirrored of it is compared.

What is told to one node arrives in order. So when a node's answer comes, all that it had told before has
come, too, and its mirror must be the same as what it had at that moment, however busy it is. Only what is
being told anew, behind a loss or to a node that has just come, may differ for a moment; so may what is
compared with the stream of claims.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from radiod.core.cluster.check_letters import (
    AskAll,
    AskSums,
    Finding,
    read_findings,
    read_question,
    read_sums,
    write,
    write_sums,
)
from radiod.core.cluster.peers import Answers, Peers
from radiod.core.cluster.sums import Sum
from radiod.core.promises import Promise
from radiod.errors import RadiodError

__all__ = ["ALL_S", "SUMS_S", "Comparison", "MirrorCheck", "Mirrored"]

SUMS_S: Final = 10.0
"""How long a node may take to tell how much it has."""

ALL_S: Final = 30.0
"""How long it may take to check all that it mirrors."""

IN_A_QUESTION: Final = 500
"""Tables that are asked for at once."""

MOST_NAMED: Final = 5
"""Tables that are named where they differ."""

UNTOLD: Final = -1
"""What a node has that did not tell."""

ABOUT: Final = "check"


class Mirrored(Protocol):
    """A part that mirrors tables of other nodes; a table's name begins with its kind, and a space."""

    def mirrored(self) -> list[str]:
        """The tables that this node mirrors."""

    def own(self, table: str) -> Sum:
        """What this node has of its own in a table."""

    def of(self, table: str, node: int) -> Sum:
        """What it knows of another node's."""


Comparison = Callable[[], "Promise[tuple[Sum, Sum]]"]
"""Compares something of this node: comes to what should be there, and what is."""


class MirrorCheck:
    """Checks what one node mirrors, in all its realms, and has others do the same."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers
        self._parts: dict[str, tuple[str, Mirrored]] = {}
        self._comparisons: list[tuple[str, str, str, Comparison]] = []
        peers.take(ABOUT, self._asked)

    def add(self, realm: str, name: str, part: Mirrored) -> None:
        """Have a part checked."""
        self._parts[f"{realm} {name}"] = realm, part

    def compare(self, realm: str, what: str, of: str, comparison: Comparison) -> None:
        """Have something compared that is asked of no node."""
        self._comparisons.append((realm, what, of, comparison))

    # --- checking

    def check_all(self) -> Promise[tuple[dict[str, list[Finding]], tuple[str, ...]]]:
        """Every node's findings, by its name; and the names of those that did not answer."""
        found: dict[str, list[Finding]] = {}
        done: Promise[tuple[dict[str, list[Finding]], tuple[str, ...]]] = Promise()
        unanswered: list[str] = []
        waits = 2

        def came() -> None:
            nonlocal waits
            waits -= 1
            if not waits:
                done.settle((found, tuple(sorted(unanswered))))

        def own(findings: list[Finding] | RadiodError) -> None:
            assert not isinstance(findings, RadiodError), "what fails is a finding"
            found[self._peers.name(self._peers.me)] = findings
            came()

        def others(answers: Answers | RadiodError) -> None:
            assert not isinstance(answers, RadiodError), "who does not answer is named"
            unanswered.extend(answers.unanswered)
            for node, data in answers.given.items():
                findings = read_findings(data)
                if findings is None:
                    self._peers.note_malformed(ABOUT, node)
                    unanswered.append(self._peers.name(node))
                else:
                    found[self._peers.name(node)] = findings
            came()

        self._peers.ask_all(ABOUT, write(AskAll()), ALL_S).then(others)
        self.check().then(own)
        return done

    def check(self) -> Promise[list[Finding]]:
        """Check what this node mirrors."""
        return _Round(self._peers, self._parts, self._comparisons).begin()

    # --- being asked

    def _asked(self, node: int, data: bytes) -> bytes | Promise[bytes] | None:
        question = read_question(data)
        if isinstance(question, AskSums):
            _, part = self._parts.get(question.part, ("", None))
            sums = [] if part is None else [part.own(table) for table in question.tables]
            return write_sums(sums)
        if question is None:
            self._peers.note_malformed(ABOUT, node)
            return None
        answer: Promise[bytes] = Promise()
        self.check().then(
            lambda found: answer.settle(found if isinstance(found, RadiodError) else write(found))
        )
        return answer


class _Tally:
    """What is known of one kind of one node so far."""

    __slots__ = ("differ", "is_same", "mirrored", "owned")

    def __init__(self) -> None:
        self.owned = 0
        self.mirrored = 0
        self.is_same = True
        self.differ: list[str] = []

    def add(self, table: str, owned: Sum, mirrored: Sum) -> None:
        """One more table."""
        self.owned += owned.entries
        self.mirrored += mirrored.entries
        if owned != mirrored:
            self.is_same = False
            if len(self.differ) < MOST_NAMED:
                self.differ.append(table)

    def fail(self, why: str) -> None:
        """A node did not tell."""
        self.owned, self.is_same = UNTOLD, False
        self.differ = [why]


class _Round:
    """One check."""

    __slots__ = ("_comparisons", "_outcome", "_parts", "_peers", "_tallies", "_waits")

    def __init__(
        self,
        peers: Peers,
        parts: dict[str, tuple[str, Mirrored]],
        comparisons: list[tuple[str, str, str, Comparison]],
    ) -> None:
        self._peers = peers
        self._parts = parts
        self._comparisons = comparisons
        # (realm, kind, whose)
        self._tallies: dict[tuple[str, str, str], _Tally] = {}
        self._outcome: Promise[list[Finding]] = Promise()
        self._waits = 1

    def begin(self) -> Promise[list[Finding]]:
        """Ask all."""
        for name, (realm, part) in self._parts.items():
            tables = sorted(part.mirrored())
            for node in self._peers.live():
                for start in range(0, len(tables), IN_A_QUESTION):
                    self._ask(node, name, realm, part, tables[start : start + IN_A_QUESTION])
        for realm, what, of, comparison in self._comparisons:
            self._compare(realm, what, of, comparison)
        self._came()
        return self._outcome

    def _tally(self, realm: str, what: str, of: str) -> _Tally:
        return self._tallies.setdefault((realm, what, of), _Tally())

    def _ask(self, node: int, name: str, realm: str, part: Mirrored, tables: list[str]) -> None:
        whose = self._peers.name(node)

        def came(answer: bytes | RadiodError) -> None:
            sums = None if isinstance(answer, RadiodError) else read_sums(answer)
            why = str(answer) if isinstance(answer, RadiodError) else f"node {whose} does not tell"
            for at, table in enumerate(tables):
                tally = self._tally(realm, table.partition(" ")[0], whose)
                if sums is None or len(sums) != len(tables):
                    tally.fail(why)
                else:
                    tally.add(table, Sum(*sums[at]), part.of(table, node))
            self._came()

        self._waits += 1
        self._peers.ask(node, ABOUT, write(AskSums(name, tables)), SUMS_S).then(came)

    def _compare(self, realm: str, what: str, of: str, comparison: Comparison) -> None:
        def came(sums: tuple[Sum, Sum] | RadiodError) -> None:
            tally = self._tally(realm, what, of)
            if isinstance(sums, RadiodError):
                tally.fail(str(sums))
            else:
                tally.add(what, sums[0], sums[1])
            self._came()

        self._waits += 1
        comparison().then(came)

    def _came(self) -> None:
        self._waits -= 1
        if self._waits:
            return
        self._outcome.settle(
            [
                Finding(realm, what, of, tally.owned, tally.mirrored, tally.is_same, tally.differ)
                for (realm, what, of), tally in sorted(self._tallies.items())
            ]
        )
