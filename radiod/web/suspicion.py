"""Keys that requests show: wrong ones are counted, and from where many come all wait for their turn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.web.server import NOT_DONE_YET, Request

from radiod.core.budgets.addresses import network_of
from radiod.core.budgets.guesses import Guesses
from radiod.errors import RadiodError, Refused
from radiod.web.answers import answer, visit

__all__ = ["Suspicion"]


class Suspicion:
    """What resources that take keys share."""

    def __init__(self, guesses: Guesses) -> None:
        self._guesses = guesses

    def in_turn(self, request: Request, keys: tuple[str | None, ...], act: Callable[[], Any]) -> Any:
        """What ``act`` answers, as any method that renders: at once, or when the address has its turn.

        ``keys`` that were right on this connection, from this address, are no guesses: who publishes all the
        time does not wait.
        """
        connection: Any = request.channel
        network = network_of(visit(request).address)
        if not self._guesses.networks or not any(keys) or connection.proven == (network, keys):
            return act()
        try:
            turn = self._guesses.turn(network)
        except Refused as refusal:
            return _refuse(request, refusal)
        if turn is None:
            return act()
        gone: list[object] = []

        def lost(reason: object) -> None:
            gone.append(reason)
            turn.leave()

        def proceed(outcome: RadiodError | None) -> None:
            if gone:
                return
            content = act() if outcome is None else _refuse(request, outcome)
            if content is not NOT_DONE_YET:
                request.setHeader("Content-Length", str(len(content)))
                request.write(content)
                request.finish()

        request.notifyFinish().addBoth(lost)
        turn.then(proceed)
        return NOT_DONE_YET

    def proven(self, request: Request, keys: tuple[str | None, ...]) -> None:
        """These keys were right."""
        connection: Any = request.channel
        connection.proven = network_of(visit(request).address), keys

    def wrong(self, request: Request) -> None:
        """A key was wrong."""
        connection: Any = request.channel
        connection.proven = None
        self._guesses.wrong(network_of(visit(request).address))


def _refuse(request: Request, refusal: RadiodError) -> bytes:
    request.setHeader("Retry-After", "5")
    return answer(request, 429, {"error": refusal.text})
