"""Streams of samples: what a publisher marks with ``_radiod_stream``, and listeners see as ``_stream``.

A stream is named by its publisher's session, its topic and an id that the publisher chose. It begins with the
first sample of that name and ends with the one that says so; the next of the same name begins another stream.
The router counts, so that listeners can tell a complete stream from one with a gap.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from radiod.core.arguments import struct
from radiod.core.rights import Actor

__all__ = ["MAX_STREAMS", "OpenStreams", "StreamSample", "Streams"]

MAX_STREAMS: Final = 256
"""Streams of one session that are remembered: some publishers never say that one has ended."""


OpenStreams = dict[tuple[str, str | int], int]
"""The open streams of one session, in order of their last sample: (topic, id) -> samples so far."""


class Mark(Struct, frozen=True):
    """What a publisher says of one sample: which stream it belongs to, and whether it is the last of it."""

    id: Annotated[str, Meta(min_length=1, max_length=64)] | Annotated[int, Meta(ge=-(2**53), le=2**53)]
    end: bool = False


class StreamSample:
    """One sample in its stream, before it is published.

    ``place``: where it stands, as listeners see it: ``{id, counter, begin?, end?}``.
    """

    __slots__ = ("_key", "_streams", "is_end", "place")

    def __init__(self, streams: OpenStreams, topic: str, mark: Mark) -> None:
        self._streams = streams
        self._key = (topic, mark.id)
        self.is_end = mark.end
        counter = streams.get(self._key, 0) + 1
        self.place: dict[str, Any] = {"id": mark.id, "counter": counter}
        if counter == 1:
            self.place["begin"] = True
        if mark.end:
            self.place["end"] = True

    def take(self) -> None:
        """The sample was published. The stream that was silent longest makes room for a new one."""
        streams = self._streams
        streams.pop(self._key, None)
        if not self.is_end:
            streams[self._key] = self.place["counter"]
            if len(streams) > MAX_STREAMS:
                del streams[next(iter(streams))]


class Streams:
    """The open streams of all publishers of one realm."""

    def __init__(self) -> None:
        self._by_publisher: dict[Actor, OpenStreams] = {}

    def __len__(self) -> int:
        """Publishers that ever marked any, and are there."""
        return len(self._by_publisher)

    def sample(self, publisher: Actor, topic: str, value: Any) -> StreamSample:
        """The next sample of a stream, marked with ``value``; nothing is counted before ``take``.

        Raises: Refused: ``invalid_argument``: no mark.
        """
        mark = struct("_radiod_stream", value, Mark)
        return StreamSample(self._by_publisher.setdefault(publisher, {}), topic, mark)

    def leave(self, publisher: Actor) -> None:
        """Nothing more comes of its streams."""
        self._by_publisher.pop(publisher, None)
