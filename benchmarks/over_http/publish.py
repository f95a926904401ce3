"""Keep-alive POSTs to one WAMP listener: the dialects, calls, batches, beside a bare twisted.web resource."""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import os
import subprocess
import sys
from collections.abc import Iterator

from harness import HERE, free_port, wait_for_port

from over_http.loads import (
    KEY,
    TOPIC,
    Measure,
    Row,
    ask,
    in_turn,
    markdown,
    middle,
    notes,
    radiod,
    ratio,
    wsload,
)

PAYLOAD = "@PAYLOAD@"
ARTICLE = json.dumps({"network": TOPIC, "data": {"sample": PAYLOAD}})
CROSSBAR = json.dumps({"topic": TOPIC, "args": [PAYLOAD]})
CALL = json.dumps({"procedure": "bench.echo", "args": [PAYLOAD]})
JSON = "Content-Type: application/json"
LINES = "Content-Type: application/x-ndjson"
BARE, FORMLESS = "twisted.web, a constant", "the same, forms not parsed"
NETWORK = "/publish, network's dialect"


def headers(kind: str) -> list[str]:
    """Seven fields; with Host and Content-Length, as the generator sends them, nine."""
    # fmt: off
    fields = [
        kind, f"API-KEY: {KEY}", "User-Agent: python-requests/2.32.3", "Accept: */*",
        "Accept-Encoding: gzip, deflate", "Connection: keep-alive", "Cache-Control: no-cache",
    ]
    # fmt: on
    return [part for field in fields for part in ("--pub-header", field)]


def request(port: int, path: str, body: str, expect: str, *more: object, kind: str = JSON) -> list[object]:
    """The generator's arguments for one kind of request: 8 connections, 64 items under way."""
    # fmt: off
    return [
        "--port", port, "--pub", "http", "--pub-path", path, "--pub-conns", 8, "--window", 64, "--size", 90,
        "--pub-body", body, "--pub-expect", expect, *headers(kind), *more,
    ]
    # fmt: on


@contextlib.contextmanager
def twisted_web(options: argparse.Namespace) -> Iterator[tuple[int, int, int]]:
    """The bare server: process id, port, port of the one that parses no forms."""
    ports = free_port(), free_port()
    script = HERE / "peers" / "twisted-web" / "constant.py"
    command = ["taskset", "-c", str(options.server_cpu), sys.executable, str(script), *map(str, ports)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        for port in ports:
            wait_for_port(port, process)
        os.setpriority(os.PRIO_PROCESS, process.pid, options.nice)
        yield process.pid, *ports
    finally:
        process.terminate()
        process.wait()


def singles(port: int) -> dict[str, list[object]]:
    """One item in each request."""
    listener = ["--subs", 1, "--path", "/ws", "--wamp", "json"]
    return {
        NETWORK: request(port, "/publish", ARTICLE, '"OK"', *listener),
        f"{NETWORK}, no listener": request(port, "/publish", ARTICLE, '"OK"', "--subs", 0),
        "/publish, Crossbar's dialect": request(port, "/publish", CROSSBAR, '"id"', *listener),
    }


def batches(port: int, options: argparse.Namespace) -> dict[str, list[object]]:
    """Many items in each request, two requests under way; a listener's buffer would not hold so many."""
    few, many = options.items, options.items * 10
    none = ["--subs", 0, "--pub-conns", 2]
    array = [*none, "--pub-array", few, "--window", 2 * few]
    lines = [*none, "--pub-lines", many, "--window", 2 * many]
    return {
        f"array of {few:,}, an item, no listener": request(port, "/publish", ARTICLE, '"OK"', *array),
        f"{many:,} lines, a line, no listener": request(
            port, "/publish", ARTICLE, '"OK"', *lines, kind=LINES
        ),
    }


def possible(port: int, options: argparse.Namespace) -> Iterator[tuple[str, list[object]]]:
    """What this server has; one line on each of the others."""
    yield from singles(port).items()
    # With no callee a server that has /call says so in an answer of 200.
    array, lines = batches(port, options).items()
    call = (
        "/call",
        request(port, "/call", CALL, '"args"', "--subs", 0, "--path", "/ws", "--wamp", "json", "--callee"),
    )
    # fmt: off
    cases = [
        (call, "/call", CALL, JSON),
        (array, "/publish", f"[{ARTICLE},{ARTICLE}]", JSON),
        (lines, "/publish", f"{ARTICLE}\n{ARTICLE}\n", LINES),
    ]
    # fmt: on
    for case, path, body, kind in cases:
        status, _ = ask(port, "POST", path, body.encode(), f"{kind}\r\n")
        if status == 200:
            yield case
        else:
            print(f"publish: {case[0]}: skipped, this server answers {status}")


def measure(options: argparse.Namespace) -> dict[str, list[Row]]:
    """All of them, in turn."""
    with radiod(options) as server, twisted_web(options) as (pid, bare, formless):
        load = functools.partial(run, options)
        variants: dict[str, Measure] = {
            BARE: load(pid, request(bare, "/", ARTICLE, '"OK"', "--subs", 0)),
            FORMLESS: load(pid, request(formless, "/", ARTICLE, '"OK"', "--subs", 0)),
        }
        for name, arguments in possible(server.port, options):
            variants[name] = load(server.pid, arguments)
        return in_turn("publish", variants, options.repeat)


def run(options: argparse.Namespace, pid: int, arguments: list[object]) -> Measure:
    """One measurement, for later."""
    return functools.partial(wsload, pid, options, *arguments)


def table(rows: dict[str, list[Row]]) -> str:
    """Server CPU for each item."""
    key = "cpu_us_per_publish"
    lines = [
        [
            name,
            f"{middle(found, key):.1f}",
            f"{ratio(found, rows[BARE], key):.2f}",
            f"{ratio(found, rows[FORMLESS], key):.2f}",
            f"{ratio(found, rows[NETWORK], key):.2f}",
            f"{middle(found, 'publishes_per_s'):,.0f}",
            notes(found),
        ]
        for name, found in rows.items()
    ]
    heads = "POST, keep-alive|µs CPU|of twisted.web|of it without forms|of /publish|a second|"
    return markdown(heads, lines)
