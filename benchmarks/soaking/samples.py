"""What the server is like at one moment: by ``/proc`` and by its own ``/metrics``."""

from __future__ import annotations

import csv
import os
import time
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, get_type_hints

__all__ = ["Sample", "Sampler", "read", "write"]

KEY = "soak-watcher"
SECONDS = 60


class Sample(NamedTuple):
    """One row. Latency is that of what was published since the last one, from receipt to the first write."""

    hours: float
    resident_mib: float
    descriptors: int
    lag_ms: float
    latency_p50_ms: float
    latency_p99_ms: float
    cpu_percent: float
    connections: int
    sessions: int
    published: int
    delivered: int
    dropped: int
    recovered: int
    calls: int
    reloads: int
    failures: int


class Sampler:
    """Of one server, from when this is made."""

    def __init__(self, pid: int, port: int) -> None:
        self._pid = pid
        self._url = f"http://127.0.0.1:{port}/metrics"
        self._began = self._last = time.monotonic()
        self._cpu = self._cpu_seconds()
        self._buckets: dict[str, float] = {}
        self._reload = 0.0
        self._reloads = 0

    def take(self) -> Sample:
        """One more."""
        told = self._scrape()
        now, cpu = time.monotonic(), self._cpu_seconds()
        percent = 100 * (cpu - self._cpu) / max(now - self._last, 0.001)
        self._last, self._cpu = now, cpu
        buckets = {
            labels.removeprefix('le="').removesuffix('"'): value
            for labels, value in told.get("radiod_publish_deliver_seconds_bucket", ())
        }
        grown = {bound: value - self._buckets.get(bound, 0) for bound, value in buckets.items()}
        self._buckets = buckets
        since = _sum(told, "radiod_config_last_reload_timestamp_seconds")
        self._reloads += self._reload not in (0.0, since)
        self._reload = since
        return Sample(
            hours=round((now - self._began) / 3600, 5),
            resident_mib=round(_sum(told, "process_resident_memory_bytes") / (1 << 20), 2),
            descriptors=len(os.listdir(f"/proc/{self._pid}/fd")),
            lag_ms=round(1000 * _sum(told, "radiod_loop_lag_seconds"), 3),
            latency_p50_ms=round(1000 * _quantile(grown, 0.5), 3),
            latency_p99_ms=round(1000 * _quantile(grown, 0.99), 3),
            cpu_percent=round(percent, 1),
            connections=int(_sum(told, "radiod_connections")),
            sessions=int(_sum(told, "radiod_sessions")),
            published=int(_sum(told, "radiod_events_published_total")),
            delivered=int(_sum(told, "radiod_events_delivered_total")),
            dropped=int(_sum(told, "radiod_events_dropped_total")),
            recovered=int(_sum(told, "radiod_recoveries_total")),
            calls=int(_sum(told, "radiod_calls_total")),
            reloads=self._reloads,
            failures=int(_sum(told, "radiod_store_failures_total")),
        )

    def _scrape(self) -> dict[str, list[tuple[str, float]]]:
        """Name -> (labels, value) of each series."""
        request = urllib.request.Request(self._url, headers={"API-KEY": KEY})
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            text = answer.read().decode()
        told: dict[str, list[tuple[str, float]]] = {}
        for line in text.splitlines():
            if line and not line.startswith("#"):
                series, _, value = line.rpartition(" ")
                name, _, labels = series.partition("{")
                told.setdefault(name, []).append((labels.removesuffix("}"), float(value)))
        return told

    def _cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _sum(told: dict[str, list[tuple[str, float]]], name: str) -> float:
    return sum(value for _, value in told.get(name, ()))


def _quantile(buckets: dict[str, float], share: float) -> float:
    """By cumulative counts, as Prometheus does: within a bucket as if all were spread evenly."""
    total = buckets.get("+Inf", 0.0)
    below, floor = 0.0, 0.0
    for bound, count in buckets.items():
        if count >= share * total and total:
            if bound == "+Inf":
                return floor
            inside = count - below
            return floor + (float(bound) - floor) * ((share * total - below) / inside if inside else 1.0)
        below, floor = count, float(bound) if bound != "+Inf" else floor
    return 0.0


def write(path: Path, samples: Iterable[Sample]) -> None:
    """As CSV."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(Sample._fields)
        rows.writerows(samples)


def read(path: Path) -> list[Sample]:
    """What ``write`` has written."""
    with path.open(newline="") as file:
        kinds = get_type_hints(Sample)
        rows = csv.DictReader(file)
        return [Sample(**{name: kinds[name](row[name]) for name in Sample._fields}) for row in rows]
