#!/usr/bin/env python3
"""What HTTP costs beside WAMP: the tables of docs/performance.md.

    python benchmarks/http.py                              all tables, some ten minutes
    python benchmarks/http.py --only publish,streams --repeat 3 --duration 1
    python benchmarks/http.py --json results.json          the rows of all rounds as well

publish  keep-alive POSTs, 9 fields, 8 connections, beside a bare twisted.web resource that answers a constant
streams  Server-Sent Events, lines of JSON and plain WebSockets beside WAMP: server CPU a delivery
memory   an idle connection of each kind
slow     p99 of others' POSTs and events beside 10,000 idle sockets, slow heads and bodies, endless chunks
upload   100 MB of lines in one request: CPU, memory, first result

The server is pinned to one CPU, the generator to another. What is compared is measured in turn, in rounds;
figures are medians of the rounds, ratios are medians of the rounds' ratios. Only ratios count. Answers and
deliveries are checked: one wrong or missing ends it. What a server does not have is skipped, with a line.
G: the generator was the limit; n: others were busy.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def give_way() -> None:
    """Python's own ``http`` for the scripts of this folder: for their imports this file has the same name."""
    import importlib

    path = sys.path[:]
    del sys.modules["http"]
    sys.path[:] = [one for one in path if Path(one or ".").resolve() != HERE]
    try:
        importlib.import_module("http")
    finally:
        sys.path[:] = path


def main() -> int:
    """The sections, one after the other."""
    import atexit
    import contextlib
    import json
    import time

    from over_http import loads, memory, publish, slow, streams, upload

    sections = {"publish": publish, "streams": streams, "memory": memory, "slow": slow, "upload": upload}
    options = arguments(list(sections))
    if options.nice:
        # Linux weighs sessions against each other by a value of their own (sched(7), autogroup).
        with contextlib.suppress(OSError):
            group = Path("/proc/self/autogroup")
            atexit.register(group.write_text, group.read_text().split()[-1])
            group.write_text(str(options.nice))
    if not (HERE / "wsload").exists():
        sys.exit("wsload is missing: run make in this folder")
    results = {}
    for name in options.only:
        try:
            results[name] = sections[name].measure(options)
        except loads.Wrong as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 1
        print(f"\n{name}\n\n{sections[name].table(results[name])}", flush=True)
        if options.json:
            Path(options.json).write_text(
                json.dumps({"date": time.strftime("%Y-%m-%d %H:%M"), "results": results}, indent=1)
            )
    return 0


def arguments(sections: list[str]):
    """The command line."""
    import argparse

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", type=lambda text: text.split(","), default=sections, help="comma separated")
    parser.add_argument("--repeat", type=int, default=3, help="rounds")
    parser.add_argument(
        "--duration", type=float, default=1, help="seconds of one measurement; slow: five times"
    )
    parser.add_argument("--server-cpu", type=int, default=0)
    parser.add_argument("--load-cpu", type=int, default=1)
    parser.add_argument("--nice", type=int, default=0, help="of servers and generator; below 0 for root")
    parser.add_argument(
        "--items", type=int, default=100, help="publish: of an array; ten times as many lines"
    )
    parser.add_argument(
        "--listeners", type=int, default=100, help="streams: listeners, and ten times as many"
    )
    parser.add_argument("--connections", type=int, default=2000, help="memory: of each kind")
    parser.add_argument("--settle", type=float, default=1, help="memory: seconds before it is read")
    parser.add_argument("--idle", type=int, default=10_000, help="slow: idle sockets")
    parser.add_argument(
        "--slow", type=int, default=500, help="slow: heads, bodies; a fifth as many endless chunks"
    )
    parser.add_argument("--megabytes", type=int, default=100, help="upload")
    parser.add_argument("--json", help="a file for all rows")
    options = parser.parse_args()
    if unknown := set(options.only) - set(sections):
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(sections)}")
    return options


if __name__ == "__main__":
    sys.exit(main())
give_way()
