"""What may be done from outside: arguments come from anybody."""

import pytest

from simulator import Simulator, Town, TownError
from simulator.controls import Controls, Invalid
from simulator.reactive import Actuated, MaxPressure

PRESSURE = MaxPressure(min_green=8, max_green=70.5, all_red=4)


class Running:
    is_paused, speed = False, 10.0


class Asked:
    """A source that knows all controls, and writes down what it was asked."""

    name, step, time = "town", 5.0, 60.0

    def __init__(self):
        self.asked = []

    def set_demand(self, junction, rate):
        if junction == "nowhere":
            raise TownError("junction nowhere: there is none")
        self.asked.append((junction, rate))

    def set_light(self, junction, cycle, offset, greens):
        self.asked.append((junction, cycle, offset, greens))

    def close_street(self, id, t0=None, t1=None, *, detour=True):
        if id == "lost":
            raise KeyError(id)
        self.asked.append((id, t0, t1, detour))

    def open_street(self, id, t0=None, t1=None):
        self.asked.append((id, t0, t1))

    def set_capacity(self, id, share, t0=None, t1=None):
        self.asked.append((id, share, t0, t1))

    def set_phases(self, junction, phases, all_red=3.0, offset=0.0):
        self.asked.append((junction, phases, all_red, offset))

    def set_reactive(self, rule, junctions=None, phases=None):
        self.asked.append((rule, junctions, phases))
        return 7

    def set_wave(self, streets, cycle=None, both_ways=False):
        self.asked.append((streets, cycle, both_ways))
        return 21.5

    def light(self, junction):
        return {"junction": junction, "kind": "none"}


class Recording:
    name, step, time = "town", 5.0, 60.0


@pytest.fixture
def town():
    return Asked()


@pytest.fixture
def controls(town):
    return Controls(town, Running(), "ltm")


STATE = {"paused": False, "speed": 10.0, "time": 60.0, "engine": "ltm"}


def test_all_answer_with_the_state(controls):
    assert controls.call("state", [], {}) == STATE
    assert controls.call("pause", [], {}) == {**STATE, "paused": True}
    assert controls.call("speed", [2], {}) == {**STATE, "paused": True, "speed": 2.0}
    assert controls.call("resume", [], {}) == {**STATE, "speed": 2.0}


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "asked"),
    [
        ("set_demand", ["a", 1], {}, ("a", 1.0)),
        ("set_demand", [], {"junction": "a", "rate": 0.5}, ("a", 0.5)),
        ("set_demand", ["a", None], {}, ("a", None)),
        ("set_light", ["a", 60, 5, {"s": [0, 27]}], {}, ("a", 60.0, 5.0, {"s": (0.0, 27.0)})),
        ("set_light", ["a"], {"cycle": 60, "offset": 0, "greens": {}}, ("a", 60.0, 0.0, {})),
        ("close_street", ["s"], {}, ("s", None, None, True)),
        ("close_street", ["s"], {"t1": 90}, ("s", None, 90.0, True)),
        ("close_street", ["s", 60, 90.5], {}, ("s", 60.0, 90.5, True)),
        ("close_street", ["s", 60, 90.5, False], {}, ("s", 60.0, 90.5, False)),
        ("open_street", ["s"], {}, ("s", None, None)),
        ("open_street", ["s", 60], {"t1": 90.5}, ("s", 60.0, 90.5)),
        ("set_capacity", ["s", 0.5], {}, ("s", 0.5, None, None)),
        ("set_capacity", ["s"], {"share": 0, "t0": 1, "t1": 2}, ("s", 0.0, 1.0, 2.0)),
        (
            "set_phases",
            ["a", [[["s", "t"], 30], [["u"], 20.5]]],
            {},
            ("a", [(["s", "t"], 30.0), (["u"], 20.5)], 3.0, 0.0),
        ),
        ("set_phases", ["a", [[["s"], 30]], 2, 5], {}, ("a", [(["s"], 30.0)], 2.0, 5.0)),
    ],
)
def test_arguments_reach_the_simulator(controls, town, name, args, kwargs, asked):
    assert controls.call(name, args, kwargs) == STATE
    assert town.asked == [asked]


@pytest.mark.parametrize(
    ("name", "args", "message"),
    [
        ("speed", [0], "x: 0 is not above 0 and at most 1e\\+06"),
        ("speed", [float("nan")], "x: expected a finite number"),
        ("speed", [10**400], "x: expected a finite number"),
        ("speed", ["1"], "x: expected a number"),
        ("speed", [True], "x: expected a number"),
        ("speed", [None], "x: expected a number"),
        ("speed", [], "speed: missing a required argument: 'x'"),
        ("pause", [1], "pause: too many positional arguments"),
        ("set_demand", ["a"], "set_demand: missing a required argument"),
        ("set_demand", [1, 1], "junction: expected a text"),
        ("set_demand", ["a", float("inf")], "rate: expected a finite number"),
        ("set_demand", ["nowhere", 1], "junction nowhere: there is none"),
        ("set_light", ["a", 60, 0, []], "greens: expected"),
        ("set_light", ["a", 60, 0, {"s": 1}], r"greens: of 's': expected \[begin, seconds\]"),
        ("set_light", ["a", 60, 0, {"s": [1]}], r"greens: of 's': expected"),
        ("set_light", ["a", 60, 0, {"s": [1, "2"]}], "greens: expected a number"),
        ("set_light", ["a", "60", 0, {}], "cycle: expected a number"),
        ("close_street", [["s"]], "id: expected a text"),
        ("close_street", ["s", "now"], "t0: expected a number"),
        ("close_street", ["lost"], "close_street: there is no 'lost'"),
        ("close_street", ["s", None, None, 1], "detour: expected true or false"),
        ("open_street", [], "open_street: missing a required argument: 'id'"),
        ("open_street", [7], "id: expected a text"),
        ("open_street", ["s", [1]], "t0: expected a number"),
        ("set_capacity", ["s"], "set_capacity: missing a required argument: 'share'"),
        ("set_capacity", ["s", "half"], "share: expected a number"),
        ("set_capacity", ["s", True], "share: expected a number"),
        ("set_phases", ["a", {"s": 30}], r"phases: expected \[\[\[street, …\], seconds\], …\]"),
        ("set_phases", ["a", [["s", 30]]], r"phases: expected \[\[\[street, …\], seconds\], …\]"),
        ("set_phases", ["a", [[["s"], "long"]]], "phases: expected a number"),
        ("set_phases", ["a", [[["s"], 30]] * 17], "phases: at most 16"),
        ("set_reactive", ["a"], "set_reactive: missing a required argument: 'kind'"),
        ("set_reactive", ["a", "clever"], "kind: there is no 'clever'; there are actuated"),
        ("set_reactive", ["a", ["plan"]], "kind: expected a text"),
        ("set_reactive", [7, "plan"], "junction: expected a text"),
        ("set_reactive", ["a", "actuated", 0], "actuated light: min_green is 0; it must be from 1 to 600 s"),
        ("set_reactive", ["a", "max-pressure", None, None, "3"], "all_red: expected a number"),
        ("set_reactive", ["a", "plan", 5], "kind: plan has no min_green"),
        ("set_reactive", ["a", "plan", None, None, None, [["s"]]], "kind: plan has no phases"),
        ("set_reactive", ["a", "actuated", None, None, None, "s"], r"phases: expected \[\[street, …\], …\]"),
        ("set_wave", ["s"], r"streets: expected \[street, …\]"),
        ("set_wave", [["s", 1]], "streets: expected a text"),
        ("set_wave", [["s", "t"], "60"], "cycle: expected a number"),
        ("set_wave", [["s", "t"], 60, "yes"], "both_ways: expected true or false"),
        ("light", [None], "junction: expected a text"),
    ],
)
def test_what_is_wrong_is_said_and_changes_nothing(controls, town, name, args, message):
    with pytest.raises(Invalid, match=message):
        controls.call(name, args, {})
    assert town.asked == []
    assert controls.state() == STATE


def test_unknown_keywords_are_wrong(controls):
    with pytest.raises(Invalid, match="unexpected keyword argument 'y'"):
        controls.call("speed", [1], {"y": 2})


def test_a_recording_cannot_be_changed():
    assert Controls(Recording(), Running(), "replay").names() == ["pause", "resume", "speed", "state"]


def test_a_town_has_all_that_its_simulator_knows(controls):
    assert controls.names() == [
        *("pause", "resume", "speed", "state", "set_demand", "set_light", "set_phases", "set_reactive"),
        *("set_wave", "close_street", "open_street", "set_capacity", "light"),
    ]


@pytest.mark.parametrize(
    ("args", "asked"),
    [
        (["a", "actuated"], (Actuated(), ["a"], None)),
        (["a", "max-pressure", 8, 70.5, 4], (PRESSURE, ["a"], None)),
        (["a", "actuated", None, 50], (Actuated(max_green=50), ["a"], None)),
        (["a", "plan"], (None, ["a"], None)),
        ([None, "actuated"], (Actuated(), None, None)),
        ([None, "plan"], (None, None, None)),
        (["a", "actuated", None, None, None, [["s", "t"], ["u"]]], (Actuated(), ["a"], [["s", "t"], ["u"]])),
    ],
)
def test_lights_that_react_are_told_how_many_they_are(controls, town, args, asked):
    assert controls.call("set_reactive", args, {}) == {**STATE, "lights": 7}
    assert town.asked == [asked]


@pytest.mark.parametrize(
    ("args", "asked"),
    [([["s", "t"]], (["s", "t"], None, False)), ([["s", "t"], 72, True], (["s", "t"], 72.0, True))],
)
def test_a_wave_tells_how_long_it_is_of_each_cycle(controls, town, args, asked):
    assert controls.call("set_wave", args, {}) == {**STATE, "band": 21.5}
    assert town.asked == [asked]


def test_a_light_tells_its_plan(controls):
    assert controls.call("light", ["a"], {}) == {**STATE, "light": {"junction": "a", "kind": "none"}}


def test_a_real_town_does_all_of_it():
    town = Simulator(Town.grid(3, 3))
    controls = Controls(town, Running(), "ltm")
    street = "r1c0-r1c1"
    controls.call("close_street", [street], {})
    assert town.incidents.closed(town.time) == [street]
    controls.call("open_street", [street], {})
    assert town.incidents.closed(town.time) == []
    controls.call("set_capacity", [street, 0.25], {})
    assert town.incidents.narrowed(town.time) == {street: 0.25}
    assert controls.call("set_wave", [["r1c0-r1c1", "r1c1-r1c2"]], {})["band"] == pytest.approx(27)
    assert controls.call("set_reactive", [None, "actuated"], {})["lights"] == 5
    assert controls.call("set_reactive", ["r1c1", "plan"], {})["lights"] == 0
    assert len(town.lights.dump()["reactive"]) == 4
    phases = [[["r1c0-r1c1", "r1c2-r1c1"], 30], [["r0c1-r1c1", "r2c1-r1c1"], 20]]
    controls.call("set_phases", ["r1c1", phases, 2, 5], {})
    assert controls.call("light", ["r1c1"], {})["light"] == {
        "junction": "r1c1",
        "kind": "plan",
        "cycle": 54.0,
        "offset": 5.0,
        "greens": {
            "r0c1-r1c1": [32.0, 20.0],
            "r1c0-r1c1": [0.0, 30.0],
            "r1c2-r1c1": [0.0, 30.0],
            "r2c1-r1c1": [32.0, 20.0],
        },
    }
    for procedure, args, message in [
        ("open_street", ["x"], "street x: there is none of that name"),
        ("open_street", [street, 50, 20], "street r1c0-r1c1: it would begin at 50 s, not before its end"),
        ("set_capacity", [street, 2], "street r1c0-r1c1: share of its capacity is 2; it must"),
        ("set_reactive", ["x", "actuated"], "light x: there is no junction of that name"),
        ("set_reactive", [None, "actuated", None, None, None, [["x"], ["y"]]], "light: phases are those"),
        ("set_wave", [["r0c0-r0c1", "r1c1-r1c2"]], "wave: street r0c0-r0c1 does not lead"),
        ("set_phases", ["r1c1", []], "light r1c1: its phases take 0 s"),
        ("light", ["x"], "light x: there is no junction of that name"),
    ]:
        with pytest.raises(Invalid, match=f"^{message}"):
            controls.call(procedure, args, {})
