"""``Town.from_gmns``: units that files say, do not say, or say wrongly; blanks, cut names, connectors."""

import pytest

from simulator import Simulator, Town, TownError

# Some 500 m apart, on a plane; and the same in degrees.
NODES = "node_id,x_coord,y_coord\n1,0,0\n2,500,0\n3,500,500\n"
DEGREES = "node_id,x_coord,y_coord\n1,13,52\n2,13.00731,52\n3,13.00731,52.004497\n"
LINKS = """link_id,from_node_id,to_node_id,directed,length,lanes,free_speed,capacity
a,1,2,1,500,1,50,1800
b,2,3,1,510,2,50,1700
c,3,1,1,720,1,30,1000
"""
METRIC = "dataset_name,short_length,long_length,speed\ntest,m,m,kph\n"


@pytest.fixture
def town(written):
    """Reads a town from a folder's files."""

    def read(links=LINKS, nodes=NODES, config=METRIC, geometry=None, demand=None):
        files = {"node": nodes, "link": links, "config": config, "geometry": geometry, "demand": demand}
        for name, text in files.items():
            if text is not None:
                written(text, f"town/{name}.csv")
        return Town.from_gmns("town")

    return read


def test_links_become_streets(town):
    found = town()
    assert found.street_ids == ("a", "b", "c")
    assert found.length == pytest.approx([500, 510, 720])
    assert found.speed * 3.6 == pytest.approx([50, 50, 30])
    assert found.capacity * 3600 == pytest.approx([1800, 3400, 1000])
    assert found.lanes.tolist() == [1, 2, 1]
    assert found.positions.tolist() == [[0, 0], [500, 0], [500, 500]]
    assert found.repairs == ()
    Simulator(found).run(600)


def in_unit(metres, speeds=None):
    """The links with lengths in another unit, and perhaps other speeds."""
    text = LINKS
    for length in (500, 510, 720):
        text = text.replace(f",{length},", f",{length / metres:.6g},")
    return text if speeds is None else text.replace(",50,", f",{speeds},").replace(",30,", f",{speeds},")


@pytest.mark.parametrize(
    ("unit", "metres"), [("mile", 1609.344), ("foot", 0.3048), ("km", 1000), ("meters", 1), ("FT", 0.3048)]
)
@pytest.mark.parametrize(
    "nodes", [NODES, DEGREES, "node_id\n1\n2\n3\n"], ids=["plane", "degrees", "no places"]
)
def test_units_of_the_config(town, unit, metres, nodes):
    found = town(in_unit(metres), nodes, METRIC.replace("m,m,", f"m,{unit},"))
    assert found.length == pytest.approx([500, 510, 720], rel=1e-4)
    assert [line for line in found.repairs if "length" in line] == []


@pytest.mark.parametrize("metres", [1609.344, 0.3048, 1000])
def test_a_config_that_names_the_wrong_unit(town, metres):
    wrong = "foot" if metres > 1 else "mile"
    found = town(in_unit(metres), config=METRIC.replace("m,m,", f"m,{wrong},"))
    assert found.length == pytest.approx([500, 510, 720], rel=1e-4)
    assert found.repairs[0].startswith("town/link.csv:1: most lengths are in ")


@pytest.mark.parametrize(("metres", "name"), [(1609.344, "mi"), (0.3048, "ft"), (1000, "km"), (1, "m")])
def test_without_a_config_the_places_show_the_unit(town, metres, name):
    found = town(in_unit(metres), DEGREES, None)
    assert found.length == pytest.approx([500, 510, 720], rel=1e-4)
    told = f"town/link.csv:1: config.csv names no units: lengths are taken as {name}, speeds as "
    assert found.repairs == (told + ("miles/h" if name in ("mi", "ft") else "0.2778 m/s"),)


@pytest.mark.parametrize("metres", [1, 1000])
def test_without_config_and_places_a_usual_length_shows_the_unit(town, metres):
    found = town(in_unit(metres), "node_id\n1\n2\n3\n", None)
    assert found.length == pytest.approx([500, 510, 720], rel=1e-4)


def test_two_units_in_one_file(town):
    links = LINKS.replace("510", "0.3169")
    found = town(links)
    assert found.length[1] == pytest.approx(510, rel=1e-3)
    assert found.repairs == ("town/link.csv:3: street b: a length of 0.3169 is in mi, not in m",)


def test_lengths_that_no_unit_explains(town):
    found = town(LINKS.replace(",510,", ",200,"))
    assert found.length[1] == 500
    assert found.repairs == (
        "town/link.csv:3: street b: 200 m is too short; taken as 500 m, from end to end",
    )


def test_blanks_become_what_is_usual_and_are_counted(town):
    header = LINKS.splitlines()[0]
    found = town(header + '\na,1,2,1,, ," ",\nb,2,1,1,500,1,50,1800\n')
    assert found.length[0] == 500
    assert found.speed[0] * 3.6 == pytest.approx(50)
    assert found.capacity[0] * 3600 == pytest.approx(1800)
    begin = "town/link.csv:2: from here on 1 of 2 streets have no"
    assert found.repairs == (
        "town/link.csv:2: street a: no length; taken as 500 m, from end to end",
        f"{begin} speed; taken as 50 km/h",
        f"{begin} lanes; taken as what the capacity needs",
        f"{begin} capacity; taken as 1800 vehicles/h a lane",
    )


def test_only_the_columns_that_must_be(town):
    found = town("from_node_id,to_node_id\n1,2\n2,3\n3,1\n")
    assert found.street_ids == ("1-2", "2-3", "3-1")
    assert found.warnings[0] == "town/link.csv:2: street 1-2: directed is blank; taken as one way"


def test_names_cut_to_ten_letters_a_byte_order_mark_and_a_comma_at_the_end(town):
    links = "\ufefflink_id,from_node_,to_node_id,directed,length,lanes,free_speed,facility_t,allowed_us,\n"
    found = town(links + "a,1,2,TRUE,500,1,50,local,auto,\nb,2,1,FALSE,500,1,50,local,bike;auto,\n")
    assert found.street_ids == ("a", "b", "br")


@pytest.mark.parametrize(("text", "ways"), [("1", 1), ("0", 2), ("TRUE", 1), ("false", 2), ("", 1)])
def test_directed(town, text, ways):
    found = town(f"link_id,from_node_id,to_node_id,directed\na,1,2,{text}\nb,2,1,1\n")
    assert len(found.street_ids) == 1 + ways


def test_paths_and_tracks_are_left_out(town):
    header = "link_id,from_node_id,to_node_id,directed,length,lanes,free_speed,allowed_uses\n"
    rows = "a,1,2,1,500,1,50,auto\nb,2,1,1,500,1,50,\nc,1,3,1,700,0,,\nd,1,3,1,700,1,15,bike\n"
    found = town(header + rows)
    assert found.street_ids == ("a", "b")
    assert found.repairs[:2] == (
        "town/link.csv:4: street c: left out: a path without lanes or speed",
        "town/link.csv:5: street d: left out: for bike only",
    )


def test_lanes_0_with_a_speed_is_a_street(town):
    found = town(LINKS.replace(",500,1,", ",500,0,"))
    assert found.lanes[0] == 1
    assert found.repairs == ("town/link.csv:2: street a: no lanes; taken as one",)


def test_a_capacity_of_40000_a_lane(town):
    found = town(LINKS.replace("1800", "40000").replace(",1700", ",99999"))
    assert found.capacity[:2] * 3600 == pytest.approx([40000, 3600])
    assert "vehicles/h at 13.89 m/s need a jam density of" in found.repairs[0]
    assert "a capacity of 199998 vehicles/h is none; taken as 3600" in found.repairs[1]
    Simulator(found).run(600)


def test_connectors_become_origins_and_exits(town):
    links = LINKS.replace("capacity\n", "capacity,facility_type\n") + "z,3,2,0,1,,,,Centroid Connector\n"
    found = town(links)
    assert found.street_ids == ("a", "b", "c")
    assert {found.junction_ids[at] for at in found.origins} == {"2", "3"}
    assert found.repairs[0] == "town/link.csv:5: street z: a connector; an origin and an exit"


@pytest.mark.parametrize(
    "text", ["LINESTRING (0 0, 250 40, 500 0)", "MULTILINESTRING((0 0,250 40),(250 40,500 0))"]
)
@pytest.mark.parametrize("is_turned", [False, True])
def test_lines(town, text, is_turned):
    header, *rows = LINKS.replace("capacity\n", "capacity,geometry\n").splitlines()
    if is_turned:
        text = "LINESTRING Z (500 0 1, 250 40 1, 0 0 1)"
    rows = [f'{rows[0]},"{text}"', *rows[1:]]
    found = town("\n".join([header, *rows]))
    assert found.describe()[0]["points"] == [[0, 0], [250, 40], [500, 0]]
    assert found.describe()[1]["points"] == [[500, 0], [500, 500]]


def test_lines_of_a_table_of_their_own(town):
    links = LINKS.replace("capacity\n", "capacity,geometry_id\n").replace("1800", "1800,g")
    found = town(links, geometry='geometry_id,geometry\ng,"LINESTRING(0 0,250 40,500 0)"\n')
    assert found.describe()[0]["points"] == [[0, 0], [250, 40], [500, 0]]


REFUSED = {
    "no columns": (
        {"links": "a,b\n1,2\n"},
        "town/link.csv:1: no column from_node_id, to_node_id; there are a, b",
    ),
    "nothing": ({"links": ""}, "town/link.csv:1: the file is empty"),
    "only a header": ({"links": "from_node_id,to_node_id\n"}, "town/link.csv:1: no streets for cars in it"),
    "no node": ({"links": LINKS + "d,1,9,1,5,1,5,5\n"}, "town/link.csv:5: node 9 is not in node.csv"),
    "blank end": ({"links": LINKS + "d,1,,1,5,1,5,5\n"}, "town/link.csv:5: no to_node_id in this row"),
    "cut": ({"links": LINKS[:-18]}, "town/link.csv:4: no to_node_id"),
    "text": ({"links": LINKS.replace("510", "far")}, "town/link.csv:3: length is 'far', not a number"),
    "nan": ({"links": LINKS.replace("1700", "nan")}, "town/link.csv:3: capacity is 'nan', not a number"),
    "negative": ({"links": LINKS.replace("510", "-5")}, "town/link.csv:3: street b: its length is -5"),
    "lanes": ({"links": LINKS.replace(",2,50", ",-2,50")}, "town/link.csv:3: street b: its lanes is -2"),
    "directed": (
        {"links": LINKS.replace("2,3,1", "2,3,maybe")},
        "town/link.csv:3: directed is 'maybe', neither",
    ),
    "quotes": ({"links": LINKS + 'd,"1,2,1'}, "town/link.csv:5: unexpected end of data"),
    "polygon": (
        {"links": "from_node_id,to_node_id,geometry\n1,2,POLYGON((0 0))\n"},
        "town/link.csv:2: geometry is 'POLYGON((0 0))', no LINESTRING",
    ),
    "points": (
        {"links": 'from_node_id,to_node_id,geometry\n1,2,"LINESTRING(0 0,1)"\n'},
        "town/link.csv:2: geometry: '1' is no point",
    ),
    "no node table": ({"nodes": None}, "town/node.csv: cannot be read: No such file"),
    "two nodes": ({"nodes": NODES + "2,1,1\n"}, "town/node.csv:5: node 2: there are two of that name"),
    "far away": ({"nodes": NODES + "4,1,1e99\n"}, "town/node.csv:5: node 4: its position is 1, 1e+99"),
    "unit": ({"config": "long_length\nparsec\n"}, "town/config.csv:2: long_length is 'parsec'; it is one of"),
    "speed": ({"config": "speed\nwarp\n"}, "town/config.csv:2: speed is 'warp'; it is one of"),
    "latin-1": ({"links": LINKS.encode() + b"\xe4,1"}, "town/link.csv:5: byte 0xe4 is no utf-8 text"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_broken_folder_is_refused_with_file_and_line(town, case):
    files, told = REFUSED[case]
    with pytest.raises(TownError) as error:
        town(**files)
    assert str(error.value).startswith(told)
    assert "\n" not in str(error.value)


def test_a_folder_that_is_not_there():
    with pytest.raises(TownError, match=r"^nowhere/node\.csv: cannot be read: No such file or directory$"):
        Town.from_gmns("nowhere")
