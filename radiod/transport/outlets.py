"""One connection's way out: what is queued, and what waits."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import inf
from typing import Any, Final

from radiod.core.budgets.guesses import Guesses
from radiod.core.delivery.listeners import Listener
from radiod.core.rights import Principal
from radiod.core.timers import Deadline
from radiod.errors import CLOSE_ACCESS, Refused
from radiod.transport.formats import Format
from radiod.transport.newcomers import Newcomers
from radiod.transport.reading import Reading
from radiod.transport.schedule import CHUNK, DRAIN_BYTES, FINISH_SECONDS, Patience, Schedule
from radiod.transport.strangers import Strangers
from radiod.wire.bundles import Bundle
from radiod.wire.messages import Message

__all__ = ["TURN_BYTES", "TURN_S", "Outlet", "SocketOutlet", "Source", "StreamOutlet"]

TURN_BYTES: Final = 1 << 18
"""Bytes of what waited that one outlet writes in a turn: others have their turn too."""

TURN_S: Final = 0.001
"""Seconds that one outlet may take for it: short events cost more than their bytes, compressed ones most."""


class Source(Schedule):
    """A schedule that knows what waits for each outlet in the buffers of its listeners."""

    def next_owed(self, outlet: Outlet) -> bytes | None:
        """The next event that waits for this outlet, shared fairly among its listeners.

        None: none is due, or too much that the peer cannot take has been passed over in this turn, or the
        outlet's time is up.
        """
        raise NotImplementedError


class Outlet(Reading):
    """One connection's way out. To its consumer it is an ``IPushProducer``.

    Args:
        fan_out: shared by all.
        format: what they look like.
        max_bytes: the longest frame the peer accepts.
        on_cut: must cut the connection at once: its backlog is too long, or it will not finish.
        on_finished: called once, when ``finish`` was asked for and everything has left.
    """

    __slots__ = (
        "_backlog",
        "_fan_out",
        "_is_finishing",
        "_is_resting",
        "_on_cut",
        "_on_finished",
        "_transport",
        "backlog_bytes",
        "blocked",
        "bundle",
        "ended_for",
        "format",
        "max_bytes",
        "on_ended",
        "on_missed",
        "owed",
        "passed_over",
        "patience",
        "peer",
        "queue",
        "retry_after",
        "shared",
    )

    def __init__(
        self,
        fan_out: Source,
        format: Format,
        *,
        max_bytes: int,
        on_cut: Callable[[], None],
        on_finished: Callable[[], None],
        transport: Any = None,
    ) -> None:
        super().__init__(fan_out.turns)
        self._transport = transport
        self._fan_out = fan_out
        self.format = format
        self.max_bytes = max_bytes
        self._on_cut = on_cut
        self._on_finished = on_finished
        self._is_finishing = False
        # Blocked by itself, with more to write in the next turn.
        self._is_resting = False
        self.blocked = False
        self.peer = ""  # for the log
        # Why the access of its listener, which speaks no WAMP, has ended; empty: it has not.
        self.ended_for = ""
        # Makes one write of what leaves together; None: it is written as it is.
        self.bundle: Bundle | None = None
        self.retry_after = 0.0  # Seconds, once its peer is sent away, after which it is to come back.
        # What may wait there of what the peer was told.
        self.patience: Patience = fan_out.patience
        # Called when an event cannot be said here, by who tells that before the next one.
        self.on_missed: Callable[[], None] | None = None
        # Called when a subscription has ended, with its id and why: by who says whether others go on.
        self.on_ended: Callable[[int, str], None] | None = None
        # Frames to be written at the end of this turn, in order.
        self.queue: list[bytes] = []
        # Listeners whose buffers hold events: a heap of (when it is due, order, listener), where time is
        # the bytes written so far over the weights; and the time of what was written last.
        self.owed: list[tuple[float, int, Listener]] = []
        self.shared = 0.0
        # Bytes in this turn of events that the peer cannot take: to make them takes time, too.
        self.passed_over = 0
        # While blocked: answers in order. An empty deque has 600 bytes, so there is none for nothing.
        self._backlog: deque[bytes] | None = None
        self.backlog_bytes = 0

    def push(self, data: bytes) -> None:
        """Queue bytes that may not be dropped."""
        if self._is_gone:
            return
        if self.blocked:
            self._held().append(data)
            self.backlog_bytes += len(data)
            self._check_backlog()
        elif data:
            if not self.queue:
                self._fan_out.mark_dirty(self)
            self.queue.append(data)

    def mark(self) -> int:
        """The place of what is pushed next."""
        return len(self._backlog or ()) if self.blocked else len(self.queue)

    def insert(self, place: int, data: bytes) -> None:
        """As ``push``, but at a place that was marked in this turn."""
        self.push(data)
        frames = self._backlog if self.blocked else self.queue
        if frames:
            frames.insert(place, frames.pop())

    def fitting(self, message: Message, shorter: Callable[[Message], tuple[Message, ...]]) -> bytes:
        """``message``, or the first of those that are ``shorter`` that the peer accepts, or else the last."""
        data = self.format.message(message, None)
        if len(data) > self.max_bytes:
            for other in shorter(message):
                data = self.format.message(other, None)
                if len(data) <= self.max_bytes:
                    break
        return data

    def let_go(self) -> None:
        """The connection is about to be closed: its transport need not wait for more."""

    def missed(self) -> None:
        """An event could not be said here. The listener's next one tells so, unless something else does."""
        if self.on_missed is not None:
            self.on_missed()

    def ended(self, subscription: int, reason: str) -> None:
        """A subscription of a listener that speaks no WAMP has ended, for an error of that URI."""
        if self.on_ended is None:
            self.finish()
        else:
            self.on_ended(subscription, reason)

    def dismiss(self, reason: str) -> None:
        """The session of a listener that speaks no WAMP has ended: it is told why, if its access has.

        ``reason``: a URI, as GOODBYE has it. What it has to answer is nothing.
        """
        if reason.startswith(CLOSE_ACCESS):
            self.ended_for = reason.removeprefix(CLOSE_ACCESS)
            self.push(self.format.ending(self.ended_for))
        self.finish()

    def _held(self) -> deque[bytes]:
        if self._backlog is None:
            self._backlog = deque()
        return self._backlog

    def finish(self, seconds: float = FINISH_SECONDS) -> None:
        """Have the connection closed once everything queued so far has left; events held are given up.

        A peer that is behind has so many ``seconds`` to read it; if it has, the connection may go on.
        """
        if self._is_gone:
            return
        self._is_finishing = True
        self.owed.clear()
        self._finish_if_done()
        if self.blocked:
            self.after(seconds, lambda: self.give_up() if self._is_finishing else None)

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
    def strangers(self) -> Strangers:
        """The server's connections without a session."""
        return self._fan_out.strangers

    @property
    def newcomers(self) -> Newcomers:
        """The line of those who come in to the server."""
        return self._fan_out.newcomers

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
                self.backlog_bytes += len(frame)
            else:
                self.push(frame)

    def abandon(self) -> None:
        """The connection is gone, or about to be: hold nothing more."""
        self._is_gone = True
        self.queue.clear()
        self._backlog = None
        self.owed.clear()

    def _check_backlog(self) -> None:
        if self.backlog_bytes > self.patience.cut_above:
            self._fan_out.cut += 1
            self._break_off()
        elif self.backlog_bytes > self.patience.pause_above and not self._is_backlogged:
            self._is_backlogged = True
            self.update_reads()

    def flush(self) -> None:
        """Write the queue; called by ``FanOut`` once a turn."""
        queue = self.queue
        if not queue:
            return
        if not self.blocked:
            bundle = self.bundle
            data = self._fan_out.join(queue, bundle) if bundle is not None or len(queue) > 1 else queue[0]
            queue.clear()
            self._write(data)
        else:
            # Queued before the connection was blocked by a write from elsewhere in the same turn.
            self._held().extendleft(reversed(queue))
            self.backlog_bytes += sum(map(len, queue))
            queue.clear()
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
                data = b"".join(chunk) if self.bundle is None else self.bundle(chunk)
                self._write(data)
                written += len(data)
            if not self.blocked and self._has_had_its_turn(written):
                self._rest()
            elif not chunk:
                break
        if self._is_backlogged and self.backlog_bytes <= self.patience.pause_above:
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
            self.backlog_bytes -= len(data)
            if not self._backlog:
                self._backlog = None
            return data
        return self._fan_out.next_owed(self)

    def joined(self, principal: Principal) -> Refused | None:
        """Its session is ``principal``'s. Returns: why it may not be."""
        return None

    def _write(self, data: bytes) -> None:
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

    __slots__ = ("_is_registering", "_send")

    def start(self) -> None:
        """Take the socket. Call once, before the first write."""
        self._send = self._transport.socket.send
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
    """An outlet over any Twisted consumer (TLS) that tells when its buffer is full."""

    __slots__ = ()

    def start(self) -> None:
        """Ask the transport to tell when it is full. Call once, before the first write."""
        self._transport.registerProducer(self, True)

    def let_go(self) -> None:
        """TLS does not close while somebody is registered who might write."""
        if not self.blocked:
            self._transport.unregisterProducer()

    def _write(self, data: bytes) -> None:
        self._transport.write(data)

    def _pause_reads(self, is_paused: bool) -> None:
        # It is a producer too, where it reads from a peer at all.
        method = getattr(self._transport, "pauseProducing" if is_paused else "resumeProducing", None)
        if method is not None:
            method()
