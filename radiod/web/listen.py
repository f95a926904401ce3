"""``GET /listen/<channel>`` without a WebSocket: Server-Sent Events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from twisted.web.server import NOT_DONE_YET, Request

from radiod.errors import Refused, http_status
from radiod.web.answers import JsonResource, answer, channel_key, credential, header, rest_of_path

__all__ = ["ListenResource"]

EVENT_STREAM: Final = "text/event-stream"


class EventStreams(Protocol):
    """What serves the streams; ``transport.streams.Streams`` is one."""

    def serve_events(
        self,
        credential: str | None,
        channel: str,
        consumer: Any,
        *,
        key: str | None,
        cut: Callable[[], None],
        finish: Callable[[], None],
    ) -> Callable[[], None]:
        """Write a channel's events to ``consumer``; returns what must be called when it is lost."""


class ListenResource(JsonResource):
    """Serves a channel's samples; ``aliases``: path -> channel."""

    methods = ("GET", "OPTIONS")

    def __init__(self, streams: EventStreams, channel: str | None = None) -> None:
        super().__init__()
        self._streams = streams
        self._channel = channel

    def render_GET(self, request: Request) -> Any:
        """Open the stream, or say which ways to listen there are."""
        channel = self._channel or rest_of_path(request)
        if EVENT_STREAM not in (header(request, b"Accept") or ""):
            ways = f"ask for it with 'Accept: {EVENT_STREAM}', or open a WebSocket"
            return answer(request, 406, {"error": ways})
        request.setHeader("Content-Type", f"{EVENT_STREAM}; charset=utf-8")
        request.setHeader("Cache-Control", "no-store")
        # Proxies that collect answers would collect this one for ever.
        request.setHeader("X-Accel-Buffering", "no")
        try:
            stop = self._streams.serve_events(
                credential(request),
                channel,
                request,
                key=channel_key(request),
                cut=request.channel.forceAbortClient,
                finish=request.finish,
            )
        except Refused as refusal:
            return answer(request, http_status(refusal), {"error": refusal.text})
        request.notifyFinish().addBoth(lambda _: stop())
        return NOT_DONE_YET
