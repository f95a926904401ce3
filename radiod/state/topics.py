"""What a realm's topics have counted and kept, as sections of a state; events are read when somebody asks."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from radiod.core.history.blocks import MOST, Block, Undecoded, write_block
from radiod.core.history.bounds import NOTHING
from radiod.core.history.histories import Histories
from radiod.core.history.positions import Position
from radiod.core.history.topic_history import History
from radiod.state.format import Section
from radiod.state.sections import sections

__all__ = ["PAST", "TOPIC", "Topic", "TopicState", "restore_topics", "topic_sections"]

TOPIC = b"topc"
PAST = b"past"


class Topic(Struct, frozen=True, kw_only=True):
    """One that was tracked. ``is_counted``: nothing was kept of it."""

    name: str
    epoch: str
    seq: int
    unheld: int
    is_counted: bool = False


class TopicState:
    """What was read of one topic."""

    __slots__ = ("blocks", "topic")

    def __init__(self, topic: Topic) -> None:
        self.topic = topic
        self.blocks: list[Block] = []

    def check(self) -> None:
        """Raises: ValueError: it contradicts itself."""
        topic = self.topic
        Undecoded(topic.name, topic.epoch, self.blocks, 0.0)
        last = self.blocks[-1].seqs[-1] if self.blocks else topic.unheld
        if not 0 <= topic.unheld <= last <= topic.seq:
            raise ValueError("numbers of a topic")


def topic_sections(histories: Histories, now: float) -> Iterator[Section]:
    """The topics of one space. ``now``: monotonic seconds."""
    for history in list(histories):
        histories.expire(history)
        heads = list(sections(TOPIC, [_topic(history)]))
        if not heads or (history.keep.is_durable and history.seq):
            # The store has it.
            continue
        yield from heads
        records = history.written()
        for begin in range(0, len(records), MOST):
            yield Section(PAST, write_block(records[begin : begin + MOST], now))


def _topic(history: History) -> Topic:
    return Topic(
        name=history.topic,
        epoch=history.epoch,
        seq=history.seq,
        unheld=history.unheld,
        is_counted=history.keep is NOTHING,
    )


def restore_topics(histories: Histories, topics: list[TopicState], then: float, next_order: int) -> None:
    """Have them go on. ``then``: monotonic seconds, of this process, of when the state was written."""
    for one in topics:
        topic = one.topic
        past = Undecoded(topic.name, topic.epoch, one.blocks, then)
        at = Position(topic.epoch, topic.seq)
        histories.resume(topic.name, at, topic.unheld, past, is_counted=topic.is_counted)
    histories.settled(next_order)
