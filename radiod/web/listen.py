"""``GET /listen/<channel>``, or ``/listen?channel=…``, as Server-Sent Events, lines of JSON, or long-poll."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from radiod.core.budgets.addresses import network_of
from radiod.core.draining import Draining
from radiod.core.holders import Holder
from radiod.core.promises import Promise, chain
from radiod.errors import (
    CHANNEL_CLOSED,
    NOT_AUTHORIZED,
    NoAccess,
    OverLimit,
    RadiodError,
    Refused,
    WrongSecret,
)
from radiod.web.answers import (
    NO_TEXT,
    Request,
    credential,
    later,
    log_refused,
    query,
    refusal,
    rest_of_path,
)
from radiod.web.routes import Outcome, Route
from radiod.web.suspicion import Suspicion
from radiod.wire.answer import Answer
from radiod.wire.doors import Visit
from radiod.wire.targets import values

__all__ = ["Listen"]

STREAMS: Final = ("text/event-stream", "application/x-ndjson")
"""Media types that are streamed to whoever accepts them; everybody else polls."""


UNCOLLECTED: Final = (("X-Accel-Buffering", "no"),)
"""Proxies that collect answers would collect a stream for ever."""


class ChannelStreams(Protocol):
    """What admits listeners and serves streams; ``PlainListeners`` is one, and documents it."""

    def admit(
        self,
        credential: str | None,
        channels: str | list[str],
        query: dict[str, str],
        visit: Visit,
        last_event_id: str | None = None,
        key: str | None = None,
    ) -> Any: ...

    def serve_events(
        self,
        media_type: str,
        stream: Any,
        begin: Callable[[Any, Any], Any],
        *,
        is_chunked: bool,
    ) -> Callable[[], None]: ...


class Polls(Protocol):
    """What answers polls; ``transport.listening.polls.ChannelPolls`` is one, and documents it."""

    def poll(self, stream: Any, answer: Callable[[Any], None], network: str | None) -> Callable[[], None]: ...


class Listen(Route):
    """Serves channels' samples: of ``channel``, the one that the path names, or those that the query does."""

    def __init__(
        self,
        streams: ChannelStreams,
        polls: Polls,
        suspicion: Suspicion,
        draining: Draining,
        channel: str | None = None,
    ) -> None:
        self._draining = draining
        self._suspicion = suspicion
        self._streams = streams
        self._polls = polls
        self._channel = channel
        # An alias may be a private channel's.
        self.label = "/listen/{channel}" if channel is None else "/{alias}"

    def get(self, request: Request) -> Outcome:
        """Open the stream that the client accepts, or answer its poll, perhaps later."""
        channels = self._channel or rest_of_path(request)
        if channels is None:
            return NO_TEXT
        # Without a name in the path, the query has them.
        named = channels or values(request.target.query, "channel")
        asked = query(request)
        keys = credential(request), request.header(b"channel-key"), asked.get("key"), asked.get("token")
        return self._suspicion.in_turn(request, keys, lambda: self._listen(request, named, asked, keys))

    def _listen(
        self,
        request: Request,
        channels: str | list[str],
        asked: dict[str, str],
        keys: tuple[str | None, ...],
    ) -> Outcome:
        listener = Listener(request, self._streams, self._polls, self._suspicion, self._draining)
        last = request.header(b"last-event-id")
        try:
            listener.check_draining()
            admitted: Any = self._streams.admit(keys[0], channels, asked, request.visit, last, keys[1])
            begun = chain(admitted, lambda stream: listener.begin(stream, keys))
        except Refused as error:
            return listener.refusal(error)
        if isinstance(begun, Promise):
            begun.then(listener.conclude)
        return None


class Listener:
    """The answer to one request: a stream, samples, an error, or nothing if the client has gone before."""

    def __init__(
        self,
        request: Request,
        streams: ChannelStreams,
        polls: Polls,
        suspicion: Suspicion,
        draining: Draining,
    ) -> None:
        self._draining = draining
        self._request = request
        self._suspicion = suspicion
        self._streams = streams
        self._polls = polls
        # Of whom to ask why a quota has ended a poll.
        self._holder: Holder | None = None

    def check_draining(self) -> None:
        """Raises: TryLater: nobody new is let in. Who polls was here before, perhaps."""
        request = self._request
        if self._media_type() is not None:
            self._draining.check()
        elif request.method != "HEAD":
            self._draining.check_poll(request.connection)

    def _media_type(self) -> str | None:
        """Of the stream that the client accepts; None: it polls."""
        accepted = self._request.header(b"accept") or ""
        return next((one for one in STREAMS if one in accepted), None)

    def begin(self, stream: Any, keys: tuple[str | None, ...]) -> None:
        """Serve an admitted listener, whose ``keys`` were right.

        Raises: Refused: it cannot listen after all.
        """
        request = self._request
        if request.is_over:
            return
        self._suspicion.proven(request, keys)
        media_type = self._media_type()
        if media_type is not None:
            self._stream(media_type, stream)
        elif request.method == "HEAD":
            request.answer(Answer(200))
        else:
            network = network_of(request.visit.address)
            self._holder = stream.principal.holder
            request.on_lost = self._polls.poll(stream, self._tell, network)

    def _stream(self, media_type: str, stream: Any) -> None:
        request = self._request
        answer = Answer(200, type=b"%b; charset=utf-8" % media_type.encode(), fields=UNCOLLECTED)
        if request.method == "HEAD":
            # Of no length, as the stream would be.
            request.begin(answer)
            request.end()
            return

        def begin(format: Any, opening: Callable[[Any], None]) -> Any:
            def opened(outlet: Any) -> None:
                opening(outlet)
                if stream.cursor is not None:
                    # Where it begins, for who is cut off before the first record.
                    request.tell("X-Radiod-Position", stream.cursor)

            return request.begin(answer, format, opened)

        request.on_lost = self._streams.serve_events(media_type, stream, begin, is_chunked=request.is_chunked)

    def _tell(self, polled: Any) -> None:
        """Answer a poll."""
        if polled.ended_for:
            self.conclude(self._ended(polled.ended_for))
            return
        fields = []
        if polled.position is not None:
            fields.append(("X-Radiod-Position", polled.position))
        if not polled.is_recovered:
            fields.append(("X-Radiod-Recovered", "false"))
        if polled.lost:
            fields.append(("X-Radiod-Lost", str(polled.lost)))
        if polled.retry_after:
            fields.append(later(polled.retry_after))
            self._draining.forget(self._request.connection)
        if polled.samples:
            self._request.answer(Answer(200, polled.samples, fields=tuple(fields)))
        elif polled.is_over:
            self.conclude(Refused(CHANNEL_CLOSED, "the channel is closed"), *fields)
        else:
            self._request.answer(Answer(204, fields=tuple(fields)))

    def _ended(self, reason: str) -> RadiodError:
        """Why a poll has ended: for a quota it is told as one that is refused for that."""
        if reason == "quota" and self._holder is not None:
            try:
                self._holder.check_room()
            except OverLimit as over:
                return over
        return NoAccess(reason)

    def conclude(self, outcome: RadiodError | None, *fields: tuple[str, str]) -> None:
        """Answer with the error, if one came after a while."""
        if outcome is not None and not self._request.is_over:
            self._request.answer(self.refusal(outcome, *fields))

    def refusal(self, error: RadiodError, *fields: tuple[str, str]) -> Answer:
        """What says so."""
        request = self._request
        if isinstance(error, WrongSecret):
            self._suspicion.wrong(request)
        if isinstance(error, NoAccess):
            log_refused(request, f"{error.text}: {error.reason}")
        elif error.uri == NOT_AUTHORIZED or isinstance(error, WrongSecret):
            is_wrong = isinstance(error, WrongSecret)
            log_refused(request, error.text, event="key_refused" if is_wrong else "request_refused")
        return refusal(error, *fields)
