"""Keys that requests show: wrong ones are counted, and from where many come all wait for their turn."""

from __future__ import annotations

from collections.abc import Callable

from radiod.core.budgets.addresses import network_of
from radiod.core.budgets.guesses import Guesses
from radiod.errors import RadiodError, Refused
from radiod.web.answers import Request
from radiod.web.routes import Outcome, settle
from radiod.wire.answer import Answer
from radiod.wire.answers import json_answer

__all__ = ["Suspicion"]


class Suspicion:
    """What routes that take keys share."""

    def __init__(self, guesses: Guesses) -> None:
        self._guesses = guesses

    @property
    def is_idle(self) -> bool:
        """Whether nobody guesses, as most of the time: then there is no turn to wait for."""
        return not self._guesses.networks

    def in_turn(self, request: Request, keys: tuple[str | None, ...], act: Callable[[], Outcome]) -> Outcome:
        """What ``act`` comes to: at once, or when the address has its turn.

        ``keys`` that were right on this connection, from this address, are no guesses: who publishes all the
        time does not wait.
        """
        if self.is_idle or not any(keys):
            return act()
        if request.connection.proven == _digest(request, keys):
            return act()
        try:
            turn = self._guesses.turn(network_of(request.visit.address))
        except Refused as refusal:
            return _refuse(refusal)
        if turn is None:
            return act()
        request.on_lost = turn.leave

        def proceed(outcome: RadiodError | None) -> None:
            if not request.is_over:
                request.on_lost = None
                settle(request, act() if outcome is None else _refuse(outcome))

        turn.then(proceed)
        return None

    def proven(self, request: Request, keys: tuple[str | None, ...]) -> None:
        """These keys were right."""
        request.connection.proven = _digest(request, keys)

    def wrong(self, request: Request) -> None:
        """A key was wrong."""
        request.connection.proven = None
        self._guesses.wrong(network_of(request.visit.address))


def _digest(request: Request, keys: tuple[str | None, ...]) -> int:
    """What is remembered of keys while the connection lives; it is cheap, since each request makes it.

    Python's hash is keyed anew in each process: nobody can make another key with the same one.
    """
    return hash((request.visit.address, keys))


def _refuse(refusal: RadiodError) -> Answer:
    return json_answer(429, {"error": refusal.text}, ("Retry-After", "5"))
