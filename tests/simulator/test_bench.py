"""The measuring itself: our side, and what a rival is asked to do."""

import pytest

from simulator import bench


class Rival:
    """Stands in for UXsim: takes down what it is given."""

    def World(self, **settings):  # UXsim's own name
        self.settings, self.nodes, self.links, self.trips, self.ran = settings, [], [], 0, False
        return self

    def addNode(self, name, x, y, signal):
        self.nodes.append(name)

    def addLink(self, name, start, end, length, *, signal_group, **kind):
        assert {start, end} <= set(self.nodes)
        self.links.append((name, signal_group))

    def adddemand(self, start, end, begin, until, *, volume):
        assert start != end
        self.trips += volume

    def exec_simulation(self):
        sum(range(100_000))
        self.ran = True


def test_our_side_tells_streets_speed_and_start():
    streets, factor, started = bench.ours(3, 60.0)
    assert streets == 24
    assert factor > 1
    assert started >= 0


def test_a_rival_gets_the_same_streets_two_phases_and_the_trips():
    rival = Rival()
    assert bench.uxsim(rival, 3, 60.0, 100) > 0
    assert rival.ran
    assert (len(rival.nodes), len(rival.links), rival.trips) == (9, 24, 100)
    assert dict(rival.links)["r0c0-r0c1"] == [1]
    assert dict(rival.links)["r0c0-r1c0"] == [0]


@pytest.mark.parametrize("is_there", [True, False])
def test_the_ratio_is_printed_where_there_is_a_rival(monkeypatch, capsys, is_there):
    def find(name):
        if not is_there:
            raise ModuleNotFoundError(name)
        return Rival()

    monkeypatch.setattr(bench, "TOWNS", {3: (60.0, 100)})
    monkeypatch.setattr(bench, "WARM_UP", 5.0)
    monkeypatch.setattr(bench.importlib, "import_module", find)
    bench.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("24 streets, dt 1 s: ltm ")
    named = [line.strip().split(":")[0] for line in lines[1:]]
    engines = ["ltm, compiled", "ctm", "ctm, compiled", "avg", "avg, compiled"]
    assert named == (["UXsim C++, dn 5", *engines] if is_there else ["ctm", "avg"])
    assert all(("as fast as UXsim" in line) is is_there for line in lines[2:])


def test_vehicles_are_measured_when_they_are_asked_for(monkeypatch, capsys):
    found = []
    monkeypatch.setattr(bench, "agents", lambda: found.append(1) or "a line")
    monkeypatch.setattr(bench.sys, "argv", ["bench", "agents"])
    bench.main()
    assert capsys.readouterr().out == "a line\n"
    assert found == [1]


def test_a_line_about_vehicles_tells_how_many_and_how_fast():
    line = bench.agents(2, 4, until=60.0, seconds=20.0)
    assert line.startswith("32 streets, ")
    assert "x real time" in line
    assert "flows alone" in line
