"""Whom one node of a cluster knows, and when it takes somebody for dead, or itself for cut off.

A node is dead when it was silent for ``dead_after_s``; sooner, when the engine says that nobody is there, for
longer than a connection takes that is made anew. Whoever was taken for dead never comes back: it must come as
a new incarnation, since what it had is gone.

Of two that took each other for dead, behind a cut, the one comes anew that sees fewer others; a node that saw
nobody does so by itself. So a majority stays what it is.
"""

from __future__ import annotations

from typing import Final

__all__ = ["MAX_BURIED", "MAX_NODES", "MISSING_SHARE", "Membership", "OtherNode"]

MAX_BURIED: Final = 10_000
"""Incarnations that are remembered as dead; the oldest are forgotten."""

MAX_NODES: Final = 1_000
"""Other nodes that are known at once, let in or not; more are not met."""

MAX_KEPT: Final = 20_000
"""Questions of one node that would be known again: twice as many as it may have open."""

MISSING_SHARE: Final = 0.3
"""Share of ``dead_after_s`` for which the engine may not find a node that is silent.

1.5 of 5 seconds: whoever lost its server has found another by then (0.1 s measured).
"""


class OtherNode:
    """Another node, as one node knows it.

    ``heard``: when it last was; ``is_in``: each of the two knows that the other is there; ``missing``: since
    when the engine does not find it, None: it may; ``told``: number of the last letter to it; ``had``: of
    the last one of it; ``kept``: ids of its latest questions that are asked until they are answered ->
    whether they have been.
    """

    __slots__ = ("digest", "had", "heard", "incarnation", "is_in", "kept", "missing", "name", "told")

    def __init__(self, incarnation: int, name: str, digest: str, heard: float) -> None:
        self.incarnation = incarnation
        self.name = name
        self.digest = digest
        self.heard = heard
        self.is_in = False
        self.missing: float | None = None
        self.told = 0
        self.had = 0
        self.kept: dict[int, bool] = {}

    def note_kept(self, id: int, is_taken_in: bool) -> None:
        """One of its questions that are asked until they are answered came, or was taken in."""
        self.kept[id] = is_taken_in
        if len(self.kept) > MAX_KEPT:
            del self.kept[next(iter(self.kept))]


class Membership:
    """All other nodes that one node knows.

    ``known``: incarnation -> those that are alive, let in or not; ``had_others``: one that was let in did not
    say goodbye; ``is_isolated``: it hears nobody, or has no engine; ``born``: when this incarnation could be
    heard first.
    """

    def __init__(self, dead_after_s: float, now: float) -> None:
        self._dead_after_s = dead_after_s
        self.known: dict[int, OtherNode] = {}
        self._buried: dict[int, None] = {}
        self.had_others = False
        self.is_isolated = False
        # Somebody was taken for dead while nobody was heard: perhaps it was us.
        self.is_in_doubt = False
        # When somebody who was let in was heard, or most of the engine reached.
        self._company = now
        self._connected: float | None = None
        self._since_down = now
        self._began = now
        self._is_new = True
        self.born = now

    # --- who is there

    @property
    def inside(self) -> list[OtherNode]:
        """Those that were let in."""
        return [other for other in self.known.values() if other.is_in]

    def find(self, incarnation: int) -> OtherNode | None:
        """One that was let in."""
        other = self.known.get(incarnation)
        return other if other is not None and other.is_in else None

    def named(self, name: str) -> OtherNode | None:
        """One that is called so."""
        return next((other for other in self.known.values() if other.name == name), None)

    def name(self, incarnation: int) -> str:
        """What a node is called; of one that is not known, its number."""
        other = self.known.get(incarnation)
        return str(incarnation) if other is None else other.name

    def is_buried(self, incarnation: int) -> bool:
        """Whether it was taken for dead."""
        return incarnation in self._buried

    def is_gone(self, incarnation: int, now: float) -> bool:
        """Whether it is dead: it was taken for that, or would have been heard of by now."""
        if incarnation in self.known:
            return False
        return incarnation in self._buried or now - self._began >= self._dead_after_s

    @property
    def is_full(self) -> bool:
        """Whether no more nodes may be met."""
        return len(self.known) >= MAX_NODES

    def meet(self, incarnation: int, name: str, digest: str, now: float) -> OtherNode:
        """One that was not known; it is not let in yet."""
        other = self.known[incarnation] = OtherNode(incarnation, name, digest, now)
        return other

    def hear(self, other: OtherNode, now: float) -> None:
        """It was heard."""
        other.heard = now
        other.missing = None
        if other.is_in:
            self._company = now

    def let_in(self, other: OtherNode, now: float) -> None:
        """It knows that we are here, too."""
        other.is_in = True
        self.had_others = True
        self._company = now

    def bury(self, incarnation: int) -> OtherNode | None:
        """It is dead. Returns: what was known of it."""
        self._buried[incarnation] = None
        if len(self._buried) > MAX_BURIED:
            del self._buried[next(iter(self._buried))]
        return self.known.pop(incarnation, None)

    def say_goodbye(self, incarnation: int) -> OtherNode | None:
        """It went. Returns: as ``bury``."""
        other = self.bury(incarnation)
        if not self.inside:
            self.had_others = False
        return other

    def begin_anew(self, former: int, now: float) -> list[OtherNode]:
        """We are a new incarnation: everybody else must be met again. Returns: who was let in."""
        inside = self.inside
        self.known.clear()
        self._buried = {former: None}
        self._began = self.born = now
        self.is_in_doubt = False
        return inside

    # --- time

    def connect(self, now: float) -> None:
        """There is a connection to the engine: others may take as long until they have one."""
        if self._is_new:
            self._is_new = False
            self.born = now
        self._connected = self._began = now
        self.be_patient(now)

    def disconnect(self, now: float) -> None:
        """There is none any more."""
        self._connected = None
        self._since_down = now

    def be_patient(self, now: float) -> None:
        """We could not hear anybody until now: nobody is dead before half of the time has passed again."""
        for other in self.known.values():
            other.heard = max(other.heard, now - self._dead_after_s / 2)
            other.missing = None
        self._company = max(self._company, now - self._dead_after_s / 4)
        self._began = max(self._began, now - self._dead_after_s / 2)

    def reached_most(self, asked: float) -> None:
        """Most of the engine was there since it was asked then, even if we hear nobody."""
        if self._connected is not None:
            self._company = max(self._company, asked)

    def is_quiet(self, now: float) -> bool:
        """Whether those who were there have not been heard for longer than they pause."""
        return self.had_others and now - self._company > self._dead_after_s * 0.3

    def dead(self, now: float) -> list[int]:
        """Whom to take for dead."""
        return [other.incarnation for other in self.known.values() if self._is_dead(other, now)]

    def _is_dead(self, other: OtherNode, now: float) -> bool:
        limit = self._dead_after_s
        is_gone = other.missing is not None and now - other.missing >= limit * MISSING_SHARE
        return is_gone or now - other.heard >= limit

    def is_cut_off(self, now: float) -> bool:
        """Whether we have heard nobody for half of the time after which one is dead; or had no engine for the
        share of it after which the others, who are told that nobody is there, may take us for dead: they look
        for us half a second later at the earliest.

        Whoever has taken others for dead meanwhile is, too, until it is another one.
        """
        if self.is_in_doubt:
            return True
        half = self._dead_after_s / 2
        if self._connected is None:
            return now - self._since_down >= self._dead_after_s * MISSING_SHARE
        is_alone = self.had_others and now - self._company >= half
        # They are there, and do not let us in.
        is_refused = bool(self.known) and not self.inside and now - self._connected >= half
        return is_alone or is_refused
