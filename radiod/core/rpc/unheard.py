"""Streams of progressive results that nobody takes any more, at callees that cannot be told to stop.

A callee that did not announce call canceling goes on when its caller is gone: the dealer drops what comes.
A caller that connects, calls and leaves, again and again, would have it run more and more of them: so at most
``MAX_UNHEARD`` run for nobody. Beyond that the callee's further calls are not asked for progress, until some
have ended, or were silent for so long that they are taken for ended.

Source: WAMP specification, "Progressive Call Results", on callers that leave, which ends such streams by
INTERRUPT and so asks for callees that understand it.
"""

from __future__ import annotations

from typing import Final

from radiod.core.sessions.session import Session
from radiod.core.timers import Clock

__all__ = ["MAX_UNHEARD", "Unheard"]

MAX_UNHEARD: Final = 64
"""Streams that one callee may be running for nobody before it is not asked for more."""


class Unheard:
    """The streams that go on unheard, by callee; only the dealer uses it.

    A callee's are as many as the calls that it had pending at a time, at most, and ``MAX_UNHEARD``.

    Args:
        silence_s: seconds after which a stream of which nothing came is taken for ended.
    """

    def __init__(self, clock: Clock, silence_s: float) -> None:
        self._clock = clock
        self._silence_s = silence_s
        # callee -> invocation -> monotonic seconds when something of it came, longest ago first
        self._streams: dict[Session, dict[int, float]] = {}

    def __len__(self) -> int:
        """Callees that run any, or did when they were last heard."""
        return len(self._streams)

    def begin(self, callee: Session, invocation: int) -> None:
        """A stream's caller is gone."""
        self._streams.setdefault(callee, {})[invocation] = self._clock.seconds()

    def heard(self, callee: Session, invocation: int, is_over: bool) -> None:
        """Something came for an invocation that has ended, a stream or not."""
        streams = self._streams.get(callee)
        if streams is None or streams.pop(invocation, None) is None:
            return
        if not is_over:
            streams[invocation] = self._clock.seconds()
        elif not streams:
            del self._streams[callee]

    def is_full(self, callee: Session) -> bool:
        """True when the callee should not be asked for another stream."""
        streams = self._streams.get(callee)
        if streams is None or len(streams) < MAX_UNHEARD:
            return False
        since = self._clock.seconds() - self._silence_s
        for invocation in [one for one, heard in streams.items() if heard <= since]:
            del streams[invocation]
        return len(streams) >= MAX_UNHEARD

    def forget(self, callee: Session) -> None:
        """The callee left."""
        self._streams.pop(callee, None)
