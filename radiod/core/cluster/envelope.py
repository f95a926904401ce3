"""What crosses the bus for events, as arrays in MessagePack: events, and what listenings are agreed by."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

from radiod.core.cluster.encoding import decode as read
from radiod.core.disclosure import NO_DETAILS
from radiod.core.pubsub.announcer import EVERYBODY
from radiod.wire.codecs import CODECS, CodecName, Payload
from radiod.wire.options import MatchPolicy, PublishOptions

__all__ = ["Ask", "Baseline", "Crossing", "decode", "encode"]


class Crossing(Struct, array_like=True, tag="e", frozen=True):
    """One event on its way to other nodes.

    ``origin``: the process that sends it, through all of its incarnations; ``number``: of all that it has
    sent in this realm, so that copies are told apart; ``epoch``, ``count``: which of the events of its topic
    that it has sent it is, counted from 1 in each epoch; ``options``: what narrows it, None:
    nothing.
    """

    origin: int
    number: int
    epoch: int
    count: int
    topic: str
    publication: int
    codec: CodecName
    args: bytes
    kwargs: bytes
    details: dict[str, Any] | None = None
    options: PublishOptions | None = None
    is_end_mark: bool = False

    def payload(self) -> Payload:
        """Args and kwargs as they came to the router."""
        return Payload(CODECS[self.codec], self.args, self.kwargs)

    def told(self) -> dict[str, Any]:
        """What every receiver learns."""
        return NO_DETAILS if self.details is None else self.details

    def narrowed(self) -> PublishOptions:
        """For whom it is."""
        return EVERYBODY if self.options is None else self.options


class Ask(Struct, array_like=True, tag="a", frozen=True):
    """Whoever gets this knows, or its server does, what its sender listens to, and is to say so.

    ``origin``: who asks; ``id``: which of its questions; ``wanted``: what it listens to anew: policy and
    topic; ``whom``: incarnations that are asked.
    """

    origin: int
    id: int
    wanted: list[tuple[MatchPolicy, str]]
    whom: list[int]


class Baseline(Struct, array_like=True, tag="b", frozen=True):
    """How far a sender had counted when it answered: what it sends later reaches who asked.

    ``node``: its incarnation; ``id``: of the question; ``wanted``: as there; ``counts``: topic -> epoch and
    count, of all that it has sent and that are wanted; they may come in several parts; ``age``: for how many
    seconds it has been counting; ``retained``: events that are wanted, and about to be stored.
    """

    origin: int
    node: int
    id: int
    number: int
    wanted: list[tuple[MatchPolicy, str]]
    counts: dict[str, tuple[int, int]]
    is_last: bool
    age: float = 0.0
    retained: list[bytes] = []


DECODER: Final[msgspec.msgpack.Decoder[Crossing | Ask | Baseline]] = msgspec.msgpack.Decoder(
    Crossing | Ask | Baseline
)
ENCODER: Final = msgspec.msgpack.Encoder()


def encode(crossing: Crossing | Ask | Baseline) -> bytes:
    """As it goes over the bus."""
    return ENCODER.encode(crossing)


def decode(data: bytes) -> Crossing | Ask | Baseline | None:
    """As it was sent; None: it was not sent by a node of this version."""
    return read(DECODER, data)
