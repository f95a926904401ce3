"""The single vehicles of a town."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from simulator.agents.crossings import Crossings
from simulator.agents.levelling import level
from simulator.agents.positions import Positions
from simulator.agents.queues import OF_VEHICLES, Queues
from simulator.agents.ways import Ways
from simulator.engine import Engine, State, check_state
from simulator.looks import Floats
from simulator.network import Town

__all__ = ["Agents"]


class _Part(Protocol):
    def state(self) -> State: ...
    def restore(self, state: State) -> None: ...


class Agents:
    """Vehicles that follow an engine's counts, step by step.

    On each street there are less than one more, or fewer, than its count. The same streets, seed and flows
    give the same vehicles, in whatever order streets are given.
    Attributes: amiss: streets that could not be brought so near in the last step.
    """

    def __init__(self, town: Town, dt: float, seed: int = 0) -> None:
        """Args: dt: seconds of an engine's step. seed: of the turns."""
        self._town = town
        self._dt = dt
        self._seed = seed
        self._queues = Queues(len(town.street_ids))
        self._crossings = Crossings(town, dt, Ways(town, seed), self._queues)
        self._positions = Positions(town, dt)
        self._parts: dict[str, _Part] = {
            "queues": self._queues,
            "crossings": self._crossings,
            "positions": self._positions,
        }
        self.amiss = 0

    def __len__(self) -> int:
        """Vehicles inside the town."""
        return int(self._queues.count.sum())

    def follow(self, engine: Engine, flow: Floats, time: float) -> None:
        """After a step that ended at ``time``, in which (F,) ``flow`` passed from each feeder."""
        self._crossings.follow(engine, flow, time)
        self.amiss = level(self._crossings)
        self._positions.record(engine.left)

    def vehicles(self, time: float) -> dict[str, NDArray[Any]]:
        """All vehicles at ``time``, the end of the last step, by id.

        Returns: "id": (V,), from 0 on as vehicles entered the town. "street": (V,) place in ``street_ids``.
            "at": (V,) metres from the street's beginning.
        """
        queues = self._queues
        slots = queues.slots()
        street = queues.street[slots].astype(np.intp)
        at = self._positions.at(street, queues.label[slots], time - queues.since[slots])
        return {"id": queues.id[slots], "street": street, "at": at}

    def state(self) -> State:
        """Everything that steps change."""
        return {
            f"{name}_{key}": array
            for name, part in self._parts.items()
            for key, array in part.state().items()
        }

    def restore(self, state: State) -> None:
        """Go on from what ``state`` returned. Raises: TownError: it is of another town or step."""
        check_state(self.state(), state, {f"queues_{name}" for name in OF_VEHICLES})
        fresh = Agents(self._town, self._dt, self._seed)
        for name, part in fresh._parts.items():
            part.restore(
                {key.removeprefix(name + "_"): a for key, a in state.items() if key.startswith(name + "_")}
            )
        self.__dict__.update(fresh.__dict__)
