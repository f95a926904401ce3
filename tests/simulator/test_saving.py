"""``save`` and ``load``: bit for bit, and nothing but what was saved."""

import contextlib
import io
import json
import resource
import zipfile

import numpy as np
import pytest

from simulator import Simulator, Town, TownError
from simulator.demand import Demand, DemandTable
from simulator.engines import ENGINES


def same(one, other):
    """Whether two simulators have the same state, to the last bit."""
    assert json.dumps(one.dump_state()) == json.dumps(other.dump_state())
    assert one.stats() == other.stats()
    for name, counts in one.counts().items():
        assert (other.counts()[name] == counts).all()


def hours():
    """A grid whose trips change their ways after ten minutes, and of whom few can leave at a corner."""
    trips = [{"r0c0": {"r2c3": 0.2}, "r1c1": {"r0c3": 0.1}}, {"r2c3": {"r0c0": 0.2}, "r1c1": {"r0c0": 0.1}}]
    return Town.grid(3, 4).with_trips(trips, [0, 600], day=1200).with_sinks({"r0c0": 0.05})


TOWNS = {
    "grid": lambda: Town.grid(4, 5),
    "radial": lambda: Town.radial(2, 5),
    "ring": lambda: Town.ring(4),
    "hours": hours,
}


@pytest.mark.parametrize("kind", TOWNS)
@pytest.mark.parametrize("seconds", [0, 700])
def test_a_loaded_simulator_goes_on_bit_for_bit(tmp_path, kind, seconds):
    simulator = Simulator(TOWNS[kind](), "town", step=5, seed=3, dt=2.5)
    simulator.run(seconds)
    simulator.set_demand(simulator.town.junction_ids[simulator.town.origins[0]], 0.07)
    simulator.save(tmp_path / "town.npz")
    loaded = Simulator.load(tmp_path / "town.npz")
    assert loaded.map() == simulator.map()
    same(simulator, loaded)
    for _ in range(2):
        simulator.run(150)
        loaded.run(150)
        same(simulator, loaded)
    town, other = simulator.town, loaded.town
    assert (other.warnings, other.repairs, other.where) == (town.warnings, town.repairs, town.where)
    assert (other.demand is None) == (town.demand is None)
    assert other.demand is None or other.demand is loaded.demand


@pytest.mark.parametrize("engine", sorted(ENGINES))
def test_every_engine_goes_on_bit_for_bit(tmp_path, engine):
    simulator = Simulator(hours(), engine=engine, cells=4)
    simulator.run(700)
    simulator.save(tmp_path / "town.npz")
    loaded = Simulator.load(tmp_path / "town.npz")
    assert type(loaded.engine) is type(simulator.engine)
    for each in (simulator, loaded):
        each.run(700)
    same(simulator, loaded)


def test_all_that_can_be_set_goes_on_bit_for_bit(tmp_path):
    simulator = Simulator(hours(), seed=2, agents=True)
    simulator.run(300)
    simulator.set_light("r1c1", 50.0, 5.0, {"r1c0-r1c1": (0.0, 20.0), "r0c1-r1c1": (25.0, 20.0)})
    simulator.close_street("r1c1-r1c2", 350.0, 900.0)
    simulator.set_capacity("r0c0-r0c1", 0.5)
    simulator.set_demand("r0c0", 0.15)
    simulator.run(100)
    simulator.save(tmp_path / "town.npz")
    loaded = Simulator.load(tmp_path / "town.npz")
    for _ in range(3):
        for name, array in simulator.vehicles().items():
            assert (loaded.vehicles()[name] == array).all()
        same(simulator, loaded)
        simulator.run(350)
        loaded.run(350)
    assert len(simulator.vehicles()["id"])


def test_a_file_is_the_old_one_until_it_is_whole(tmp_path, monkeypatch):
    simulator = Simulator(Town.grid(2, 2))
    path = tmp_path / "town.npz"
    simulator.save(path)
    whole = path.read_bytes()
    simulator.parts["odd"] = Odd()
    with pytest.raises(ValueError, match="pickle"):
        simulator.save(path)
    assert path.read_bytes() == whole
    assert [each.name for each in tmp_path.iterdir()] == ["town.npz"]
    with pytest.raises(FileNotFoundError):
        simulator.save(tmp_path / "nowhere" / "town.npz")


class Odd:
    """What no file can hold."""

    def state(self):
        return {"thing": np.array([object()])}


def test_parts_are_saved_and_go_on(tmp_path, monkeypatch):
    class Counter:
        def __init__(self):
            self.count = np.zeros(1)

        def state(self):
            return {"count": self.count}

        def restore(self, state):
            self.count = state["count"]

    class Counting(Simulator):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            self.parts["counter"] = Counter()

    simulator = Counting(Town.grid(2, 2))
    simulator.parts["counter"].count += 5
    simulator.save(tmp_path / "town.npz")
    assert Counting.load(tmp_path / "town.npz").parts["counter"].count == [5]


def test_numpy_reads_it_without_pickle(tmp_path):
    simulator = Simulator(Town.grid(2, 2))
    simulator.run(60)
    simulator.save(tmp_path / "town.npz")
    with np.load(tmp_path / "town.npz") as file:
        assert (file["engine/entered"] == simulator.engine.entered).all()
        assert json.loads(file["header.json"])["version"] == 1


def test_a_demand_of_one_s_own_kind_is_given_again(tmp_path):
    class Mine:
        def rates(self, time):
            return np.full(4, 0.01)

    path = tmp_path / "town.npz"
    simulator = Simulator(Town.grid(2, 2), demand=Mine())
    simulator.run(60)
    simulator.save(path)
    with pytest.raises(TownError, match=r"town\.npz: its demand was a Mine, which no file holds: give it"):
        Simulator.load(path)
    loaded = Simulator.load(path, demand=Mine())
    simulator.run(60)
    loaded.run(60)
    same(simulator, loaded)


# --- What is none


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The bytes of a simulator that runs."""
    path = tmp_path_factory.mktemp("saved") / "town.npz"
    town = Town.grid(3, 3)
    simulator = Simulator(town, demand=DemandTable(len(town.origins), [(0, 0.0, 1e6, 0.1)]))
    simulator.run(300)
    simulator.save(path)
    return path.read_bytes()


def changed(saved, name, change):
    """The file with one array, or the header, as ``change`` returns it; None: without it."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for one in old.namelist():
            content = old.read(one)
            if one == name == "header.json":
                content = json.dumps(change(json.loads(content))).encode()
            elif one == f"{name}.npy":
                array = change(np.load(io.BytesIO(content)))
                if array is None:
                    continue
                buffer = io.BytesIO()
                np.save(buffer, array)
                content = buffer.getvalue()
            new.writestr(one, content)
    return out.getvalue()


def put(array, place, value):
    array[place] = value
    return array


HEADERS = {
    "another program": ("format", "other", "is no saved simulator"),
    "another version": ("version", 2, "is of version 2; this one reads 1"),
    "no options": ("options", [1], "its options are none"),
    "an option too many": ("options", {"moon": 1}, "what it says cannot be: TypeError: "),
    "no engine": ("options", {"engine": "warp"}, "what it says cannot be: ValueError: no engine 'warp'"),
    "nested options": ("options", {"name": {}}, "its options are none"),
    "another dt": ("options", {"step": 5, "dt": 2.5}, "state: "),
    "an endless dt": ("options", {"step": 5, "dt": 1e999}, "its header is no JSON|what it says|step"),
    "another demand": ("demand", "moon", "its demand is a 'moon'; there are day, table"),
    "odd demand": ("demand", [1], "its demand is a|what it says cannot be"),
    "the other demand": ("demand", "day", "what it says cannot be: KeyError: "),
    "no time": ("progress", {}, "what it says cannot be: KeyError: 'ticks'"),
    "odd time": ("progress", {"ticks": "x", "travel_time": 0}, "what it says cannot be: TypeError: ticks"),
    "negative time": (
        "progress",
        {"ticks": -1, "travel_time": 0},
        "what it says cannot be: TypeError: ticks",
    ),
    "no progress": ("progress", 5, "what it says cannot be: TypeError"),
}


@pytest.mark.parametrize("case", HEADERS)
def test_headers_that_cannot_be(tmp_path, saved, case):
    key, value, told = HEADERS[case]
    refuse(tmp_path, changed(saved, "header.json", lambda header: {**header, key: value}), told)


ARRAYS = {
    "no lengths": ("town/length", lambda a: None, "has no town/length"),
    "a length too few": ("town/length", lambda a: a[1:], r"town/length is float64 of \(23,\), not what"),
    "lengths of another kind": ("town/length", lambda a: a.astype(np.float32), "town/length is float32"),
    "a length of nan": ("town/length", lambda a: put(a, 0, np.nan), "town/length: not all numbers are from"),
    "a length of 0": ("town/length", lambda a: a * 0, "town/length: not all numbers are from"),
    "a start beyond": ("town/start", lambda a: put(a, 0, 9), "town/start: not all are places among 9"),
    "a start before": ("town/start", lambda a: put(a, 0, -1), "town/start: not all are places among 9"),
    "another start": ("town/start", lambda a: a[::-1].copy(), "town: its turns do not fit its streets"),
    "movements beyond": ("town/movement_from", lambda a: put(a, -1, 99), "town/movement_from: not all are"),
    "movements mixed": ("town/movement_from", lambda a: a[::-1].copy(), "town: its turns do not fit"),
    "ratios beyond 1": ("town/ratio", lambda a: a * 0 + 1, "town: its turns do not fit its streets"),
    "a waveless street": ("town/wave", lambda a: a * 0, "town/wave: not all numbers are from"),
    "no junctions": ("town/junctions_end", lambda a: a[:0], "town/junctions: its texts do not fit together"),
    "names mixed": ("town/streets_end", lambda a: a[::-1].copy(), "town/streets: its texts do not fit"),
    "names that are none": ("town/streets_text", lambda a: a * 0 + 255, "town/streets: not all is text"),
    "one name": ("town/streets_text", lambda a: a * 0 + 65, "town: two streets or two junctions of one name"),
    "bends": ("town/bends", lambda a: np.ones(24, np.int64), "town/bends: not as many as there are points"),
    "where": ("town/where_end", lambda a: np.zeros(3, np.int64), "town/where: not one line a street"),
    "no counts": ("engine/entered", lambda a: None, "state: entered is missing or of another town"),
    "counts of nan": ("engine/entered", lambda a: put(a, 0, np.nan), "engine/entered: not all are numbers"),
    "more left": ("engine/left", lambda a: a + 99, "engine: more vehicles left a street than entered it"),
    "too many": ("engine/entered", lambda a: a + 99, "engine: more vehicles on a street than it holds"),
    "some missing": ("engine/totals", lambda a: a * 2, "engine: vehicles are missing, or too many"),
    "fewer than none": ("engine/waiting", lambda a: a - 1, "engine: more vehicles on a street than it"),
    "odd left": ("engine/left", lambda a: a[:3], "state: left is missing"),
    "places": ("engine/past_entered_places", lambda a: a + 1, "state: places are of another town"),
    "steps": ("engine/past_left_steps", lambda a: a - 9**9, "state: places are of another town"),
    "counts too large": (
        "engine/past_left_counts",
        lambda a: np.zeros(9**7),
        "engine is larger than anything",
    ),
    "capacity": ("engine/capacity", lambda a: a * 9, "engine/capacity: not all numbers are from 0"),
    "signals": ("signals/green", lambda a: a + 900, "signals: green: number"),
    "signals of nan": ("signals/begin", lambda a: a * np.nan, "signals/begin: not all numbers"),
    "demand of nobody": ("demand/origin", lambda a: a + 99, "demand: a row of an origin that is none of 8"),
    "demand too short": ("demand/rate", lambda a: a[:0], "demand: its parts do not fit together"),
    "demand elsewhere": ("demand/table", lambda a: a * 2, "demand: of 16 origins; the town has 8"),
    "objects": ("town/length", lambda a: np.array([None]), "town/length cannot be unpacked"),
    "texts": ("town/length", lambda a: np.array(["x"] * 24), "town/length cannot be unpacked"),
}


@pytest.mark.parametrize("case", ARRAYS)
@pytest.mark.filterwarnings("ignore")
def test_arrays_that_cannot_be(tmp_path, saved, case):
    name, change, told = ARRAYS[case]
    refuse(tmp_path, changed(saved, name, change), told)


def refuse(tmp_path, content, told):
    path = tmp_path / "bad.npz"
    path.write_bytes(content)
    with pytest.raises(TownError, match=rf"^{path}: ({told})") as error:
        Simulator.load(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.7, 0.99])
def test_a_file_that_was_cut_is_refused(tmp_path, saved, share):
    refuse(tmp_path, saved[: int(share * len(saved))], "is no saved simulator, or was cut")


def test_a_file_of_something_else_is_refused(tmp_path):
    refuse(tmp_path, b"\x93NUMPY\x01\x00" + b"x" * 1000, "is no saved simulator, or was cut")
    buffer = io.BytesIO()
    np.savez(buffer, a=np.ones(3))
    refuse(tmp_path, buffer.getvalue(), "is no saved simulator: it has no header")
    with pytest.raises(TownError, match=r"nothing\.npz: cannot be read: No such file"):
        Simulator.load(tmp_path / "nothing.npz")
    with pytest.raises(TownError, match=r"cannot be read: Is a directory"):
        Simulator.load(tmp_path)


def test_broken_bytes_are_refused_or_do_no_harm(tmp_path, saved):
    random = np.random.default_rng(1)
    path = tmp_path / "bad.npz"
    for _ in range(30):
        content = bytearray(saved)
        for at in random.integers(0, len(saved), 3).tolist():
            content[at] ^= int(random.integers(1, 256))
        path.write_bytes(content)
        with contextlib.suppress(TownError):
            Simulator.load(path).run(5)


def test_a_small_file_that_says_it_is_huge_takes_no_memory(tmp_path, saved):
    path = tmp_path / "huge.npz"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name in ("town/length", "town/streets_text", "engine/past_left_counts", "part_x/y"):
        with zipfile.ZipFile(io.BytesIO(saved)) as old, _new(path) as new:
            for one in old.namelist():
                if one != f"{name}.npy":
                    new.writestr(one, old.read(one))
            with new.open(f"{name}.npy", "w") as member:
                head = {"descr": "|u1", "fortran_order": False, "shape": (128 << 20,)}
                np.lib.format.write_array_header_1_0(member, head)
                for _ in range(128):
                    member.write(bytes(1 << 20))
        assert path.stat().st_size < 1 << 20
        if name != "part_x/y":
            with pytest.raises(TownError, match=r"^.*huge\.npz: (town|engine).* is larger than"):
                Simulator.load(path)
        else:
            # Nobody asks for it.
            Simulator.load(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


def _new(path):
    return zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1)


def test_both_kinds_of_demand_are_the_same_again(tmp_path):
    town = Town.grid(2, 3)
    for demand in (
        Demand(6, level=np.linspace(0, 0.4, 6), low=0.1, day=5000.0, seed=5),
        DemandTable(6, [(0, 0, 100, 0.1), (5, 50, 900, 0.2)], day=1000.0),
        DemandTable.by_time([0.0, 60.0], np.array([[0.1] * 6, [0.2] * 6])),
    ):
        Simulator(town, demand=demand).save(tmp_path / "town.npz")
        loaded = Simulator.load(tmp_path / "town.npz").demand
        for time in (0.0, 77.0, 999.0, 1050.5, 4e5):
            assert (loaded.rates(time) == demand.rates(time)).all()
