"""Realms of several nodes whose topics with a history are logged, over the fake engine."""

from random import Random

from radiod.core.cluster.logs import PUBLIC, Logs
from radiod.core.cluster.shared_histories import SharedHistories
from radiod.core.history.positions import position
from radiod.core.limits import Limits
from radiod.core.promises import chain
from radiod.core.pubsub.topic_space import TopicSpace
from radiod.core.realm.messages import Messages
from radiod.core.realm.realm import Realm
from radiod.errors import STORE_UNAVAILABLE
from radiod.testing import FakeClock, RecordingOutbox
from support.cluster.engine import FakeEngine
from support.cluster.nodes import DrawnIds
from support.realms import Client

__all__ = ["HistoryListener", "HistoryPublisher", "LoggedNode", "LoggedRealm", "LoggedWorld"]


PUBLISH, PUBLISHED, SUBSCRIBE, SUBSCRIBED, EVENT, ERROR = 16, 17, 32, 33, 36, 8


class LoggedMessages(Messages):
    """SUBSCRIBE waits for the past of what is logged."""

    histories = None

    def subscribe(self, session, message, codec, verdict):
        options = message.options
        after = None if options.after is None else position("_radiod_after", options.after)
        later = self.histories.ready(message.topic, options.match, after)
        if later is None:
            return super().subscribe(session, message, codec, verdict)
        return chain(later, lambda _: lambda: self._subscribe(session, message))


class LoggedRealm(Realm):
    """A realm that shares the public topics' logs."""

    def __init__(self, logs, **options):
        self.logs = logs
        super().__init__("radio", **options)

    def make_space(self, *, is_private=False):
        space = super().make_space(is_private=is_private)
        if is_private:
            return space
        limits = self.limits
        histories = SharedHistories(
            self._clock, self._ids, limits.max_channels, limits.max_history_bytes, self.bounds
        )
        shared = TopicSpace(
            space.broker, histories, self._ids, limits, self.statistics, self.tuned, self.recoveries
        )
        self.logs.add_space(PUBLIC, histories, shared.publishing, shared.broker)
        return shared

    def _make_messages(self):
        messages = LoggedMessages(
            publications=self.publications,
            subscribers=self.subscribers,
            subscriptions=self.subscriptions,
            dealer=self.dealer,
            procedures=self.procedures,
            departures=self.departures,
            events=self.events,
            outbox=self._outbox,
            slices=self.slices,
            max_nesting=self.limits.max_nesting,
        )
        messages.histories = self.space.histories
        return messages


class LoggedNode:
    """One node: its realm, and its connection to the engine."""

    def __init__(self, world, name, run, **limits):
        self.outbox = RecordingOutbox()
        ids = DrawnIds(world.chance)
        self.port = world.engine.attach(name, self)
        clock = world.clock
        self.logs = Logs(
            self.port,
            "r.log.radio",
            "r-radio",
            f"{name}-{run}",
            clock,
            clock.timers,
            ids,
            actor=lambda id: self.realm.sessions.get(id),
            note_malformed=lambda: world.malformed.append(name),
        )
        self.realm = LoggedRealm(
            self.logs, outbox=self.outbox, clock=clock, timers=clock.timers, ids=ids, limits=Limits(**limits)
        )

    def up(self):
        self.logs.up()

    def down(self):
        pass

    def stored(self, record):
        self.logs.stored(record)

    def join(self, authid):
        return Client(self.realm, self.outbox, authid)


class LoggedWorld:
    """Nodes by name. ``keep``: pattern -> ``HistoryBounds``, on each of them."""

    def __init__(self, *names, keep, seed=0, mishaps=0.0, **limits):
        self.clock = FakeClock()
        self.chance = Random(seed)
        self.engine = FakeEngine(self.clock, self.chance, mishaps=mishaps)
        self.engine.lagging = 0.7
        self.keep = keep
        self.limits = limits
        self.runs = 0
        # Names of nodes that came upon what is no record.
        self.malformed = []
        self.nodes = {}
        for name in names:
            self.start(name)
        self.clock.advance(0.1)

    def start(self, name):
        """A node comes, or comes back."""
        self.runs += 1
        node = self.nodes[name] = LoggedNode(self, name, self.runs, **self.limits)
        for pattern, bounds in self.keep.items():
            node.realm.space.histories.keep(pattern, bounds)
        return node

    def kill(self, name):
        """As by kill -9: its timers are there still, and do nothing that anybody sees."""
        self.engine.kill(name)
        return self.nodes.pop(name)

    def cut_off(self, name):
        """Nothing passes between one node and all others."""
        for other in self.nodes:
            if other != name:
                self.engine.cut(name, other)


class HistoryListener:
    """A session that listens to one topic, and what came to it."""

    def __init__(self, world, node, topic="a", **options):
        self.world = world
        self.client = world.nodes[node].join("listener")
        self.events, self.details, self.errors = [], [], []
        self.is_subscribed = False
        self.client.request(SUBSCRIBE, options, topic)

    def take(self):
        for message in self.client.received():
            if message[0] == EVENT:
                self.details.append(message[3])
                self.events.append(message[4][0])
            elif message[0] == SUBSCRIBED:
                self.is_subscribed = True
            elif message[0] == ERROR:
                self.errors.append(message[4])
        return self.events

    @property
    def position(self):
        self.take()
        return f"{self.details[-1]['_epoch']}:{self.details[-1]['_seq']}"


class HistoryPublisher:
    """A session that publishes numbered events, and what it was answered."""

    def __init__(self, world, node, topic="a", **options):
        self.client = world.nodes[node].join("publisher")
        self.topic = topic
        self.options = {"acknowledge": True, **options}
        self.count = 0
        self.name = f"{node}-{self.client.id}"
        self.sent = {}
        self.acknowledged, self.refused = [], {}

    def publish(self, count=1):
        for _ in range(count):
            self.count += 1
            event = f"{self.name}:{self.count}"
            self.sent[self.client.request(PUBLISH, self.options, self.topic, [event])] = event

    def take(self):
        for message in self.client.received():
            if message[0] == PUBLISHED:
                self.acknowledged.append(self.sent[message[1]])
            elif message[0] == ERROR:
                assert message[4] == STORE_UNAVAILABLE
                self.refused[self.sent[message[2]]] = message[5][0]
        return self.acknowledged
