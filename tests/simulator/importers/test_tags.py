"""What tags of OpenStreetMap's say: speeds, lanes and one-ways as people write them."""

import pytest

from simulator.importers.tags import sides


def read(**tags):
    return sides({"highway": "secondary", **{name.replace("__", ":"): value for name, value in tags.items()}})


@pytest.mark.parametrize(
    ("text", "kmh", "is_told"),
    [
        ("30", 30, False),
        ("30 km/h", 30, False),
        ("7.5", 7.5, False),
        ("30 mph", 48.28032, False),
        ("30mph", 48.28032, False),
        ("20 knots", 37.04, False),
        ("RO:urban", 50, True),
        ("de:rural", 90, True),
        ("DE:zone:30", 30, True),
        ("DE:zone30", 30, True),
        ("FR:30", 30, True),
        ("none", 130, True),
        ("walk", 7, True),
        ("DE:walk", 7, True),
        ("70|100", 85, True),
        ("50;70", 60, True),
        ("50|none", 90, True),
        ("fast", 50, True),
        ("", 50, True),
        ("signals", 50, True),
        ("99999", 50, True),
        ("0", 50, True),
        ("-30", 50, True),
        ("nan", 50, True),
    ],
)
def test_maxspeed(text, kmh, is_told):
    found = read(maxspeed=text)
    assert found.forward.speed * 3.6 == pytest.approx(kmh)
    assert bool(found.repairs) is is_told


def test_each_side_may_have_its_own_speed():
    found = read(maxspeed="50", maxspeed__backward="30")
    assert found.forward.speed * 3.6 == pytest.approx(50)
    assert found.backward.speed * 3.6 == pytest.approx(30)


@pytest.mark.parametrize(
    ("tags", "forward", "backward"),
    [
        ({}, 1, 1),
        ({"lanes": "1"}, 1, 1),
        ({"lanes": "2"}, 1, 1),
        ({"lanes": "3"}, 2, 1),
        ({"lanes": "4"}, 2, 2),
        ({"lanes": "3", "oneway": "yes"}, 3, None),
        ({"lanes": "3", "oneway": "-1"}, None, 3),
        ({"lanes": "5", "lanes__forward": "3"}, 3, 2),
        ({"lanes": "5", "lanes__backward": "1"}, 4, 1),
        ({"lanes__forward": "2", "lanes__backward": "1"}, 2, 1),
        ({"lanes": "4", "lanes__bus": "2"}, 1, 1),
        ({"lanes": "6", "lanes__psv": "2"}, 2, 2),
        ({"lanes": "3", "oneway": "yes", "bus__lanes": "designated||"}, 2, None),
        ({"lanes": "1", "oneway": "yes", "lanes__bus": "1"}, 1, None),
        ({"lanes": "2;3"}, 1, 1),
        ({"lanes": "1.5"}, 1, 1),
        ({"lanes": "many"}, 1, 1),
        ({"lanes": "-2"}, 1, 1),
        ({"lanes": "0"}, 1, 1),
        ({"lanes": "500"}, 1, 1),
    ],
)
def test_lanes(tags, forward, backward):
    found = read(**tags)
    assert (found.forward and found.forward.lanes, found.backward and found.backward.lanes) == (
        forward,
        backward,
    )
    assert bool(found.repairs) is (tags.get("lanes") in ("2;3", "many", "-2", "0", "500"))


@pytest.mark.parametrize(
    ("tags", "forward", "backward"),
    [
        ({"oneway": "yes"}, True, False),
        ({"oneway": "1"}, True, False),
        ({"oneway": "true"}, True, False),
        ({"oneway": "-1"}, False, True),
        ({"oneway": "reverse"}, False, True),
        ({"oneway": "no"}, True, True),
        ({"oneway": "reversible"}, True, True),
        ({"junction": "roundabout"}, True, False),
        ({"junction": "circular"}, True, False),
        ({"junction": "roundabout", "oneway": "no"}, True, True),
        ({"highway": "motorway"}, True, False),
        ({"highway": "motorway", "oneway": "no"}, True, True),
        ({"highway": "motorway_link"}, True, True),
    ],
)
def test_one_ways(tags, forward, backward):
    found = sides({"highway": "secondary", **tags})
    assert (found.forward is not None, found.backward is not None) == (forward, backward)


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"highway": "footway"},
        {"highway": "service"},
        {"highway": "construction"},
        {"highway": "residential", "access": "private"},
        {"highway": "residential", "motor_vehicle": "no"},
        {"highway": "residential", "area": "yes"},
    ],
)
def test_no_way_for_cars(tags):
    assert sides(tags) is None


def test_what_is_said_of_cars_comes_before_what_is_said_of_all():
    assert sides({"highway": "residential", "access": "no", "motorcar": "yes"}) is not None


def test_motorways_are_wide_and_fast():
    found = sides({"highway": "motorway"})
    assert (found.forward.lanes, found.forward.speed * 3.6) == (2, pytest.approx(120))
