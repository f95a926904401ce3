#!/usr/bin/env python3
"""How radiod's CPU per operation grows with listeners, topics, patterns, registrations and payload.

    ./growth.py                         all curves, some minutes
    ./growth.py --quick                 shorter runs, a look only
    ./growth.py --only topics,prefix    some curves; the file keeps the others
    ./growth.py --list                  the curves

Every row is a freshly started server on one CPU and one load generator on another. "CPU us" is the server's
user and system time (`/proc/PID/stat`) divided by operations, the median of the repeats; "spread" is their
largest by their smallest; "ratio" is by the first row. "others" is what other processes used of a CPU
meanwhile: read nothing into rows where it is above 20 % (marked n).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import (
    EVENT,
    HERE,
    REGISTER,
    REGISTERED,
    SUBSCRIBE,
    SUBSCRIBED,
    Neighbours,
    Refused,
    Server,
    Session,
    frame,
)

NUMBERS = (1, 10, 100, 1000, 10_000)
SIZES = (100, 1 << 10, 10 << 10, 100 << 10, 1 << 20)
WINDOW = 64
EVENT_START = f"[{EVENT},".encode()
Row = dict[str, Any]


class Unsupported(Exception):
    """The server does not know what the curve measures."""


# --- measuring


def measure(server: Server, batch: Callable[[], int], options: argparse.Namespace) -> Row:
    """Repeat ``batch``, which returns how many operations it did, until the server has worked long enough."""
    _run(server, batch, options.seconds / 4)
    others = Neighbours(server.pid)
    runs = [_run(server, batch, options.seconds) for _ in range(options.repeat)]
    costs = [1e6 * cpu / operations for cpu, operations in runs]
    return {
        "us": statistics.median(costs),
        "spread": max(costs) / min(costs),
        "operations": sum(operations for _, operations in runs),
        "others_pct": others.percent(),
    }


def _run(server: Server, batch: Callable[[], int], seconds: float) -> tuple[float, int]:
    start, operations, used, end = server.cpu(), 0, 0.0, time.monotonic() + 60 + 20 * seconds
    while used < seconds:
        if time.monotonic() > end:
            raise RuntimeError(f"the server used only {used:.2f} s of CPU for {operations} operations")
        operations += batch()
        used = server.cpu() - start
    return used, operations


def prepare(server: Server, session: Session, kind: int, answer: int, requests: list[list[Any]]) -> Row:
    """Send many requests, some at a time. Returns: what each cost the server, where that can be told."""
    start = server.cpu()
    for first in range(0, len(requests), WINDOW):
        some = requests[first : first + WINDOW]
        for request in some:
            session.request(kind, *request)
        for _ in some:
            session.expect(answer)
    used = server.cpu() - start
    return {"setup_us": 1e6 * used / len(requests)} if used >= 0.1 else {}


def payload(size: int) -> bytes:
    """The args of a message with ``size`` bytes of text."""
    return b'["' + b"x" * size + b'"]'


class Publisher:
    """Publishes to a sequence of topics, a window at a time."""

    def __init__(self, port: int, body: bytes = payload(100)) -> None:
        self.session = Session(port)
        self._body = body

    def send(self, topics: list[bytes]) -> None:
        """One publication to each."""
        head, session = b'[16,%d,{},"%s",%s]', self.session
        self.session.socket.sendall(
            b"".join([frame(head % (session.next_id(), topic, self._body)) for topic in topics])
        )


# --- the curves


def listeners(server: Server, n: int, options: argparse.Namespace) -> Row:
    """n listeners of one topic; an operation is one delivery (WebSocket, 8 publications under way)"""
    # fmt: off
    command = [
        "taskset", "-c", str(options.load_cpu), str(HERE / "wsload"), "fanout", "--port", str(server.port),
        "--path", "/ws", "--wamp", "json", "--subs", str(n), "--window", "8", "--quiet",
        "--repeat", str(options.repeat), "--duration", str(options.seconds * 1.2),
        "--server-pid", str(server.pid),
    ]
    # fmt: on
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    runs = [json.loads(line) for line in output.splitlines()]
    assert not any(run["lost"] for run in runs), runs
    costs = [run["cpu_us_per_delivery"] for run in runs]
    return {
        "us": statistics.median(costs),
        "spread": max(costs) / min(costs),
        "publication_us": statistics.median(run["cpu_us_per_publish"] for run in runs),
        "operations": sum(run["delivered"] for run in runs),
        "others_pct": max(0.0, max(run["other_cpu_pct"] for run in runs)),
    }


def topics(server: Server, n: int, options: argparse.Namespace) -> Row:
    """n topics, subscribed to by one session, published to in turn; an operation is one publication"""
    subscriber, publisher = Session(server.port), Publisher(server.port)
    names = [f"bench.{i:06}" for i in range(n)]
    extra = prepare(server, subscriber, SUBSCRIBE, SUBSCRIBED, [[{}, name] for name in names])
    return _in_turn(server, subscriber, publisher, lambda i: names[i % n].encode(), options) | extra


def _in_turn(
    server: Server,
    subscriber: Session,
    publisher: Publisher,
    topic: Callable[[int], bytes],
    options: argparse.Namespace,
) -> Row:
    """Publish to ``topic(0)``, ``topic(1)`` …; the subscriber must receive each exactly once."""
    at = 0

    def batch() -> int:
        nonlocal at
        publisher.send([topic(i) for i in range(at, at + WINDOW)])
        at += WINDOW
        subscriber.skip(WINDOW, EVENT_START)
        return WINDOW

    row = measure(server, batch, options)
    if not subscriber.has_nothing_more():
        raise RuntimeError("more events than publications")
    return row


def _patterns(
    server: Server, options: argparse.Namespace, requests: list[list[Any]], topic: Callable[[int], bytes]
) -> Row:
    """The requests' patterns exist; of these each topic matches one."""
    subscriber, publisher = Session(server.port), Publisher(server.port)
    try:
        extra = prepare(server, subscriber, SUBSCRIBE, SUBSCRIBED, requests)
    except Refused as refusal:
        raise Unsupported(str(refusal)) from None
    return _in_turn(server, subscriber, publisher, topic, options) | extra


def _prefixes(n: int) -> list[list[Any]]:
    return [[{"match": "prefix"}, f"bench.{i:06}"] for i in range(n)]


def _wildcards(n: int) -> list[list[Any]]:
    """Of two shapes; bench.<i>.<i>.<anything> matches only the i-th."""
    return [[{"match": "wildcard"}, f"bench.{i:06}.." if i % 2 else f"bench..{i:06}."] for i in range(n)]


def prefix(server: Server, n: int, options: argparse.Namespace) -> Row:
    """n prefix subscriptions, one matches; every publication to a topic never seen before"""
    return _patterns(server, options, _prefixes(n), lambda i: b"bench.%06d.%d" % (i % n, i))


def prefix_same(server: Server, n: int, options: argparse.Namespace) -> Row:
    """n prefix subscriptions, one matches; every publication to the same topic"""
    return _patterns(server, options, _prefixes(n), lambda _: b"bench.%06d.same" % (n // 2))


def wildcard(server: Server, n: int, options: argparse.Namespace) -> Row:
    """n wildcard subscriptions of two shapes, one matches; every publication to a topic never seen before"""
    return _patterns(server, options, _wildcards(n), lambda i: b"bench.%06d.%06d.%d" % (i % n, i % n, i))


def wildcard_same(server: Server, n: int, options: argparse.Namespace) -> Row:
    """n wildcard subscriptions of two shapes, one matches; every publication to the same topic"""
    k = n // 2
    return _patterns(server, options, _wildcards(n), lambda _: b"bench.%06d.%06d.same" % (k, k))


def registrations(server: Server, n: int, options: argparse.Namespace) -> Row:
    """n procedures, registered by one callee, called in turn; an operation is one call with its result"""
    names = [f"bench.{i:06}" for i in range(n)]
    return _calls(server, names, 100, WINDOW, options)


def _calls(server: Server, names: list[str], size: int, window: int, options: argparse.Namespace) -> Row:
    callee, caller = Session(server.port), Session(server.port)
    extra = prepare(server, callee, REGISTER, REGISTERED, [[{}, name] for name in names])
    procedures, body, at = [name.encode() for name in names], payload(size), 0

    def batch() -> int:
        nonlocal at
        caller.socket.sendall(
            b"".join(
                [
                    frame(b'[48,%d,{},"%s",%s]' % (caller.next_id(), procedures[i % len(procedures)], body))
                    for i in range(at, at + window)
                ]
            )
        )
        at = (at + window) % len(procedures)
        # [INVOCATION, Request, …
        requests = [message.split(b",", 2)[1] for message in callee.raw_frames(window)]
        callee.socket.sendall(b"".join([frame(b"[70,%s,{},%s]" % (request, body)) for request in requests]))
        caller.skip(window, b"[50,")
        return window

    return measure(server, batch, options) | extra


def _window(size: int) -> int:
    """Few large messages at a time: an unread event must fit a listener's buffer of 1 MiB."""
    return max(1, min(16, (1 << 19) // size))


def publish_size(server: Server, size: int, options: argparse.Namespace) -> Row:
    """payload bytes of a publication to 10 listeners; an operation is one publication"""
    # 1 MiB with its brackets and quotes would be above the buffer's limit.
    size, window = min(size, (1 << 20) - 4), _window(size)
    publisher = Publisher(server.port, payload(size))
    subscribers = [Session(server.port) for _ in range(10)]
    for subscriber in subscribers:
        subscriber.request(SUBSCRIBE, {}, "bench.topic")
        subscriber.expect(SUBSCRIBED)

    def batch() -> int:
        publisher.send([b"bench.topic"] * window)
        for subscriber in subscribers:
            subscriber.skip(window, EVENT_START)
        return window

    return _per_kib(measure(server, batch, options), size)


def call_size(server: Server, size: int, options: argparse.Namespace) -> Row:
    """payload bytes of a call and of its result; an operation is one call with its result"""
    return _per_kib(_calls(server, ["bench.procedure"], size, _window(size), options), size)


def _per_kib(row: Row, size: int) -> Row:
    return row | {"us_per_kib": row["us"] / (size / 1024)}


Curve = Callable[[Server, int, argparse.Namespace], Row]
CURVES: dict[str, tuple[Curve, tuple[int, ...]]] = {
    "listeners": (listeners, NUMBERS),
    "topics": (topics, NUMBERS),
    "prefix": (prefix, NUMBERS),
    "prefix-same": (prefix_same, NUMBERS),
    "wildcard": (wildcard, NUMBERS),
    "wildcard-same": (wildcard_same, NUMBERS),
    "registrations": (registrations, NUMBERS),
    "publish-size": (publish_size, SIZES),
    "call-size": (call_size, SIZES),
}

# --- the report

COLUMNS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "n": ("n", lambda x: f"{x:,}"),
    "us": ("CPU µs", lambda x: f"{x:.2f}" if x < 10 else f"{x:,.1f}"),
    "ratio": ("ratio", lambda x: f"{x:.2f}"),
    "publication_us": ("CPU µs per publication", lambda x: f"{x:,.1f}"),
    "us_per_kib": ("CPU µs per KiB", lambda x: f"{x:.2f}"),
    "setup_us": ("CPU µs to set up each", lambda x: f"{x:.1f}"),
    "spread": ("spread", lambda x: f"{x:.2f}"),
    "others_pct": ("others", lambda x: f"{x:.0f} %" + (" n" if x > 20 else "")),
}


def table(name: str, result: dict[str, Any]) -> str:
    """One curve as Markdown."""
    title = f"### {name}: {result['what']}\n\n"
    if "unsupported" in result:
        return title + f"Not supported by this server: {result['unsupported']}\n"
    rows = result["rows"]
    columns = [key for key in COLUMNS if any(key in row for row in rows)]
    lines = [[COLUMNS[key][0] for key in columns], ["---"] * len(columns)]
    lines += [[COLUMNS[key][1](row[key]) if key in row else "-" for key in columns] for row in rows]
    return title + "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def curve(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Measure one curve, a fresh server for each row."""
    function, numbers = CURVES[name]
    result: dict[str, Any] = {
        "what": " ".join((function.__doc__ or "").split()),
        "date": time.strftime("%Y-%m-%d %H:%M"),
        "seconds": options.seconds,
        "rows": [],
    }
    for n in numbers:
        with Server(options.server_cpu) as server:
            try:
                row = function(server, n, options)
            except Unsupported as why:
                return result | {"unsupported": str(why)}
        row = {"n": n, **row}
        row["ratio"] = row["us"] / (result["rows"] or [row])[0]["us"]
        result["rows"].append(row)
        print(f"{name} n={n}: {row['us']:.2f} us", file=sys.stderr, flush=True)
    return result


def main() -> int:
    """Measure what was asked for, print it, keep it."""
    options = arguments()
    if options.list:
        for name, (function, _) in CURVES.items():
            print(f"{name:14} {function.__doc__}")
        return 0
    if not (HERE / "wsload").exists():
        sys.exit("wsload is missing: run make in this folder")
    os.sched_setaffinity(0, {options.load_cpu})
    results: dict[str, Any] = {}
    with contextlib.suppress(FileNotFoundError):
        results = json.loads(options.out.read_text())
    for name in options.only:
        results[name] = curve(name, options) | {"python": platform.python_version()}
        print(table(name, results[name]), flush=True)
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(results, indent=1))
    return 0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default=",".join(CURVES), help="curves, comma separated")
    parser.add_argument("--list", action="store_true", help="name the curves and end")
    parser.add_argument("--quick", action="store_true", help="one repeat of 0.2 s of server CPU")
    parser.add_argument("--seconds", type=float, default=1.0, help="server CPU of one repeat")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--server-cpu", type=int, default=0)
    parser.add_argument("--load-cpu", type=int, default=1)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "growth.json")
    options = parser.parse_args()
    options.only = options.only.split(",")
    unknown = sorted(set(options.only) - set(CURVES))
    if unknown:
        parser.error(f"no curve {', '.join(unknown)}; there are {', '.join(CURVES)}")
    if options.quick:
        options.seconds, options.repeat = 0.2, 1
    return options


if __name__ == "__main__":
    sys.exit(main())
