"""Nodes as pure cores over the fake engine, and all that may happen to them: what listeners hear is exact."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support.cluster.hearing import Air
from support.cluster.world import ClusterWorld

NAMES = ("a", "b", "c")
TOPICS = ("t.one", "t.two.x", "tt")
PATTERNS = (
    *(("exact", topic) for topic in TOPICS),
    ("prefix", "t"),
    ("prefix", "t."),
    ("prefix", ""),
    ("wildcard", "t."),
    ("wildcard", "t..x"),
)

names = st.sampled_from(NAMES)
topics = st.sampled_from(TOPICS)
patterns = st.sampled_from(PATTERNS)
pairs = st.sampled_from([("a", "b"), ("a", "c"), ("b", "c")])


class Simulation(RuleBasedStateMachine):
    """Three nodes. ``down``: those without a connection; ``dead``: those that were killed."""

    @initialize(seed=st.integers(0, 2**32), listeners=st.lists(st.tuples(names, patterns), max_size=6))
    def begin(self, seed, listeners):
        self.world = ClusterWorld(*NAMES, seed=seed)
        self.air = Air(self.world)
        self.down = set()
        for name, pattern in listeners:
            self.air.listen(name, *pattern)
        self.air.advance(0.05)

    def runs(self, name):
        return name in self.world.nodes and not self.world[name].clock.is_paused

    # --- what clients do

    @rule(name=names, topic=topics, count=st.integers(1, 5))
    def publish(self, name, topic, count):
        if self.runs(name):
            for _ in range(count):
                self.air.publish(name, topic)

    @rule(name=names, pattern=patterns)
    def subscribe(self, name, pattern):
        if self.runs(name) and len(self.air.ears) < 20:
            self.air.listen(name, *pattern)

    @precondition(lambda self: self.air.ears)
    @rule(data=st.data())
    def leave(self, data):
        ear = data.draw(st.sampled_from(range(len(self.air.ears))))
        if self.runs(self.air.ears[ear].node.name):
            self.air.stop(self.air.ears[ear])

    @rule(
        name=names,
        other=names,
        topic=topics,
        count=st.integers(1, 3),
        seconds=st.sampled_from([0.002, 0.05]),
        more=st.integers(0, 1),
    )
    def lose(self, name, other, topic, count, seconds, more):
        """What is sent over a short cut; perhaps another event comes soon behind it."""
        if name != other and self.runs(name) and other in self.world.nodes:
            self.cut((name, other))
            self.publish(name, topic, count)
            self.air.advance(0.002)
            self.world.heal()
            self.air.advance(seconds)
            self.publish(name, topic, more)

    @rule(seconds=st.sampled_from([0.0002, 0.0007, 0.002, 0.05, 1, 3, 8]))
    def advance(self, seconds):
        self.air.advance(seconds)

    # --- what happens to nodes

    @rule(pair=pairs)
    def cut(self, pair):
        if set(pair) <= set(self.world.nodes):
            self.world.cut(*pair)
            self.air.disturb()

    @rule(name=names)
    def isolate(self, name):
        if name in self.world.nodes:
            self.world.isolate(name)
            self.air.disturb()

    @rule()
    def heal(self):
        self.world.heal()

    @precondition(lambda self: len(self.world.nodes) > 1)
    @rule(name=names)
    def kill(self, name):
        if name in self.world.nodes:
            self.air.disturb()
            self.air.node_died(self.world[name])
            self.world.kill(name)
            self.down.discard(name)

    @rule(name=names, is_waited=st.booleans())
    def start(self, name, is_waited):
        """A node begins. Clients may come before it has found the others."""
        if name not in self.world.nodes:
            self.world.start(name)
            while is_waited and not self.world[name].is_settled:
                self.air.advance(0.5)

    @rule(name=names)
    def disconnect(self, name):
        if name in self.world.nodes and name not in self.down:
            self.world.disconnect(name)
            self.down.add(name)
            self.air.disturb()

    @rule()
    def connect(self):
        for name in self.down:
            self.world.connect(name)
        self.down.clear()

    @rule(name=names)
    def pause(self, name):
        if self.runs(name):
            self.world.pause(name)
            self.air.disturb()

    @rule()
    def resume(self):
        for name in NAMES:
            if name in self.world.nodes and not self.runs(name):
                self.world.resume(name)

    # --- what must hold

    @rule()
    def settle(self):
        self.connect()
        self.resume()
        self.heal()
        self.air.advance(15)
        assert self.world.is_whole
        assert not any(node.cluster.nodes.is_isolated for node in self.world.nodes.values())
        self.air.check(TOPICS)

    @invariant()
    def nothing_waits_for_ever(self):
        if hasattr(self, "world"):
            for node in self.world.nodes.values():
                assert len(node.cluster.nodes.post.questions) < 100

    def teardown(self):
        if hasattr(self, "world"):
            self.settle()


TestSimulation = Simulation.TestCase
TestSimulation.settings = settings(max_examples=25, stateful_step_count=40)
