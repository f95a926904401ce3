"""Pictures after a run: they are there, and show what the town did."""

import sys

import pytest

from simulator import Simulator, Town, TownError
from simulator.__main__ import main
from simulator.plot import MAX_MOMENTS, MAX_POINTS, Plotted

NAMES = ["density", "fundamental", "town"]


@pytest.fixture
def simulator():
    return Simulator(Town.ring(12), "round")


def test_three_pictures_are_drawn_at_the_end(tmp_path, capsys):
    arguments = [
        "--town",
        "grid:3x3",
        "--dry-run",
        "--samples",
        "5",
        "--plot",
        str(tmp_path / "new" / "folder"),
    ]
    assert main(arguments) == 0
    assert capsys.readouterr().err == ""
    for name in NAMES:
        assert (tmp_path / "new" / "folder" / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_svg_says_what_is_drawn(tmp_path, simulator):
    plotted = Plotted(simulator, tmp_path, "svg")
    for _ in range(3):
        plotted.next()
    plotted.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{name}.svg" for name in NAMES]
    assert "<svg" in (tmp_path / "town.svg").read_text()


def test_nothing_has_happened_yet(tmp_path, simulator):
    Plotted(simulator, tmp_path).close()
    assert len(list(tmp_path.iterdir())) == 3


def test_the_ring_lies_on_its_triangle(tmp_path, simulator):
    plotted = Plotted(simulator, tmp_path)
    for _ in range(360):
        plotted.next()
    density, flow = plotted._moments.all()[-1]
    town = simulator.town
    # Nobody leaves, and it is full enough for the falling side.
    assert density == pytest.approx(simulator.engine.vehicles.sum() / town.length.sum(), rel=0.01)
    expected = min(town.speed[0] * density, town.wave[0] * (town.jam_densities()[0] - density))
    assert flow == pytest.approx(min(expected, town.capacity[0]), rel=0.02)


def test_a_long_run_keeps_so_many_points_and_no_more(tmp_path, monkeypatch):
    monkeypatch.setattr("simulator.plot.MAX_MOMENTS", 20)
    monkeypatch.setattr("simulator.plot.WINDOW", 1.0)
    plotted = Plotted(Simulator(Town.grid(2, 2), step=1.0), tmp_path)
    for _ in range(200):
        plotted.next()
    assert 10 <= len(plotted._moments.all()) <= 20
    assert MAX_MOMENTS == 5_000
    assert MAX_POINTS == 20_000


def test_without_matplotlib_one_line_names_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert main(["--town", "grid:2x2", "--dry-run", "--plot", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "simulator: --plot needs matplotlib: pip install 'radiod[plot]'\n"


def test_a_folder_that_cannot_be_is_refused(tmp_path, simulator):
    (tmp_path / "file").write_text("")
    with pytest.raises(TownError, match=r"--plot .*File exists"):
        Plotted(simulator, tmp_path / "file")


def test_a_picture_that_cannot_be_written_is_a_line(tmp_path, simulator, capsys):
    plotted = Plotted(simulator, tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    plotted.close()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert all("No such file or directory" in line for line in lines)
