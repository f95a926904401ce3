"""``Town.from_tntp``: what such files hold, what is repaired of them, and what is refused."""

import numpy as np
import pytest

from simulator import Simulator, Town, TownError

UNITS = ("km", "min")

HEAD = """<NUMBER OF ZONES> {zones}
<NUMBER OF NODES> 7
<FIRST THRU NODE> {through}
<NUMBER OF LINKS> {links}
<END OF METADATA>


~ \tInit node \tTerm node \tCapacity \tLength \tFree Flow Time \tB\tPower\tSpeed limit \tToll \tType\t;
"""


def net(*rows, zones=0, through=1, links=None):
    """A net's text; its first row is line 9."""
    lines = [row if row.endswith(";") else f"\t{row}\t0.15\t4\t0\t0\t1\t;" for row in rows]
    return HEAD.format(zones=zones, through=through, links=len(rows) if links is None else links) + "\n".join(
        lines
    )


@pytest.fixture
def written(written):
    """Writes a net, if nothing else is named."""

    def write(text, name="net.tntp"):
        return written(text, name)

    return write


RING = ("1 2 1800 1 1", "2 3 1800 0.5 1", "3 1 3600 1 2")


def test_a_net_becomes_streets_in_the_units_that_are_named(written):
    town = Town.from_tntp(written(net(*RING)), units=("mi", "min"))
    assert town.street_ids == ("1-2", "2-3", "3-1")
    assert town.junction_ids == ("1", "2", "3")
    assert town.length == pytest.approx([1609.344, 804.672, 1609.344])
    assert town.speed == pytest.approx([26.8224, 13.4112, 13.4112])
    assert town.capacity == pytest.approx([0.5, 0.5, 1.0])
    assert town.lanes.tolist() == [1, 1, 2]
    assert town.storage / town.length == pytest.approx([0.15, 0.15, 0.3])
    assert town.repairs == ()


@pytest.mark.parametrize(
    ("units", "metres", "speed"),
    [(("m", "s"), 300, 15), (("km", "h"), 3e5, 15 / 3.6), (("ft", "s"), 91.44, 4.572), ("m,s", 300, 15)],
)
def test_units(written, units, metres, speed):
    town = Town.from_tntp(written(net("1 2 1800 300 20", "2 1 1800 300 20")), units=units)
    assert (town.length[0], town.speed[0]) == (pytest.approx(metres), pytest.approx(speed))


@pytest.mark.parametrize(
    "units", [("m",), ("yd", "s"), ("m", "day"), ("s", "m"), "m", ("m", "s", "h"), (1, 2)]
)
def test_units_that_are_none(written, units):
    with pytest.raises(TownError, match=r"^units: .*: two of them, of length"):
        Town.from_tntp(written(net(*RING)), units=units)


CONNECTED = (
    *("1 3 999999 0 0", "3 1 999999 0 0", "2 5 999999 0 0", "5 2 999999 0 0"),
    *("3 4 1800 1 1", "4 5 1800 1 1", "5 4 1800 1 1", "4 3 1800 1 1", "3 5 1800 3 3"),
)


def test_connectors_become_origins_and_exits(written):
    town = Town.from_tntp(written(net(*CONNECTED, zones=2, through=3)), units=UNITS)
    assert set(town.street_ids) == {"3-4", "4-5", "5-4", "4-3", "3-5"}
    assert {town.junction_ids[at] for at in town.origins} == {"3", "5"}
    assert town.repairs[:2] == (
        "net.tntp:9: street 1-3: a connector of zone 1; an origin at 3",
        "net.tntp:10: street 3-1: a connector of zone 1; an exit at 3",
    )
    leaving = 1 - np.bincount(town.movement_from, town.ratio)[:5]
    at = dict(zip(town.street_ids, leaving, strict=True))
    assert at["4-3"] > at["3-4"] + 0.1


TRIPS = """<NUMBER OF ZONES> 2
<TOTAL OD FLOW> 1260.0
<END OF METADATA>

Origin \t1
    1 :      5.0;     2 :    900.0;
Origin  2
 1: 360;
"""


def test_trips_become_the_demand_and_the_ratios_of_their_paths(written):
    path = written(net(*CONNECTED, zones=2, through=3))
    town = Town.from_tntp(path, trips=written(TRIPS, "trips.tntp"), units=UNITS)
    rates = dict(
        zip((town.junction_ids[at] for at in town.origins), town.demand.rates(0) * 3600, strict=True)
    )
    assert rates == {"3": pytest.approx(900), "5": pytest.approx(360)}
    simulator = Simulator(town)
    assert simulator.demand is town.demand
    simulator.run(3600)
    assert simulator.stats()["entered"] == pytest.approx(1260)
    # The short way of two streets takes all; 180 s after they enter they are gone.
    at = {id: place for place, id in enumerate(town.street_ids)}
    assert simulator.engine.entered[at["4-5"]] == pytest.approx(900, rel=0.05)
    assert simulator.engine.entered[at["3-5"]] == 0
    assert simulator.stats()["inside"] < 80


def test_trips_spread_where_one_way_is_not_enough(written):
    path = written(net(*CONNECTED, zones=2, through=3))
    trips = written(TRIPS.replace("900.0", "4000.0"), "trips.tntp")
    town = Town.from_tntp(path, trips=trips, units=UNITS)
    first = [town.street_ids[to] for to in town.movement_to[town.movement_from == 5]]
    assert set(first) == {"3-4", "3-5"}


def test_nobody_drives_through_a_zone(written):
    rows = ("1 3 1800 1 1", "3 1 1800 1 1", "1 4 1800 1 1", "4 1 1800 1 1", "2 4 1800 1 1", "3 4 1800 9 9")
    trips = (
        TRIPS.replace("Origin \t1", "Origin 2")
        .replace("     2 :    900.0;", "")
        .replace(" 2\n 1: 360", " 1\n 2: 9")
    )
    town = Town.from_tntp(
        written(net(*rows, "4 3 1800 9 9", zones=2, through=3)),
        trips=written(trips, "trips.tntp"),
        units=UNITS,
    )
    assert "trips.tntp: 9 vehicles/h from 1 to 2 left out: no way leads there on streets" in town.warnings


def test_nodes_are_where_the_file_says(written):
    nodes = written("Node\tX\tY\t;\n1\t100\t200\t;\n2\t400\t200;\n3 400 600 ;\n", "node.tntp")
    town = Town.from_tntp(written(net(*RING)), nodes, units=UNITS)
    assert town.positions.tolist() == [[100, 200], [400, 200], [400, 600]]


def test_degrees_become_metres(written):
    nodes = written("node\tX\tY\t;\n1 13.4 52.5;\n2 13.5 52.5;\n3 13.5 52.6;\n", "node.tntp")
    town = Town.from_tntp(written(net(*RING)), nodes, units=UNITS)
    spans = np.diff(town.positions, axis=0)
    assert spans[1].tolist() == pytest.approx([0, 11119.5], abs=1)
    assert spans[0].tolist() == pytest.approx([6765, 0], rel=2e-3)


def test_without_nodes_the_map_is_drawn_by_lengths(written):
    rows = [f"{a} {b} 1800 1 1" for a, b in ((1, 2), (2, 3), (3, 4), (4, 5), (2, 1), (5, 1))]
    town = Town.from_tntp(written(net(*rows)), units=UNITS)
    assert "town: 5 junctions have no place; the map is drawn by lengths" in town.warnings
    assert len({tuple(place) for place in town.positions.round(1).tolist()}) == 5


REPAIRED = {
    "time 0": ("1 2 1800 1 0", 1000, 50 / 3.6, 0.5, "a time of 0 s; taken as 72"),
    "time inf": ("1 2 1800 1 inf", 1000, 50 / 3.6, 0.5, "a time of inf s; taken as 72"),
    "length 0": (
        "1 2 1800 0 1",
        60 * 50 / 3.6,
        50 / 3.6,
        0.5,
        "a length of 0; taken as 833.3 m, by its time",
    ),
    "both 0": ("1 2 1800 0 0", 50 / 3.6, 50 / 3.6, 0.5, "a length of 0; taken as 13.89 m, a second's way"),
    "capacity 0": ("1 2 0 1 1", 1000, 1000 / 60, 0.5, "a capacity of 0 vehicles/h; taken as 1800"),
    "capacity 1": ("1 2 1 1 1", 1000, 1000 / 60, 0.5, "a capacity of 1 vehicles/h; taken as 1800"),
    "capacity 999999": (
        "1 2 999999 1 1",
        1000,
        1000 / 60,
        2,
        "a capacity of 999999 vehicles/h is none; taken as",
    ),
    "capacity inf": (
        "1 2 inf 1 1",
        1000,
        1000 / 60,
        2,
        "a capacity of inf vehicles/h is none; taken as 7200",
    ),
    "9 columns": ("1 2 1800 1 1 0.15 4 0 0;", 1000, 1000 / 60, 0.5, "9 of 10 columns; the last ones are"),
    "5 columns": ("1 2 1800 1 1;", 1000, 1000 / 60, 0.5, "5 of 10 columns"),
    "too fast": ("1 2 1800 1 1e-8", 1000, 70, 0.5, "a speed of 1.667e+09 m/s; taken as 70"),
    "too slow": ("1 2 360 1 1000", 1000, 0.5, 0.1, "a speed of 0.01667 m/s; taken as 0.5"),
    "speed column": ("1 2 1800 1 0 0.15 4 60 0 1;", 1000, 60 / 3.6, 0.5, "a time of 0 s; taken as 60"),
}


@pytest.mark.parametrize("case", REPAIRED)
def test_what_is_repaired_is_told(written, case):
    row, length, speed, capacity, told = REPAIRED[case]
    town = Town.from_tntp(written(net(row, "2 1 1800 1 1")), units=UNITS)
    assert town.repairs[0].startswith(f"net.tntp:9: street 1-2: {told}")
    assert town.length[0] == pytest.approx(length)
    assert town.speed[0] == pytest.approx(speed)
    assert town.capacity[0] == pytest.approx(capacity)
    Simulator(town).run(60)


def test_streets_that_are_too_short_are_lengthened(written):
    town = Town.from_tntp(written(net("1 2 1800 0.002 0.002", "2 1 1800 1 1")), units=UNITS)
    assert town.repairs == (
        "net.tntp:9: street 1-2: lengthened from 2 to 16.67 m, "
        "holds 1 vehicles instead of 0.3, for steps of 1 s",
    )
    Simulator(town).run(600)


def test_two_streets_between_the_same_nodes_have_names_of_their_own(written):
    town = Town.from_tntp(written(net("1 2 1800 1 1", "1 2 1800 2 2", "2 1 1800 1 1")), units=UNITS)
    assert town.street_ids == ("1-2", "1-2#2", "2-1")
    assert town.repairs == ("net.tntp:10: street 1-2: a second one of that name; it is called 1-2#2",)


def test_streets_that_end_where_they_begin_are_left_out(written):
    town = Town.from_tntp(written(net("1 1 1800 1 1", *RING)), units=UNITS)
    assert town.repairs == ("net.tntp:9: street 1-1: left out: it ends where it begins, at 1",)


def test_more_links_than_it_says_and_no_first_through_node(written):
    text = net(*RING, links=2).replace("<FIRST THRU NODE> 1\n", "")
    town = Town.from_tntp(written(text), units=UNITS)
    assert town.repairs == (
        "net.tntp:4: no first through node: every node is taken as a junction",
        "net.tntp:10: 3 links, not 2 as it says; all are taken",
    )


def test_units_that_make_no_town_are_doubted(written):
    town = Town.from_tntp(written(net("1 2 1800 6 6", "2 1 1800 6 6")), units=("ft", "min"))
    assert town.warnings[0] == "net.tntp:1: a street is usually 0.00508 m/s fast: are the units ft,min?"


def test_windows_ends_a_byte_order_mark_and_comments(written):
    text = (
        b"\xef\xbb\xbf" + net("1 2 1800 1 1 0.15 4 0 0 1 ; ~ note", *RING[1:]).replace("\n", "\r\n").encode()
    )
    assert Town.from_tntp(written(text), units=UNITS).repairs == ()


REFUSED = {
    "nothing": ("", "net.tntp:1: no <END OF METADATA>"),
    "no metadata": ("\t1\t2\t1800\t1\t1\t;\n", "net.tntp:1: no <END OF METADATA>"),
    "cut": (net(*RING)[:-40], "net.tntp:10: the file ends after 2 of 3 links"),
    "cut in a row": (net(*RING)[:-20], "net.tntp:11: 3 columns"),
    "rows are missing": (net(*RING, links=5), "net.tntp:11: the file ends after 3 of 5 links"),
    "4 columns": (net("1 2 1800 1;"), "net.tntp:9: 4 columns; a link has at least init node, term node"),
    "text": (net("1 2 many 1 1"), "net.tntp:9: capacity is 'many', not a number"),
    "nan": (net("1 2 1800 nan 1"), "net.tntp:9: length is 'nan', not a number"),
    "underscores": (net("1 2 1_800 1 1"), "net.tntp:9: capacity is '1_800', not a number"),
    "a node without a number": (
        net("a 2 1800 1 1"),
        "net.tntp:9: init node is 'a', not the number of a node",
    ),
    "half a node": (net("1.5 2 1800 1 1"), "net.tntp:9: init node is '1.5', not the number"),
    "negative length": (net("1 2 1800 -1 1"), "net.tntp:9: street 1-2: its length is -1"),
    "negative capacity": (net("1 2 -1800 1 1"), "net.tntp:9: street 1-2: its capacity is -1800"),
    "length inf": (net("1 2 1800 inf 1"), "net.tntp:9: street 1-2: a length of inf m; at most 1e+06"),
    "no streets": (net("1 1 1800 1 1"), "net.tntp:1: no streets in it"),
    "only connectors": (net("1 2 9 1 1", zones=2, through=3), "net.tntp:1: no streets in it"),
    "zones without number": (net(*RING, zones="many"), "net.tntp:1: number of zones is 'many', not a number"),
    "half a zone": (net(*RING, zones=1.5), "net.tntp:1: number of zones is 1.5, not a count"),
    "latin-1": (
        net(*RING).encode() + "\n~ Straße".encode("latin-1"),
        "net.tntp:12: byte 0xdf is no utf-8 text",
    ),
    "zero bytes": (net(*RING).encode() + b"\n\0\0\0", "net.tntp:12: no text: it holds zero bytes"),
    "one long line": (b"<" * (1 << 21), "net.tntp:1: a line of more than 1048576 bytes"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_broken_net_is_refused_with_file_and_line(written, case):
    text, told = REFUSED[case]
    with pytest.raises(TownError) as error:
        Town.from_tntp(written(text), units=UNITS)
    assert str(error.value).startswith(told)
    assert "\n" not in str(error.value)


REFUSED_TRIPS = {
    "nothing": ("", "trips.tntp:1: no <END OF METADATA>"),
    "no trips": ("<END OF METADATA>\nOrigin 1\n", "trips.tntp:2: no trips in it"),
    "only within a zone": ("<END OF METADATA>\nOrigin 1\n1: 5;", "trips.tntp:3: no trips in it"),
    "no origin": ("<END OF METADATA>\n1: 5;", "trips.tntp:2: '1: 5'; trips stand as ZONE : VOLUME;"),
    "no colon": ("<END OF METADATA>\nOrigin 1\n2 5;", "trips.tntp:3: '2 5'; trips stand as"),
    "text": (
        "<END OF METADATA>\nOrigin 1\n2: some;",
        "trips.tntp:3: the volume from 1 to 2 is 'some', not a",
    ),
    "nan": ("<END OF METADATA>\nOrigin 1\n2: nan;", "trips.tntp:3: the volume from 1 to 2 is 'nan', not a"),
    "negative": ("<END OF METADATA>\nOrigin 1\n2: -5;", "trips.tntp:3: -5 vehicles/h from 1 to 2"),
    "inf": ("<END OF METADATA>\nOrigin 1\n2: inf;", "trips.tntp:3: inf vehicles/h from 1 to 2"),
    "a zone without number": ("<END OF METADATA>\nOrigin A\n", "trips.tntp:2: origin is 'A', not the number"),
}


@pytest.mark.parametrize("case", REFUSED_TRIPS)
def test_broken_trips_are_refused_with_file_and_line(written, case):
    text, told = REFUSED_TRIPS[case]
    path = written(net(*RING))
    with pytest.raises(TownError) as error:
        Town.from_tntp(path, trips=written(text, "trips.tntp"), units=UNITS)
    assert str(error.value).startswith(told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "node.tntp:1: no nodes in it"),
        ("Node X Y;\n1 5;", "node.tntp:2: 2 columns; a node has its number, x and y"),
        ("Node X Y;\n1 a 5;", "node.tntp:2: x is 'a', not a number"),
        ("Node X Y;\n1 0 1e300;", "node.tntp:2: node 1: its position is 0, 1e+300"),
        ("Node X Y;\n1 0 0;\nb 0 0;", "node.tntp:3: 'b' is not the number of a node"),
    ],
)
def test_broken_nodes_are_refused_with_file_and_line(written, text, told):
    path = written(net(*RING))
    with pytest.raises(TownError) as error:
        Town.from_tntp(path, written(text, "node.tntp"), units=UNITS)
    assert str(error.value).startswith(told)


def test_a_file_that_is_not_there(written):
    with pytest.raises(TownError, match=r"^no\.tntp: cannot be read: No such file or directory$"):
        Town.from_tntp("no.tntp", units=UNITS)


def test_trips_of_unknown_zones_are_left_out_and_told(written):
    path = written(net(*RING))
    trips = written("<END OF METADATA>\nOrigin 1\n2: 60; 9: 30;\nOrigin 8\n1: 3;", "trips.tntp")
    town = Town.from_tntp(path, trips=trips, units=UNITS)
    assert "trips.tntp: 30 vehicles/h from 1 to 9 left out: no way leads there on streets" in town.warnings
    assert "trips.tntp: 3 vehicles/h from 8 to 1 left out: no way leads there on streets" in town.warnings
    assert town.demand.rates(0) * 3600 == pytest.approx([60])
