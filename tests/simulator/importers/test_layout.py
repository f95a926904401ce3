"""Places for junctions that have none."""

import numpy as np
import pytest

from simulator.draft import Draft
from simulator.importers.layout import add_positions
from simulator.street import Street


def draft(*pairs, places=None):
    streets = [Street(id=f"{a}-{b}", start=a, end=b, length=length) for a, b, length in pairs]
    return Draft(streets=streets, positions=dict(places or {}))


def far(town, one, other):
    return float(np.hypot(*(np.array(town.positions[one]) - town.positions[other])))


def test_a_grid_is_drawn_as_one():
    cells = [(r, c) for r in range(5) for c in range(5)]
    pairs = [
        (f"{r},{c}", f"{s},{d}", 100.0)
        for r, c in cells
        for s, d in ((r + 1, c), (r, c + 1))
        if s < 5 and d < 5
    ]
    town = draft(*pairs)
    add_positions(town)
    assert all(50 < far(town, one, other) < 160 for one, other, _ in pairs)
    assert far(town, "0,0", "4,4") > 350


@pytest.mark.parametrize("count", [2, 3])
def test_few_junctions(count):
    town = draft(*[(str(at), str(at + 1), 100.0) for at in range(count - 1)])
    add_positions(town)
    assert far(town, "0", "1") == pytest.approx(100)


def test_islands_are_drawn_too():
    town = draft(("a", "b", 100.0), ("c", "d", 100.0))
    add_positions(town)
    assert np.isfinite(list(town.positions.values())).all()
    assert len(set(town.positions.values())) == 4


def test_a_junction_between_others():
    town = draft(
        ("a", "b", 1.0), ("b", "c", 1.0), ("c", "a", 1.0), places={"a": (0.0, 0.0), "c": (100.0, 0.0)}
    )
    add_positions(town)
    assert town.positions["b"] == (50, 0)
    assert town.repairs == ["junction b: it has no place; drawn between its neighbours"]


def test_places_that_are_known_stay():
    town = draft(("a", "b", 1.0), places={"a": (0.0, 0.0), "b": (9.0, 9.0)})
    add_positions(town)
    assert town.positions == {"a": (0, 0), "b": (9, 9)}
    assert town.repairs == town.warnings == []
