"""Files that are large or hostile: what they cost until they are refused, each in a process of its own."""

import json
import subprocess
import sys
from itertools import pairwise

import pytest

from simulator import Town, TownError
from simulator.importers import reading

MEASURE = """
import json, re, sys, time
from simulator import Town, TownError
begin = time.process_time()
try:
    said = str(len(getattr(Town, sys.argv[1])(sys.argv[2]).street_ids))
except TownError as error:
    said = str(error)
# Not ru_maxrss, which a process inherits from who started it.
peak = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024
print(json.dumps([said, time.process_time() - begin, peak]))
"""

MAX_MEGABYTES = 300


def read(reader, path):
    """What is said of a file, the seconds of CPU time, and the peak of memory in MiB."""
    run = [sys.executable, "-c", MEASURE, reader, str(path)]
    return json.loads(subprocess.run(run, capture_output=True, check=True, timeout=1200).stdout)


def write_osm(path, size):
    """About ``size`` bytes of nodes and ways, a twelfth of the ways streets, cut within an element."""
    who = 'version="3" timestamp="2020-01-01T00:00:00Z" changeset="5" uid="5" user="somebody"'
    with open(path, "w") as file:
        file.write('<?xml version="1.0"?>\n<osm version="0.6">\n')
        nodes = size * 62 // 100 // 150
        for id in range(1, nodes + 1):
            place = f'lat="{52 + id % 1000 * 1e-4:.7f}" lon="{13 + id // 1000 * 1e-4:.7f}"'
            file.write(f'<node id="{id}" {who} {place}/>\n')
        id = 0
        while file.tell() < size:
            id += 1
            refs = "".join(f'  <nd ref="{id * 9 % (nodes - 20) + at + 1}"/>\n' for at in range(10))
            kind = "highway" if id % 12 == 0 else "building"
            tags = f'  <tag k="{kind}" v="residential"/>\n  <tag k="name" v="Street {id}"/>\n'
            file.write(f'<way id="{id}" {who}>\n{refs}{tags}</way>\n')
        file.write('<way id="1"><nd ref="1"/><nd re')


@pytest.mark.parametrize(
    ("size", "seconds"), [(10_000_000, 30), pytest.param(1_000_000_000, 600, marks=pytest.mark.soak)]
)
def test_a_large_osm_file_that_is_cut(tmp_path, size, seconds):
    write_osm(tmp_path / "large.osm", size)
    said, took, peak = read("from_osm", tmp_path / "large.osm")
    assert said.startswith(f"{tmp_path}/large.osm:")
    assert said.endswith(": no XML: unclosed token: was it cut?")
    assert took < seconds
    assert peak < MAX_MEGABYTES


def write_town(path, size, side):
    """About ``size`` bytes: houses, and two-way streets between ``side`` x ``side`` junctions."""
    who = 'version="3" timestamp="2020-01-01T00:00:00Z" changeset="5" uid="5" user="somebody"'
    light = '<tag k="highway" v="traffic_signals"/>'
    wide = side * 5
    with open(path, "w") as file:
        file.write('<?xml version="1.0"?>\n<osm version="0.6">\n')
        # Of each square with five points a side, those on two of its sides.
        for y in range(wide):
            for x in range(0, wide, 5 if y % 5 else 1):
                place = f'lat="{52 + y * 2e-4:.7f}" lon="{13 + x * 3e-4:.7f}"'
                tag = light if x % 15 == y % 15 == 0 else ""
                file.write(f'<node id="{1 + y * wide + x}" {who} {place}>{tag}</node>\n')
        houses = size * 52 // 100 // 150
        for id in range(wide * wide, wide * wide + houses):
            file.write(f'<node id="{id}" {who} lat="52.1" lon="13.{id}"/>\n')
        for way in range(2 * side):
            points = [
                way // 2 * 5 + at * wide if way % 2 else way // 2 * 5 * wide + at for at in range(wide - 4)
            ]
            refs = "".join(f'  <nd ref="{1 + point}"/>\n' for point in points)
            file.write(f'<way id="{way + 1}" {who}>\n{refs}  <tag k="highway" v="residential"/>\n</way>\n')
        while file.tell() < size:
            way += 1
            refs = "".join(f'  <nd ref="{wide * wide + way * 4 % houses + at}"/>\n' for at in range(4))
            file.write(f'<way id="{way + 1}" {who}>\n{refs}  <tag k="building" v="yes"/>\n</way>\n')
        file.write("</osm>\n")


@pytest.mark.parametrize(
    ("size", "side", "megabytes"),
    [(10_000_000, 40, 60), pytest.param(1_000_000_000, 160, MAX_MEGABYTES, marks=pytest.mark.soak)],
)
def test_a_large_osm_file_that_is_whole(tmp_path, size, side, megabytes):
    write_town(tmp_path / "large.osm", size, side)
    said, _, peak = read("from_osm", tmp_path / "large.osm")
    assert said == str(4 * side * (side - 1))
    assert peak < megabytes


def test_nested_entities(tmp_path):
    names = "abcdefghij"
    pairs = pairwise(names)
    entities = '<!ENTITY a "aaaaaaaaaa">' + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in pairs)
    for reader, root in (("from_osm", "osm"), ("from_sumo_net", "net")):
        (tmp_path / "bomb.xml").write_text(f"<!DOCTYPE x [{entities}]><{root}>&j;</{root}>")
        said, took, peak = read(reader, tmp_path / "bomb.xml")
        assert said == f"{tmp_path}/bomb.xml:1: it declares entities, which no such file needs"
        assert took < 10
        assert peak < MAX_MEGABYTES


@pytest.mark.parametrize(
    ("name", "files", "read_it", "told"),
    [
        (
            "tntp",
            {"net": "<END OF METADATA>\n" + "1 2 9 1 1;\n" * 12},
            lambda: Town.from_tntp("net", units=("m", "s")),
            "net:7: more than 5 streets",
        ),
        (
            "gmns",
            {"node.csv": "node_id\n1\n2\n", "link.csv": "from_node_id,to_node_id,directed\n" + "1,2,0\n" * 9},
            lambda: Town.from_gmns("."),
            "./link.csv:4: more than 5 streets",
        ),
        (
            "uxsim",
            {
                "nodes": "name,x,y\nA,0,0\nB,9,9\n",
                "links": "name,start,end,length,u,kappa\n" + "a,A,B,9,9,1\n" * 9,
            },
            lambda: Town.from_uxsim_csv("nodes", "links"),
            "links:7: more than 5 streets",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_more_streets_than_a_town_may_have(written, monkeypatch, name, files, read_it, told):
    for module in ("tntp", "gmns", "uxsim", "links"):
        monkeypatch.setattr(f"simulator.importers.{module}.MAX_STREETS", 5)
    assert reading.MAX_STREETS == 250_000
    for path, text in files.items():
        written(text, path)
    with pytest.raises(TownError) as error:
        read_it()
    assert str(error.value).startswith(told)
