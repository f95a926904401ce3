"""Some nodes of a cluster over the fake engine, without realms."""

from random import Random

from radiod.core.cluster.nodes import Nodes, NodeSettings
from radiod.testing import FakeClock
from support.cluster.engine import FakeEngine

__all__ = ["Cluster", "DrawnIds", "Watcher"]


class DrawnIds:
    """Ids and secrets of a seed: those of several nodes differ."""

    def __init__(self, chance):
        self._chance = chance

    def next(self):
        return self._chance.randrange(2**53) + 1

    def secret(self):
        return f"{self._chance.randrange(2**128):032x}"


class Watcher:
    """Notes what a ``PeerWatcher`` is told: (what, name of the node)."""

    def __init__(self, nodes):
        self.nodes = nodes
        self.told = []

    def joined(self, node):
        self.told.append(("joined", self.nodes.name(node)))

    def left(self, node):
        self.told.append(("left", node))

    def gap(self, node):
        self.told.append(("gap", self.nodes.name(node)))

    def isolated(self):
        self.told.append(("isolated",))

    def healed(self):
        self.told.append(("healed",))

    def take(self):
        told, self.told = self.told, []
        return told


class Cluster:
    """Nodes by name. ``lines``: (name, what it would log)."""

    def __init__(self, *names, seed=0, **settings):
        self.clock = FakeClock()
        self.chance = Random(seed)
        self.engine = FakeEngine(self.clock, self.chance)
        self.nodes, self.watchers, self.ports, self.lines = {}, {}, {}, []
        for name in names:
            self.add(name, **settings)

    def add(self, name, port=None, **settings):
        """One more; ``port``: what the engine calls it."""
        port = port or name
        given = NodeSettings("r", name, **settings)
        ids = DrawnIds(self.chance)
        nodes = Nodes(given, self.clock, self.clock.timers, ids, lambda line: self.lines.append((port, line)))
        self.nodes[port] = nodes
        self.watchers[port] = Watcher(nodes)
        nodes.watch(self.watchers[port])
        self.ports[port] = self.engine.attach(port, nodes)
        self.settled = nodes.start(self.ports[port])
        return nodes

    def kill(self, name):
        """As by kill -9."""
        self.engine.kill(name)
        nodes = self.nodes.pop(name)
        # It does nothing any more.
        nodes._next_beat.cancel()
        nodes.post.bus = None

    def names(self, name):
        """Whom a node takes for alive."""
        nodes = self.nodes[name]
        return sorted(nodes.name(node) for node in nodes.live())
