#!/usr/bin/env python3
"""What traces cost a publish over HTTP and over WAMP: a radio in memory, one publish after the other.

    ./traces.py [--rounds 30] [--publishes 400] [--beside PATH]

Kinds are measured in turn, in rounds; the figure is the median of the rounds, of processor time.
``--beside``: another source tree, whose cost without traces stands in the first lines.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
UNSAMPLED = PARENT[:-1] + "0"

CONFIG = """
[realms.radio]
anonymous = "open"

[realms.radio.roles.open]
subscribe = ["*"]
publish = ["*"]

[realms.radio.keys.sample]
key = "sample-key"
publish = ["weather"]
"""
OTEL = "\n[otel]\nendpoint = 'http://127.0.0.1:4318'\n"
DETAILS = "\n[otel]\nin_details = true\n"


class Publisher:
    """A radio of its own, with one listener; ``traceparent``: of each publish."""

    def __init__(self, more: str, traceparent: str | None, *, is_wamp: bool) -> None:
        from support.config import parsed
        from support.memory import WebSocketWire, Wire
        from twisted.internet.testing import MemoryReactorClock

        from radiod.service.radio import Radio

        reactor = MemoryReactorClock()
        radio = Radio(parsed(CONFIG + more, base=""), reactor)
        self.listener = WebSocketWire(radio, reactor)
        self.listener.join()
        self.listener.say([32, None, {}, "weather"])
        if is_wamp:
            self.wire = WebSocketWire(radio, reactor)
            self.wire.join()
            options = {} if traceparent is None else {"_radiod_traceparent": traceparent}
            self.what = lambda: self.wire.say([16, None, options, "weather", ["rain"]])
        else:
            self.wire = Wire(radio, reactor)
            body = b'{"network": "weather", "data": {"text": "rain"}}'
            field = b"" if traceparent is None else b"traceparent: %b\r\n" % traceparent.encode()
            head = b"POST /publish HTTP/1.1\r\nHost: localhost\r\nAPI-KEY: sample-key\r\n%b" % field
            data = b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body)
            self.what = lambda: self.wire.send(data)
        self.spans = getattr(getattr(radio, "tracing", None), "counts", dict)

    def run(self, count: int) -> float:
        """Processor seconds of so many publishes."""
        what = self.what
        began = time.process_time()
        for _ in range(count):
            what()
        took = time.process_time() - began
        self.wire.transport.clear()
        self.listener.transport.clear()
        return took


def kinds(only_plain: bool) -> dict[str, Publisher]:
    """What is compared."""
    found = {}
    for way in ("HTTP", "WAMP"):
        is_wamp = way == "WAMP"
        found[f"{way}, no [otel]"] = Publisher("", None, is_wamp=is_wamp)
        if only_plain:
            continue
        found[f"{way}, no [otel], traceparent all the same"] = Publisher("", PARENT, is_wamp=is_wamp)
        found[f"{way}, [otel], no traceparent"] = Publisher(OTEL, None, is_wamp=is_wamp)
        found[f"{way}, [otel], not sampled"] = Publisher(OTEL, UNSAMPLED, is_wamp=is_wamp)
        found[f"{way}, in_details alone"] = Publisher(DETAILS, PARENT, is_wamp=is_wamp)
        found[f"{way}, two spans"] = Publisher(OTEL, PARENT, is_wamp=is_wamp)
    return found


def measure(options: argparse.Namespace, *, only_plain: bool = False) -> dict[str, float]:
    """Kind -> median of µs a publish."""
    compared = kinds(only_plain)
    took: dict[str, list[float]] = {name: [] for name in compared}
    for round in range(options.rounds + 1):
        for name, publisher in compared.items():
            seconds = publisher.run(options.publishes)
            if round:
                took[name].append(1e6 * seconds / options.publishes)
    return {name: statistics.median(times) for name, times in took.items()}


def beside(tree: str, options: argparse.Namespace) -> dict[str, float]:
    """The same by another source tree."""
    command = [sys.executable, __file__, "--plain", f"--rounds={options.rounds}"]
    environment = {**os.environ, "TRACES_ROOT": tree}
    told = subprocess.run(
        [*command, f"--publishes={options.publishes}"], env=environment, check=True, capture_output=True
    )
    found: dict[str, float] = json.loads(told.stdout)
    return found


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--publishes", type=int, default=400)
    parser.add_argument("--beside", help="another source tree")
    parser.add_argument("--plain", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    root = Path(os.environ.get("TRACES_ROOT", ROOT))
    sys.path[:0] = [str(root), str(root / "tests")]
    if options.plain:
        print(json.dumps(measure(options, only_plain=True)))
        return
    print("| | µs a publish | more |\n|---|---|---|")
    if options.beside:
        # Before and behind: the machine may get busier meanwhile.
        first, second = beside(options.beside, options), None
    found = measure(options)
    if options.beside:
        second = beside(options.beside, options)
        for name in first:
            print(f"| {name}, the other tree | {(first[name] + second[name]) / 2:.2f} | |")
    for name, cost in found.items():
        plain = found[f"{name[:4]}, no [otel]"]
        print(f"| {name} | {cost:.2f} | {cost - plain:+.2f} |")


if __name__ == "__main__":
    main()
