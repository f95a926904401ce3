"""Pictures of a town after a run: its densities, its streets' fundamental diagram, its density-flow curve.

matplotlib draws them; it is loaded when they are asked for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from simulator.errors import TownError
from simulator.network import Floats
from simulator.pace import complain
from simulator.simulation import Simulator
from simulator.source import Watched

__all__ = ["Plotted"]

WINDOW: Final = 60.0
"""Simulated seconds of a point: shorter ones show the lights' rhythm and little else."""

MAX_POINTS: Final = 20_000
"""Of streets in the fundamental diagram; of long runs every second, fourth, … minute is kept."""

MAX_MOMENTS: Final = 5_000
"""Of the whole town in its density-flow curve."""


class Plotted(Watched):
    """A town whose pictures are drawn when it is closed: ``density``, ``fundamental``, ``town``.

    Args: kind: "png" or "svg".
    Raises: TownError: there is no matplotlib, or no such folder can be made.
    """

    def __init__(self, simulator: Simulator, folder: Path, kind: str = "png") -> None:
        super().__init__(simulator)
        self._simulator = simulator
        self._folder = folder
        self._kind = kind
        try:
            import matplotlib.figure  # noqa: F401
        except ModuleNotFoundError:
            raise TownError("--plot needs matplotlib: pip install 'radiod[plot]'") from None
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TownError(f"--plot {folder}: {error.strerror}") from None
        streets = len(simulator.town.street_ids)
        # Streets of a large town stand for the others.
        self._some = np.arange(0, streets, -(-streets * 100 // MAX_POINTS))
        self._points = _Thinned(MAX_POINTS // max(1, len(self._some)))
        self._moments = _Thinned(MAX_MOMENTS)
        self._open(self._passed())

    def next(self) -> None:
        """Advance, and look at what happened meanwhile."""
        super().next()
        self._inside += self._simulator.engine.vehicles
        self._samples += 1
        if self.time >= self._begin + WINDOW:
            self._measure()

    def _measure(self) -> None:
        """Of the window that is over: its mean densities, and the means of what came in and what went out."""
        town = self._simulator.town
        passed = self._passed()
        flow = (passed - self._before) / (self.time - self._begin)
        density = self._inside / self._samples / town.length
        lanes = np.maximum(town.lanes, 1)
        if self._points.is_next():
            some = self._some
            self._points.add(np.stack([density[some], flow[some]]) / lanes[some])
        if self._moments.is_next():
            # Per lane and metre: what Edie's definitions give for a town.
            metres = float((town.length * lanes).sum())
            self._moments.add(np.array([(density * town.length).sum(), (flow * town.length).sum()]) / metres)
        self._open(passed)

    def _open(self, passed: Floats) -> None:
        self._begin, self._before = self.time, passed
        self._inside, self._samples = np.zeros(len(passed)), 0

    def _passed(self) -> Floats:
        engine = self._simulator.engine
        return np.array((engine.entered + engine.left) / 2)

    def close(self) -> None:
        """Draw; a disk that is full is a line."""
        if self._samples and self.time > self._begin:
            self._measure()
        for name, draw in (
            ("density", self._density),
            ("fundamental", self._fundamental),
            ("town", self._curve),
        ):
            path = self._folder / f"{name}.{self._kind}"
            try:
                _save(draw, path)
            except OSError as error:
                complain(f"{path}: {error.strerror}")

    def _density(self, figure: Any) -> None:
        """The town as it is now, in parts of each street's jam density."""
        from matplotlib.collections import LineCollection

        axes = figure.add_subplot()
        streets, state = self.map()["streets"], self.dump_state()
        jam = np.array([street["k_jam"] for street in streets])
        lines = LineCollection(
            [_beside(street["points"]) for street in streets], cmap="viridis_r", linewidths=1.2
        )
        lines.set_array(np.array(state["k"]) / jam)
        lines.set_clim(0.0, 1.0)
        axes.add_collection(lines)
        axes.autoscale()
        axes.set_aspect("equal")
        axes.set(xlabel="m", ylabel="m", title=f"{self.name} after {state['time']:g} s")
        figure.colorbar(lines, label="density / jam density")

    def _fundamental(self, figure: Any) -> None:
        axes = figure.add_subplot()
        points = self._points.all()
        if points:
            density, flow = np.concatenate(points, axis=1)
            axes.plot(density, flow, ".", markersize=2, alpha=0.4, color="#20639b")
        axes.set(
            xlabel="density, vehicles/m and lane",
            ylabel="flow, vehicles/s and lane",
            title=f"{self.name}: its streets, minute by minute",
            xlim=(0, None),
            ylim=(0, None),
        )

    def _curve(self, figure: Any) -> None:
        axes = figure.add_subplot()
        moments = self._moments.all()
        if moments:
            density, flow = np.stack(moments, axis=1)
            axes.plot(density, flow, "-", linewidth=0.8, color="#9a9a9a")
            shown = axes.scatter(
                density, flow, s=8, c=np.linspace(0, self.time, len(density)), cmap="viridis"
            )
            figure.colorbar(shown, label="s")
        axes.set(
            xlabel="density of the town, vehicles/m and lane",
            ylabel="flow, vehicles/s and lane",
            title=f"{self.name}: the whole town, minute by minute",
            xlim=(0, None),
            ylim=(0, None),
        )


class _Thinned:
    """At most so many things, of however many there were: each second one, then each fourth, and so on."""

    def __init__(self, most: int) -> None:
        self._most = max(2, most)
        self._every = 1
        self._count = 0
        self._kept: list[Floats] = []

    def is_next(self) -> bool:
        """Count one; True: it is to be added."""
        self._count += 1
        return self._count % self._every == 0

    def add(self, thing: Floats) -> None:
        """Keep it, and every second of those before if there are too many."""
        self._kept.append(thing)
        if len(self._kept) > self._most:
            self._kept = self._kept[1::2]
            self._every *= 2

    def all(self) -> list[Floats]:
        """Those that are kept, oldest first."""
        return self._kept


def _beside(points: list[list[float]]) -> list[list[float]]:
    """The line of a street a little to the right, so that its opposite is not hidden."""
    (x0, y0), (x1, y1) = points[0], points[-1]
    length = max(1e-9, float(np.hypot(x1 - x0, y1 - y0)))
    aside = 6.0
    dx, dy = (y1 - y0) / length * aside, -(x1 - x0) / length * aside
    return [[x + dx, y + dy] for x, y in points]


def _save(draw: Any, path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 6), layout="constrained")
    draw(figure)
    figure.savefig(path, dpi=120)
