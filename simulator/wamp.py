"""A source on the air by WAMP, with Twisted and Autobahn: radiod tells who listens, and calls are answered.

Autobahn and not a client of radiod's own, because whoever has installed radiod has it already.
"""

from __future__ import annotations

import contextlib
import random
import signal
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

from autobahn.exception import Disconnected
from autobahn.twisted.wamp import ApplicationSession
from autobahn.twisted.websocket import WampWebSocketClientFactory, WampWebSocketClientProtocol
from autobahn.wamp.exception import ApplicationError, TransportLost
from autobahn.wamp.serializer import JsonSerializer
from autobahn.wamp.types import ComponentConfig, PublishOptions, RegisterOptions
from twisted.internet.defer import CancelledError, Deferred, inlineCallbacks
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.ssl import optionsForClientTLS
from twisted.internet.task import deferLater

from simulator.controls import Controls, Invalid
from simulator.maps import parts, topic
from simulator.pace import complain
from simulator.source import Ended, Source
from simulator.station import Station

__all__ = ["Air", "Login", "Refused"]

MAX_PAUSE: Final = 5.0
"""Seconds: the longest pause between attempts to reach the server."""

TIMEOUT: Final = 10
"""Seconds in which a server answers a connection, or a ping."""

GOODBYE: Final = 2.0
"""Seconds in which it says goodbye, too, before it is left."""

AGAIN: Final = 60.0
"""Seconds until the same complaint is made again."""

ON_DEMAND: Final = "radiod.channel.on_demand"

FINAL: Final = (
    "wamp.error.not_authorized",
    "wamp.error.authorization_denied",
    "wamp.error.authorization_failed",
    "wamp.error.authentication_denied",
    "wamp.error.authentication_failed",
    "wamp.error.no_auth_method",
    "wamp.error.no_matching_auth_method",
    "wamp.error.no_such_principal",
    "wamp.error.no_such_realm",
    "wamp.error.no_such_role",
    "wamp.error.invalid_uri",
    "radiod.error.bad_name",
)
"""Errors after which nothing gets better by asking again."""


class Refused(Exception):
    """The server will not have it; the text says why."""


class Login:
    """Where to, and as whom.

    Args: url: ``ws(s)://`` or ``http(s)://``, with a path only if it is not ``/ws``.
    Raises: ValueError: it is none.
    """

    def __init__(self, url: str, realm: str = "radio", user: str | None = None, ticket: str = "") -> None:
        parts = urlsplit(url)
        scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
        if scheme not in ("ws", "wss") or not parts.hostname or parts.username is not None:
            raise ValueError(f"--wamp {url}: expected ws(s)://HOST:PORT, or http(s)://")
        self.host: str = parts.hostname
        self.is_secret = scheme == "wss"
        self.port: int = parts.port or (443 if self.is_secret else 80)
        host = f"[{self.host}]" if ":" in self.host else self.host
        path = parts.path if parts.path.strip("/") else "/ws"
        self.url = f"{scheme}://{host}:{self.port}{path}" + (f"?{parts.query}" if parts.query else "")
        self.realm = realm
        self.user = user
        self.ticket = ticket

    def endpoint(self, reactor: Any) -> Any:
        """What connects there."""
        plain = HostnameEndpoint(reactor, self.host, self.port, timeout=TIMEOUT)
        return wrapClientTLS(optionsForClientTLS(self.host), plain) if self.is_secret else plain


class Session(ApplicationSession):  # type: ignore[misc]
    """One session; ``joined`` is called in it, and ``reason`` says why it ended."""

    def __init__(self, login: Login, joined: Callable[[Session], None]) -> None:
        super().__init__(ComponentConfig(login.realm))
        self._login = login
        self._joined = joined
        self.is_joined = False
        self.reason = ""
        self.is_final = False

    def onConnect(self) -> None:
        methods = None if self._login.user is None else ["ticket"]
        self.join(self._login.realm, methods, self._login.user)

    def onChallenge(self, challenge: Any) -> str:
        return self._login.ticket

    def onJoin(self, details: Any) -> None:
        self.is_joined = True
        self._joined(self)

    def onLeave(self, details: Any) -> None:
        self.reason = " ".join(f"{details.reason} {details.message or ''}".split())
        self.is_final = not self.is_joined and details.reason in FINAL
        self.disconnect()

    def onUserError(self, fail: Any, msg: str) -> None:
        """What a call is refused with is no error of ours."""
        if not fail.check(ApplicationError, CancelledError):
            super().onUserError(fail, msg)


class Connection(WampWebSocketClientProtocol):  # type: ignore[misc]
    """``lost``: why it ended, where the WebSocket has no word for it: a certificate that nobody trusts."""

    lost = ""

    def connectionLost(self, reason: Any) -> None:
        if not reason.check(ConnectionDone, ConnectionLost):
            self.lost = f"{reason.type.__name__}: {reason.value}"
        super().connectionLost(reason)


class Air:
    """Keeps a source on the air, over restarts of the server.

    Args: make_station: of ``send``.
    """

    def __init__(
        self,
        source: Source,
        make_station: Callable[[Any], Station],
        make_controls: Callable[[Station], Controls],
        login: Login,
        reactor: Any,
        say: Callable[[str], None] = complain,
    ) -> None:
        self._source = source
        self._login = login
        self._reactor = reactor
        self._say = say
        self._station = make_station(self._send)
        self._controls = make_controls(self._station)
        self._session: Session | None = None
        self._is_open = False
        self._is_stopped = False
        self._begun = Deferred[None]()
        self._said: dict[str, float] = {}
        self._refused: Refused | None = None

    async def run(self) -> None:
        """Until it is stopped or all is sent. Raises: Refused; Ended: the source has no more."""
        line = Deferred.fromCoroutine(self._stay_connected())
        try:
            # What is replayed is not to be over before the server is there.
            await self._begun
            await self._station.run()
        finally:
            self._is_stopped = True
            await self._leave()
            # Whatever it is waiting for.
            line.cancel()
            await line
        if self._refused is not None:
            raise self._refused

    def stop(self) -> None:
        """Let ``run`` end."""
        self._is_stopped = True
        self._station.stop()
        if not self._begun.called:
            self._begun.callback(None)

    # The connection.

    async def _stay_connected(self) -> None:
        failures = 0
        while not self._is_stopped:
            sessions: list[Session] = []
            reason = await self._connect_once(sessions)
            session = sessions[-1] if sessions else None
            if self._is_stopped:
                return
            if session is not None and session.is_final:
                self._refuse(session.reason)
                return
            failures = 0 if session is not None and session.is_joined else failures + 1
            pause = min(MAX_PAUSE, 0.1 * 2.0 ** min(failures, 10)) * random.uniform(0.5, 1.0)
            self._say(f"not connected ({reason}); again in {pause:.1f} s")
            with contextlib.suppress(CancelledError):
                await deferLater(self._reactor, pause)

    async def _connect_once(self, sessions: list[Session]) -> str:
        """A connection from beginning to end. Returns: why it ended."""

        def make() -> Session:
            sessions.append(Session(self._login, self._joined))
            return sessions[-1]

        factory = WampWebSocketClientFactory(make, url=self._login.url, serializers=[JsonSerializer()])
        factory.protocol = Connection
        factory.setProtocolOptions(
            openHandshakeTimeout=TIMEOUT, autoPingInterval=TIMEOUT, autoPingTimeout=TIMEOUT, tcpNoDelay=True
        )
        try:
            protocol = await self._login.endpoint(self._reactor).connect(factory)
            await protocol.is_closed
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        finally:
            self._session, self._is_open = None, False
            self._station.demand(False)
        told = sessions[-1].reason if sessions else ""
        return told or protocol.lost or str(protocol.wasNotCleanReason or "closed")

    async def _leave(self) -> None:
        session = self._session
        if session is None or not session.is_attached():
            return
        with contextlib.suppress(Disconnected, TransportLost):
            # The connection may have ended a moment ago.
            session.leave()
        end = self._reactor.seconds() + GOODBYE
        while session.is_attached() and self._reactor.seconds() < end:
            await deferLater(self._reactor, 0.02)
        if session.is_attached():
            session.disconnect()

    def _refuse(self, reason: str) -> None:
        self._refused = Refused(reason)
        self.stop()

    # A session.

    def _joined(self, session: Session) -> None:
        self._session = session
        self._open(session).addErrback(self._not_opened, session)

    @inlineCallbacks
    def _open(self, session: Session) -> Any:
        retained = PublishOptions(acknowledge=True, retain=True)
        name = self._source.name
        # The first part last: who has it finds the others.
        for number, part in reversed(list(enumerate(parts(self._source.map()), 1))):
            yield session.publish(topic(name, number), part, options=retained)
        yield self._register(session)
        # Before it is opened: a signal that comes right behind is not missed.
        yield session.subscribe(self._on_demand, ON_DEMAND)
        is_wanted = True
        try:
            opened = yield session.call("radiod.channel.open_write", name)
            is_wanted = bool(opened["active"])
        except ApplicationError as error:
            self._complain(f"nobody tells whether anybody listens ({_text(error)}): all samples go out")
        self._is_open = True
        self._station.demand(is_wanted)
        if not self._begun.called:
            self._begun.callback(None)

    def _not_opened(self, failure: Any, session: Session) -> None:
        if failure.check(TransportLost):
            return
        error = failure.value
        if isinstance(error, ApplicationError) and error.error in FINAL:
            self._refuse(_text(error))
            return
        self._complain(f"not on the air ({_text(error)})")
        if session.is_attached():
            session.disconnect()

    def _on_demand(self, told: Any, *_: Any, **__: Any) -> None:
        if isinstance(told, dict) and told.get("name") == self._source.name:
            self._station.demand(bool(told.get("active")))

    def _send(self, make: Callable[[], dict[str, Any]]) -> Deferred[None] | None:
        session = self._session
        if session is None or not self._is_open or not session.is_attached():
            return None
        options = PublishOptions(acknowledge=True)
        sent: Deferred[None] = session.publish(self._source.name, make(), options=options)
        return sent.addCallbacks(lambda _: None, self._not_sent)

    def _not_sent(self, failure: Any) -> None:
        error = failure.value
        if isinstance(error, ApplicationError) and error.error in FINAL:
            self._refuse(_text(error))
        elif not failure.check(TransportLost):
            self._complain(f"not published ({_text(error)})")

    def _complain(self, text: str) -> None:
        """Not each time."""
        now = self._reactor.seconds()
        if now >= self._said.get(text, -AGAIN) + AGAIN:
            self._said = {text: now}
            self._say(text)

    # Controls.

    @inlineCallbacks
    def _register(self, session: Session) -> Any:
        # Over from a session that the server has not missed yet.
        options = RegisterOptions(force_reregister=True)
        for name in self._controls.names():
            procedure = f"{self._source.name}.control.{name}"
            try:
                yield session.register(self._procedure(name), procedure, options=options)
            except ApplicationError as error:
                self._complain(f"no controls ({_text(error)})")
                return

    def _procedure(self, name: str) -> Callable[..., Deferred[dict[str, Any]]]:
        def control(*args: Any, **kwargs: Any) -> Deferred[dict[str, Any]]:
            return self._station.alone(lambda: self._control(name, list(args), kwargs))

        return control

    def _control(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._controls.call(name, args, kwargs)
        except Invalid as error:
            raise ApplicationError("wamp.error.invalid_argument", str(error)) from None


def _text(error: BaseException) -> str:
    if isinstance(error, ApplicationError):
        return " ".join(f"{error.error} {' '.join(str(each) for each in error.args)}".split())
    return f"{type(error).__name__}: {error}"


def run(air: Air, reactor: Any) -> tuple[int, str]:
    """Run the reactor until all is over, or a signal comes. Returns: exit status, and a line or nothing."""
    result: list[tuple[int, str]] = [(0, "")]
    over = Deferred[None]()
    is_stopping: list[bool] = []

    def ended(outcome: Any) -> None:
        if outcome is not None and outcome.check(Refused):
            result[0] = 1, f"the server refuses: {outcome.value}"
        elif outcome is not None and outcome.check(Ended):
            result[0] = 0, str(outcome.value)
        elif outcome is not None:
            result[0] = 1, outcome.getTraceback()
        over.callback(None)
        if not is_stopping:
            reactor.stop()

    def stop() -> Deferred[None]:
        is_stopping.append(True)
        air.stop()
        return over

    def start() -> None:
        reactor.addSystemEventTrigger("before", "shutdown", stop)
        Deferred.fromCoroutine(air.run()).addBoth(ended)

    # Twisted takes this signal only from its default.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    reactor.callWhenRunning(start)
    reactor.run()
    return result[0]
