"""Who has green together at a junction: phases, as they are said, and as plans show them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from simulator.errors import TownError
from simulator.network import Town
from simulator.signals import Signals
from simulator.street import within

__all__ = ["MAX_PHASES", "Approaches", "Greens", "phased", "phases_of", "sequence"]

MAX_PHASES = 16
"""Of one junction."""

MAX_CYCLE = 3600.0
"""Seconds."""

Greens = dict[int, tuple[float, float]]
"""Street -> seconds at which its green begins, seconds that it lasts."""


class Approaches:
    """The streets that lead to each junction; and what is said about them, checked."""

    def __init__(self, town: Town) -> None:
        self._town = town
        self._junctions = {id: number for number, id in enumerate(town.junction_ids)}
        self._streets = {id: number for number, id in enumerate(town.street_ids)}
        self._order = np.argsort(town.end, kind="stable")
        self._first = np.searchsorted(town.end[self._order], np.arange(len(town.junction_ids) + 1))

    def junction(self, id: Any) -> int:
        """Its number. Raises: TownError: there is none of that name."""
        if not isinstance(id, str) or id not in self._junctions:
            raise TownError(f"light {id}: there is no junction of that name")
        return self._junctions[id]

    def street(self, about: str, id: Any) -> int:
        """Its number. Raises: TownError: there is none of that name."""
        if not isinstance(id, str) or id not in self._streets:
            raise TownError(f"{about}: there is no street {id}")
        return self._streets[id]

    def of(self, junction: int) -> list[int]:
        """The streets that lead to a junction."""
        here: list[int] = self._order[self._first[junction] : self._first[junction + 1]].tolist()
        return here

    def greens(self, id: str, cycle: float, greens: Any) -> Greens:
        """What is said of a plan: street id -> (seconds that its green begins, seconds it lasts).

        Raises: TownError: it is no such table, a street does not lead there, or a green is longer than the
            cycle.
        """
        about, here = f"light {id}", set(self.of(self.junction(id)))
        if not isinstance(greens, Mapping):
            raise TownError(f"{about}: greens are {{street: (begin, seconds)}}, not {greens!r}"[:200])
        found: Greens = {}
        for name, times in greens.items():
            at = self.street(about, name)
            if at not in here:
                raise TownError(f"{about}: street {name} does not lead there")
            if not isinstance(times, list | tuple) or len(times) != 2:
                raise TownError(f"{about}: green of street {name} is {times!r}, not (begin, seconds)"[:200])
            begin = within(f"{about}: begin of street {name}", times[0], -MAX_CYCLE, MAX_CYCLE, "s")
            seconds = within(f"{about}: green of street {name}", times[1], 0.0, cycle, "s, its cycle")
            found[at] = (begin, seconds)
        return found

    def groups(self, id: str, phases: Any) -> tuple[frozenset[int], ...]:
        """Phases as they are said: lists of street ids.

        Raises: TownError: they are none, a street does not lead there, or has no phase.
        """
        about, here = f"light {id}", self.of(self.junction(id))
        if not isinstance(phases, list | tuple) or not 2 <= len(phases) <= MAX_PHASES:
            raise TownError(f"{about}: phases are 2 to {MAX_PHASES} lists of streets")
        groups = []
        for number, phase in enumerate(phases, 1):
            if not isinstance(phase, list | tuple | set | frozenset) or not phase:
                raise TownError(f"{about}: phase {number} is no list of streets")
            group = frozenset(self.street(about, name) for name in phase)
            strange = group - set(here)
            if strange:
                raise TownError(f"{about}: street {self._town.street_ids[min(strange)]} does not lead there")
            groups.append(group)
        for at in here:
            if not any(at in group for group in groups):
                raise TownError(f"{about}: street {self._town.street_ids[at]} is in no phase")
        return tuple(groups)


def sequence(
    about: str, phases: Sequence[tuple[Iterable[str], float]], all_red: float
) -> tuple[float, dict[str, tuple[float, float]]]:
    """One phase after the other, each of some seconds of green, all red between.

    A street that is in phases next to each other stays green between.
    Returns: (seconds of the cycle, street id -> (begin, seconds)).
    Raises: TownError: no phases; a time is none; a street has two greens with a red between.
    """
    all_red = within(f"{about}: all_red", all_red, 0.0, MAX_CYCLE, "s")
    times = [
        within(f"{about}: green of phase {number}", seconds, 0.0, MAX_CYCLE, "s")
        for number, (_, seconds) in enumerate(phases, 1)
    ]
    cycle = sum(times) + all_red * len(times)
    if not 0 < cycle <= MAX_CYCLE:
        raise TownError(f"{about}: its phases take {cycle:g} s; they must take up to {MAX_CYCLE:g} s")
    begins = [sum(times[:n]) + all_red * n for n in range(len(times))]
    members = [set(phase[0]) for phase in phases]
    greens: dict[str, tuple[float, float]] = {}
    for street in sorted(set().union(*members)):
        has = [street in group for group in members]
        runs = [n for n in range(len(has)) if has[n] and not has[n - 1]]
        if all(has):
            greens[street] = (0.0, cycle)
        elif len(runs) > 1:
            raise TownError(f"{about}: street {street} has {len(runs)} greens in a cycle; it can have one")
        else:
            last = next(n for n in range(runs[0], runs[0] + len(has)) if not has[(n + 1) % len(has)])
            end = begins[last % len(has)] + times[last % len(has)] + (cycle if last >= len(has) else 0.0)
            greens[street] = (begins[runs[0]], end - begins[runs[0]])
    return cycle, greens


def phased(
    phases: Sequence[tuple[Iterable[str], float]], all_red: float = 3.0, offset: float = 0.0
) -> tuple[float, float, dict[str, tuple[float, float]]]:
    """A plan of phases for ``set_plans``: (cycle, offset, greens). Raises: TownError: as ``sequence``."""
    cycle, greens = sequence("light", phases, all_red)
    return cycle, offset, greens


def phases_of(town: Town, signals: Signals, streets: Sequence[int]) -> tuple[frozenset[int], ...]:
    """The phases of a junction: what its plan has green together; without a light by direction.

    Args: streets: those that lead there. Returns: none, if there is nothing to be shared out.
    """
    here = np.array(streets, np.intp)
    if signals.has_light[here].any():
        cycle, begin, green = (each[here] for each in signals.plans())
        # One that is never green, or never red, is in no phase of its own.
        cycle = np.where(cycle > 0, cycle, 1.0)
        begins = np.unique((begin % cycle)[(green > 0) & signals.has_light[here]])
        is_green = [(time + 1e-6 - begin) % cycle < green for time in begins.tolist()]
        groups = [frozenset(here[which & signals.has_light[here]].tolist()) for which in is_green]
    else:
        along = town.positions[town.end[here]] - town.positions[town.start[here]]
        is_vertical = np.abs(along[:, 1]) > np.abs(along[:, 0])
        groups = [frozenset(here[which].tolist()) for which in (~is_vertical, is_vertical) if which.any()]
        if len(groups) < 2:
            groups = [frozenset([at]) for at in here.tolist()]
    # What is green with others at another time needs no phase of its own.
    unlike = list(dict.fromkeys(groups))
    largest = [group for group in unlike if group and not any(group < other for other in unlike)]
    return tuple(largest) if 2 <= len(largest) <= MAX_PHASES else ()
