"""What one node has asked the others, and what they have not answered yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from radiod.core.ids import Counter
from radiod.core.timers import Deadline
from radiod.errors import NETWORK_FAILURE, RadiodError, Refused

__all__ = ["MAX_OPEN", "Question", "Questions"]

MAX_OPEN: Final = 10_000
"""Questions without an answer, to all nodes together."""


class Question:
    """One question to one node.

    ``number``: of the letter that it was last written in; 0: it could not be sent yet; ``is_kept``: it is
    asked until it is answered, or the node is dead.
    """

    __slots__ = ("about", "answered", "data", "deadline", "id", "is_kept", "node", "number")

    def __init__(
        self,
        id: int,
        node: int,
        about: str,
        data: bytes,
        answered: Callable[[bytes | RadiodError], object],
        is_kept: bool,
    ) -> None:
        self.id = id
        self.node = node
        self.about = about
        self.data = data
        self.answered = answered
        self.is_kept = is_kept
        self.number = 0
        self.deadline: Deadline | None = None


class Questions:
    """Those of one node that wait for an answer, at most ``MAX_OPEN``."""

    def __init__(self) -> None:
        self._ids = Counter()
        self._open: dict[int, Question] = {}

    def __len__(self) -> int:
        return len(self._open)

    def has_room(self, count: int) -> bool:
        """Whether so many more may be asked."""
        return len(self._open) + count <= MAX_OPEN

    def begin(
        self,
        node: int,
        about: str,
        data: bytes,
        answered: Callable[[bytes | RadiodError], object],
        *,
        is_kept: bool,
    ) -> Question | None:
        """One more; None: there are too many, and it is refused."""
        if not self.has_room(1):
            answered(Refused(NETWORK_FAILURE, "too many questions to other nodes wait for an answer"))
            return None
        question = Question(self._ids.next(), node, about, data, answered, is_kept)
        self._open[question.id] = question
        return question

    def settle(self, id: int, node: int, outcome: bytes | RadiodError) -> None:
        """An answer of a node came; late ones, and those of others, are dropped."""
        question = self._open.get(id)
        if question is None or question.node != node:
            return
        del self._open[id]
        if question.deadline is not None:
            question.deadline.cancel()
        question.answered(outcome)

    def of(self, node: int) -> list[Question]:
        """All to one node, oldest first."""
        return [question for question in self._open.values() if question.node == node]

    def end(self, node: int, reason: str) -> None:
        """No answers of a node come any more."""
        for question in self.of(node):
            self.settle(question.id, node, Refused(NETWORK_FAILURE, reason))

    def unsent(self) -> list[Question]:
        """All that could not be sent yet."""
        return [question for question in self._open.values() if not question.number]
