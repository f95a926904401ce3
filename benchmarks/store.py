#!/usr/bin/env python3
"""What an acknowledged append to the store costs: one row for each number of appends outstanding.

    ./store.py [--folder .] [--seconds 3] [--size 200] [--keep 1000]

Appends to one channel as fast as acknowledgements come, and trims its history to ``--keep`` events, on the
disk that holds ``--folder``. In the rows marked "busy" the main thread is a loaded reactor's: it polls,
computes for a turn of 50 microseconds, and never sleeps. The first row is the disk alone: 4 KiB written and
synced over and over.
"""

from __future__ import annotations

import argparse
import os
import select
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue

from radiod.store.sqlite import SqliteStore

OUTSTANDING = (1, 16, 256)
TURN_SECONDS = 50e-6


def main() -> int:
    """Measure everything, print one table."""
    options = arguments()
    print("| outstanding | events/s | commits/s | p50 ms | p99 ms |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        print(measure_disk(os.path.join(folder, "disk"), options.seconds), flush=True)
        for is_busy in (False, True):
            for outstanding in OUTSTANDING:
                path = os.path.join(folder, f"{is_busy}-{outstanding}.sqlite")
                print(Run(path, options, outstanding, is_busy).measure(), flush=True)
    return 0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", default=".")
    parser.add_argument("--seconds", type=float, default=3.0, help="duration of each row")
    parser.add_argument("--size", type=int, default=200, help="payload bytes of one event")
    parser.add_argument("--keep", type=int, default=1000, help="events of history")
    return parser.parse_args()


def row(name: object, events: int, commits: int, seconds: float, latencies: list[float]) -> str:
    """One row of the table. ``latencies``: seconds."""
    hundredths = [1000 * cut for cut in statistics.quantiles(latencies, n=100)]
    rates = f"{events / seconds:,.0f} | {commits / seconds:,.0f}"
    return f"| {name} | {rates} | {hundredths[49]:.2f} | {hundredths[98]:.2f} |"


def measure_disk(path: str, seconds: float) -> str:
    """The row of the disk alone."""
    latencies = []
    with open(path, "wb", buffering=0) as file:
        file.write(bytes(1000 * 4096))
        os.fsync(file.fileno())
        begin = time.perf_counter()
        while time.perf_counter() < begin + seconds:
            start = time.perf_counter()
            # Over old content, as in a write-ahead log that has been filled once.
            file.seek(len(latencies) % 1000 * 4096)
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
            latencies.append(time.perf_counter() - start)
    return row("disk alone", len(latencies), len(latencies), time.perf_counter() - begin, latencies)


class Run:
    """One row: a store of its own, and a main thread of one queue."""

    def __init__(self, path: str, options: argparse.Namespace, outstanding: int, is_busy: bool) -> None:
        self.calls: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self.store = SqliteStore(path, self.calls.put)
        self.options = options
        self.outstanding = outstanding
        self.is_busy = is_busy
        self.args = b"x" * options.size
        self.seq = 0
        self.until = 0.0
        self.latencies: list[float] = []

    def measure(self) -> str:
        """The row."""
        self.store.open()
        self.store.start()
        begin = time.perf_counter()
        self.until = begin + self.options.seconds
        commits = 0
        for _ in range(self.outstanding):
            self.append()
        while self.store.waiting:
            self.next_call()()
            commits += 1
        seconds = time.perf_counter() - begin
        self.store.close()
        name = f"{self.outstanding}, busy" if self.is_busy else self.outstanding
        return row(name, len(self.latencies), commits, seconds, self.latencies)

    def append(self) -> None:
        """Append once more; when it is acknowledged, again."""
        self.seq += 1
        start = time.perf_counter()

        def done(error: Exception | None) -> None:
            if error is not None:
                raise error
            self.latencies.append(time.perf_counter() - start)
            if time.perf_counter() < self.until:
                self.append()

        self.store.append(
            "radio", "bench", "e", self.seq, time.time(), self.seq, "json", self.args, b"", b"{}", b"{}", done
        )
        self.store.trim("radio", "bench", "e", self.seq - self.options.keep)

    def next_call(self) -> Callable[[], None]:
        """What the writer wants called; waits for it asleep or busy."""
        if not self.is_busy:
            return self.calls.get()
        while True:
            until = time.perf_counter() + TURN_SECONDS
            while time.perf_counter() < until:
                pass
            select.select([], [], [], 0)
            try:
                return self.calls.get_nowait()
            except Empty:
                continue


if __name__ == "__main__":
    sys.exit(main())
