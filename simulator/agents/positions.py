"""Where vehicles are on their streets: Newell's two waves.

A vehicle drives at free speed from where it entered, unless those ahead hold it: what had left the street a
wave's time ago, and what fits between, is the number of the vehicle that stands there. So queues stand at the
light with the spacing of a jam, and discharge as a wave that runs back through them.
"""

from __future__ import annotations

import numpy as np

from simulator.engine import State
from simulator.looks import Floats, Ints
from simulator.network import Town
from simulator.past import HOUR, Past

__all__ = ["Positions"]


class Positions:
    """Finds vehicles by their labels, from what has left each street so far.

    Waves that take more than an hour for a street are known for an hour: beyond, vehicles stand in a jam.
    """

    def __init__(self, town: Town, dt: float) -> None:
        # Steps that a wave takes from the end of a street to its beginning, as far as they are known.
        known = np.minimum(np.ceil(town.length / town.wave / dt), HOUR // dt)
        self._known = np.maximum(known, 1.0).astype(np.intp)
        self._past = Past(self._known.astype(float), dt)
        self._length = town.length
        self._speed = town.speed
        # Metres that a wave runs in a step, and vehicles that fit into them.
        self._run = town.wave * dt
        self._fit = town.storage / town.length * self._run

    def record(self, left: Floats) -> None:
        """(S,) what has left each street by the end of one more step."""
        self._past.record(left)

    def at(self, street: Ints, label: Floats, age: Floats) -> Floats:
        """(V,) metres from the beginning of its street, of each vehicle.

        Args: street: (V,). label: (V,) its place in the street's count. age: (V,) seconds since it entered.
        """
        run, length = self._run[street], self._length[street]
        free = np.minimum(age * self._speed[street], length)
        # The last whole step back, at most, of a wave that comes to where it drives.
        near = np.minimum(((length - free) / run).astype(np.intp), self._known[street])
        held = np.flatnonzero(self._count(street, near) < label)
        if not len(held):
            return free
        back = self._back(street[held], label[held], near[held])
        free[held] = np.clip(length[held] - back * run[held], 0.0, free[held])
        return free

    def _back(self, street: Ints, label: Floats, near: Ints) -> Floats:
        """(V,) steps that a wave takes from the end of the street to each vehicle."""
        far = self._known[street]
        low, high = near, far
        for _ in range(int((far - near).max()).bit_length()):
            middle = (low + high) // 2
            is_beyond = self._count(street, middle) < label
            low, high = np.where(is_beyond, middle, low), np.where(is_beyond, high, middle)
        # Between two steps the count rises evenly; beyond the last known one by what fits.
        low = np.maximum(high - 1, 0)
        below, above = self._count(street, low), self._count(street, high)
        part = (label - below) / np.maximum(above - below, 1e-12)
        beyond = high + (label - above) / self._fit[street]
        back: Floats = np.where(above < label, beyond, low + np.clip(part, 0.0, 1.0) * (high - low))
        return back

    def _count(self, street: Ints, steps: Ints) -> Floats:
        """(V,) the number of the vehicle that stands in a jam where a wave of the end was ``steps`` ago."""
        return self._past.ago(street, steps) + self._fit[street] * steps

    def state(self) -> State:
        """What has to be kept."""
        return self._past.state()

    def restore(self, state: State) -> None:
        """Go on from there. Raises: TownError: it is of another town or step."""
        self._past.restore(state)
