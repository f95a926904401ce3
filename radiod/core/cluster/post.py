"""Letters between one node and each of the others: numbered, so that none is missing without being noticed.

What is told to all, and must have been taken in, is written again when it may have been lost, and taken in
once. Everything else is written once.
"""

from __future__ import annotations

from collections.abc import Callable

from radiod.core.cluster.letters import Answer, Failed, Letter, Missed, Told, encode
from radiod.core.cluster.membership import Membership, OtherNode
from radiod.core.cluster.peers import Handler
from radiod.core.cluster.ports import Bus
from radiod.core.cluster.questions import Question, Questions
from radiod.core.promises import Promise
from radiod.core.timers import Clock, Timers
from radiod.errors import NETWORK_FAILURE, PeerError, RadiodError, Refused

__all__ = ["Post"]


class Post:
    """What one node writes, and is written.

    ``me``: its incarnation; ``bus``: None before it starts, and once it has stopped; ``lost``: letters that
    did not come, of all nodes; ``on_gap``: called with a node some of whose letters did not come;
    ``note_malformed``: as ``Peers.note_malformed``.
    """

    def __init__(
        self,
        prefix: str,
        me: int,
        members: Membership,
        clock: Clock,
        timers: Timers,
        on_gap: Callable[[int], None],
        note_malformed: Callable[[str, int], None],
    ) -> None:
        self._prefix = prefix
        self._members = members
        self._clock = clock
        self._timers = timers
        self._on_gap = on_gap
        self._note_malformed = note_malformed
        self.me = me
        self.bus: Bus | None = None
        self.lost = 0
        self.questions = Questions()
        self._handlers: dict[str, Handler] = {}

    # --- what nobody counts

    def subject(self, node: int) -> str:
        """Where a node is written to."""
        return f"{self._prefix}.node.{node}"

    def listen(self) -> None:
        """Have what is written to us, and what nobody is found for."""
        if self.bus is not None:
            self.bus.listen(self.subject(self.me))
            self.bus.listen(f"{self._prefix}.found.{self.me}.*")

    def unlisten(self) -> None:
        """We are to be another node."""
        if self.bus is not None:
            self.bus.unlisten(self.subject(self.me))
            self.bus.unlisten(f"{self._prefix}.found.{self.me}.*")

    def send(self, node: int, letter: Letter) -> None:
        """Send to one node, uncounted."""
        if self.bus is not None:
            self.bus.send(self.subject(node), encode(letter))

    def look_for(self, node: int, letter: Letter) -> None:
        """As ``send``, and have the engine say if nobody is there."""
        if self.bus is not None:
            self.bus.send(self.subject(node), encode(letter), f"{self._prefix}.found.{self.me}.{node}")

    def spread(self, letter: Letter) -> None:
        """Send to all, uncounted."""
        if self.bus is not None:
            self.bus.send(f"{self._prefix}.nodes", encode(letter))

    # --- writing

    def take(self, about: str, handler: Handler) -> None:
        """As ``Peers.take``."""
        self._handlers[about] = handler

    def tell(self, node: int, about: str, data: bytes) -> bool:
        """As ``Peers.tell``."""
        other, me = self._members.find(node), self.me
        return other is not None and self._write(other, lambda number: Told(me, number, about, data))

    def ask(
        self,
        node: int,
        about: str,
        data: bytes,
        seconds: float,
        answered: Callable[[bytes | RadiodError], object],
    ) -> None:
        """Ask one node, once: ``answered`` is called with its answer, or why there is none."""
        question = self.questions.begin(node, about, data, answered, is_kept=False)
        if question is None:
            return
        if not self.put(question):
            self._fail(question, f"node {self._members.name(node)} cannot be reached")
            return
        late = f"node {self._members.name(node)} did not answer in {seconds:g} s"
        question.deadline = self._timers.at(
            self._clock.seconds() + seconds, lambda: self._fail(question, late)
        )

    def tell_surely(self, node: int, about: str, data: bytes, taken_in: Callable[[int], None]) -> None:
        """Have a node take something in; ``taken_in`` is called when it has, or is dead."""
        question = self.questions.begin(node, about, data, lambda outcome: taken_in(node), is_kept=True)
        if question is not None:
            self.put(question)

    def put(self, question: Question) -> bool:
        """Write a question, perhaps again. Returns: whether it is on its way."""
        other = self._members.find(question.node)
        id, about, data, is_kept = question.id, question.about, question.data, question.is_kept
        if other is None or not self._write(
            other, lambda number: Told(self.me, number, about, data, id, is_kept)
        ):
            question.number = 0
            return False
        question.number = other.told
        return True

    def _fail(self, question: Question, reason: str) -> None:
        self.questions.settle(question.id, question.node, Refused(NETWORK_FAILURE, reason))

    # --- reading

    def _write(self, other: OtherNode, make: Callable[[int], Letter], *, is_owed: bool = False) -> bool:
        """Write the next letter to a node. Returns: whether it is on its way.

        ``is_owed``: the other waits for it, and is to notice that one is missing.
        """
        other.told += 1
        if self.bus is not None and self.bus.send(self.subject(other.incarnation), encode(make(other.told))):
            return True
        if not is_owed:
            other.told -= 1
        return False

    def receive(self, other: OtherNode, letter: Told | Answer | Failed | Missed) -> None:
        """A letter of a node that was let in."""
        if letter.number <= other.had:
            return
        if letter.number > other.had + 1:
            self.miss(other, letter.number - 1)
        other.had = letter.number
        if isinstance(letter, Told):
            self._take_told(other, letter)
        elif isinstance(letter, Answer):
            self.questions.settle(letter.question, letter.node, letter.data)
        elif isinstance(letter, Failed):
            self.questions.settle(letter.question, letter.node, Refused(letter.uri, letter.text))
        else:
            self._take_missed(letter)

    def miss(self, other: OtherNode, last: int) -> None:
        """Letters did not come, up to this number."""
        first, other.had = other.had + 1, last
        self.lost += last - first + 1
        self._on_gap(other.incarnation)
        self._write(other, lambda number: Missed(self.me, number, first, last), is_owed=True)
        # Answers may have been among them.
        for question in self.questions.of(other.incarnation):
            if question.is_kept:
                self.put(question)

    def _take_missed(self, letter: Missed) -> None:
        for question in self.questions.of(letter.node):
            if letter.first <= question.number <= letter.last:
                if question.is_kept:
                    self.put(question)
                else:
                    self._fail(question, f"the way to node {self._members.name(letter.node)} broke")

    def _take_told(self, other: OtherNode, letter: Told) -> None:
        id, is_kept = letter.question, letter.is_kept
        if is_kept and id in other.kept:
            if other.kept[id]:
                self._answer(other, id, is_kept, b"")
            return
        if is_kept:
            other.note_kept(id, False)
        handler = self._handlers.get(letter.about)
        try:
            outcome = None if handler is None else handler(letter.node, letter.data)
        except RadiodError as error:
            if isinstance(error, PeerError):
                self._note_malformed(letter.about, letter.node)
            self._answer(other, id, is_kept, error)
            return
        if isinstance(outcome, Promise):
            outcome.then(lambda late: self._answer(other, id, is_kept, late))
        else:
            self._answer(other, id, is_kept, outcome or b"")

    def _answer(self, other: OtherNode, id: int, is_kept: bool, outcome: bytes | RadiodError) -> None:
        if not id or self._members.known.get(other.incarnation) is not other:
            return
        if is_kept:
            other.note_kept(id, True)
            outcome = b""
        if isinstance(outcome, RadiodError):
            uri, text = outcome.uri, outcome.text
            self._write(other, lambda number: Failed(self.me, number, id, uri, text), is_owed=True)
        else:
            data = outcome
            self._write(other, lambda number: Answer(self.me, number, id, data), is_owed=True)
