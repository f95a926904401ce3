"""Trips of a GMNS folder: zones of nodes, and a table from zone to zone."""

import pytest

from simulator import Simulator, Town, TownError

NODES = "node_id,zone_id,x_coord,y_coord\n1,a,0,0\n2,,500,0\n3,b,1000,0\n4,b,500,500\n5,c,9000,9000\n"
LINKS = """link_id,from_node_id,to_node_id,directed,length,lanes,free_speed,capacity
12,1,2,0,500,1,50,1800
23,2,3,1,500,1,50,1800
24,2,4,1,900,1,50,1800
"""
CONFIG = "dataset_name,short_length,long_length,speed\ntest,m,m,kph\n"
DEMAND = "o_zone_id,d_zone_id,volume\na,b,360\na,a,100\nb,a,0\n"


@pytest.fixture
def town(written):
    def read(demand=DEMAND, nodes=NODES):
        for name, text in {"node": nodes, "link": LINKS, "config": CONFIG, "demand": demand}.items():
            written(text, f"town/{name}.csv")
        return Town.from_gmns("town")

    return read


def test_trips_go_to_the_nearest_node_of_their_zone(town):
    found = town()
    assert [found.junction_ids[at] for at in found.origins] == ["1"]
    assert found.demand.rates(0).tolist() == pytest.approx([0.1])
    simulator = Simulator(found)
    simulator.run(1800)
    entered = dict(zip(found.street_ids, simulator.counts()["entered"].tolist(), strict=True))
    assert entered["23"] == pytest.approx(0.1 * (1800 - 36), rel=0.01)
    assert entered["24"] == entered["12r"] == 0
    assert simulator.stats()["left"] == pytest.approx(0.1 * (1800 - 72), rel=0.01)


def test_zones_without_a_way_are_told(town):
    found = town(DEMAND + "b,a,36\na,c,72\n")
    assert "town/demand.csv: 36 vehicles/h from zone b to zone a left out: no way leads there on streets" in (
        found.warnings
    )
    assert "town/demand.csv: 72 vehicles/h from zone a to zone c left out: no way leads there on streets" in (
        found.warnings
    )


@pytest.mark.parametrize(
    ("demand", "told"),
    [
        ("", "town/demand.csv:1: "),
        ("o_zone_id,d_zone_id\na,b\n", "town/demand.csv:1: no column volume"),
        ("o_zone_id,d_zone_id,volume\n", "town/demand.csv:1: no trips in it"),
        (DEMAND[: DEMAND.index("a,b")] + "a,a,5\n", "town/demand.csv:2: no trips in it"),
        (DEMAND + "a,z,5\n", "town/demand.csv:5: zone z is none of node.csv's zone_id"),
        (DEMAND + "a,,5\n", "town/demand.csv:5: no d_zone_id in this row"),
        (DEMAND + "a,b,x\n", "town/demand.csv:5: "),
        (DEMAND + "a,b,-1\n", "town/demand.csv:5: -1 vehicles/h from zone a to b"),
        (DEMAND + "a,b,inf\n", "town/demand.csv:5: inf vehicles/h from zone a to b"),
        (DEMAND + "a,b,1e99\n", "town/demand.csv:5: 1e+99 vehicles/h from zone a to b"),
    ],
)
def test_trips_that_cannot_be_are_refused(town, demand, told):
    with pytest.raises(TownError) as error:
        town(demand)
    assert str(error.value).startswith(told)


def test_nodes_without_zones(town):
    with pytest.raises(TownError, match=r"^town/demand\.csv:2: zone a is none of node\.csv's zone_id"):
        town(nodes=NODES.replace("zone_id", "area"))
