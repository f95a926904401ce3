"""CPU that an event costs a listener in R: the client beside a loop over ``readLines``, in one run.

``PYTHONPATH=.:tests:clients/python python benchmarks/clients_r.py``: needs R with curl and jsonlite. Live in
bursts of 100 (one write), live one at a time, and out of a history; microseconds of the listening process's
CPU from its first event to its last, medians of turns that alternate.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import requests
from support.config import configuration
from support.running import ROOT, environment, radiod

LISTENERS = ("client", "readLines")
SIZES = (80, 10_000)
"""Bytes of text in an event."""

COUNTS = {80: 10_000, 10_000: 1_500}
KEPT = """
[realms.radio.keys.bench]
key = "bench-key"
publish = ["*"]

[realms.radio.channels.bench]
history = { size = 200000, bytes = 200000000 }
"""


def publish(url: str, numbers: range, size: int, burst: int, rate: int) -> None:
    """Items in arrays of ``burst``, ``rate`` events a second; 0: as fast as it goes."""
    begun = time.monotonic()
    with requests.Session() as http:
        for batch in batches(numbers, burst):
            items = [{"network": "bench", "data": {"n": n, "x": "x" * size}} for n in batch]
            http.post(
                f"{url}/publish", json=items, headers={"API-KEY": "bench-key"}, timeout=30
            ).raise_for_status()
            if rate:
                time.sleep(max(0.0, begun + (batch[-1] + 1 - numbers.start) / rate - time.monotonic()))


def batches(numbers: range, burst: int) -> list[range]:
    return [numbers[begin : begin + burst] for begin in range(0, len(numbers), burst)]


def position(url: str) -> str:
    """Of the newest event."""
    return requests.get(f"{url}/listen/bench", params={"wait": 0}, timeout=30).headers["X-Radiod-Position"]


def cost(url: str, library: Path, listener: str, form: str, size: int) -> float:
    """Of one event."""
    count = COUNTS[size] if form != "single" else COUNTS[size] // 5
    after = [position(url)] if form == "past" else []
    if after:
        publish(url, range(count), size, 100, 0)
    command = ["Rscript", str(ROOT / "benchmarks" / "clients_r.R"), listener, url, str(count), *after]
    env = {**environment(), "R_LIBS": str(library)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=env, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        if form != "past":
            while requests.get(f"{url}/channels/bench", timeout=30).json()["readers"] == 0:
                time.sleep(0.01)
            if form == "single":
                publish(url, range(count), size, 1, 1_000)
            else:
                publish(url, range(count), size, 100, 5_000 if size < 1_000 else 500)
        return float(process.stdout.readline())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, radiod(Path(folder), configuration(KEPT)) as server:
        library = Path(folder) / "library"
        library.mkdir()
        command = ["R", "CMD", "INSTALL", f"--library={library}", str(ROOT / "clients" / "r")]
        subprocess.run(command, check=True, capture_output=True)
        for form in ("bursts", "single", "past"):
            for size in SIZES:
                costs: dict[str, list[float]] = {listener: [] for listener in LISTENERS}
                for _ in range(options.turns):
                    for listener in LISTENERS:
                        costs[listener].append(cost(server.url, library, listener, form, size))
                told = "   ".join(f"{name} {statistics.median(all):6.1f}" for name, all in costs.items())
                print(f"{form:8} {size:6} B   {told}   µs", flush=True)


if __name__ == "__main__":
    main()
