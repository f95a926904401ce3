"""``GET /listen/<channel>`` without a WebSocket: Server-Sent Events, lines of JSON, or long-poll."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from twisted.web.server import NOT_DONE_YET, Request

from radiod.errors import CHANNEL_CLOSED, QUOTA, Refused, http_status
from radiod.web.answers import JsonResource, answer, credential, header, rest_of_path

__all__ = ["ListenResource"]

EVENT_STREAM: Final = "text/event-stream"
ND_JSON: Final = "application/x-ndjson"


class Polled(Protocol):
    """What a poll comes to; ``transport.channelpolls.Polled`` is one."""

    samples: bytes
    position: str | None
    is_recovered: bool
    is_over: bool


class ChannelStreams(Protocol):
    """What admits listeners and serves streams; ``transport.streams.Streams`` is one."""

    def admit(
        self,
        credential: str | None,
        channel: str,
        query: Mapping[str, str],
        last_event_id: str | None = None,
    ) -> Any:
        """One listener, admitted. Raises: Refused."""

    def serve_events(
        self,
        media_type: str,
        stream: Any,
        consumer: Any,
        *,
        cut: Callable[[], None],
        finish: Callable[[], None],
    ) -> Callable[[], None]:
        """Write a channel's events to ``consumer``; returns what must be called when it is lost."""


class Polls(Protocol):
    """What answers polls; ``transport.channelpolls.ChannelPolls`` is one."""

    def poll(self, stream: Any, answer: Callable[[Any], None]) -> Callable[[], None]:
        """Call ``answer`` once, perhaps at once; returns what must be called when nobody waits any more."""


class ListenResource(JsonResource):
    """Serves a channel's samples: ``channel``, or the one that the path names."""

    methods = ("GET", "OPTIONS")

    def __init__(self, streams: ChannelStreams, polls: Polls, channel: str | None = None) -> None:
        super().__init__()
        self._streams = streams
        self._polls = polls
        self._channel = channel

    def render_GET(self, request: Request) -> Any:
        """Open the stream that the client accepts, or answer its poll."""
        channel = self._channel or rest_of_path(request)
        accepted = header(request, b"Accept") or ""
        media_type = next((one for one in (EVENT_STREAM, ND_JSON) if one in accepted), None)
        try:
            stream = self._streams.admit(
                credential(request), channel, _query(request), header(request, b"Last-Event-ID")
            )
            if media_type is None:
                return self._poll(request, stream)
            return self._stream(request, media_type, stream)
        except Refused as refusal:
            if refusal.uri == QUOTA:
                request.setHeader("Retry-After", "1")
            return answer(request, http_status(refusal), {"error": refusal.text})

    def _stream(self, request: Request, media_type: str, stream: Any) -> Any:
        request.setHeader("Content-Type", f"{media_type}; charset=utf-8")
        request.setHeader("Cache-Control", "no-store")
        # Proxies that collect answers would collect this one for ever.
        request.setHeader("X-Accel-Buffering", "no")
        stop = self._streams.serve_events(
            media_type, stream, request, cut=request.channel.forceAbortClient, finish=request.finish
        )
        request.notifyFinish().addBoth(lambda _: stop())
        return NOT_DONE_YET

    def _poll(self, request: Request, stream: Any) -> Any:
        lost = request.notifyFinish()
        stop = self._polls.poll(stream, lambda polled: _tell(request, polled))
        lost.addBoth(lambda _: stop())
        return NOT_DONE_YET


def _query(request: Request) -> dict[str, str]:
    """Parameters by name, the last one of each."""
    arguments: dict[bytes, list[bytes]] = request.args or {}
    return {
        name.decode("utf-8", "replace"): values[-1].decode("utf-8", "replace")
        for name, values in arguments.items()
    }


def _tell(request: Request, polled: Polled) -> None:
    request.setHeader("Cache-Control", "no-store")
    request.setHeader("Access-Control-Expose-Headers", "X-Radiod-Position, X-Radiod-Recovered")
    if polled.position is not None:
        request.setHeader("X-Radiod-Position", polled.position)
    if not polled.is_recovered:
        request.setHeader("X-Radiod-Recovered", "false")
    if polled.samples:
        request.setHeader("Content-Type", "application/json")
        request.setHeader("Content-Length", str(len(polled.samples)))
        request.write(polled.samples)
    elif polled.is_over:
        gone = Refused(CHANNEL_CLOSED, "the channel is closed")
        request.write(answer(request, http_status(gone), {"error": gone.text}))
    else:
        request.setResponseCode(204)
    request.finish()
