"""Calls that do not come from a session: the router's own, to authorizers say, and those of visitors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from msgspec import structs

from radiod.core.disclosure import NO_DETAILS
from radiod.core.promises import Promise
from radiod.core.rights import Actor
from radiod.core.rpc.calls import PendingCall
from radiod.core.rpc.dealer import Dealer
from radiod.errors import INVALID_ARGUMENT, Refused
from radiod.wire.codecs import Payload, Undecodable
from radiod.wire.messages import Error, Message
from radiod.wire.options import CallOptions

__all__ = ["CallFailed", "OngoingCall", "RouterCalls"]


class CallFailed(Refused):
    """A callee answered with an error; ``payload`` is what came with it."""

    def __init__(self, uri: str, text: str, payload: Payload) -> None:
        super().__init__(uri, text)
        self.payload = payload


class OngoingCall:
    """A call of somebody who has no session. ``outcome``: the whole result, or why there is none."""

    __slots__ = ("_dealer", "_pending", "outcome")

    def __init__(self, dealer: Dealer) -> None:
        self._dealer = dealer
        self._pending: PendingCall | None = None
        self.outcome: Promise[Any] = Promise()

    @property
    def has_begun(self) -> bool:
        """Whether a callee got it; otherwise ``outcome`` is known already, and says why not."""
        return self._pending is not None

    def began(self, pending: PendingCall) -> None:
        """A callee has it."""
        self._pending = pending

    def cancel(self) -> None:
        """Nobody waits for it any more; its callee is told to stop."""
        if self._pending is not None and self._pending.is_pending:
            self._dealer.cancel_call(self._pending, "kill")


class RouterCalls:
    """Makes calls through one realm's dealer."""

    def __init__(self, dealer: Dealer) -> None:
        self._dealer = dealer
        # While answers are held back: those that came, and to what.
        self._held: list[tuple[Promise[Any], Any]] | None = None

    def ask(self, procedure: str, *args: Any, timeout_s: float) -> Promise[Any]:
        """Call ``procedure`` for the router. Comes to its first positional result, or ``Refused``."""
        options = CallOptions(timeout=int(timeout_s * 1000))
        return self._call(procedure, Payload.of(*args), options, NO_DETAILS, _first_value).outcome

    def call(
        self,
        procedure: str,
        payload: Payload,
        options: CallOptions,
        details: dict[str, Any],
        on_progress: Callable[[Payload], None] | None = None,
        nameable: Actor | None = None,
    ) -> OngoingCall:
        """Call ``procedure`` for somebody who has no session.

        Args:
            options: its timeout counts.
            details: what the callee learns about the caller.
            on_progress: takes progressive results; None: none are asked for.
            nameable: the caller, where a callee that asks may learn who that is.
        Comes to the whole result; to ``CallFailed``, or ``Refused`` as ``Dealer.call``.
        """
        # Nobody could send more than one part.
        options = structs.replace(options, progress=False, receive_progress=on_progress is not None)
        return self._call(procedure, payload, options, details, _whole, on_progress, nameable)

    def _call(
        self,
        procedure: str,
        payload: Payload,
        options: CallOptions,
        details: dict[str, Any],
        read: Callable[[str, Message, Payload], Any],
        on_progress: Callable[[Payload], None] | None = None,
        nameable: Actor | None = None,
    ) -> OngoingCall:
        call = OngoingCall(self._dealer)
        answer = call.outcome

        def end(message: Message, payload: Payload) -> None:
            outcome = read(procedure, message, payload)
            if self._held is None:
                answer.settle(outcome)
            else:
                self._held.append((answer, outcome))

        try:
            pending = self._dealer.ask(procedure, payload, options, details, end, nameable)
            pending.on_progress = on_progress
            call.began(pending)
        except Refused as refusal:
            answer.settle(refusal)
        return call

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


def _whole(procedure: str, message: Message, payload: Payload) -> Any:
    """The result of a call, or ``CallFailed``."""
    if isinstance(message, Error):
        return CallFailed(message.error, f"{procedure} failed: {message.error}", payload)
    return payload


def _first_value(procedure: str, message: Message, payload: Payload) -> Any:
    """The first positional result of a call, or ``Refused``."""
    if isinstance(message, Error):
        return Refused(message.error, f"{procedure} failed: {message.error}")
    try:
        values, _ = payload.values()
    except Undecodable as error:
        return Refused(INVALID_ARGUMENT, f"the answer of {procedure} cannot be read: {error}")
    return values[0] if values else None
