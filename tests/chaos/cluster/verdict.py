"""What the books say in the end: one line of figures, and whatever was promised otherwise."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from fuzz.target import Finding

from chaos.cluster.crew import Crew
from chaos.cluster.load import Load
from chaos.cluster.other_books import idle, late_calls, outcomes, overlaps
from chaos.cluster.plain_book import Sums, judge
from chaos.cluster.settling import settled
from chaos.cluster.told_book import CHANNEL, KINDS, PERSON, SESSION, WILL, Rules, Tally
from chaos.cluster.told_book import judge as judge_told
from chaos.cluster.town import DEAD_AFTER_S, Town

__all__ = ["SLACK_S", "Play"]

CONVERGE_S = 10.0
"""After which all works again; the books of the load wait longer, to say how long it took."""

SLACK_S = 1.5
"""For a client that shares two cores with all it measures."""

GIVE_UP_S = 10.0
LIMITS = {
    SESSION: DEAD_AFTER_S + 1 + SLACK_S,
    PERSON: DEAD_AFTER_S + 2 + SLACK_S,
    CHANNEL: DEAD_AFTER_S + 4 + SLACK_S,
    WILL: DEAD_AFTER_S + 2 + SLACK_S,
}
"""Seconds behind the death of its node until everybody is told; some 2 s: 4 at most, as nodes take turns."""

LEFT = "the callee left before it answered"
"""Why a call may be canceled that its caller has not: as the standard has it."""

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
    long a call may take whose callee's node is gone; ``is_lossy``: whether nodes that live may lose plain
    events; ``slot_s``: how long nobody may have the slot that all try to have.
    """

    town: Town
    load: Load
    silence_s: float = 20.0
    is_new_epoch: bool = False
    is_refused: bool = False
    minority: bool = False
    call_s: float = DEAD_AFTER_S + 1
    converge_s: float = CONVERGE_S
    is_lossy: bool = True
    slot_s: float = 60.0
    times: int = 0
    converged: list[float] = field(default_factory=list)
    known: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def crew(self) -> Crew:
        """The books."""
        return self.load.crew

    def heal(self, what: Callable[[], object]) -> None:
        """Do what ends a trouble, and wait until all works together again."""
        what()
        since = time.monotonic()
        self.converged.append(self.load.converged(since))
        if self.load.folk:
            took, wrong = settled(self.load, since)
            self.known.append(took)
            self.must(not wrong, f"not everybody knows who is there: {wrong[:3]}")
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
        tally = self._judge_told()
        self.must(not self.crew.troubles, f"troubles: {self.crew.troubles[:3]}")
        worst = max(self.converged, default=0.0)
        self.must(worst <= self.converge_s, f"it took {worst:.1f} s until all worked again")
        text = self._figures(f"{self.times} x {what}, beside {self.load.scale}", sums, tally)
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
        self.must(not sums.repeated, f"plain: {sums.repeated} repeated {sums.again[:6]}")
        self.must(not sums.reordered, f"plain: {sums.reordered} out of order")

    def _judge_others(self) -> None:
        crew = self.crew
        odd = set(outcomes(crew.calls)) - EXPECTED
        self.must(not odd, f"calls ended with {odd}")
        late = late_calls(crew.calls, crew.windows, self.call_s + SLACK_S, GIVE_UP_S)
        told = [f"{one}, asked {crew.runs[one.id]} times" for one in late]
        self.must(not late, f"{len(late)} calls took too long: {told[:3]}")
        others = [one for one in crew.calls if one.outcome == "wamp.error.canceled" and one.text != LEFT]
        self.must(not others, f"calls were canceled: {others[:3]}")
        twice = [id for id, count in crew.runs.items() if count > 1]
        self.must(not twice, f"run twice: {twice[:3]}")
        both = overlaps(crew.holdings, crew.windows, DEAD_AFTER_S, GIVE_UP_S)
        # Of claims that are lost nobody knows until they are claimed again.
        self.must(self.is_new_epoch or not both, f"held by two: {both[:3]}")
        if self.is_new_epoch:
            self.notes.append(f"held by two until all had claimed again: {len(both)} times")

    def _judge_told(self) -> Tally:
        crew = self.crew
        rules = Rules(crew.windows, LIMITS, time.monotonic(), crew.deaths, self.is_lossy)
        tally = judge_told(crew.watches, crew.beings, rules)
        self.must(not tally.wrong, f"{len(tally.wrong)} told wrongly: {tally.wrong[:3]}")
        self.must(
            len(tally.unheard) <= tally.lost,
            f"{len(tally.unheard)} testaments missing, {tally.lost} told as lost: {tally.unheard[:4]}",
        )
        both = overlaps(crew.slots, crew.windows, DEAD_AFTER_S, GIVE_UP_S)
        self.must(self.is_new_epoch or not both, f"two wrote where one may: {both[:3]}")
        self.must(idle(crew.slots) <= self.slot_s, f"nobody had the slot for {idle(crew.slots):.1f} s")
        worst = max(self.known, default=0.0)
        self.must(worst <= CONVERGE_S, f"it took {worst:.1f} s until everybody knew who is there")
        return tally

    # --- telling

    def _figures(self, what: str, sums: Sums, tally: Tally) -> str:
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
            *(self._told(tally) if self.load.folk else ()),
            *self.notes,
        ]
        return "\n    ".join(lines)

    def _told(self, tally: Tally) -> list[str]:
        crew = self.crew
        counts = Counter(being.kind for being in crew.beings)
        kinds = [
            f"{tally.told[kind]} of {counts[kind]} {kind}s, {tally.dead[kind]} for deaths, after"
            f" {tally.slowest.get(kind, 0.0):.1f} s at most"
            for kind in KINDS
        ]
        return [
            f"told by {len(crew.watches)} watchers: {'; '.join(kinds)}; {len(tally.wrong)} wrong,"
            f" {len(tally.unheard)} testaments missing, {tally.lost} told as lost;"
            f" channels ended: {dict(crew.reasons)}, {crew.taken_over} taken over",
            f"{len(crew.slots)} wrote in turn where one may, nobody for {idle(crew.slots):.1f} s at most;"
            f" {crew.demands} times told of demand; who is there is known everywhere after"
            f" {max(self.known, default=0.0):.1f} s at most",
        ]

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
