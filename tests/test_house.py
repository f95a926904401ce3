"""``house.py``, which measures the house: each of its checks is shown something to find."""

import json
import subprocess
import sys

import house
import pytest
from house import ROOT, Module, all_imports, complexity, faults, read_modules
from support.trips import TRIPS, make_trips


def modules_of(tmp_path, files):
    """The modules of a tree below ``radiod`` with these texts, by path."""
    for name, text in files.items():
        path = tmp_path / "radiod" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return read_modules(tmp_path, ["radiod"])


def imports(tmp_path, files):
    return all_imports(modules_of(tmp_path, files))


def pairs(found):
    return {(each.who.name, each.whom.name) for each in found}


class TestImports:
    def test_those_for_types_and_in_functions_count(self, tmp_path):
        text = "if TYPE_CHECKING:\n    from radiod.b import B\ndef f():\n    import radiod.c\n"
        found = imports(tmp_path, {"a.py": text, "b.py": "", "c.py": ""})
        assert pairs(found) == {("radiod.a", "radiod.b"), ("radiod.a", "radiod.c")}

    def test_relative_ones_count(self, tmp_path):
        files = {"core/x/a.py": "from . import b\nfrom ..y.c import C", "core/x/b.py": "", "core/y/c.py": ""}
        assert pairs(imports(tmp_path, files)) == {
            ("radiod.core.x.a", "radiod.core.x.b"),
            ("radiod.core.x.a", "radiod.core.y.c"),
        }

    def test_relative_ones_of_a_package_itself_count(self, tmp_path):
        files = {"x/__init__.py": "from .a import A", "x/a.py": ""}
        assert pairs(imports(tmp_path, files)) == {("radiod.x", "radiod.x.a")}

    def test_the_version_of_the_top_is_none(self, tmp_path):
        files = {"__init__.py": "VERSION = 1", "a.py": "from radiod import VERSION"}
        assert imports(tmp_path, files) == []

    def test_two_names_of_one_module_are_one(self, tmp_path):
        assert len(imports(tmp_path, {"a.py": "from radiod.b import B, C", "b.py": ""})) == 1


class TestCircles:
    FILES = {
        "errors.py": "",
        "core/a.py": "if TYPE_CHECKING:\n    from radiod.core.x.b import B",
        "core/x/b.py": "from radiod.core.y.c import C\nimport radiod.errors",
        "core/y/c.py": "from radiod.core.a import A",
    }

    def test_of_files_are_found(self, tmp_path):
        [circle] = house.file_circles(imports(tmp_path, self.FILES))
        assert circle == {"radiod/core/a.py", "radiod/core/x/b.py", "radiod/core/y/c.py"}

    def test_of_packages_are_found_though_no_files_are_in_one(self, tmp_path):
        files = {
            "x/a.py": "import radiod.y.b",
            "y/b.py": "",
            "y/c.py": "import radiod.x.d",
            "x/d.py": "",
        }
        found = imports(tmp_path, files)
        assert house.file_circles(found) == []
        assert house.package_circles(found) == [{"radiod.x", "radiod.y"}]

    def test_modules_at_the_top_are_packages_of_their_own(self, tmp_path):
        files = {"tap.py": "import radiod.x.a", "x/a.py": "import radiod.errors", "errors.py": ""}
        assert house.package_circles(imports(tmp_path, files)) == []

    def test_two_that_do_not_meet_are_two(self, tmp_path):
        arrows = [("a", "b"), ("b", "a"), ("b", "c"), ("c", "d"), ("d", "c")]
        assert house.circles(arrows) == [{"a", "b"}, {"c", "d"}]


class TestFloors:
    def test_upwards_and_sideways_are_found(self, tmp_path):
        files = {
            "core/ids.py": "if TYPE_CHECKING:\n    from radiod.core.realm.realm import Realm",
            "core/realm/realm.py": "import radiod.core.pubsub.broker",
            "core/pubsub/broker.py": "import radiod.core.rpc.dealer\nimport radiod.core.ids",
            "core/rpc/dealer.py": "",
        }
        assert house.count_upwards(imports(tmp_path, files)) == {
            "core -> core.realm": 1,
            "core.pubsub -> core.rpc": 1,
        }

    def test_what_lies_outside_the_core_stands_on_none(self, tmp_path):
        files = {"web/a.py": "import radiod.core.realm.realm", "core/realm/realm.py": "import radiod.web.a"}
        assert house.count_upwards(imports(tmp_path, files)) == {}


class TestSizes:
    def test_functions_in_classes_and_in_functions_have_their_names(self):
        module = Module(ROOT, "radiod.a", "class A:\n  async def f(self):\n    if 1:\n      def g(): ...\n")
        assert [name for name, _ in house.functions_of(module)] == ["A.f", "A.f.g"]

    def test_complexity_is_counted_as_ruff_does_in_the_house(self):
        mine = [found for module in read_modules(ROOT) for found in complexities(module)]
        assert len(mine) > 1000
        assert sorted(mine) == sorted(ruffs(*house.PLACES))

    def test_complexity_is_counted_as_ruff_does_where_it_is_rare(self):
        assert sorted(complexities(Module(ROOT, "-", FORMS))) == sorted(ruffs("-", text=FORMS))

    def test_slots_are_counted(self):
        module = Module(ROOT, "radiod.a", "class A:\n    __slots__ = ('a', 'b')\nclass B:\n    pass")
        assert house.slots_of(module, "A") == 2
        with pytest.raises(LookupError):
            house.slots_of(module, "B")


class TestFaults:
    LIMITS = {"lines": 10}

    def found(self, figures, known):
        return [(fault.thing, fault.figure) for fault in faults({"lines": figures}, known, self.LIMITS)]

    def test_within_the_limit_is_none(self):
        assert self.found({"a": 10}, {}) == []

    def test_above_the_limit_is_one(self):
        assert self.found({"a": 11, "b": 1}, {}) == [("a", 11)]

    def test_what_is_known_is_none_and_may_shrink(self):
        assert self.found({"a": 12}, {"lines": {"a": 12}}) == []
        assert self.found({"a": 11}, {"lines": {"a": 12}}) == []

    def test_worse_than_known_is_one(self):
        assert self.found({"a": 13}, {"lines": {"a": 12}}) == [("a", 13)]

    def test_known_without_need_is_one(self):
        assert self.found({"a": 10}, {"lines": {"a": 12}}) == [("a", 10)]
        assert self.found({}, {"lines": {"gone": 12}}) == [("gone", 0)]

    def test_known_without_a_measure_is_one(self):
        assert self.found({}, {"width": {"a": 12}}) == [("KNOWN", 0)]


@pytest.fixture(scope="module")
def trips():
    return make_trips()


class TestTrips:
    def test_all_are_made(self, trips):
        assert trips.keys() == TRIPS.keys()

    def test_one_passes_the_rooms_that_it_must(self, trips):
        assert {"transport/driver.py", "core/pubsub/broker.py"} <= trips["PUBLISH"].rooms
        assert "core/rpc/dealer.py" in trips["CALL"].rooms
        assert "core/rpc/dealer.py" not in trips["PUBLISH"].rooms
        assert "web/publish.py" in trips["HTTP publish"].rooms

    def test_every_function_counts_and_nothing_of_others(self, trips):
        trip = trips["PUBLISH"]
        assert len(trip.rooms) < trip.calls < 1000
        assert all((ROOT / "radiod" / room).is_file() for room in trip.rooms)


# `make lint` runs it each time.
@pytest.mark.soak
def test_the_script_prints_a_table_and_finds_nothing_wrong():
    ended = subprocess.run(
        [sys.executable, "tests/house.py", "--circles", "--upwards", "--known"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    for measure in house.LIMITS:
        assert f"\n{measure} " in ended.stdout
    for trip in TRIPS:
        assert f"\n{trip} " in ended.stdout


def complexities(module):
    """(function, complexity) by ``house``."""
    return [(node.name, complexity(node)) for _, node in house.functions_of(module)]


def ruffs(*paths, text=None):
    """(function, complexity) by ruff's own rule; of ``text`` where the path is ``-``."""
    options = [
        "--isolated",
        "--select=C901",
        "--ignore-noqa",
        "--output-format=json",
        "--target-version=py311",
    ]
    ended = subprocess.run(
        [sys.executable, "-m", "ruff", "check", *options, "--config=lint.mccabe.max-complexity=0", *paths],
        cwd=ROOT,
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    for found in json.loads(ended.stdout):
        name, _, figure = found["message"].partition("` is too complex (")
        yield name.removeprefix("`"), int(figure.split()[0])


FORMS = """
def plain(): return [x for x in y if x and z or w]
def ladder():
    if a: pass
    elif b: pass
    else:
        if c: pass
def loops():
    for a in b:
        while c: pass
        else: pass
    else: pass
async def waits():
    async for a in b:
        async with c: pass
def tries():
    try: pass
    except A: pass
    except B: pass
    else: pass
    finally: pass
def only_finally():
    try: pass
    finally: pass
def matches():
    match a:
        case 1: pass
        case 2 if b: pass
        case _: pass
def names_the_rest():
    match a:
        case 1: pass
        case rest: pass
def guards_the_rest():
    match a:
        case 1: pass
        case _ if b: pass
def no_rest():
    match a:
        case 1: pass
        case 2: pass
def outer():
    def inner():
        if a: pass
    class C:
        x = 1
        def method(self):
            if b: pass
    lambda: 1 if a else 2
"""
