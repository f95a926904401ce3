"""Listeners that speak no WAMP: one channel's data on a plain WebSocket or as Server-Sent Events.

Each is a session like any other, with one subscription made for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from radiod.core.later import Later, after
from radiod.core.ports import Principal
from radiod.core.realm import Realm
from radiod.core.sessions import Session
from radiod.core.timers import Deadline
from radiod.core.uris import is_reserved
from radiod.errors import INVALID_URI, Refused
from radiod.transport.clock import ReactorClock
from radiod.transport.formats import SSE
from radiod.transport.outbox import Consumer, FanOut, Outlet, StreamOutlet

__all__ = ["Stream", "Streams"]

HEARTBEAT_SECONDS: Final = 15.0
"""Proxies close connections that are silent for long; half of the usual 30 s."""

HEARTBEAT: Final = b":\n\n"


class Stream:
    """One admitted listener, open from ``open`` to ``close``."""

    __slots__ = ("_channel", "_principal", "_realm", "_session")

    def __init__(self, realm: Realm, principal: Principal, channel: str) -> None:
        self._realm = realm
        self._principal = principal
        self._channel = channel
        self._session: Session | None = None

    def open(self, outlet: Outlet) -> None:
        """Begin to listen. Raises: Refused: the channel has ended since ``Streams.admit``, say."""
        session = self._session = self._realm.join(self._principal, outlet)
        try:
            self._realm.subscribe(session, self._channel)
        except Refused:
            self.close()
            raise

    def close(self) -> None:
        """Stop listening."""
        if self._session is not None:
            self._realm.leave(self._session)
            self._session = None


class Streams:
    """Admits listeners.

    ``identify(credential)`` gives the realm and principal behind an API key, or the anonymous one for None;
    it raises ``Refused`` when there is none.
    """

    def __init__(
        self,
        fan_out: FanOut,
        clock: ReactorClock,
        identify: Callable[[str | None], tuple[Realm, Principal]],
    ) -> None:
        self._fan_out = fan_out
        self._clock = clock
        self._identify = identify

    def admit(self, credential: str | None, channel: str) -> Stream | Later[Stream]:
        """Check everything that can be checked before the connection is accepted.

        Raises, or settles with: Refused: it must not be accepted.
        """
        realm, principal = self._identify(credential)
        if is_reserved(channel):
            raise Refused(INVALID_URI, f"{channel} is no channel")
        return after(realm.may_subscribe(principal, channel), lambda _: Stream(realm, principal, channel))

    def serve_events(
        self,
        stream: Stream,
        consumer: Consumer,
        *,
        cut: Callable[[], None],
        finish: Callable[[], None],
    ) -> Callable[[], None]:
        """Write an admitted listener's events to ``consumer`` as Server-Sent Events, with heartbeats.

        ``cut`` breaks the connection off, ``finish`` ends the response.

        Returns: what must be called when the connection is lost.
        Raises: Refused: as ``Stream.open``.
        """
        outlet = StreamOutlet(self._fan_out, consumer, SSE, max_bytes=1 << 62, on_cut=cut, on_finished=finish)
        stream.open(outlet)
        outlet.start()
        heart = _Heart(self._clock, outlet)

        def stop() -> None:
            heart.stop()
            stream.close()
            outlet.abandon()

        return stop


class _Heart:
    """Writes a comment at regular intervals, unless the listener is blocked anyhow."""

    def __init__(self, clock: ReactorClock, outlet: Outlet) -> None:
        self._clock = clock
        self._outlet = outlet
        self._deadline: Deadline | None = None
        self._beat()

    def _beat(self) -> None:
        if not self._outlet.blocked:
            self._outlet.push(HEARTBEAT)
        self._deadline = self._clock.timers.at(self._clock.seconds() + HEARTBEAT_SECONDS, self._beat)

    def stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
