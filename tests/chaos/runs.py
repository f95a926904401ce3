"""All scenarios, their shares of the time, and one line about each."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from random import Random

from fuzz.target import Finding

from chaos import crowd, files, kills, machine, networks
from chaos.cluster import cuts, hour, restarts, scenarios
from chaos.scene import Scene, Skipped

__all__ = ["CLUSTER", "SCENARIOS", "main"]

SCENARIOS: dict[str, tuple[float, Callable[[Scene], str]]] = {
    "crowd": (30, crowd.play),
    "kills": (16, kills.play),
    "torn": (8, kills.play_torn),
    "descriptors": (6, machine.descriptors),
    "pipe": (6, files.pipe),
    "stop": (6, machine.stopped),
    "storm": (6, machine.storm),
    "clocks": (6, machine.clocks),
    "disk": (5, files.disk),
    "locked": (3, files.locked_disk),
    "no-tmp": (4, files.no_tmp),
    "proxies": (6, networks.proxies),
    "vanish": (8, networks.vanish),
}
"""name -> its share of the time, and what plays it: returns the figures, raises Finding."""

CLUSTER: dict[str, tuple[float, Callable[[Scene], str]]] = {
    "cluster-node": (12, scenarios.node_killed),
    "cluster-leader": (14, scenarios.leader_killed),
    "cluster-duck": (10, scenarios.duck),
    "cluster-pause": (13, scenarios.node_paused),
    "cluster-leader-pause": (15, scenarios.leader_paused),
    "cluster-dark": (20, scenarios.all_down),
    "cluster-cut": (25, cuts.cut_short),
    "cluster-cut-long": (110, cuts.cut_long),
    "cluster-rolling": (60, restarts.rolling),
    "cluster-wiped": (20, restarts.wiped),
    "cluster-memory": (30, restarts.in_memory),
}
"""The same of several nodes, which are played when they are named; the shares are seconds of one time."""

HOUR: dict[str, tuple[float, Callable[[Scene], str]]] = {"cluster-hour": (3600, hour.hour)}
"""Played when it is named, and only then: it takes an hour to show what it shows."""


def main(seconds: float, seed: str, only: str = "") -> int:
    """Play all of one server, or those of ``only`` (names and commas). Returns: the exit status."""
    number = int(seed) if seed else Random().randrange(1, 10**9)
    known = SCENARIOS | CLUSTER | HOUR
    names = [name.strip() for name in only.split(",") if name.strip()] or list(SCENARIOS)
    names = [one for name in names for one in (CLUSTER if name == "cluster" else [name])]
    if unknown := set(names) - set(known):
        print(f"no scenario {', '.join(sorted(unknown))}; there are {', '.join(known)}, and cluster")
        return 2
    print(f"seed {number}", flush=True)
    shares = sum(known[name][0] for name in names)
    broken = 0
    for name in names:
        share, play = known[name]
        broken += not _one(name, number, play, seconds * share / shares)
    print(
        f"{broken} of {len(names)} scenarios broke a promise" if broken else f"{len(names)} scenarios: all ok"
    )
    return int(broken > 0)


def _one(name: str, seed: int, play: Callable[[Scene], str], seconds: float) -> bool:
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="radiod-chaos-") as folder:
        try:
            verdict, text = "ok", play(Scene(Path(folder), Random(f"{seed}/{name}"), seconds))
        except Skipped as reason:
            verdict, text = "skipped", str(reason)
        except Exception as error:
            what = str(error) if isinstance(error, Finding) else traceback.format_exc()
            verdict, text = "FAILED", f"{what}\n  again: make chaos CHAOS_ONLY={name} CHAOS_SEED={seed}"
            if keep := os.environ.get("CHAOS_KEEP"):
                ignored = shutil.ignore_patterns("js", "*.sqlite*", "*.sock")
                shutil.copytree(folder, Path(keep) / f"{name}-{seed}", ignore=ignored, dirs_exist_ok=True)
    print(f"{verdict:8}{name:20}{time.monotonic() - start:6.1f} s  {text}", flush=True)
    return verdict != "FAILED"
