"""What looks like a mistake in a town."""

import pytest

from simulator.network import Street, Town


def town(origins, *streets, **turns):
    """Streets as ``id:from:to``; turns as ``a=("b", "c")``, evenly."""
    made = [Street(id=id, start=start, end=end) for id, start, end in (each.split(":") for each in streets)]
    ratios = {id: dict.fromkeys(to, 1 / len(to)) for id, to in turns.items()}
    return Town.from_streets(made, ratios, {made[0].start: {made[0].id: 1.0}} if origins else {})


RING = ["a:A:B", "b:B:C", "c:C:A"]
TURNS = {"a": ("b",), "b": ("c",), "c": ("a",)}


def test_a_town_that_hangs_together_has_no_warnings():
    assert town(True, *RING, **TURNS).warnings == ()
    assert Town.grid(2, 2).warnings == Town.grid(7, 9).warnings == ()


def test_streets_without_turns_are_named():
    assert town(True, *RING, "d:B:D", **{**TURNS, "a": ("b", "d")}).warnings == (
        "street d: it has no turns: everybody leaves the town at its end, D",
    )


def test_streets_that_nobody_reaches_are_named():
    warnings = town(True, *RING, "d:D:B", "e:E:D", **TURNS, d=("b",), e=("d",)).warnings
    assert warnings == tuple(f"street {id}: nobody can reach it from an origin" for id in "de")


def test_islands_are_named_by_their_first_streets():
    island = [f"i{n}:I{n}:I{(n + 1) % 7}" for n in range(7)]
    streets = [f"m{n}:M{n}:M{(n + 1) % 9}" for n in range(9)]
    on = {f"i{n}": (f"i{(n + 1) % 7}",) for n in range(7)} | {f"m{n}": (f"m{(n + 1) % 9}",) for n in range(9)}
    mixed = [each for n in range(9) for each in (streets[n : n + 1] + island[n : n + 1])]
    first, *rest = town(True, *mixed, **on).warnings
    assert first == (
        "street i0, i1, i2, i3, i4 …: an island, joined with no other street of the town (7 of them)"
    )
    assert rest == [f"street i{n}: nobody can reach it from an origin" for n in range(7)]


def test_a_town_without_origins_is_told_once():
    assert town(False, *RING, **TURNS).warnings == ("town: it has no origins: nobody ever enters it",)


@pytest.mark.parametrize("length", [2, 50])
def test_streets_lead_on_however_far(length):
    streets = [f"s{n}:J{n}:J{n + 1}" for n in range(length)]
    turns = {f"s{n}": (f"s{n + 1}",) for n in range(length - 1)}
    assert len(town(True, *streets, **turns).warnings) == 1
