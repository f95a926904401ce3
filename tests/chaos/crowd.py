"""1,000 hostile clients beside 100 honest ones: what the honest ones notice.

``python -m chaos.crowd --pace 1 --seconds 120`` for the table of docs/performance.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from fuzz.target import Oracle
from support.config import configuration
from support.running import ROOT, environment

from chaos.scene import CONFIG, Scene, must, watched

__all__ = ["Figures", "play"]

HOSTILE = 1000
PACE = 0.5
"""What each of the crowd does in a second."""

FACTOR = 2.0
FLOOR_MS = 2.0
"""What a p99 counts as at least: below it, it is the machine's sleeping and waking."""

TRIES = 3
"""How often a p99 that is too long is measured: what else runs here makes it longer, and never shorter."""

LEAST_S = 6.0
LOOK_S = 5.0
MIB = 1 << 20

LIMITS = {
    "max_message_bytes": 131072,
    "max_unfinished_bytes": 32 * MIB,
    "max_buffered_bytes": 32 * MIB,
    "max_session_bytes": 4 * MIB,
    "max_backlog_bytes": 262144,
    "max_subscriptions": 100,
    "max_history_bytes": 16 * MIB,
    "max_retained_bytes": 4 * MIB,
}
"""Those that bound memory, low enough to mean something beside what was measured."""

PER_CONNECTION = 16 << 10
PER_SUBSCRIPTION = 2 << 10


def bound() -> int:
    """What the server may come to take by these limits, in bytes."""
    shared = ("max_unfinished_bytes", "max_buffered_bytes", "max_history_bytes", "max_retained_bytes")
    each = LIMITS["max_backlog_bytes"] + LIMITS["max_subscriptions"] * PER_SUBSCRIPTION + PER_CONNECTION
    return sum(LIMITS[name] for name in shared) + HOSTILE * each


class Figures(NamedTuple):
    """What the honest ones had in one stretch; times in ms, CPU as a share of one core."""

    events_p50: float
    events_p99: float
    calls_p50: float
    calls_p99: float
    count: int
    lost: int
    server: float
    waited: float
    mib: float

    def __str__(self) -> str:
        return (
            f"events p50 {self.events_p50:.1f} p99 {self.events_p99:.1f} ms, calls p50 {self.calls_p50:.1f}"
            f" p99 {self.calls_p99:.1f} ms, {self.lost} of {self.count} lost,"
            f" server {self.server:.0%} of a core (waited for one {self.waited:.0%}), {self.mib:.0f} MiB"
        )


@contextlib.contextmanager
def helper(module: str, *arguments: object, nice: int = 0) -> Iterator[subprocess.Popen[str]]:
    """Run one of this package's programs, once it is ready, until the block ends."""
    path = f"{ROOT}:{Path(__file__).parents[1]}"
    command = ["nice", "-n", str(nice), sys.executable, "-m", f"chaos.{module}", *map(str, arguments)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        env={**environment(), "PYTHONPATH": path},
    ) as process:  # fmt: skip
        try:
            must(_line(process) == "ready\n", f"{module} did not start")
            yield process
        finally:
            process.kill()


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def ended(process: subprocess.Popen[str]) -> dict[str, Any]:
    """End its input. Returns: what it says then."""
    assert process.stdin is not None
    process.stdin.close()
    return dict(json.loads(_line(process)))


def measure(honest: subprocess.Popen[str], oracle: Oracle, seconds: float) -> Figures:
    """One stretch. Raises: Finding: an honest one was not served."""
    assert honest.stdin is not None
    pid = oracle.target.server.process.pid
    schedule = Path(f"/proc/{pid}/schedstat")
    before = [int(one) / 1e9 for one in schedule.read_text().split()[:2]]
    start = time.monotonic()
    honest.stdin.write(f"{seconds}\n")
    honest.stdin.flush()
    while not select.select([honest.stdout], [], [], LOOK_S)[0]:
        oracle.check()
    line = _line(honest)
    must(line, "the honest ones' program has ended")
    took = time.monotonic() - start
    after = [int(one) / 1e9 for one in schedule.read_text().split()[:2]]
    told = json.loads(line)
    must(
        not told["failed"] and not told["cut"], f"honest ones were not served: {told['cut']} {told['failed']}"
    )
    resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / MIB
    return Figures(
        *(
            1000 * told[kind][int(len(told[kind]) * share)]
            for kind in ("events", "calls")
            for share in (0.5, 0.99)
        ),
        len(told["events"]), told["lost"],
        *((b - a) / took for a, b in zip(before, after, strict=True)), resident,
    )  # fmt: skip


def play(scene: Scene, hostile: int = HOSTILE, pace: float = PACE, kinds: str = "") -> str:
    """Measure without the crowd, with it, and when it has gone."""
    config = configuration(base=CONFIG, **LIMITS)
    seconds = max(LEAST_S, scene.seconds / 4)
    with watched(scene, config) as (server, oracle), helper("honest", server.port) as honest:
        measure(honest, oracle, 2)
        alone = measure(honest, oracle, seconds)
        with helper("hostile", server.port, scene.random.random(), hostile, pace, kinds, nice=19) as crowd:
            # All have come, and those that are cut after ten seconds have been cut once.
            rising = measure(honest, oracle, max(LEAST_S, min(12.0, scene.seconds / 5)))
            tries = [measure(honest, oracle, seconds)]
            while slower(alone, tries[-1]) and len(tries) < TRIES:
                tries.append(measure(honest, oracle, seconds))
            beside = min(tries, key=lambda one: max(slower(alone, one).values(), default=0.0))
            oracle.check()
            counts = ended(crowd)
        after = measure(honest, oracle, LEAST_S / 2)
        figures = "\n".join(
            f"    {name:8} {one}"
            for name, one in (("alone", alone), ("rising", rising), ("beside", beside), ("after", after))
        )
        text = f"{hostile} hostile, {pace:g}/s each, beside 100 honest\n{figures}\n    crowd: {counts}"
        judge(alone, beside, [*tries, rising, after], text)
        ended_bytes = beside.mib - alone.mib
        # The honest ones' connections are no leak.
        honest.kill()
        honest.wait()
        return f"{text}\n    memory {ended_bytes:.0f} MiB more, the bounds allow {bound() / MIB:.0f} MiB"


def slower(alone: Figures, beside: Figures) -> dict[str, float]:
    """Which p99 is more than ``FACTOR`` times as long, and how many times."""
    ratios = {
        name: getattr(beside, name) / max(FLOOR_MS, getattr(alone, name))
        for name in ("events_p99", "calls_p99")
    }
    return {name: ratio for name, ratio in ratios.items() if ratio > FACTOR}


def judge(alone: Figures, beside: Figures, others: list[Figures], text: str) -> None:
    """Raises: Finding: the honest ones noticed more than they may."""
    must(not any(one.lost for one in (alone, beside, *others)), f"events were lost: {text}")
    must(beside.mib - alone.mib < bound() / MIB, f"more memory than the bounds allow: {text}")
    ratios = slower(alone, beside)
    must(not ratios, f"times as long beside the crowd: {ratios}: {text}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m chaos.crowd")
    parser.add_argument("--hostile", type=int, default=HOSTILE)
    parser.add_argument("--pace", type=float, default=PACE, help="what each does in a second")
    parser.add_argument("--kinds", default="", help="those of the crowd, with commas; all")
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scene = Scene(Path(folder), Random(1), options.seconds)
        print(play(scene, options.hostile, options.pace, options.kinds))
