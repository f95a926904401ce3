"""WAMP over HTTP long-poll (WAMP specification, "HTTP Longpoll Transport"): sessions without a connection.

A client opens a transport, sends with one kind of request and receives with another, which waits until there
is something. Between two receives the transport's outlet is *blocked*, as if its socket were full: events
wait in the listeners' buffers, answers in the backlog, and all bounds are those of any connection. What was
handed to a receive whose connection breaks on the way is lost, as with any socket.

This module knows no HTTP: ``web.longpoll`` does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import ClassVar, Final

from twisted.logger import Logger

from radiod.core.budgets.addresses import network_of_peer
from radiod.core.budgets.seats import Seat, Seats
from radiod.core.ids import Ids
from radiod.core.realm.handshake import Gate
from radiod.core.rights import Principal
from radiod.core.timers import Deadline
from radiod.errors import INVALID_ARGUMENT, PAYLOAD_SIZE_EXCEEDED, QUOTA, PeerError, Refused
from radiod.transport.batched import Unbatcher, batched_poll_format
from radiod.transport.census import LONG_POLL
from radiod.transport.clock import ReactorClock
from radiod.transport.driver import WampDriver
from radiod.transport.endings import INTERNAL_ERROR, INVALID_PAYLOAD, PROTOCOL_ERROR
from radiod.transport.formats import SUBPROTOCOLS, PollFormat, poll_format
from radiod.transport.inbox import Work
from radiod.transport.limits import TransportLimits
from radiod.transport.outbox import FanOut
from radiod.transport.outlets import Outlet

__all__ = ["Poll", "PollOutlet", "Polls"]

WAIT_SECONDS: Final = 10.0
"""How long a receive waits at most before it is answered with nothing: Autobahn|JS gives up after 12 s."""

MAX_HELD: Final = 64
"""Sends of one transport that may wait until it is read again."""

FAULTS: Final = (PROTOCOL_ERROR, INVALID_PAYLOAD, INTERNAL_ERROR)
"""How a session is over that was aborted for what was sent."""

Received = Callable[[bytes | None], None]
"""Takes what a receive is answered with: messages; ``b""``: none came; None: a later receive took over."""

Sent = Callable[[str | None], None]
"""Takes what became of a send: None: it was taken; else what was wrong with it."""


class PollOutlet(Outlet):
    """An outlet that is blocked whenever no receive waits; ``hand_over`` answers the one that does."""

    __slots__ = ("_hand_over", "_is_batched", "_pause", "_seat")

    def __init__(
        self,
        fan_out: FanOut,
        format: PollFormat,
        *,
        hand_over: Callable[[bytes], None],
        pause: Callable[[bool], None],
        seat: Seat,
        on_cut: Callable[[], None],
        on_finished: Callable[[], None],
    ) -> None:
        super().__init__(fan_out, format, max_bytes=1 << 62, on_cut=on_cut, on_finished=on_finished)
        self._is_batched = format.is_batched
        self._hand_over = hand_over
        self._seat = seat
        self._pause = pause
        self.blocked = True

    def joined(self, principal: Principal) -> Refused | None:
        """Who opened the transport is known: strangers do not get as many of them as others."""
        party = principal.authrole, network_of_peer(self.peer)
        try:
            self._seat.move(party, is_stranger=principal.is_anonymous)
        except Refused as refusal:
            return refusal
        return None

    def block(self) -> None:
        """No receive waits any more: what was queued for it waits for the next."""
        self._is_resting = False
        self.blocked = True
        if self.queue:
            self._hold_queue()

    def flush(self) -> None:
        """Hand over what one answer may hold; the rest waits.

        Only of what was queued: the core may be in the middle of a publish, and must not be asked for more.
        """
        if self.queue:
            self._hold_queue()
            owed, self.owed = self.owed, []
            self._drain()
            self.owed = owed

    def _hold_queue(self) -> None:
        # Nothing can be in the backlog yet: while a receive waits, nothing else does.
        self._held().extend(self.queue)
        self.backlog_bytes += sum(map(len, self.queue))
        self.queue.clear()

    def _next_chunk(self) -> list[bytes]:
        if self._is_batched:
            return super()._next_chunk()
        data = self._next_waiting()
        return [] if data is None else [data]

    def _has_all_left(self) -> bool:
        return not self._backlog and not self.queue

    def _write(self, data: bytes) -> None:
        self.blocked = True
        self._hand_over(data)

    def _pause_reads(self, is_paused: bool) -> None:
        self._pause(is_paused)


class Poll:
    """One transport. ``is_over``: nothing more will be received; it is only remembered to be closed.

    Args:
        polls: the table that it leaves when it is closed.
        peer: whoever opened it, for the log; ``seat``: its place among all transports; ``origin``: of the
            page that opened it, if one did.
    """

    log: ClassVar[Logger] = Logger()

    def __init__(
        self, polls: Polls, id: str, protocol: str, peer: str, seat: Seat, origin: str | None = None
    ) -> None:
        codec, is_batched = SUBPROTOCOLS[protocol]
        format = batched_poll_format(codec.name) if is_batched else poll_format(codec.name)
        self._polls = polls
        self._seat = seat
        self.id = id
        self.protocol = protocol
        self.content_type = format.content_type
        self._peer = peer
        self.is_over = False
        self._receiver: Received | None = None
        # Sends that wait until the transport is read again.
        self._is_paused = False
        self._held: deque[tuple[bytes, Sent]] = deque()
        self._held_bytes = 0
        self._outlet = PollOutlet(
            polls.fan_out,
            format,
            hand_over=self._answer,
            pause=self._pause,
            seat=seat,
            on_cut=self._cut,
            on_finished=self._finished,
        )
        self._deadline = polls.idle_deadline(self._expire)
        self._driver = WampDriver(
            polls.gates, codec, self._outlet, peer, polls.handshake_deadline, origin=origin
        )
        self._unbatcher: Unbatcher | None = None
        if is_batched:
            make_format = partial(batched_poll_format, codec.name)
            self._unbatcher = Unbatcher(self._driver, self._outlet, codec, make_format)

    @property
    def retry_after(self) -> float:
        """Seconds after which the client is to come back, once it is sent away; 0: it is not."""
        return self._outlet.retry_after

    # --- receiving, as the client sees it

    def receive(self, answer: Received) -> Callable[[], None]:
        """Answer as soon as there is something, at the latest after ``WAIT_SECONDS``, or a ping's interval.

        Of two receives that wait, the older one is answered with None.

        Returns: what must be called when the request that asked is lost.
        """
        older, self._receiver = self._receiver, answer
        self._deadline.cancel()
        self._deadline = self._polls.wait_deadline(self.release)
        self._outlet.resumeProducing()
        if older is not None:
            older(None)
        return lambda: self._receiver_lost(answer)

    def release(self) -> None:
        """Answer the receive that waits, if one does, with nothing."""
        if self._receiver is not None:
            self._outlet.block()
            self._answer(b"")

    def _answer(self, data: bytes) -> None:
        receiver = self._receiver
        assert receiver is not None
        self._wait_for_next()
        # Not now: the core may be in the middle of something, and HTTP may have the next request at hand.
        self._polls.clock.soon(lambda: receiver(data))

    def _wait_for_next(self) -> None:
        self._receiver = None
        self._deadline.cancel()
        self._deadline = self._polls.idle_deadline(self._expire)

    def _receiver_lost(self, receiver: Received) -> None:
        if self._receiver is receiver:
            self._outlet.block()
            self._wait_for_next()

    # --- sending, as the client sees it

    def send(self, data: bytes, done: Sent) -> Callable[[], None]:
        """Take one body; perhaps later, while the client has to read what it was sent first.

        Returns: what must be called when the request is lost.
        Raises: Refused: too many wait already, or it is too long.
        """
        if self.is_over:
            # A peer's last words are taken, and ignored, as on any connection that is being closed.
            done(None)
            return lambda: None
        longest = self._driver.longest(self._polls.max_held_bytes)
        if len(data) > longest:
            raise Refused(PAYLOAD_SIZE_EXCEEDED, f"messages may have {longest} bytes here and now")
        if not self._is_paused and not self._held:
            self._outlet.turns.take(self._outlet, self._take(data, done), _nothing)
            return lambda: None
        if len(self._held) >= MAX_HELD or self._held_bytes > longest:
            raise Refused(QUOTA, "too many requests wait already: receive first")
        held = (data, done)
        self._held.append(held)
        self._count_held(len(data))
        return lambda: self._forget_held(held)

    def _forget_held(self, held: tuple[bytes, Sent]) -> None:
        if held in self._held:
            self._held.remove(held)
            self._count_held(-len(held[0]))

    def _count_held(self, more: int) -> None:
        self._held_bytes += more
        unfinished = self._polls.fan_out.unfinished
        if self._held_bytes:
            # How long they may wait is for whoever does not receive: see ``_expire``.
            unfinished.hold(self, self._held_bytes, is_timed=False)
        else:
            unfinished.release(self)

    def is_read(self) -> bool:
        """Nothing waits here for the rest of it."""
        return True

    def give_up_message(self, reason: str, *, is_urgent: bool) -> None:
        """All sends that wait are too long."""
        self.log.info("cut {peer}: {reason}", peer=self._peer, reason=reason, event="connection_cut")
        # Not now: it may be in the middle of a send.
        self._polls.clock.soon(self.close)

    def _take(self, data: bytes, done: Sent) -> Work:
        """Take what one send brings; it is answered as soon as nothing of it is left."""
        driver, wrong = self._driver, None
        # A peer's last words are taken, and ignored, as on any connection that is being closed.
        messages: list[bytes] = []
        if not driver.is_over:
            try:
                messages = [data] if self._unbatcher is None else self._unbatcher.split(data)
            except PeerError as error:
                driver.abort(error)
                wrong = error.text
        for count, message in enumerate(messages):
            if count:
                yield
            driver.receive(message)
        if messages and driver.is_over and driver.close_code in FAULTS:
            wrong = "the session was aborted; the next receive says why"
        done(wrong)
        yield

    def _pause(self, is_paused: bool) -> None:
        self._is_paused = is_paused
        if not is_paused and self._held:
            # Not now: whoever reads on has something to say before.
            self._polls.clock.soon(self._go_on)

    def _go_on(self) -> None:
        if self._held and not self._is_paused:
            self._outlet.turns.take(self._outlet, self._take_held(), _nothing)

    def _take_held(self) -> Work:
        while self._held:
            data, done = self._held.popleft()
            self._count_held(-len(data))
            yield from self._take(data, done)

    # --- closing

    def close(self) -> None:
        """The client has closed it, or is gone: free everything it held."""
        self._polls.forget(self)
        self._seat.leave()
        self._end()
        self._deadline.cancel()
        self._outlet.abandon()

    def _end(self) -> None:
        if self.is_over:
            return
        self.is_over = True
        self._driver.lost()
        self._outlet.answer_rest()
        self.release()
        self._polls.fan_out.unfinished.release(self)
        while self._held:
            self._held.popleft()[1](None)

    def _finished(self) -> None:
        """The last message was handed over. A client still wants to close, and be told that it may."""
        self._polls.clock.soon(self._end)

    def _cut(self) -> None:
        # Like a connection that breaks off: not while the core is at work.
        self._polls.clock.soon(self._cut_off)

    def _cut_off(self) -> None:
        if not self.is_over:
            self.log.warn(
                "cut {peer}: it does not receive what it is sent", peer=self._peer, event="listener_cut"
            )
            self.close()

    def _expire(self) -> None:
        if not self.is_over:
            self.log.info("lost {peer}: no receive in time", peer=self._peer, event="listener_cut")
            self._polls.fan_out.census.cuts["silent"] += 1
        self.close()


def _nothing(data: bytes) -> Work:
    """Sends come whole."""
    yield from ()


class Polls:
    """All open transports, at most ``settings.max_polls``, shared by roles and addresses."""

    def __init__(
        self,
        clock: ReactorClock,
        fan_out: FanOut,
        gates: Mapping[str, Gate],
        ids: Ids,
        settings: TransportLimits,
        refused: dict[str, int],
    ) -> None:
        self.clock = clock
        self.fan_out = fan_out
        self.gates = gates
        self._ids = ids
        self._seats = Seats(settings.max_polls, refused, "transports", "long-poll transports")
        # Bytes of one transport's waiting sends above which no more may wait: one send of the longest kind.
        self.max_held_bytes = settings.max_message_bytes
        self._handshake_seconds = settings.handshake_seconds
        # A client that has vanished while its receive waits is found out by the one that does not come.
        self._wait_seconds = min(WAIT_SECONDS, settings.ping_interval)
        self._idle_seconds = settings.ping_timeout
        # id -> transport
        self._polls: dict[str, Poll] = {}

    def __len__(self) -> int:
        """Transports in the table."""
        return len(self._polls)

    def open(self, protocols: Iterable[str], peer: str, origin: str | None = None) -> Poll:
        """Open a transport in the first of the client's ``protocols`` that is known here.

        Raises: Refused: none is known, or too many transports are open.
        """
        protocol = next((name for name in protocols if name in SUBPROTOCOLS), None)
        if protocol is None:
            raise Refused(INVALID_ARGUMENT, f"offer one of the protocols {', '.join(SUBPROTOCOLS)}")
        # Nobody knows yet whether it is a stranger.
        network = network_of_peer(peer)
        seat = self._seats.take(network and ("", network), is_stranger=False)
        poll = Poll(self, self._ids.secret(), protocol, peer, seat, origin)
        self._polls[poll.id] = poll
        self.fan_out.census.enter(LONG_POLL)
        return poll

    def find(self, id: str) -> Poll | None:
        """The transport of this id; None: there is none any more, or never was."""
        return self._polls.get(id)

    def forget(self, poll: Poll) -> None:
        """A transport was closed."""
        if self._polls.pop(poll.id, None) is not None:
            self.fan_out.census.leave(LONG_POLL)

    def wind_up(self) -> None:
        """Answer every receive that waits: the server stops."""
        for poll in list(self._polls.values()):
            poll.release()

    def wait_deadline(self, what: Callable[[], None]) -> Deadline:
        """Call ``what`` when a receive has waited as long as it may."""
        return self.clock.timers.at(self.clock.seconds() + self._wait_seconds, what)

    def idle_deadline(self, what: Callable[[], None]) -> Deadline:
        """Call ``what`` when a transport without a waiting receive has had all the time it gets."""
        return self.clock.timers.at(self.clock.seconds() + self._idle_seconds, what)

    def handshake_deadline(self, what: Callable[[], None]) -> Deadline:
        """Call ``what`` when an opening WAMP handshake has had all the time it gets."""
        return self.clock.timers.at(self.clock.seconds() + self._handshake_seconds, what)
