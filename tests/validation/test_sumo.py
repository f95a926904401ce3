"""Our side of the comparison with SUMO, and how its files are read: a crossing whose numbers are known."""

import numpy as np
import pytest

from benchmarks.validation import sumo, sumo_world
from benchmarks.validation.sumo_world import Trip

LANE = sumo.Lane(0.5, 2.0, 1.0)


def edge(start, end, length):
    lane = f'<lane id="{start}{end}_0" index="0" speed="13.89" length="{length}" shape="0,0 1,1"/>'
    return f'<edge id="{start}{end}" from="{start}" to="{end}">{lane}</edge>'


@pytest.fixture
def net(tmp_path):
    """From two sides into A0, from there to another: a green of 20 s for each side, and 3 s between them."""
    inside = "".join(
        f'<edge id=":A0_{n}" function="internal"><lane id=":A0_{n}_0" speed="7" length="{length}"/></edge>'
        for n, length in enumerate((10, 14))
    )
    links = "".join(
        f'<connection from="{side}A0" to="A0right0" via=":A0_{n}_0" tl="A0" linkIndex="{n}"/>'
        for n, side in enumerate(("left0", "bottom0"))
    )
    phases = "".join(
        f'<phase duration="{seconds}" state="{state}"/>'
        for seconds, state in ((20, "Gr"), (3, "yr"), (20, "rG"), (3, "ry"))
    )
    places = {"A0": (0, 0), "left0": (-200, 0), "bottom0": (0, -200), "right0": (200, 0)}
    edges = edge("left0", "A0", 186) + edge("bottom0", "A0", 186) + edge("A0", "right0", 183)
    junctions = "".join(f'<junction id="{id}" x="{x}" y="{y}"/>' for id, (x, y) in places.items())
    path = tmp_path / "crossing.net.xml"
    lights = f'<tlLogic id="A0" type="static" programID="0" offset="0">{phases}</tlLogic>'
    path.write_text(f"<net>{inside}{edges}{lights}{junctions}{links}</net>")
    return sumo_world._read(path)


def test_a_street_is_its_lane_and_the_way_through_the_junction_before_it(net):
    assert net.ends == {
        "left0A0": ("left0", "A0"),
        "bottom0A0": ("bottom0", "A0"),
        "A0right0": ("A0", "right0"),
    }
    assert net.length == {"left0A0": 186.0, "bottom0A0": 186.0, "A0right0": 183.0 + 12.0}
    assert net.greens == {"left0A0": ("A0", 0.0), "bottom0A0": ("A0", 23.0)}
    assert net.cycle == 46.0
    assert net.entries == ["left0A0", "bottom0A0"]


def test_trips_lead_in_and_out_when_they_should(net):
    trips = sumo_world.random_trips(net, [(100, 0.5), (200, 2.0)], 1)
    assert {trip.edges for trip in trips} == {("left0A0", "A0right0"), ("bottom0A0", "A0right0")}
    departs = [trip.depart for trip in trips]
    assert departs == sorted(departs)
    assert departs[-1] < 200
    assert (
        25 <= sum(depart < 100 for depart in departs) <= 80 < sum(depart >= 100 for depart in departs) <= 300
    )
    assert trips == sumo_world.random_trips(net, [(100, 0.5), (200, 2.0)], 1)


def test_vehicles_are_counted_where_they_were_when_they_were_there(net, tmp_path):
    way = ("left0A0", "A0right0")
    found = tmp_path / "found.xml"
    rows = [("2.00", "20.00 41.00"), ("9.00", "30.00 -1")]
    vehicles = (
        f'<vehicle depart="{depart}"><route edges="{" ".join(way)}" exitTimes="{times}"/></vehicle>'
        for depart, times in rows
    )
    found.write_text(f"<routes>{''.join(vehicles)}</routes>")
    # The last one waits outside for ever.
    run = sumo_world._counts(net, [Trip(1.5, way), Trip(3.0, way), Trip(10.0, way)], 50, found)
    assert run.waiting.tolist() == [0, 0, 0, *[1] * 6, 0, *[1] * 41]
    inside = run.entered - run.left
    assert inside[:, 0].tolist() == [*[0] * 2, *[1] * 7, *[2] * 11, *[1] * 10, *[0] * 21]
    assert inside[:, 2].tolist() == [*[0] * 20, *[1] * 10, *[2] * 11, *[1] * 10]
    assert run.completed == 1


def test_our_town_has_the_network_s_streets_lights_demand_and_turns(net):
    trips = [Trip(1.0, ("left0A0", "A0right0")), Trip(2.0, ("left0A0", "A0right0")), Trip(25.0, ("left0A0",))]
    town = sumo.town_of(net, trips, LANE)
    assert town.street_ids == tuple(net.ends)
    assert town.storage == pytest.approx([186 / 7.5, 186 / 7.5, 183 / 7.5])
    assert town.wave == pytest.approx(0.5 / (town.storage / town.length - 0.5 / 13.89))
    assert [round(ratio, 6) for ratio in town.ratio[:1]] == [1.0]
    cycle, begin, green = sumo._signals(net, town, {"A0": 5.0}, LANE).plans()
    assert cycle.tolist() == [46, 46, 0]
    assert begin[:2].tolist() == [7, 30]
    assert green[:2].tolist() == [21, 21]
    demand = sumo._demand(town, trips, 60)
    assert demand.rates(19.0).tolist() == pytest.approx([0.1, 0.0])
    assert demand.rates(20.0).tolist() == pytest.approx([0.05, 0.0])


def test_our_run_counts_every_second_and_keeps_everybody(net):
    trips = [Trip(float(time), ("left0A0", "A0right0")) for time in range(0, 40, 4)]
    run = sumo.ours(net, trips, 120, {"A0": 0.0}, LANE)
    assert run.entered.shape == run.left.shape == (121, 3)
    came = run.waiting + (run.entered - run.left).sum(axis=1)
    assert came[12] == pytest.approx(3)
    assert run.completed + came[-1] == pytest.approx(10)
    assert np.diff(run.left[:, 0])[50:68].max() == pytest.approx(0.5)


def test_lights_are_told_to_begin_late(net):
    text = "".join(sumo_world._programs(net, {"A0": 12.0}))
    assert 'offset="12"' in text
    assert text.count("<phase ") == 4
