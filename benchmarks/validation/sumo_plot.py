"""A picture of streets in two simulators."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .compare import Outcome

__all__ = ["draw"]


def draw(cases: Sequence[tuple[str, Outcome, Outcome]], path: Path) -> None:
    """Each street's mean occupancy, theirs and ours: all of it, and what of it is above free flow.

    Args: cases: (name, ours, theirs), of one seed each.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 3.4), dpi=90, layout="constrained")
    FigureCanvasAgg(figure)
    whole, above = figure.subplots(1, 2)
    for name, ours, theirs in cases:
        whole.plot(theirs.occupancy, ours.occupancy, ".", markersize=3, label=name)
        pair = (each.occupancy - each.free_occupancy for each in (theirs, ours))
        above.plot(*pair, ".", markersize=3, label=name)
    for axes, title in ((whole, "vehicles on a street, mean"), (above, "the same above free flow")):
        most = max(axes.get_xlim()[1], axes.get_ylim()[1])
        axes.axline((0, 0), slope=1, color="0.6", linewidth=0.8)
        axes.set(
            xlim=(0, most), ylim=(0, most), aspect="equal", title=title, xlabel="SUMO micro", ylabel="ltm"
        )
    whole.legend(frameon=False, fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, pil_kwargs={"optimize": True})
