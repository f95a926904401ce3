#!/usr/bin/env python3
"""What listeners that stop reading cost: server memory, and the healthy listeners' latency.

    ./stalled.py [--stalled 100] [--events 100000] [--size 100] [--twistd .venv/bin/twistd]

Starts radiod, runs the same fan-out twice with fresh servers, without and with stalled listeners on the same
topic, and prints resident memory before and after, and the latency that `wsload` saw at a fixed rate.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PORT = 7171
WSLOAD = ["--port", str(PORT), "--path", "/ws", "--wamp", "json", "--quiet"]


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
    parser.add_argument("--twistd", default=str(ROOT / ".venv/bin/twistd"))
    return parser.parse_args()


def measure(options: argparse.Namespace, stalled: int) -> str:
    """One row of the table."""
    with server(options.twistd) as process, contextlib.ExitStack() as stack:
        for _ in range(stalled):
            stack.enter_context(contextlib.closing(stalled_listener()))
        before = resident_kib(process.pid)
        load = wsload(options)
        after = resident_kib(process.pid)
    assert load["lost"] == 0, load
    growth = f"{(after - before) / stalled:.1f}" if stalled else "-"
    p50, p99 = load["lat_p50_us"] / 1000, load["lat_p99_us"] / 1000
    return f"| {stalled} | {options.events} | {before} | {after} | {growth} | {p50:.2f} | {p99:.2f} |"


@contextlib.contextmanager
def server(twistd: str) -> Iterator[subprocess.Popen[bytes]]:
    """radiod on one CPU until the block ends."""
    environment = {**os.environ, "RADIOD": twistd}
    command = ["taskset", "-c", "0", str(HERE / "peers/radiod/start.sh")]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        wait_for_port(process)
        yield process
    finally:
        process.terminate()
        process.wait(15)


def wait_for_port(process: subprocess.Popen[bytes]) -> None:
    """Until the server accepts connections."""
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", PORT), 1):
            return
        if process.poll() is not None:
            sys.exit("radiod did not start")
        time.sleep(0.1)
    sys.exit("radiod does not listen")


def stalled_listener() -> socket.socket:
    """A WAMP session that subscribes to the topic and reads nothing after that."""
    connection = socket.create_connection(("127.0.0.1", PORT))
    key = base64.b64encode(os.urandom(16)).decode()
    connection.sendall(
        f"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Protocol: wamp.2.json\r\n\r\n".encode()
    )
    connection.recv(4096)
    for message in ([1, "realm1", {"roles": {"subscriber": {}}}], [32, 1, {}, "bench.topic"]):
        data = json.dumps(message).encode()
        # A mask of zeros leaves the payload as it is.
        connection.sendall(bytes([0x81, 0x80 | len(data)]) + bytes(4) + data)
        connection.recv(4096)
    return connection


def wsload(options: argparse.Namespace) -> dict[str, float]:
    """Publish the events at their rate to the healthy listeners; returns what the generator measured."""
    seconds = options.events / options.rate
    command = [
        *("taskset", "-c", "1", str(HERE / "wsload"), "fanout", *WSLOAD, "--subs", str(options.healthy)),
        *("--size", str(options.size), "--rate", str(options.rate), "--duration", str(seconds)),
    ]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return dict(json.loads(output.splitlines()[0]))


def resident_kib(pid: int) -> int:
    """Resident memory of one process."""
    return int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0])


if __name__ == "__main__":
    sys.exit(main())
