"""Several nodes of one router in one process: pure cores on fake clocks, over the fake engine."""

from collections import deque
from random import Random

from radiod.core.cluster.cluster import Cluster
from radiod.core.cluster.nodes import NodeSettings
from radiod.core.cluster.realm import ClusterRealm
from radiod.core.limits import Limits
from radiod.core.timers import Timers
from radiod.testing import FakeClock, RecordingOutbox
from support.cluster.engine import FakeEngine
from support.cluster.nodes import DrawnIds
from support.realms import Client

__all__ = ["ClusterWorld", "Node", "NodeClock"]


class NodeClock:
    """One node's view of the time that all have: its deadlines wait while it is paused, and end with it."""

    def __init__(self, clock):
        self._clock = clock
        self.timers = Timers(self)
        self.is_paused = False
        self.is_dead = False
        self._wake_at = None

    def seconds(self):
        return self._clock.seconds()

    def time(self):
        return self._clock.time()

    def wake_at(self, when):
        self._wake_at = when
        self._clock.timers.at(when, self._wake)

    def _wake(self):
        now = self._clock.seconds()
        if self.is_paused or self.is_dead or self._wake_at is None or self._wake_at > now:
            return
        self._wake_at = None
        self.timers.run(now)

    def pause(self):
        self.is_paused = True

    def resume(self):
        self.is_paused = False
        self._wake()


class Way:
    """A user of the engine: what comes while its node is paused waits in its sockets."""

    def __init__(self, clock, bus_user, stream_user=None):
        self._clock = clock
        self._bus_user = bus_user
        self._stream_user = stream_user
        self._waiting = deque()

    def _do(self, what, *args):
        if self._clock.is_dead:
            return
        if self._clock.is_paused:
            self._waiting.append((what, args))
        else:
            what(*args)

    def flush(self):
        while self._waiting:
            what, args = self._waiting.popleft()
            what(*args)

    def came(self, subject, reply, data):
        self._do(self._bus_user.came, subject, reply, data)

    def unreachable(self, reply):
        self._do(self._bus_user.unreachable, reply)

    def up(self):
        self._do(self._bus_user.up)

    def down(self):
        self._do(self._bus_user.down)

    def stored(self, record):
        self._do(self._stream_user.stored, record)


class Node:
    """One node: its realm, and the two connections of it to the engine."""

    def __init__(self, world, name, **options):
        self.name = name
        self.world = world
        self.clock = NodeClock(world.clock)
        self.outbox = RecordingOutbox()
        self.lines = []
        ids = DrawnIds(world.chance)
        settings = NodeSettings("r", name, **world.settings)
        self.cluster = Cluster(settings, self.clock, self.clock.timers, ids, self.lines.append)
        self.ways = [
            Way(self.clock, self.cluster.nodes, self.cluster.records),
            Way(self.clock, self.cluster.way),
        ]
        engine = world.engine
        control = engine.attach(name, self.ways[0])
        events = engine.attach(f"{name}.events", self.ways[1])
        self.cluster.attach(events, control)
        self.realm = ClusterRealm(
            "radio",
            cluster=self.cluster,
            outbox=self.outbox,
            clock=self.clock,
            timers=self.clock.timers,
            ids=ids,
            **{"limits": Limits(), **options},
        )
        self.is_settled = False
        self.cluster.start(control).then(self._settle)

    def _settle(self, outcome):
        self.is_settled = True

    @property
    def ports(self):
        return self.name, f"{self.name}.events"

    def join(self, authid="somebody", authrole="tester", **options):
        return Client(self.realm, self.outbox, authid, authrole, **options)


class ClusterWorld:
    """Nodes by name, and the time, the engine and the misfortunes that they share."""

    def __init__(self, *names, seed=0, mishaps=0.0, options=None, **settings):
        self.clock = FakeClock()
        self.chance = Random(seed)
        self.engine = FakeEngine(self.clock, self.chance, mishaps=mishaps)
        self.settings = settings
        self.options = options or {}
        self.nodes = {}
        for name in names:
            self.start(name)
        self.advance(1.5)

    def __getitem__(self, name):
        return self.nodes[name]

    def start(self, name):
        """A node, also one that was killed, begins."""
        node = self.nodes[name] = Node(self, name, **self.options)
        return node

    def join(self, name, *args, **options):
        return self.nodes[name].join(*args, **options)

    def advance(self, seconds):
        self.clock.advance(seconds)

    def turn(self):
        """Long enough for a few ways there and back, and too short for a beat."""
        self.advance(0.02)

    @property
    def is_whole(self):
        """Whether every node knows all others, and nothing is in the way of anything."""
        if self.engine.cuts or any(node.clock.is_paused for node in self.nodes.values()):
            return False
        incarnations = {node.cluster.nodes.me for node in self.nodes.values()}
        return all(
            {node.cluster.nodes.me, *node.cluster.nodes.live()} == incarnations
            and all(self.engine.ports[port].is_up for port in node.ports)
            for node in self.nodes.values()
        )

    # --- misfortunes

    def kill(self, name):
        """As by kill -9: of its clients nothing is heard any more."""
        node = self.nodes.pop(name)
        node.clock.is_dead = True
        for port in node.ports:
            self.engine.kill(port)

    def cut(self, one, other):
        """Nothing passes between two nodes."""
        for port in self.nodes[one].ports:
            for further in self.nodes[other].ports:
                self.engine.cut(port, further)

    def isolate(self, name):
        """Nothing passes between a node and all others."""
        for other in self.nodes:
            if other != name:
                self.cut(name, other)

    def heal(self):
        self.engine.heal()

    def disconnect(self, name):
        for port in self.nodes[name].ports:
            self.engine.disconnect(port)

    def connect(self, name):
        for port in self.nodes[name].ports:
            self.engine.connect(port)

    def pause(self, name):
        """It does nothing, as under SIGSTOP; what is sent to it waits."""
        self.nodes[name].clock.pause()

    def resume(self, name):
        """It goes on: first its deadlines, as a reactor does, then what waits in its sockets."""
        node = self.nodes[name]
        node.clock.resume()
        for way in node.ways:
            way.flush()
