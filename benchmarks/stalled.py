#!/usr/bin/env python3
"""What listeners that stop reading cost: server memory, and the healthy listeners' latency.

    ./stalled.py [--stalled 100] [--events 100000] [--size 100]

Starts radiod, runs the same fan-out twice with fresh servers, without and with stalled listeners on the same
topic, and prints resident memory before and after, and the latency that `wsload` saw at a fixed rate.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys

from harness import HERE, SUBSCRIBE, SUBSCRIBED, Server, WebSocket


def main() -> int:
    """Measure both, print one table."""
    options = arguments()
    print(
        "| stalled | events | resident before, KiB | after, KiB | growth per stalled, KiB | p50 ms | p99 ms |"
    )
    print("|---|---|---|---|---|---|---|")
    for stalled in (0, options.stalled):
        print(measure(options, stalled), flush=True)
    return 0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stalled", type=int, default=100)
    parser.add_argument("--healthy", type=int, default=10)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--size", type=int, default=100, help="payload bytes of one event")
    parser.add_argument("--rate", type=float, default=5000, help="events per second")
    return parser.parse_args()


def measure(options: argparse.Namespace, stalled: int) -> str:
    """One row of the table."""
    with Server() as server, contextlib.ExitStack() as stack:
        for _ in range(stalled):
            stack.enter_context(contextlib.closing(stalled_listener(server.port)))
        before = server.resident_kib()
        load = wsload(server.port, options)
        after = server.resident_kib()
    assert load["lost"] == 0, load
    growth = f"{(after - before) / stalled:.1f}" if stalled else "-"
    p50, p99 = load["lat_p50_us"] / 1000, load["lat_p99_us"] / 1000
    return f"| {stalled} | {options.events} | {before} | {after} | {growth} | {p50:.2f} | {p99:.2f} |"


def stalled_listener(port: int) -> WebSocket:
    """A WAMP session that subscribes to the topic and reads nothing after that."""
    listener = WebSocket(port, "/ws")
    listener.request(SUBSCRIBE, {}, "bench.topic")
    listener.expect(SUBSCRIBED)
    return listener


def wsload(port: int, options: argparse.Namespace) -> dict[str, float]:
    """Publish the events at their rate to the healthy listeners; returns what the generator measured."""
    seconds = options.events / options.rate
    command = [
        *("taskset", "-c", "1", str(HERE / "wsload"), "fanout", "--port", str(port), "--path", "/ws"),
        *("--wamp", "json", "--quiet", "--subs", str(options.healthy)),
        *("--size", str(options.size), "--rate", str(options.rate), "--duration", str(seconds)),
    ]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return dict(json.loads(output.splitlines()[0]))


if __name__ == "__main__":
    sys.exit(main())
