"""A file of lights and closed streets: what it does, and file and line of what is wrong in it."""

import json
from pathlib import Path

import pytest

from simulator import Simulator, Town
from simulator.__main__ import main
from simulator.errors import TownError
from simulator.phases import phased
from simulator.reactive import Actuated, MaxPressure
from simulator.scenario import MAX_BYTES, apply_scenario

GOOD = """
# The middle of a town.
[[light]]
junction = "r1c1"
cycle = 90
offset = 10.5
greens = { "r1c0-r1c1" = [0, 40], "r0c1-r1c1" = [45, 40] }

[[light]]
junction = "r2c1"
offset = 5
all_red = 2
phases = [
  { streets = ["r2c0-r2c1", "r2c2-r2c1"], green = 30 },
  { streets = ["r1c1-r2c1", "r3c1-r2c1"], green = 26.5 },
]

[[closure]]
streets = ["r0c0-r0c1", "r0c1-r0c0"]
begin = 600
end = 1800

[[closure]]
streets = ["r3c0-r3c1"]
detour = false

[[light]]
junction = "r1c2"
kind = "actuated"
max_green = 50

[[light]]
junction = "r2c2"
kind = "max-pressure"
phases = [["r2c1-r2c2", "r2c3-r2c2"], ["r1c2-r2c2"], ["r3c2-r2c2"]]
min_green = 8
max_green = 90.5
all_red = 4

[[capacity]]
streets = ["r3c3-r2c3"]
share = 0.5
begin = 10
"""


@pytest.fixture
def simulator():
    return Simulator(Town.grid(4, 4))


def write(tmp_path, text):
    path = tmp_path / "town.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_it_does_what_the_calls_do(simulator, tmp_path):
    apply_scenario(simulator, write(tmp_path, GOOD))
    other = Simulator(Town.grid(4, 4))
    other.set_light("r1c1", 90, 10.5, {"r1c0-r1c1": (0, 40), "r0c1-r1c1": (45, 40)})
    phases = [(["r2c0-r2c1", "r2c2-r2c1"], 30), (["r1c1-r2c1", "r3c1-r2c1"], 26.5)]
    other.set_phases("r2c1", phases, all_red=2, offset=5)
    other.set_reactive(Actuated(max_green=50), ["r1c2"])
    ways = [["r2c1-r2c2", "r2c3-r2c2"], ["r1c2-r2c2"], ["r3c2-r2c2"]]
    other.set_reactive(MaxPressure(min_green=8, max_green=90.5, all_red=4), ["r2c2"], ways)
    other.close_street("r0c0-r0c1", 600, 1800)
    other.close_street("r0c1-r0c0", 600, 1800)
    other.close_street("r3c0-r3c1", detour=False)
    other.set_capacity("r3c3-r2c3", 0.5, 10)
    assert simulator.lights.dump() == other.lights.dump()
    assert simulator.incidents.dump() == other.incidents.dump()


def test_all_lights_may_react_and_a_street_be_a_wave(simulator, tmp_path):
    wave = '[[wave]]\nstreets = ["r1c0-r1c1", "r1c1-r1c2"]\ncycle = 72\nboth_ways = true\n'
    apply_scenario(simulator, write(tmp_path, wave))
    cycle = simulator.signals.plans()[0]
    assert cycle[simulator.town.street_ids.index("r1c1-r1c2")] == 72
    apply_scenario(simulator, write(tmp_path, '[[light]]\nkind = "actuated"\n'))
    assert len(simulator.lights.dump()["reactive"]) == 12


PLANS = """
[[light]]
junction = "r1c1"
day = 86400

[[light.plans]]
from = 0
cycle = 60
greens = { "r1c0-r1c1" = [0, 27], "r0c1-r1c1" = [30, 27] }

[[light.plans]]
from = 21600
offset = 5
all_red = 2
phases = [{ streets = ["r1c0-r1c1"], green = 50 }, { streets = ["r0c1-r1c1"], green = 30 }]

[[light]]
junction = "r1c2"
plans = [
  { from = 0, cycle = 0, greens = {} },
  { from = 600, cycle = 60, greens = { "r1c1-r1c2" = [0, 27] } },
]
"""


def test_plans_by_the_time_of_day(simulator, tmp_path):
    apply_scenario(simulator, write(tmp_path, PLANS))
    other = Simulator(Town.grid(4, 4))
    calm = (60, 0, {"r1c0-r1c1": (0, 27), "r0c1-r1c1": (30, 27)})
    busy = phased([(["r1c0-r1c1"], 50), (["r0c1-r1c1"], 30)], 2, 5)
    other.set_plans("r1c1", {0: calm, 21_600: busy}, 86_400)
    other.set_plans("r1c2", {0: (0, 0, {}), 600: (60, 0, {"r1c1-r1c2": (0, 27)})})
    assert simulator.lights.dump() == other.lights.dump()
    assert len(simulator.lights.dump()["by_time"]) == 2


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("from = 0\n", "", 6, "light: plan 1: from is missing"),
        ("from = 0\n", "from = '6:00'\n", 6, "light: plan 1: from is '6:00'; it must be a number"),
        ("from = 21600", "from = 0", 11, "light: plan 2: there is another one from 0 s on"),
        ("from = 21600", "from = 90000", 2, "light r1c1: a time of 90000 s in a day of 86400 s"),
        ("all_red = 2", "red = 2", 11, "light: plan 2: there is no red"),
        ("cycle = 0,", "", 19, "light: plan 1: cycle is missing"),
        ("plans = [\n  {", "plans = [\n  7, {", 19, "light: each of plans is a table"),
        ("day = 86400", "dai = 86400", 4, "light: there is no dai"),
    ],
)
def test_plans_by_the_time_of_day_that_are_wrong_are_told(simulator, tmp_path, old, new, line, said):
    assert old in PLANS
    path = write(tmp_path, PLANS.replace(old, new, 1))
    with pytest.raises(TownError, match=rf"^{path}:{line}: {said}"):
        apply_scenario(simulator, path)


def test_the_example_of_the_documentation_works(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text()
    example = page.partition("```toml\n")[2].partition("```")[0]
    simulator = Simulator(Town.grid(10, 10))
    apply_scenario(simulator, write(tmp_path, example))
    simulator.run(30)
    assert len(simulator.lights.dump()["reactive"]) == 96 - 3


def test_an_empty_file_does_nothing(simulator, tmp_path):
    before = simulator.lights.dump()
    apply_scenario(simulator, write(tmp_path, "# Nothing today.\n"))
    assert simulator.lights.dump() == before


LIGHT = '[[light]]\njunction = "r1c1"\n'
CLOSURE = '\n[[closure]]\nstreets = ["r0c0-r0c1"]\n'


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("[[light]\n", 1, "Expected"),
        ("\n\nx = \n", 3, "Invalid value"),
        ("x = 1\n", 1, r"x: expected \[\[light\]\], \[\[wave\]\], \[\[closure\]\], \[\[capacity\]\]"),
        (CLOSURE + "\n[[closures]]\n", 5, "closures: expected"),
        ("[light]\n", 1, r"light: expected a list of tables, \[\[light\]\]"),
        ("\nlight = [1]\n", 2, "light: expected a list of tables"),
        ("[[light]]\n\n", 1, "light: junction is missing"),
        (LIGHT, 1, "light: cycle is missing"),
        (LIGHT + "cycle = 60\n", 1, "light: greens is missing"),
        (LIGHT + 'cycle = "60 s"\n', 3, "light: cycle is '60 s'; it must be a number"),
        (LIGHT + "cycle = true\n", 3, "light: cycle is True; it must be a number"),
        (LIGHT + "cycle = nan\ngreens = {}\n", 1, "light r1c1: cycle is nan"),
        (LIGHT + "cycle = 60\ngreens = 5\n", 4, "light: greens is 5; it must be a table"),
        (LIGHT + 'cycle = 60\ngreens = { "x" = [0, 1] }\n', 1, "light r1c1: there is no street x"),
        (LIGHT + "cycle = 60\ngreens = {}\nofset = 3\n", 5, "light: there is no ofset"),
        (LIGHT + 'kind = "clever"\n', 3, "light: kind is 'clever'; there are plan, actuated, max-pressure"),
        (LIGHT + 'kind = "actuated"\nmin_green = 0\n', 1, "actuated light: min_green is 0"),
        (LIGHT + 'kind = "actuated"\ncycle = 60\n', 4, "light: there is no cycle"),
        (LIGHT + 'kind = "actuated"\nphases = [["x"], ["y"]]\n', 1, "light r1c1: there is no street x"),
        (LIGHT + "phases = [1]\n", 3, r"light: each of phases is \{streets"),
        (LIGHT + "phases = [{streets = [], green = []}]\n", 3, "light: phases: green is"),
        (LIGHT + "phases = [{streets = [1], green = 3}]\n", 3, "light: phases: streets is a list of ids"),
        (CLOSURE + CLOSURE + "end = 0\n", 5, "street r0c0-r0c1: it would begin at 0 s"),
        (CLOSURE + 'begin = "8:00"\n', 4, "closure: begin is '8:00'; it must be a number"),
        (CLOSURE + "begin = 08:00:00\n", 4, "closure: begin is .*; it must be a number"),
        (CLOSURE + "detour = 1\n", 4, "closure: detour is 1; it must be true or false"),
        ("[[closure]]\nstreets = 'a'\n", 2, "closure: streets is 'a'; it must be a list"),
        ("[[closure]]\nstreets = ['a']\n", 1, "street a: there is none of that name"),
        ("[[capacity]]\nstreets = []\n", 1, "capacity: share is missing"),
        (
            "[[capacity]]\nstreets = ['r0c0-r0c1']\nshare = 2\n",
            1,
            "street r0c0-r0c1: share of its capacity is 2",
        ),
        ("[[wave]]\nstreets = ['r0c0-r0c1']\n", 1, "wave: it leads along two streets"),
        ("capacity = [\n{streets = [], share = 1},\n{streets = []}]\n", 1, "capacity: share is missing"),
        ("x = " + "9" * 5000, 1, ""),
        ("a = " + "[" * 5000, 1, ""),
    ],
)
def test_what_is_wrong_is_told_with_file_and_line(simulator, tmp_path, text, line, said):
    path = write(tmp_path, text)
    with pytest.raises(TownError, match=rf"^{path}:{line}: {said}") as caught:
        apply_scenario(simulator, path)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read_are_refused(simulator, tmp_path):
    with pytest.raises(TownError, match=r"nothing\.toml: No such file"):
        apply_scenario(simulator, tmp_path / "nothing.toml")
    with pytest.raises(TownError, match=r": Is a directory"):
        apply_scenario(simulator, tmp_path)
    with pytest.raises(TownError, match=r"town\.toml: not UTF-8"):
        apply_scenario(simulator, write(tmp_path, b"# \xff"))
    with pytest.raises(TownError, match=r"town\.toml: more than 16777216 bytes"):
        apply_scenario(simulator, write(tmp_path, b"#" * (MAX_BYTES + 1)))


def test_the_command_takes_one(tmp_path, capsys):
    path = write(tmp_path, "[[capacity]]\nstreets = ['r0c0-r0c1']\nshare = 0\n")
    command = [
        "--town",
        "grid:2x2",
        "--dry-run",
        "--samples",
        "2",
        "--warm-up",
        "300",
        "--scenario",
        str(path),
    ]
    assert main(command) == 0
    assert [json.loads(line)["n"][0] for line in capsys.readouterr().out.splitlines()] == [0, 0]
    path.write_text("[[closure]]\nstreets = ['x']\n")
    assert main(command) == 2
    assert capsys.readouterr().err == f"simulator: {path}:1: street x: there is none of that name\n"
