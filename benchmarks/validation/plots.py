"""Pictures of comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .compare import Case

__all__ = ["draw"]


def draw(cases: Sequence[Case], path: Path) -> None:
    """Delay where one is wanted; and what is above free flow in the town with most streets."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    bars, streets = figure.subplots(1, 2, width_ratios=(1.2, 1))
    wanted = [case for case in cases if any(bound.measure == "delay" for bound in case.bounds)]
    names = [case.name for case in wanted]
    spreads = [case.spreads()["delay"] for case in wanted]
    for at, spread in enumerate(spreads):
        bars.plot(
            [100 * spread.least, 100 * spread.most], [at, at], color="tab:blue", linewidth=5, alpha=0.35
        )
        bars.plot([100 * spread.mean], [at], "o", color="tab:blue")
    bars.axvline(0, color="0.5", linewidth=0.8)
    bars.set_yticks(range(len(names)), names)
    bars.invert_yaxis()
    bars.set_xlabel("delay beside theirs, % (mean, and all seeds)")
    town = max(cases, key=lambda case: len(case.pairs[0][0].occupancy))
    ours, theirs = town.pairs[0]
    above = theirs.occupancy - theirs.free_occupancy, ours.occupancy - ours.free_occupancy
    streets.plot(*above, ".", markersize=4, color="tab:blue")
    most = max(float(each.max()) for each in above)
    streets.plot([0, most], [0, most], color="0.5", linewidth=0.8)
    streets.set(title=town.name, xlabel="theirs: vehicles held up, each street", ylabel="ours")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80)
