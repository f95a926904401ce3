"""A WebSocket connection from the end of its opening handshake on (RFC 6455, 5 to 7).

Tens of thousands of these are idle at any time, so each is a few slots: no timers, no buffers, and a
``FrameReader`` only while something other than plain frames is coming in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import chain
from time import monotonic
from typing import Any, ClassVar, Final

from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from radiod.core.realm.handshake import Gate
from radiod.core.sessions.authentication import BrowserCookie
from radiod.core.timers import Deadline
from radiod.errors import PAYLOAD_SIZE_EXCEEDED, NoAccess, PeerError, Refused
from radiod.transport.batched import Unbatcher, batched_format
from radiod.transport.census import PLAIN_WEBSOCKET, WEBSOCKET
from radiod.transport.clock import ReactorClock
from radiod.transport.driver import WampDriver
from radiod.transport.formats import Format
from radiod.transport.inbox import Work
from radiod.transport.limits import TransportLimits
from radiod.transport.listening.listeners import PlainListener
from radiod.transport.outbox import FanOut
from radiod.transport.outlets import Outlet
from radiod.transport.pings import NOTHING_ASKED, Pinger
from radiod.transport.sockets import outlet_over
from radiod.wire.bundles import bundled, bundled_deflated
from radiod.wire.codecs import Codec
from radiod.wire.deflate import inflate
from radiod.wire.frames import BINARY, TEXT, plain_frames, websocket_frame
from radiod.wire.reader import CLOSE, NO_CODE, PING, PONG, FrameReader, Inflate, Violation, close_code

__all__ = ["Shared", "WebSocketConnection"]

CLOSE_SECONDS: Final = 1.5
"""How long a peer may take over the closing handshake."""

FINAL: Final = 0x80
CLOSE_FIRST_BYTE: Final = FINAL | CLOSE
PING_FIRST_BYTE: Final = FINAL | PING
PONG_FIRST_BYTE: Final = FINAL | PONG

# Close codes (RFC 6455, 7.4.1)
NORMAL: Final = 1000
GOING_AWAY: Final = 1001
UNSUPPORTED_DATA: Final = 1003
INVALID_PAYLOAD: Final = 1007
POLICY_VIOLATION: Final = 1008
TOO_BIG: Final = 1009
# Our own (4000 to 4999 are for that)
ACCESS_ENDED: Final = 4001
QUOTA_USED: Final = 4029

MOST_REASON: Final = 123
"""Bytes of a reason in a close frame."""


class Shared:
    """What all open connections share."""

    def __init__(self, clock: ReactorClock, fan_out: FanOut, settings: TransportLimits) -> None:
        self.clock = clock
        self.fan_out = fan_out
        self.turns = fan_out.turns
        self.census = fan_out.census
        self.max_message_bytes = settings.max_message_bytes
        self.max_fragments = settings.max_fragments
        self._handshake_seconds = settings.handshake_seconds
        self.unfinished = fan_out.unfinished
        self.pinger = Pinger(clock, settings.ping_interval, settings.ping_timeout)

    def handshake_deadline(self, what: Callable[[], None]) -> Deadline:
        """Call ``what`` when an opening WAMP handshake has had all the time it gets."""
        return self.clock.timers.at(self.clock.seconds() + self._handshake_seconds, what)

    def close_deadline(self, what: Callable[[], None]) -> Deadline:
        """Call ``what`` when a closing handshake has had all the time it gets."""
        return self.clock.timers.at(self.clock.seconds() + CLOSE_SECONDS, what)

    def inflate(self, data: bytes) -> bytes:
        """One compressed message. Raises: Violation: it is malformed, or too big."""
        try:
            return inflate(data, self.max_message_bytes)
        except PeerError as error:
            code = TOO_BIG if error.uri == PAYLOAD_SIZE_EXCEEDED else INVALID_PAYLOAD
            raise Violation(code, error.text) from None


class WebSocketConnection:
    """One open connection: a Twisted protocol that is put in the place of the one that did the handshake.

    It carries either a WAMP session (``serve``) or a listener to one channel (``stream``). ``is_deflated``:
    compression was negotiated.
    """

    __slots__ = (
        "_closing",
        "_driver",
        "_first_byte",
        "_is_deflated",
        "_on_lost",
        "_outlet",
        "_peer",
        "_reader",
        "_shared",
        "_stream",
        "_transport",
        "_unbatcher",
        "asked_at",
        "turn",
    )

    log: ClassVar[Logger] = Logger()

    def __init__(
        self,
        shared: Shared,
        transport: Any,
        peer: str,
        format: Format,
        on_lost: Callable[[], None],
        is_deflated: bool = False,
    ) -> None:
        self._shared = shared
        self._transport = transport
        self._peer = peer
        self._on_lost = on_lost
        self._is_deflated = is_deflated
        self._driver: WampDriver | None = None
        # Who takes batches apart for the driver, if they are batches.
        self._unbatcher: Unbatcher | None = None
        self._stream: PlainListener | None = None
        # What plain frames begin with.
        self._first_byte = TEXT
        self._outlet: Outlet | None = outlet_over(
            shared.fan_out, transport, format, on_cut=self._cut, on_finished=self._finished
        )
        self._reader: FrameReader | None = None
        # When a peer that takes long over the closing handshake is cut; None: the connection is open.
        self._closing: Deadline | None = None
        self.asked_at = NOTHING_ASKED
        self.turn = 0
        shared.pinger.add(self)

    def serve(
        self,
        codec: Codec,
        gates: Mapping[str, Gate],
        is_batched: bool = False,
        cookie: BrowserCookie | None = None,
        origin: str | None = None,
    ) -> None:
        """Expect a WAMP client, who came with this cookie, from a page of this origin."""
        assert self._outlet is not None
        self._first_byte = BINARY if codec.is_binary else TEXT
        deadline = self._shared.handshake_deadline
        driver = WampDriver(gates, codec, self._outlet, self._peer, deadline, cookie, origin)
        self._driver = driver
        self._shared.census.enter(WEBSOCKET)
        if is_batched:
            make_format = partial(batched_format, codec.name)
            self._unbatcher = Unbatcher(driver, self._outlet, codec, make_format)
            self._outlet.bundle = bundled_deflated if self._is_deflated else bundled

    def stream(self, stream: PlainListener) -> Outlet:
        """Send channels' data, if they are there yet. Returns: where it goes."""
        outlet = self._outlet
        assert outlet is not None
        self._stream = stream
        self._shared.census.enter(PLAIN_WEBSOCKET)
        try:
            stream.open(outlet)
        except Refused as refusal:
            self.log.info(
                "failed {peer}: {reason}", peer=self._peer, reason=refusal.text, event="request_refused"
            )
            if isinstance(refusal, NoAccess):
                self._close(ACCESS_ENDED, refusal.reason)
                return outlet
            self._close(POLICY_VIOLATION, refusal.text.encode()[:MOST_REASON].decode("utf-8", "ignore"))
        return outlet

    # --- receiving

    def dataReceived(self, data: bytes) -> None:
        """Take a message that comes alone at once, and everything else step by step."""
        # Whatever it is, the peer is alive.
        self.asked_at = NOTHING_ASKED
        outlet = self._outlet
        if outlet is None:
            # Both sides have said that they close.
            return
        turns, driver = self._shared.turns, self._driver
        turns.arrived = monotonic()
        try:
            if outlet.reads_paused:
                outlet.put_off(data, self._read)
            elif self._reader is None and driver is not None:
                longest = driver.longest(self._shared.max_message_bytes)
                payloads, rest = plain_frames(data, self._first_byte, longest)
                if rest < len(data) or self._unbatcher is not None:
                    work: Work = map(driver.receive, self._messages(payloads))
                    if rest < len(data):
                        work = chain(work, self._read(data[rest:]))
                    turns.take(outlet, work, self._read)
                elif len(payloads) == 1:
                    driver.receive(payloads[0])
                else:
                    turns.take_all(outlet, driver.receive, payloads, self._read)
            else:
                turns.take(outlet, self._read(data), self._read)
        finally:
            turns.arrived = 0.0

    def _messages(self, payloads: Iterable[bytes]) -> Iterable[bytes]:
        """The messages in data frames, or in messages of WebSocket."""
        unbatcher = self._unbatcher
        return payloads if unbatcher is None else chain.from_iterable(map(unbatcher.messages, payloads))

    def _read(self, data: bytes) -> Work:
        """Take what came, in order: plain frames at once; everything else is left to a reader."""
        driver = self._driver
        while data and driver is not None and self._reader is None:
            payloads, rest = plain_frames(data, self._first_byte, self._longest())
            if not payloads:
                break
            yield from map(driver.receive, self._messages(payloads))
            data = data[rest:]
        if data:
            yield from self._take_frames(data)

    def _make_reader(self) -> FrameReader:
        shared = self._shared
        inflate: Inflate | None = None
        if self._is_deflated:
            # What listeners to a channel say is ignored: a KiB of it must not cost inflating a MiB.
            inflate = shared.inflate if self._driver is not None else _leave_deflated
        # Nor must it be kept.
        return FrameReader(self._longest(), shared.max_fragments, inflate, self._driver is None)

    def _longest(self) -> int:
        limit = self._shared.max_message_bytes
        return limit if self._driver is None else self._driver.longest(limit)

    def _take_frames(self, data: bytes) -> Work:
        """Take frames of any kind; once the connection begins to close, only the peer's close frame."""
        reader = self._reader = self._reader or self._make_reader()
        if self._closing is None:
            is_new = False
            try:
                for opcode, payload in reader.read(data):
                    is_new = is_new or opcode < CLOSE
                    yield from self._take_frame(opcode, payload)
                    if self._is_closing():
                        break
                self._note_rest(reader, is_new)
            except Violation as violation:
                self.log.info(
                    "failed {peer}: {reason}",
                    peer=self._peer,
                    reason=violation.reason,
                    event="connection_cut",
                )
                self._leave()
                self._close(violation.code, violation.reason)
            data = b""
        if self._closing is not None and reader.finds_close(data):
            self._hang_up()

    def _is_closing(self) -> bool:
        # Asked anew: what a frame leads to may have begun it.
        return self._closing is not None

    def _note_rest(self, reader: FrameReader, is_new: bool) -> None:
        """All that came was taken: what is left is the beginning of a message, if anything."""
        if self._closing is not None:
            return
        if reader.is_idle:
            self._reader = None
            self._shared.unfinished.release(self)
        elif self._driver is not None:
            self._shared.unfinished.hold(self, reader.size, is_new=is_new)

    def _take_frame(self, opcode: int, payload: bytes) -> Work:
        driver = self._driver
        if opcode == PING:
            self._push(payload, PONG_FIRST_BYTE)
        elif opcode == CLOSE:
            self._leave()
            self._close(_answer_to_close(payload))
            self._hang_up()
        elif opcode != PONG and driver is not None:
            if opcode | FINAL != self._first_byte:
                raise Violation(UNSUPPORTED_DATA, "the subprotocol has no messages of this kind")
            yield from map(driver.receive, self._messages((payload,)))
            return
        # What listeners to a channel say is ignored, but costs time as well.
        yield

    def is_read(self) -> bool:
        """Whether the peer could go on with a message that has begun."""
        return self._outlet is None or self._outlet.is_read

    def give_up_message(self, reason: str, *, is_urgent: bool) -> None:
        """A message has begun, and not ended in time; or all of them are too long."""
        if not is_urgent and self._driver is not None and self._driver.is_over:
            # It is about to be closed.
            return
        self.log.info("cut {peer}: {reason}", peer=self._peer, reason=reason, event="connection_cut")
        self._leave()
        if is_urgent:
            self._reader = None
            self._transport.abortConnection()
        else:
            self._close(POLICY_VIOLATION, reason)

    # --- sending

    def _push(self, payload: bytes, first_byte: int) -> None:
        if self._outlet is not None:
            self._outlet.push(websocket_frame(payload, first_byte))

    def ping(self) -> None:
        """Ask the peer for a sign of life."""
        self._push(b"", PING_FIRST_BYTE)

    # --- closing

    def give_up(self) -> None:
        """There was no sign of life."""
        if self._outlet is not None and self._outlet.is_unheard:
            self.asked_at = NOTHING_ASKED
            return
        self.log.info("cut {peer}: it does not answer pings", peer=self._peer, event="listener_cut")
        self._shared.census.cuts["silent"] += 1
        self._transport.abortConnection()

    def _cut(self) -> None:
        self.log.warn("cut {peer}: it does not read what it is sent", peer=self._peer, event="listener_cut")
        self._transport.abortConnection()

    def _finished(self) -> None:
        """Everything has been written: close, unless the peer did before."""
        if self._stream is not None:
            self._stream.close()
        why = self._outlet.ended_for if self._outlet is not None else ""
        if why:
            self._close(QUOTA_USED if why == "quota" else ACCESS_ENDED, why)
        else:
            seconds = self._outlet.retry_after if self._outlet is not None else 0.0
            reason = f"retry_after={seconds:.3f}" if seconds else ""
            self._close(self._driver.close_code if self._driver is not None else GOING_AWAY, reason)

    def _close(self, code: int, reason: str = "") -> None:
        """Send a close frame, once; from now on only the peer's is waited for."""
        if self._closing is None:
            self._closing = self._shared.close_deadline(self._transport.abortConnection)
            self._shared.pinger.remove(self)
            self._shared.unfinished.release(self)
            self._reader = self._reader or self._make_reader()
            self._push(code.to_bytes(2, "big") + reason.encode(), CLOSE_FIRST_BYTE)

    def _hang_up(self) -> None:
        """Both sides have said that they close: hang up when everything queued has left."""
        outlet, self._outlet = self._outlet, None
        if outlet is not None:
            outlet.take_no_more()
            outlet.flush()
            outlet.let_go()
            self._transport.loseConnection()

    def _leave(self) -> None:
        """End the session, or the listening, now."""
        if self._driver is not None:
            self._driver.lost()
        if self._stream is not None:
            self._stream.close()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Free everything the connection held, as soon as what the peer said before it closed was taken."""
        self._shared.pinger.remove(self)
        if self._closing is not None:
            self._closing.cancel()
        elif self._outlet is not None and self._outlet.take_rest(reason, self._free):
            return
        self._free()

    def _free(self) -> None:
        self._shared.unfinished.release(self)
        if self._driver is not None:
            self._shared.census.leave(WEBSOCKET)
        elif self._stream is not None:
            self._shared.census.leave(PLAIN_WEBSOCKET)
        self._leave()
        if self._outlet is not None:
            self._outlet.abandon()
            self._outlet.inbox = None
        # The outlet knows this object, which must not know the outlet any more to be freed at once.
        self._outlet = self._driver = self._unbatcher = self._stream = None
        self._on_lost()


def _leave_deflated(data: bytes) -> bytes:
    return data


def _answer_to_close(payload: bytes) -> int:
    try:
        code = close_code(payload)
    except Violation as violation:
        return violation.code
    return NORMAL if code == NO_CODE else code
