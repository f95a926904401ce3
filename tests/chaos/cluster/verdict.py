"""What the books say in the end: one line of figures, and whatever was promised otherwise."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from fuzz.target import Finding

from chaos.cluster.crew import Crew
from chaos.cluster.load import Load
from chaos.cluster.other_books import late_calls, outcomes, overlaps
from chaos.cluster.plain_book import Sums, judge
from chaos.cluster.town import DEAD_AFTER_S, Town

__all__ = ["Play"]

CONVERGE_S = 10.0
"""After which all works again; the books of the load wait longer, to say how long it took."""

SLACK_S = 1.5
"""For a client that shares two cores with all it measures."""

GIVE_UP_S = 10.0
EXPECTED = {
    "ok", "wamp.error.network_failure", "wamp.error.no_such_procedure", "radiod.error.unavailable",
    "wamp.error.canceled", "its node died",
}  # fmt: skip
"""How calls may end."""


@dataclass
class Play:
    """One scenario: the cluster, its load, and what happened.

    ``silence_s``: how long all logs may be silent; ``is_new_epoch``: the past was destroyed: what was
    acknowledged may be gone, if listeners are told; ``is_refused``: publishes to logs may be;
    ``minority``: whether what was acknowledged by nodes that were away counts as a fault; ``call_s``: how
    long a call may take whose callee's node is gone.
    """

    town: Town
    load: Load
    silence_s: float = 20.0
    is_new_epoch: bool = False
    is_refused: bool = False
    minority: bool = False
    call_s: float = DEAD_AFTER_S + 1
    converge_s: float = CONVERGE_S
    times: int = 0
    converged: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def crew(self) -> Crew:
        """The books."""
        return self.load.crew

    def heal(self, what: Callable[[], object]) -> None:
        """Do what ends a trouble, and wait until all works together again."""
        what()
        self.converged.append(self.load.converged(time.monotonic()))
        self.times += 1

    def must(self, is_so: object, text: str) -> None:
        """Note a promise that was broken: the figures are told with it."""
        if not is_so:
            self.faults.append(text)

    def end(self, what: str) -> str:
        """Judge. Returns: the figures. Raises: Finding."""
        self.load.end()
        self.town.no_traceback()
        sums = judge(self.crew.hearings, self.crew.lives, self.crew.dead)
        self._judge_logged()
        self._judge_plain(sums)
        self._judge_others()
        self.must(not self.crew.troubles, f"troubles: {self.crew.troubles[:3]}")
        worst = max(self.converged, default=0.0)
        self.must(worst <= self.converge_s, f"it took {worst:.1f} s until all worked again")
        text = self._figures(f"{self.times} x {what}, beside {self.load.scale}", sums)
        if self.faults:
            raise Finding("; ".join(self.faults) + "\n    " + text)
        return text

    # --- judging

    def _judge_logged(self) -> None:
        crew = self.crew
        for book in crew.books.values():
            name = book.topic
            self.must(not book.repeated, f"{name}: {book.repeated} repeated")
            self.must(not book.reordered, f"{name}: {book.reordered} out of order")
            self.must(not book.misplaced, f"{name}: {book.misplaced} elsewhere for some")
            self.must(not book.denied(), f"{name}: {sorted(book.denied())[:2]} are said not to have happened")
            self.must(book.silence <= self.silence_s, f"{name}: silent for {book.silence:.1f} s")
            if self.is_new_epoch:
                untold = sum(reader.untold for reader in book.readers)
                self.must(not untold, f"{name}: {untold} listeners were not told of a new epoch")
                continue
            missing = book.missing()
            self.must(not missing, f"{name}: {len(missing)} acknowledged are missing: {sorted(missing)[:2]}")
            self.must(not book.lost, f"{name}: {book.lost} lost")
            self.must(not book.told, f"{name}: told of loss, {book.told} times")
            self.must(len(book.epochs) == 1, f"{name}: epochs {book.epochs}")
        refused = {
            what: count for what, count in crew.refusals.items() if what.startswith(("publish", "Listener"))
        }
        self.must(self.is_refused or not refused, f"refused: {refused}")
        accepted = [one for one in crew.accepted if one[1] > _begin(crew, one) + 1]
        self.must(not self.minority or not accepted, f"accepted in the minority: {accepted[:2]}")

    def _judge_plain(self, sums: Sums) -> None:
        self.must(not sums.wrong, f"told otherwise: {sums.wrong[:3]}")
        self.must(not sums.repeated, f"plain: {sums.repeated} repeated")
        self.must(not sums.reordered, f"plain: {sums.reordered} out of order")

    def _judge_others(self) -> None:
        crew = self.crew
        odd = set(outcomes(crew.calls)) - EXPECTED
        self.must(not odd, f"calls ended with {odd}")
        late = late_calls(crew.calls, crew.windows, self.call_s + SLACK_S, GIVE_UP_S)
        told = [
            f"{one.caller} to {one.callee}: {(one.ended or 0) - one.began:.1f} s, {one.outcome}"
            for one in late
        ]
        self.must(not late, f"{len(late)} calls took too long: {told[:3]}")
        twice = [id for id, count in crew.runs.items() if count > 1]
        self.must(not twice, f"run twice: {twice[:3]}")
        both = overlaps(crew.holdings, crew.windows, DEAD_AFTER_S, GIVE_UP_S)
        # Of claims that are lost nobody knows until they are claimed again.
        self.must(self.is_new_epoch or not both, f"held by two: {both[:3]}")
        if self.is_new_epoch:
            self.notes.append(f"held by two until all had claimed again: {len(both)} times")

    # --- telling

    def _figures(self, what: str, sums: Sums) -> str:
        crew = self.crew
        failed = [one.ended - one.began for one in crew.calls if one.ended and one.outcome != "ok"]
        lines = [
            what,
            self._logged(),
            f"plain: {sums.heard} heard, {sums.missing} missing, {sums.told} told, {sums.repeated} repeated,"
            f" {sums.reordered} reordered ({sums.exact} of {sums.hearings} listeners from end to end)",
            f"calls: {dict(outcomes(crew.calls))}, errors after {max(failed, default=0.0):.1f} s at most;"
            f" {len(crew.holdings)} held in turn; {crew.moves} moves;"
            f" all works again after {max(self.converged, default=0.0):.1f} s at most",
            *self.notes,
        ]
        return "\n    ".join(lines)

    def _logged(self) -> str:
        crew, books = self.crew, list(self.crew.books.values())
        heard = sum(reader.heard for book in books for reader in book.readers)
        refused = sum(count for name, count in crew.refusals.items() if name.startswith("publish"))
        return (
            f"logged: {sum(len(book.acknowledged) for book in books)} acknowledged, {heard} heard,"
            f" {sum(len(book.missing()) + book.lost for book in books)} lost,"
            f" {sum(book.repeated for book in books)} repeated,"
            f" {sum(book.reordered for book in books)} reordered, {sum(book.told for book in books)} told;"
            f" {refused} refused, {crew.unanswered} unanswered; silent"
            f" {max(book.silence for book in books):.1f} s at most, acknowledged after {crew.slowest:.1f} s"
        )


def _begin(crew: Crew, accepted: tuple[str, float, float]) -> float:
    """When the trouble began in which something was acknowledged."""
    node, _, moment = accepted
    return max(
        (one.begin for one in crew.windows if one.node == node and one.begin <= moment), default=moment
    )
