"""The forms in which plain listeners get events: of one channel, and of several."""

from __future__ import annotations

from collections.abc import Callable
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
    Shape,
    chunked,
    deflated,
    framed,
    whole,
)

__all__ = ["POLL", "STREAMS", "WEBSOCKET", "Form"]


F = TypeVar("F")


class Form(NamedTuple, Generic[F]):
    """``single``: what events of one channel look like; ``shape`` and ``wrap``: what those of several do."""

    single: F
    shape: Shape
    wrap: Callable[[bytes], bytes]


STREAMS: Final[dict[tuple[str, bool], Form[StreamFormat]]] = {
    ("text/event-stream", False): Form(SSE, EVENTS, whole),
    ("text/event-stream", True): Form(SSE_CHUNKED, EVENTS, chunked),
    ("application/x-ndjson", False): Form(ND_JSON, LINES, whole),
    ("application/x-ndjson", True): Form(ND_JSON_CHUNKED, LINES, chunked),
}
"""(Media type, whether it comes in chunks) -> form."""

WEBSOCKET: Final[dict[bool, Form[Format]]] = {
    False: Form(PLAIN, TEXTS, framed),
    True: Form(PLAIN_DEFLATED, TEXTS, deflated),
}
"""Whether frames are compressed -> form."""

POLL: Final[Form[Format]] = Form(POLLED, ELEMENTS, whole)
