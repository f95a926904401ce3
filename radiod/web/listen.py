"""``GET /listen/<channel>`` without a WebSocket: Server-Sent Events, lines of JSON, or long-poll."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from twisted.web.server import NOT_DONE_YET, Request

from radiod.core.budgets.addresses import network_of
from radiod.core.promises import Promise, chain
from radiod.errors import (
    CHANNEL_CLOSED,
    NOT_AUTHORIZED,
    QUOTA,
    RadiodError,
    Refused,
    WrongSecret,
    http_status,
)
from radiod.web.answers import (
    NO_TEXT,
    JsonResource,
    answer,
    credential,
    header,
    log_refused,
    query,
    rest_of_path,
    visit,
)
from radiod.web.suspicion import Suspicion

__all__ = ["ListenResource"]

STREAMS: Final = ("text/event-stream", "application/x-ndjson")
"""Media types that are streamed to whoever accepts them; everybody else polls."""


class ChannelStreams(Protocol):
    """What admits listeners and serves streams; ``PlainListeners`` is one, and documents it."""

    def admit(
        self,
        credential: str | None,
        channel: str,
        query: dict[str, str],
        last_event_id: str | None = None,
        key: str | None = None,
    ) -> Any: ...

    def serve_events(
        self,
        media_type: str,
        stream: Any,
        consumer: Any,
        *,
        cut: Callable[[], None],
        finish: Callable[[], None],
    ) -> Callable[[], None]: ...


class Polls(Protocol):
    """What answers polls; ``transport.listening.polls.ChannelPolls`` is one, and documents it."""

    def poll(self, stream: Any, answer: Callable[[Any], None], network: str | None) -> Callable[[], None]: ...


class ListenResource(JsonResource):
    """Serves a channel's samples: ``channel``, or the one that the path names."""

    methods = ("GET", "OPTIONS")

    def __init__(
        self, streams: ChannelStreams, polls: Polls, suspicion: Suspicion, channel: str | None = None
    ) -> None:
        super().__init__()
        self._suspicion = suspicion
        self._streams = streams
        self._polls = polls
        self._channel = channel

    def render_GET(self, request: Request) -> Any:
        """Open the stream that the client accepts, or answer its poll, perhaps later."""
        channel = self._channel or rest_of_path(request)
        if channel is None:
            return answer(request, 400, NO_TEXT)
        if not channel:
            return answer(request, 400, {"error": "the path lacks a channel: /listen/<channel>"})
        asked = query(request)
        keys = credential(request), header(request, b"Channel-Key"), asked.get("key")
        return self._suspicion.in_turn(request, keys, lambda: self._listen(request, channel, asked, keys))

    def _listen(
        self, request: Request, channel: str, asked: dict[str, str], keys: tuple[str | None, ...]
    ) -> Any:
        listener = Listener(request, self._streams, self._polls, self._suspicion)
        last = header(request, b"Last-Event-ID")
        try:
            admitted: Any = self._streams.admit(keys[0], channel, asked, last, keys[1])
            begun = chain(admitted, lambda stream: listener.begin(stream, keys))
        except Refused as refusal:
            return listener.refusal(refusal)
        if isinstance(begun, Promise):
            begun.then(listener.conclude)
        return NOT_DONE_YET


class Listener:
    """The answer to one request: a stream, samples, an error, or nothing if the client has gone before."""

    def __init__(self, request: Request, streams: ChannelStreams, polls: Polls, suspicion: Suspicion) -> None:
        self._request = request
        self._suspicion = suspicion
        self._streams = streams
        self._polls = polls
        self._stop: Callable[[], None] = lambda: None
        self._is_lost = False
        request.notifyFinish().addBoth(self._lost)

    def _lost(self, _reason: object) -> None:
        self._is_lost = True
        self._stop()

    def begin(self, stream: Any, keys: tuple[str | None, ...]) -> None:
        """Serve an admitted listener, whose ``keys`` were right.

        Raises: Refused: it cannot listen after all.
        """
        if self._is_lost:
            return
        request = self._request
        self._suspicion.proven(request, keys)
        accepted = header(request, b"Accept") or ""
        media_type = next((one for one in STREAMS if one in accepted), None)
        request.setHeader("Cache-Control", "no-store")
        if media_type is None:
            network = network_of(visit(request).address)
            self._stop = self._polls.poll(stream, self._tell, network)
            return
        request.setHeader("Content-Type", f"{media_type}; charset=utf-8")
        # Proxies that collect answers would collect this one for ever.
        request.setHeader("X-Accel-Buffering", "no")
        self._stop = self._streams.serve_events(
            media_type, stream, request, cut=request.channel.forceAbortClient, finish=request.finish
        )

    def _tell(self, polled: Any) -> None:
        """Answer a poll."""
        request = self._request
        if polled.position is not None:
            request.setHeader("X-Radiod-Position", polled.position)
        if not polled.is_recovered:
            request.setHeader("X-Radiod-Recovered", "false")
        if polled.lost:
            request.setHeader("X-Radiod-Lost", str(polled.lost))
        if polled.samples:
            request.setHeader("Content-Type", "application/json")
            self._answer(polled.samples)
        elif polled.is_over:
            self.conclude(Refused(CHANNEL_CLOSED, "the channel is closed"))
        else:
            request.setResponseCode(204)
            request.finish()

    def conclude(self, outcome: RadiodError | None) -> None:
        """Answer with the error, if one came after a while."""
        if outcome is not None and not self._is_lost:
            self._answer(self.refusal(outcome))

    def _answer(self, content: bytes) -> None:
        self._request.setHeader("Content-Length", str(len(content)))
        self._request.write(content)
        self._request.finish()

    def refusal(self, refusal: RadiodError) -> bytes:
        """What says so."""
        request = self._request
        if isinstance(refusal, WrongSecret):
            self._suspicion.wrong(request)
        if refusal.uri == QUOTA:
            request.setHeader("Retry-After", "1")
        if refusal.uri == NOT_AUTHORIZED or isinstance(refusal, WrongSecret):
            log_refused(request, refusal.text)
        return answer(request, http_status(refusal), {"error": refusal.text})
