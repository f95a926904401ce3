#!/usr/bin/env python3
"""Does a server that is used for hours stay as it was? Mixed load, samples, curves, and a verdict.

    ./soak.py --hours 8                     writes results/soak.csv and results/soak.svg
    ./soak.py --judge results/soak.csv      the verdict once more, without a run

Listeners (WAMP, Server-Sent Events, lines of JSON, long-polls, slow ones, some that come back with their
positions), publishers (WAMP, HTTP, on disk), calls, keys that are issued and revoked, channels that are made
and end, and reloads that add and remove a key. Each 10 s the server is looked at by /proc and /metrics. A
straight line through the second half of each curve must not rise by more than its bound. Ends with status 1
if one does, if a listener misses an event without being told, or if anything else goes wrong.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from harness import Server
from soaking.curves import Curve, line_through, picture, second_half
from soaking.samples import Sample, Sampler, read, write

HERE = Path(__file__).resolve().parent

CONFIG = """\
[[listen]]
endpoint = "tcp:{port}:interface=127.0.0.1:backlog=4096"

[store]
path = "soak.sqlite"

[admin]
socket = "admin.sock"

[limits]
max_connections_per_address = 100000
{limits}

[accounts.soak]

[realms.radio]
anonymous = "soak"

[realms.radio.roles.soak]
subscribe = ["*"]
publish = ["*"]
call = ["*"]
register = ["*"]

[realms.radio.channels."soak.kept"]
history = {{ size = 1000 }}

[realms.radio.channels."soak.durable"]
durable = true
history = {{ size = 1000 }}

[realms.radio.keys.writer]
key = "soak-writer"
publish = ["*"]

[realms.radio.keys.watcher]
key = "soak-watcher"
metrics = true
"""


class Bound(NamedTuple):
    """How much the line through the second half of a curve may rise, or by what share of where it begins."""

    field: str
    title: str
    unit: str
    rise: float
    share: float

    def judge(self, samples: list[Sample]) -> Curve:
        """The curve with its verdict."""
        points = [(sample.hours, float(getattr(sample, self.field))) for sample in samples]
        line = line_through(second_half(points))
        allowed = max(self.rise, self.share * line.at(line.begin))
        is_good = line.rise <= allowed
        verdict = f"{line.rise:+.2f} of at most {allowed:+.2f} {self.unit}{'' if is_good else ': TOO MUCH'}"
        return Curve(self.title, self.unit, points, line, verdict, is_good)


BOUNDS = (
    Bound("resident_mib", "resident memory", "MiB", 2.0, 0.03),
    Bound("descriptors", "open descriptors", "descriptors", 4.0, 0.0),
    Bound("lag_ms", "loop lag, longest of each 5 s", "ms", 50.0, 0.2),
    Bound("latency_p50_ms", "publish to first write, p50", "ms", 2.0, 0.2),
    Bound("latency_p99_ms", "publish to first write, p99", "ms", 20.0, 0.2),
)


def run(options: argparse.Namespace) -> tuple[list[Sample], list[str]]:
    """Load and samples. Returns: samples, and what went wrong."""
    seconds = options.hours * 3600
    with Server(config=CONFIG, cpu=options.server_cpu) as server:
        command = [sys.executable, str(HERE / "soaking" / "crowd.py")]
        where = [str(server.port), str(server.log.parent / "admin.sock")]
        with subprocess.Popen(
            ["taskset", "-c", str(options.load_cpu), *command, *where, str(seconds), str(options.size)],
            stdout=subprocess.PIPE,
            text=True,
        ) as crowd:
            try:
                samples = watch(server, crowd, seconds, options.every)
                assert crowd.stdout is not None
                told = json.loads(crowd.stdout.read() or "{}")
            finally:
                crowd.kill()
        log = server.log.read_text()
    wrong = [*told.get("errors", []), *([] if told else ["the crowd's program failed"])]
    wrong += [line for line in log.splitlines() if "Traceback" in line]
    print(json.dumps(told.get("done", {}), indent=1))
    return samples, wrong


def watch(server: Server, crowd: subprocess.Popen[str], seconds: float, every: float) -> list[Sample]:
    """Samples until the time is up."""
    sampler, samples = Sampler(server.pid, server.port), []
    end = time.monotonic() + seconds
    due = time.monotonic() + every
    while crowd.poll() is None and due <= end:
        time.sleep(max(0.0, due - time.monotonic()))
        samples.append(sampler.take())
        due += every
    crowd.wait(180)
    return samples


def judge(samples: list[Sample], wrong: list[str], folder: Path) -> int:
    """Verdict and picture. Returns: the exit status."""
    curves = [bound.judge(samples) for bound in BOUNDS]
    first, last = samples[0], samples[-1]
    title = f"{last.hours:.2f} hours: {last.published} events published, {last.delivered} delivered"
    (folder / "soak.svg").write_text(picture(curves, title))
    print(f"\n{title}, {last.dropped} dropped for slow ones, {last.recovered} recoveries, {last.calls} calls")
    print(
        f"{last.reloads} reloads, {last.connections} connections, {last.cpu_percent:.0f} % of a processor\n"
    )
    print("| | begin | end | line through the second half |\n|---|---|---|---|")
    for bound, curve in zip(BOUNDS, curves, strict=True):
        begin, end = (getattr(sample, bound.field) for sample in (first, last))
        print(f"| {bound.title} ({bound.unit}) | {begin:g} | {end:g} | {curve.verdict} |")
    for line in wrong[:20]:
        print(f"wrong: {line}")
    return int(bool(wrong) or not all(curve.is_good for curve in curves) or last.failures > 0)


def main() -> int:
    """Run, or judge what was run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hours", type=float, default=0.17)
    parser.add_argument("--every", type=float, default=10, help="seconds between samples")
    parser.add_argument("--size", type=float, default=1, help="1 is some 70 connections")
    parser.add_argument("--server-cpu", type=int, default=0)
    parser.add_argument("--load-cpu", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=HERE / "results")
    parser.add_argument("--judge", type=Path, help="samples of a run")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    if options.judge:
        return judge(read(options.judge), [], options.folder)
    samples, wrong = run(options)
    if len(samples) < 4:
        print(f"only {len(samples)} samples: {wrong}")
        return 1
    write(options.folder / "soak.csv", samples)
    return judge(samples, wrong, options.folder)


if __name__ == "__main__":
    sys.exit(main())
