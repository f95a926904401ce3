"""How often each bound was met, for the statistics and the log.

Where a bound is met things must go on fast, so the log hears of each bound at most once in a round of the
statistics: who met it last, and how often it was met since.
"""

from __future__ import annotations

from collections.abc import Callable

from radiod.core.rights import Actor
from radiod.errors import QUOTA, Exceeded, RadiodError

__all__ = ["Bounds", "Tell", "count_refusal"]

Tell = Callable[[str, int, Actor | None], None]
"""Takes a bound's name, how often it was met since it was last told of, and who met it, if that is known."""


class Bounds:
    """The bounds of one realm that were met. ``counts``: name -> how often, since the start.

    ``tell``: writes one line to the log; set by whoever has one.
    """

    __slots__ = ("_quiet", "counts", "tell")

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.tell: Tell = _nobody
        # name -> how often it was met since it was told of in this round; who met it last
        self._quiet: dict[str, tuple[int, Actor | None]] = {}

    def met(self, name: str, session: Actor | None = None, *, times: int = 1) -> None:
        """A bound was met; ``session``: by whom, None where it is nobody's in particular."""
        self.counts[name] = self.counts.get(name, 0) + times
        quiet = self._quiet.get(name)
        if quiet is None:
            self._quiet[name] = 0, None
            self.tell(name, times, session)
        else:
            self._quiet[name] = quiet[0] + times, session

    def turn(self) -> None:
        """A round has ended: tell of what was met again in it."""
        quiet, self._quiet = self._quiet, {}
        for name, (times, session) in quiet.items():
            if times:
                self._quiet[name] = 0, None
                self.tell(name, times, session)


def _nobody(name: str, times: int, session: Actor | None) -> None:
    """There is no log."""


def count_refusal(bounds: Bounds, refusal: RadiodError, actor: Actor) -> None:
    """Note a refusal if it is for a bound."""
    if isinstance(refusal, Exceeded):
        bounds.met(refusal.limit, actor)
    elif refusal.uri == QUOTA:
        bounds.met("quota", actor)
