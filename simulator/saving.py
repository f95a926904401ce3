"""A running simulator in a file: one that is loaded goes on from there, bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, Protocol, TypeVar

import numpy as np

from simulator.demand import Demand, DemandTable, Rates
from simulator.engine import Engine, State
from simulator.errors import TownError
from simulator.files import Arrays, Path, Reader, write
from simulator.network import Town
from simulator.saved_town import arrays_of, town_of
from simulator.signals import Signals

__all__ = ["Part", "Saved", "load", "save"]

FORMAT: Final = "radiod simulator"
VERSION: Final = 1

DEMANDS: Final[dict[str, type[Demand] | type[DemandTable]]] = {"day": Demand, "table": DemandTable}
"""Kinds of demand that a file can hold."""

SPARE: Final = 1 << 16
"""Bytes beside what an engine has at its start: what it makes only when it needs it."""


class Part(Protocol):
    """What belongs to a running simulator beside its engine, as lights that were set, or vehicles."""

    def state(self) -> State:
        """Everything that steps and controls change."""

    def restore(self, state: State) -> None:
        """Go on from what ``state`` returned. Raises: TownError: it is of another one."""


class Saved(Protocol):
    """What is saved of a simulator. ``options``: what it was made with, ready for JSON."""

    town: Town
    engine: Engine
    demand: Rates
    parts: dict[str, Part]

    @property
    def signals(self) -> Signals: ...
    @property
    def options(self) -> Mapping[str, Any]: ...
    def progress(self) -> dict[str, Any]:
        """How far it is, and what was set by hand, ready for JSON."""

    def resume(self, progress: Mapping[str, Any]) -> None:
        """Be as far. Raises: ValueError, TypeError, KeyError, TownError: it is none."""


S = TypeVar("S", bound=Saved)


def save(simulator: Saved, path: Path) -> None:
    """Write everything. Raises: OSError: it cannot be written."""
    town, engine = simulator.town, simulator.engine
    kind, demand = _demand(simulator.demand)
    town_kind, town_demand = ("same", {}) if town.demand is simulator.demand else _demand(town.demand)
    header = {
        "format": FORMAT,
        "version": VERSION,
        "options": dict(simulator.options),
        "progress": simulator.progress(),
        "demand": kind,
        "demand_type": type(simulator.demand).__name__,
        "town_demand": town_kind,
        "parts": list(simulator.parts),
    }
    arrays = {
        **arrays_of(town),
        **_under("demand", demand),
        **_under("town_demand", town_demand),
        **_under("signals", simulator.signals.state()),
        **_under("engine", {**engine.state(), "capacity": engine.capacity, "intake": engine.intake}),
        **_under("ratio", {"now": engine.ratio}),
    }
    for name, part in simulator.parts.items():
        arrays |= _under(f"part_{name}", part.state())
    write(path, header, arrays)


def load(make: Callable[..., S], path: Path, demand: Rates | None) -> S:
    """A simulator that goes on where the one that was saved was.

    Args:
        make: makes one of a town, options, signals and demand.
        demand: in place of the saved one; must be given where that was no ``Demand`` or ``DemandTable``.
    Raises: TownError: the file cannot be read, is none, or was made up; a line that begins with its path.
    """
    with Reader(path) as file:
        try:
            return _load(make, file, demand)
        except TownError as error:
            text = str(error)
            raise (error if text.startswith(file.path) else file.fault(text)) from None
        except (ValueError, TypeError, KeyError, OverflowError, MemoryError) as error:
            raise file.fault(f"what it says cannot be: {type(error).__name__}: {error}") from None


def _load(make: Callable[..., S], file: Reader, demand: Rates | None) -> S:
    header = file.header()
    if header.get("format") != FORMAT:
        raise file.fault("is no saved simulator")
    if header.get("version") != VERSION:
        raise file.fault(f"is of version {header.get('version')!r}; this one reads {VERSION}")
    town = town_of(file)
    found = _demand_of(file, "demand", header["demand"], len(town.origins))
    if demand is None:
        demand = found
    if demand is None:
        kind = str(header.get("demand_type"))[:40]
        raise file.fault(f"its demand was a {kind}, which no file holds: give it, as in load(path, demand=…)")
    of_town = header["town_demand"]
    wanted = found if of_town == "same" else _demand_of(file, "town_demand", of_town, len(town.origins))
    town = replace(town, demand=wanted)
    simulator = make(town, **_options(file, header["options"]), signals=_signals(file, town), demand=demand)
    _restore_engine(file, simulator.engine, town)
    simulator.resume(header["progress"])
    for name, part in simulator.parts.items():
        room = SPARE + 4096 * len(town.street_ids) + 256 * int(min(town.storage.sum(), 1e6))
        room += sum(array.nbytes for array in part.state().values())
        part.restore(file.group(f"part_{name}", room))
    return simulator


def _options(file: Reader, options: Any) -> dict[str, Any]:
    if not isinstance(options, dict) or not all(
        isinstance(value, str | int | float | bool) for value in options.values()
    ):
        raise file.fault("its options are none")
    return options


def _restore_engine(file: Reader, engine: Engine, town: Town) -> None:
    expected = engine.state()
    room = 3 * sum(array.nbytes for array in expected.values()) + 16 * town.length.nbytes + SPARE
    state = file.group("engine", room)
    for name, array in state.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise file.fault(f"engine/{name}: not all are numbers")
    for name in ("capacity", "intake"):
        limits = file.floats(f"engine/{name}", town.length.shape, 0.0, float(town.capacity.max()) * 2)
        setattr(engine, name, limits)
        state.pop(name)
    engine.restore(state)
    if (engine.left > engine.entered + 1e-6).any() or engine.left.min() < 0:
        raise file.fault("engine: more vehicles left a street than entered it")
    inside = float(engine.vehicles.sum() + engine.waiting.sum())
    lost = abs(engine.generated - engine.gone - inside)
    if (engine.vehicles > town.storage + 1e-6).any() or engine.waiting.min(initial=0.0) < -1e-6:
        raise file.fault("engine: more vehicles on a street than it holds, or fewer than none waiting")
    if not lost <= 1e-6 * max(1.0, engine.generated):
        raise file.fault("engine: vehicles are missing, or too many")
    engine.turn(file.floats("ratio/now", town.ratio.shape, 0.0, 1.0 + 1e-9))


def _signals(file: Reader, town: Town) -> Signals:
    size = town.length.shape
    return Signals(*(file.floats(f"signals/{name}", size) for name in ("cycle", "begin", "green")))


def _demand(demand: Rates | None) -> tuple[str | None, Arrays]:
    """Its kind and state; None: no file can hold it."""
    for kind, made in DEMANDS.items():
        if type(demand) is made:
            return kind, demand.state()
    return None, {}


def _demand_of(file: Reader, name: str, kind: Any, origins: int) -> Rates | None:
    if kind is None:
        return None
    if kind not in DEMANDS:
        raise file.fault(f"its demand is a {str(kind)[:40]!r}; there are {', '.join(DEMANDS)}")
    demand = DEMANDS[kind].of(file.group(name, file.most))
    if len(demand) != origins:
        raise file.fault(f"demand: of {len(demand)} origins; the town has {origins}")
    return demand


def _under(name: str, arrays: Arrays) -> dict[str, Any]:
    return {f"{name}/{key}": array for key, array in arrays.items()}
