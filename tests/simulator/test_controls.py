"""What may be done from outside: arguments come from anybody."""

import pytest

from simulator import TownError
from simulator.controls import Controls, Invalid


class Running:
    is_paused, speed = False, 10.0


class Town:
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

    def close_street(self, id, t0=None, t1=None):
        if id == "lost":
            raise KeyError(id)
        self.asked.append((id, t0, t1))


class Recording:
    name, step, time = "town", 5.0, 60.0


@pytest.fixture
def town():
    return Town()


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
        ("close_street", ["s"], {}, ("s", None, None)),
        ("close_street", ["s"], {"t1": 90}, ("s", None, 90.0)),
        ("close_street", ["s", 60, 90.5], {}, ("s", 60.0, 90.5)),
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
        "pause",
        "resume",
        "speed",
        "state",
        "set_demand",
        "set_light",
        "close_street",
    ]
