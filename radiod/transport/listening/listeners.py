"""Listeners that speak no WAMP: one channel's data on a plain WebSocket, as a stream over HTTP, or polled.

Each is a session like any other, with one subscription made for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from msgspec import structs

from radiod.core.delivery.listeners import Listener
from radiod.core.promises import Promise, chain
from radiod.core.pubsub.topic_space import TopicSpace
from radiod.core.realm.realm import Realm
from radiod.core.rights import Principal
from radiod.core.sessions.session import Session
from radiod.core.timers import Deadline
from radiod.core.uris import is_reserved
from radiod.errors import INVALID_URI, Refused
from radiod.transport.clock import ReactorClock
from radiod.transport.formats import ND_JSON, ND_JSON_CHUNKED, SSE, SSE_CHUNKED, StreamFormat
from radiod.transport.listening.query import ListenQuery, read_query
from radiod.transport.outbox import FanOut
from radiod.transport.outlets import Outlet
from radiod.wire.options import SubscribeOptions

__all__ = ["PlainListener", "PlainListeners"]

MEDIA: Final[dict[str, tuple[StreamFormat, StreamFormat]]] = {
    "text/event-stream": (SSE, SSE_CHUNKED),
    "application/x-ndjson": (ND_JSON, ND_JSON_CHUNKED),
}
"""Media type -> what events look like, plain and in chunks."""


Begin = Callable[[StreamFormat, Callable[[Outlet], None]], Outlet]
"""Begins an answer: what its events look like, and what opens the listener on its outlet."""


class PlainListener:
    """One admitted listener, open from ``open`` to ``close``."""

    __slots__ = ("_key", "_realm", "_session", "channel", "principal", "query", "space")

    def __init__(
        self,
        realm: Realm,
        space: TopicSpace,
        principal: Principal,
        channel: str,
        key: str | None,
        query: ListenQuery,
    ) -> None:
        self._realm = realm
        self._key = key
        self.space = space
        self.principal = principal
        self.channel = channel
        self.query = query
        self._session: Session | None = None

    def open(self, outlet: Outlet, *, is_live: bool = False) -> None:
        """Begin to listen where it was asked for, or at the next event.

        Raises: Refused: the channel has ended since ``PlainListeners.admit``, say.
        """
        session = self._session = self._realm.join(self.principal, outlet)
        query = self.query
        behind = None if is_live or query.after is None else str(query.after)
        options = SubscribeOptions(after=behind, buffer=query.buffer, key=self._key)
        try:
            self._realm.gateway.listen(session, self.channel, options)
        except Refused:
            self.close()
            raise

    @property
    def position(self) -> str | None:
        """How far the channel has come; None: it has no positions."""
        history = self.space.histories.find(self.channel)
        return None if history is None else str(history.position)

    @property
    def lost(self) -> int:
        """How many events were lost so far."""
        return sum(listener.lost for listener in self._listeners())

    def take_untold(self) -> int:
        """As ``Listener.take_untold``."""
        return sum(listener.take_untold() for listener in self._listeners())

    def _listeners(self) -> Iterable[Listener]:
        """The one there is while it is open."""
        session = self._session
        if session is None:
            return ()
        held = self._realm.subscriptions.of(session).values()
        return [subscription.listeners[session] for subscription in held]

    @property
    def is_open(self) -> bool:
        """True until somebody ends it."""
        return self._session is not None and self._session.is_open

    def close(self) -> None:
        """Stop listening."""
        if self._session is not None:
            self._realm.leave(self._session)
            self._session = None


class PlainListeners:
    """Admits listeners.

    ``identify(credential)`` gives the realm and principal behind an API key, or the anonymous one for None;
    it raises ``Refused`` when there is none. ``heartbeat``: seconds between signs of life of silent streams.
    """

    def __init__(
        self,
        fan_out: FanOut,
        clock: ReactorClock,
        identify: Callable[[str | None], tuple[Realm, Principal]],
        heartbeat: float,
    ) -> None:
        self._heartbeat = heartbeat
        self._fan_out = fan_out
        self._clock = clock
        self._identify = identify

    def admit(
        self,
        credential: str | None,
        channel: str,
        query: Mapping[str, str],
        last_event_id: str | None = None,
        key: str | None = None,
    ) -> PlainListener | Promise[PlainListener]:
        """Check everything that can be checked before the connection is accepted.

        ``query`` and ``last_event_id``: as ``read_query``; ``key``: of a private channel, perhaps in the
        query instead.
        Raises, or settles with: Refused: it must not be accepted.
        """
        realm, principal = self._identify(credential)
        if is_reserved(channel):
            raise Refused(INVALID_URI, f"{channel} is no channel")
        asked = read_query(query, last_event_id)
        realm.space.tuning.check(asked.buffer or {})
        key = query.get("key") if key is None else key

        def admitted(space: TopicSpace) -> PlainListener:
            space.tuning.check(asked.buffer or {})
            # Not before: how far a channel has come is for those who may listen.
            after = space.recovery.before_last(channel, asked.last) if asked.last is not None else asked.after
            return PlainListener(realm, space, principal, channel, key, structs.replace(asked, after=after))

        return chain(realm.gateway.may_listen(principal, channel, key), admitted)

    def serve_events(
        self, media_type: str, stream: PlainListener, begin: Begin, *, is_chunked: bool
    ) -> Callable[[], None]:
        """Write an admitted channel's events, with heartbeats.

        Args:
            begin: begins the answer.
        Returns: what must be called when the connection is lost, or the answer has ended.
        Raises: Refused: as ``PlainListener.open``; nothing has begun then.
        """
        format = MEDIA[media_type][is_chunked]
        outlet = begin(format, stream.open)
        heart = _Heart(self._clock, outlet, format, self._heartbeat, stream)
        if format.tells_losses_at_once:
            outlet.on_missed = heart.tell_soon
        heart.start()

        def stop() -> None:
            heart.stop()
            stream.close()

        return stop


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
        self._heartbeat = format.beat
        self._seconds = seconds
        self._stream = stream
        self._deadline: Deadline | None = None

    def tell_soon(self) -> None:
        """Tell at the end of the turn what was lost: when the event in question is counted, too."""
        self._clock.soon(self._tell)

    def _tell(self) -> None:
        if self._outlet.blocked:
            return
        lost = self._stream.take_untold()
        if lost:
            position = self._stream.position
            self._outlet.push(self._format.loss(None if position is None else position.encode(), lost))

    def start(self) -> None:
        """Beat now, and from now on."""
        self._beat()

    def _beat(self) -> None:
        self._tell()
        if not self._outlet.blocked:
            self._outlet.push(self._heartbeat)
        self._deadline = self._clock.timers.at(self._clock.seconds() + self._seconds, self._beat)

    def stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
