"""From the core's decisions to sockets: encode once, frame once, write once per connection and turn.

``FanOut`` is the realm's ``Outbox``. Each connection has an ``Outlet``. While its socket takes what it
is given, frames gather in the outlet's queue and leave with one ``send`` at the end of the reactor turn.
When the socket is full the outlet is *blocked*: events wait in each listener's own buffer
(``core.delivery.buffers``), whose policy decides what is dropped; everything else waits in a backlog that is
bounded as well: above ``READ_PAUSE`` bytes the peer is no longer read, above ``max_backlog`` its
connection is cut.

What waited is written when the socket takes it again, ``TURN_BYTES`` or ``TURN_S`` in one turn; until the
last of it has been written the outlet stays blocked, so that nothing new overtakes it. The listeners of one
connection share it by fair queueing: each event is put off by its length over the listener's weight, and the
one that is due first goes next. That shares like deficit round robin, without a round to go through for each
event.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from heapq import heappop, heappush, heapreplace
from itertools import count
from math import inf
from typing import Any, Final, Protocol

from msgspec import structs
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IPushProducer
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from radiod.core.budgets.addresses import network_of_peer
from radiod.core.budgets.guesses import Guesses
from radiod.core.budgets.unfinished import Unfinished
from radiod.core.delivery.broadcast import Broadcast
from radiod.core.delivery.listeners import Listener
from radiod.core.rights import Actor, Principal
from radiod.core.sessions.session import Session
from radiod.core.statistics import REFUSALS
from radiod.core.timers import Deadline
from radiod.errors import (
    CLOSE_KILLED,
    INVALID_ARGUMENT,
    PAYLOAD_SIZE_EXCEEDED,
    PeerError,
    RadiodError,
    Refused,
    WrongSecret,
)
from radiod.transport.clock import ReactorClock
from radiod.transport.formats import Format
from radiod.transport.inbox import Inbox, Turns, Work
from radiod.transport.strangers import Strangers
from radiod.transport.unsaid import Unsaid
from radiod.wire.codecs import Payload, Undecodable
from radiod.wire.messages import Error, Goodbye, Message, RegistrationRevoked, SubscriptionRevoked

__all__ = ["CHUNK", "FanOut", "Outlet", "SocketOutlet", "StreamOutlet"]

CHUNK: Final = 1 << 16
"""Bytes: queues are flushed before they hold more, so a stalled listener never costs much more."""

READ_PAUSE: Final = 1 << 16
"""Bytes of unsent answers above which a peer must read before it may ask on."""

TURN_BYTES: Final = 1 << 18
"""Bytes of what waited that one outlet writes in a turn: others have their turn too."""

TURN_S: Final = 0.001
"""Seconds that one outlet may take for it: short events cost more than their bytes, compressed ones most."""

RESTED_S: Final = 0.002
"""Seconds of one turn for all outlets together that go on with it."""

DRAIN_BYTES: Final = 1 << 20
"""Bytes of events that are sent to a connection that is behind when the server stops, or a little more."""

FINISH_SECONDS: Final = 2.0
"""How long a blocked connection may take to read what it was sent before it is closed."""


class Consumer(Protocol):
    """The part of Twisted's transports, and of HTTP requests, that outlets use."""

    def write(self, data: bytes) -> object: ...

    def registerProducer(self, producer: object, streaming: bool) -> object: ...

    def unregisterProducer(self) -> object: ...


class Driver(Protocol):
    """Who runs the WAMP sessions of a connection (``driver``)."""

    def reopen(self) -> None:
        """The session has said goodbye: another one may begin."""

    def close(self, reason: str) -> None:
        """The session has been told GOODBYE: have the outlet finish once the peer has answered."""

    def stop(self) -> None:
        """The server stops: have the outlet finish, with nothing that the peer takes for a goodbye."""

    def abort(self, error: RadiodError) -> None:
        """End the session for a fault of the peer."""

    @property
    def is_in_line(self) -> bool:
        """Whether it waits for its turn to show a secret: who hangs up loses that."""


class FanOut:
    """All outlets of one server, and the turn's list of those that have something to send.

    ``max_backlog`` is in bytes; ``strangers``: connections without a session. ``cut`` counts connections that
    were cut for their backlog; ``guesses``: wrong keys and failed logins by address; ``refused``: as
    ``Statistics.refused``; ``unfinished``: what came of messages that are not complete, each of which may
    take ``message_timeout`` seconds, and all together ``max_unfinished`` bytes.
    """

    log = Logger()

    def __init__(
        self,
        clock: ReactorClock,
        max_backlog: int,
        refused: dict[str, int] | None = None,
        message_timeout: float = 10.0,
        max_unfinished: int = 64 << 20,
    ) -> None:
        self._clock = clock
        self.max_backlog = max_backlog
        self._dirty: list[Outlet] = []
        self._due: list[Outlet] = []
        self._resting: deque[Outlet] = deque()
        self._is_going_on = False
        self.seconds = clock.seconds
        # When the outlet that writes what waited has had its turn.
        self.until = inf
        self._order = count()
        self._turn_bytes = 0
        # The event that the log was told of last.
        self._noted = 0
        self.strangers = Strangers()
        self.turns = Turns(clock)
        refused = dict.fromkeys(REFUSALS, 0) if refused is None else refused
        self.guesses = Guesses(clock, clock.timers, refused, self._slow)
        self.unfinished = Unfinished(clock, clock.timers, refused, message_timeout, max_unfinished)
        self.cut = 0

    def counters(self) -> dict[str, int]:
        """What statistics tell of the way out: connections cut, those without a session, unfinished bytes."""
        return {
            "cut": self.cut,
            "strangers": len(self.strangers),
            "unfinished_bytes": self.unfinished.bytes,
        }

    def _slow(self, network: str) -> None:
        self.log.warn("slowing {peer}: many wrong keys or failed logins", peer=network)

    def mark(self, outlet: Outlet) -> None:
        """Have the outlet flushed at the end of this turn."""
        if not self._dirty:
            self._clock.soon(self.flush)
        self._dirty.append(outlet)

    def flush(self) -> None:
        """Write everything that is queued."""
        dirty, self._dirty = self._dirty, []
        self._turn_bytes = 0
        for outlet in dirty:
            outlet.flush()

    def rest(self, outlet: Outlet) -> None:
        """Have the outlet go on writing what waits in a later turn."""
        if not self._is_going_on:
            self._is_going_on = True
            self._clock.soon(self._go_on)
        self._resting.append(outlet)

    def _go_on(self) -> None:
        until = self.seconds() + RESTED_S
        try:
            # Everybody at most once in a turn: whoever rests again is the last in the next.
            for _ in range(len(self._resting)):
                self._resting.popleft().go_on()
                if self.seconds() >= until:
                    break
        finally:
            # One that fails does not keep the others waiting for ever.
            self._is_going_on = bool(self._resting)
            if self._is_going_on:
                self._clock.soon(self._go_on)

    def _write_due(self) -> None:
        due, self._due = deque(self._due), []
        until = self.seconds() + RESTED_S
        try:
            while due and self.seconds() < until:
                due.popleft().write_waiting()
        finally:
            # Those that had no time, and those behind one that failed.
            for outlet in due:
                outlet.rest()

    def after(self, seconds: float, what: Callable[[], None]) -> Deadline:
        """Call ``what`` when so much time has passed."""
        return self._clock.timers.at(self._clock.seconds() + seconds, what)

    def _count(self, size: int) -> None:
        self._turn_bytes += size
        if self._turn_bytes > CHUNK:
            self.flush()

    # --- realm.Outbox

    def send(self, session: Session, message: Message, payload: Payload | None = None) -> None:
        """Queue one message. Raises: Refused: the session cannot take this payload; nothing was queued."""
        outlet: Outlet = session.outlet
        try:
            data = _said(outlet, message, payload)
        except Refused as refusal:
            if not isinstance(message, Error):
                raise
            # What went wrong matters more than the payload; that there was one is told in its place.
            data = _said_briefly(outlet, message, refusal.text)
        if len(data) > outlet.max_bytes:
            # Without a payload: with one that is too long it was refused.
            data = outlet.fitting(message, *_shorter(message))
        outlet.push(data)
        self._count(len(data))

    def fan_out(self, listeners: Collection[Listener], broadcast: Broadcast, lost: int = 0) -> None:
        """Queue one event for many listeners, or hold it for those that do not keep up."""
        format: Format | None = None
        frame = b""
        # Those that get it not or not now are few: counting them costs the others nothing.
        left_out = 0
        for listener in listeners:
            outlet: Outlet = listener.outlet
            if outlet.blocked:
                listener.hold(broadcast)
                left_out += 1
                if not listener.is_owed:
                    self._owe(outlet, listener)
                continue
            if outlet.format is not format:
                format = outlet.format
                frame = self._frame(broadcast, format, lost)
            if frame and len(frame) <= outlet.max_bytes:
                queue = outlet.queue
                if not queue:
                    self.mark(outlet)
                queue.append(frame)
            else:
                left_out += 1
                self._miss(listener, broadcast, frame, lost)
        if listeners:
            listener.count(len(listeners) - left_out, broadcast)
        self._count(len(frame))

    def release(self, listener: Listener) -> None:
        """Take what is due for the listener at the end of this turn, or as soon as it reads."""
        outlet: Outlet = listener.outlet
        if not listener.is_owed:
            self._owe(outlet, listener)
        if not outlet.blocked:
            if not self._due:
                self._clock.soon(self._write_due)
            self._due.append(outlet)

    def is_blocked(self, session: Session) -> bool:
        """True while events for the session go to buffers."""
        blocked: bool = session.outlet.blocked
        return blocked

    def _owe(self, outlet: Outlet, listener: Listener) -> None:
        listener.is_owed = True
        listener.share = max(listener.share, outlet.shared)
        heappush(outlet.owed, (listener.share, next(self._order), listener))

    def hold(self, session: Session, is_held: bool) -> None:
        """Stop reading from the session's peer, or read on."""
        session.outlet.pause_reads(is_held)

    def confirm(self, session: Session, message: Goodbye) -> None:
        """Queue the answer to GOODBYE, and tell whoever drives the session."""
        outlet: Outlet = session.outlet
        outlet.push(outlet.format.message(message, None))
        if outlet.driver is not None:
            outlet.driver.reopen()

    def drain(self, session: Session) -> None:
        """Queue the events that wait for the session, up to ``DRAIN_BYTES``."""
        outlet: Outlet = session.outlet
        outlet.drain()

    def stop(self, session: Session) -> None:
        """Close the connection once everything queued has left; how is for its driver to say."""
        outlet: Outlet = session.outlet
        outlet.push(outlet.format.last_words())
        if outlet.driver is None:
            outlet.finish()
        else:
            outlet.driver.stop()

    def abort(self, session: Session, error: PeerError) -> None:
        """Have the session ended by whoever drives it."""
        outlet: Outlet = session.outlet
        if outlet.driver is not None:
            outlet.driver.abort(error)

    def unpublished(self, session: Session, topic: str, refusal: RadiodError) -> None:
        """Note in the log that an event was refused whose publisher is not told so."""
        principal, peer = session.principal, session.outlet.peer
        self.log.info(
            "refused {peer}: an event on {topic}: {text}: {authid} by {authmethod}",
            peer=peer,
            topic=topic,
            text=refusal.text,
            authid=principal.authid,
            authmethod=principal.authmethod,
            # The log's limit goes by this, too.
            uri=refusal.uri,
        )

    def suspect(self, session: Session, refusal: WrongSecret) -> None:
        """Note a wrong key in the log, and count it against the address."""
        principal, peer = session.principal, session.outlet.peer
        self.log.info(
            "refused {peer}: {text}: {authid} by {authmethod}",
            peer=peer,
            text=refusal.text,
            authid=principal.authid,
            authmethod=principal.authmethod,
        )
        self.guesses.wrong(network_of_peer(peer))

    def end(self, session: Session) -> None:
        """Finish a stream at the end of this turn, so that its end does not re-enter the core."""
        outlet: Outlet = session.outlet
        if outlet.driver is None:
            self._clock.soon(lambda: outlet.finish() if session.is_open else None)

    def close(self, session: Session, message: Goodbye) -> None:
        """Queue GOODBYE; the connection is closed once the peer has answered, or has had time to."""
        outlet: Outlet = session.outlet
        outlet.owed.clear()
        outlet.push(outlet.fitting(message, *_shorter(message)))
        if outlet.driver is None:
            # A listener that speaks no WAMP has nothing to answer.
            outlet.finish()
        else:
            outlet.driver.close(message.reason)

    def _frame(self, broadcast: Broadcast, format: Format, lost: int = 0) -> bytes:
        """The event's bytes in one format, made at most once; ``Unsaid`` when the format cannot say it."""
        if lost:
            return self._make(broadcast, format, lost)
        frame = broadcast.frames.get(format)
        if frame is None:
            frame = broadcast.frames[format] = self._make(broadcast, format, 0)
        return frame

    def _make(self, broadcast: Broadcast, format: Format, lost: int) -> bytes:
        try:
            return format.event(broadcast, lost)
        except Undecodable as error:
            return Unsaid(str(error))

    def _miss(self, listener: Listener, broadcast: Broadcast, frame: bytes, lost: int) -> None:
        """An event cannot be said to a listener, whose ``frame`` it would be: that is a loss, and told."""
        outlet: Outlet = listener.outlet
        reason = frame.reason if isinstance(frame, Unsaid) else f"it takes {outlet.max_bytes} bytes at most"
        # One line for each event: it may be thousands that cannot have it.
        if broadcast.publication != self._noted:
            self._noted = broadcast.publication
            self.undelivered(broadcast.topic, listener.session, reason)
        listener.miss(lost)
        outlet.missed()

    def undelivered(self, topic: str, actor: Actor, reason: str) -> None:
        """Note in the log that a listener, perhaps one of many, cannot be told an event of ``topic``."""
        principal = actor.principal
        peer = actor.outlet.peer if actor.outlet is not None else ""
        self.log.warn(
            "an event on {topic} cannot be told to {who}: {reason}",
            topic=topic,
            who=f"{principal.authid} at {peer}" if peer else principal.authid,
            reason=reason,
            # The log's limit goes by these.
            authid=principal.authid,
            authmethod=principal.authmethod,
            peer=peer,
        )

    def next_owed(self, outlet: Outlet) -> bytes | None:
        """The next event that waits for this outlet, shared fairly among its listeners.

        None: none is due, or too much that the peer cannot take has been passed over in this turn, or the
        outlet's time is up.
        """
        owed = outlet.owed
        while owed and outlet.passed_over < TURN_BYTES and self.seconds() < self.until:
            share, _, listener = owed[0]
            taken = listener.take()
            if taken is None:
                heappop(owed)
                listener.is_owed = False
                continue
            broadcast, lost = taken
            frame = self._frame(broadcast, outlet.format, lost)
            outlet.shared = share
            listener.share = share + len(frame) / listener.settings.weight
            heapreplace(owed, (listener.share, next(self._order), listener))
            if frame and len(frame) <= outlet.max_bytes:
                listener.count(1, broadcast)
                return frame
            self._miss(listener, broadcast, frame, lost)
            outlet.passed_over += len(frame or broadcast.payload)
        return None


def _said(outlet: Outlet, message: Message, payload: Payload | None) -> bytes:
    """The bytes of a message. Raises: Refused: the payload cannot be said to this receiver."""
    try:
        data = outlet.format.message(message, payload)
    except Undecodable as error:
        raise Refused(INVALID_ARGUMENT, str(error)) from None
    if len(data) > outlet.max_bytes and payload is not None:
        raise Refused(PAYLOAD_SIZE_EXCEEDED, f"the receiver takes {outlet.max_bytes} bytes at most")
    return data


def _said_briefly(outlet: Outlet, message: Error, why: str) -> bytes:
    """An error with the reason in the place of its payload; without, if even that is too long."""
    # The details are about the payload: that it is encrypted, say.
    message = Error(message.request_type, message.request, {}, message.error)
    try:
        return _said(outlet, message, Payload.of(f"what came with this error cannot be told: {why}"))
    except Refused:
        return _said(outlet, message, None)


def _shorter(message: Message) -> tuple[Message, ...]:
    """What says nearly the same in fewer bytes: the last is shorter than whatever a peer may ask for.

    What others may have written at length is the text in details, and URIs.
    """
    match message:
        case Error():
            short = Error(message.request_type, message.request, {}, message.error)
            return short, structs.replace(short, error=PAYLOAD_SIZE_EXCEEDED)
        case Goodbye():
            return Goodbye({}, message.reason), Goodbye({}, CLOSE_KILLED)
        case SubscriptionRevoked() | RegistrationRevoked():
            details = {name: value for name, value in message.details.items() if name != "reason"}
            return (structs.replace(message, details=details),)
    return ()


@implementer(IPushProducer)
class Outlet:
    """One connection's way out.

    Args:
        fan_out: shared by all.
        format: what they look like.
        max_bytes: the longest frame the peer accepts.
        on_cut: must cut the connection at once: its backlog is too long, or it will not finish.
        on_finished: called once, when ``finish`` was asked for and everything has left.
    """

    __slots__ = (
        "_backlog",
        "_backlog_bytes",
        "_fan_out",
        "_is_backlogged",
        "_is_finishing",
        "_is_gone",
        "_is_resting",
        "_is_waiting",
        "_on_cut",
        "_on_finished",
        "blocked",
        "driver",
        "format",
        "inbox",
        "is_held",
        "max_bytes",
        "owed",
        "passed_over",
        "peer",
        "queue",
        "reads_paused",
        "shared",
    )

    def __init__(
        self,
        fan_out: FanOut,
        format: Format,
        *,
        max_bytes: int,
        on_cut: Callable[[], None],
        on_finished: Callable[[], None],
    ) -> None:
        self._fan_out = fan_out
        self.format = format
        self.max_bytes = max_bytes
        self._on_cut = on_cut
        self._on_finished = on_finished
        self._is_gone = False
        self._is_finishing = False
        # Two reasons to take nothing from the peer, and whether there is one; what it sent before that was
        # noticed, or that was too much for one turn; and whether it is read now.
        self._is_backlogged = False
        self._is_waiting = False
        self.is_held = False
        self.inbox: Inbox | None = None
        self.reads_paused = False
        # Blocked by itself, with more to write in the next turn.
        self._is_resting = False
        self.blocked = False
        self.driver: Driver | None = None
        # For the log, where it is known.
        self.peer = ""
        # Frames to be written at the end of this turn, in order.
        self.queue: list[bytes] = []
        # Listeners whose buffers hold events: a heap of (when it is due, order, listener), where time is
        # the bytes written so far over the weights; and the time of what was written last.
        self.owed: list[tuple[float, int, Listener]] = []
        self.shared = 0.0
        # Bytes in this turn of events that the peer cannot take: to make them takes time, too.
        self.passed_over = 0
        # While blocked: answers in order.
        # An empty deque has 600 bytes: the backlog is one only while there is something in it.
        self._backlog: deque[bytes] | None = None
        self._backlog_bytes = 0

    def push(self, data: bytes) -> None:
        """Queue bytes that may not be dropped."""
        if self._is_gone:
            return
        if self.blocked:
            self._held().append(data)
            self._backlog_bytes += len(data)
            self._check_backlog()
        elif data:
            if not self.queue:
                self._fan_out.mark(self)
            self.queue.append(data)

    def fitting(self, *messages: Message) -> bytes:
        """The first of ``messages`` that the peer accepts, or else the last one."""
        data = b""
        for message in messages:
            data = self.format.message(message, None)
            if len(data) <= self.max_bytes:
                break
        return data

    def let_go(self) -> None:
        """The connection is about to be closed: its transport need not wait for more."""

    def missed(self) -> None:
        """An event could not be said here. The listener's next one tells so, unless something else does."""

    def _held(self) -> deque[bytes]:
        if self._backlog is None:
            self._backlog = deque()
        return self._backlog

    def finish(self) -> None:
        """Have the connection closed once everything queued so far has left; events held are given up."""
        if self._is_gone:
            return
        self._is_finishing = True
        self.owed.clear()
        if self._has_all_left():
            self._finish_if_done()
        elif self.blocked:
            self.after(FINISH_SECONDS, self.give_up)

    def _has_all_left(self) -> bool:
        """True when nothing more need be written before the connection is closed."""
        return not self.blocked and not self.queue and not self._backlog

    def give_up(self) -> None:
        """Cut the connection if its peer has not read everything."""
        if self.blocked and not self._is_gone and not self._has_all_left():
            self._break_off()

    def _break_off(self) -> None:
        # Nothing more is taken from its peer.
        self._is_backlogged = self.is_held = True
        self.abandon()
        self._on_cut()

    @property
    def turns(self) -> Turns:
        """Who shares the reactor's turns among all peers."""
        return self._fan_out.turns

    @property
    def strangers(self) -> Strangers:
        """The server's connections without a session."""
        return self._fan_out.strangers

    @property
    def guesses(self) -> Guesses:
        """The server's failed logins and wrong keys."""
        return self._fan_out.guesses

    def after(self, seconds: float, what: Callable[[], None]) -> Deadline:
        """Call ``what`` when so much time has passed."""
        return self._fan_out.after(seconds, what)

    def drain(self) -> None:
        """Queue the events that wait behind everything else, up to ``DRAIN_BYTES``."""
        size = self.passed_over = 0
        self._fan_out.until = inf
        while self.owed and size < DRAIN_BYTES and (frame := self._fan_out.next_owed(self)) is not None:
            size += len(frame)
            if self.blocked:
                # Not a reason to cut the connection: that events can wait is what buffers are for.
                self._held().append(frame)
                self._backlog_bytes += len(frame)
            else:
                self.push(frame)

    def abandon(self) -> None:
        """The connection is gone, or about to be: hold nothing more."""
        self._is_gone = True
        self.queue.clear()
        self._backlog = None
        self.owed.clear()

    def _check_backlog(self) -> None:
        if self._backlog_bytes > self._fan_out.max_backlog:
            self._fan_out.cut += 1
            self._break_off()
        elif self._backlog_bytes > READ_PAUSE and not self._is_backlogged:
            self._is_backlogged = True
            self.update_reads()

    def flush(self) -> None:
        """Write the queue; called by ``FanOut`` once a turn."""
        queue = self.queue
        if not queue:
            return
        data = queue[0] if len(queue) == 1 else b"".join(queue)
        queue.clear()
        if not self.blocked:
            self._write(data)
        else:
            # Queued before the connection was blocked by a write from elsewhere in the same turn.
            self._held().appendleft(data)
            self._backlog_bytes += len(data)
        self._finish_if_done()

    def write_waiting(self) -> None:
        """Write what waits, unless the connection is blocked."""
        # What was queued before goes first.
        self.flush()
        if not self.blocked:
            self._drain()

    def rest(self) -> None:
        """Write what waits in a later turn, unless the connection is blocked."""
        self.flush()
        if not self.blocked:
            self._rest()

    def _rest(self) -> None:
        self._is_resting = self.blocked = True
        self._fan_out.rest(self)

    def go_on(self) -> None:
        """Write on after a rest."""
        if self._is_resting:
            self._is_resting = self.blocked = False
            self._drain()

    def _drain(self) -> None:
        """Write what waited, chunk by chunk, until the connection blocks again or nothing waits."""
        written = self.passed_over = 0
        self._fan_out.until = self._fan_out.seconds() + TURN_S
        while not self.blocked:
            chunk = self._next_chunk()
            if chunk:
                data = b"".join(chunk)
                self._write(data)
                written += len(data)
            if not self.blocked and self._has_had_its_turn(written):
                self._rest()
            elif not chunk:
                break
        if self._is_backlogged and self._backlog_bytes <= READ_PAUSE:
            self._is_backlogged = False
            self.update_reads()
        self._finish_if_done()

    def _has_had_its_turn(self, written: int) -> bool:
        fan_out = self._fan_out
        return written + self.passed_over >= TURN_BYTES or fan_out.seconds() >= fan_out.until

    def _finish_if_done(self) -> None:
        if self._is_finishing and self._has_all_left():
            self._is_finishing = False
            self._on_finished()

    def _next_chunk(self) -> list[bytes]:
        """What the next write holds; empty when nothing waits."""
        chunk: list[bytes] = []
        size = 0
        while size < CHUNK and (data := self._next_waiting()) is not None:
            chunk.append(data)
            size += len(data)
        return chunk

    def _next_waiting(self) -> bytes | None:
        if self._backlog is not None:
            data = self._backlog.popleft()
            self._backlog_bytes -= len(data)
            if not self._backlog:
                self._backlog = None
            return data
        return self._fan_out.next_owed(self)

    def pause_reads(self, is_paused: bool) -> None:
        """Stop reading from the peer while what it asked waits for somebody else, or read on."""
        self._is_waiting = is_paused
        self.update_reads()

    def put_off(self, data: bytes, read: Callable[[bytes], Work]) -> None:
        """Keep what the peer sent while it should not be read, as ``Turns.put_off``."""
        self._fan_out.turns.put_off(self, data, read)

    def take_no_more(self) -> None:
        """Forget what the peer sent: it has been answered for good."""
        self.inbox = None
        self.update_reads()

    def answer_rest(self) -> None:
        """Go through what the peer sent for a session that is over, at once: nobody takes it any more."""
        inbox, self.inbox = self.inbox, None
        if inbox is not None:
            inbox.go_through()

    def take_rest(self, reason: Failure, done: Callable[[], None]) -> bool:
        """The connection is lost: take what was said before, and call ``done`` then.

        Unless we have cut it, or the peer gives up its place in the line of those who show secrets.

        Returns: whether there is something; otherwise ``done`` is not called.
        """
        inbox, driver = self.inbox, self.driver
        if inbox is None or isinstance(reason.value, ConnectionAborted):
            return False
        if driver is not None and driver.is_in_line:
            return False
        self.abandon()
        inbox.on_end = done
        if self._is_backlogged:
            self._is_backlogged = False
            self.update_reads()
        return True

    def update_reads(self) -> None:
        """Read from the peer, or do not, and go on with what has been read."""
        is_held, inbox = self._is_backlogged or self._is_waiting, self.inbox
        self.is_held = is_held
        if inbox is not None and not is_held:
            inbox.wake()
        is_paused = is_held or inbox is not None
        if is_paused is not self.reads_paused:
            self.reads_paused = is_paused
            if not self._is_gone:
                self._pause_reads(is_paused)

    @property
    def is_read(self) -> bool:
        """Whether the peer is read now, and everything that it sent was taken."""
        return not self.reads_paused

    def joined(self, principal: Principal) -> Refused | None:
        """Its session is ``principal``'s. Returns: why it may not be."""
        return None

    def _write(self, data: bytes) -> None:
        raise NotImplementedError

    def _pause_reads(self, is_paused: bool) -> None:
        raise NotImplementedError

    # --- IPushProducer, towards the consumer

    def pauseProducing(self) -> None:
        """The consumer's own buffer is full."""
        self._is_resting = False
        self.blocked = True

    def resumeProducing(self) -> None:
        """The consumer takes bytes again."""
        if self.blocked:
            self._is_resting = self.blocked = False
            self.write_waiting()

    def stopProducing(self) -> None:
        """The consumer is gone."""
        self.abandon()


class SocketOutlet(Outlet):
    """An outlet that sends straight into a plain socket, and lets Twisted wait when the socket is full."""

    __slots__ = ("_is_registering", "_send", "_transport")

    def __init__(self, fan_out: FanOut, transport: Any, format: Format, **kwargs: Any) -> None:
        super().__init__(fan_out, format, **kwargs)
        self._transport = transport
        self._send = transport.socket.send
        self._is_registering = False

    def _write(self, data: bytes) -> None:
        transport = self._transport
        # Bytes that Twisted holds (a handshake's end) must go first.
        if transport.dataBuffer or transport._tempDataBuffer:
            sent = 0
        else:
            try:
                sent = self._send(data)
            except OSError:
                # Full, or broken: Twisted finds out which, and reports a broken connection as lost.
                sent = 0
        if sent < len(data):
            self._block(data[sent:] if sent else data)

    def _block(self, rest: bytes) -> None:
        """Leave ``rest`` to Twisted and ask to be told when it has gone.

        As a pull producer, which Twisted asks for more exactly when its buffer has run empty; registering
        one asks at once, which is not yet the answer.
        """
        self.blocked = True
        self._transport.write(rest)
        self._is_registering = True
        self._transport.registerProducer(self, False)
        self._is_registering = False

    def resumeProducing(self) -> None:
        """Twisted has sent what it held."""
        if not self._is_registering:
            self._transport.unregisterProducer()
            super().resumeProducing()

    def _pause_reads(self, is_paused: bool) -> None:
        if is_paused:
            self._transport.pauseProducing()
        else:
            self._transport.resumeProducing()


class StreamOutlet(Outlet):
    """An outlet over any Twisted consumer (TLS, an HTTP response) that tells when its buffer is full."""

    __slots__ = ("_consumer",)

    def __init__(self, fan_out: FanOut, consumer: Consumer, format: Format, **kwargs: Any) -> None:
        super().__init__(fan_out, format, **kwargs)
        self._consumer = consumer

    def start(self) -> None:
        """Ask the consumer to tell when it is full. Call once, before the first write."""
        self._consumer.registerProducer(self, True)

    def let_go(self) -> None:
        """TLS does not close while somebody is registered who might write."""
        if not self.blocked:
            self._consumer.unregisterProducer()

    def _write(self, data: bytes) -> None:
        self._consumer.write(data)

    def _pause_reads(self, is_paused: bool) -> None:
        # The consumer is a producer too, where it reads from a peer at all.
        method = getattr(self._consumer, "pauseProducing" if is_paused else "resumeProducing", None)
        if method is not None:
            method()
