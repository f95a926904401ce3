"""The forms in which plain listeners get events: of one channel, and of several."""

from __future__ import annotations

from typing import Final, Generic, NamedTuple, TypeVar

from radiod.transport.formats import (
    ND_JSON,
    ND_JSON_CHUNKED,
    PLAIN,
    PLAIN_DEFLATED,
    POLLED,
    SSE,
    SSE_CHUNKED,
    Format,
    StreamFormat,
)
from radiod.transport.listening.records import (
    ELEMENTS,
    EVENTS,
    LINES,
    TEXTS,
    Kind,
    chunked,
    deflated,
    framed,
    whole,
)

__all__ = ["POLL", "STREAMS", "WEBSOCKET", "Form"]


F = TypeVar("F")


class Form(NamedTuple, Generic[F]):
    """``single``: what events of one channel look like; ``several``: what those of several do."""

    single: F
    several: Kind


STREAMS: Final[dict[tuple[str, bool], Form[StreamFormat]]] = {
    ("text/event-stream", False): Form(SSE, Kind(EVENTS, whole)),
    ("text/event-stream", True): Form(SSE_CHUNKED, Kind(EVENTS, chunked)),
    ("application/x-ndjson", False): Form(ND_JSON, Kind(LINES, whole)),
    ("application/x-ndjson", True): Form(ND_JSON_CHUNKED, Kind(LINES, chunked)),
}
"""(Media type, whether it comes in chunks) -> form."""

WEBSOCKET: Final[dict[bool, Form[Format]]] = {
    False: Form(PLAIN, Kind(TEXTS, framed)),
    True: Form(PLAIN_DEFLATED, Kind(TEXTS, deflated)),
}
"""Whether frames are compressed -> form."""

POLL: Final[Form[Format]] = Form(POLLED, Kind(ELEMENTS, whole))
