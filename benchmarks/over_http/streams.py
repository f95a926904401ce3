"""Deliveries: Server-Sent Events, lines of JSON and plain WebSockets beside WAMP over WebSocket."""

from __future__ import annotations

import argparse
import functools

from over_http.loads import KEPT, TOPIC, Row, in_turn, markdown, middle, notes, radiod, ratio, wsload

KINDS = {
    "WAMP": ["--path", "/ws", "--wamp", "json"],
    "plain WebSocket": ["--path", "/listen/{topic}"],
    "SSE": ["--path", "/listen/{topic}", "--sub", "sse"],
    "NDJSON": ["--path", "/listen/{topic}", "--sub", "ndjson"],
    "SSE of three": ["--path", "/listen?channel={topic}&channel=other&channel=third", "--sub", "sse"],
    "NDJSON of three": ["--path", "/listen?channel={topic}&channel=other&channel=third", "--sub", "ndjson"],
}


def loads(options: argparse.Namespace) -> list[tuple[int, int]]:
    """Listeners, events at a time."""
    return [(options.listeners, 16), (options.listeners * 10, 8), (options.listeners, 1)]


def measure(options: argparse.Namespace) -> dict[str, list[Row]]:
    """Each load, each channel, all kinds in turn; the publisher speaks WAMP over RawSocket."""
    rows: dict[str, list[Row]] = {}
    for listeners, window in loads(options):
        for topic in (TOPIC, KEPT):
            with radiod(options) as server:
                base = ["--port", server.port, "--subs", listeners, "--window", window, "--size", 90]
                base += ["--pub", "raw", "--topic", topic]
                variants = {
                    f"{listeners},{window},{topic},{kind}": functools.partial(
                        wsload,
                        server.pid,
                        options,
                        *base,
                        *(part.format(topic=topic) for part in kind_arguments),
                    )
                    for kind, kind_arguments in KINDS.items()
                }
                rows |= in_turn("streams", variants, options.repeat)
    return rows


def table(rows: dict[str, list[Row]]) -> str:
    """Server CPU for each delivery; ratios to WAMP."""
    lines = []
    for name in rows:
        listeners, window, topic, kind = name.split(",")
        if kind == "WAMP":
            found = {kind: rows[f"{listeners},{window},{topic},{kind}"] for kind in KINDS}
            lines.append([f"{int(listeners):,}", window, "yes" if topic == KEPT else "no", *cells(found)])
    heads = (
        "listeners|at a time|positions|WAMP, µs CPU|plain WebSocket|SSE|NDJSON|SSE of three|NDJSON of three|"
    )
    return markdown(heads, lines)


def cells(found: dict[str, list[Row]]) -> list[str]:
    """One line."""
    key = "cpu_us_per_delivery"
    wamp = found["WAMP"]
    ratios = [f"{ratio(found[kind], wamp, key):.2f}" for kind in KINDS if kind != "WAMP"]
    return [f"{middle(wamp, key):.2f}", *ratios, notes([row for rows in found.values() for row in rows])]
