"""What nodes and servers take of the machine meanwhile, and whether that grows."""

from __future__ import annotations

import csv
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import linear_regression

__all__ = ["MIB", "Memory", "rise"]

MIB = 1 << 20
EVERY_S = 5.0
TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def rise(points: list[tuple[float, float]]) -> float:
    """How much the line through the second half of the time grows, from its one end to the other."""
    middle = (points[0][0] + points[-1][0]) / 2 if points else 0.0
    half = [point for point in points if point[0] >= middle]
    if len(half) < 3:
        return 0.0
    slope = linear_regression([x for x, _ in half], [y for _, y in half]).slope
    return slope * (half[-1][0] - half[0][0])


class Memory:
    """Looks at processes every ``EVERY_S`` from entering on.

    ``points``: name -> (seconds, MiB resident); ``cpu``: name -> seconds of CPU, of all its processes.

    Args:
        pids: name -> the process that it is now, if there is one.
    """

    def __init__(self, pids: Callable[[], dict[str, int]]) -> None:
        self._pids = pids
        self._began = time.monotonic()
        self.points: dict[str, list[tuple[float, float]]] = defaultdict(list)
        self.cpu: dict[str, float] = defaultdict(float)
        self._last: dict[int, float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Memory:
        self._look(is_first=True)
        self._thread.start()
        return self

    def __exit__(self, *about: object) -> None:
        self._stop.set()
        self._thread.join(10)

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._began

    def _run(self) -> None:
        while not self._stop.wait(EVERY_S):
            self._look()

    def _look(self, *, is_first: bool = False) -> None:
        for name, pid in self._pids().items():
            try:
                pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except (OSError, IndexError):
                continue  # it has just ended
            used = (int(fields[11]) + int(fields[12])) / TICK
            if not is_first:
                self.cpu[name] += used - self._last.get(pid, 0.0)
            self._last[pid] = used
            if pages:
                self.points[name].append((round(self.seconds, 1), pages * PAGE / MIB))

    def most(self, name: str) -> float:
        """The most that one had, in MiB."""
        return max((mib for _, mib in self.points[name]), default=0.0)

    def write(self, path: Path) -> None:
        """As CSV."""
        with path.open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["name", "seconds", "resident_mib"])
            for name, points in self.points.items():
                rows.writerows([name, seconds, round(mib, 1)] for seconds, mib in points)
