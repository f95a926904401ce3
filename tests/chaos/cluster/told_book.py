"""What the router told of who came and who went, on every node: each change once, and in time.

Four kinds of things are watched: sessions (``wamp.session.on_join``, ``on_leave``), people (presence),
channels that sessions own (``radiod.channel.on_create``, ``on_delete``), and testaments.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

from chaos.cluster.other_books import Window

__all__ = [
    "CAME",
    "CHANNEL",
    "KINDS",
    "PERSON",
    "SESSION",
    "WENT",
    "WILL",
    "Being",
    "Rules",
    "Tally",
    "Watch",
    "judge",
]

SESSION, PERSON, CHANNEL, WILL = KINDS = ("session", "person", "channel", "will")
CAME, WENT = "came", "went"
"""A testament only goes: when it is heard."""

BACK_S = 10.0
"""Behind its return a node learns what is there; others learn what it has."""

AROUND_S = 2.0
"""What happens so shortly around the beginning of a watch, or its end, may be told or not."""


@dataclass(eq=False)
class Being:
    """One that came, and went perhaps. ``key``: what it is told as; ``process``: of its node.

    ``is_killed``: it went with its node; ``is_dropped``: nobody knows whether it came, or when it went;
    ``slower_s``: so much later it goes than others of its kind.
    """

    kind: str
    key: object
    node: str
    process: int
    came: float
    went: float | None = None
    is_killed: bool = False
    is_dropped: bool = False
    slower_s: float = 0.0


@dataclass(eq=False)
class Watch:
    """One watcher's session, at a node.

    ``told``: (kind, key) -> (moment, what) in turn; ``lost``: events that it was told it missed.
    """

    node: str
    process: int
    began: float
    ended: float | None = None
    told: dict[tuple[str, object], list[tuple[float, str]]] = field(default_factory=dict)
    lost: int = 0

    def note(self, kind: str, key: object, what: str, moment: float) -> None:
        """It was told."""
        self.told.setdefault((kind, key), []).append((moment, what))


@dataclass
class Rules:
    """What is to be judged. ``limits``: kind -> seconds behind the death of its node until it is told.

    ``until``: when all stopped; ``deaths``: process -> when; ``is_lossy``: plain events may be lost, and are
    told as lost.
    """

    windows: list[Window]
    limits: dict[str, float]
    until: float
    deaths: dict[int, float]
    is_lossy: bool = False

    def limit(self, being: Being) -> float:
        """Seconds until it must have been told that it went."""
        return being.slower_s + (self.limits[being.kind] if being.is_killed else AROUND_S)

    def is_between(self, being: Being, node: str) -> bool:
        """Whether it came and went while one of the two nodes was away: the other never heard of it."""
        own = [window for window in self.windows if window.node in (node, being.node)]
        return any(
            window.covers(being.came, BACK_S) and window.covers(being.went or being.came, BACK_S)
            for window in own
        )

    def died_behind(self, being: Being) -> bool:
        """Whether its node was killed right behind its going: that may be unsent."""
        death = self.deaths.get(being.process)
        return death is not None and being.went is not None and 0 <= death - being.went < AROUND_S

    def around(self, being: Being) -> str:
        """When nodes died, its own and others, beside its going."""
        went = being.went or 0.0
        deaths = {process: death - went for process, death in self.deaths.items() if abs(death - went) < 12}
        own = deaths.pop(being.process, None)
        others = sorted(f"{seconds:+.2f}" for seconds in deaths.values())
        return f"of node {being.node}, which died {own and f'{own:+.2f}'} s from then, others {others}"


@dataclass
class Tally:
    """Over all watches: ``told``: kind -> changes told; ``dead``: kind -> of those, for the death of a node.

    ``slowest``: kind -> seconds from the death of a node until it was told, at most; ``unheard``: testaments
    that some did not hear, with where; ``lost``: events that these were told they missed.
    """

    told: Counter[str] = field(default_factory=Counter)
    dead: Counter[str] = field(default_factory=Counter)
    slowest: dict[str, float] = field(default_factory=dict)
    unheard: list[str] = field(default_factory=list)
    lost: int = 0
    wrong: list[str] = field(default_factory=list)


def judge(watches: list[Watch], beings: list[Being], rules: Rules) -> Tally:
    """Compare what was told with what was so."""
    tally = Tally()
    for watch in watches:
        before = len(tally.unheard)
        for being in beings:
            said = watch.told.get((being.kind, being.key), [])
            tally.told[being.kind] += len(said)
            wrong = _wrong(watch, being, said, rules, tally)
            if wrong:
                moments = [f"{what} {moment:.1f}" for moment, what in said]
                came = f"from {being.came:.1f} to {being.went or 0:.1f}"
                where = f"{being.node}, {came}; at {watch.node} from {watch.began:.1f}: {moments}"
                tally.wrong.append(f"{being.kind} {being.key} {wrong}: {where}")
        if len(tally.unheard) > before:
            tally.lost += watch.lost
    return tally


def _wrong(watch: Watch, being: Being, said: list[tuple[float, str]], rules: Rules, tally: Tally) -> str:
    """What is wrong with what one was told of another; empty: nothing."""
    if being.kind == WILL:
        return _wrong_will(watch, being, said, rules, tally)
    whats = [what for _, what in said]
    if any(one == other for one, other in pairwise(whats)):
        return "was told twice"
    if CAME in whats and whats[0] == WENT and being.came > watch.began + AROUND_S:
        return "went before it came"
    if not rules.windows and len(whats) > 2:
        return "came again"
    return _wrong_end(watch, being, said, rules, tally)


def _wrong_end(watch: Watch, being: Being, said: list[tuple[float, str]], rules: Rules, tally: Tally) -> str:
    if being.is_dropped:
        return ""
    last = said[-1][1] if said else ""
    end = rules.until if watch.ended is None else watch.ended
    if being.went is None:
        was_there = watch.ended is None and watch.began + AROUND_S < being.came < end - AROUND_S
        missing = "was never told to have come" if was_there and not said else ""
        return "is there, and was told to have gone" if last == WENT else missing
    limit = rules.limit(being)
    if not watch.began + AROUND_S < being.went < end - limit - AROUND_S:
        return ""
    if last != WENT:
        is_unseen = not said and rules.is_between(being, watch.node)
        return "" if is_unseen else "has gone, and nobody said so"
    return _late(being, said[-1][0], limit, tally) if being.is_killed else ""


def _late(being: Being, moment: float, limit: float, tally: Tally) -> str:
    """It went with its node."""
    took = moment - (being.went or 0.0)
    tally.dead[being.kind] += 1
    tally.slowest[being.kind] = max(tally.slowest.get(being.kind, 0.0), took)
    return "" if took <= limit else f"was told after {took:.1f} s"


def _wrong_will(watch: Watch, being: Being, said: list[tuple[float, str]], rules: Rules, tally: Tally) -> str:
    if len(said) > 1:
        return f"was heard {len(said)} times"
    if said and being.went is None and not being.is_dropped:
        return "" if _was_away(being, rules) else "was heard of somebody who is there"
    if being.is_dropped or being.went is None:
        return ""
    end = rules.until if watch.ended is None else watch.ended
    limit = rules.limit(being)
    if not watch.began + AROUND_S < being.went < end - limit - AROUND_S:
        return ""
    if not said:
        tally.unheard.append(f"{being.key} at {watch.node}, {rules.around(being)}")
        return "" if rules.is_lossy or rules.died_behind(being) else "was never heard"
    return _late(being, said[0][0], limit, tally) if being.is_killed else ""


def _was_away(being: Being, rules: Rules) -> bool:
    return any(window.node == being.node for window in rules.windows)
