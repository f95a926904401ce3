"""What an engine is: the model that moves vehicles through a town, one step at a time.

Shapes as in ``Town``: S streets, O origins, F = S + O feeders. An engine's arrays are its own: read them, or
copy them, between steps; only ``capacity`` and ``intake`` are to be written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from simulator.errors import TownError
from simulator.network import Floats, Town

__all__ = ["Engine", "Lights", "State", "check_state", "check_step", "counts_of", "restore_counts"]

State = Mapping[str, NDArray[Any]]
"""Name -> array: what has to be kept of an engine, so that another one goes on from there, bit for bit."""


class Lights(Protocol):
    """What an engine asks of the traffic lights."""

    def during(self, time: float, dt: float) -> tuple[Floats, tuple[Floats, Floats] | None]:
        """(S,) part of the ``dt`` seconds from ``time`` on that is green; (S,) where in it the first green
        begins and (S,) the last one ends, None where no light changes within it."""

    def ahead(self, step: int, dt: float, count: int) -> tuple[Floats, Floats, NDArray[np.bool_]]:
        """``during`` of ``count`` steps from number ``step`` on: (T, S) parts; (2, T, S) begins and ends,
        (2, 0, 0) where no light changes in any step; (T,) whether one does."""

    def average(self, time: float) -> tuple[Floats, Floats]:
        """(S,) part of the time that is green; (S,) seconds of red that a vehicle meets, on average, which
        comes at any time and finds nobody before it. Of the plans that hold at ``time``."""


class Engine(Protocol):
    """The state of a town's traffic, and the step from ``t`` to ``t + dt``.

    Attributes:
        capacity: (S,) vehicles/s that each street lets go at its end: at first the town's; may be written
            between steps, from 0 to the town's.
        intake: (S,) vehicles/s that each street takes at its beginning; as ``capacity``.
        ratio: (M,) turning ratios, in the town's order; changed by ``turn``.
        entered, left: (S,) cumulative vehicles in and out of each street.
        waiting: (O,) vehicles at each origin that found no room yet.
        generated: vehicles that have wanted to enter the town so far.
        gone: vehicles that have left the town so far.
    """

    capacity: Floats
    intake: Floats
    entered: Floats
    left: Floats
    waiting: Floats
    generated: float
    gone: float

    @property
    def vehicles(self) -> Floats:
        """(S,) vehicles on each street."""

    @property
    def ratio(self) -> Floats: ...

    def turn(self, ratio: Floats) -> None:
        """Let vehicles turn in these (M,) ratios from the next step on."""

    def queued(self) -> tuple[Floats, Floats]:
        """(S,) vehicles that stand at the end of their street; (S,) that come to it in the next step."""

    def advance(self, lights: Lights, time: float, rates: Floats) -> Floats:
        """Advance by ``dt`` from ``time`` on.

        Args: rates: (O,) vehicles/s that want to enter.
        Returns: (F,) vehicles that passed from each feeder.
        """

    def leap(self, lights: Lights, step: int, rates: Floats) -> tuple[Sequence[float], Sequence[float]]:
        """Advance by several steps, from number ``step`` on: the same as ``advance`` again and again.

        Args: lights: those that do not react. rates: (T, O) vehicles/s that want to enter, one row a step.
        Returns: (T,) ``generated`` after each step; (T,) ``gone``.
        """

    def free_flow(self) -> float:
        """Vehicle-seconds that what was driven so far takes at free flow: more than that is delay."""

    def state(self) -> State:
        """Everything that steps change. The arrays may be the engine's own."""

    def restore(self, state: State) -> None:
        """Go on from what ``state`` returned. Raises: TownError: it is of another town, engine or step."""


def check_step(town: Town, dt: float) -> None:
    """Raises: TownError: a vehicle or a wave crosses some street in less than ``dt`` seconds."""
    crossing = np.minimum(town.length / town.speed, town.length / town.wave)
    shortest = int(crossing.argmin())
    if not 0 < dt <= crossing[shortest]:
        raise TownError(
            f"dt must be above 0 and at most {crossing[shortest]:.3f} s, "
            f"the shortest time for a street ({town.street_ids[shortest]})"
        )


def check_state(expected: State, state: State, but: Set[str] = frozenset()) -> None:
    """Raises: TownError: an array is missing, or has another shape or kind of numbers; ``but`` may be."""
    for name, array in expected.items():
        found = array if name in but else state.get(name)
        if found is None or found.shape != array.shape or found.dtype != array.dtype:
            raise TownError(f"state: {name} is missing or of another town, engine or step")


def counts_of(engine: Engine) -> dict[str, NDArray[Any]]:
    """What every engine's state has."""
    return {
        "entered": engine.entered,
        "left": engine.left,
        "waiting": engine.waiting,
        "totals": np.array([engine.generated, engine.gone]),
    }


def restore_counts(engine: Engine, state: State) -> None:
    """Set what every engine's state has. Raises: TownError: it is of another town."""
    check_state(counts_of(engine), state)
    engine.entered, engine.left = state["entered"].copy(), state["left"].copy()
    engine.waiting = state["waiting"].copy()
    engine.generated, engine.gone = state["totals"].tolist()
