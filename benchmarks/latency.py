#!/usr/bin/env python3
"""The latency that listeners see while others do not read: radiod and its peers, at a fixed rate.

    ./latency.py                        radiod and crossbar, some minutes
    ./latency.py --quick                shorter runs, a look only
    ./latency.py --peers radiod,crossbar,fox-wamp --stalled 100 --rate 10 --duration 20

For each server two kinds of runs in turn: --listeners of which --stalled never read (small SO_RCVBUF), and as
many healthy ones without the stalled. Stalled listeners are first sent --fill KiB each, so that they really
stop the server's writes: "unsent" is the median of what the kernel holds for one of them. Latency is that of
the healthy ones, from the publisher's clock reading to the listener's recv(), medians of the repeats.
Peers: see run_peers.py; those that are not installed are skipped.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness import (
    HERE,
    PUBLISH,
    PUBLISHED,
    SUBSCRIBE,
    SUBSCRIBED,
    WebSocket,
    children,
    raise_file_limit,
    resident_kib,
)
from run_peers import PEERS, Server, installed

RECEIVE_BUFFER = 2048
TOPIC = "bench.topic"
FILL_KIB = 60
Row = dict[str, Any]


@contextlib.contextmanager
def running(name: str, options: argparse.Namespace) -> Iterator[Server]:
    """A peer's server until the block ends."""
    server = Server(name, PEERS[name], options)
    try:
        yield server
    finally:
        server.stop()


def measure(name: str, stalled: int, options: argparse.Namespace) -> Row:
    """One run against a fresh server."""
    with running(name, options) as server, contextlib.ExitStack() as stack:
        port, path = address(name)
        still = [WebSocket(port, path, receive_buffer=RECEIVE_BUFFER) for _ in range(stalled)]
        for listener in still:
            stack.enter_context(contextlib.closing(listener))
            listener.request(SUBSCRIBE, {}, TOPIC)
            listener.expect(SUBSCRIBED)
        before = resident(server)
        fill(port, path, options.fill)
        time.sleep(1)
        filled = resident(server)
        row = wsload(server, name, options)
        row["unsent"] = statistics.median(unsent(port, still)) if stalled else 0
        row["gone"] = sum(not listener.is_connected for listener in still)
        row["held"] = (filled - before) / stalled if stalled else 0.0
    return row


def address(name: str) -> tuple[int, str]:
    """Where a peer's WAMP listeners connect."""
    base = PEERS[name]["base"]
    path = base[base.index("--path") + 1] if "--path" in base else "/"
    return int(base[base.index("--port") + 1]), path


def resident(server: Server) -> int:
    """Resident KiB of a server and its children."""
    return sum(resident_kib(pid) for pid in children(server.p.pid))


def fill(port: int, path: str, kib: int) -> None:
    """Publish so much, slowly enough for the server to keep up."""
    publisher = WebSocket(port, path)
    for _ in range(kib // FILL_KIB):
        publisher.request(PUBLISH, {"acknowledge": True}, TOPIC, ["x" * FILL_KIB * 1024])
        publisher.expect(PUBLISHED)
    publisher.close()


def wsload(server: Server, name: str, options: argparse.Namespace) -> Row:
    """The healthy listeners and their publisher."""
    # fmt: off
    command = [
        "taskset", "-c", str(options.load_cpu), str(HERE / "wsload"), "fanout", *PEERS[name]["base"],
        "--quiet", "--subs", str(options.listeners - options.stalled), "--rate", str(options.rate),
        "--duration", str(options.duration), "--warmup", "1", "--server-pid", str(server.p.pid),
    ]
    # fmt: on
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return dict(json.loads(output.splitlines()[0]))


def unsent(port: int, clients: list[WebSocket]) -> list[int]:
    """The bytes in the server's send queues towards these clients (Linux, IPv4)."""
    ports = {client.socket.getsockname()[1] for client in clients}
    queues = []
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, _, queue, *_ = line.split()
        if int(local.split(":")[1], 16) == port and int(remote.split(":")[1], 16) in ports:
            queues.append(int(queue.split(":")[0], 16))
    return queues or [0]


def table(results: dict[str, dict[int, list[Row]]]) -> str:
    """Medians over the repeats, as Markdown."""
    heads = "server|stalled|p50 ms|p99 ms|p99.9 ms|worst ms|CPU µs per delivery"
    heads += "|KiB held per stalled|unsent bytes|stalled cut|lost|others"
    lines = [heads.split("|"), ["---"] * (heads.count("|") + 1)]
    for name, kinds in results.items():
        for stalled, rows in kinds.items():
            lines.append([name, str(stalled), *_cells(rows)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cells(rows: list[Row]) -> list[str]:
    middle = {key: statistics.median(row[key] for row in rows) for key, x in rows[0].items() if _is_number(x)}
    latencies = [
        middle[f"lat_{key}_us"] / 1000 if key != "max" else max(row["lat_max_us"] for row in rows) / 1000
        for key in ("p50", "p99", "p999", "max")
    ]
    others = max(0, middle["other_cpu_pct"])
    return [
        *(f"{x:.1f}" for x in latencies),
        f"{middle['cpu_us_per_delivery']:.1f}",
        f"{middle['held']:.0f}",
        f"{middle['unsent']:,.0f}",
        f"{middle['gone']:.0f}",
        f"{sum(row['lost'] for row in rows)}",
        f"{others:.0f} %" + (" n" if others > 20 else ""),
    ]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def main() -> int:
    """All servers in turn, repeat by repeat."""
    options = arguments()
    if not (HERE / "wsload").exists():
        sys.exit("wsload is missing: run make in this folder")
    raise_file_limit()
    names = list(installed(options.peers.split(","), PEERS))
    kinds = (0, options.stalled)
    results: dict[str, dict[int, list[Row]]] = {name: {kind: [] for kind in kinds} for name in names}
    for _ in range(options.repeat):
        for name in names:
            for kind in kinds:
                row = measure(name, kind, options)
                results[name][kind].append(row)
                print(f"{name} stalled={kind}: {', '.join(_cells([row]))}", file=sys.stderr, flush=True)
    print(table(results))
    options.out.write_text(
        json.dumps({"date": time.strftime("%Y-%m-%d %H:%M"), "results": results}, indent=1)
    )
    return 0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peers", default="radiod,crossbar")
    parser.add_argument("--listeners", type=int, default=1000, help="the stalled ones included")
    parser.add_argument("--stalled", type=int, default=100)
    parser.add_argument("--rate", type=float, default=10, help="publications a second")
    parser.add_argument("--duration", type=float, default=20)
    parser.add_argument("--fill", type=int, default=4096, help="KiB published before")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one repeat of 4 s")
    parser.add_argument("--server-cpu", type=int, default=0)
    parser.add_argument("--load-cpu", type=int, default=1)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "latency.json")
    options = parser.parse_args()
    if options.quick:
        options.duration, options.repeat = 4, 1
    # What run_peers.Server wants to know besides.
    options.nice, options.logdir = 0, options.out.parent
    os.makedirs(options.logdir, exist_ok=True)
    return options


if __name__ == "__main__":
    sys.exit(main())
