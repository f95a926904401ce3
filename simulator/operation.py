"""What may be said to a running town about its lights and streets."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from simulator.engine import Engine, State
from simulator.errors import TownError
from simulator.incidents import Incidents
from simulator.lights import Lights
from simulator.network import Floats, Town
from simulator.reactive import Rule
from simulator.signals import Signals

__all__ = ["Operated"]


class Operated:
    """A town whose lights and streets are operated. All times are simulated seconds.

    Attributes: ``lights``, ``incidents``. Whatever is refused has changed nothing.
    """

    engine: Engine

    def __init__(self, town: Town, signals: Signals) -> None:
        self.lights = Lights(town, signals)
        self.incidents = Incidents(town)

    @property
    def time(self) -> float:
        """Simulated seconds since the start."""
        raise NotImplementedError

    @property
    def signals(self) -> Signals:
        """The plans of the lights."""
        return self.lights.plans

    def set_light(
        self, junction: str, cycle: float, offset: float, greens: Mapping[str, tuple[float, float]]
    ) -> None:
        """Give a junction's light a plan, from now on; it reacts no more.

        Args:
            cycle: seconds; 0: no light.
            offset: seconds by which the cycle begins late.
            greens: street -> (begin, seconds): when in the cycle its green begins, and how long it lasts.
                Streets that lead there and are not named have no green.
        Raises: TownError: no such junction, a street does not lead there, or a time cannot be.
        """
        self.lights.set_plan(junction, cycle, offset, greens)

    def set_phases(
        self,
        junction: str,
        phases: Sequence[tuple[Iterable[str], float]],
        all_red: float = 3.0,
        offset: float = 0.0,
    ) -> None:
        """Give a junction's light a plan of phases, (streets, seconds of green), all red after each.

        Raises: TownError: as ``set_light``; a street has two greens with a red between.
        """
        self.lights.set_phases(junction, phases, all_red, offset)

    def set_plans(
        self,
        junction: str,
        plans: Mapping[float, tuple[float, float, Mapping[str, tuple[float, float]]]],
        day: float = float("inf"),
    ) -> None:
        """Give a junction's light plans by the time of day; it reacts no more.

        One goes on to the end of its cycle, in which no green is cut; the next one begins there, and is
        stretched for a cycle or two until it is where its offset says.

        Args:
            plans: simulated seconds of the day -> (cycle, offset, greens), as in ``set_light``; ``phased`` of
                ``simulator.phases`` makes one of phases.
            day: seconds after which they begin again; inf: the last one holds for ever.
        Raises: TownError: as ``set_light``; or the times do not ascend, or not within the day.
        """
        self.lights.set_plans(junction, plans, self.time, day)

    def set_reactive(
        self,
        rule: Rule | None,
        junctions: Collection[str] | None = None,
        phases: Sequence[Collection[str]] | None = None,
    ) -> int:
        """Let lights react to who comes, from now on.

        Args:
            rule: ``Actuated(…)`` or ``MaxPressure(…)``; None: to their plans again.
            junctions: which ones; default: all that have a light.
            phases: lists of streets, of one junction; default: what its plan has green together.
        Returns: how many lights do.
        Raises: TownError: no such junction, or nothing there to choose from.
        """
        return self.lights.react(rule, self.time, junctions, phases)

    def light(self, junction: str) -> dict[str, Any]:
        """A junction's light now: ``{junction, kind, cycle, offset, greens}``, as ``set_light`` takes them.

        ``kind`` is "none", "plan", "actuated" or "max-pressure". Raises: TownError: no such junction.
        """
        return self.lights.describe(junction)

    def set_wave(self, streets: Sequence[str], cycle: float | None = None, both_ways: bool = False) -> float:
        """Set the offsets of the lights along these streets, one after the other, to a green wave.

        Args: cycle: seconds, of all of them; default: the longest of theirs.
        Returns: seconds of each cycle in which one can set off at the first light and stop at none.
        Raises: TownError: no street leads to the next one, or a light has no plan.
        """
        return self.lights.coordinate(streets, cycle, is_both_ways=both_ways)

    def close_street(
        self, id: str, t0: float | None = None, t1: float | None = None, *, detour: bool = True
    ) -> None:
        """Let nobody into a street from ``t0`` (default: now) to ``t1`` (default: for ever).

        Who is on it drives on and leaves. Args: detour: whether those who would have turned into it turn
        elsewhere, where they can; the others wait, and their queue spills back.
        Raises: TownError: no such street, or the times are none.
        """
        self.incidents.close(id, self.time, t0, t1, detour=detour)

    def open_street(self, id: str, t0: float | None = None, t1: float | None = None) -> None:
        """Undo ``close_street`` in a time: from ``t0`` (default: now) to ``t1`` (default: for ever).

        Raises: TownError: as ``close_street``.
        """
        self.incidents.close(id, self.time, t0, t1, is_closed=False)

    def set_capacity(self, id: str, share: float, t0: float | None = None, t1: float | None = None) -> None:
        """Leave a street a share of its capacity at both ends, 0 to 1, from ``t0`` to ``t1``.

        With 0 nobody enters, and who is inside waits. What is said later holds where times overlap.
        Raises: TownError: no such street or share, or the times are none.
        """
        self.incidents.narrow(id, share, self.time, t0, t1)

    def operate(self, dt: float, ratio: Floats) -> None:
        """Let lights react, and streets close and open, for the ``dt`` seconds that come.

        Args: ratio: (M,) turning ratios where nothing is closed.
        """
        if self.incidents.is_due(self.time, dt, ratio):
            self.incidents.apply(self.engine, self.time, dt, ratio)
        self.lights.look(self.engine, self.time, dt)


class Kept:
    """Lights or incidents as arrays, to be saved with an engine's."""

    def __init__(self, part: Lights | Incidents) -> None:
        self._part = part

    def state(self) -> State:
        """Everything that was said, and who has green."""
        return {"json": np.frombuffer(json.dumps(self._part.dump()).encode(), np.uint8)}

    def restore(self, state: State) -> None:
        """Go on from what ``state`` returned. Raises: TownError: it is of another town, or none."""
        try:
            dumped = json.loads(state["json"].tobytes())
        except (KeyError, ValueError):
            raise TownError("state: lights or incidents are missing, or none") from None
        self._part.restore(dumped)
