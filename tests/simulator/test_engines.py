"""Engines by their names, and what is said when one cannot be had."""

import sys

import pytest

from simulator import Simulator, Town
from simulator.averaged import AveragedLights
from simulator.ctm import CellTransmission
from simulator.engines import make_engine
from simulator.ltm import LinkTransmission


@pytest.mark.parametrize(
    ("name", "kind"), [("ltm", LinkTransmission), ("ctm", CellTransmission), ("avg", AveragedLights)]
)
@pytest.mark.parametrize("fast", [False, True])
def test_engines_have_names(name, kind, fast):
    engine = make_engine(name, Town.grid(2, 2), 1.0, fast=fast)
    assert isinstance(engine, kind)
    assert (type(engine) is kind) is not fast


def test_cells_are_those_of_a_street():
    assert len(make_engine("ctm", Town.grid(2, 2), 1.0, 5).cells) == 5 * 8


def test_an_unknown_engine_is_refused():
    with pytest.raises(ValueError, match=r"^no engine 'x'; there are ltm, ctm, avg$"):
        make_engine("x", Town.grid(2, 2), 1.0)


def test_without_numba_one_line_names_the_extra(monkeypatch):
    for name in ("simulator.compiled", "simulator.kernels"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(
        ValueError, match=r"^fast: a compiled step needs numba: pip install 'radiod\[fast\]'$"
    ):
        Simulator(Town.grid(2, 2), fast=True)
    Simulator(Town.grid(2, 2)).next()
