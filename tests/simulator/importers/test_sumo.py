"""``Town.from_sumo_net``: lanes for cars, connections, programs of lights; and what is refused."""

import gzip

import pytest

from simulator import Simulator, Town, TownError

NET = """<?xml version="1.0" encoding="UTF-8"?>
<net version="1.9">
<location netOffset="0,0"/>
<edge id=":M_0" function="internal"><lane index="0" speed="5" length="9" shape="0,0 1,1"/></edge>
<edge id="WM" from="W" to="M"><lane index="0" speed="13.89" length="480" shape="-500,-2 -20,-2"/></edge>
<edge id="MW" from="M" to="W"><lane index="0" speed="13.89" length="480" shape="-20,2 -500,2"/></edge>
<edge id="NM" from="N" to="M"><lane index="0" speed="8.33" length="480" shape="-2,500 -2,20"/></edge>
<edge id="MN" from="M" to="N"><lane index="0" speed="8.33" length="480" shape="2,20 2,500"/></edge>
<edge id="EM" from="E" to="M">
<lane index="0" allow="pedestrian" speed="2" length="480" shape="500,6 20,6"/>
<lane index="1" disallow="bus" speed="13.89" length="480" shape="500,4 20,4"/>
<lane index="2" speed="13.89" length="480" shape="500,1 20,1"/>
</edge>
<edge id="ME" from="M" to="E"><lane index="0" speed="13.89" length="480" shape="20,-2 300,-9 500,-2"/></edge>
<edge id="rail" from="W" to="E"><lane index="0" allow="rail" speed="30" length="960" shape="0,0 1,1"/></edge>
<edge id="bus" from="N" to="E"><lane index="0" disallow="all" speed="9" length="60" shape="0,0 1,1"/></edge>
<tlLogic id="M" type="static" programID="0" offset="10">
<phase duration="30" state="GGgrr"/><phase duration="5" state="yyyrr"/>
<phase duration="20" state="rrrGG"/><phase duration="5" state="rrryy"/>
</tlLogic>
<junction id="M" type="traffic_light" x="0" y="0"/>
<junction id="W" type="dead_end" x="-500" y="0"/><junction id="N" type="dead_end" x="0" y="500"/>
<junction id="E" type="dead_end" x="500" y="0"/><junction id=":M_0" type="internal" x="0" y="0"/>
<connection from="WM" to="ME" tl="M" linkIndex="0"/>
<connection from="EM" to="MW" tl="M" linkIndex="1"/>
<connection from="EM" to="MN" tl="M" linkIndex="2"/>
<connection from="NM" to="ME" tl="M" linkIndex="3"/>
<connection from="NM" to="MW" tl="M" linkIndex="4"/>
<connection from="MW" to="WM"/>
<connection from=":M_0" to="ME"/>
</net>
"""


@pytest.fixture
def town(written):
    """Reads a town from SUMO's XML."""

    def read(text, name="town.net.xml"):
        return Town.from_sumo_net(written(text, name))

    return read


def turns(found, id):
    came = found.street_ids.index(id)
    return {found.street_ids[to] for to in found.movement_to[found.movement_from == came]}


def test_lanes_for_cars_become_streets(town):
    found = town(NET)
    assert found.street_ids == ("WM", "MW", "NM", "MN", "EM", "ME")
    assert found.length.tolist() == [480] * 6
    assert found.speed == pytest.approx([13.89, 13.89, 8.33, 8.33, 13.89, 13.89])
    assert found.lanes.tolist() == [1, 1, 1, 1, 2, 1]
    assert found.repairs == ()
    assert found.describe()[5]["points"] == [[20, -2], [300, -9], [500, -2]]
    simulator = Simulator(found)
    simulator.run(900)
    assert simulator.stats()["left"] > 20


def test_connections_are_the_turns(town):
    found = town(NET)
    assert turns(found, "WM") == {"ME"}
    assert turns(found, "EM") == {"MW", "MN"}
    assert turns(found, "NM") == {"ME", "MW"}
    assert turns(found, "MW") == {"WM"}
    assert turns(found, "ME") == set()
    assert "street ME: it has no turns: everybody leaves the town at its end, E" in found.warnings


def test_without_connections_one_turns_everywhere(town):
    text = "\n".join(line for line in NET.splitlines() if not line.startswith("<connection"))
    assert turns(town(text), "WM") == {"ME", "MN"}


def test_lights_are_those_of_the_file(town):
    signals = Simulator(town(NET)).signals
    assert signals.has_light.tolist() == [True, False, True, False, True, False]
    green = {time: signals.green(time)[[0, 2, 4]].tolist() for time in (9, 10, 39, 40, 45, 64, 65, 70)}
    horizontal, vertical, red = [True, False, True], [False, True, False], [False] * 3
    assert green == {
        **{9: red, 10: horizontal, 39: horizontal, 40: red},
        **{45: vertical, 64: vertical, 65: red, 70: horizontal},
    }


def test_a_green_that_goes_on_into_the_next_cycle(town):
    text = NET.replace('<phase duration="5" state="rrryy"/>', '<phase duration="5" state="GGGyy"/>')
    signals = Simulator(town(text)).signals
    assert [signals.green(time)[0] for time in (64, 65, 69, 70, 99, 100)] == [
        False,
        True,
        True,
        True,
        True,
        False,
    ]


def test_of_two_greens_the_longest_is_taken(town):
    text = NET.replace('state="rrrGG"/>', 'state="rrrGG"/><phase duration="7" state="Grrrr"/>')
    assert town(text).repairs == (
        "town.net.xml:5: street WM: 2 greens a cycle of M; the longest is taken, 30 s",
    )


def test_a_light_that_is_never_green(town):
    text = NET.replace("GGgrr", "rGgrr")
    found = town(text)
    assert found.repairs == (
        "town.net.xml:5: street WM: never green in the program of M; taken as without a light",
    )
    assert not Simulator(found).signals.has_light[0]


def test_a_phase_that_waits_for_a_hand(town):
    found = town(NET.replace('duration="30"', 'duration="10000"'))
    assert found.repairs == ("town.net.xml:18: a phase of 10000 s; taken as 30 s",)
    assert Simulator(found).signals.green(39)[0]


def test_programs_that_react_are_taken_as_fixed(town):
    found = town(NET.replace('type="static"', 'type="actuated"'))
    assert found.repairs == ("town.net.xml:17: light M: actuated; its phases are taken as fixed",)


def test_places_that_no_program_has(town):
    found = town(
        NET.replace('linkIndex="0"', 'linkIndex="-1"').replace('tl="M" linkIndex="3"', 'tl="X" linkIndex="3"')
    )
    assert Simulator(found).signals.has_light.tolist() == [False, False, False, False, True, False]


def test_packed(town):
    assert len(town(gzip.compress(NET.encode()), "town.net.xml.gz").street_ids) == 6


def test_edges_of_twenty_centimetres(town):
    found = town(NET.replace('length="480"', 'length="0.2"', 1))
    assert found.repairs[0].startswith("town.net.xml:5: street WM: lengthened from 0.2 to 13.89 m")
    Simulator(found).run(60)


BOMB = '<!DOCTYPE n [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><net '

ONLY_RAILS = "\n".join(line for line in NET.splitlines() if not line.startswith(("<edge", "<lane", "</edge")))

REFUSED = {
    "nothing": ("", "town.net.xml:1: no XML: no element found: was it cut?"),
    "cut": (NET[:-200], "town.net.xml:26: no XML: unclosed token: was it cut?"),
    "entities": (NET.replace("<net ", BOMB), "town.net.xml:2: it declares entities"),
    "another file": ("<routes/>", "town.net.xml:1: no network of SUMO's: its first element is not net"),
    "no streets": ("<net/>", "town.net.xml:1: no streets for cars in it"),
    "only rails": (ONLY_RAILS, "town.net.xml:1: no streets for cars in it"),
    "no speed": (NET.replace('speed="13.89" ', "", 1), "town.net.xml:5: no speed in this element"),
    "text": (
        NET.replace('length="480"', 'length="long"', 1),
        "town.net.xml:5: length is 'long', not a number",
    ),
    "nan": (NET.replace('length="480"', 'length="nan"', 1), "town.net.xml:5: length is 'nan', not a number"),
    "negative": (
        NET.replace('length="480"', 'length="-1"', 1),
        "town.net.xml:5: street WM: its length is -1",
    ),
    "no junction": (
        NET.replace('junction id="W"', 'junction id="V"'),
        "town.net.xml:5: street WM: it has an end at W",
    ),
    "no end": (NET.replace('from="W" ', "", 1), "town.net.xml:5: an edge without from"),
    "a shape": (NET.replace("-500,-2", "-500;-2"), "town.net.xml:5: shape: '-500;-2' is no point"),
    "far away": (
        NET.replace('x="-500"', 'x="1e99"'),
        "town.net.xml:22: junction W: its position is 1e+99, 0",
    ),
    "a phase": (NET.replace('duration="30"', 'duration="-3"'), "town.net.xml:18: a phase of -3 s"),
    "no phases": (NET.replace("<phase", "<fase"), "town.net.xml:17: a light without phases"),
    "few letters": (
        NET.replace("GGgrr", "GGg"),
        "town.net.xml:17: light M: no letter for place 4 in a phase",
    ),
    "a place": (
        NET.replace('linkIndex="0"', 'linkIndex="x"'),
        "town.net.xml:24: linkIndex is 'x', not a place",
    ),
    "an offset": (
        NET.replace('offset="10"', 'offset="inf"'),
        "town.net.xml:17: light M: its offset is inf s",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_broken_file_is_refused_with_file_and_line(town, case):
    text, told = REFUSED[case]
    with pytest.raises(TownError) as error:
        town(text)
    assert str(error.value).startswith(told)
    assert "\n" not in str(error.value)
