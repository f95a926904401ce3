"""Towns under measurement, for the tests of the simulator's engines."""

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from simulator.averaged import AveragedLights
from simulator.ltm import LinkTransmission
from simulator.network import Street, Town
from simulator.signals import Signals

SPEED, CAPACITY, JAM = 50 / 3.6, 0.55, 0.125
WAVE = CAPACITY / (JAM - CAPACITY / SPEED)
# The corridor of the literature: waves run back at exactly 5 m/s.
FAST = {"speed": 20.0, "capacity": 0.8, "jam_density": 0.2}


class Bench:
    """A town under measurement: an engine, lights that are switched by hand or by a plan, a log."""

    def __init__(self, town, *, dt=1.0, signals=None, engine=LinkTransmission):
        self.town = town
        self.dt = dt
        self.engine = engine(town, dt)
        self.signals = signals or Signals.none(town)
        self.shut = np.zeros(len(town.street_ids), bool)
        self.steps = 0
        self.vehicle_seconds = 0.0

    @property
    def time(self):
        return self.steps * self.dt

    def close(self, id):
        self.shut[self.at(id)] = True

    def open(self, id):
        self.shut[self.at(id)] = False

    def at(self, id):
        return self.town.street_ids.index(id)

    def entered(self, id):
        return float(self.engine.entered[self.at(id)])

    def left(self, id):
        return float(self.engine.left[self.at(id)])

    def vehicles(self, id):
        return float(self.engine.vehicles[self.at(id)])

    def total(self):
        return float(self.engine.vehicles.sum() + self.engine.waiting.sum())

    def during(self, time, dt):
        green, window = self.signals.during(time, dt)
        return np.where(self.shut, 0.0, green), window

    def average(self, time):
        green, red = self.signals.average(time)
        return np.where(self.shut, 0.0, green), red

    def run(self, seconds, *rates):
        """Advance with these rates at the origins; vehicle-seconds by the trapezium rule."""
        for _ in range(round(seconds / self.dt)):
            before = self.total()
            self.engine.advance(self, self.time, np.array(rates, float))
            self.steps += 1
            self.vehicle_seconds += (before + self.total()) / 2 * self.dt
        return self

    def until(self, holds, *rates, limit=5000.0):
        """Advance until ``holds()``. Returns: the time at the end of that step."""
        while not holds():
            assert self.time < limit, "it never happened"
            self.run(self.dt, *rates)
        return self.time


def line(*lengths, **properties):
    """Streets s0, s1 … one after the other, an origin before the first, out of town after the last."""
    streets = [
        Street(id=f"s{n}", start=f"j{n}", end=f"j{n + 1}", length=length, **properties)
        for n, length in enumerate(lengths)
    ]
    turns = {f"s{n}": {f"s{n + 1}": 1.0} for n in range(len(lengths) - 1)}
    return Town.from_streets(streets, turns, {"j0": {"s0": 1.0}})


def with_capacity(town, id, capacity):
    """The town with one street narrowed, for all that is beyond its entrance."""
    changed = town.capacity.copy()
    changed[town.street_ids.index(id)] = capacity
    return replace(town, capacity=changed)


def plan(town, cycle, **green):
    """A plan by hand: ``green`` maps street ids to (begin, seconds of green)."""
    cycles, begins, greens = np.zeros((3, len(town.street_ids)))
    for id, (begin, seconds) in green.items():
        at = town.street_ids.index(id)
        cycles[at], begins[at], greens[at] = cycle, begin, seconds
    return Signals(cycles, begins, greens)


@st.composite
def situations(draw):
    """A small town with random ratios, priorities, lights and demand: (town, dt, signals, rates, steps)."""
    rows, columns = draw(st.integers(2, 4)), draw(st.integers(2, 3))
    length = draw(st.sampled_from([60.0, 100.0, 237.0]))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    town = Town.grid(rows, columns, length=length)
    streets, movements = len(town.street_ids), len(town.ratio)
    ratio = random.uniform(0.01, 1, movements) ** 2
    sums = np.bincount(town.movement_from, ratio)
    keep = np.where(random.random(len(town.priority)) < 0.5, 1.0, random.uniform(0.3, 1, len(town.priority)))
    keep[streets:] = 1.0
    ratio *= (keep / sums)[town.movement_from]
    town = replace(
        town,
        # Streets of different kinds; storage and waves stay consistent.
        capacity=town.capacity * random.uniform(0.3, 1.0, streets),
        ratio=ratio,
        priority=random.uniform(0.05, 3.0, len(town.priority)),
    )
    cycle = random.choice([0.0, 20.0, 60.0], streets)
    signals = Signals(cycle, random.uniform(0, 60, streets), cycle * random.choice([0.0, 0.3, 0.6], streets))
    level = draw(st.sampled_from([0.0, 0.02, 0.2, 1.0]))
    rates = level * random.uniform(0, 1, len(town.origins))
    return town, draw(st.sampled_from([0.5, 1.0, 2.0, 4.0])), signals, rates, draw(st.integers(20, 120))


def steps(situation, engine=LinkTransmission):
    """(engine, green, counts before, flow) after every step."""
    town, dt, signals, rates, count = situation
    engine = engine(town, dt)
    for n in range(count):
        green, _ = signals.during(n * dt, dt)
        before = engine.entered.copy(), engine.left.copy()
        flow = engine.advance(signals, n * dt, rates)
        yield engine, green > 0, before, flow


def shuffled(town, streets, random):
    """The same town, its streets in another order. Returns: (town, each street's place in the first)."""
    order = random.permutation(len(streets))
    feeders = [*town.street_ids, *(town.junction_ids[at] for at in town.origins)]
    ratios = [{} for _ in feeders]
    for feeder, to, ratio in zip(town.movement_from, town.movement_to, town.ratio, strict=True):
        ratios[feeder][town.street_ids[to]] = float(ratio)
    turns, origins = (
        dict(zip(feeders[part], ratios[part], strict=True))
        for part in (slice(None, len(streets)), slice(len(streets), None))
    )
    names = list(origins)
    random.shuffle(names)
    mixed = Town.from_streets([streets[at] for at in order], turns, {name: origins[name] for name in names})
    return mixed, order


def merge(narrow=0.3, priorities=None):
    """Arms a and b into c, whose entrance takes ``narrow`` vehicles/s."""
    streets = [
        Street(id="a", start="A", end="M"),
        Street(id="b", start="B", end="M"),
        Street(id="c", start="M", end="E"),
    ]
    origins = {"A": {"a": 1.0}, "B": {"b": 1.0}}
    town = Town.from_streets(streets, {"a": {"c": 1.0}, "b": {"c": 1.0}}, origins, None, priorities)
    return Bench(with_capacity(town, "c", narrow))


def passed(bench, seconds, *rates):
    """(a, b) vehicles/s that left the arms."""
    before = bench.left("a"), bench.left("b")
    bench.run(seconds, *rates)
    return (bench.left("a") - before[0]) / seconds, (bench.left("b") - before[1]) / seconds


def diverge():
    """Street a into b and c, half each."""
    streets = [
        Street(id="a", start="A", end="M"),
        Street(id="b", start="M", end="B"),
        Street(id="c", start="M", end="C"),
    ]
    return Town.from_streets(streets, {"a": {"b": 0.5, "c": 0.5}}, {"A": {"a": 1.0}})


def network(random, hub=False):
    """A town of loops, parallel streets, dead ends, any length; ``hub``: 100 arms meet at one junction."""
    count = 51 if hub else int(random.integers(1, 8))
    ends = [("j0", f"j{n}") for n in range(1, 51)] + [(f"j{n}", "j0") for n in range(1, 51)]
    if not hub:
        ends = [tuple(f"j{n}" for n in random.integers(0, count, 2)) for _ in range(random.integers(1, 25))]
    streets = []
    for n, (start, end) in enumerate(ends):
        speed, lanes = random.uniform(2, 30), random.integers(1, 4)
        jam = lanes * random.uniform(0.08, 0.2)
        capacity = jam * speed * random.uniform(0.02, 0.6)
        length = 5 * 1000 ** random.random()
        sizes = {"length": length, "speed": speed, "capacity": capacity, "jam_density": jam}
        streets.append(Street(id=f"s{n}", start=start, end=end, lanes=lanes, **sizes))
    starts = {start for start, _ in ends}

    def fan(junction, most):
        onward = [street.id for street in streets if street.start == junction]
        chosen = random.choice(onward, random.integers(1, min(len(onward), 6) + 1), replace=False)
        return dict(zip(chosen.tolist(), most * random.dirichlet(np.ones(len(chosen))), strict=True))

    turns = {
        street.id: fan(street.end, random.choice([1.0, random.uniform(0.2, 1)]))
        for street in streets
        if street.end in starts and random.random() < 0.9
    }
    origins = {junction: fan(junction, 1.0) for junction in sorted(starts)[: random.integers(1, 9)]}
    priorities = {street.id: random.uniform(0.01, 5) for street in streets if random.random() < 0.3}
    return Town.from_streets(streets, turns, origins, None, priorities)


def traffic(random, hub=False):
    """A situation in such a town: (town, dt, signals, rates, steps)."""
    dt = float(random.choice([0.3, 1.0, 5.0]))
    town = network(random, hub).fit(dt)
    streets = len(town.street_ids)
    cycle = random.choice([0.0, 37.3, 60.0], streets)
    signals = Signals(cycle, random.uniform(0, 60, streets), cycle * random.choice([0.0, 0.31, 0.6], streets))
    rates = random.choice([0.0, 0.1, 3.0], len(town.origins)) * random.random(len(town.origins))
    return town, dt, signals, rates, int(random.integers(20, 100))


def check(situation, engine):
    """Every invariant, after every step."""
    town, dt, signals, rates, _ = situation
    streets = len(town.street_ids)
    shut = (signals.average(0.0)[0] == 0) & signals.has_light
    limit = town.capacity * dt * (1 + 1e-12) + 1e-9
    for running, green, (entered, left), flow in steps(situation, engine):
        gone_in, gone_out = running.entered - entered, running.left - left
        scale = 1e-9 * max(1.0, running.generated)
        present = running.vehicles.sum() + running.waiting.sum()
        assert abs(running.generated - running.gone - present) <= scale
        assert (running.vehicles >= -1e-9).all()
        assert (running.vehicles <= town.storage + 1e-9).all()
        assert (flow >= 0).all()
        assert (gone_in >= 0).all()
        assert (gone_in <= limit).all()
        assert (flow[:streets] <= limit).all()
        assert (running.waiting >= 0).all()
        assert not flow[:streets][shut if isinstance(running, AveragedLights) else ~green].any()
        into = np.bincount(town.movement_to, flow[town.movement_from] * town.ratio, streets)
        assert np.abs(gone_in - into).max() <= 1e-9 * max(1.0, into.max())
        assert np.abs(gone_out - flow[:streets]).max() <= scale
    assert np.isclose(running.generated, rates.sum() * dt * situation[-1], rtol=1e-9)
