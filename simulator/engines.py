"""Which engines there are, by their names."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from simulator.averaged import AveragedLights
from simulator.ctm import CellTransmission
from simulator.engine import Engine
from simulator.ltm import LinkTransmission
from simulator.network import Town

__all__ = ["ENGINES", "make_engine"]

ENGINES: Final[dict[str, type[Any]]] = {
    "ltm": LinkTransmission,
    "ctm": CellTransmission,
    "avg": AveragedLights,
}

MAX_CELLS: Final = 1000


def make_engine(name: str, town: Town, dt: float, cells: int = 8, *, fast: bool = False) -> Engine:
    """The engine of that name.

    Args: dt: seconds of a step. cells: of a street, for "ctm". fast: whether its step is compiled.
    Raises: ValueError: no such engine, no such number of cells, or numba is missing. TownError: ``dt`` is too
        long for the town.
    """
    if name not in ENGINES:
        raise ValueError(f"no engine {name!r}; there are {', '.join(ENGINES)}")
    if not 1 <= cells <= MAX_CELLS:
        raise ValueError(f"cells must be from 1 to {MAX_CELLS}, not {cells}")
    make: Callable[..., Engine] = _compiled(name) if fast else ENGINES[name]
    return make(town, dt, cells) if name == "ctm" else make(town, dt)


def _compiled(name: str) -> Callable[..., Engine]:
    try:
        module = import_module("simulator.compiled")
    except ModuleNotFoundError as missing:
        if missing.name not in ("numba", "llvmlite"):
            raise
        raise ValueError("fast: a compiled step needs numba: pip install 'radiod[fast]'") from None
    made: Callable[..., Engine] = module.COMPILED[name]
    return made
