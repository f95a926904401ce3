"""The map in parts: each of them a message that a server with default limits takes."""

import json
import random

import pytest

from simulator import Simulator, Town
from simulator.maps import MAX_BYTES, parts, topic, whole

MESSAGE = 1024 * 1024
"""``limits.max_message_bytes``, unless it is set."""


def described(rows, columns):
    return Simulator(Town.grid(rows, columns), "town").map()


def test_the_map_of_a_small_town_is_one_message_as_ever():
    town = described(10, 10)
    assert parts(town) == [town]
    assert whole([town]) == town


@pytest.mark.parametrize(("rows", "columns", "max_bytes"), [(51, 51, MAX_BYTES), (10, 10, 5000), (3, 3, 500)])
def test_a_larger_map_comes_in_parts_that_make_the_same(rows, columns, max_bytes):
    town = described(rows, columns)
    cut = parts(town, max_bytes)
    assert len(cut) > 1
    assert max(len(json.dumps(part, separators=(",", ":"))) for part in cut) <= max_bytes
    assert [part["part"] for part in cut] == list(range(1, len(cut) + 1))
    assert {part["parts"] for part in cut} == {len(cut)}
    assert {part["name"] for part in cut} == {"town"}
    assert cut[0]["k_jam"] == 0.125
    random.Random(1).shuffle(cut)
    assert whole(cut) == town


def test_nothing_is_made_of_parts_that_are_not_all_there_or_of_different_maps():
    one, other = parts(described(10, 10), 9000), parts(described(10, 11), 9000)
    assert whole([]) is None
    assert whole(one[1:]) is None
    assert whole(one[:-1]) is None
    assert whole([one[0], *other[1:]]) is None
    assert whole([*one, *other[1:]])["streets"] == described(10, 10)["streets"]


def test_a_street_longer_than_a_part_is_a_part_by_itself():
    cut = parts(described(2, 2), 10)
    assert [len(part["streets"]) for part in cut] == [1] * 8


def test_parts_have_topics_below_the_map():
    assert [topic("town", part) for part in (1, 2, 13)] == ["town.map", "town.map.2", "town.map.13"]


def test_the_map_of_a_hundred_thousand_streets_fits_into_default_limits():
    town = described(5, 5)
    one = {**town["streets"][0], "points": [[-123456.7, 123456.7], [-234567.8, 234567.8]], "lanes": 1.5}
    town["streets"] = [{**one, "id": f"{n:022}-{n:022}", "from": f"{n:022}"} for n in range(100_000)]
    sizes = [
        len(json.dumps({"topic": "t" * 200, "args": [part], "options": {"retain": True}}))
        for part in parts(town)
    ]
    assert max(sizes) < MESSAGE
    # limits.max_retained_bytes
    assert sum(sizes) < 64 * 1024 * 1024 / 2
