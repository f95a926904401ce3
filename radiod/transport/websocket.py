"""WebSocket connections: WAMP on ``/ws``, plain data on ``/listen/<channel>`` and alias paths.

Autobahn does the opening handshake and negotiation, and everything out of the ordinary afterwards (control
frames, fragments, violations, closing). While nothing of that is going on, plain data frames are taken
straight from the bytes received (``wire.frames``), which costs a twentieth. Compression is negotiated and
done here as well (``wire.deflate``); Autobahn is not told of it but for what it inflates (``Inflating``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.types import ConnectionDeny
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from radiod.core.handshake import Gate
from radiod.errors import PAYLOAD_SIZE_EXCEEDED, PeerError, RadiodError, http_status
from radiod.transport.batched import Unbatcher, batched_format
from radiod.transport.clock import ReactorClock
from radiod.transport.driver import WampDriver
from radiod.transport.formats import PLAIN, PLAIN_DEFLATED, Format, websocket_format
from radiod.transport.inflating import Inflating
from radiod.transport.outbox import FanOut, Outlet, SocketOutlet, StreamOutlet
from radiod.transport.quiet import QuietLogger
from radiod.transport.settings import Settings
from radiod.transport.streams import Stream, Streams
from radiod.wire.codecs import CODECS, Codec
from radiod.wire.deflate import COMPRESSED, accept, inflate
from radiod.wire.frames import BINARY, TEXT, plain_frames

__all__ = ["RadioSocket", "RadioSocketFactory"]

BATCHED: Final = ".batched"
SUBPROTOCOLS: Final = {
    f"wamp.2.{name}{ending}": (codec, ending == BATCHED)
    for ending in ("", BATCHED)
    for name, codec in CODECS.items()
}
"""The subprotocols of WAMP: serializer, and whether messages come in batches."""

WAMP_PATH: Final = "/ws"
LISTEN_PATH: Final = "/listen/"
CLOSE_SECONDS: Final = 2.0
"""How long a peer may take over the closing handshake."""


class RadioSocket(WebSocketServerProtocol):  # type: ignore[misc] # Autobahn is not typed
    """One WebSocket connection.

    What follows the handshake is either a WAMP session (``_driver``) or a listener to one channel
    (``_stream``), decided in ``onConnect``.
    """

    log = QuietLogger()
    factory: RadioSocketFactory

    _driver: WampDriver | None = None
    _stream: Stream | None = None
    _outlet: Outlet | None = None
    _receive: Callable[[bytes], None]
    _is_deflated = False
    _first_byte = 0
    _fragments = 0
    on_lost: Callable[[], None]

    # --- opening

    def onConnect(self, request: Any) -> Any:
        """Choose by path; returns the subprotocol and more headers.

        Raises: ConnectionDeny: the HTTP status says why.
        """
        subprotocol = self._choose(request)
        answer = accept(request.extensions) if self.factory.compression else None
        # Autobahn would refuse a connection whose offer is malformed, and cannot say all that we answer.
        self.websocket_extensions: list[object] = []
        self._is_deflated = answer is not None
        return subprotocol, {"Sec-WebSocket-Extensions": answer} if answer else {}

    def _choose(self, request: Any) -> str | None:
        """The subprotocol: None, and ``_stream`` set, for listeners to a channel. Raises: ConnectionDeny."""
        if request.path == WAMP_PATH:
            for name in request.protocols:
                if name in SUBPROTOCOLS:
                    return str(name)
            raise ConnectionDeny(400, f"offer one of the subprotocols {', '.join(SUBPROTOCOLS)}")
        channel = self.factory.channel_at(request.path)
        if channel is None:
            raise ConnectionDeny(404, "no such path")
        try:
            self._stream = self.factory.streams.admit(_credential(request.headers), channel)
        except RadiodError as error:
            raise ConnectionDeny(http_status(error), error.text) from None
        return None

    def onOpen(self) -> None:
        """The handshake succeeded: build what the path asked for."""
        self._fragments = 0
        if self._is_deflated:
            self._perMessageCompress = Inflating(self.maxMessagePayloadSize)
        if self._stream is not None:
            self._outlet = self._make_outlet(PLAIN_DEFLATED if self._is_deflated else PLAIN)
            self._stream.open(self._outlet)
        else:
            self._open_wamp(*SUBPROTOCOLS[self.websocket_protocol_in_use])

    def _open_wamp(self, codec: Codec, is_batched: bool) -> None:
        make_format = batched_format if is_batched else websocket_format
        self._first_byte = BINARY if codec.is_binary else TEXT
        self._outlet = outlet = self._make_outlet(make_format(codec.name, self._is_deflated))
        self._driver = driver = WampDriver(
            self.factory.gates, codec, outlet, self.peer, self.factory.handshake_deadline
        )
        self._receive = driver.receive
        if is_batched:
            self._receive = Unbatcher(driver, outlet, codec, self._is_deflated).receive

    def _make_outlet(self, format: Format) -> Outlet:
        options: dict[str, Any] = {
            "max_bytes": 1 << 62,
            "on_cut": self._cut,
            "on_finished": self._finished,
        }
        if hasattr(self.transport, "socket") and not hasattr(self.transport, "wrappedProtocol"):
            return SocketOutlet(self.factory.fan_out, self.transport, format, **options)
        outlet = StreamOutlet(self.factory.fan_out, self.transport, format, **options)
        outlet.start()
        return outlet

    # --- receiving

    def dataReceived(self, data: bytes) -> None:
        """Take plain frames at once; leave everything else to Autobahn."""
        is_plain = (
            self._driver is not None
            and self.state == self.STATE_OPEN
            and not self.inside_message
            and self.current_frame is None
            and not self.data
        )
        if not is_plain:
            self._dataReceived(data)
            return
        rest = self._take_plain(data)
        if rest and self.autoPingTimeoutCall:
            self._cancelAutoPingTimeoutCall()
        if rest < len(data):
            self._dataReceived(data[rest:])

    def _take_plain(self, data: bytes) -> int:
        """Receive the plain frames that ``data`` begins with. Returns: the offset of what follows them."""
        limit = self.maxMessagePayloadSize
        payloads, rest = plain_frames(data, self._first_byte, limit)
        for payload in payloads:
            self._receive(payload)
        while self._is_deflated and rest < len(data):
            start = rest
            payloads, rest = plain_frames(data, self._first_byte | COMPRESSED, limit, start)
            for payload in payloads:
                try:
                    self._receive(inflate(payload, limit))
                except PeerError as error:
                    self._refuse_compressed(error)
                    return len(data)
            payloads, rest = plain_frames(data, self._first_byte, limit, rest)
            for payload in payloads:
                self._receive(payload)
            if rest == start:
                break
        return rest

    def _refuse_compressed(self, error: PeerError) -> None:
        is_too_long = error.uri == PAYLOAD_SIZE_EXCEEDED
        self._fail_connection(
            self.CLOSE_STATUS_CODE_MESSAGE_TOO_BIG if is_too_long else self.CLOSE_STATUS_CODE_INVALID_PAYLOAD,
            error.text,
        )

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """A message that came the long way; what listeners to a channel say is ignored."""
        self._fragments = 0
        if self._driver is None:
            return
        if isBinary != (self._first_byte == BINARY):
            self._fail_connection(self.CLOSE_STATUS_CODE_UNSUPPORTED_DATA, "wrong kind of frame")
            return
        self._receive(payload)

    def onMessageFrameBegin(self, length: int) -> None:
        """Bound the number of fragments as well as their sum."""
        self._fragments += 1
        if self._fragments > self.factory.max_fragments:
            self._fail_connection(self.CLOSE_STATUS_CODE_POLICY_VIOLATION, "too many fragments")
            return
        super().onMessageFrameBegin(length)

    # --- sending

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        """Everything Autobahn writes goes the same way as messages, so that the bounds hold for it too."""
        if self._outlet is not None and self.state != self.STATE_CLOSED:
            self._outlet.push(data)
        else:
            self.transport.write(data)

    def unregisterProducer(self) -> None:
        """Autobahn asks for this when it closes; the transport's producer is the outlet's affair."""

    # --- closing

    def _finished(self) -> None:
        """Everything has been written: close, unless the peer did before."""
        code = self._driver.close_code if self._driver is not None else self.CLOSE_STATUS_CODE_GOING_AWAY
        self._outlet = None
        if self.state == self.STATE_OPEN:
            # sendClose would take codes for applications only.
            self.sendCloseFrame(code)

    def _cut(self) -> None:
        self.log.warn("cut {peer}: it does not read what it is sent", peer=self.peer)
        self.transport.abortConnection()

    def dropConnection(self, abort: bool = False) -> None:
        """Autobahn is done with the connection: what is queued must leave before it closes."""
        outlet, self._outlet = self._outlet, None
        if outlet is not None and not abort:
            outlet.flush()
        super().dropConnection(abort)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Free everything the connection held."""
        super().connectionLost(reason)
        if self._driver is not None:
            self._driver.lost()
        if self._stream is not None:
            self._stream.close()
        if self._outlet is not None:
            self._outlet.abandon()
        self.on_lost()


def _credential(headers: Mapping[str, str]) -> str | None:
    """The API key a request carries; None: none."""
    key = headers.get("api-key")
    scheme, _, token = headers.get("authorization", "").partition(" ")
    found = key or (token.strip() if scheme.lower() == "bearer" else None)
    # Autobahn reads headers as latin-1; a key is UTF-8.
    return None if found is None else found.encode("latin-1").decode("utf-8", "replace")


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
        streams: Streams,
        aliases: Mapping[str, str],
        settings: Settings,
    ) -> None:
        super().__init__(reactor=reactor, protocols=list(SUBPROTOCOLS), server=None)
        self._clock = clock
        self.fan_out = fan_out
        self.gates = gates
        self.streams = streams
        self._aliases = aliases
        self._handshake_seconds = settings.handshake_seconds
        self.max_fragments = settings.max_fragments
        self.compression = settings.compression
        self.setProtocolOptions(
            webStatus=False,
            versions=[13],
            maxFramePayloadSize=settings.max_message_bytes,
            maxMessagePayloadSize=settings.max_message_bytes,
            failByDrop=False,
            openHandshakeTimeout=settings.handshake_seconds,
            closeHandshakeTimeout=CLOSE_SECONDS,
            autoPingInterval=settings.ping_interval,
            autoPingTimeout=settings.ping_timeout,
            allowNullOrigin=True,
        )

    def channel_at(self, path: str) -> str | None:
        """The channel that ``path`` listens to; None: it is no such path."""
        if path in self._aliases:
            return self._aliases[path]
        name = unquote(path[len(LISTEN_PATH) :]) if path.startswith(LISTEN_PATH) else ""
        return name or None

    def handshake_deadline(self, what: Callable[[], None]) -> Any:
        """Call ``what`` when an opening WAMP handshake has had all the time it gets."""
        return self._clock.timers.at(self._clock.seconds() + self._handshake_seconds, what)
