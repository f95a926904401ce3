"""Vehicles pass from street to street as the flow does.

The flow has fractions; vehicles have none. A vehicle's label is what the count into its street was when it
entered; it is due to leave when the count out has come so far, and so takes exactly as long as the flow. It
turns into a street that is short of a vehicle, drawn by what has flowed there and was not driven yet. Where
no such street is, it waits at the end of its own.

That alone keeps vehicles near the flow, but a street may still come to be a whole vehicle short, or one too
many. Then one moves on early: ``levelling``.
"""

from __future__ import annotations

import numpy as np

from simulator.agents.chance import draw
from simulator.agents.queues import NOBODY, Queues
from simulator.agents.ways import LEAVES, Ways
from simulator.engine import Engine, State
from simulator.looks import Floats
from simulator.network import Town

__all__ = ["EDGE", "Crossings"]

EDGE = 1e-9
"""Vehicles: what is so near to a whole one is one but for rounding."""

SHORT = 0.3
"""Vehicles that a street must be short of to take one that is due: the more, the longer vehicles wait for
their turn, and the fewer have to move on early."""

GAP = 0.9
"""Least distance of two labels, so that vehicles do not stand in one place; below 1, so that labels which ran
ahead of the count are caught up with."""

URGENCY = 4.0
"""How much a street that is short counts beside what is owed to a way, where a vehicle turns."""

AHEAD = 2.0
"""Vehicles by which more may have gone a way than flowed there."""

ROUNDS = 4
"""In one step: who found no room gets another chance when others have left."""

SOONEST = 1e-3
"""Part of a step after whose begin a vehicle enters at the earliest."""

DRY = 2
"""Steps without flow after which nobody passes: the light is red, or the street is closed."""


class Crossings:
    """Lets vehicles into the town, from street to street, and out of it.

    Attributes:
        room: (S,) vehicles that each street is short of; negative: too many. Between -1 and 1 after a step.
        owed: (M,) what has flowed on each way and was not driven yet; leaving: (F,) the same out of the town.
        passed: (F,) vehicles that have left each feeder.
    """

    def __init__(self, town: Town, dt: float, ways: Ways, queues: Queues) -> None:
        self.ways = ways
        self.queues = queues
        self.streets = len(town.street_ids)
        feeders = self.streets + len(town.origins)
        self.room: list[float] = [0.0] * self.streets
        self.owed = np.zeros(len(ways.streets))
        self.leaving = np.zeros(feeders)
        self.passed = np.zeros(feeders, np.int64)
        # What has flowed from each origin, and for how many steps nothing has from each feeder.
        self._flowed = np.zeros(feeders - self.streets)
        self._dry = np.zeros(feeders, np.int64)
        self._travel = (town.length / town.speed).tolist()
        self._to = ways.streets.tolist()
        self._dt = dt
        self._begin = 0.0
        self._entered = self._left = self._into = np.zeros(self.streets)
        self._flow = np.zeros(feeders)
        self._ratio = town.ratio[ways.order]

    def follow(self, engine: Engine, flow: Floats, time: float) -> None:
        """After a step that ended at ``time``, in which (F,) ``flow`` passed from each feeder."""
        self._note(engine, flow, time)
        waiting = self._due()
        for _ in range(ROUNDS):
            rest = [feeder for feeder in waiting if not self._send(feeder)]
            if len(rest) in (0, len(waiting)):
                break
            waiting = rest

    def _note(self, engine: Engine, flow: Floats, time: float) -> None:
        """Take down what the step has changed."""
        ways = self.ways
        self._ratio = engine.ratio[ways.order]
        driven = flow[ways.feeders] * self._ratio
        self.owed += driven
        leaving = flow - np.bincount(ways.feeders, driven, len(flow))
        self.leaving += np.where(leaving > EDGE * flow, leaving, 0.0)
        self._flowed += flow[self.streets :]
        self._dry = np.where(flow > 0, 0, self._dry + 1)
        self._flow = flow
        self._into = engine.entered - self._entered
        self._entered, self._left = engine.entered.copy(), engine.left.copy()
        self._begin = time - self._dt
        self.room = (self._entered - self._left - self.queues.count).tolist()

    def _due(self) -> list[int]:
        """Feeders whose foremost vehicle is due, the latest first."""
        late = np.concatenate(
            [self._left - self.queues.first_label, self._flowed - self.passed[self.streets :] - 0.5]
        )
        due = np.flatnonzero((late >= -EDGE) & (self._dry < DRY))
        order: list[int] = due[np.lexsort((self.ways.rank[due], -late[due]))].tolist()
        return order

    def lateness(self, feeder: int) -> float:
        """Vehicles by which the count out is beyond the label of whoever is next to leave."""
        if feeder < self.streets:
            return float(self._left[feeder] - self.queues.first_label[feeder])
        return float(self._flowed[feeder - self.streets] - self.passed[feeder] - 0.5)

    def is_ready(self, feeder: int) -> bool:
        """Whether anybody can leave it: who came in this step cannot leave in it."""
        if feeder >= self.streets:
            return True
        slot = self.queues.foremost(feeder)
        return slot != NOBODY and self.queues.since.item(slot) <= self._begin

    def is_flowing(self, feeder: int) -> bool:
        """Whether anything passed from it in this step or the last."""
        return self._dry.item(feeder) < DRY

    def way_to_go(self, feeder: int) -> float:
        """Seconds until its foremost vehicle could be at its end."""
        if feeder >= self.streets:
            return 0.0
        age = self._begin + self._dt - self.queues.since.item(self.queues.foremost(feeder))
        return max(0.0, float(self._travel[feeder] - age))

    def can_take(self, way: int) -> bool:
        """Whether vehicles turn there at all."""
        return self._ratio.item(way) > 0

    def can_leave(self, feeder: int) -> bool:
        """Whether some of its vehicles leave the town at its end."""
        return sum(self._ratio.item(way) for way in self.ways.out[feeder]) < 1 - EDGE

    def _send(self, feeder: int) -> bool:
        """Let pass who is due and has arrived. Returns: False: no street is short of one that is."""
        while self.lateness(feeder) >= -EDGE and self.is_ready(feeder) and self.way_to_go(feeder) <= self._dt:
            way = self.turn(feeder, SHORT, AHEAD)
            if way is None:
                return False
            self.cross(feeder, way)
        return True

    def turn(self, feeder: int, short: float, ahead: float) -> int | None:
        """Where the next vehicle turns; None: nowhere.

        Args: short: what a street must be short of. ahead: vehicles by which a way may be ahead of its flow.
        """
        best, chosen, counter = -np.inf, None, self.passed.item(feeder)
        owed = self.leaving.item(feeder)
        if owed > 0:
            best, chosen = owed + draw(self.ways.leaving[feeder], counter), LEAVES
        for way in self.ways.out[feeder]:
            room = self.room[self._to[way]]
            owed = self.owed.item(way)
            if room > short and owed > -ahead and self.can_take(way):
                score = owed + URGENCY * room + draw(self.ways.keys[way], counter)
                if score > best:
                    best, chosen = score, way
        return chosen

    def cross(self, feeder: int, way: int) -> None:
        """The foremost vehicle leaves a feeder, and enters the street that the way leads to."""
        queues = self.queues
        late = self.lateness(feeder)
        if feeder < self.streets:
            slot = queues.pop(feeder)
            self.room[feeder] += 1
        else:
            slot = queues.enter_town()
        self.passed[feeder] += 1
        if way == LEAVES:
            self.leaving[feeder] -= 1
            queues.leave_town(slot)
            return
        # It was due within this step, or before, or will be: then it goes at the end.
        flow = self._flow.item(feeder)
        part = max(1 - late / flow, SOONEST) if 0 < late < flow else 1.0
        street = self._to[way]
        label = self._entered.item(street) - (1 - part) * self._into.item(street)
        label = max(label, queues.last_label.item(street) + GAP)
        queues.append(street, slot, label, self._begin + part * self._dt)
        self.owed[way] -= 1
        self.room[street] -= 1

    def state(self) -> State:
        """Everything that steps change."""
        return {
            "owed": self.owed,
            "leaving": self.leaving,
            "passed": self.passed,
            "flowed": self._flowed,
            "dry": self._dry,
            "entered": self._entered,
        }

    def restore(self, state: State) -> None:
        """Go on from what ``state`` returned."""
        self.owed, self.leaving = state["owed"].copy(), state["leaving"].copy()
        self.passed, self._flowed = state["passed"].copy(), state["flowed"].copy()
        self._dry, self._entered = state["dry"].copy(), state["entered"].copy()
