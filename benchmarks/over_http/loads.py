"""A radiod to measure, the generator, rounds in turn, and tables."""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import os
import socket
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

from harness import HERE, Server

KEY = "bench-key"
TOPIC = "bench.topic"
KEPT = "kept.topic"
"""The channel with positions."""
LIMITS = """\
http_timeout_s = 3600
http_idle_s = 3600
max_unauthenticated_seconds = 3600
"""
REALM = f"""
[realms.realm1.keys.bench]
key = "{KEY}"
publish = ["*"]
listen = ["*"]
"""
CHANNELS = f"""
[realms.realm1.channels."{KEPT}"]
history = {{ size = 1000 }}
"""
Row = dict[str, Any]


class Wrong(Exception):
    """The server lost something, or answered something else than it must."""


@contextlib.contextmanager
def radiod(options: argparse.Namespace) -> Iterator[Server]:
    """A fresh server whose API key may call, where keys can."""
    with Server(options.server_cpu, LIMITS, REALM + may_call(options.server_cpu) + CHANNELS) as server:
        os.setpriority(os.PRIO_PROCESS, server.pid, options.nice)
        yield server


@functools.cache
def may_call(cpu: int) -> str:
    """The line with which the key may call; nothing where keys know none."""
    line = 'call = ["*"]\n'
    with contextlib.suppress(RuntimeError), Server(cpu, LIMITS, REALM + line):
        return line
    print("keys cannot call here: measured without", file=sys.stderr)
    return ""


def wsload(pid: int, options: argparse.Namespace, *arguments: object) -> Row:
    """One run of the generator. Raises: Wrong."""
    # fmt: off
    command = [
        "nice", "-n", str(options.nice), "taskset", "-c", str(options.load_cpu),
        str(HERE / "wsload"), "fanout", "--quiet",
        "--server-pid", str(pid), "--duration", str(options.duration), "--warmup", "0.2",
        *map(str, arguments),
    ]
    # fmt: on
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise Wrong(done.stderr.strip())
    row: Row = json.loads(done.stdout.splitlines()[0])
    if row["lost"] or row["http_errors"] or row["lost_conns"] or not row["published"]:
        what = ("published", "lost", "http_errors", "lost_conns", "error")
        raise Wrong(", ".join(f"{key}: {row[key]}" for key in what))
    return row


Measure = Callable[[], Row]


def in_turn(section: str, variants: dict[str, Measure], repeat: int) -> dict[str, list[Row]]:
    """Round by round, each variant once in each: what disturbs the machine disturbs all of them."""
    rows: dict[str, list[Row]] = {name: [] for name in variants}
    for number in range(repeat):
        for name, measure in variants.items():
            print(f"{section}: round {number + 1} of {repeat}: {name}", file=sys.stderr, flush=True)
            try:
                rows[name].append(measure())
            except Wrong as error:
                raise Wrong(f"{name}: {error}") from None
    return rows


def middle(rows: list[Row], key: str) -> float:
    """The median of one figure."""
    return statistics.median(row[key] for row in rows)


def ratio(rows: list[Row], to: list[Row], key: str) -> float:
    """The median of the ratios of the rounds: both figures of each were measured one after the other."""
    return statistics.median(row[key] / (other[key] or 1e-9) for row, other in zip(rows, to, strict=True))


def notes(rows: list[Row]) -> str:
    """G: the generator was the limit in some round; n: others used more than 20 % of a CPU in most."""
    bound = any(row.get("gen_bound") for row in rows)
    others = middle(rows, "other_cpu_pct")
    return " ".join(["G"] * bound + [f"n {others:.0f} %"] * (others > 20))


def markdown(heads: str, lines: list[list[str]]) -> str:
    """A table; ``heads`` are separated by ``|``."""
    table = [heads.split("|"), ["---"] * (heads.count("|") + 1), *lines]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in table)


def ask(port: int, method: str, path: str, body: bytes = b"", headers: str = "") -> tuple[int, bytes]:
    """One request on a connection of its own. Returns: status, what came of head and body."""
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAPI-KEY: {KEY}\r\nConnection: close\r\n{headers}"
        )
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = b""
        while data := connection.recv(1 << 16):
            answer += data
    return int(answer[9:12] or b"0"), answer
