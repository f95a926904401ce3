"""Sweeps over seeds: a short one in every run, the whole of it in ``make soak``."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

import pytest


def sweep(values: Iterable[Any], short: int) -> list[Any]:
    """Parameters for ``parametrize``: the first ``short`` values in every run, the rest in ``make soak``."""
    rest = iter(values)
    return [*islice(rest, short), *(pytest.param(value, marks=pytest.mark.soak) for value in rest)]
