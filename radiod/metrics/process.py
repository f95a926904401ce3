"""What the system and the interpreter tell of this process.

Names and meaning as Prometheus' own client libraries have them. All of it is read from below ``/proc/self``,
which a hardened service may see (``ProcSubset=pid``); elsewhere than on Linux it is left out.
"""

from __future__ import annotations

import gc
import os
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from radiod.core.histograms import Histogram
from radiod.metrics.exposition import COUNTER, GAUGE, Family

__all__ = ["GcPauses", "collector_families", "process_families"]

PROC: Final = Path("/proc/self")

PAUSES: Final = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
"""Bounds in seconds."""


class GcPauses:
    """How long the cyclic garbage collector kept everybody waiting, while it is watched."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._began = 0.0
        self.pauses = Histogram(PAUSES)

    def start(self) -> None:
        """Watch it."""
        if self._look not in gc.callbacks:
            gc.callbacks.append(self._look)

    def stop(self) -> None:
        """Watch it no more."""
        if self._look in gc.callbacks:
            gc.callbacks.remove(self._look)

    def _look(self, phase: str, info: dict[str, Any]) -> None:
        if phase == "start":
            self._began = self._clock()
        else:
            self.pauses.observe(self._clock() - self._began)


def process_families(proc: Path = PROC) -> Iterator[Family]:
    """Those of the process; what cannot be read is left out."""
    try:
        # Behind the name, which may have spaces in it; fields as in proc(5), from the third on.
        stat = (proc / "stat").read_text().rpartition(")")[2].split()
        ticks, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
        boot = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
        cpu, start = (int(stat[11]) + int(stat[12])) / ticks, boot + int(stat[19]) / ticks
        virtual, resident = int(stat[20]), int(stat[21]) * page
    except (OSError, AttributeError, IndexError, ValueError):
        return
    yield _single("process_cpu_seconds_total", COUNTER, "User and system time in seconds.", cpu)
    # The two clocks are read one after the other: finer digits would differ from scrape to scrape.
    yield _single(
        "process_start_time_seconds", GAUGE, "Start of the process, in seconds since 1970.", round(start, 1)
    )
    yield _single("process_virtual_memory_bytes", GAUGE, "Virtual memory size in bytes.", virtual)
    yield _single("process_resident_memory_bytes", GAUGE, "Resident memory size in bytes.", resident)
    yield _single("process_open_fds", GAUGE, "Open file descriptors.", open_descriptors(proc / "fd"))
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield _single("process_max_fds", GAUGE, "File descriptors that may be open.", limit)


def open_descriptors(folder: Path) -> int:
    """How many there are. Newer kernels say so at once; else each has to be looked at."""
    return folder.stat().st_size or len(os.listdir(folder))


def collector_families(pauses: GcPauses) -> Iterator[Family]:
    """Those of the garbage collector."""
    told = (
        ("collected", "python_gc_objects_collected_total", "Objects collected."),
        ("uncollectable", "python_gc_objects_uncollectable_total", "Objects that cannot be collected."),
        ("collections", "python_gc_collections_total", "Collections of each generation."),
    )
    stats = gc.get_stats()
    for key, name, help in told:
        family = Family(name, COUNTER, help, ("generation",))
        for generation, found in enumerate(stats):
            family.set(found[key], str(generation))
        yield family
    pause = Family(
        "radiod_gc_pause_seconds", "histogram", "How long each garbage collection kept everything waiting."
    )
    pause.set(pauses.pauses)
    yield pause


def _single(name: str, kind: str, help: str, value: float) -> Family:
    family = Family(name, kind, help)
    family.set(value)
    return family
