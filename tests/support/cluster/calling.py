"""Several nodes with a realm each, and sessions on them that call and are called, over the fake engine."""

from random import Random

from radiod.core.cluster.cluster import Cluster
from radiod.core.cluster.nodes import NodeSettings
from radiod.core.cluster.realm import ClusterRealm
from radiod.core.limits import Limits
from radiod.testing import FakeClock, Peer, RecordingOutbox
from support.cluster.engine import FakeEngine
from support.cluster.nodes import DrawnIds

__all__ = ["CallNode", "CallWorld"]

CALLEE = (
    "callee.call_canceling callee.progressive_call_results callee.progressive_call_invocations "
    "callee.call_timeout callee.call_reroute callee.payload_passthru_mode "
    "caller.payload_passthru_mode caller.progressive_call_invocations publisher.payload_passthru_mode"
)
"""All that a session may announce."""


class CallNode:
    """One node: the user of its connection to the engine, its realm, and its outbox."""

    def __init__(self, world, name, limits, **settings):
        self.world = world
        self.name = name
        self.lines = []
        ids = DrawnIds(world.chance)
        clock = world.clock
        self.cluster = Cluster(
            NodeSettings("r", name, **settings), clock, clock.timers, ids, self.lines.append
        )
        self.nodes = self.cluster.nodes
        self.outbox = RecordingOutbox()
        self.port = world.engine.attach(name, self)
        self.cluster.attach(self.port, self.port)
        self.realm = ClusterRealm(
            "radio",
            cluster=self.cluster,
            outbox=self.outbox,
            clock=clock,
            timers=clock.timers,
            ids=ids,
            limits=limits,
        )
        self.cluster.start(self.port)

    # --- what the engine calls

    def came(self, subject, reply, data):
        if subject.startswith(("r.node", "r.found")):
            self.nodes.came(subject, reply, data)
        else:
            self.cluster.way.came(subject, reply, data)

    def unreachable(self, reply):
        self.nodes.unreachable(reply)

    def up(self):
        self.nodes.up()
        self.cluster.way.up()

    def down(self):
        self.nodes.down()
        self.cluster.way.down()

    def stored(self, record):
        self.cluster.records.stored(record)

    # --- what a test does

    def join(self, authid="somebody", features=CALLEE, **kwargs):
        """A session on this node."""
        return Client(self, Peer(self.realm, self.outbox, authid, features=features, **kwargs))

    @property
    def registrations(self):
        """(match, procedure) -> ids of its callees' sessions, in order, as this node knows."""
        return {
            (one.match, one.procedure): (one.invoke, tuple(callee.session.id for callee in one.callees))
            for one in self.realm.dealer.registrations
        }

    def pending(self):
        """Calls that callees have, as this node knows; and those of them that others made."""
        calls = sum(len(calls.answering) for calls in self.realm.dealer._calls.values())
        return calls, self.realm.visits.pending


class Client:
    """A session whose messages are collected in ``inbox``."""

    def __init__(self, node, peer):
        self.node = node
        self.peer = peer
        self.session = peer.session
        self.inbox = []
        self.requests = 0

    @property
    def id(self):
        return self.session.id

    def send(self, *message):
        self.peer.send(*message)

    def take(self):
        """What has come since."""
        return self.peer.received()

    def ask(self, *message, seconds=0.1):
        """Send a message, and return what has come within so many seconds."""
        self.take()
        self.send(*message)
        self.node.world.wait(seconds)
        return self.take()

    def register(self, procedure, seconds=0.1, **options):
        """The id of a registration; or the URI of the error."""
        self.requests += 1
        answers = self.ask(64, self.requests, options, procedure, seconds=seconds)
        assert len(answers) == 1, answers
        assert answers[0][0] in (65, 8), answers
        return answers[0][2] if answers[0][0] == 65 else answers[0][4]

    def call(self, procedure, *args, **options):
        """Send a CALL; returns its request id."""
        self.requests += 1
        self.send(48, self.requests, options, procedure, list(args))
        return self.requests


class CallWorld:
    """Nodes ``a``, ``b``, ``c``."""

    def __init__(self, count=3, *, seed=0, mishaps=0.0, limits=None, **settings):
        self.clock = FakeClock()
        self.chance = Random(seed)
        self.engine = FakeEngine(self.clock, self.chance, mishaps=mishaps)
        self.limits = limits or Limits()
        self.settings = settings
        self.nodes = {}
        for name in "abcdefgh"[:count]:
            self.start(name)
        self.wait(3)

    def start(self, name):
        self.nodes[name] = CallNode(self, name, self.limits, **self.settings)
        return self.nodes[name]

    def __getitem__(self, name):
        return self.nodes[name]

    def wait(self, seconds):
        self.clock.advance(seconds)

    def kill(self, name):
        """As by kill -9: nothing of it happens any more."""
        node = self.nodes.pop(name)
        self.engine.kill(name)
        node.nodes._next_beat.cancel()
        node.nodes.post.bus = None
        node.realm._is_dead = True
        return node

    def cut_off(self, name):
        for other in self.nodes:
            if other != name:
                self.engine.cut(name, other)
