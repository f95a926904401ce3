"""WebSocket handshakes: WAMP on ``/ws``, plain data on ``/listen/<channel>`` and alias paths.

Autobahn does the opening handshake and the negotiation of subprotocols; that of compression is done here
(``wire.deflate``). Then a ``WebSocketConnection`` takes its place, and the Autobahn protocol, with its
hundred attributes, is freed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import ceil
from typing import Any, Final

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.types import ConnectionDeny
from twisted.internet.defer import Deferred
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from radiod.core.budgets.addresses import network_of
from radiod.core.budgets.guesses import Turn
from radiod.core.draining import Draining
from radiod.core.promises import Promise, chain
from radiod.core.realm.handshake import Gate
from radiod.core.sessions.authentication import BrowserCookie
from radiod.core.timers import Deadline
from radiod.errors import NoAccess, OverLimit, RadiodError, TryLater, WrongSecret, http_status
from radiod.transport.autobahn_log import QuietLogger
from radiod.transport.batched import batched_format
from radiod.transport.census import OTHER
from radiod.transport.clock import ReactorClock
from radiod.transport.formats import SUBPROTOCOLS, Format, websocket_format
from radiod.transport.handover import put_in_place
from radiod.transport.limits import TransportLimits
from radiod.transport.listening.forms import WEBSOCKET
from radiod.transport.listening.listeners import PlainListener, PlainListeners
from radiod.transport.outbox import FanOut
from radiod.transport.websocket.connection import Shared, WebSocketConnection
from radiod.transport.websocket.cookies import CookieCounter
from radiod.wire.deflate import accept
from radiod.wire.doors import WAMP_PATH, Visit
from radiod.wire.replies import clean, error_reply, refused
from radiod.wire.targets import KEY_IN_QUERY, Target, below, parameters, shows_key, values

__all__ = ["RadioSocket", "RadioSocketFactory"]

LISTEN_PATH: Final = "/listen/"
LISTEN_PATHS: Final = ("/listen", "/listen/")
"""Of several channels, which the query names."""

MOST_LOGGED: Final = 200
"""Characters of a reason for a refusal, which may quote a whole header."""


class RadioSocket(WebSocketServerProtocol):  # type: ignore[misc] # Autobahn is not typed
    """One WebSocket connection during its opening handshake.

    What follows is a WAMP session or a listener to one channel (``_stream``), decided in ``onConnect``.
    """

    log = QuietLogger()
    factory: RadioSocketFactory

    data: bytes
    visit: Visit
    target: Target
    _stream: PlainListener | None = None
    _cookie: BrowserCookie | None = None
    _is_deflated = False
    _is_waiting = False
    _is_lost = False
    _turn: Turn | None = None
    _deadline: Deadline | None = None
    _fields: tuple[tuple[str, str], ...] = ()
    # What its refusal is, in the log.
    _event = "connection_refused"
    _says: dict[str, Any] | None = None
    on_lost: Callable[[], None]

    def connectionMade(self) -> None:
        """As Autobahn does, without the details of the transport that it would look up for nobody."""
        self.peer = self.visit.peer
        self._connectionMade()

    def onConnect(self, request: Any) -> Any:
        """Choose by path; returns the subprotocol and more headers, perhaps later.

        Raises: ConnectionDeny: the HTTP status says why.
        """
        self._check_draining()
        answer = accept(request.extensions) if self.factory.compression else None
        # Autobahn would refuse a connection whose offer is malformed, and cannot say all that we answer.
        self.websocket_extensions: list[object] = []
        self._is_deflated = answer is not None
        headers = {"Sec-WebSocket-Extensions": answer} if answer else {}
        if self.target.path == WAMP_PATH:
            _check_no_token(self.target)
            subprotocol = _subprotocol(request.protocols)
            # As the browser sees it, whatever is in between.
            asked = {**request.headers, "host": self.visit.host}
            self._cookie, issued = self.factory.cookies.take(asked, self.visit.is_secure)
            return subprotocol, {**headers, "Set-Cookie": clean(issued).decode()} if issued else headers
        channels = self.factory.channels_at(self.target)
        if channels is None:
            raise ConnectionDeny(404, "no such path")
        try:
            admitted = self._admit(request.headers, channels)
        except RadiodError as error:
            raise self._denial(error) from None
        if isinstance(admitted, Promise):
            return self._wait(admitted, headers)
        self._stream = admitted
        return None, headers

    def _check_draining(self) -> None:
        """By a status, not later by a word of WAMP: stock clients try again after that.

        Raises: ConnectionDeny: nobody new is let in.
        """
        try:
            self.factory.draining.check()
        except TryLater as error:
            self._event = "drain"
            self._fields = (("Retry-After", str(ceil(error.retry_after))),)
            raise ConnectionDeny(503, error.text) from None

    def _admit(
        self, headers: Mapping[str, str], channels: str | list[str]
    ) -> PlainListener | Promise[PlainListener]:
        """As ``PlainListeners.admit``, when it is the turn of an address that many wrong keys came from."""
        query = parameters(self.target.query)
        credential, key = _credential(headers), _header(headers, "channel-key")
        shown = credential, key, query.get("key"), query.get("token")
        streams, visit = self.factory.streams, self.visit
        guesses = self.factory.guesses
        if guesses.networks and any(shown):
            self._turn = guesses.turn(network_of(self.visit.address))
            if self._turn is not None:
                turn: Any = self._turn
                return chain(turn, lambda _: streams.admit(credential, channels, query, visit, key=key))
        return streams.admit(credential, channels, query, visit, key=key)

    def _denial(self, error: RadiodError) -> ConnectionDeny:
        if isinstance(error, WrongSecret | NoAccess):
            self._event = "key_refused"
        if isinstance(error, WrongSecret):
            self.factory.guesses.wrong(network_of(self.visit.address))
        if isinstance(error, OverLimit):
            self._fields = (("Retry-After", str(error.retry_after)),)
        self._says = refused(error)
        text = f"{error.text}: {error.reason}" if isinstance(error, NoAccess) else error.text
        return ConnectionDeny(http_status(error), text)

    def _wait(self, admitted: Promise[PlainListener], headers: dict[str, str]) -> Deferred[Any]:
        """What ``onConnect`` returns for a listener to a channel, once somebody else has decided on it."""
        decided: Deferred[Any] = Deferred()
        self._is_waiting = True
        self.transport.pauseProducing()

        def conclude(outcome: PlainListener | RadiodError) -> None:
            if self._is_lost:
                return
            self._is_waiting = False
            self.transport.resumeProducing()
            if isinstance(outcome, RadiodError):
                decided.errback(self._denial(outcome))
            else:
                self._stream = outcome
                decided.callback((None, headers))

        admitted.then(conclude)
        return decided

    def dataReceived(self, data: bytes) -> None:
        """Keep what comes during a decision for later: Autobahn would take it for another request."""
        if self._is_waiting:
            self.data += data
        else:
            # What Autobahn's own does besides is to format each read for its log.
            self._dataReceived(data)

    def onOpen(self) -> None:
        """The handshake succeeded: what comes from now on is none of Autobahn's business."""
        self._count(101)
        # What the client sent together with its request.
        rest, self.data = self.data, b""
        if self._stream is not None:
            opened = self._stream_over(self._stream)
        else:
            codec, is_batched = SUBPROTOCOLS[self.websocket_protocol_in_use]
            name, is_deflated = codec.name, self._is_deflated
            format = batched_format(name) if is_batched else websocket_format(name, is_deflated)
            opened = self._hand_over(format)
            opened.serve(codec, self.factory.gates, is_batched, self._cookie, self.visit.origin)
        if rest:
            opened.dataReceived(rest)

    def _stream_over(self, stream: PlainListener) -> WebSocketConnection:
        format = stream.format(WEBSOCKET[self._is_deflated])
        opened = self._hand_over(format)
        outlet = opened.stream(stream)
        if stream.records is not None and stream.is_open:
            self.factory.streams.beat(outlet, stream.records, stream)
        return opened

    def _hand_over(self, format: Format) -> WebSocketConnection:
        shared, transport = self.factory.shared, self.transport
        opened = WebSocketConnection(shared, transport, self.peer, format, self.on_lost, self._is_deflated)
        put_in_place(transport, opened)
        return opened

    def _count(self, status: int) -> None:
        """As any answer over HTTP, by its route."""
        if self.target.path == WAMP_PATH:
            route = WAMP_PATH
        else:
            route = OTHER if self.factory.channels_at(self.target) is None else f"{LISTEN_PATH}{{channel}}"
        self.factory.shared.census.answered(route, status)

    def failHandshake(self, reason: str, code: int = 400, responseHeaders: Any = None) -> None:
        """Refuse the connection, and say so on one line."""
        self._count(code)
        self.log.info(
            "refused {peer}: {reason}", peer=self.peer, reason=reason[:MOST_LOGGED], event=self._event
        )
        self.transport.write(error_reply(code, reason, responseHeaders or self._fields, says=self._says))
        # Under TLS closing needs the peer.
        self._deadline = self.factory.shared.close_deadline(self.transport.abortConnection)
        # Or Autobahn would warn of it as well.
        self.wasClean = True
        self.dropConnection(abort=False)

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        """Write, without what Autobahn formats for its log."""
        self.transport.write(data)

    def unregisterProducer(self) -> None:
        """Autobahn asks for this when it refuses; there is none yet."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection was refused, or lost during the handshake."""
        self._is_lost = True
        if self._turn is not None:
            self._turn.leave()
        super().connectionLost(reason)
        if self._deadline is not None:
            self._deadline.cancel()
        self.on_lost()


def _subprotocol(offered: Iterable[str]) -> str:
    """The client's first subprotocol that is known. Raises: ConnectionDeny: none is."""
    for name in offered:
        if name in SUBPROTOCOLS:
            return name
    raise ConnectionDeny(400, f"offer one of the subprotocols {', '.join(SUBPROTOCOLS)}")


def _check_no_token(target: Target) -> None:
    """Raises: ConnectionDeny: somebody shows for WAMP what is for listeners alone, or for headers alone."""
    if not target.query:
        return
    asked = parameters(target.query)
    if "token" in asked:
        raise ConnectionDeny(403, "a token only opens streams: log in by WAMP here")
    if shows_key(asked):
        raise ConnectionDeny(400, KEY_IN_QUERY)


def _credential(headers: Mapping[str, str]) -> str | None:
    """The API key a request carries; None: none."""
    key = _header(headers, "api-key")
    scheme, _, token = (_header(headers, "authorization") or "").partition(" ")
    return key or (token.strip() if scheme.lower() == "bearer" else None)


def _header(headers: Mapping[str, str], name: str) -> str | None:
    """One header. Autobahn reads them as latin-1; keys are UTF-8."""
    value = headers.get(name)
    return None if value is None else value.encode("latin-1").decode("utf-8", "replace")


class RadioSocketFactory(WebSocketServerFactory):  # type: ignore[misc] # Autobahn is not typed
    """What all WebSocket connections share.

    ``aliases``: path -> channel, besides ``/listen/<channel>``.
    """

    protocol = RadioSocket
    log = QuietLogger()
    noisy = False

    def __init__(
        self,
        reactor: Any,
        clock: ReactorClock,
        fan_out: FanOut,
        gates: Mapping[str, Gate],
        streams: PlainListeners,
        aliases: Mapping[str, str],
        settings: TransportLimits,
        draining: Draining,
    ) -> None:
        super().__init__(reactor=reactor, protocols=list(SUBPROTOCOLS), server=None)
        self.shared = Shared(clock, fan_out, settings)
        self.guesses = fan_out.guesses
        self.gates = gates
        self.draining = draining
        self.cookies = CookieCounter(gate.cookies for gate in gates.values() if gate.cookies is not None)
        self.streams = streams
        self._aliases = aliases
        self.compression = settings.compression
        # No timers of Autobahn's: a request is complete when it gets here, and is answered at once.
        self.setProtocolOptions(webStatus=False, versions=[13], openHandshakeTimeout=0, allowNullOrigin=True)
        self.protocol = self._with_options(RadioSocket)

    def _with_options(self, protocol: type[RadioSocket]) -> type[RadioSocket]:
        """``protocol`` with this factory's options as attributes of its class.

        Autobahn would copy all 29 into each connection, and format them for a log that nobody reads: nearly
        half of what a connection costs.
        """
        names = [name for name in protocol.CONFIG_ATTRS if not hasattr(protocol, name)]
        options = {name: getattr(self, name) for name in names}
        # Functions among them are no methods.
        held = {name: staticmethod(value) if callable(value) else value for name, value in options.items()}
        return type(protocol.__name__, (protocol,), {**held, "CONFIG_ATTRS": ()})

    def channels_at(self, target: Target) -> str | list[str] | None:
        """The channel that a path listens to, or those that the query names; None: it is no such path."""
        path = target.path
        if path in self._aliases:
            return self._aliases[path]
        if path in LISTEN_PATHS:
            return values(target.query, "channel") or None
        return below(path, LISTEN_PATH) if path.startswith(LISTEN_PATH) else None
