"""One session: from HELLO to the end of its connection."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from radiod_client._invocation import Call
from radiod_client._login import Login
from radiod_client._messages import (
    Abort,
    Challenge,
    Codec,
    Error,
    Event,
    Goodbye,
    Interrupt,
    Invocation,
    Message,
    Published,
    Registered,
    Result,
    Subscribed,
    Unregistered,
    Unsubscribed,
    Welcome,
)
from radiod_client.errors import Disconnected, RadioError, ServiceError, refusal

__all__ = ["Session", "Then"]

Then = Callable[[Any, RadioError | None], None]
"""What is to happen with an answer, or with the error in its place."""
Taker = Callable[[Event], None]

LOG = logging.getLogger("radiod_client")
AGENT = "radiod-client/0.1"
ROLES = {
    "subscriber": {"features": {"subscription_revocation": True, "publisher_identification": True}},
    "publisher": {"features": {"publisher_exclusion": True}},
    "caller": {"features": {"call_timeout": True, "call_canceling": True, "progressive_call_results": True}},
    "callee": {
        "features": {
            "call_canceling": True,
            "progressive_call_results": True,
            "registration_revocation": True,
        }
    },
}
MOST_CALLS = 10_000
"""Invocations that are not answered yet: more are refused."""
UNAVAILABLE = "wamp.error.unavailable"


class _Asked:
    """What waits for its answer."""

    __slots__ = ("progress", "then")

    def __init__(self, then: Then, progress: Callable[[Any], None] | None) -> None:
        self.then = then
        self.progress = progress


class Session:
    """Numbers what is asked, and brings answers, events and invocations to whom they belong.

    Args:
        send: takes whole messages.
        on_open: called once, behind WELCOME.
        on_over: called once with the reason, when the session has ended otherwise than by its connection.
    """

    def __init__(
        self,
        codec: Codec,
        login: Login,
        send: Callable[[bytes], None],
        on_open: Callable[[], None],
        on_over: Callable[[Abort | Goodbye], None],
    ) -> None:
        self.codec = codec
        self._realm = login.realm
        self._login = login.attempt()
        self._send = send
        self._on_open = on_open
        self._on_over = on_over
        self._asked: dict[int, _Asked] = {}
        self._count = 0
        self._is_over = False
        self.is_stirred = True
        """Whether other messages came than events: they may have been answered."""
        self._takers: dict[int, list[Taker]] = {}
        self.callees: dict[int, Callable[[Call], None]] = {}
        self.calls: dict[int, Call] = {}
        self.revoked: dict[int, Callable[[str], None]] = {}
        self.unregistered: dict[int, Callable[[str], None]] = {}
        self.welcome: Welcome | None = None
        self._handlers: dict[type[Any], Callable[[Any], None]] = {
            Welcome: self._on_welcome,
            Abort: self._on_end,
            Goodbye: self._on_end,
            Challenge: self._on_challenge,
            Error: self._on_error,
            Result: self._on_result,
            Published: self._on_answer,
            Subscribed: self._on_answer,
            Registered: self._on_answer,
            Unsubscribed: self._on_unsubscribed,
            Unregistered: self._on_unregistered,
            Invocation: self._on_invocation,
            Interrupt: self._on_interrupt,
        }

    def hello(self) -> None:
        """Ask to be let in."""
        details = {"roles": ROLES, "agent": AGENT, "_radiod_revocation": True, **self._login.details()}
        self.send([1, self._realm, details])

    def goodbye(self) -> None:
        """Ask to leave."""
        if not self._is_over:
            self.send([6, {}, "wamp.close.close_realm"])

    def send(self, message: list[Any]) -> None:
        """Send a message as it is."""
        if not self._is_over:
            self._send(self.codec.encode(message))

    def ask(
        self, kind: int, rest: list[Any], then: Then, progress: Callable[[Any], None] | None = None
    ) -> int:
        """Send a request under the next id, and keep what its answer is for. Returns: the id."""
        message = [kind, self._count + 1, *rest]
        data = self.codec.encode(message)  # Before it is counted: an id that is left out ends the session.
        self._count += 1
        self._asked[self._count] = _Asked(then, progress)
        self._send(data)
        return self._count

    def tell(self, kind: int, rest: list[Any]) -> None:
        """Send a request that is not answered."""
        data = self.codec.encode([kind, self._count + 1, *rest])
        self._count += 1
        self._send(data)

    def call(self, procedure: str, args: list[Any], then: Then) -> int:
        """Ask one of the router's own procedures; ``then`` gets its first result."""

        def first(message: Any, error: RadioError | None) -> None:
            then(None if message is None or not message.args else message.args[0], error)

        return self.ask(48, [{}, procedure, self.codec.payload(args)], first)

    def take(self, subscription: int, taker: Taker) -> None:
        """Have the events of a subscription; a topic has one for all who subscribe to it."""
        # Anew, not changed: an event may be on its way through the old ones.
        self._takers[subscription] = [*self._takers.get(subscription, ()), taker]

    def drop(self, subscription: int, taker: Taker) -> bool:
        """Have them no longer. Returns: whether nobody has."""
        left = [each for each in self._takers.get(subscription, ()) if each != taker]
        if left:
            self._takers[subscription] = left
        else:
            self._takers.pop(subscription, None)
        return not left

    def forget(self, request: int) -> None:
        """The answer is not wanted any more."""
        self._asked.pop(request, None)

    def end(self, error: RadioError) -> None:
        """The connection is gone: so is everything that waits for an answer."""
        self._is_over = True
        asked, self._asked = self._asked, {}
        calls, self.calls = self.calls, {}
        self._takers.clear()
        self.callees.clear()
        for each in asked.values():
            each.then(None, error)
        for call in calls.values():
            call.cancel()

    def handle(self, data: bytes) -> None:
        """One message. Raises: ValueError: it is none, or not one that comes now."""
        message: Message = self.codec.decode(data)
        if type(message) is Event:
            # Events may be on their way while a subscription ends.
            for taker in self._takers.get(message.subscription, ()):
                taker(message)
            return
        self.is_stirred = True
        if self.welcome is None and not isinstance(message, Welcome | Abort | Challenge | Goodbye):
            raise ValueError(f"a {type(message).__name__} before WELCOME")
        self._handlers[type(message)](message)

    def _on_welcome(self, message: Welcome) -> None:
        if self.welcome is not None:
            raise ValueError("a second WELCOME")
        self._login.check(message.details)
        self.welcome = message
        self._on_open()

    def _on_end(self, message: Abort | Goodbye) -> None:
        if not self._is_over:
            if isinstance(message, Goodbye) and message.reason != "wamp.close.goodbye_and_out":
                self.send([6, {}, "wamp.close.goodbye_and_out"])
            self._on_over(message)

    def _on_challenge(self, message: Challenge) -> None:
        if self.welcome is not None:
            raise ValueError("a CHALLENGE behind WELCOME")
        self.send([5, *self._login.answer(message.method, message.extra)])

    def _on_error(self, message: Error) -> None:
        asked = self._asked.pop(message.request, None)
        if asked is not None:
            asked.then(None, refusal(message.uri, message.args, message.kwargs))

    def _on_result(self, message: Result) -> None:
        if message.details.get("progress") is True:
            asked = self._asked.get(message.request)
            if asked is not None and asked.progress is not None:
                asked.progress(value_of(message))
            return
        self._on_answer(message)

    def _on_answer(self, message: Any) -> None:
        asked = self._asked.pop(message.request, None)
        if asked is not None:
            asked.then(message, None)

    def _on_unsubscribed(self, message: Unsubscribed) -> None:
        if message.request:
            self._on_answer(message)
            return
        subscription = message.details.get("subscription")
        self._takers.pop(subscription, None)  # type: ignore[arg-type]
        revoked = self.revoked.pop(subscription, None)  # type: ignore[arg-type]
        if revoked is not None:
            revoked(str(message.details.get("reason", "wamp.error.no_such_subscription")))

    def _on_unregistered(self, message: Unregistered) -> None:
        if message.request:
            self._on_answer(message)
            return
        registration = message.details.get("registration")
        self.callees.pop(registration, None)  # type: ignore[arg-type]
        revoked = self.unregistered.pop(registration, None)  # type: ignore[arg-type]
        if revoked is not None:
            revoked(str(message.details.get("reason", "wamp.error.no_such_registration")))

    def _on_invocation(self, message: Invocation) -> None:
        call = Call(self.codec, self.send, self._on_call_over, message)
        callee = self.callees.get(message.registration)
        self.calls[message.request] = call
        if callee is None:
            call.end(call.failure(ServiceError("wamp.error.no_such_procedure")))
        elif len(self.calls) > MOST_CALLS:
            call.end(call.failure(ServiceError(UNAVAILABLE, f"{MOST_CALLS} calls wait here already")))
        else:
            callee(call)

    def _on_call_over(self, request: int) -> None:
        self.calls.pop(request, None)

    def _on_interrupt(self, message: Interrupt) -> None:
        call = self.calls.get(message.request)
        if call is not None:
            reason = str(message.options.get("reason", "wamp.error.canceled"))
            self._on_call_over(message.request)
            self.send([8, 68, message.request, {}, reason])
            call.cancel()


def value_of(message: Result) -> Any:
    """What a procedure returned: its one value, or a list of several; or the keywords."""
    if message.kwargs and not message.args:
        return message.kwargs
    return message.args[0] if len(message.args) == 1 else (message.args or None)


def nothing(message: Any, error: RadioError | None) -> None:
    """For an answer that changes nothing."""


def is_disconnected(error: RadioError | None) -> bool:
    """Whether an answer is missing because the connection broke."""
    return isinstance(error, Disconnected)
