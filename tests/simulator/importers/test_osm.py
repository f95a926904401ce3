"""``Town.from_osm``: splitting, lights, crossings, islands, signs; and files that are cut or hostile."""

import gzip

import pytest

from simulator import Simulator, Town, TownError

SCALE = 111194.93
"""Metres of a degree."""


def osm(nodes, ways, relations="", signals=()):
    """XML of nodes, id: (x, y) in metres; and of ways, id: ("1 2 3", tags)."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<osm version="0.6">']
    for id, (x, y) in nodes.items():
        tag = '<tag k="highway" v="traffic_signals"/>' if id in signals else ""
        lines.append(f'<node id="{id}" lat="{y / SCALE:.8f}" lon="{x / SCALE:.8f}">{tag}</node>')
    for id, (refs, tags) in ways.items():
        tags = {"highway": "secondary", "maxspeed": "50", "lanes": "2", **tags}
        refs = "".join(f'<nd ref="{ref}"/>' for ref in refs.split())
        tags = "".join(f'<tag k="{key}" v="{value}"/>' for key, value in tags.items())
        lines.append(f'<way id="{id}">{refs}{tags}</way>')
    return "\n".join([*lines, relations, "</osm>"])


CROSS = {1: (-500, 0), 2: (0, 0), 3: (500, 0), 4: (0, 500), 5: (0, -500)}
ROADS = {10: ("1 2 3", {}), 11: ("4 2 5", {})}


@pytest.fixture
def town(written):
    """Reads a town from OSM's XML."""

    def read(text, name="town.osm"):
        return Town.from_osm(written(text, name))

    return read


def test_ways_are_split_where_they_meet(town):
    found = town(osm(CROSS, ROADS))
    assert set(found.street_ids) == {
        f"{sign}{way}#{part}" for sign in ("", "-") for way in (10, 11) for part in (1, 2)
    }
    assert set(found.junction_ids) == {"1", "2", "3", "4", "5"}
    assert found.length == pytest.approx([500] * 8, rel=1e-4)
    assert found.speed * 3.6 == pytest.approx([50] * 8)
    assert found.lanes.tolist() == [1] * 8
    assert found.repairs == found.warnings == ()
    simulator = Simulator(found)
    simulator.run(600)
    assert simulator.stats()["entered"] > 50


def test_places_are_metres_and_bends_are_kept(town):
    found = town(osm({**CROSS, 6: (250, 80)}, {**ROADS, 10: ("1 2 6 3", {})}))
    east = next(each for each in found.describe() if each["id"] == "10#2")
    middle = found.positions[found.junction_ids.index("2")]
    assert len(east["points"]) == 3
    assert [east["points"][1][0] - middle[0], east["points"][1][1] - middle[1]] == pytest.approx(
        [250, 80], abs=0.2
    )
    assert east["length_m"] == pytest.approx(2 * (250**2 + 80**2) ** 0.5, abs=1)


def test_a_way_that_crosses_itself(town):
    nodes = {1: (0, 0), 2: (100, 0), 3: (100, 100), 4: (50, 0), 5: (50, 100)}
    found = town(osm(nodes, {10: ("1 4 2 3 5 4", {})}))
    assert {"10#1", "10#2", "10#3"} <= set(found.street_ids)
    assert found.repairs == ()


def test_lights_stand_at_signals(town):
    nodes = {**CROSS, 6: (1000, 0), 7: (500, 400)}
    ways = {10: ("1 2 3 6", {}), 11: ("4 2 5", {}), 12: ("3 7", {})}
    found = town(osm(nodes, ways, signals={2}))
    assert [id for id, is_lit in zip(found.junction_ids, found.lit, strict=True) if is_lit] == ["2"]
    assert Simulator(found).signals.has_light.sum() == 4


def test_a_light_just_before_a_junction_is_the_junctions(town):
    nodes = {**CROSS, 6: (-15, 0), 7: (-250, 0)}
    found = town(osm(nodes, {**ROADS, 10: ("1 7 6 2 3", {})}, signals={6, 7}))
    assert [id for id, is_lit in zip(found.junction_ids, found.lit, strict=True) if is_lit] == ["2"]
    assert found.repairs == ("town.osm:1: 1 lights far from any junction left out: for pedestrians",)


def test_parts_of_one_crossing_are_joined(town):
    # A street of two carriageways, 12 m apart, crosses another.
    nodes = {1: (-500, 0), 2: (0, 0), 3: (500, 0), 4: (-500, 12), 5: (0, 12), 6: (500, 12)}
    nodes |= {7: (0, 500), 8: (0, -500)}
    ways = {10: ("1 2 3", {"oneway": "yes"}), 11: ("6 5 4", {"oneway": "yes"}), 12: ("7 5 2 8", {})}
    ways |= {13: ("3 6", {}), 14: ("4 1", {})}
    found = town(osm(nodes, ways, signals={2, 5}))
    assert "5" not in found.junction_ids
    assert found.positions[found.junction_ids.index("2")] - found.positions[
        found.junction_ids.index("1")
    ] == (pytest.approx([500, 6], abs=0.1))
    assert [line for line in found.repairs if "crossing" in line] == [
        "town.osm:13: street 12#2: left out: 12 m within the crossing 2"
    ]
    assert found.lit.sum() == 1


def test_what_hangs_loose_is_left_out_and_told(town):
    nodes = {**CROSS, 6: (900, 900), 7: (900, 1400), 8: (0, 900)}
    ways = {**ROADS, 12: ("6 7", {}), 13: ("4 8", {"oneway": "yes"})}
    found = town(osm(nodes, ways))
    assert len(found.street_ids) == 8
    assert [line.split(": left")[0] for line in found.repairs] == [
        "town.osm:13: street 12#1",
        "town.osm:13: street -12#1",
        "town.osm:14: street 13#1",
    ]


@pytest.mark.parametrize("kind", ["no_left_turn", "only_straight_on", "conditional"])
def test_signs_forbid_turns(town, kind):
    ways = {10: ("1 2 3", {}), 11: ("4 2", {}), 12: ("2 5", {})}
    to = 11 if kind == "no_left_turn" else 10
    tags = f'<tag k="type" v="restriction"/><tag k="restriction" v="{kind}"/>'
    members = '<member type="way" ref="10" role="from"/><member type="node" ref="2" role="via"/>'
    relation = f'<relation id="1">{members}<member type="way" ref="{to}" role="to"/>{tags}</relation>'
    found = town(osm(CROSS, ways, relation))
    came = found.street_ids.index("10#1")
    onward = {found.street_ids[to] for to in found.movement_to[found.movement_from == came]}
    expected = {"10#2", "-11#1", "12#1"}
    if kind == "no_left_turn":
        expected -= {"-11#1"}
    elif kind == "only_straight_on":
        expected = {"10#2"}
    assert onward == expected


def test_one_ways_and_roundabouts(town):
    nodes = {1: (0, 0), 2: (50, 0), 3: (50, 50), 4: (0, 50), 5: (-500, 0), 6: (500, 0)}
    ways = {10: ("1 2 3 4 1", {"junction": "roundabout"}), 11: ("5 1", {}), 12: ("6 2", {})}
    found = town(osm(nodes, ways))
    assert {id for id in found.street_ids if "10#" in id} == {"10#1", "10#2"}


def test_points_that_are_not_in_the_file(town):
    found = town(osm(CROSS, {10: ("9 1 2 3 8 8", {}), 11: ("4 2 5", {})}))
    assert len(found.street_ids) == 8
    assert found.repairs == ("town.osm:8: way 10: cut at 3 points that are not there",)


def test_what_the_tags_do_not_say_is_counted(town):
    text = osm(CROSS, ROADS).replace('<tag k="maxspeed" v="50"/>', "", 1)
    assert town(text).repairs == ("town.osm:1: 1 of 2 ways have no maxspeed; taken as usual for their class",)


def test_what_the_tags_say_otherwise_is_told(town):
    found = town(osm(CROSS, {**ROADS, 10: ("1 2 3", {"maxspeed": "RO:urban", "lanes": "4"})}))
    assert found.repairs == ("town.osm:8: way 10: maxspeed is 'RO:urban'; taken as 50 km/h",)
    assert found.lanes[:4].tolist() == [2, 2, 2, 2]


def test_ways_that_are_not_for_cars_are_not_looked_at(town):
    ways = {**ROADS, 12: ("1 4", {"highway": "footway"}), 13: ("1 5", {"access": "private"})}
    assert len(town(osm(CROSS, ways)).street_ids) == 8


def test_packed(town):
    assert len(town(gzip.compress(osm(CROSS, ROADS).encode()), "town.osm.gz").street_ids) == 8


def test_short_streets_are_lengthened(town):
    found = town(osm({**CROSS, 6: (2, 0)}, {10: ("1 2 6 3", {}), 11: ("4 2 5", {}), 12: ("6 5", {})}))
    assert found.repairs[0].startswith("town.osm:9: street 10#2: lengthened from 2 to 13.89 m")
    Simulator(found).run(60)


GOOD = osm(CROSS, ROADS)
BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'

REFUSED = {
    "nothing": ("", "town.osm:1: no XML: no element found: was it cut?"),
    "cut": (GOOD[:-60], "town.osm:9: no XML: unclosed token: was it cut?"),
    "cut between elements": (GOOD[: GOOD.index("<way")], "town.osm:8: no XML: no element found: was it cut?"),
    "no XML": ("id,lat,lon\n1,2,3\n", "town.osm:1: no XML: syntax error"),
    "JSON": ('{"elements": []}', "town.osm:1: no XML: not well-formed"),
    "tags that do not match": (GOOD.replace("</way>", "</wax>", 1), "town.osm:8: no XML: mismatched tag"),
    "entities": (
        GOOD.replace("<osm", f"{BOMB}<osm"),
        "town.osm:2: it declares entities, which no such file needs",
    ),
    "entities from elsewhere": (
        GOOD.replace("<osm", '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><osm'),
        "town.osm:2: it declares entities",
    ),
    "depth": (
        GOOD.replace("<way", "<a>" * 100 + "<way", 1),
        "town.osm:8: elements in elements, more than 64 deep",
    ),
    "one element": (
        GOOD.replace('id="10"', 'id="10" note="' + "x" * 9_000_000 + '"'),
        "town.osm:8: more than 8388608 bytes in one element",
    ),
    "no streets": (osm(CROSS, {}), "town.osm:1: no streets for cars in it"),
    "only footways": (
        osm(CROSS, {10: ("1 2", {"highway": "path"})}),
        "town.osm:1: no streets for cars in it",
    ),
    "only a one-way street": (
        osm(CROSS, {10: ("1 2", {"oneway": "yes"})}),
        "town.osm:1: no streets for cars in it",
    ),
    "no points": (osm({}, ROADS), "town.osm:1: none of the points of its streets is in it"),
    "an id": (GOOD.replace('ref="2"', 'ref="two"', 1), "town.osm:8: ref is 'two', not an id"),
    "no id": (GOOD.replace('<way id="11"', "<way", 1), "town.osm:9: id of a way is '', not an id"),
    "a large id": (
        GOOD.replace('node id="1"', f'node id="{10**30}"', 1),
        "town.osm:3: id of a node is '1000",
    ),
    "no longitude": (GOOD.replace("lon=", "long=", 1), "town.osm:3: lon is '', not a number"),
    "a latitude of 95": (GOOD.replace('lat="0.00000000"', 'lat="95"', 1), "town.osm:3: lat is 95 degrees"),
    "nan": (GOOD.replace('lat="0.00000000"', 'lat="nan"', 1), "town.osm:3: lat is 'nan', not a number"),
    "not UTF-8": (GOOD.encode().replace(b"secondary", b"\xff\xfe", 1), "town.osm:8: no XML: not well-formed"),
    "an unknown encoding": (GOOD.replace("UTF-8", "KLINGON"), "town.osm:1: no XML: unknown encoding"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_broken_file_is_refused_with_file_and_line(town, case):
    text, told = REFUSED[case]
    with pytest.raises(TownError) as error:
        town(text)
    assert str(error.value).startswith(told)
    assert "\n" not in str(error.value)


def test_a_packed_file_that_is_cut(town):
    with pytest.raises(TownError, match=r"^town\.osm\.gz:\d+: cannot be read: Compressed file ended"):
        town(gzip.compress(GOOD.encode())[:-20], "town.osm.gz")


def test_a_file_that_is_not_packed_although_its_name_says_so(town):
    with pytest.raises(TownError, match=r"^town\.osm\.gz:1: cannot be read: Not a gzipped file"):
        town(GOOD, "town.osm.gz")


def test_pbf_is_told_how_to_be_made_xml(town):
    with pytest.raises(TownError, match=r"^town\.osm\.pbf: PBF is not read; make XML of it: osmium cat"):
        town("x", "town.osm.pbf")
