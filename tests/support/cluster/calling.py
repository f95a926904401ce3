"""Several nodes with sessions that call and are called, over the fake engine."""

from radiod.core.limits import Limits
from radiod.testing import Peer
from support.cluster.world import ClusterWorld, Node

__all__ = ["CallNode", "CallWorld"]

CALLEE = (
    "callee.call_canceling callee.progressive_call_results callee.progressive_call_invocations "
    "callee.call_timeout callee.call_reroute callee.payload_passthru_mode "
    "caller.payload_passthru_mode caller.progressive_call_invocations publisher.payload_passthru_mode"
)
"""All that a session may announce."""


class CallNode(Node):
    """One node. ``nodes``: how it sees the others; ``port``: its way to them."""

    @property
    def nodes(self):
        return self.cluster.nodes

    @property
    def port(self):
        return self.world.engine.ports[self.name]

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


class CallWorld(ClusterWorld):
    """Nodes ``a``, ``b``, ``c``."""

    def __init__(self, count=3, *, limits=None, **settings):
        super().__init__(*"abcdefgh"[:count], options={"limits": limits or Limits()}, **settings)
        self.wait(2)

    def start(self, name):
        node = self.nodes[name] = CallNode(self, name, **self.options)
        return node

    def wait(self, seconds):
        self.advance(seconds)

    def cut_off(self, name):
        self.isolate(name)
