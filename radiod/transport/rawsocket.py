"""WAMP over RawSocket (WAMP specification, "RawSocket Transport").

Autobahn does the opening handshake; message frames, ping and pong are handled here.

Whoever sends a PING or a PONG is pinged from then on. Others are not: Autobahn|Python, which is most of them,
takes a PING for a message of 16 MiB and is gone. TCP notices if one vanishes (``transport.liveness``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from time import monotonic
from typing import Any, Final

from autobahn.twisted.rawsocket import WampRawSocketServerProtocol
from twisted.internet.protocol import ServerFactory
from twisted.python.failure import Failure

from radiod.core.realm.handshake import Gate
from radiod.errors import PeerError
from radiod.transport.autobahn_log import QuietLogger
from radiod.transport.census import ADMIN
from radiod.transport.census import RAWSOCKET as WAMP_RAWSOCKET
from radiod.transport.clock import ReactorClock
from radiod.transport.driver import WampDriver
from radiod.transport.formats import RAWSOCKET
from radiod.transport.inbox import Work
from radiod.transport.limits import TransportLimits
from radiod.transport.outbox import FanOut
from radiod.transport.outlets import Outlet
from radiod.transport.pings import NOTHING_ASKED, Pinger
from radiod.transport.sockets import outlet_over
from radiod.wire.codecs import CODECS, Codec
from radiod.wire.frames import MESSAGE, PING, PONG, rawsocket_frame, rawsocket_frames, rawsocket_wanted
from radiod.wire.pieces import Pieces

__all__ = ["RawSocket", "RawSocketFactory"]

HANDSHAKE_BYTES: Final = 4

CLOSE_SECONDS: Final = 1.5
"""How long a peer may take to close its end."""

PING_PAYLOAD: Final = b"radiod"
"""Not empty: Autobahn|JS would answer an empty one only when more comes."""

SERIALIZER_UNSUPPORTED: Final = b"\x7f\x10\x00\x00"
RESERVED_BITS_USED: Final = b"\x7f\x30\x00\x00"


class _Serializer:
    """What Autobahn's handshake wants to know of a serializer."""

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self.RAWSOCKET_SERIALIZER_ID = codec.rawsocket_id


class _Opened:
    """What Autobahn's handshake calls a session: it is told when the transport is open."""

    def onOpen(self, protocol: RawSocket) -> None:
        protocol.opened()

    def onClose(self, wasClean: bool) -> None:
        """``RawSocket.connectionLost`` does what there is to do."""


class RawSocket(WampRawSocketServerProtocol):  # type: ignore[misc] # Autobahn is not typed
    """One RawSocket connection."""

    log = QuietLogger()
    factory: RawSocketFactory

    _driver: WampDriver | None = None
    _outlet: Outlet | None = None
    _received = b""
    _is_refused = False
    # A frame that has begun, and how many bytes it has.
    _unfinished: Pieces | None = None
    _wanted = 0
    on_lost: Callable[[], None]
    # For the pinger, once the peer has shown that it knows pings.
    _is_pinged = False
    asked_at = NOTHING_ASKED
    turn = 0

    # --- opening

    def connectionMade(self) -> None:
        """Start the clock: a handshake has to come."""
        super().connectionMade()
        self._max_message_size = self.factory.max_message_bytes
        self._deadline = self.factory.handshake_deadline(self._expire)
        self.factory.fan_out.strangers.add(self)

    def dismiss(self) -> None:
        """The server stops before the RawSocket handshake."""
        self._hang_up()

    def _expire(self) -> None:
        self.log.info(
            "refused {peer}: no RawSocket handshake in time", peer=self.peer, event="connection_refused"
        )
        self.transport.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        """Handshake first, frames then."""
        if self._handshake_complete:
            turns = self.factory.fan_out.turns
            turns.arrived = monotonic()
            try:
                self._receive(data)
            finally:
                turns.arrived = 0.0
            return
        if self._is_refused:
            return
        self._received += data
        if len(self._received) >= HANDSHAKE_BYTES:
            head, rest = self._received[:HANDSHAKE_BYTES], self._received[HANDSHAKE_BYTES:]
            self._received = b""
            refusal = self.factory.refusal(head)
            if refusal is not None:
                self._refuse(refusal)
                return
            super().dataReceived(head)
            if rest:
                self._receive(rest)

    def _refuse(self, answer: bytes) -> None:
        self.log.info(
            "refused {peer}: RawSocket handshake {answer}",
            peer=self.peer,
            answer=answer.hex(),
            event="connection_refused",
        )
        self._is_refused = True
        self.transport.write(answer)
        self._hang_up()

    def _hang_up(self) -> None:
        self._deadline.cancel()
        if self._is_pinged:
            self.factory.pinger.remove(self)
        # Under TLS closing needs the peer.
        self._deadline = self.factory.close_deadline(self.transport.abortConnection)
        self.transport.loseConnection()

    def opened(self) -> None:
        """The RawSocket handshake succeeded: begin the WAMP one."""
        codec: Codec = self._serializer.codec
        self._outlet = outlet_over(
            self.factory.fan_out,
            self.transport,
            RAWSOCKET[codec.name],
            max_bytes=self._max_len_send + HANDSHAKE_BYTES,
            on_cut=self._cut,
            on_finished=self._finished,
        )
        self._deadline.cancel()
        self.factory.fan_out.strangers.discard(self)
        self.factory.fan_out.census.enter(self.factory.kind)
        self._driver = WampDriver(
            self.factory.gates, codec, self._outlet, self.peer, self.factory.handshake_deadline
        )

    # --- receiving

    def _receive(self, data: bytes) -> None:
        driver, outlet = self._driver, self._outlet
        # Whatever it is, the peer is alive.
        self.asked_at = NOTHING_ASKED
        if driver is None or outlet is None or driver.is_over:
            return
        if outlet.reads_paused:
            outlet.put_off(data, self._read)
            return
        unfinished = self._unfinished
        if unfinished is not None:
            unfinished.add(data)
            if unfinished.size < self._wanted:
                self.factory.fan_out.unfinished.hold(self, unfinished.size)
                return
            self._unfinished, data = None, unfinished.take()
        try:
            frames, rest = rawsocket_frames(data, driver.longest(self.MAX_LENGTH))
        except PeerError as error:
            driver.abort(error)
            return
        if len(frames) == 1 and rest == len(data) and frames[0][0] == MESSAGE:
            # A message that comes alone.
            if unfinished is not None:
                self.factory.fan_out.unfinished.release(self)
            driver.receive(frames[0][1])
        else:
            outlet.turns.take(outlet, self._steps(frames, data[rest:]), self._read)

    def _read(self, data: bytes) -> Work:
        """Take what came while the peer was not to be read."""
        unfinished, self._unfinished = self._unfinished, None
        if unfinished is not None:
            unfinished.add(data)
            data = unfinished.take()
        return self._steps([], data)

    def _steps(self, frames: list[tuple[int, bytes]], data: bytes) -> Work:
        """Take ``frames``, and those in ``data`` behind them, in order."""
        driver, outlet = self._driver, self._outlet
        assert driver is not None
        assert outlet is not None
        is_new = False
        while True:
            for kind, payload in frames:
                if kind == MESSAGE:
                    driver.receive(payload)
                else:
                    if kind == PING:
                        outlet.push(rawsocket_frame(payload, PONG))
                    self._begin_pings()
                yield
            if driver.is_over:
                return
            is_new = is_new or bool(frames)
            try:
                frames, rest = rawsocket_frames(data, driver.longest(self.MAX_LENGTH))
            except PeerError as error:
                driver.abort(error)
                return
            data = data[rest:]
            if not frames:
                break
        self._keep(data, is_new)

    def _keep(self, data: bytes, is_new: bool) -> None:
        """The beginning of a frame, perhaps empty, is all there is; ``is_new``: behind frames that ended."""
        if data:
            self._unfinished, self._wanted = Pieces(data), rawsocket_wanted(data)
            self.factory.fan_out.unfinished.hold(self, len(data), is_new=is_new)
        elif is_new:
            self.factory.fan_out.unfinished.release(self)

    def is_read(self) -> bool:
        """Whether the peer could go on with a message that has begun."""
        return self._outlet is None or self._outlet.is_read

    def give_up_message(self, reason: str, *, is_urgent: bool) -> None:
        """A message has begun, and not ended in time; or all of them are too long."""
        self._unfinished = None
        if self._driver is not None and not is_urgent:
            self._driver.abort(PeerError(reason))
        else:
            self.log.info("cut {peer}: {reason}", peer=self.peer, reason=reason, event="connection_cut")
            self.transport.abortConnection()

    # --- pings

    def _begin_pings(self) -> None:
        if not self._is_pinged and self._outlet is not None:
            self._is_pinged = True
            self.factory.pinger.add(self)

    def ping(self) -> None:
        """Ask the peer for a sign of life."""
        if self._outlet is not None:
            self._outlet.push(rawsocket_frame(PING_PAYLOAD, PING))

    def give_up(self) -> None:
        """There was no sign of life."""
        if self._outlet is not None and self._outlet.is_unheard:
            self.asked_at = NOTHING_ASKED
            return
        self.log.info("cut {peer}: it does not answer pings", peer=self.peer, event="listener_cut")
        self.factory.fan_out.census.cuts["silent"] += 1
        self.transport.abortConnection()

    # --- closing

    def _finished(self) -> None:
        if self._outlet is not None:
            self._outlet.take_no_more()
            self._outlet.let_go()
        self._hang_up()

    def _cut(self) -> None:
        self.log.warn("cut {peer}: it does not read what it is sent", peer=self.peer, event="listener_cut")
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure) -> None:
        """Free everything the connection held, as soon as what the peer said before it closed was taken."""
        super().connectionLost(reason)
        self._deadline.cancel()
        self.factory.fan_out.strangers.discard(self)
        if self._is_pinged:
            self.factory.pinger.remove(self)
        outlet = self._outlet
        if outlet is None or not outlet.take_rest(reason, self._free):
            self._free()

    def _free(self) -> None:
        self.factory.fan_out.unfinished.release(self)
        if self._driver is not None:
            self._driver.lost()
            self.factory.fan_out.census.leave(self.factory.kind)
        if self._outlet is not None:
            self._outlet.abandon()
            self._outlet.inbox = None
        # The outlet knows this object, which must not know the outlet any more to be freed at once.
        self._outlet = self._driver = None
        self.on_lost()


class RawSocketFactory(ServerFactory):
    """What all RawSocket connections share."""

    protocol = RawSocket
    noisy = False
    kind = WAMP_RAWSOCKET

    def __init__(
        self, clock: ReactorClock, fan_out: FanOut, gates: Mapping[str, Gate], settings: TransportLimits
    ) -> None:
        self._clock = clock
        self.fan_out = fan_out
        self.gates = gates
        # The handshake can only say powers of two: the next one below is what peers are told.
        self.max_message_bytes = 1 << (settings.max_message_bytes.bit_length() - 1)
        self.pinger = Pinger(clock, settings.ping_interval, settings.ping_timeout)
        self._handshake_seconds = settings.handshake_seconds
        self._serializers = {codec.rawsocket_id: _Serializer(codec) for codec in CODECS.values()}
        self._factory = _Opened

    def through(self, gates: Mapping[str, Gate]) -> RawSocketFactory:
        """The same for the admin socket, by other gates."""
        other = copy(self)
        other.gates = gates
        other.kind = ADMIN
        return other

    def refusal(self, head: bytes) -> bytes | None:
        """The error answer to an opening handshake, None when it is fine."""
        if head[2:] != b"\x00\x00":
            return RESERVED_BITS_USED
        if head[1] & 0x0F not in self._serializers:
            return SERIALIZER_UNSUPPORTED
        return None

    def handshake_deadline(self, what: Callable[[], None]) -> Any:
        """Call ``what`` when an opening handshake has had all the time it gets."""
        return self._clock.timers.at(self._clock.seconds() + self._handshake_seconds, what)

    def close_deadline(self, what: Callable[[], None]) -> Any:
        """Call ``what`` when a peer has had all the time it gets to close its end."""
        return self._clock.timers.at(self._clock.seconds() + CLOSE_SECONDS, what)
