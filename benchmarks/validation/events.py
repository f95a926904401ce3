"""What vehicles of another simulator did, one by one, as counts that ours can be compared with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .compare import Outcome, outcome_of
from .worlds import World

__all__ = ["ASKED", "ENDED", "Events"]

ASKED, ENDED = -1, -2
"""In place of a street: the vehicle wants to enter; it has left the town."""

Numbers = NDArray[Any]
Fans = dict[str, dict[str, float]]


class Events:
    """Vehicles' ways through a world.

    Args:
        vehicle, time, link: (E,) of each event, a vehicle's in their order: number, seconds, and place among
            the world's links, ``ASKED`` or ``ENDED``.
        phases: (N, J) what the lights showed in each of its steps, or None: a second, times ``platoon``.
    Attributes: S streets, J junctions, T seconds.
        entered, left: (T + 1, S) cumulative. waiting: (T + 1,) asked and not yet in.
        asked: (T, J) vehicles that wanted to enter at each junction in each second.
        completed: how many have left the town.
    """

    def __init__(
        self, world: World, vehicle: Numbers, time: Numbers, link: Numbers, phases: Numbers | None = None
    ) -> None:
        self.world = world
        self.phases = phases
        place = {node.name: at for at, node in enumerate(world.nodes)}
        self.start = np.array([place[street.start] for street in world.links])
        self.end = np.array([place[street.end] for street in world.links])
        self.seconds = np.array([street.length / street.speed for street in world.links])
        order = np.argsort(vehicle, kind="stable")
        vehicle, time, link = vehicle[order], time[order], link[order]
        # Each event with the next one of its vehicle; times count by the end of their second.
        goes_on = np.append(vehicle[1:] == vehicle[:-1], False)
        at = np.ceil(time - 1e-6).astype(int)
        then, where = np.append(at[1:], 0), np.append(link[1:], ENDED)
        moved = goes_on & (then <= world.seconds)
        self.completed = world.platoon * int(((link == ENDED) & (at <= world.seconds)).sum())
        self.entered = self._counts(then[moved], where[moved])
        self.left = self._counts(then[moved], link[moved])
        asks = (link == ASKED) & goes_on & (at <= world.seconds)
        # In the second that begins then.
        self.asked = np.zeros((world.seconds + 1, len(world.nodes)))
        np.add.at(self.asked, (at[asks], self.start[where[asks]]), world.platoon)
        got_in = np.bincount(then[moved & (link == ASKED)], minlength=world.seconds + 1) * world.platoon
        self.waiting = np.cumsum(self.asked.sum(axis=1) - got_in)
        self._moves = then[moved], link[moved], where[moved]

    def _counts(self, times: Numbers, links: Numbers) -> Numbers:
        """(T + 1, S) cumulative."""
        counts = np.zeros((self.world.seconds + 1, len(self.world.links)))
        streets = links >= 0
        np.add.at(counts, (times[streets], links[streets]), self.world.platoon)
        return np.cumsum(counts, axis=0)

    def outcome(self) -> Outcome:
        """The measures of the run."""
        return outcome_of(self.entered, self.left, self.waiting, self.seconds, self.completed)

    def ratios(self, begin: float = 0.0, end: float = np.inf) -> tuple[Fans, Fans]:
        """How vehicles turned between two times: from each street, and from each junction where they began.

        Who left the town counts with those who came; the others' ratios add up to less than 1.
        """
        times, link, where = self._moves
        during = (times >= begin) & (times < end)
        turned: Mapping[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        began: Mapping[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        streets, nodes = self.world.links, self.world.nodes
        for here, there in zip(link[during].tolist(), where[during].tolist(), strict=True):
            if here >= 0:
                turned[streets[here].name][streets[there].name if there >= 0 else ""] += 1
            elif here == ASKED:
                began[nodes[self.start[there]].name][streets[there].name] += 1
        return _shares(turned), _shares(began)


def _shares(counts: Mapping[str, Mapping[str, int]]) -> Fans:
    """Shares of all, without those of "": out of town."""
    return {
        name: {to: count / sum(fan.values()) for to, count in fan.items() if to}
        for name, fan in counts.items()
    }
