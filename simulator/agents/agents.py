"""Vehicles that are consistent with the counts of an engine.

An engine's counts have fractions; vehicles have none. Vehicle i of a street leaves when the count out passes
what the count in was when it entered, so that it takes exactly as long as the flow does, and on every street
there are as many vehicles as the count says, rounded up or down. Where streets meet both cannot always be had
at once: a vehicle waits at the end of its street until one of those that it may turn into is short of one.
"""

from __future__ import annotations

import numpy as np

from simulator.agents.chance import draw, key
from simulator.agents.queues import NOBODY, Queues
from simulator.looks import Floats, Ints
from simulator.network import Town

__all__ = ["Crossings"]

EDGE = 1e-9
"""Vehicles: so near to a whole one that only rounding stands between."""

"""The least that is between the labels of two vehicles, so that they do not stand in one place."""

import os
ALPHA, BETA, GAMMA = map(float, os.environ.get("ABG", "2,0,0").split(","))
NORED, SOFT, TIME = map(float, os.environ.get("NS", "1,0,1").split(","))
ACC, GAP = map(float, os.environ.get("AG", "0.3,0.9").split(","))
LEAVES = -1
"""Turning: out of the town."""

DEPTH = 12
"""Streets in a row whose vehicles move up together, at most."""


class Crossings:
    """Moves vehicles from street to street, into the town and out of it."""

    def __init__(self, town: Town, queues: Queues, seed: int) -> None:
        streets, origins = len(town.street_ids), len(town.origins)
        self._streets = streets
        self._travel = (town.length / town.speed).tolist()
        self.queues = queues
        names = [*town.street_ids, *(f"origin\0{town.junction_ids[at]}" for at in town.origins.tolist())]
        order = sorted(range(len(names)), key=lambda feeder: (feeder >= streets, names[feeder]))
        self._rank = np.empty(len(names), np.intp)
        self._rank[order] = np.arange(len(names))
        self._from = town.movement_from
        self._to = town.movement_to
        # The ways out of each feeder and into each street, in the order of names.
        ways = np.lexsort((self._rank[self._to], self._from))
        self._out: list[list[int]] = [[] for _ in names]
        self._in: list[list[int]] = [[] for _ in range(streets)]
        for way in ways.tolist():
            self._out[self._from[way]].append(way)
        for way in ways[np.argsort(self._rank[self._from[ways]], kind="stable")].tolist():
            self._in[self._to[way]].append(way)
        self._feeder_of = self._from.tolist()
        self._street_of = self._to.tolist()
        self._keys = [
            key(seed, names[a], names[b]) for a, b in zip(self._feeder_of, self._street_of, strict=True)
        ]
        self._keys_out = [key(seed, name) for name in names]
        # What is still to pass each way, and out of the town, so that as many vehicles went there as flowed.
        self.owed = np.zeros(len(self._to))
        self.owed_out = np.zeros(len(names))
        self.passed = np.zeros(len(names), np.int64)
        self.flowed_origins = np.zeros(origins)
        self._dry = np.zeros(len(names), int)
        self.red = 0
        self.pushing = False
        self.pj = [[],[]]
        self.forced = 0
        self.held = 0
        self.normal = 0
        self.failed = 0
        self.chains = 0

    def move(self, time: float, dt: float, entered: Floats, left: Floats, flow: Floats, ratio: Floats) -> None:
        """After a step of ``dt`` seconds to ``time``."""
        streets = self._streets
        per_way = flow[self._from] * ratio
        self.owed += per_way
        self.owed_out += flow - np.bincount(self._from, per_way, len(flow))
        self.flowed_origins += flow[streets:]
        into = np.bincount(self._to, per_way, streets)
        self._time, self._dt = time, dt
        self._entered, self._left, self._flow, self._into = entered, left, flow, into
        # How many vehicles more each street should have: between -1 and 1.
        self._dry = np.where(flow > 0, 0, self._dry + 1)
        self._room = (entered - left - self.queues.count).tolist()
        self._may = ratio
        waiting = self._due()
        self.pushing = False
        for _ in range(4):
            rest = [feeder for feeder in waiting if not self._send(feeder)]
            if len(rest) == len(waiting) or not rest:
                break
            waiting = rest
        self.held += len(rest) if waiting else 0
        if SOFT:
            for street in np.flatnonzero(np.array(self._room) > SOFT).tolist():
                while self._room[street] > SOFT and self._near(street):
                    pass
        room = np.array(self._room)
        self.pushing = True
        for _ in range(2):
            over = np.flatnonzero(room <= EDGE - 1)
            for street in over[np.argsort(self._rank[over])].tolist():
                while self._room[street] <= EDGE - 1:
                    self.forced += 1
                    if not self._push(street):
                        self.failed += 1
                        break
            under = np.flatnonzero(np.array(self._room) >= 1 - EDGE)
            for street in under[np.argsort(self._rank[under])].tolist():
                while self._room[street] >= 1 - EDGE:
                    self.forced += 1
                    if not self._pull(street):
                        self.failed += 1
                        break
            room = np.array(self._room)

    def _due(self) -> list[int]:
        late = np.concatenate(
            [self._left - self.queues.first_label, self.flowed_origins - self.passed[self._streets :] - 0.5]
        )
        due = np.flatnonzero(late >= -EDGE)
        return due[np.lexsort((self._rank[due], -late[due]))].tolist()

    def _ready(self, feeder: int) -> bool:
        """Whether there is somebody at its end who has not just come."""
        if feeder >= self._streets:
            return True
        slot = self.queues.foremost(feeder)
        return slot != NOBODY and self.queues.since[slot] <= self._time - self._dt

    def _arrived(self, feeder):
        if feeder >= self._streets:
            return True
        slot = self.queues.foremost(feeder)
        return self._time - self.queues.since[slot] >= self._travel[feeder] - self._dt

    def _send(self, feeder: int) -> bool:
        """Let go whoever is due. Returns: whether nobody is left who is."""
        while self._is_due(feeder):
            if not self._ready(feeder):
                return True
            if not self._arrived(feeder):
                return True
            if NORED and self._flow.item(feeder) <= 0 and self._dry[feeder] > 1:
                return True
            way = self._turn(feeder)
            if way is None:
                return False
            self.normal += 1
            self._pass(feeder, way)
        return True

    def _is_due(self, feeder: int) -> bool:
        if feeder >= self._streets:
            at = feeder - self._streets
            return bool(self.flowed_origins[at] - self.passed[feeder] - 0.5 >= -EDGE)
        return bool(self._left[feeder] - self.queues.first_label[feeder] >= -EDGE)

    def _turn(self, feeder: int) -> int | None:
        """Where the next vehicle turns among what is short of one; LEAVES; None: nowhere."""
        best, chosen = -np.inf, None
        counter = int(self.passed[feeder])
        if self.owed_out[feeder] > 0:
            best, chosen = self.owed_out.item(feeder) + draw(self._keys_out[feeder], counter), LEAVES
        for way in self._out[feeder]:
            if self._room[self._street_of[way]] > (EDGE if self.pushing else max(EDGE,ACC)) and self._may[way] > 0:
                score = self.owed.item(way) + draw(self._keys[way], counter) + ALPHA * self._room[self._street_of[way]]
                if score > best:
                    best, chosen = score, way
        return chosen

    def _pass(self, feeder: int, way: int) -> None:
        """One vehicle leaves a feeder, and enters the street that the way leads to."""
        queues = self.queues
        begin = self._time - self._dt
        if feeder < self._streets:
            late = self._left.item(feeder) - queues.first_label.item(feeder)
            slot = queues.pop(feeder)
            self._room[feeder] += 1
        else:
            late = self.flowed_origins.item(feeder - self._streets) - self.passed.item(feeder) - 0.5
            slot = NOBODY if way == LEAVES else queues.enter_town()
        self.passed[feeder] += 1
        if self._dry[feeder] > 1 and feeder < self._streets:
            self.red += 1
        if way == LEAVES:
            self.owed_out[feeder] -= 1
            if slot != NOBODY:
                queues.leave_town(slot)
            return
        flow = self._flow.item(feeder)
        part = 1.0 if late <= 0 or late >= flow else max(1 - late / flow, 1e-3)
        street = self._street_of[way]
        label = self._entered.item(street) - (1 - part) * self._into.item(street)
        early = int(self.passed[street]) + int(queues.count[street]) + 0.5 - label
        label += (BETA if early < 0 else GAMMA) * early
        label = max(label, queues.last_label.item(street) + GAP)
        queues.append(street, slot, label, begin + part * self._dt)
        self.owed[way] -= 1
        self._room[street] -= 1

    def _push(self, street: int) -> bool:
        """Somebody has to leave a street: those ahead move up, to where there is room."""
        paths = {street: ()}
        fringe = [street]
        for depth in range(DEPTH):
            found = None
            beyond = []
            for feeder in fringe:
                if not self._ready(feeder):
                    continue
                way = self._turn(feeder)
                if way is None and self._leak(feeder):
                    way = LEAVES
                if way is not None:
                    found = (*paths[feeder], (feeder, way))
                    break
                for way in self._out[feeder]:
                    to = self._street_of[way]
                    if to not in paths and self._may[way] > 0:
                        paths[to] = (*paths[feeder], (feeder, way))
                        beyond.append(to)
            if found:
                self.chains += depth > 0
                for feeder, way in reversed(found):
                    self.pj[0].append(self._travel[feeder] - self._time + self.queues.since[self.queues.foremost(feeder)])
                    self._pass(feeder, way)
                return True
            fringe = beyond
        return False

    def _near(self, street):
        best, chosen = -1.0, None
        for way in self._in[street]:
            feeder = self._feeder_of[way]
            if self._may[way] <= 0 or self._flow.item(feeder) <= 0 or not self._ready(feeder) or not self._arrived(feeder):
                continue
            if feeder < self._streets:
                if self._room[feeder] > -EDGE: continue
                score = self._left.item(feeder) - self.queues.first_label.item(feeder)
            else:
                score = self.flowed_origins.item(feeder - self._streets) - self.passed.item(feeder) - 0.5
            if score > best:
                best, chosen = score, (feeder, way)
        if chosen:
            self._pass(*chosen)
            return True
        return False

    def _leak(self, feeder: int) -> bool:
        return self._keeps(feeder) < 1 - 1e-6

    def _keeps(self, feeder: int) -> float:
        return float(sum(self._may[way] for way in self._out[feeder]))

    def _pull(self, street: int) -> bool:
        """Somebody has to enter a street: those behind move up, from where there is one too many."""
        paths = {street: ()}
        fringe = [street]
        for depth in range(DEPTH):
            best, chosen = -np.inf, None
            beyond = []
            for to in fringe:
                for way in self._in[to]:
                    feeder = self._feeder_of[way]
                    if feeder in paths or self._may[way] <= 0 or not self._ready(feeder):
                        continue
                    path = ((feeder, way), *paths[to])
                    if feeder >= self._streets:
                        score = self.flowed_origins.item(feeder - self._streets) - self.passed.item(feeder)
                    elif self._room[feeder] < -EDGE:
                        score = self._left.item(feeder) - self.queues.first_label.item(feeder)
                        if TIME:
                            q = self.queues
                            score -= TIME * max(0, self._travel[feeder] - self._time + q.since[q.foremost(feeder)])
                            score -= 1000 * (self._dry[feeder] > 1)
                    else:
                        score = None
                        beyond.append(feeder)
                    paths[feeder] = path
                    if score is not None and score > best:
                        best, chosen = score, path
            if chosen:
                self.chains += depth > 0
                for feeder, way in reversed(chosen):
                    if feeder < self._streets: self.pj[1].append(self._travel[feeder] - self._time + self.queues.since[self.queues.foremost(feeder)])
                    self._pass(feeder, way)
                return True
            fringe = beyond
        return False
