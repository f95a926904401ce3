"""Waiting until all nodes that are alive know a claim as it is known here."""

from __future__ import annotations

from typing import Final

from radiod.core.cluster.channel_records import Known, read_known, write_known
from radiod.core.cluster.claim import Claim
from radiod.core.cluster.claims import Claims
from radiod.core.cluster.peers import Peers
from radiod.core.promises import Promise, after
from radiod.core.timers import Clock, Timers
from radiod.errors import RadiodError

__all__ = ["SURE_S", "Agreement"]

ASK_S: Final = 0.25
"""Before a claim that nobody told is asked for again."""

SURE_S: Final = 1.0
"""An agreement that took longer may be of a time when others took us for dead, and had what is claimed."""


class Agreement:
    """Agrees on the claims of one part of a realm."""

    def __init__(self, about: str, peers: Peers, claims: Claims, clock: Clock, timers: Timers) -> None:
        self._about = about
        self._peers = peers
        self._claims = claims
        self._clock = clock
        self._timers = timers
        peers.take(about, self._take)

    def agree(self, key: str) -> Promise[None]:
        """Kept when all nodes that are alive know a claim as it is known here, or newer.

        What a node that stood still hears first, when it goes on, is what was said before. So where it took
        long, the claim is known then as its leader has it. Comes to ``Refused`` (``unavailable``) if nobody
        tells that.
        """
        began = self._clock.seconds()
        letter = Known(key, self._claims.revision(self._about, key))

        def known(_: None) -> Promise[None] | None:
            if self._clock.seconds() - began <= SURE_S:
                return None
            return after(self._claims.refresh(self._about, key), lambda claim: None)

        return after(self._peers.tell_all(self._about, write_known(letter)), known)

    def _take(self, node: int, data: bytes) -> Promise[bytes] | None:
        letter = read_known(data)
        if letter is None:
            self._peers.note_malformed(self._about, node)
            return None
        if self._claims.revision(self._about, letter.place) >= letter.revision:
            return None
        known: Promise[bytes] = Promise()
        self._ask(letter, known)
        return known

    def _ask(self, letter: Known, known: Promise[bytes]) -> None:
        """Have the claim from whoever has it, since nobody has told."""

        def told(outcome: Claim | RadiodError | None) -> None:
            if isinstance(outcome, RadiodError):
                self._timers.at(self._clock.seconds() + ASK_S, lambda: self._ask(letter, known))
            else:
                known.settle(b"")

        self._claims.refresh(self._about, letter.place).then(told)
