"""A connection to a cluster of NATS servers that outlives its sockets: subscriptions stay, messages do not.

Delivery is at most once. While there is no server, and above ``Options.max_unsent``, what is published is
dropped and counted, and ``publish`` says so; when a connection ends, what was under way may be gone, and the
watcher is told. After each reconnection all subscriptions are made again, in order, before anything can be
published.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, islice
from random import Random
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger

from radiod.engine.nats import wire
from radiod.engine.nats.dialing import Attempt, Dial, dialler
from radiod.engine.nats.errors import ConnectionLost, EngineError, Overloaded, PayloadTooLarge, Refused
from radiod.engine.nats.link import Link
from radiod.engine.nats.options import Options
from radiod.engine.nats.outgoing import Outgoing
from radiod.engine.nats.requests import Answer, Cancellable, Clock, One, Requests, Taker
from radiod.engine.nats.rounds import Rounds
from radiod.engine.nats.shapes import Info

__all__ = ["Connection", "Counts", "Handler", "Watcher", "open_connection"]

Handler = Callable[[bytes, bytes | None, bytes | None, bytes], None]
"""(subject, reply subject, headers, payload) of a message; called in order. What it raises is logged."""

CLOSING_S: Final = 2.0
"""Seconds that a connection which is closed may take to send what waits."""

SUBS: Final = 1_000
"""Subscriptions that are made in one piece after a reconnection."""

INBOX_SID: Final = b"0"

MANY_TROUBLES: Final = 32
"""Lines that are told until there is a server again: each once."""


class Watcher(Protocol):
    """Who is told how a connection fares."""

    def on_connected(self, server: str, info: Info) -> None:
        """There is a server, and it has all subscriptions. ``server``: its address."""

    def on_lost(self, error: EngineError, unsent: int) -> None:
        """There is none any more: what was under way may be gone. ``unsent``: bytes that surely are."""

    def on_trouble(self, text: str) -> None:
        """One line for whoever runs this: a server that cannot be reached, or complains.

        The same is told once until there is a server again.
        """


@dataclass(slots=True)
class Counts:
    """Since the start. Messages, but for ``unsent``.

    Args:
        published: given to a connection.
        received: of all subscriptions; answers to requests are among them.
        while_away: published while there was no server: dropped.
        overflowed: published while too much waited: dropped.
        unsent: bytes that waited when a connection was lost.
        connected, lost: connections.
        requests: open now.
    """

    published: int = 0
    received: int = 0
    while_away: int = 0
    overflowed: int = 0
    unsent: int = 0
    connected: int = 0
    lost: int = 0
    requests: int = 0


class Connection:
    """See the module. ``connect`` once, ``close`` once.

    ``info``: what the server last said of itself; empty before the first.
    """

    log = Logger()

    def __init__(
        self, dial: Dial, clock: Clock, options: Options, watcher: Watcher, random: Random | None = None
    ) -> None:
        self._dial = dial
        self._clock = clock
        self._options = options
        self._watcher = watcher
        self._rounds = Rounds(options.servers, options.backoff, random or Random())
        self._out = Outgoing(clock.soon, options.max_unsent)
        self._counts = Counts()
        inbox = f"_INBOX.{secrets.token_hex(11)}.".encode()
        self._requests = Requests(clock, inbox, options.max_requests)
        self._sids = count(1)
        self._handlers: dict[bytes, Handler] = {INBOX_SID: self._requests.on_message}
        self._subjects: dict[bytes, bytes] = {INBOX_SID: inbox + b"*"}
        # Those that a new link has yet to make known; None: there is no such link.
        self._to_make: Iterator[bytes] | None = None
        self._link: Link | None = None
        self._attempt: Attempt | None = None
        self._deadline: Cancellable | None = None
        self._first: Deferred[Info] | None = None
        self._closed: Deferred[None] | None = None
        self._since = 0.0
        self._told: set[str] = set()
        self.info = Info()

    # --- its life

    def connect(self) -> Deferred[Info]:
        """Find a server, and stay with one. Servers that cannot be reached are tried again and again.

        Returns: what the first says of itself; fails with ``Refused`` if a server is too old, takes too
        little or does not let us in: then it is closed. Later it is ``Watcher.on_trouble`` that is told.
        """
        self._first = Deferred()
        self._try_next()
        return self._first

    def close(self) -> Deferred[None]:
        """Have what waits sent, for two seconds at most, and end. Open requests fail."""
        if self._closed is None:
            self._closed = Deferred()
            self._stop_waiting()
            if self._link is not None and self.is_connected:
                self._wait(CLOSING_S, self._end)
                self.flush().addBoth(lambda _: self._end())
            else:
                self._end()
        return self._closed

    @property
    def is_connected(self) -> bool:
        """Whether what is published goes anywhere."""
        return self._out.is_open

    @property
    def server(self) -> str:
        """The address of the server; empty: there is none."""
        return str(self._link.address) if self._link is not None and self.is_connected else ""

    @property
    def unsent(self) -> int:
        """Bytes that wait for the server."""
        return self._out.bytes

    @property
    def counts(self) -> Counts:
        """What was counted."""
        self._counts.requests = len(self._requests)
        return self._counts

    # --- messages

    def publish(
        self, subject: bytes, payload: bytes, reply: bytes | None = None, headers: bytes | None = None
    ) -> bool:
        """Send a message at the end of the turn; never waits.

        Args:
            subject, reply: no spaces, no line breaks: they are not looked at.
            headers: as ``wire.headers`` makes them.
        Returns: False: it was dropped, and counted.
        Raises: PayloadTooLarge: the server would end the connection.
        """
        if headers is None:
            data, size = wire.pub(subject, payload, reply), len(payload)
        else:
            data, size = wire.hpub(subject, headers, payload, reply), len(payload) + len(headers)
        if 0 < self.info.max_payload < size and self._out.is_open:
            raise PayloadTooLarge(f"a message of {size} bytes: the server takes {self.info.max_payload}")
        if self._out.offer(data):
            self._counts.published += 1
            return True
        if self._out.is_open:
            self._counts.overflowed += 1
        else:
            self._counts.while_away += 1
        return False

    def subscribe(self, subject: bytes, handler: Handler) -> bytes:
        """Have ``handler`` called with each message to a subject, which may have wildcards.

        Returns: what to ``unsubscribe``. It stays over reconnections.
        """
        sid = b"%d" % next(self._sids)
        self._handlers[sid] = handler
        self._subjects[sid] = subject
        if self._is_known:
            self._out.push(wire.sub(subject, sid))
        return sid

    def unsubscribe(self, sid: bytes) -> None:
        """Its handler is not called any more. Raises: KeyError: there is none of that name."""
        del self._handlers[sid], self._subjects[sid]
        if self._is_known:
            self._out.push(wire.unsub(sid))

    def request(
        self, subject: bytes, payload: bytes, timeout: float, headers: bytes | None = None
    ) -> Deferred[Answer]:
        """Ask, and wait for the first answer for ``timeout`` seconds. Cancelling forgets it.

        Fails with: NoResponders, TimedOut, ConnectionLost, Overloaded; PayloadTooLarge.
        """
        taker = One(subject)
        try:
            reply = self.ask(taker, subject, payload, timeout, headers)
        except EngineError as error:
            return fail(error)
        taker.forget = lambda: self._requests.forget(reply)
        return taker.deferred

    def ask(
        self, taker: Taker, subject: bytes, payload: bytes, timeout: float, headers: bytes | None = None
    ) -> bytes:
        """Ask, and give ``taker`` each answer until it has its last, or ``timeout`` seconds are over.

        Returns: what to give to ``forget``.
        Raises: ConnectionLost, Overloaded, PayloadTooLarge: nothing was sent.
        """
        if not self._out.is_open:
            raise ConnectionLost("there is no connection to NATS")
        reply = self._requests.open(taker, timeout)
        try:
            if self.publish(subject, payload, reply, headers):
                return reply
            raise Overloaded(f"{self._out.bytes} bytes wait for {self._link}")
        except EngineError:
            self._requests.forget(reply)
            raise

    def forget(self, reply: bytes) -> None:
        """Nobody waits for what ``ask`` has asked."""
        self._requests.forget(reply)

    def flush(self) -> Deferred[None]:
        """Know when the server has read all that was sent before. Fails with ConnectionLost."""
        if self._link is None or not self._out.is_open:
            return fail(ConnectionLost("there is no connection to NATS"))
        flushed: Deferred[None] = Deferred()
        self._link.ping(lambda error: flushed.callback(None) if error is None else flushed.errback(error))
        return flushed

    # --- Owner, for the link

    def on_message(
        self, sid: bytes, subject: bytes, reply: bytes | None, headers: bytes | None, payload: bytes
    ) -> None:
        """A message, to its handler; one that was on its way to none is dropped."""
        handler = self._handlers.get(sid)
        if handler is None:
            return
        self._counts.received += 1
        try:
            handler(subject, reply, headers, payload)
        except Exception:
            self.log.failure("the handler of a message from NATS failed", event="failure")

    def next_words(self, is_first: bool) -> bytes:
        """Subscriptions in the order in which they were made, some at a time."""
        if is_first:
            self._to_make = iter(list(self._subjects))
        # Those that were ended meanwhile are not made.
        left = (sid for sid in self._to_make or () if sid in self._subjects)
        return b"".join([wire.sub(self._subjects[sid], sid) for sid in islice(left, SUBS)])

    def on_progress(self, link: Link) -> None:
        """The server has taken some of them."""
        self._wait_for(link)

    def on_open(self, link: Link) -> None:
        """There is a server."""
        self._stop_waiting()
        self._attempt = None
        self._to_make = None
        self._out.is_open = True
        self.info = link.info
        self._since = self._clock.seconds()
        self._counts.connected += 1
        self._told.clear()
        self._tick()
        first, self._first = self._first, None
        self._watcher.on_connected(str(link.address), link.info)
        if first is not None:
            first.callback(link.info)

    def on_changed(self, link: Link) -> None:
        """The server told something new of itself; perhaps that it is about to go."""
        self.info = link.info
        if link.info.ldm:
            # What was published leaves; its answers go the way of a lost connection.
            self._out.flush()
            link.end(ConnectionLost(f"{link} is shutting down (lame duck)"), gently=True)

    def on_complaint(self, text: str) -> None:
        """The server did not do something."""
        self._tell(text)

    def on_ended(self, link: Link, error: EngineError) -> None:
        """The link is over: look for another."""
        self._stop_waiting()
        self._link = None
        self._to_make = None
        attempt, self._attempt = self._attempt, None
        was_open = self._out.is_open
        unsent = self._out.stop()
        if not was_open and attempt is not None:
            attempt.cancel()
        if self._closed is not None:
            self._requests.fail_all(error)
            return
        if was_open:
            self._lose(error, unsent)
        if self._first is not None and self._options.gives_up and isinstance(error, Refused):
            first, self._first = self._first, None
            self._closed = succeed(None)
            first.errback(error)
        else:
            if not was_open:
                self._tell(str(error))
            self._try_next()

    def _lose(self, error: EngineError, unsent: int) -> None:
        self._counts.lost += 1
        self._counts.unsent += unsent
        if self._clock.seconds() - self._since >= self._options.steady:
            self._rounds.renew()
        self._watcher.on_lost(error, unsent)
        self._requests.fail_all(error)

    # --- tries, and the end

    def _try_next(self) -> None:
        address, delay = self._rounds.next()
        # In a turn of its own also where there is nothing to wait for: tries may fail at once.
        self._wait(delay, lambda: self._try(Link(address, self._options, self, self._out)))

    @property
    def _is_known(self) -> bool:
        """Whether a server is told of subscriptions as they are made, and end."""
        return self._out.is_open or self._to_make is not None

    def _wait_for(self, link: Link) -> None:
        seconds = self._options.attempt
        self._wait(seconds, lambda: link.end(ConnectionLost(f"{link} has not answered for {seconds:g} s")))

    def _try(self, link: Link) -> None:
        self._link = link
        self._wait_for(link)
        attempt = self._dial(link, self._out.on_room)
        if self._link is link:
            self._attempt = attempt

    def _tick(self) -> None:
        self._wait(self._options.ping_interval, self._tick)
        if self._link is not None:
            self._link.tick()

    def _end(self) -> None:
        self._stop_waiting()
        if self._link is not None:
            self._link.end(ConnectionLost("closed"), gently=True)
        first, self._first = self._first, None
        if first is not None:
            first.errback(ConnectionLost("closed"))
        if self._closed is not None and not self._closed.called:
            self._closed.callback(None)

    def _tell(self, text: str) -> None:
        if text not in self._told and len(self._told) < MANY_TROUBLES:
            self._told.add(text)
            self._watcher.on_trouble(text)

    def _wait(self, seconds: float, what: Callable[[], None]) -> None:
        """One thing at a time: the next try, the end of this one, the next ping, or the end of all."""
        self._stop_waiting()
        self._deadline = self._clock.timers.at(self._clock.seconds() + seconds, what)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def open_connection(reactor: Any, clock: Clock, options: Options, watcher: Watcher) -> Connection:
    """A connection by a reactor, which is still to be told to ``connect``."""
    return Connection(dialler(reactor, options), clock, options, watcher)
