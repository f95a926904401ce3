"""``GET /listen/<channel>`` without a WebSocket: Server-Sent Events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from twisted.web.server import NOT_DONE_YET, Request

from radiod.core.later import Later, after
from radiod.errors import RadiodError, Refused, http_status
from radiod.web.answers import JsonResource, answer, credential, header, rest_of_path

__all__ = ["ListenResource"]

EVENT_STREAM: Final = "text/event-stream"


class EventStreams(Protocol):
    """What serves the streams; ``transport.streams.Streams`` is one, and documents it."""

    def admit(self, credential: str | None, channel: str) -> Any: ...

    def serve_events(
        self, stream: Any, consumer: Any, *, cut: Callable[[], None], finish: Callable[[], None]
    ) -> Callable[[], None]: ...


class ListenResource(JsonResource):
    """Serves a channel's samples; ``aliases``: path -> channel."""

    methods = ("GET", "OPTIONS")

    def __init__(self, streams: EventStreams, channel: str | None = None) -> None:
        super().__init__()
        self._streams = streams
        self._channel = channel

    def render_GET(self, request: Request) -> Any:
        """Open the stream, perhaps later, or say which ways to listen there are."""
        channel = self._channel or rest_of_path(request)
        if EVENT_STREAM not in (header(request, b"Accept") or ""):
            ways = f"ask for it with 'Accept: {EVENT_STREAM}', or open a WebSocket"
            return answer(request, 406, {"error": ways})
        listener = Listener(request, self._streams)
        try:
            admitted: Any = self._streams.admit(credential(request), channel)
            begun = after(admitted, listener.begin)
        except Refused as refusal:
            return _refusal(request, refusal)
        if isinstance(begun, Later):
            begun.then(listener.conclude)
        return NOT_DONE_YET


class Listener:
    """The answer to one request: a stream, an error, or nothing if the client has gone before."""

    def __init__(self, request: Request, streams: EventStreams) -> None:
        self._request = request
        self._streams = streams
        self._stop: Callable[[], None] = lambda: None
        self._is_lost = False
        request.notifyFinish().addBoth(self._lost)

    def _lost(self, _reason: object) -> None:
        self._is_lost = True
        self._stop()

    def begin(self, stream: Any) -> None:
        """Write the events of an admitted listener. Raises: Refused: it cannot listen after all."""
        if self._is_lost:
            return
        request = self._request
        request.setHeader("Content-Type", f"{EVENT_STREAM}; charset=utf-8")
        request.setHeader("Cache-Control", "no-store")
        # Proxies that collect answers would collect this one for ever.
        request.setHeader("X-Accel-Buffering", "no")
        self._stop = self._streams.serve_events(
            stream, request, cut=request.channel.forceAbortClient, finish=request.finish
        )

    def conclude(self, outcome: RadiodError | None) -> None:
        """Answer with the error, if one came after a while."""
        if outcome is not None and not self._is_lost:
            content = _refusal(self._request, outcome)
            self._request.setHeader("Content-Length", str(len(content)))
            self._request.write(content)
            self._request.finish()


def _refusal(request: Request, refusal: RadiodError) -> bytes:
    return answer(request, http_status(refusal), {"error": refusal.text})
