"""What is told of channels, of all nodes: who writes, how many events there were, and how far the log goes.

Nobody mirrors that. Who is about to describe some channels asks the other nodes, and the logs that this node
has not read, and waits a moment; what was found is good for a second.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from radiod.core.arguments import REQUIRED, a_list, text
from radiod.core.channels.channel import Channel
from radiod.core.channels.descriptions import Descriptions
from radiod.core.cluster.census import Census, Found
from radiod.core.cluster.logs import PUBLIC, Logs
from radiod.core.cluster.places import Places
from radiod.core.cluster.shared_channels import SharedChannels
from radiod.core.cluster.space_logs import SpaceLogs
from radiod.core.history.positions import Position
from radiod.core.history.topic_history import History
from radiod.core.promises import Promise, gather, when
from radiod.core.pubsub.topic_space import TopicRef
from radiod.core.sessions.session import Session
from radiod.core.timers import Clock
from radiod.errors import RadiodError
from radiod.wire.codecs import Payload

__all__ = ["FRESH_S", "MAX_FACTS", "SharedDescriptions"]

FRESH_S: Final = 1.0
"""For how long what was found is told without asking again."""

MAX_FACTS: Final = 10_000
"""Places of which is kept what was found; the one asked for longest ago goes first."""

IN_A_LETTER: Final = 200
"""Places in one question."""

TALLIES: Final = "tallies"


class Elsewhere(NamedTuple):
    """What other nodes have of a place. ``asked``: when; ``position``: of the log, None: it is read here."""

    asked: float
    writers: int = 0
    events: int = 0
    position: Position | None = None


class SharedDescriptions(Descriptions):
    """As ``Descriptions``, of all nodes. ``attach`` comes before the first description."""

    def attach(
        self, census: Census, places: Places, logs: Logs, clock: Clock, channels: SharedChannels
    ) -> None:
        """Have the other nodes."""
        self._census = census
        self._places = places
        self._logs = logs
        self._clock = clock
        self._shared = channels
        self._facts: dict[str, Elsewhere] = {}
        census.offer({TALLIES: ({"places": REQUIRED}, self._tallies)})

    # --- telling others

    def _tallies(self, caller: Session, *, places: Any) -> Payload:
        """→ ``{place: [writers, events]}`` of this node, of those places where there are any."""
        told: dict[str, tuple[int, int]] = {}
        for place in a_list("places", places)[:IN_A_LETTER]:
            topic = self._places.at(text("places", place))
            if topic is not None:
                tally = len(self._writers.of(topic)), self._events(topic)
                if tally != (0, 0):
                    told[place] = tally
        return Payload.of(told)

    def _events(self, topic: TopicRef) -> int:
        """How many events were published on this node."""
        channel = self._shared.of_topic(topic)
        if channel is not None:
            return channel.traffic.events
        if topic.broker.is_private:
            return 0
        history = self._lookup.space_of(None).histories.find(topic.topic)
        return 0 if history is None or history.is_logged else history.seq

    # --- asking others

    def look(self, topics: list[TopicRef]) -> Promise[None] | None:
        """Have what others know of these. Returns: kept when it is told, or takes too long; None: it is."""
        now = self._clock.seconds()
        wanted: list[str] = []
        for topic in topics:
            place = self._places.of(topic.broker, topic.topic)
            fact = None if place is None else self._facts.get(place)
            if place is not None and (fact is None or fact.asked < now - FRESH_S):
                wanted.append(place)
        facts = {place: Elsewhere(now) for place in wanted}
        waits = [
            self._ask(wanted[start : start + IN_A_LETTER], facts)
            for start in range(0, len(wanted), IN_A_LETTER)
        ]
        asked = gather([*waits, *self._ends(wanted, facts)])
        if asked is None:
            return self._begin(topics)
        known: Promise[None] = Promise()

        def keep(_: object) -> None:
            for place, fact in facts.items():
                self._put(place, fact)
            when(self._begin(topics), lambda: known.settle(None))

        asked.then(keep)
        return known

    def _begin(self, topics: list[TopicRef]) -> Promise[None] | None:
        """Whoever asks for one channel goes on behind its position: have one, of the log's epoch."""
        if len(topics) != 1:
            return None
        (topic,) = topics
        place = self._places.of(topic.broker, topic.topic)
        fact = None if place is None else self._facts.get(place)
        space = None if place is None else self._space(place)
        if space is None or fact is None or fact.position is not None:
            return None
        return space.make_ready(topic.topic)

    def _space(self, place: str) -> SpaceLogs | None:
        return self._logs.space(place if place.startswith("#") else PUBLIC)

    def _put(self, place: str, fact: Elsewhere) -> None:
        self._facts.pop(place, None)
        self._facts[place] = fact
        if len(self._facts) > MAX_FACTS:
            del self._facts[next(iter(self._facts))]

    def _ask(self, places: list[str], facts: dict[str, Elsewhere]) -> Promise[None]:
        told: Promise[None] = Promise()

        def came(found: Found[dict[str, tuple[int, int]]] | RadiodError) -> None:
            assert isinstance(found, Found), "who does not answer is named"
            for given in found.values:
                for place, (writers, events) in given.items():
                    fact = facts.get(place)
                    if fact is not None:
                        facts[place] = fact._replace(
                            writers=fact.writers + writers, events=fact.events + events
                        )
            told.settle(None)

        self._census.ask_all(TALLIES, dict[str, tuple[int, int]], places=places).then(came)
        return told

    def _ends(self, places: list[str], facts: dict[str, Elsewhere]) -> list[Promise[None] | None]:
        """Have the ends of those logs that this node has not read."""
        public = [place for place in places if not place.startswith("#")]
        waits = [self._end(PUBLIC, public, facts)]
        for place in places:
            topic = self._places.at(place)
            if place.startswith("#") and topic is not None:
                waits.append(self._end(place, [topic.topic], facts))
        return waits

    def _end(self, at: str, topics: list[str], facts: dict[str, Elsewhere]) -> Promise[None] | None:
        space = self._logs.space(at)
        if space is None:
            return None

        def found(topic: str, position: Position) -> None:
            place = topic if at == PUBLIC else at
            facts[place] = facts[place]._replace(position=position)

        return space.ends(topics, found)

    # --- describing

    def describe(self, channel: Channel) -> dict[str, Any]:
        """As ``Descriptions.describe``."""
        return self._of_all(super().describe(channel), channel.topic)

    def _count(self, history: History) -> dict[str, Any]:
        return self._of_all(super()._count(history), self._lookup.space_of(None).at(history.topic))

    def _of_all(self, told: dict[str, Any], topic: TopicRef) -> dict[str, Any]:
        place = self._places.of(topic.broker, topic.topic)
        fact = None if place is None else self._facts.get(place)
        if place is None or fact is None:
            return told
        told["writers"] += fact.writers
        told["events"] += fact.events
        space = self._space(place)
        if fact.position is not None and space is not None and not space.has_read(topic.topic):
            told["position"] = str(fact.position)
        return told
