"""The vehicles in the town: one line a street, first in, first out, in arrays that are used again."""

from __future__ import annotations

import numpy as np

from simulator.engine import State
from simulator.errors import TownError
from simulator.looks import Ints

__all__ = ["OF_VEHICLES", "Queues"]

NOBODY = -1
OF_VEHICLES = ("id", "street", "since", "label")
"""What is kept of each vehicle."""

FEWEST = 64
"""Vehicles that there is room for at first; then as many again whenever it is used up."""


class Queues:
    """Who stands on which street, in which order.

    A vehicle has a slot as long as it is in the town; slots are used again, so that memory follows the most
    vehicles at a time. Lines are linked from the foremost vehicle back.

    Attributes:
        id, street: (slots,) of the vehicle in each slot; street -1: nobody is there.
        since: (slots,) seconds: when it entered its street.
        label: (slots,) its place in the count of its street's vehicles.
        count: (S,) vehicles on each street.
        first_label: (S,) label of the foremost vehicle, infinite where nobody is.
        last_label: (S,) label of whoever entered last.
        next_id: of the vehicle that enters the town next.
    """

    def __init__(self, streets: int) -> None:
        self.id = np.zeros(FEWEST, np.int64)
        self.street = np.full(FEWEST, NOBODY, np.int32)
        self.since = np.zeros(FEWEST)
        self.label = np.zeros(FEWEST)
        self.count = np.zeros(streets, np.int64)
        self.first_label = np.full(streets, np.inf)
        self.last_label = np.full(streets, -np.inf)
        self.next_id = 0
        self._first = [NOBODY] * streets
        self._last = [NOBODY] * streets
        self._behind = [NOBODY] * FEWEST
        self._free = list(range(FEWEST))[::-1]

    def foremost(self, street: int) -> int:
        """The slot of whoever is next to leave; -1: nobody."""
        return self._first[street]

    def enter_town(self) -> int:
        """A slot for one more vehicle; it is on no street yet."""
        if not self._free:
            self._grow()
        slot = self._free.pop()
        self.id[slot] = self.next_id
        self.next_id += 1
        return slot

    def leave_town(self, slot: int) -> None:
        """The slot is free again."""
        self._free.append(slot)

    def append(self, street: int, slot: int, label: float, since: float) -> None:
        """A vehicle enters a street."""
        self.street[slot] = street
        self.label[slot] = label
        self.since[slot] = since
        self._behind[slot] = NOBODY
        last = self._last[street]
        if last == NOBODY:
            self._first[street] = slot
            self.first_label[street] = label
        else:
            self._behind[last] = slot
        self._last[street] = slot
        self.last_label[street] = label
        self.count[street] += 1

    def pop(self, street: int) -> int:
        """The foremost vehicle leaves a street. Returns: its slot."""
        slot = self._first[street]
        behind = self._behind[slot]
        self._first[street] = behind
        if behind == NOBODY:
            self._last[street] = NOBODY
            self.first_label[street] = np.inf
        else:
            self.first_label[street] = self.label[behind]
        self.street[slot] = NOBODY
        self.count[street] -= 1
        return slot

    def slots(self) -> Ints:
        """(V,) the slots of all vehicles, those that entered the town first before others."""
        slots = np.flatnonzero(self.street >= 0)
        return slots[np.argsort(self.id[slots])]

    def state(self) -> State:
        """Everything that changes; vehicles street by street, the foremost first."""
        slots = np.flatnonzero(self.street >= 0)
        slots = slots[np.lexsort((self.label[slots], self.street[slots]))]
        vehicles = {name: getattr(self, name)[slots] for name in OF_VEHICLES}
        return vehicles | {"last_label": self.last_label, "next_id": np.array(self.next_id)}

    def restore(self, state: State) -> None:
        """Fill empty lines with what ``state`` returned. Raises: TownError: it is of another town."""
        columns = [state[name] for name in OF_VEHICLES]
        streets = state["street"]
        if len({column.shape for column in columns}) > 1 or streets.ndim != 1:
            raise TownError("state: vehicles are not all told alike")
        if len(streets) and not 0 <= streets.min() <= streets.max() < len(self.count):
            raise TownError("state: vehicles are of another town")
        for id, street, since, label in zip(*(column.tolist() for column in columns), strict=True):
            slot = self.enter_town()
            self.id[slot] = id
            self.append(street, slot, label, since)
        self.last_label = state["last_label"].copy()
        self.next_id = int(state["next_id"])

    def _grow(self) -> None:
        """Twice as many slots."""
        slots = len(self.id)
        self.id = np.concatenate([self.id, np.zeros(slots, np.int64)])
        self.street = np.concatenate([self.street, np.full(slots, NOBODY, np.int32)])
        self.since = np.concatenate([self.since, np.zeros(slots)])
        self.label = np.concatenate([self.label, np.zeros(slots)])
        self._behind += [NOBODY] * slots
        self._free = list(range(slots, 2 * slots))[::-1]
