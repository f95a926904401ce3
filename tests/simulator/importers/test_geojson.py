"""``Town.from_geojson``: lines that meet at shared points, properties of two kinds, what is refused."""

import json

import pytest

from simulator import Simulator, Town, TownError


def line(*points, kind="LineString", **properties):
    return {
        "type": "Feature",
        "properties": properties,
        "geometry": {"type": kind, "coordinates": [list(point) for point in points]},
    }


def collection(*features, **dumped):
    return json.dumps({"type": "FeatureCollection", "name": "x", "features": list(features)}, **dumped)


ROADS = (
    line((0, 0), (500, 0), (1000, 0), id="a", speed=50, lanes=1),
    line((500, 500), (500, 0), id="b", speed=30, lanes=2, capacity=3000),
)


@pytest.fixture
def town(written):
    """Reads a town from GeoJSON."""

    def read(text):
        return Town.from_geojson(written(text, "town.geojson"))

    return read


def test_lines_meet_where_they_share_a_point(town):
    found = town(collection(*ROADS))
    assert found.street_ids == ("a#1", "-a#1", "a#2", "-a#2", "b#1", "-b#1")
    assert found.length == pytest.approx([500] * 6)
    assert found.speed * 3.6 == pytest.approx([50] * 4 + [30] * 2)
    assert found.capacity * 3600 == pytest.approx([1800] * 4 + [3000] * 2)
    assert found.lanes.tolist() == [1, 1, 1, 1, 2, 2]
    assert found.repairs == ()
    Simulator(found).run(600)


def test_degrees_become_metres(town):
    found = town(collection(line((13.0, 52.0), (13.01, 52.0), id="a", speed=50, lanes=1)))
    assert found.length == pytest.approx([684.6] * 2, rel=1e-3)


def test_the_tags_of_openstreetmap(town):
    roads = line((0, 0), (500, 0), highway="primary", maxspeed="RO:urban", lanes="4", osm_id=5), ROADS[0]
    found = town(
        collection(*roads, line((0, 0), (9, 9), highway="footway"), line((0, 0), (0, 900), highway="road"))
    )
    assert found.lanes[:2].tolist() == [2, 2]
    assert "town.geojson:1: way 1: maxspeed is 'RO:urban'; taken as 50 km/h" in found.repairs
    assert len(found.street_ids) == 8


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        (True, {"c#1"}),
        ("yes", {"c#1"}),
        (1, {"c#1"}),
        ("-1", {"-c#1"}),
        (False, {"c#1", "-c#1"}),
        (None, {"c#1", "-c#1"}),
    ],
)
def test_oneway(town, text, ids):
    found = town(collection(*ROADS, line((0, 0), (500, 500), id="c", oneway=text)))
    assert {id for id in found.street_ids if "c#" in id} == ids


def test_what_is_not_said_is_usual_and_counted(town):
    found = town(collection(ROADS[0], line((500, 500), (500, 0), id="b")))
    assert found.speed[4] * 3.6 == pytest.approx(50)
    assert found.repairs == (
        "town.geojson:1: from here on 2 of 6 streets have no speed; taken as 50 km/h",
        "town.geojson:1: from here on 2 of 6 streets have no lanes; taken as what the capacity needs",
    )


def test_several_lines_in_one_feature(town):
    feature = line(kind="MultiLineString", id="m")
    feature["geometry"]["coordinates"] = [[[0, 0], [500, 0]], [[500, 0], [500, 500]]]
    assert town(collection(feature)).street_ids == ("m#1", "-m#1", "m.2#1", "-m.2#1")


def test_stops_and_houses_are_not_looked_at(town):
    others = [{"type": "Feature", "properties": None, "geometry": None}, line((0, 0), kind="Point")]
    assert len(town(collection(*others, *ROADS)).street_ids) == 6


def test_one_feature_a_line_and_numbers_as_texts(town):
    rows = "\n".join(map(json.dumps, (ROADS[0], line((500, 500), (500, 0), id="b", speed="30", lanes="2"))))
    assert town(rows).speed[4] * 3.6 == pytest.approx(30)


def test_a_large_file_is_read_in_pieces(town):
    # Letters of three bytes, so that some are cut by the end of a piece.
    roads = [
        line((at * 100, 0), (at * 100 + 100, 0), id=f"渋谷{at}", speed=50, lanes=1) for at in range(1500)
    ]
    found = town("\ufeff" + collection(*roads, ensure_ascii=False, indent=1))
    assert len(found.street_ids) == 3000
    assert found.where["渋谷9#1"] == "town.geojson:194"


GOOD = collection(*ROADS, indent=1)

REFUSED = {
    "nothing": ("", "town.geojson:1: the file is empty"),
    "no JSON": ("a,b,c", "town.geojson:1: no FeatureCollection: it has no features"),
    "another object": ('{"type": "Topology"}', "town.geojson:1: no FeatureCollection: it has no features"),
    "cut": (GOOD[:-300], "town.geojson:5: no JSON: "),
    "cut between features": (
        GOOD[: GOOD.index("{", 60)],
        "town.geojson:5: the file ends within its features",
    ),
    "no features": ('{"features": []}', "town.geojson:1: no streets in it: no feature is a LineString"),
    "a number": ('{"features": [5]}', "town.geojson:1: not a Feature"),
    "an unknown shape": (GOOD.replace("LineString", "Curve", 1), "town.geojson:5: 'Curve' is no line"),
    "one point": (collection(line((0, 0))), "town.geojson:1: a line of fewer than two points"),
    "half a point": (collection(line((0, 0), (1,))), "town.geojson:1: [1] is no point"),
    "a text for a point": (collection(line((0, 0), ("a", "b"))), "town.geojson:1: ['a', 'b'] is no point"),
    "nan": (GOOD.replace("500,", "NaN,", 1), "town.geojson:5: no JSON: NaN is not JSON"),
    "far away": (
        collection(line((0, 0), (1e300, 5))),
        "town.geojson:1: a point is farther away than anything",
    ),
    "a speed": (
        GOOD.replace('"speed": 30', '"speed": "fast"'),
        "town.geojson:30: speed is 'fast', not a number",
    ),
    "lanes": (GOOD.replace('"lanes": 2', '"lanes": [2]'), "town.geojson:30: lanes is '[2]', not a number"),
    "negative": (GOOD.replace('"lanes": 2', '"lanes": -2'), "town.geojson:30: street b#1: its lanes is -2"),
    "oneway": (
        collection(line((0, 0), (1, 1), oneway="maybe")),
        "town.geojson:1: oneway is 'maybe', neither",
    ),
    "one way only": (
        collection(line((0, 0), (0, 0.01), oneway=1)),
        "town.geojson:1: no streets for cars in it",
    ),
    "too deep": ('{"features": [' + "[" * 100_000, "town.geojson:1: lists in lists, too deep"),
    "without end": (
        '{"features": [{"a": "' + "x" * 9_000_000,
        "town.geojson:1: more than 8388608 letters in one",
    ),
    "latin-1": (GOOD.encode().replace(b'"b"', b'"\xdf"'), "town.geojson:1: byte 0xdf is no utf-8 text"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_broken_file_is_refused_with_file_and_line(town, case):
    text, told = REFUSED[case]
    with pytest.raises(TownError) as error:
        town(text)
    assert str(error.value).startswith(told)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there():
    with pytest.raises(TownError, match=r"^nowhere\.geojson: cannot be read: No such file"):
        Town.from_geojson("nowhere.geojson")
