"""The client without a socket, clock or thread: connections that come and go.

Whoever has a socket keeps to this: while ``should_dial``, connect, then ``dialed``; bring what comes by
``received``, then ``work`` until there is no more; write ``outgoing``; when ``should_hang_up``, close; after
any end ``lost``; and ``tick`` at ``deadline``. All of it in one thread. What outlives a connection is in
``requests`` (answers that are waited for) and ``lasting`` (what is made again in each session).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from radiod_client._backoff import Backoff
from radiod_client._deadlines import Deadline, Deadlines
from radiod_client._lasting import Lasting
from radiod_client._login import Login
from radiod_client._messages import Abort, Codec, Goodbye
from radiod_client._pulse import Pulse
from radiod_client._requests import Requests
from radiod_client._session import Session, Then
from radiod_client._wire import Wire, WireBroken
from radiod_client.errors import ConnectFailed, Disconnected, LoginRefused, RadioError

__all__ = ["Core"]

LOG = logging.getLogger("radiod_client")
A_TURN = 256
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
FAILED = "wamp.error.authentication_failed"
OVER = frozenset({"revoked", "expired", "rotated", "origin", "address"})
"""Reasons for it that no waiting changes; what is suspended, for instance, may come back."""


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
        self.is_stirred = True
        """Whether there may be something to write, dial, hang up or wait for: else there were only events."""
        self.server: dict[str, Any] = {}
        self.session_id: int | None = None
        self._url = url
        self._login = login
        self._connect_timeout = connect_timeout
        self._on_state = on_state
        self._backoff = Backoff(random)
        self._deadlines = Deadlines(clock)
        self._patience: Deadline | None = None
        self._retry: Deadline | None = None
        self._started: Then | None = None
        self._why: RadioError | None = None
        self._told: float | None = None
        self._wire: Wire | None = None
        self._session: Session | None = None
        self._pulse = Pulse(clock, self._deadlines, self._ping, self._on_dead)
        self.requests = Requests(self._deadlines)
        self.lasting = Lasting(self._deadlines)

    def start(self, then: Then) -> None:
        """Connect; ``then`` once the first session is open, or cannot be."""
        self._started = then
        self.requests.start()
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
        self._pulse.heard()

    def received(self, data: bytes) -> None:
        """Bytes from the server."""
        self._pulse.heard()
        wire = self._wire
        if wire is None or self.should_hang_up:
            return
        try:
            wire.feed(data)
        except WireBroken as error:
            self._break(ConnectFailed(str(error)))
            return
        if self._session is None and wire.is_open:
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
        except Exception as error:
            # Whatever it was that it sent: this connection ends, and nothing else.
            LOG.exception("a message could not be handled")
            self._break(Disconnected(f"a message could not be handled: {error!r}"))
            return False
        if wire.is_stirred or session.is_stirred:
            wire.is_stirred = session.is_stirred = False
            self._on_stirred(wire)
        return (len(messages) == most or wire.is_broken) and not self.should_hang_up

    def _on_stirred(self, wire: Wire) -> None:
        """There were not only events."""
        self.is_stirred = True
        if wire.is_over:
            self._why = self._why or Disconnected(wire.ending)
            self._told = wire.told if self._told is None else self._told
            self.should_hang_up = True

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
        if self._patience is not None:
            self._patience.cancel()
        self._pulse.stop()
        session, self._session = self._session, None
        self.session_id = None
        self.lasting.pause()
        self.requests.pause()
        if session is not None:
            session.end(Disconnected(str(why)))
        self._go_on(why)

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
        self.is_stirred = True
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
        self._pulse.start()
        self.lasting.begin(session)
        self.requests.begin(session)
        started, self._started = self._started, None
        if started is not None:
            started(self, None)

    def _on_session_over(self, message: Abort | Goodbye) -> None:
        text = str(message.details.get("message", ""))
        retry = message.details.get("_retry_after")
        self._told = float(retry) if isinstance(retry, int | float) else None
        if isinstance(message, Abort) and self.session_id is None and self._is_for_good(message.reason, text):
            self._why = LoginRefused(message.reason, text)
        else:
            self._why = Disconnected(f"{message.reason} {text}".strip())
        if self._wire is not None:
            self._wire.close()
        self.should_hang_up = True

    def _is_for_good(self, reason: str, text: str) -> bool:
        if reason == FAILED:
            # At the first try somebody waits, who can decide.
            return self._started is not None or text.rpartition(" ")[2] in OVER
        return reason in FOR_GOOD

    def _ping(self) -> None:
        if self._wire is not None:
            self._wire.ping()

    def _on_dead(self) -> None:
        self._break(Disconnected("the server is silent"))

    def close(self) -> None:
        """Say goodbye; the state is ``closed`` once that is over."""
        if self.state in ("closing", "closed"):
            return
        session, was = self._session, self.state
        self.lasting.leave()
        self.requests.end(Disconnected("closed"))
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
        for deadline in (self._retry, self._patience):
            if deadline is not None:
                deadline.cancel()
        self._pulse.stop()
        self._why = error
        self._enter("closed")
        started, self._started = self._started, None
        self.lasting.end(error)
        self.requests.end(error)
        if started is not None:
            started(None, error)

    def _enter(self, state: str) -> None:
        if state != self.state:
            self.state = state
            if state != "closing":
                self._on_state(state)
