"""Towns by name: ``KIND:REST``."""

import pytest

from simulator import TownError
from simulator.choice import choose, names

NET = """<NUMBER OF ZONES> 2
<FIRST THRU NODE> 1
<END OF METADATA>
1 2 1800 1 1 0.15 4 0 0 1;
2 1 1800 1 1 0.15 4 0 0 1;
"""


@pytest.mark.parametrize(
    ("text", "streets"), [("grid:2x3", 14), ("blocks:4x4", 39), ("radial:2x5", 40), ("ring:12", 12)]
)
def test_towns_by_their_size(text, streets):
    assert len(choose(text).street_ids) == streets


def test_a_net_with_what_lies_beside_it(tmp_path):
    (tmp_path / "Town_net.tntp").write_text(NET)
    (tmp_path / "Town_node.tntp").write_text("Node X Y;\n1 0 0;\n2 1000 0;\n")
    (tmp_path / "Town_trips.tntp").write_text("<END OF METADATA>\nOrigin 1\n2: 360;\n")
    town = choose(f"tntp:{tmp_path}/Town_net.tntp", "km,min")
    assert town.positions.tolist() == [[0, 0], [1000, 0]]
    assert town.demand.rates(0).tolist() == pytest.approx([0.1])


def test_a_net_alone(tmp_path):
    (tmp_path / "town.tntp").write_text(NET)
    assert choose(f"tntp:{tmp_path}/town.tntp", "km,min").demand is None


def test_a_folder(tmp_path):
    (tmp_path / "node.csv").write_text("node_id\n1\n2\n")
    (tmp_path / "link.csv").write_text("from_node_id,to_node_id,directed\n1,2,0\n")
    assert choose(f"gmns:{tmp_path}").street_ids == ("1-2", "1-2r")


def test_links_with_what_lies_beside_them(tmp_path):
    (tmp_path / "my_nodes.csv").write_text("name,x,y\nA,0,0\nB,500,0\n")
    (tmp_path / "my_links.csv").write_text("name,start,end,length,u,kappa\nab,A,B,500,20,0.2\n")
    (tmp_path / "my_demand.csv").write_text("orig,dest,start_t,end_t,q\nA,B,0,60,0.5\n")
    assert choose(f"uxsim:{tmp_path}/my_links.csv").demand.rates(30).tolist() == [0.5]
    (tmp_path / "my_nodes.csv").unlink()
    with pytest.raises(TownError, match=r"my_links\.csv: no nodes beside it"):
        choose(f"uxsim:{tmp_path}/my_links.csv")


@pytest.mark.parametrize(
    ("text", "units", "told"),
    [
        ("", None, f"--town : expected {names()}"),
        ("grid", None, "--town grid: expected grid:ROWSxCOLUMNS | blocks:"),
        ("moon:5", None, "--town moon:5: expected grid:"),
        ("grid:5", None, "--town grid:5: expected grid:ROWSxCOLUMNS"),
        ("grid:5xx", None, "--town grid:5xx: expected grid:ROWSxCOLUMNS"),
        ("radial:axb", None, "--town radial:axb: expected radial:RINGSxSPOKES"),
        ("ring:3x3", None, "--town ring:3x3: expected ring:STREETS"),
        ("ring:99999999999999", None, "--town ring:99999999999999: expected ring:STREETS"),
        ("ring:1", None, "ring: 1 streets; it has 2 to 10000"),
        ("tntp:x", None, "--town tntp:x: no such file says its units; --units ft,min or others"),
        ("tntp:x", "ft", "units: ft: two of them"),
        ("tntp:x", "ft,min", "x: cannot be read: No such file or directory"),
        ("grid:2x2", "ft,min", "--units ft,min: only of tntp:NET; grid has its own"),
    ],
)
def test_what_is_no_town(text, units, told):
    with pytest.raises(ValueError) as error:
        choose(text, units)
    assert str(error.value).startswith(told)
