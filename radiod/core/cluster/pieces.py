"""Answers of nodes that are longer than one letter should be: cut where they are given, joined where asked.

Whoever is asked keeps what has not been asked for yet, for a while, and not too much of it; whoever asks has
a time and a length beyond which an answer is none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from radiod.core.cluster.census_letters import (
    Finding,
    More,
    Piece,
    read_finding,
    read_piece,
    write_finding,
    write_piece,
    write_question,
)
from radiod.core.cluster.peers import Peers
from radiod.core.ids import Counter
from radiod.core.timers import Clock, Timers
from radiod.errors import QUOTA, RadiodError

__all__ = ["ANSWER_S", "MOST_BYTES", "PIECE_BYTES", "WHOLE_S", "Kept", "Whole"]

ANSWER_S: Final = 2.0
"""How long a node may take for a piece of its answer."""

WHOLE_S: Final = 10.0
"""And for all of it, behind the first piece."""

PIECE_BYTES: Final = 32 << 10
"""Of an answer in one letter."""

MOST_BYTES: Final = 8 << 20
"""Of one answer; a longer one is refused where it would be given."""

MOST_KEPT: Final = 4 * MOST_BYTES
"""Of all answers that wait to be asked for; the oldest make room."""


class Kept:
    """The answers of one node that others have not all of. ``len``: how many."""

    def __init__(self, clock: Clock, timers: Timers) -> None:
        self._clock = clock
        self._timers = timers
        self._numbers = Counter()
        # number -> whose it is to be, and all of it; oldest first
        self._kept: dict[int, tuple[int, bytes]] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def begin(self, node: int, finding: Finding) -> bytes:
        """The first piece of an answer to a node."""
        data = write_finding(finding)
        if len(data) <= PIECE_BYTES:
            return write_piece(Piece(0, len(data), data))
        if len(data) > MOST_BYTES:
            text = f"the answer has more than {MOST_BYTES} bytes"
            data = write_finding(Finding(None, QUOTA, text))
            return write_piece(Piece(0, len(data), data))
        number = self._numbers.next()
        self._kept[number] = node, data
        self._bytes += len(data)
        while self._bytes > MOST_KEPT:
            self._drop(next(iter(self._kept)))
        self._timers.at(self._clock.seconds() + WHOLE_S + ANSWER_S, lambda: self._drop(number))
        return write_piece(Piece(number, len(data), data[:PIECE_BYTES]))

    def more(self, node: int, question: More) -> bytes | None:
        """A further piece; None: there is none."""
        kept = self._kept.get(question.number)
        if kept is None or kept[0] != node or not 0 <= question.at < len(kept[1]):
            return None
        data = kept[1][question.at : question.at + PIECE_BYTES]
        if question.at + len(data) == len(kept[1]):
            self._drop(question.number)
        return write_piece(Piece(question.number, len(kept[1]), data))

    def _drop(self, number: int) -> None:
        kept = self._kept.pop(number, None)
        if kept is not None:
            self._bytes -= len(kept[1])


class Whole:
    """One answer of one node on its way.

    Args:
        done: takes the answer; or None: it does not come, is too long, or is none.
    """

    def __init__(
        self, about: str, node: int, peers: Peers, clock: Clock, done: Callable[[Finding | None], None]
    ) -> None:
        self._about = about
        self._node = node
        self._peers = peers
        self._clock = clock
        self._done = done
        self._until = clock.seconds() + WHOLE_S
        self._number = 0
        self._parts: list[bytes] = []
        self._size = 0

    def take(self, data: bytes | RadiodError) -> None:
        """A piece has come, or does not."""
        if isinstance(data, RadiodError):
            self._done(None)
            return
        piece = read_piece(data)
        if piece is None or not self._fits(piece):
            # Who has dropped what was asked for answers with nothing.
            if data:
                self._peers.note_malformed(self._about, self._node)
            self._done(None)
            return
        self._number = piece.number
        self._parts.append(piece.data)
        self._size += len(piece.data)
        if self._size == piece.size:
            finding = read_finding(b"".join(self._parts))
            if finding is None:
                self._peers.note_malformed(self._about, self._node)
            self._done(finding)
        elif self._clock.seconds() >= self._until:
            self._done(None)
        else:
            question = write_question(More(piece.number, self._size))
            self._peers.ask(self._node, self._about, question, ANSWER_S).then(self.take)

    def _fits(self, piece: Piece) -> bool:
        """Whether it goes on where the last one ended."""
        size = self._size + len(piece.data)
        is_same = not self._parts or piece.number == self._number
        return is_same and bool(piece.data) and size <= piece.size <= MOST_BYTES
