"""One event that is kept."""

from __future__ import annotations

from typing import Any

from radiod.core.history.positions import Position
from radiod.wire.codecs import Codec, Payload, Undecodable
from radiod.wire.options import PublishOptions

__all__ = ["Damaged", "KeptEvent"]


class KeptEvent:
    """One event that was kept.

    ``time``: seconds since 1970 in whole milliseconds, as it is told; ``since``: when that was, in monotonic
    seconds, for its age: the clock may have been set since; ``order`` counts the realm's records;
    ``publisher``: the session's id, 0 when it means nothing any more; ``role``: its role, where the log
    is to know; ``size``: what it counts for, in bytes.
    """

    __slots__ = (
        "details",
        "epoch",
        "is_end_mark",
        "options",
        "order",
        "payload",
        "publication",
        "publisher",
        "role",
        "seq",
        "since",
        "size",
        "time",
        "topic",
    )

    def __init__(
        self,
        *,
        order: int,
        time: float,
        since: float,
        topic: str,
        epoch: str,
        seq: int,
        publication: int,
        publisher: int,
        payload: Payload,
        options: PublishOptions,
        details: dict[str, Any],
        role: str = "",
    ) -> None:
        self.role = role
        # For the log: whether it marks the end of something.
        self.is_end_mark = False
        self.order = order
        self.time = time
        self.since = since
        self.topic = topic
        self.epoch = epoch
        self.seq = seq
        self.publication = publication
        self.publisher = publisher
        # Its own, though of the same bytes: the live one keeps what it is transcoded to.
        self.payload = type(payload)(payload.codec, payload.args, payload.kwargs)
        self.options = options
        self.size = len(payload) + options.lists_size()
        self.details = details

    @property
    def position(self) -> Position:
        """The event's own: who has received it is there."""
        return Position(self.epoch, self.seq)

    def told(self) -> dict[str, Any]:
        """EVENT.Details, with the position of the event."""
        return {**self.details, "_seq": self.seq, "_epoch": self.epoch}

    def fresh_payload(self) -> Payload:
        """Its payload as one of its own, so that what it is transcoded to goes with it."""
        payload = self.payload
        return type(payload)(payload.codec, payload.args, payload.kwargs)

    @property
    def names_sessions(self) -> bool:
        """Whether it was published to, or kept from, certain sessions."""
        return self.options.exclude is not None or self.options.eligible is not None


class Damaged(Payload):
    """A payload whose bytes cannot be believed any more: it cannot be said to anybody, so all lose it."""

    def parts(self, codec: Codec) -> tuple[bytes, bytes]:
        raise Undecodable("it is damaged in the store")

    def values(self) -> tuple[list[Any], dict[str, Any]]:
        raise Undecodable("it is damaged in the store")
