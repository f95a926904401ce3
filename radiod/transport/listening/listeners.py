"""Listeners that speak no WAMP: channels' data on a plain WebSocket, as a stream over HTTP, or polled.

Each is a session like any other, with a subscription for each name that it asked for. Mostly that is the one
name of its path. Those that name channels in the query get records that say which one they are of, and a
cursor in place of a position.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, TypeVar

from radiod.core.disclosure import Visitor
from radiod.core.history.cursors import cursor
from radiod.core.history.positions import Position
from radiod.core.promises import Promise, chain, when
from radiod.core.realm.gateway import Gateway
from radiod.core.rights import Principal
from radiod.core.sessions.session import Session
from radiod.core.timers import Deadline
from radiod.errors import Refused
from radiod.transport.clock import ReactorClock
from radiod.transport.formats import Format, StreamFormat
from radiod.transport.listening.course import Course, Wanted
from radiod.transport.listening.forms import STREAMS, Form
from radiod.transport.listening.query import ListenQuery, names_of, read_query
from radiod.transport.listening.records import Records
from radiod.transport.listening.rights import naming, permitted
from radiod.transport.listening.terms import Term
from radiod.transport.outlets import Outlet
from radiod.wire.doors import Visit
from radiod.wire.options import SubscribeOptions

__all__ = ["PlainListener", "PlainListeners"]

F = TypeVar("F")

Begin = Callable[[Format, Callable[[Outlet], None]], Outlet]
"""Begins an answer: what its events look like, and what opens the listener on its outlet."""

Identify = Callable[[str | None, Mapping[str, str], Visit], tuple[Gateway, Principal, float | None]]
"""(API key or token in the head, the query's parameters, where that comes from) -> the realm's gateway, who
that is, and until when, in seconds since 1970, if that has an end. Raises: Refused: it may be nobody."""

EXPIRED: Final = "expired"


class PlainListener:
    """One admitted listener, open from ``open`` to ``close``.

    ``wanted``: what it listens to, without what has ended; ``course``: how far it has come, if it has records
    of several channels (``is_several``), which ``records`` writes.
    """

    __slots__ = (
        "_gateway",
        "_lost",
        "_session",
        "_term",
        "course",
        "is_several",
        "on_close",
        "principal",
        "query",
        "records",
        "wanted",
    )

    def __init__(
        self,
        gateway: Gateway,
        principal: Principal,
        wanted: list[Wanted],
        query: ListenQuery,
        *,
        is_several: bool = False,
        term: Term | None = None,
    ) -> None:
        self._gateway = gateway
        self._term = term
        self.principal = principal
        self.wanted = wanted
        self.query = query
        self.is_several = is_several
        self.course: Course | None = Course(wanted) if is_several else None
        self.records: Records | None = None
        self.on_close: Callable[[], None] | None = None
        self._session: Session | None = None
        # Events of what has ended that were lost.
        self._lost = 0

    def format(self, form: Form[F]) -> F | Records:
        """What its events look like in a form; of several channels it is its own."""
        if self.course is None:
            return form.single
        self.records = Records(form.several, self.course)
        return self.records

    def open(self, outlet: Outlet, *, is_live: bool = False) -> None:
        """Begin to listen where it was asked for, or at the next events.

        Raises: Refused: a channel has ended since ``PlainListeners.admit``, say.
        """
        session = self._session = self._gateway.join(self.principal, outlet)
        if self._term is not None:
            self._term.begin(lambda: self._gateway.expel(session, EXPIRED))
        outlet.on_ended = self._ended
        behind = {} if is_live else {one.topic: one.after for one in self.wanted if one.after is not None}
        if self.course is not None:
            at = {one.topic: behind.get(one.topic) or one.position for one in self.wanted}
            self.course.begin({topic: position for topic, position in at.items() if position is not None})
        for one in self.wanted:
            try:
                one.listener = self._gateway.listen(session, one.topic, self._options(one, behind))
            except Refused as refusal:
                self.close()
                if self.is_several:
                    raise naming(one.name, refusal) from None
                raise

    def _options(self, wanted: Wanted, behind: Mapping[str, Position]) -> SubscribeOptions:
        after = behind.get(wanted.topic)
        return SubscribeOptions(
            match=wanted.match,
            after=None if after is None else str(after),
            buffer=self.query.buffer,
            key=wanted.key,
        )

    @property
    def cursor(self) -> str | None:
        """How far it has come on several channels; None: no cursor says so."""
        return self.course.id.decode() or None if self.course is not None else None

    def positions(self) -> dict[str, Position]:
        """How far the channels have come, of those that have positions."""
        found = ((one.topic, one.position) for one in self.wanted)
        return {topic: position for topic, position in found if position is not None}

    def place(self, at: Mapping[str, Position]) -> str | None:
        """Where to go on behind these positions, as clients give it back; None: there are none."""
        if not at:
            return None
        if self.course is not None:
            return cursor(at)
        return next(str(position) for position in at.values())

    @property
    def lost(self) -> int:
        """How many events were lost so far."""
        return self._lost + sum(one.listener.lost for one in self.wanted if one.listener is not None)

    def take_untold(self) -> list[tuple[Wanted, int]]:
        """As ``Listener.take_untold``, for each of what it listens to; only where something was lost."""
        found = [(one, one.listener.take_untold()) for one in self.wanted if one.listener is not None]
        return [(one, lost) for one, lost in found if lost]

    def _ended(self, subscription: int, reason: str) -> None:
        """A channel has ended, or may not be listened to any more; the others go on."""
        ended = next((one for one in self.wanted if one.subscription == subscription), None)
        session = self._session
        if ended is None or session is None:
            return
        lost = self._give_up(ended)
        self._gateway.ignore(session, subscription)
        outlet: Outlet = session.outlet
        if self.course is not None and self.records is not None:
            self.course.leave(ended)
            outlet.push(self.records.closed(ended.name, reason, lost))
        if not self.wanted:
            outlet.finish()

    def _give_up(self, ended: Wanted) -> int:
        """Listen to it no more. Returns: events that were lost with it, or before, and not told of."""
        listener = ended.listener
        assert listener is not None
        self.wanted.remove(ended)
        self._lost += listener.lost + listener.queued
        return 0 if listener.buffer is None else listener.buffer.unsaid

    def retold(self, channel: str, events: int, size: int) -> None:
        """As ``Gateway.retold``: it is answered without a subscription."""
        self._gateway.retold(Visitor(0, self.principal), channel, events, size)

    @property
    def is_open(self) -> bool:
        """True until somebody ends it."""
        return self._session is not None and self._session.is_open

    def close(self) -> None:
        """Stop listening."""
        if self._term is not None:
            self._term.stop()
        session = self._session
        if session is not None:
            self._gateway.leave(session)
            # The outlet knows this object, which must not know the outlet any more to be freed at once.
            self._session = session.outlet.on_ended = None
            for one in self.wanted:
                one.listener = None
        if self.on_close is not None:
            self.on_close()
            self.on_close = None


class PlainListeners:
    """Admits listeners.

    ``identify``: tells who shows an API key, or a token, or nothing; ``heartbeat``: seconds between signs of
    life of silent streams.
    """

    def __init__(
        self,
        clock: ReactorClock,
        identify: Identify,
        heartbeat: float,
    ) -> None:
        self._heartbeat = heartbeat
        self._clock = clock
        self._identify = identify

    def admit(
        self,
        credential: str | None,
        channels: str | Sequence[str],
        query: Mapping[str, str],
        visit: Visit,
        last_event_id: str | None = None,
        key: str | None = None,
    ) -> PlainListener | Promise[PlainListener]:
        """Check everything that can be checked before the connection is accepted.

        Args:
            credential: an API key, or a token, in the request's head; the query may have a token instead.
            channels: the one that the path names; or all that the query does, perhaps by pattern.
            visit: where the request comes from.
            query, last_event_id: as ``read_query``.
            key: of private channels, perhaps in the query instead.
        Raises, or settles with: Refused: it must not be accepted.
        """
        gateway, principal, until = self._identify(credential, query, visit)
        names = names_of(channels)
        asked = read_query(query, names.read_after, last_event_id)
        gateway.check_buffer(asked.buffer or {})
        key = query.get("key") if key is None else key
        return chain(
            chain(permitted(gateway, principal, names, key), partial(_with_past, asked)),
            partial(_admitted, gateway, principal, asked, names.is_several, self._term(until)),
        )

    def _term(self, until: float | None) -> Term | None:
        return None if until is None else Term(self._clock, until)

    def serve_events(
        self, media_type: str, stream: PlainListener, begin: Begin, *, is_chunked: bool
    ) -> Callable[[], None]:
        """Write an admitted listener's events, with heartbeats.

        Args:
            begin: begins the answer.
        Returns: what must be called when the connection is lost, or the answer has ended.
        Raises: Refused: as ``PlainListener.open``; nothing has begun then.
        """
        format = stream.format(STREAMS[media_type, is_chunked])
        outlet = begin(format, stream.open)
        self.beat(outlet, format, stream)
        if stream.records is not None:
            outlet.push(stream.records.beginning())
        return stream.close

    def beat(self, outlet: Outlet, format: StreamFormat, stream: PlainListener) -> None:
        """Give signs of life, and tell what was lost, until the listener closes."""
        heart = _Heart(self._clock, outlet, format, self._heartbeat, stream)
        if format.tells_losses_at_once:
            outlet.on_missed = heart.tell_soon
        heart.start()
        stream.on_close = heart.stop


def _with_past(asked: ListenQuery, wanted: list[Wanted]) -> list[Wanted] | Promise[list[Wanted]]:
    """The same as soon as the past of all that is wanted is here, as far as somebody has come elsewhere."""
    found: list[Wanted] | Promise[list[Wanted]] = wanted
    for one in wanted:
        after = None if asked.after is None else asked.after.get(one.topic)
        later = one.space.histories.ready(one.topic, one.match, after)
        if later is not None:
            found = chain(found, partial(_when, later))
    return found


def _when(later: Promise[None], wanted: list[Wanted]) -> Promise[list[Wanted]] | list[Wanted]:
    return when(later, lambda: wanted)


def _admitted(
    gateway: Gateway,
    principal: Principal,
    asked: ListenQuery,
    is_several: bool,
    term: Term | None,
    wanted: list[Wanted],
) -> PlainListener:
    if principal.holder is not None:
        # Others were asked, perhaps, and access has ended meanwhile.
        principal.holder.check_open()
        principal.holder.check_room()
    for one in wanted:
        try:
            one.space.tuning.settings_of(principal, one.match, one.topic, asked.buffer)
        except Refused as refusal:
            if is_several:
                raise naming(one.name, refusal) from None
            raise
        if asked.last is None:
            one.after = None if asked.after is None else asked.after.get(one.topic)
        elif one.is_single:
            # Not before: how far a channel has come is for those who may listen.
            one.after = one.space.recovery.before_last(principal, one.topic, asked.last)
    return PlainListener(gateway, principal, wanted, asked, is_several=is_several, term=term)


class _Heart:
    """Writes something at regular intervals, unless the listener is blocked anyhow: mostly without meaning.

    If events were lost and none came since to tell it with, that is what is written.
    """

    def __init__(
        self,
        clock: ReactorClock,
        outlet: Outlet,
        format: StreamFormat,
        seconds: float,
        stream: PlainListener,
    ) -> None:
        self._clock = clock
        self._outlet = outlet
        self._format = format
        self._seconds = seconds
        self._stream = stream
        self._deadline: Deadline | None = None

    def tell_soon(self) -> None:
        """Tell at the end of the turn what was lost: when the event in question is counted, too."""
        self._clock.soon(self._tell)

    def _tell(self) -> None:
        if self._outlet.blocked:
            return
        for one, lost in self._stream.take_untold():
            self._outlet.push(self._format.loss(one.name, one.position, lost))

    def start(self) -> None:
        """Beat now, and from now on."""
        self._beat()

    def _beat(self) -> None:
        self._tell()
        if not self._outlet.blocked:
            self._outlet.push(self._format.beat)
        self._deadline = self._clock.timers.at(self._clock.seconds() + self._seconds, self._beat)

    def stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
