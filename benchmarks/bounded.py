#!/usr/bin/env python3
"""What 1,000 listeners that never read cost while a publisher goes at full speed: memory, second by second.

    ./bounded.py                        radiod and crossbar, a minute each
    ./bounded.py --peers radiod --slots 200 --size 1024 --seconds 60

The stalled listeners ask for buffers of --slots events (radiod's option; others ignore it) and have a small
receive buffer; they are first sent --fill KiB each, more than the kernel takes, so that they really stop the
server's writes. One healthy listener receives everything. The bound is what the buffers may hold: stalled
listeners x slots x size, as if nothing were shared; a server that grows beyond --cap MiB is stopped there.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from harness import HERE, SUBSCRIBE, SUBSCRIBED, WebSocket, raise_file_limit
from latency import RECEIVE_BUFFER, TOPIC, address, fill, resident, running
from run_peers import PEERS, Server, installed

Curve = list[tuple[float, int]]
Load = dict[str, Any]


def measure(name: str, options: argparse.Namespace) -> tuple[Curve, Load | None]:
    """Resident KiB over the seconds of a run, and what the generator saw; None: it was stopped at the cap."""
    with running(name, options) as server, contextlib.ExitStack() as stack:
        port, path = address(name)
        for _ in range(options.stalled):
            listener = WebSocket(port, path, receive_buffer=RECEIVE_BUFFER)
            stack.enter_context(contextlib.closing(listener))
            listener.request(SUBSCRIBE, {"_radiod_buffer": {"size": options.slots}}, TOPIC)
            listener.expect(SUBSCRIBED)
        before = resident(server)
        fill(port, path, options.fill)
        return _load(name, server, options, before)


def _load(name: str, server: Server, options: argparse.Namespace, before: int) -> tuple[Curve, Load | None]:
    # fmt: off
    command = [
        "taskset", "-c", str(options.load_cpu), str(HERE / "wsload"), "fanout", *PEERS[name]["base"],
        "--quiet", "--subs", "1", "--size", str(options.size), "--window", "16", "--ack",
        "--duration", str(options.seconds), "--warmup", "0", "--server-pid", str(server.p.pid),
    ]
    # fmt: on
    begun = time.monotonic()
    curve = [(0.0, before)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as generator:
        while generator.poll() is None:
            time.sleep(1)
            curve.append((time.monotonic() - begun, resident(server)))
            if curve[-1][1] > options.cap * 1024:
                generator.terminate()
                return curve, None
        output = generator.stdout.read() if generator.stdout else ""
    return curve, Load(json.loads(output.splitlines()[0]))


def row(name: str, curve: Curve, load: Load | None, options: argparse.Namespace) -> str:
    """One line of the table."""
    bound = options.stalled * options.slots * options.size / 1024
    before, peak = curve[0][1], max(kib for _, kib in curve)
    points = ", ".join(f"{kib / 1024:.0f}" for _, kib in _thinned(curve))
    rate = "stopped at the cap" if load is None else f"{load['publishes_per_s']:,.0f}"
    share = f"{(peak - before) / bound:.1%}"
    cells = [
        name,
        f"{before / 1024:.0f}",
        points,
        f"{(peak - before) / 1024:.1f}",
        f"{bound / 1024:.0f}",
        share,
        rate,
    ]
    return "| " + " | ".join(cells) + " |"


def _thinned(curve: Curve) -> Curve:
    """Some seven points of a curve, its last among them."""
    step = max(1, len(curve) // 6)
    return [*curve[step:-1:step], curve[-1]]


def main() -> int:
    """All servers, one after the other."""
    options = arguments()
    if not (HERE / "wsload").exists():
        sys.exit("wsload is missing: run make in this folder")
    raise_file_limit()
    heads = "server|before, MiB|resident over time, MiB|growth, MiB|bound, MiB|of the bound|events/s"
    print("|", heads.replace("|", " | "), "|")
    print("|", "---|" * (heads.count("|") + 1), sep="")
    for name in installed(options.peers.split(","), PEERS):
        curve, load = measure(name, options)
        print(row(name, curve, load, options), flush=True)
    return 0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peers", default="radiod,crossbar")
    parser.add_argument("--stalled", type=int, default=1000)
    parser.add_argument("--slots", type=int, default=200)
    parser.add_argument("--size", type=int, default=1024, help="payload bytes of one event")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--fill", type=int, default=6000, help="KiB published before")
    parser.add_argument("--cap", type=int, default=4096, help="MiB of resident memory at which a run ends")
    parser.add_argument("--server-cpu", type=int, default=0)
    parser.add_argument("--load-cpu", type=int, default=1)
    options = parser.parse_args()
    # What run_peers.Server wants to know besides.
    options.nice, options.logdir = 0, HERE / "results"
    Path(options.logdir).mkdir(exist_ok=True)
    return options


if __name__ == "__main__":
    sys.exit(main())
