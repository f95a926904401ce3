"""The client without a socket, clock or thread: connections that come and go, and what outlives them.

Whoever has a socket keeps to this: while ``should_dial``, connect, then ``dialed``; bring what comes by
``received``, then ``work`` until there is no more; write ``outgoing``; when ``should_hang_up``, close; after
any end ``lost``; and ``tick`` at ``deadline``. All of it in one thread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from radiod_client._backoff import Backoff
from radiod_client._deadlines import Deadline, Deadlines
from radiod_client._inbox import Inbox
from radiod_client._login import Login
from radiod_client._messages import Abort, Codec, Goodbye
from radiod_client._owned import Owned
from radiod_client._registration import Registration
from radiod_client._session import Call, Session, Then
from radiod_client._subscription import Subscription
from radiod_client._wire import Wire, WireBroken
from radiod_client.errors import (
    CallTimeout,
    ConnectFailed,
    Disconnected,
    LoginRefused,
    RadioError,
)

__all__ = ["Ask", "Core"]

LOG = logging.getLogger("radiod_client")
A_TURN = 256
QUIET_S = 20.0
PONG_S = 15.0
GOODBYE_S = 2.0
FOR_GOOD = frozenset(
    {
        "wamp.error.authentication_denied",
        "wamp.error.authorization_denied",
        "wamp.error.no_such_realm",
        "wamp.error.no_such_role",
        "wamp.error.no_such_principal",
        "wamp.error.no_auth_method",
        "wamp.error.no_matching_auth_method",
        "wamp.error.not_authorized",
        "wamp.error.protocol_violation",
    }
)
"""ABORTs behind which it is no use to try again."""


class Ask:
    """A request that is to be sent, or was: it ends once, with an answer, an error, or its time."""

    def __init__(
        self, kind: int, rest: list[Any], then: Then, progress: Callable[[Any], None] | None
    ) -> None:
        self.kind = kind
        self.rest = rest
        self.progress = progress
        self.request: int | None = None
        self.deadline: Deadline | None = None
        self._then: Then | None = then

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._then is None

    def end(self, message: Any, error: RadioError | None) -> None:
        """Its answer."""
        then, self._then = self._then, None
        if self.deadline is not None:
            self.deadline.cancel()
        if then is not None:
            then(message, error)


class Core:
    """All of a client but its input and output.

    Args:
        clock: seconds that only go forward.
        random: between 0 and 1.
        on_state: called with each new state: ``connecting``, ``open``, ``waiting``, ``closed``.
    """

    def __init__(
        self,
        url: str,
        codec: Codec,
        login: Login,
        *,
        clock: Callable[[], float],
        random: Callable[[], float],
        connect_timeout: float = 10.0,
        on_state: Callable[[str], None] = lambda state: None,
    ) -> None:
        self.codec = codec
        self.state = "new"
        self.should_dial = False
        self.should_hang_up = False
        self.server: dict[str, Any] = {}
        self.session_id: int | None = None
        self._url = url
        self._login = login
        self._clock = clock
        self._connect_timeout = connect_timeout
        self._on_state = on_state
        self._backoff = Backoff(random)
        self._deadlines = Deadlines(clock)
        self._patience: Deadline | None = None
        self._pulse: Deadline | None = None
        self._retry: Deadline | None = None
        self._heard = 0.0
        self._started: Then | None = None
        self._why: RadioError | None = None
        self._told: float | None = None
        self._wire: Wire | None = None
        self._session: Session | None = None
        self._queued: list[Ask] = []
        self.subscriptions: dict[str, Subscription] = {}
        self._registrations: list[Registration] = []
        self._owned: list[Owned] = []

    # Connections.

    def start(self, then: Then) -> None:
        """Connect; ``then`` once the first session is open, or cannot be."""
        self._started = then
        self._dial()

    def _dial(self) -> None:
        self._enter("connecting")
        self._told, self._why = None, None
        self.should_dial = True
        self._patience = self._deadlines.after(self._connect_timeout, self._on_impatience)

    def _on_impatience(self) -> None:
        self._break(ConnectFailed(f"no session within {self._connect_timeout:g} s"))

    def dialed(self) -> None:
        """There is a connection: begin to speak."""
        self.should_dial = False
        if self.state != "connecting":
            self.should_hang_up = True
            return
        self._wire = Wire(self._url, self.codec.subprotocol, self.codec.is_binary)
        self._heard = self._clock()

    def received(self, data: bytes) -> None:
        """Bytes from the server."""
        self._heard = self._clock()
        wire = self._wire
        if wire is None or self.should_hang_up:
            return
        try:
            wire.feed(data)
        except WireBroken as error:
            self._break(ConnectFailed(str(error)))
            return
        if wire.is_open and self._session is None:
            self._session = Session(self.codec, self._login, wire.send, self._on_open, self._on_session_over)
            self._session.hello()

    def work(self, most: int = A_TURN) -> bool:
        """Handle so many messages of those that came. Returns: whether there are more."""
        wire, session = self._wire, self._session
        if wire is None or session is None or self.should_hang_up:
            return False
        try:
            messages = wire.messages(most)
            for message in messages:
                session.handle(message)
        except LoginRefused as error:
            self._break(error)
            return False
        except (ValueError, WireBroken) as error:
            self._break(Disconnected(f"the server does not keep to the protocol: {error}"))
            return False
        if wire.is_over:
            self._why = self._why or Disconnected(wire.ending)
            self._told = wire.told if self._told is None else self._told
            self.should_hang_up = True
        return len(messages) == most and not self.should_hang_up

    def outgoing(self) -> bytes:
        """What is to be written now; once."""
        return b"" if self._wire is None else self._wire.outgoing()

    def deadline(self) -> float | None:
        """When ``tick`` is wanted."""
        return self._deadlines.next()

    def tick(self) -> None:
        """Time has passed."""
        self._deadlines.run()

    def lost(self, error: str = "the connection was lost") -> None:
        """The connection has ended, or could not be made."""
        self.should_dial = self.should_hang_up = False
        was_dialing = self._wire is None
        self._wire = None
        why = self._why or (ConnectFailed if was_dialing else Disconnected)(error)
        for deadline in (self._patience, self._pulse):
            if deadline is not None:
                deadline.cancel()
        session, self._session = self._session, None
        self.session_id = None
        for each in self._lasting():
            each.pause()
        if session is not None:
            session.end(Disconnected(str(why)))
        self._go_on(why)

    def _lasting(self) -> list[Subscription | Registration | Owned]:
        """What is made again in each session: procedures first, and channels before who listens to them."""
        lasting: list[Subscription | Registration | Owned]
        lasting = [*self._registrations, *self._owned, *self.subscriptions.values()]
        return [each for each in lasting if not each.is_over]

    def _go_on(self, why: RadioError) -> None:
        if self.state in ("closing", "closed"):
            self._finish(Disconnected("closed"))
        elif self._started is not None:
            self._finish(why if isinstance(why, LoginRefused) else ConnectFailed(str(why)))
        elif isinstance(why, LoginRefused):
            self._finish(why)
        else:
            LOG.info("%s: trying again", why)
            self._enter("waiting")
            self._retry = self._deadlines.after(self._backoff.pause(self._told), self._dial)

    def _break(self, why: RadioError) -> None:
        """This connection is of no use."""
        self._why = self._why or why
        self.should_dial = False
        self.should_hang_up = True

    def _on_open(self) -> None:
        session = self._session
        welcome = None if session is None else session.welcome
        if session is None or welcome is None:
            return
        if self._patience is not None:
            self._patience.cancel()
        self._backoff.succeeded()
        self.session_id, self.server = welcome.session, welcome.details
        self._enter("open")
        self._pulse = self._deadlines.after(QUIET_S, self._feel)
        for each in self._lasting():
            each.begin(session)
        queued, self._queued = self._queued, []
        for ask in queued:
            self._send(session, ask)
        started, self._started = self._started, None
        if started is not None:
            started(self, None)

    def _on_session_over(self, message: Abort | Goodbye) -> None:
        text = str(message.details.get("message", ""))
        retry = message.details.get("_retry_after")
        self._told = float(retry) if isinstance(retry, int | float) else None
        if isinstance(message, Abort) and self.session_id is None and message.reason in FOR_GOOD:
            self._why = LoginRefused(message.reason, text)
        else:
            self._why = Disconnected(f"{message.reason} {text}".strip())
        if self._wire is not None:
            self._wire.close()
        self.should_hang_up = True

    def _feel(self) -> None:
        """Whether the other end still lives: a line that is only half there is silent for ever."""
        quiet = self._clock() - self._heard
        if self._wire is None:
            return
        if quiet >= QUIET_S:
            self._wire.ping()
            self._await_pong(self._clock(), PONG_S)
        else:
            self._pulse = self._deadlines.after(max(QUIET_S - quiet, 0.1), self._feel)

    def _await_pong(self, asked: float, seconds: float) -> None:
        due = self._clock() + seconds
        self._pulse = self._deadlines.after(seconds, lambda: self._judge(asked, due))

    def _judge(self, asked: float, due: float) -> None:
        if self._heard >= asked:
            self._feel()
        elif self._clock() > due + 1.0:
            # We were asleep ourselves: what came meanwhile is read first.
            self._await_pong(asked, 1.0)
        else:
            self._break(Disconnected("the server is silent"))

    def close(self) -> None:
        """Say goodbye; the state is ``closed`` once that is over."""
        if self.state in ("closing", "closed"):
            return
        session, was = self._session, self.state
        self._enter("closing")
        if session is not None and was == "open":
            session.goodbye()
            self._deadlines.after(GOODBYE_S, self._on_no_goodbye)
        elif was == "connecting":
            self._break(Disconnected("closed"))
        else:
            self._finish(Disconnected("closed"))

    def _on_no_goodbye(self) -> None:
        if self.state == "closing":
            self.should_hang_up = True

    def _finish(self, error: RadioError) -> None:
        """For good."""
        for deadline in (self._retry, self._patience, self._pulse):
            if deadline is not None:
                deadline.cancel()
        self._why = error
        self._enter("closed")
        started, self._started = self._started, None
        queued, self._queued = self._queued, []
        for each in self._lasting():
            each.end(error)
        for ask in queued:
            ask.end(None, error)
        if started is not None:
            started(None, error)

    def _enter(self, state: str) -> None:
        if state != self.state:
            self.state = state
            if state != "closing":
                self._on_state(state)

    # What is asked for.

    def ask(
        self,
        kind: int,
        rest: list[Any],
        timeout: float,
        then: Then,
        progress: Callable[[Any], None] | None = None,
    ) -> Ask:
        """A request, sent now or once there is a session, with an end within ``timeout``."""
        ask = Ask(kind, rest, then, progress)
        if self.state in ("new", "closing", "closed"):
            ask.end(None, self.error)
            return ask
        ask.deadline = self._deadlines.after(timeout, lambda: self._on_late(ask, timeout))
        if self._session is None or self.state != "open":
            self._queued.append(ask)
        else:
            self._send(self._session, ask)
        return ask

    @property
    def error(self) -> RadioError:
        """Why nothing can be asked any more."""
        return (
            self._why if self.state == "closed" and self._why is not None else Disconnected("not connected")
        )

    def _send(self, session: Session, ask: Ask) -> None:
        ask.request = session.ask(ask.kind, ask.rest, ask.end, ask.progress)

    def _on_late(self, ask: Ask, timeout: float) -> None:
        self.cancel(ask, CallTimeout("wamp.error.timeout", [f"no answer within {timeout:g} s"]))

    def cancel(self, ask: Ask, error: RadioError) -> None:
        """End it now; a callee is told."""
        if ask.is_over:
            return
        if ask in self._queued:
            self._queued.remove(ask)
            error = Disconnected("there was no connection meanwhile")
        elif self._session is not None and ask.request is not None:
            self._session.forget(ask.request)
            if ask.kind == 48:
                self._session.send([49, ask.request, {"mode": "killnowait"}])
        ask.end(None, error)

    def tell(self, kind: int, rest: list[Any]) -> None:
        """A request without an answer. Raises: Disconnected: there is no session now."""
        if self._session is None or self.state != "open":
            raise self.error if self.state == "closed" else Disconnected("there is no connection now")
        self._session.tell(kind, rest)

    def listen(
        self,
        name: str,
        key: str | None,
        inbox: Inbox,
        then: Then,
        *,
        after: str | None = None,
        last: int = 0,
        buffer: dict[str, Any] | None = None,
    ) -> Subscription:
        """Have what comes on a channel put into ``inbox``.

        Raises: ValueError: another past, or another buffer, than somebody has here already.
        """
        found = self.subscriptions.get(name)
        if found is not None and not found.is_over:
            if after is not None or last or (buffer or {}) != found.buffer:
                raise ValueError(
                    f"{name} is listened to already: another Radio can have another past or buffer"
                )
            found.join(inbox, then)
            return found
        made = Subscription(
            name, key, after=after, last=last, buffer=buffer or {}, later=self._deadlines.after
        )
        made.join(inbox, then)
        self.subscriptions[name] = made
        if self.state == "closed":
            made.end(self.error)
        elif self._session is not None and self.state == "open":
            made.begin(self._session)
        return made

    def unlisten(self, subscription: Subscription, inbox: Inbox) -> None:
        """``inbox`` gets nothing more."""
        if subscription.leave(inbox) and self.subscriptions.get(subscription.name) is subscription:
            del self.subscriptions[subscription.name]

    def own(self, name: str, key: str | None, control_key: str) -> Owned:
        """Take a channel over again in each session to come; this one owns it already."""
        made = Owned(name, key, control_key)
        self._owned = [each for each in self._owned if not each.is_over] + [made]
        return made

    def register(self, procedure: str, callee: Callable[[Call], None], then: Then) -> Registration:
        """Have calls of a procedure come to ``callee``."""
        made = Registration(procedure, callee, then, self._deadlines.after)
        self._registrations = [each for each in self._registrations if not each.is_over] + [made]
        if self.state == "closed":
            made.end(self.error)
        elif self._session is not None and self.state == "open":
            made.begin(self._session)
        return made
