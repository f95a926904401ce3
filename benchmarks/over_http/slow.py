"""What others see beside a crowd of slow clients: POSTs at a fixed rate, for each an event to a WebSocket."""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from harness import Server, cpu_seconds

from over_http.loads import Row, Wrong, in_turn, markdown, middle, radiod, ratio, wsload
from over_http.publish import ARTICLE, headers
from over_http.publish import JSON as KIND

RATE = 200
"""POSTs a second: a few per cent of what the server can."""


def crowds(options: argparse.Namespace) -> dict[str, dict[str, int]]:
    """Who is there besides."""
    idle = {"idle": options.idle}
    slow = {"heads": options.slow, "bodies": options.slow, "chunks": options.slow // 5}
    return {
        "nobody": {},
        "idle sockets": idle,
        "slow heads, bodies, chunks": slow,
        "all of them": idle | slow,
    }


@contextlib.contextmanager
def crowd(port: int, of: dict[str, int], options: argparse.Namespace) -> Iterator[list[int]]:
    """A crowd until the block ends; then the list has how many of it were cut off."""
    cut: list[int] = []
    if not of:
        yield cut
        return
    script = str(Path(__file__).with_name("crowd.py"))
    counts = [part for kind, count in of.items() for part in (f"--{kind}", str(count))]
    process = subprocess.Popen(
        ["taskset", "-c", str(options.load_cpu), sys.executable, script, "--port", str(port), *counts],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        if process.stdout.readline() != b"ready\n":
            raise Wrong("the crowd could not connect")
        yield cut
    finally:
        process.stdin.close()
        cut.append(int(process.stdout.readline() or b"-1"))
        process.wait()


def quiet(pid: int) -> None:
    """Until the server has taken its leave of all."""
    for _ in range(60):
        before = cpu_seconds(pid)
        time.sleep(0.5)
        if cpu_seconds(pid) - before < 0.05:
            return


def one(server: Server, of: dict[str, int], options: argparse.Namespace) -> Row:
    """One run beside one crowd."""
    # fmt: off
    arguments = [
        "--port", server.port, "--subs", 1, "--path", "/ws", "--wamp", "json", "--pub", "http",
        "--pub-path", "/publish",
        "--rate", RATE, "--size", 90, "--pub-body", ARTICLE, "--pub-expect", '"OK"', *headers(KIND),
        "--duration", 5 * options.duration,
        # Enough for a stall to meet all that is due in it, and not only what it finds under way.
        "--pub-conns", 64,
    ]
    # fmt: on
    with crowd(server.port, of, options) as cut:
        row = wsload(server.pid, options, *arguments)
    quiet(server.pid)
    return row | {"cut": sum(cut)}


def measure(options: argparse.Namespace) -> dict[str, list[Row]]:
    """All crowds, in turn, on one server."""
    with radiod(options) as server:
        # What the first crowd alone would have to wait for.
        one(server, {}, options)
        variants = {name: (lambda of=of: one(server, of, options)) for name, of in crowds(options).items()}
        return in_turn("slow", variants, options.repeat)


def table(rows: dict[str, list[Row]]) -> str:
    """Latencies of the others."""
    alone = rows["nobody"]
    lines = []
    for name, found in rows.items():
        cells = []
        for what in ("trip", "lat"):
            cells += [
                f"{middle(found, f'{what}_p50_us') / 1000:.2f}",
                f"{middle(found, f'{what}_p99_us') / 1000:.2f}",
            ]
            cells.append(f"{ratio(found, alone, f'{what}_p99_us'):.2f}")
        others = f"{middle(found, 'other_cpu_pct'):.0f} %"
        lines.append(
            [
                name,
                *cells,
                f"{middle(found, 'server_cpu_pct'):.0f} %",
                str(sum(row["cut"] for row in found)),
                others,
            ]
        )
    heads = "beside|POST, p50 ms|p99 ms|ratio|event to a WebSocket, p50 ms|p99 ms|ratio"
    heads += "|server's CPU|cut off|others' CPU, the crowd's too"
    return markdown(heads, lines)
