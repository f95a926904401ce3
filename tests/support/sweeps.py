"""Sweeps over seeds and combinations: a short one in every run, the whole of it in ``make soak``."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice, product
from typing import Any

import pytest


def sweep(values: Iterable[Any], short: int) -> list[Any]:
    """Parameters for ``parametrize``: the first ``short`` values in every run, the rest in ``make soak``."""
    rest = iter(values)
    return [*islice(rest, short), *(pytest.param(value, marks=pytest.mark.soak) for value in rest)]


def crossed(*tables: dict[str, Any] | tuple[str, ...]) -> list[Any]:
    """Parameters for ``parametrize`` from tables of names and values (or names that are the values).

    Every combination of all but the first is in every run, with one of the first in turn: so that each value
    occurs, and of three tables each pair. The combinations with the others are for ``make soak``.
    """
    named = [table if isinstance(table, dict) else {name: name for name in table} for table in tables]
    found = []
    for names in product(*named):
        first, *places = (list(table).index(name) for table, name in zip(named, names, strict=True))
        values = [table[name] for table, name in zip(named, names, strict=True)]
        marks = () if first == sum(places) % len(named[0]) else pytest.mark.soak
        found.append(pytest.param(*values, id="-".join(names), marks=marks))
    return found
