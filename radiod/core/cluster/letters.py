"""What the nodes of a cluster write to each other, as arrays in MessagePack, each with its tag.

``Beat``, ``Bye`` and ``Buried`` say who is there, and are counted nowhere. All others are numbered for each
pair of nodes, so that whoever has them knows whether one is missing before.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from radiod.core.cluster.encoding import decode as read

__all__ = [
    "PROTOCOL",
    "Answer",
    "Beat",
    "Buried",
    "Bye",
    "Failed",
    "Letter",
    "Missed",
    "Told",
    "decode",
    "encode",
]

PROTOCOL: Final = 1
"""Version of what nodes say to each other: those of another are not let in."""


class Beat(Struct, array_like=True, tag="beat", frozen=True):
    """A node is there. The first four are the same in all versions of the protocol.

    ``formerly``: the incarnation that it had before, 0: none; ``digest``: of its configuration; ``told``:
    incarnation of each node that it knows -> number of the last letter that it has written to it.
    """

    node: int
    name: str
    version: int
    formerly: int
    digest: str
    told: dict[int, int]


class Bye(Struct, array_like=True, tag="bye", frozen=True):
    """A node goes."""

    node: int


class Buried(Struct, array_like=True, tag="buried", frozen=True):
    """To a node that was taken for dead: it must come back as a new one.

    ``node``: who says so; ``others``: how many others this one sees.
    """

    node: int
    others: int


class Told(Struct, array_like=True, tag="told", frozen=True):
    """Something for one part of the other node.

    ``question``: 0: no answer is wanted; ``is_kept``: none but the news that it was taken in, and it is
    written again, with another number, if it may have been lost.
    """

    node: int
    number: int
    about: str
    data: bytes
    question: int = 0
    is_kept: bool = False


class Answer(Struct, array_like=True, tag="answer", frozen=True):
    """The answer to a question."""

    node: int
    number: int
    question: int
    data: bytes


class Failed(Struct, array_like=True, tag="failed", frozen=True):
    """A question was refused."""

    node: int
    number: int
    question: int
    uri: str
    text: str


class Missed(Struct, array_like=True, tag="missed", frozen=True):
    """Letters of these numbers did not come."""

    node: int
    number: int
    first: int
    last: int


Letter = Beat | Bye | Buried | Told | Answer | Failed | Missed

DECODER: Final[msgspec.msgpack.Decoder[Letter]] = msgspec.msgpack.Decoder(Letter)
ENCODER: Final = msgspec.msgpack.Encoder()


def encode(letter: Letter) -> bytes:
    """As it goes over the bus."""
    return ENCODER.encode(letter)


def decode(data: bytes) -> Letter | None:
    """As it was written; None: it is no letter, or one of a later version."""
    return read(DECODER, data)
