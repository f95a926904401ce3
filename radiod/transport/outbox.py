"""From the core's decisions to sockets: encode once, frame once, write once per connection and turn.

``FanOut`` is the realm's ``Outbox``. Each connection has one ``Outlet``. While its socket takes what it
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

from collections.abc import Callable, Collection
from heapq import heappop, heappush, heapreplace
from itertools import count
from time import monotonic

from msgspec import structs

from radiod.core.budgets.addresses import network_of_peer
from radiod.core.delivery.broadcast import Broadcast
from radiod.core.delivery.listeners import Listener
from radiod.core.rights import Actor
from radiod.core.sessions.session import Session
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
from radiod.transport.formats import Format, some_retry
from radiod.transport.outlets import TURN_BYTES, Outlet, Source
from radiod.transport.unsaid import Unsaid
from radiod.wire.codecs import Payload, Undecodable
from radiod.wire.messages import Error, Goodbye, Message, RegistrationRevoked, SubscriptionRevoked

__all__ = ["FanOut"]


class FanOut(Source):
    """Gives answers and events to the outlets of one server. Its arguments are ``Schedule``'s."""

    def __init__(
        self,
        clock: ReactorClock,
        max_backlog: int,
        refused: dict[str, int] | None = None,
        message_timeout: float = 10.0,
        max_unfinished: int = 64 << 20,
    ) -> None:
        super().__init__(clock, max_backlog, refused, message_timeout, max_unfinished)
        self._order = count()
        # The event that the log was told of last.
        self._noted = 0

    # --- realm.Outbox

    def send(self, session: Session, message: Message, payload: Payload | None = None) -> None:
        """Queue one message. Raises: Refused: the session cannot take this payload; nothing was queued."""
        outlet: Outlet = session.outlet
        try:
            data = outlet.format.message(message, payload)
        except Undecodable as error:
            data = _said_instead(outlet, message, Refused(INVALID_ARGUMENT, str(error)))
        if len(data) > outlet.max_bytes:
            data = _said_shorter(outlet, message, payload)
        outlet.push(data)
        self.count(len(data))

    def fan_out(self, listeners: Collection[Listener], broadcast: Broadcast, lost: int = 0) -> None:
        """Queue one event for many listeners, or hold it for those that do not keep up."""
        format: Format | None = None
        frame = b""
        queue: list[bytes] | None = None
        for listener in listeners:
            outlet: Outlet = listener.outlet
            if outlet.blocked:
                listener.hold(broadcast)
                listener.leave_out(broadcast)
                if not listener.is_owed:
                    self._owe(outlet, listener)
                continue
            if outlet.format is not format:
                format = outlet.format
                frame = self._frame(broadcast, format, lost)
            if frame and len(frame) <= outlet.max_bytes:
                queue = outlet.queue
                if not queue:
                    self.mark_dirty(outlet)
                queue.append(frame)
            else:
                listener.leave_out(broadcast)
                self._miss(listener, broadcast, frame, lost)
        if queue is not None:
            # Somebody has it now.
            self.arrivals.append(self.turns.arrived or monotonic())
        self.count(len(frame))

    def release(self, listener: Listener) -> None:
        """Take what is due for the listener at the end of this turn, or as soon as it reads."""
        outlet: Outlet = listener.outlet
        if not listener.is_owed:
            self._owe(outlet, listener)
        if not outlet.blocked:
            self.write_soon(outlet)

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

    def read_out(self, session: Session, done: Callable[[], None]) -> None:
        """Take what the session's peer has sent already, then hold it, and call ``done``."""
        outlet: Outlet = session.outlet
        outlet.read_out(done)

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

    def stop(self, session: Session, retry_after: float) -> None:
        """Close the connection once everything queued has left; how is for its driver to say."""
        outlet: Outlet = session.outlet
        seconds = outlet.retry_after = retry_after or some_retry()
        outlet.push(outlet.format.last_words(int(1000 * seconds)))
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
            event="request_refused",
            # The log's limit goes by this, too.
            uri=refusal.uri,
        )

    def suspect(self, session: Session, refusal: WrongSecret) -> None:
        """Note a wrong key in the log, and count it against the address."""
        principal, peer, driver = session.principal, session.outlet.peer, session.outlet.driver
        self.log.info(
            "refused {peer}: {text}: {authid} by {authmethod}",
            peer=peer,
            text=refusal.text,
            event="key_refused",
            tried="channel-key",
            realm=driver.realm_name if driver is not None else None,
            authid=principal.authid,
            authmethod=principal.authmethod,
        )
        self.guesses.wrong(network_of_peer(peer))

    def end(self, session: Session, subscription: int, reason: str) -> None:
        """Tell a stream at the end of this turn, so that its end does not re-enter the core."""
        outlet: Outlet = session.outlet
        if outlet.driver is None:
            self.soon(lambda: outlet.ended(subscription, reason) if session.is_open else None)

    def close(self, session: Session, message: Goodbye) -> None:
        """Queue GOODBYE; the connection is closed once the peer has answered, or has had time to."""
        outlet: Outlet = session.outlet
        outlet.owed.clear()
        outlet.push(outlet.fitting(message, _shorter))
        if outlet.driver is None:
            outlet.dismiss(message.reason)
        else:
            outlet.driver.close(message.reason)

    def _frame(self, broadcast: Broadcast, format: Format, lost: int = 0) -> bytes:
        """The event's bytes in one format, made at most once; ``Unsaid`` when the format cannot say it."""
        is_shared = format.is_shared and not lost
        frame = broadcast.frames.get(format) if is_shared else None
        if frame is None:
            try:
                frame = format.event(broadcast, lost)
            except Undecodable as error:
                frame = Unsaid(str(error))
            if is_shared:
                broadcast.frames[format] = frame
        return frame

    def _miss(self, listener: Listener, broadcast: Broadcast, frame: bytes, lost: int) -> None:
        """An event cannot be said to a listener, whose ``frame`` it would be: that is a loss, and told.

        Unless there is nothing to say, since the listener gets it in another way.
        """
        if not frame and not isinstance(frame, Unsaid):
            return
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
            event="event_undelivered",
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
                listener.take_over(broadcast)
                return frame
            self._miss(listener, broadcast, frame, lost)
            outlet.passed_over += len(frame or broadcast.payload)
        return None


def _said_shorter(outlet: Outlet, message: Message, payload: Payload | None) -> bytes:
    """What fits in the place of a message that is too long for the receiver.

    Raises: Refused: nothing does.
    """
    if payload is not None:
        refusal = Refused(PAYLOAD_SIZE_EXCEEDED, f"the receiver takes {outlet.max_bytes} bytes at most")
        data = _said_instead(outlet, message, refusal)
        if len(data) <= outlet.max_bytes:
            return data
    return outlet.fitting(message, _shorter)


def _said_instead(outlet: Outlet, message: Message, refusal: Refused) -> bytes:
    """What is said to a receiver that cannot take a message's payload, for this reason.

    Raises: Refused: just that, unless it is an error: what went wrong matters more, and that there was a
        payload is told in its place, or not even that.
    """
    if not isinstance(message, Error):
        raise refusal from None
    # The details are about the payload: that it is encrypted, say.
    message = Error(message.request_type, message.request, {}, message.error)
    told = Payload.of(f"what came with this error cannot be told: {refusal.text}")
    data = outlet.format.message(message, told)
    return data if len(data) <= outlet.max_bytes else outlet.format.message(message, None)


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
