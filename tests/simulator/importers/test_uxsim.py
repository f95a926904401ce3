"""``Town.from_uxsim_csv``: UXsim's tables, its diagram, its demand by time, and what is refused."""

import pytest

from simulator import Simulator, Town, TownError

NODES = "name,x,y\nA,0,0\nB,1000,0\nC,1000,1000\n"
LINKS = """name,start,end,length,u,kappa,merge_priority
ab,A,B,1000,20,0.2,0.5
bc,B,C,1000,10,0.2,2
ca,C,A,1414,20,0.4,1
"""
DEMAND = "orig,dest,start_t,end_t,q\nA,C,0,600,0.3\nA,B,300,900,0.1\nC,B,0,600,0.2\n"


@pytest.fixture
def town(written):
    """Reads a town from these tables."""

    def read(links=LINKS, nodes=NODES, demand=None, **options):
        written(nodes, "nodes.csv")
        written(links, "links.csv")
        if demand is not None:
            options["demand"] = written(demand, "demand.csv")
        return Town.from_uxsim_csv("nodes.csv", "links.csv", **options)

    return read


def test_links_become_streets(town):
    found = town()
    assert found.street_ids == ("ab", "bc", "ca")
    assert found.capacity == pytest.approx([4 / 5, 2 / 3, 8 / 9])
    assert found.storage == pytest.approx([200, 200, 0.4 * 1414])
    assert found.priority[:3].tolist() == [0.5, 2, 1]
    assert found.positions.tolist() == [[0, 0], [1000, 0], [1000, 1000]]
    assert found.repairs == ()
    # Waves run back by a jam spacing in a reaction time.
    assert found.wave[:2] == pytest.approx([5, 5])


def test_the_reaction_time_makes_the_capacity(town):
    assert town(reaction_time=1.5).capacity[0] == pytest.approx(4 / 7)


def test_demand_enters_when_the_table_says(town):
    found = town(demand=DEMAND)
    at = {found.junction_ids[origin]: place for place, origin in enumerate(found.origins)}
    for time, rates in {
        0: (0.3, 0.2),
        299.9: (0.3, 0.2),
        300: (0.4, 0.2),
        600: (0.1, 0),
        900: (0, 0),
    }.items():
        assert found.demand.rates(time)[at["A"]] == pytest.approx(rates[0])
        assert found.demand.rates(time)[at["C"]] == pytest.approx(rates[1])
    simulator = Simulator(found)
    simulator.run(1800)
    stats = simulator.stats()
    told = {name: stats[name] for name in ("inside", "entered", "left", "waiting")}
    assert told == pytest.approx({"inside": 0, "entered": 360, "left": 360, "waiting": 0}, abs=1e-6)
    entered = dict(zip(found.street_ids, simulator.engine.entered, strict=True))
    assert entered == pytest.approx({"ab": 360, "bc": 180, "ca": 120}, abs=1e-6)


def test_a_comma_at_the_end_of_each_row(town):
    found = town(LINKS.replace("\n", ",\n"), NODES.replace("\n", ",\n"), DEMAND.replace("\n", ",\n"))
    assert found.street_ids == ("ab", "bc", "ca")


def test_shift_jis(town):
    nodes, links = (text.replace("A", "渋谷").encode("shift_jis") for text in (NODES, LINKS))
    found = town(links, nodes, encoding="shift_jis")
    assert found.junction_ids[0] == "渋谷"
    with pytest.raises(TownError, match=r"^nodes\.csv:2: byte 0x8f is no utf-8 text"):
        town(links, nodes)


def test_names_may_be_anything(town):
    links = LINKS.replace("ab,", '"a, b ü",').replace("merge_priority", "merge_priority,extra")
    assert town(links).street_ids[0] == "a, b ü"


def test_a_point_queue(town):
    found = town(LINKS.replace("0.2,0.5", "1000,0.5"))
    assert found.capacity[0] == pytest.approx(20000 / 20001)
    Simulator(found).run(60)


@pytest.mark.parametrize(
    ("was", "now", "told"),
    [
        (",0.5\n", ",0\n", "links.csv:2: street ab: a priority of 0; taken as 1e-06"),
        ("ab,A,B,1000", "ab,A,B,0", "links.csv:2: street ab: a length of 0; taken as 20 m, a second's way"),
        ("1000,20,0.2", "1000,0,0.2", "links.csv:2: street ab: a speed of 0 m/s; taken as 13.89"),
        ("1000,20,0.2", "1000,200,0.2", "links.csv:2: street ab: a speed of 200 m/s; taken as 70"),
        ("1000,20,0.2", "1000,20,0", "links.csv:2: street ab: a jam density of 0 vehicles/m; taken as 0.15"),
        ("bc,B", "ab,B", "links.csv:3: street ab: a second one of that name; it is called ab#2"),
        ("ca,C,A", "cc,C,C", "links.csv:4: street cc: left out: it ends where it begins, at C"),
        ("A,B,1000", "A,B,2", "links.csv:2: street ab: lengthened from 2 to 20 m"),
    ],
)
def test_what_is_repaired_is_told(town, was, now, told):
    found = town(LINKS.replace(was, now))
    assert found.repairs[0].startswith(told)
    Simulator(found).run(60)


REFUSED = {
    "nothing": (
        {"links": ""},
        "links.csv:1: the file is empty; it has columns name, start, end, length, u, kappa",
    ),
    "no streets": ({"links": LINKS[: LINKS.index("ab")]}, "links.csv:1: no streets in it"),
    "no column": (
        {"links": LINKS.replace("kappa", "k")},
        "links.csv:1: no column kappa; there are name, start",
    ),
    "no node": (
        {"links": LINKS.replace("B,C", "B,D")},
        "links.csv:3: street bc: it has an end at D, which is no",
    ),
    "cut": ({"links": LINKS[:-9]}, "links.csv:4: no u in this row"),
    "text": ({"links": LINKS.replace("1414", "long")}, "links.csv:4: length is 'long', not a number"),
    "nan": ({"links": LINKS.replace("0.4", "nan")}, "links.csv:4: kappa is 'nan', not a number"),
    "negative length": ({"links": LINKS.replace("1414", "-1")}, "links.csv:4: street ca: its length is -1"),
    "negative speed": (
        {"links": LINKS.replace("1414,20", "1414,-20")},
        "links.csv:4: street ca: its speed is -20",
    ),
    "negative kappa": ({"links": LINKS.replace("0.4", "-0.4")}, "links.csv:4: street ca: its kappa is -0.4"),
    "priority": (
        {"links": LINKS.replace(",2\n", ",-2\n")},
        "links.csv:3: street bc: its merge_priority is -2",
    ),
    "two nodes": ({"nodes": NODES + "A,1,1\n"}, "nodes.csv:5: node A: there are two of that name"),
    "far away": ({"nodes": NODES + "D,1,inf\n"}, "nodes.csv:5: node D: its position is 1, inf"),
    "no place": ({"nodes": NODES + "D,1\n"}, "nodes.csv:5: no y in this row"),
    "zero bytes": ({"nodes": NODES + "\0\0"}, "nodes.csv:5: no text: it holds zero bytes"),
    "no demand": ({"demand": DEMAND[: DEMAND.index("A")]}, "demand.csv:1: no demand in it"),
    "demand of nobody": (
        {"demand": DEMAND[: DEMAND.index("A")] + "A,C,0,9,0"},
        "demand.csv:1: no demand in it",
    ),
    "unknown": ({"demand": DEMAND + "A,X,0,1,1\n"}, "demand.csv:5: demand from A to X: X is no node"),
    "backwards": (
        {"demand": DEMAND + "A,C,5,5,1\n"},
        "demand.csv:5: demand from 5 to 5 s: it ends before it",
    ),
    "less than none": (
        {"demand": DEMAND + "A,C,0,5,-1\n"},
        "demand.csv:5: demand from A to C: -1 vehicles/s",
    ),
    "endless": ({"demand": DEMAND + "A,C,0,inf,1\n"}, "demand.csv:5: demand from 0 to inf s"),
    "encoding": ({"encoding": "klingon"}, "nodes.csv: there is no encoding klingon"),
    "reaction": ({"reaction_time": 0}, "reaction_time: 0; it must be from 0.01 to 100 s"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_broken_tables_are_refused_with_file_and_line(town, case):
    files, told = REFUSED[case]
    with pytest.raises(TownError) as error:
        town(**files)
    assert str(error.value).startswith(told)
    assert "\n" not in str(error.value)


def test_trips_of_each_hour_take_their_own_ways(town):
    found = town(
        demand="orig,dest,start_t,end_t,q\nA,B,0,3600,0.1\nA,C,3600,9000,0.2\n",
        links=LINKS,
    )
    assert found.turns.times.tolist() == [0, 3600, 7200]
    at = found.street_ids.index("ab")
    onward = found.turns.ratios[:, found.movement_from == at]
    assert onward.sum(axis=1) == pytest.approx([0, 1, 1])
    simulator = Simulator(found)
    simulator.run(3600)
    assert simulator.stats()["entered"] == pytest.approx(360, rel=1e-3)
    simulator.run(7200)
    assert simulator.stats()["left"] == pytest.approx(360 + 0.2 * 5400, rel=1e-3)


def test_many_days_of_trips_are_at_most_48_times(town):
    found = town(demand="orig,dest,start_t,end_t,q\nA,C,-100,864000,0.1\nA,B,5,9,0.1\n")
    assert len(found.turns.times) == 48
    assert found.demand.rates(0.0).tolist() == pytest.approx([0.1])
    assert found.demand.rates(6.0).tolist() == pytest.approx([0.2])
