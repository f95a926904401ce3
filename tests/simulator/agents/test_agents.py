"""Vehicles beside the flow they follow: as many, as fast, one after the other, whatever the town."""

from dataclasses import replace

import numpy as np
import pytest

from simulator import Simulator, Town, TownError
from simulator.agents import Agents
from simulator.demand import Demand
from simulator.network import Street
from simulator.signals import Signals

TOWNS = {
    "grid": lambda: Town.grid(4, 4),
    "short streets": lambda: Town.grid(5, 5, length=150),
    "radial": lambda: Town.radial(3, 6),
    "ring": lambda: Town.ring(6, 250),
}


class Watched:
    """A town whose vehicles are looked at after each step."""

    def __init__(self, town, rate=None, **options):
        if rate is not None:
            options["demand"] = Demand.constant(np.full(len(town.origins), rate))
        self.simulator = Simulator(town, step=1.0, agents=True, **options)
        self.town = town
        self.ways = set(zip(town.movement_from.tolist(), town.movement_to.tolist(), strict=True))
        self.ends = {
            feeder
            for feeder, kept in enumerate(np.bincount(town.movement_from, town.ratio, len(town.priority)))
            if kept < 1 - 1e-9
        }
        self.streets = range(len(town.street_ids))
        self.before = {}
        self.newest = -1
        self.hurried = 0

    def look(self):
        """Advance by a step. Returns: id -> (street, at)."""
        self.simulator.next()
        vehicles = self.simulator.vehicles()
        now = dict(
            zip(
                vehicles["id"].tolist(),
                zip(vehicles["street"].tolist(), vehicles["at"].tolist(), strict=True),
                strict=True,
            )
        )
        assert len(now) == len(vehicles["id"])
        return now

    def check(self):
        """Advance, and hold what is so at all times."""
        now = self.look()
        counts = np.bincount([street for street, _ in now.values()], minlength=len(self.town.length))
        assert np.abs(counts - self.simulator.engine.vehicles).max() < 1
        for id, (street, at) in now.items():
            assert 0 <= at <= self.town.length[street]
            if id not in self.before:
                assert id > self.newest, "a vehicle came back"
                continue
            came, was = self.before[id]
            if came == street and at >= was - 1e-9:
                assert at <= was + self.town.speed[street] + 1e-6
            elif (came, street) not in self.ways:
                # Two streets in one step: it is allowed where there is no other way.
                self.hurried += 1
                assert any((came, over) in self.ways and (over, street) in self.ways for over in self.streets)
        for id in self.before.keys() - now.keys():
            assert self.before[id][0] in self.ends, "a vehicle vanished"
        self.newest = max(self.newest, *now) if now else self.newest
        self.before = now
        return now


@pytest.mark.parametrize("rate", [0.05, 0.3])
@pytest.mark.parametrize("kind", TOWNS)
def test_vehicles_are_as_many_as_flowed_and_none_splits_jumps_back_or_vanishes(kind, rate):
    watched = Watched(TOWNS[kind](), rate)
    for _ in range(400):
        watched.check()
    stats = watched.simulator.stats()
    assert len(watched.before) == pytest.approx(stats["inside"], abs=len(watched.town.street_ids))
    assert watched.newest + 1 == pytest.approx(stats["entered"], abs=len(watched.town.street_ids))
    assert watched.simulator.agents.amiss == 0
    assert watched.hurried <= 3


@pytest.mark.parametrize("engine", ["ctm", "avg"])
def test_so_it_is_with_other_engines(engine):
    watched = Watched(Town.radial(3, 6), 0.2, engine=engine)
    for _ in range(300):
        watched.check()
    assert len(watched.before) > 100


def test_so_it_is_while_streets_close_and_open():
    town = Town.grid(4, 4, length=250)
    watched = Watched(town, 0.15)
    for id in ("r1c1-r1c2", "r2c1-r1c1", "r0c1-r1c1"):
        watched.simulator.close_street(id, 100.0, 200.0)
    watched.simulator.set_capacity("r1c2-r1c3", 0.2, 150.0, 250.0)
    shut = town.street_ids.index("r1c1-r1c2")
    for _ in range(150):
        watched.check()
    inside = {id for id, (street, _) in watched.before.items() if street == shut}
    for _ in range(40):
        # Who was inside may leave; nobody comes, but for the one that the flow had begun to send.
        now = watched.check()
        assert len({id for id, (street, _) in now.items() if street == shut} - inside) == 0
    for _ in range(150):
        watched.check()


def odd_town(random):
    """Loops, parallel streets, a hub, lanes of all kinds, origins and ends anywhere."""
    junctions, count = int(random.integers(2, 14)), int(random.integers(3, 40))
    streets = []
    for n in range(count):
        start, end = (0 if random.random() < 0.2 else int(at) for at in random.integers(0, junctions, 2))
        lanes = int(random.integers(1, 4))
        streets.append(
            Street(
                id=f"s{n}",
                start=f"j{start}",
                end=f"j{end}",
                length=float(np.exp(random.uniform(np.log(5), np.log(5000)))),
                speed=float(random.uniform(5, 18)),
                capacity=0.5 * lanes,
                jam_density=0.13 * lanes,
            )
        )
    out = {}
    for street in streets:
        out.setdefault(street.start, []).append(street.id)

    def shares(ids, keeps):
        weights = random.uniform(0.05, 1, len(ids)) ** 2
        return dict(zip(ids, (keeps * weights / weights.sum()).tolist(), strict=True))

    turns = {
        street.id: shares(out[street.end], random.choice([1, 1, 0.9, 0.5]))
        for street in streets
        if street.end in out
    }
    origins = {junction: shares(ids, 1.0) for junction, ids in out.items() if random.random() < 0.5}
    return Town.from_streets(streets, turns, origins).fit(1.0)


def odd_lights(random, streets):
    cycle = np.where(random.random(streets) < 0.5, random.choice([30.0, 60.0, 47.3], streets), 0.0)
    return Signals(cycle, random.uniform(0, 60, streets), cycle * random.uniform(0.2, 0.8, streets))


@pytest.mark.parametrize(
    "seed", [*range(6), *(pytest.param(n, marks=pytest.mark.soak) for n in range(6, 200))]
)
def test_so_it_is_in_odd_towns(seed):
    random = np.random.default_rng(seed)
    town = odd_town(random)
    watched = Watched(town, signals=odd_lights(random, len(town.street_ids)), rate=random.uniform(0.05, 0.6))
    for _ in range(200):
        watched.check()


def line(*lengths):
    """Streets one after the other, an origin before the first; out of town after the last."""
    streets = [
        Street(id=f"s{n}", start=f"j{n}", end=f"j{n + 1}", length=length) for n, length in enumerate(lengths)
    ]
    turns = {f"s{n}": {f"s{n + 1}": 1.0} for n in range(len(lengths) - 1)}
    return Town.from_streets(streets, turns, {"j0": {"s0": 1.0}})


def test_on_an_open_road_vehicles_take_the_free_travel_time():
    watched = Watched(line(500, 500, 500), 0.2)
    seen = {}
    for _ in range(600):
        for id in watched.look():
            seen[id] = seen.get(id, 0) + 1
    # 108 s for 1,500 m at 50 km/h, counted in whole steps; each has less than one of its kind to wait for.
    done = [steps for id, steps in seen.items() if 20 < id < 80]
    assert len(done) == 59
    assert np.mean(done) == pytest.approx(108, abs=2.5)
    assert 107 <= min(done) <= max(done) <= 108 + 5


def test_vehicles_stand_at_the_red_light_and_start_one_after_the_other():
    town = line(500, 500)
    # Red from 0 to 120 s, then green.
    lights = Signals(np.array([300.0, 0]), np.array([120.0, 0]), np.array([180.0, 0]))
    watched = Watched(town, 0.3, signals=lights)
    for _ in range(120):
        now = watched.check()
    queue = sorted((at for street, at in now.values() if street == 0), reverse=True)
    # 8 m each: a jam; who drives has more room.
    standing = [at for at in queue if at > 380]
    assert len(standing) >= 12
    assert standing[0] > 500 - 2 * 8
    assert np.diff(standing) == pytest.approx(np.full(len(standing) - 1, -8), abs=8 * 0.11)
    started = {}
    for second in range(25):
        before, now = now, watched.check()
        for id, (street, at) in now.items():
            if (
                id in before
                and before[id][0] == 0
                and before[id][1] > 380
                and (street == 1 or at > before[id][1] + 1)
            ):
                started.setdefault(id, second)
    order = [started[id] for id in sorted(started)]
    assert len(order) >= 12
    assert order == sorted(order)
    # The wave runs back at 6.44 m/s: 1.24 s from vehicle to vehicle.
    assert order[11] - order[0] == pytest.approx(11 * 8 / 6.44, abs=3)


def test_nobody_passes_a_red_light_on_an_open_road():
    town = line(300, 300)
    lights = Signals(np.array([60.0, 0]), np.zeros(2), np.array([27.0, 0]))
    watched = Watched(town, 0.25, signals=lights)
    passed = 0
    for second in range(900):
        before = {id for id, (street, _) in watched.before.items() if street == 0}
        now = watched.check()
        crossing = before - {id for id, (street, _) in now.items() if street == 0}
        passed += len(crossing)
        # The step that ends a green may have a bit of it, and the one after lets go who was due.
        assert not crossing or second % 60 <= 28
    assert 195 < passed < 225


def test_vehicles_turn_as_the_flow_does():
    watched = Watched(Town.grid(4, 4), 0.2)
    turned = np.zeros(len(watched.town.ratio))
    way = {pair: n for n, pair in enumerate(zip(*_ends(watched.town), strict=True))}
    for _ in range(1000):
        before, now = watched.before, watched.check()
        for id, (street, _) in now.items():
            if id in before and before[id][0] != street:
                turned[way[before[id][0], street]] += 1
    of_streets = watched.town.movement_from < len(watched.town.street_ids)
    ratio = watched.town.ratio[of_streets]
    came = watched.simulator.engine.left[watched.town.movement_from[of_streets]]
    off = turned[of_streets] - came * ratio
    spread = np.sqrt(came * ratio * (1 - ratio))
    assert came.max() > 100
    # Nearer than draws that know nothing of each other would be.
    assert np.sqrt(np.mean(off**2)) < 0.7 * np.sqrt(np.mean(spread**2))
    assert (np.abs(off) < 3 * spread + 3).all()


def _ends(town):
    return town.movement_from.tolist(), town.movement_to.tolist()


def reordered(town, random):
    """The same town, its streets and origins given in another order. Returns: it, and the new order."""
    streets, origins = random.permutation(len(town.street_ids)), random.permutation(len(town.origins))
    place = np.empty(len(town.priority), np.intp)
    place[streets] = np.arange(len(streets))
    place[len(streets) + origins] = len(streets) + np.arange(len(origins))
    new_from, new_to = place[town.movement_from], place[town.movement_to]
    order = np.lexsort((random.random(len(new_from)), new_from))
    names = ("start", "end", "length", "speed", "wave", "capacity", "storage", "lanes")
    return replace(
        town,
        street_ids=tuple(town.street_ids[n] for n in streets),
        **{name: getattr(town, name)[streets] for name in names},
        origins=town.origins[origins],
        movement_from=new_from[order],
        movement_to=new_to[order],
        ratio=town.ratio[order],
        priority=town.priority[np.concatenate([streets, len(streets) + origins])],
    ), streets


def test_the_order_of_streets_changes_nothing():
    town = Town.grid(4, 5, length=250)
    other, order = reordered(town, np.random.default_rng(5))
    lights = Signals.of(town, seed=2)
    plans = (np.where(lights.has_light, lights._cycle, 0.0), lights._begin, lights._green)
    ours, theirs = (
        Simulator(
            each, step=1.0, agents=True, seed=2, signals=signals, demand=Demand.constant(np.full(14, 0.2))
        )
        for each, signals in ((town, lights), (other, Signals(*(plan[order] for plan in plans))))
    )
    for _ in range(300):
        ours.next()
        theirs.next()
    mine, other_ones = ours.vehicles(), theirs.vehicles()
    assert len(mine["id"]) > 100
    assert mine["id"].tolist() == other_ones["id"].tolist()
    assert mine["street"].tolist() == order[other_ones["street"]].tolist()
    assert mine["at"].tolist() == other_ones["at"].tolist()


def test_another_seed_turns_otherwise_and_the_flow_stays():
    town = Town.grid(4, 4)
    signals, demand = Signals.of(town), Demand.constant(np.full(len(town.origins), 0.2))
    one, two = (Simulator(town, agents=True, seed=seed, signals=signals, demand=demand) for seed in (1, 2))
    bare = Simulator(town, seed=1, signals=signals, demand=demand)
    for each in (one, two, bare):
        each.run(300)
    assert one.dump_state() == two.dump_state() == bare.dump_state()
    assert one.vehicles()["street"].tolist() != two.vehicles()["street"].tolist()


def test_looking_at_vehicles_changes_nothing():
    town = Town.grid(3, 4)
    looked, untouched = Simulator(town, agents=True), Simulator(town, agents=True)
    for _ in range(60):
        looked.next()
        untouched.next()
        looked.vehicles()
    for name, values in looked.vehicles().items():
        assert values.tolist() == untouched.vehicles()[name].tolist()


def test_a_saved_town_goes_on_with_the_same_vehicles(tmp_path):
    town = Town.grid(3, 4, length=200)
    one = Simulator(town, agents=True, seed=3)
    one.run(300)
    one.save(tmp_path / "town.npz")
    two = Simulator.load(tmp_path / "town.npz")
    for _ in range(2):
        assert len(one.vehicles()["id"]) > 20
        for name, values in one.vehicles().items():
            assert values.tolist() == two.vehicles()[name].tolist()
        for each in (one, two):
            each.run(200)


def test_a_state_of_another_town_is_refused():
    one = Simulator(Town.grid(3, 4), agents=True)
    with pytest.raises(TownError, match=r"^state: "):
        Agents(Town.grid(3, 3), 1.0).restore(one.agents.state())


def test_memory_follows_the_most_vehicles_at_a_time():
    town = line(500, 500)
    simulator = Simulator(town, agents=True, demand=Demand.constant(np.array([0.5])))
    simulator.run(500)
    size = sum(array.nbytes for array in simulator.agents.state().values())
    simulator.run(1500)
    assert simulator.vehicles()["id"].max() > 900
    assert sum(array.nbytes for array in simulator.agents.state().values()) < size + 1000
    assert len(simulator.agents._queues.id) == 64


def test_without_agents_there_are_none():
    with pytest.raises(ValueError, match=r"agents=True"):
        Simulator(Town.grid(2, 2)).vehicles()
