"""One publication: on its way to the listeners of one subscription, and what became of it."""

from __future__ import annotations

from typing import Any

from radiod.wire.codecs import Payload

__all__ = ["Broadcast", "Publication"]


class Broadcast:
    """One publication on its way to the listeners of one subscription.

    ``is_end_mark``: it marks the end of something, and passes rates and full buffers. ``frames`` is the
    outbox's: wire format -> bytes, so that each format is made once for all receivers.
    """

    __slots__ = ("details", "frames", "is_end_mark", "payload", "publication", "subscription", "topic")

    def __init__(
        self,
        subscription: int,
        publication: int,
        topic: str,
        details: dict[str, Any],
        payload: Payload,
        is_end_mark: bool = False,
    ) -> None:
        self.subscription = subscription
        self.publication = publication
        self.topic = topic
        self.details = details
        self.payload = payload
        self.is_end_mark = is_end_mark
        self.frames: dict[Any, bytes] = {}

    def telling(self, details: dict[str, Any]) -> Broadcast:
        """The same event, for one listener that is told more about it."""
        told = {**self.details, **details}
        return Broadcast(
            self.subscription, self.publication, self.topic, told, self.payload, self.is_end_mark
        )


class Publication:
    """What became of a publish: its id, and how many sessions listened to the topic.

    ``epoch`` and ``seq``: where the event is among those of its topic; "" and 0 where nobody counts them.
    """

    __slots__ = ("epoch", "id", "readers", "seq")

    def __init__(self, id: int, readers: int) -> None:
        self.id = id
        self.readers = readers
        self.epoch = ""
        self.seq = 0
