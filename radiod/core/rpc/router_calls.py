"""Calls that the router itself makes, to procedures that clients registered: authorizers, say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from radiod.core.promises import Later
from radiod.core.rpc.dealer import Dealer
from radiod.errors import INVALID_ARGUMENT, Refused
from radiod.wire.codecs import Payload, Undecodable
from radiod.wire.messages import Error, Message

__all__ = ["Questions"]


class Questions:
    """Asks through one realm's dealer."""

    def __init__(self, dealer: Dealer) -> None:
        self._dealer = dealer
        # While answers are held back: those that came, and to what.
        self._held: list[tuple[Later[Any], Any]] | None = None

    def ask(self, procedure: str, *args: Any, timeout_s: float) -> Later[Any]:
        """Call ``procedure``. Comes to its first positional result, or ``Refused``."""
        answer: Later[Any] = Later()

        def end(message: Message, payload: Payload) -> None:
            outcome = _outcome(procedure, message, payload)
            if self._held is None:
                answer.settle(outcome)
            else:
                self._held.append((answer, outcome))

        try:
            self._dealer.ask(procedure, Payload.of(*args), int(timeout_s * 1000), end)
        except Refused as refusal:
            answer.settle(refusal)
        return answer

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold answers back until the end of what is being done: who waits for one acts at once."""
        held = self._held = []
        try:
            yield
        finally:
            # Whatever went wrong: nobody else's answer may be lost for it.
            self._held = None
            for answer, outcome in held:
                answer.settle(outcome)


def _outcome(procedure: str, message: Message, payload: Payload) -> Any:
    """The first positional result of a call, or ``Refused``."""
    if isinstance(message, Error):
        return Refused(message.error, f"{procedure} failed: {message.error}")
    try:
        values, _ = payload.values()
    except Undecodable as error:
        return Refused(INVALID_ARGUMENT, f"{procedure} answered nonsense: {error}")
    return values[0] if values else None
