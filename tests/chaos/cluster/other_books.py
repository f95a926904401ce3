"""What became of calls, and who held the one registration that only one may hold."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

SUPERSEDED = "superseded"
"""How the server closes the session of who was taken for dead, when somebody else has what it had."""

__all__ = ["Call", "Holding", "Window", "idle", "late_calls", "outcomes", "overlaps"]


@dataclass(eq=False)
class Call:
    """One call, from a node to the callee of one.

    ``ended``: None: it never was; ``outcome``: URI, or ok; ``text``: what an error says besides; ``id``: what
    its callee is asked.
    """

    caller: str
    callee: str
    began: float
    ended: float | None = None
    outcome: str = ""
    text: str = ""
    id: str = ""

    def __str__(self) -> str:
        moment = time.strftime("%T", time.localtime(time.time() - time.monotonic() + self.began))
        took = "never ended" if self.ended is None else f"took {self.ended - self.began:.1f} s"
        return f"{self.caller} to {self.callee} at {moment} {took}: {self.outcome} {self.text}"


@dataclass(eq=False)
class Holding:
    """One session's registration, or slot: from its answer until it asked to end it, or its session ended.

    ``process``: its node's.
    """

    node: str
    began: float
    ended: float | None = None
    why: str = ""
    process: int = 0


@dataclass(eq=False)
class Window:
    """A node is away: it stands still, or is cut off. ``until``: None: it still is."""

    node: str
    begin: float
    until: float | None = None

    def covers(self, moment: float, grace: float) -> bool:
        """Whether something at that moment may have to do with it; ``grace``: afterwards."""
        return self.begin <= moment and (self.until is None or moment <= self.until + grace)


def outcomes(calls: list[Call]) -> Counter[str]:
    """How many ended how."""
    return Counter(call.outcome or "never" for call in calls)


def late_calls(calls: list[Call], windows: list[Window], limit: float, grace: float) -> list[Call]:
    """Those that took longer than they may, or never ended; but for those of a node that was away itself."""
    late = []
    for call in calls:
        own = [
            window for window in windows if window.node == call.caller and window.covers(call.began, grace)
        ]
        own += [
            window
            for window in windows
            if window.node == call.caller and call.began < window.begin < (call.ended or window.begin + 1)
        ]
        if not own and (call.ended is None or call.ended - call.began > limit):
            late.append(call)
    return late


def overlaps(holdings: list[Holding], windows: list[Window], dead_after_s: float, grace: float) -> list[str]:
    """Where two held it at once who may not have.

    Who is away is taken for dead: somebody else may have it then, and who comes back has to give it up.
    """
    found = []
    ordered = sorted(holdings, key=lambda holding: holding.began)
    for at, first in enumerate(ordered):
        for second in ordered[at + 1 :]:
            if first.ended is not None and second.began >= first.ended:
                continue
            if SUPERSEDED in first.why and first.ended is not None and first.ended <= second.began + grace:
                continue
            if not _is_excused(first, second, windows, dead_after_s, grace):
                ended = "never" if first.ended is None else f"{first.ended:.2f}"
                one = f"{first.node} from {first.began:.2f} to {ended} {first.why}"
                found.append(f"{one}, and {second.node} from {second.began:.2f}")
    return found


def idle(holdings: list[Holding]) -> float:
    """The longest time for which nobody had it, though all try."""
    longest, until = 0.0, None
    for one in sorted(holdings, key=lambda holding: holding.began):
        if until is not None:
            longest = max(longest, one.began - until)
        until = max(until or 0.0, one.ended or one.began)
    return longest


def _is_excused(
    first: Holding, second: Holding, windows: list[Window], dead_after_s: float, grace: float
) -> bool:
    """Whether the first was away for long enough when the second came, and gave up when it was back."""
    for window in windows:
        if window.node != first.node or second.began < window.begin + dead_after_s / 4:
            continue
        if not window.covers(second.began, 0):
            continue
        if window.until is None or (first.ended is not None and first.ended <= window.until + grace):
            return True
    return False


@dataclass
class Readiness:
    """What one node said of itself: (moment, status) at each change; 0: nothing."""

    node: str
    changes: list[tuple[float, int]] = field(default_factory=list)

    def note(self, moment: float, status: int) -> None:
        """It said so."""
        if not self.changes or self.changes[-1][1] != status:
            self.changes.append((moment, status))

    @property
    def status(self) -> int:
        """The last one."""
        return self.changes[-1][1] if self.changes else 0

    def first(self, status: int, after: float) -> float | None:
        """When it first said so after a moment, or said so already; None: never."""
        before = 0
        for moment, said in self.changes:
            if moment > after:
                if before == status:
                    return after
                if said == status:
                    return moment
            before = said
        return after if before == status else None
