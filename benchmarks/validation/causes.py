"""Why a town differs from UXsim's: one experiment for each thing that could be the cause."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from simulator import Simulator, Town
from simulator.demand import DemandTable
from simulator.street import Street

from .compare import Case, Outcome, outcome_of, report
from .events import Events
from .replay import counted, replayed, signals_of
from .settings import Settings
from .uxsim import Uxsim, case
from .worlds import World, grid, with_exits

__all__ = ["run"]

TRIPS = 4000
"""In an hour; a third of what jams the town."""


def run(settings: Settings) -> int:
    """Print the table. Returns: 0: nothing is wanted of it."""
    return report(cases(settings))


def cases(settings: Settings) -> Iterator[Case]:
    """The experiments."""
    uxsim = Uxsim(settings.packages)
    town = partial(grid, size=5, trips=TRIPS)

    def behind(seed: int) -> World:
        return with_exits(town(seed))

    yield case("as it is", uxsim, settings, town)
    once = partial(replayed, every=None)
    yield case("one table of turning ratios for the hour", uxsim, settings, town, replay=once)
    yield case("one destination, 1,000 trips", uxsim, settings, partial(town, trips=1000, to="r2c2"))
    yield case("no lights", uxsim, settings, partial(town, light=False))
    yield case("each street alone, with UXsim's entries", uxsim, settings, town, replay=alone)
    yield case("trips end past the light", uxsim, settings, behind)
    yield case("the same, each street alone", uxsim, settings, behind, replay=alone)


def alone(events: Events) -> Outcome:
    """Every street of ours a town of its own, which who entered UXsim's enters, second by second.

    No junction, no turning ratio and no queue ahead is in it: only streets and lights.
    """
    links = events.world.links
    streets = [
        Street(
            id=link.name,
            start=f"from {link.name}",
            end=f"to {link.name}",
            length=link.length,
            speed=link.speed,
            capacity=link.capacity,
            jam_density=link.jam,
        )
        for link in links
    ]
    town = Town.from_streets(streets, {}, {street.start: {street.id: 1.0} for street in streets})
    times = [float(time) for time in range(events.world.seconds)]
    demand = DemandTable.by_time(times, np.diff(events.entered, axis=0))
    simulator = Simulator(town, step=1.0, signals=signals_of(events), demand=demand)
    entered, left, waiting = counted(simulator, events.world.seconds)
    # Who waits outside UXsim's town is none of a street's.
    return outcome_of(entered, left, waiting + events.waiting, events.seconds, events.completed)
