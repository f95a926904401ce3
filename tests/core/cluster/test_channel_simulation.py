"""Channels of sessions through all that may happen to nodes: created once, ended once, the same on all."""

from collections import defaultdict

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from support.cluster.desks import DeskWorld

from radiod.core.cluster.channel_records import read_channel
from radiod.core.cluster.channel_rules import gives_way
from radiod.core.cluster.claim_records import read_claim
from radiod.core.cluster.places import control_id
from radiod.core.ids import digest

NODES = ("a", "b", "c")
NAMES = ("song", "club")
REASONS = {"deleted", "expired", "owner_left"}

nodes = st.sampled_from(NODES)
names = st.sampled_from(NAMES)
options = st.fixed_dictionaries(
    {
        "on_owner_leave": st.sampled_from(["delete", "keep", 8]),
        "lifetime": st.sampled_from([None, 15]),
        "single_writer": st.booleans(),
        "history": st.sampled_from([{}, {"size": 5}]),
    }
)


class Told:
    """What a listener on one node has heard of the channels: created and ended, by turns."""

    def __init__(self, world, name):
        self.there = {}
        # What there was before it listened is not told to it.
        self.caller = world.caller(name, authid="listener")
        for topic in ("on_create", "on_delete"):
            self.caller.request(32, {}, f"radiod.channel.{topic}")

    def take(self):
        for (event,) in self.caller.events():
            name, is_end = event["name"], "reason" in event
            assert self.there.get(name, is_end) is is_end, f"{event} was told twice"
            assert not is_end or event["reason"] in REASONS
            self.there[name] = not is_end


class Simulation(RuleBasedStateMachine):
    """Three nodes. ``keys``: name -> control keys that were answered; ``owners``: sessions that created."""

    @initialize(seed=st.integers(0, 2**32))
    def begin(self, seed):
        self.world = DeskWorld(*NODES, seed=seed)
        self.world.engine.mishaps = 0.05
        self.keys = defaultdict(list)
        self.owners, self.asked, self.stored = [], [], []
        store = self.world.engine.store

        def keep(stream, subject, data, *rest):
            outcome = store(stream, subject, data, *rest)
            if subject.startswith("r.claims.") and hasattr(outcome, "seq") and not outcome.is_repeat:
                self.stored.append(read_claim(data))
            return outcome

        self.world.engine.store = keep
        self.told = {name: Told(self.world, name) for name in NODES}
        self.advance(0.1)

    def runs(self, name):
        return name in self.world.nodes and not self.world[name].clock.is_paused

    # --- what sessions do

    @rule(node=nodes, name=names, options=options)
    def create(self, node, name, options):
        if self.runs(node):
            caller = self.world.caller(node)
            request = caller.request(48, {}, "radiod.channel.create", [name], options)
            self.owners.append((self.world[node], caller))
            self.asked.append((caller, request, name))

    @precondition(lambda self: self.keys)
    @rule(node=nodes, data=st.data(), procedure=st.sampled_from(["delete", "extend", "open_write"]))
    def control(self, node, data, procedure):
        name = data.draw(st.sampled_from(sorted(self.keys)))
        if self.runs(node):
            key = data.draw(st.sampled_from(self.keys[name]))
            more = {"lifetime": 20} if procedure == "extend" else {}
            caller = self.world.caller(node)
            caller.request(48, {}, f"radiod.channel.{procedure}", [name], {"control_key": key, **more})

    @precondition(lambda self: self.owners)
    @rule(data=st.data())
    def leave(self, data):
        node, caller = self.owners.pop(data.draw(st.sampled_from(range(len(self.owners)))))
        if self.world.nodes.get(node.name) is node and not node.clock.is_paused:
            node.realm.leave(caller.session)

    @rule(seconds=st.sampled_from([0.0003, 0.001, 0.05, 1, 4, 12]))
    def advance(self, seconds):
        self.world.advance(seconds)
        for told in self.told.values():
            told.take()
        for caller, request, name in self.asked:
            for answer in caller.received():
                if answer[0] == 50 and answer[1] == request:
                    self.keys[name].append(answer[3][0]["control_key"])

    # --- what happens to nodes

    @rule(node=nodes)
    def isolate(self, node):
        if node in self.world.nodes:
            self.world.isolate(node)

    @rule()
    def heal(self):
        self.world.heal()

    @rule(seconds=st.sampled_from([3, 12]))
    def elect(self, seconds):
        self.world.engine.elect(seconds)

    @precondition(lambda self: len(self.world.nodes) > 2)
    @rule(node=nodes)
    def kill(self, node):
        if node in self.world.nodes:
            self.world.kill(node)
            del self.told[node]

    @rule(node=nodes)
    def start(self, node):
        if node not in self.world.nodes:
            self.world.start(node)
            while not self.world[node].is_settled:
                self.advance(0.5)
            self.told[node] = Told(self.world, node)

    @rule(node=nodes)
    def pause(self, node):
        if self.runs(node):
            self.world.pause(node)

    @rule()
    def resume(self):
        for node in NODES:
            if node in self.world.nodes and not self.runs(node):
                self.world.resume(node)

    # --- what must hold

    @rule()
    def settle(self):
        self.resume()
        self.heal()
        self.advance(60)
        assert self.world.is_whole
        self.check_order()
        self.check_mirrors()

    def check_order(self):
        """A channel never took the place of another that had not ended; each answered one was there."""
        current, seen = {}, set()
        for claim in self.stored:
            if claim.about != "radio channels":
                continue
            record = None if claim.value is None else read_channel(claim.value)
            before = current.get(claim.key)
            if record is not None and before is not None and record.id != before.id:
                assert gives_way(before, record)
            if record is not None and before is None:
                assert record.id not in seen, "what had ended is there again"
            current[claim.key] = record
            if record is not None:
                seen.add(record.id)
        for name, keys in self.keys.items():
            assert {control_id(name, digest(key)) for key in keys} <= seen

    def check_mirrors(self):
        """All nodes have the same, which is what was told; owners are alive, and nothing is on its way."""
        realms = [node.realm for node in self.world.nodes.values()]
        sessions = {id for realm in realms for id in realm.sessions}
        views = [{held.place: held.record for held in realm.channels.held.values()} for realm in realms]
        assert all(view == views[0] for view in views)
        assert {record.session for record in views[0].values()} <= sessions | {0}
        slots = [{place: realm.slots.holder(place) for place in NAMES} for realm in realms]
        assert all(one == slots[0] for one in slots)
        assert set(slots[0].values()) <= sessions | {None}
        for name, node in self.world.nodes.items():
            channels = node.realm.channels
            assert {one.name for one in channels} == set(views[0])
            assert len(node.realm.channel_claims) == 0
            for heard, is_there in self.told[name].there.items():
                assert is_there is (heard in channels)

    def teardown(self):
        if hasattr(self, "world"):
            self.settle()


TestSimulation = Simulation.TestCase
TestSimulation.settings = settings(max_examples=10, stateful_step_count=25)
