"""What a request of a key has under way: a call, an upload. It ends when the key's access does."""

from __future__ import annotations

from collections.abc import Callable

from radiod.core.holders import Holder
from radiod.errors import NoAccess

__all__ = ["Ongoing"]


class Ongoing:
    """One thing of a holder that is no session, from now on until it is ``done``.

    ``end`` is called, once, if the holder's access ends before that.
    """

    __slots__ = ("_end", "_holder", "is_over")

    def __init__(self, holder: Holder, end: Callable[[NoAccess], None]) -> None:
        self._holder = holder
        self._end = end
        self.is_over = False
        holder.enter(self, Ongoing._dismiss, connections=0)

    def done(self) -> None:
        """It has come to its end; twice does nothing."""
        self.is_over = True
        # Or they would keep each other.
        self._end = _nothing
        self._holder.leave(self, connections=0)

    def _dismiss(self, reason: str) -> None:
        end = self._end
        self.done()
        end(NoAccess(reason))


def _nothing(why: NoAccess) -> None:
    """It is over."""
