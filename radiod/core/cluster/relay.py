"""Events of one realm between its nodes: out to whoever listens, and in to those who listen here.

An event goes on its topic's subject, once, whoever listens. It comes once for each of our listenings that it
falls under; copies are dropped. What was lost before it is told to those who listened meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final

from radiod.core.cluster.cluster import Cluster
from radiod.core.cluster.envelope import Ask, Baseline, Crossing, decode, encode
from radiod.core.cluster.gaps import MAX_TOPICS, Counts, Senders
from radiod.core.cluster.interest import EVERYTHING, Barrier, Interest
from radiod.core.cluster.retaining import RetainedRecords
from radiod.core.cluster.subjects import escape, of_topic
from radiod.core.timers import Clock, Timers
from radiod.core.uris import is_reserved, selects
from radiod.wire.codecs import Payload
from radiod.wire.options import MatchPolicy, PublishOptions

__all__ = ["Relay"]

BASELINE: Final = 1000
"""Topics in one part of an answer: 300 bytes each at most."""


class Relay:
    """The way of one realm's events to other nodes, and from them.

    ``take``: gives an event of another node to those who listen here; ``lose``: tells them of so many that
    were lost on a topic; ``unsent``: events that could not be sent, or had no room; ``lost``: those that did
    not arrive, as far as is known.
    """

    def __init__(
        self,
        realm: str,
        cluster: Cluster,
        clock: Clock,
        timers: Timers,
        take: Callable[[Crossing], None],
        lose: Callable[[str, int], None],
        records: RetainedRecords,
        max_topics: int = MAX_TOPICS,
    ) -> None:
        self._records = records
        self._take = take
        self._lose = lose
        self._bus = cluster.events
        self._peers = cluster.nodes
        self._clock = clock
        self._since = clock.seconds()
        # Through all of our incarnations.
        self._origin = cluster.nodes.me
        base = f"{cluster.settings.prefix}.event.{escape(realm)}"
        self._topics = f"{base}.topic"
        self._questions = f"{base}.question"
        self._answers = f"{base}.answer"
        self._counts = Counts(max_topics)
        self._senders = Senders(max_topics)
        self.unsent = 0
        self.lost = 0
        self.interest = Interest(self._topics, self._bus, self._peers, clock, timers, self._ask)
        cluster.way.take(base, self._came)
        self._bus.listen(self._questions)
        self._bus.listen(f"{self._answers}.{self._origin}")
        cluster.nodes.watch(self.interest)

    # --- out

    def send(
        self,
        topic: str,
        publication: int,
        payload: Payload,
        details: dict[str, Any],
        options: PublishOptions | None,
        *,
        is_end_mark: bool = False,
    ) -> Crossing:
        """Send one event to all nodes that listen. It is counted, whether it can be sent or not."""
        counted = self._counts.next(topic)
        crossing = Crossing(
            self._origin,
            self._counts.number,
            counted.epoch,
            counted.count,
            topic,
            publication,
            payload.codec.name,
            payload.args,
            payload.kwargs,
            details or None,
            options,
            is_end_mark,
        )
        if not self._bus.send(of_topic(self._topics, topic), encode(crossing)):
            self.unsent += 1
        return crossing

    # --- in

    def _came(self, subject: str, reply: str, data: bytes) -> None:
        what = decode(data)
        if isinstance(what, Crossing):
            self._arrive(what)
        elif isinstance(what, Ask):
            if self._peers.me in what.whom:
                self._answer(what)
        elif what is not None:
            self._begin(what)
        else:
            self._peers.note_malformed("events")

    def _arrive(self, crossing: Crossing) -> None:
        origin, topic = crossing.origin, crossing.topic
        if origin == self._origin:
            # A server that stood still passes on what we had sent when we left it, to where we are now.
            return
        sender = self._senders.of(origin)
        if sender.is_copy(crossing.number):
            return
        begun: int | None = None
        if not sender.knows(topic):
            if not self.interest.is_wanted(topic):
                return
            begun = self.interest.begun(topic, origin)
        self._tell(topic, sender.arrive(topic, crossing.epoch, crossing.count, begun))
        self._take(crossing)

    def _tell(self, topic: str, lost: int) -> None:
        if lost:
            self.lost += lost
            self._lose(topic, lost)

    # --- what listenings are agreed by

    def _ask(self, barrier: Barrier) -> None:
        ask = Ask(self._origin, barrier.id, barrier.wanted, list(barrier.whom))
        self._bus.send(self._questions, encode(ask))

    def _answer(self, ask: Ask) -> None:
        """Say how far we have counted what is wanted: behind all that we have sent before."""
        found = self._counted(ask.wanted)
        is_last = False
        while not is_last:
            topics = list(islice(found, BASELINE))
            is_last = len(topics) < BASELINE
            self._bus.send(f"{self._answers}.{ask.origin}", encode(self._baseline(ask, topics, is_last)))

    def _baseline(self, ask: Ask, topics: list[str], is_last: bool) -> Baseline:
        counts: dict[str, tuple[int, int]] = {}
        for topic in topics:
            counted = self._counts.get(topic)
            assert counted is not None, "only what is counted was looked for"
            counts[topic] = counted.epoch, counted.count
        number = self._counts.number
        wanted = ask.wanted if is_last else []
        retained = self._records.pending(wanted)
        age = self._clock.seconds() - self._since
        me = self._peers.me
        return Baseline(self._origin, me, ask.id, number, wanted, counts, is_last, age, retained)

    def _counted(self, wanted: list[tuple[MatchPolicy, str]]) -> Iterator[str]:
        """The topics among those that we have counted."""
        if wanted == EVERYTHING:
            return iter(list(self._counts.topics()))
        found: dict[str, None] = {}
        patterns = [(match, topic) for match, topic in wanted if match != "exact"]
        for match, topic in wanted:
            if match == "exact" and self._counts.get(topic) is not None:
                found[topic] = None
        if patterns:
            for topic in self._counts.topics():
                if any(_takes(match, pattern, topic) for match, pattern in patterns):
                    found[topic] = None
        return iter(found)

    def _begin(self, baseline: Baseline) -> None:
        """What a sender had counted when it answered has arrived by now, or is lost."""
        sender = self._senders.of(baseline.origin)
        sender.is_copy(baseline.number)
        # It may have been there for some time without being able to say so.
        if not sender.is_met and self.interest.meet(baseline.id, baseline.origin, baseline.age):
            for topic, (epoch, missing) in sender.meet(baseline.number).items():
                if sender.is_whole(epoch, self.interest.begun(topic, baseline.origin)):
                    self._tell(topic, missing)
        for topic, (epoch, count) in baseline.counts.items():
            if self.interest.is_wanted(topic):
                begun = self.interest.begun(topic, baseline.origin)
                self._tell(topic, sender.begin(topic, epoch, count, begun))
        for data in baseline.retained:
            crossing = decode(data)
            if isinstance(crossing, Crossing):
                self._records.take(crossing)
                self._records.saw(crossing.topic)
        if baseline.is_last:
            self.interest.answered(
                baseline.id, baseline.node, baseline.origin, baseline.number, baseline.wanted
            )


def _takes(match: MatchPolicy, pattern: str, topic: str) -> bool:
    return selects(match, pattern, topic) and (is_reserved(pattern) or not is_reserved(topic))
