"""Nodes that have nothing but claims, over the fake engine."""

from random import Random

from radiod.core.cluster.claim import ClaimSettings
from radiod.core.cluster.claims import Claims
from radiod.testing import FakeClock
from support.cluster.engine import FakeEngine

SETTINGS = ClaimSettings("claims", "c")


class Claimer:
    """One node: what its claims need of it, and what became of them, in order."""

    def __init__(self, world, name, me, settings):
        self.name = name
        self.me = me
        self.is_isolated = False
        self.heard = []
        self.malformed = []
        self.port = world.engine.attach(name, self)
        self.claims = Claims(self.port, world.clock, world.clock.timers, self, settings)
        self.claims.watch("part", self)
        self._is_started = False

    def up(self):
        if self._is_started:
            self.claims.up()
        else:
            self._is_started = True
            self.claims.start()

    def down(self):
        pass

    def stored(self, record):
        self.claims.stored(record)

    def note_malformed(self, about, node=0):
        self.malformed.append(about)

    def claimed(self, claim):
        self.heard.append((claim.key, claim.value))

    def released(self, claim):
        self.heard.append((claim.key, None))

    def all(self):
        """Key -> value."""
        return {claim.key: claim.value for claim in self.claims.of("part")}


class ClaimWorld:
    """Some of them, and their clock."""

    def __init__(self, count=3, *, seed=1, mishaps=0.0, settings=SETTINGS):
        self.clock = FakeClock()
        self.engine = FakeEngine(self.clock, Random(seed), mishaps=mishaps)
        self.nodes = [Claimer(self, f"n{i}", 100 + i, settings) for i in range(count)]
        self.wait(1)

    def wait(self, seconds):
        self.clock.advance(seconds)

    def come(self, promise, seconds=0.1):
        """What a promise comes to within so many seconds."""
        outcomes = []
        promise.then(outcomes.append)
        self.wait(seconds)
        assert outcomes, "nothing has come"
        return outcomes[0]

    @property
    def stream(self):
        return self.engine.streams[SETTINGS.stream]

    def told(self):
        """Key -> value, as the stream has it."""
        from radiod.core.cluster.claim_records import read_claim

        records = [read_claim(record.data) for record in self.stream.records]
        return {record.key: record.value for record in records if record.value is not None}
