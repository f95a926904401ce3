#!/usr/bin/env python3
"""What a scrape of /metrics costs others: 10,000 channels, 1,000 listeners, 1,000 deliveries a second.

    ./scrapes.py [--channels 10000] [--listeners 1000] [--scrapes 100] [--seconds 5] [--rounds 5]

steps    a radio in memory: the longest turn of a scrape, and all of them, in ms of processor time; series
beside   a real server: the longest round trip of calls while a scrape goes on, and of as many without
fan-out  a real server at its limit: CPU of a delivery with a scrape each second, and without
Ends with status 1 when a turn takes more than 20 ms, or there are more series than 200 and three a channel
that has its own.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import select
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

from harness import CALL, CONFIG, EVENT, HERE, PUBLISH, RESULT, ROOT, SUBSCRIBE, Server, Session

MOST_S = 0.020
OWN = 100
"""Channels with series of their own: the default."""
MOST_SERIES = 200 + 3 * OWN

KEY = """
[realms.realm1.keys.watcher]
key = "scrapes-watcher"
metrics = true
"""


# --- a radio in memory


def steps(options: argparse.Namespace) -> tuple[list[float], int, int]:
    """Processor seconds of each turn of one scrape, series, bytes."""
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    from support.config import parsed
    from support.memory import HELLO, WebSocketWire
    from twisted.internet.testing import MemoryReactorClock

    from radiod.service.radio import Radio

    class Reactor(MemoryReactorClock):
        """Real time; a turn at a time."""

        def seconds(self) -> float:
            return time.monotonic()

        def advance(self, amount: float) -> None:
            now = self.seconds()
            for call in [call for call in self.calls if call.getTime() <= now]:
                self.calls.remove(call)
                call.called = 1
                call.func(*call.args, **call.kw)

    reactor = Reactor()
    limits = "[limits]\nmax_subscriptions = 100000\nmax_connections_per_address = 100000"
    radio = Radio(parsed(limits), reactor)
    wires = [WebSocketWire(radio, reactor) for _ in range(options.listeners)]
    for number, wire in enumerate(wires):
        wire.say(HELLO)
        while not wire.heard():
            # Whoever joins may have to wait.
            time.sleep(0.001)
            reactor.advance(0)
        for channel in range(number, options.channels, options.listeners):
            wire.say([SUBSCRIBE, None, {}, f"scrapes.{channel}"])
    for channel in range(options.channels):
        wires[0].say([PUBLISH, None, {"exclude_me": False}, f"scrapes.{channel}", ["x"]])

    return scrape_in_turns(radio, reactor)


def scrape_in_turns(radio: Any, reactor: Any) -> tuple[list[float], int, int]:
    """As ``steps``."""
    from radiod.core.promises import Promise

    took: list[float] = []
    told: list[bytes] = []

    def timed(what: Callable[[], object]) -> object:
        began = time.process_time()
        try:
            return what()
        finally:
            took.append(time.process_time() - began)

    answer = timed(radio.metrics.read)
    if isinstance(answer, Promise):
        answer.then(told.append)
    else:
        told.append(answer)
    while not told:
        timed(lambda: reactor.advance(0))
    series = [line for line in told[0].splitlines() if line and not line.startswith(b"#")]
    return took, len(series), len(told[0])


# --- a real server


def fill(port: int, channels: int) -> None:
    """So many topics, each with a listener and an event."""
    session = Session(port)
    for channel in range(channels):
        session.request(SUBSCRIBE, {}, f"scrapes.{channel}")
        session.request(PUBLISH, {"exclude_me": False}, f"scrapes.{channel}", ["x"])
    seen = 0
    while seen < channels:
        seen += session.receive()[0] == EVENT
    # It stays, and hears nothing more.
    KEPT.append(session)


KEPT: list[Session] = []


@contextlib.contextmanager
def scraped(port: int, every: float | None) -> Iterator[list[float]]:
    """Scrape again and again, in a thread; what is given: how long each took."""
    is_over, took = threading.Event(), []

    def go_on() -> None:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/metrics", headers={"API-KEY": "scrapes-watcher"}
        )
        while every is not None and not is_over.wait(every):
            began = time.monotonic()
            with urllib.request.urlopen(request, timeout=60) as answer:
                answer.read()
            took.append(time.monotonic() - began)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield took
    finally:
        is_over.set()
        thread.join()


@contextlib.contextmanager
def listeners(server: Server, options: argparse.Namespace, *load: str) -> Iterator[subprocess.Popen[str]]:
    """The listeners, all of one topic, and who publishes to them."""
    command = [
        str(HERE / "wsload"),
        "fanout",
        "--path",
        "/ws",
        "--wamp",
        "json",
        "--realm",
        "realm1",
        "--quiet",
    ]
    command += ["--port", str(server.port), "--topic", "scrapes.0", "--server-pid", str(server.pid)]
    command += ["--subs", str(options.listeners), *load]
    with subprocess.Popen(
        ["taskset", "-c", str(options.load_cpu), *command], stdout=subprocess.PIPE, text=True
    ) as process:
        yield process


def beside(server: Server, options: argparse.Namespace) -> dict[str, list[float]]:
    """The longest round trip of calls while a scrape goes on, and of as many without, in turn."""
    found: dict[str, list[float]] = {"alone": [], "scraped": []}
    rate = str(1000 / options.listeners)
    with (
        listeners(server, options, "--rate", rate, "--duration", "600") as load,
        socket.create_connection(("127.0.0.1", server.port)) as scraper,
    ):
        time.sleep(3)
        session = Session(server.port)
        for _ in range(options.scrapes):
            scraper.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAPI-KEY: scrapes-watcher\r\n\r\n")
            trips = [round_trip(session)]
            while not has_come(scraper):
                trips.append(round_trip(session))
            found["scraped"].append(max(trips))
            time.sleep(0.05)
            found["alone"].append(max(round_trip(session) for _ in trips))
            time.sleep(0.05)
        session.close()
        load.terminate()
    return {name: sorted(times) for name, times in found.items()}


def round_trip(session: Session) -> float:
    """Of a call that the server answers itself."""
    began = time.monotonic()
    session.request(CALL, {}, "radiod.echo")
    session.expect(RESULT)
    return time.monotonic() - began


def has_come(scraper: socket.socket) -> bool:
    """Whether the answer has come as a whole; then it is read."""
    if not select.select([scraper], [], [], 0)[0]:
        return False
    data = scraper.recv(1 << 20)
    head, _, body = data.partition(b"\r\n\r\n")
    left = int(head.lower().partition(b"content-length:")[2].split()[0]) - len(body)
    while left:
        left -= len(scraper.recv(left))
    return True


def fan_out(server: Server, options: argparse.Namespace) -> dict[str, list[float]]:
    """CPU µs of a delivery at the server's limit, with a scrape each second and without, in turn."""
    found: dict[str, list[float]] = {"alone": [], "scraped": []}
    for _ in range(options.rounds):
        for name, every in (("alone", None), ("scraped", 1.0)):
            with (
                scraped(server.port, every),
                listeners(server, options, "--window", "8", "--duration", str(options.seconds)) as load,
            ):
                assert load.stdout is not None
                (row,) = [json.loads(line) for line in load.stdout if line.startswith("{")]
            found[name].append(row["cpu_us_per_delivery"])
    return found


def main() -> int:
    """All three."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--channels", type=int, default=10_000)
    parser.add_argument("--listeners", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=5, help="of one measurement")
    parser.add_argument("--rounds", type=int, default=5, help="fan-out; 0: none")
    parser.add_argument("--scrapes", type=int, default=100, help="beside")
    parser.add_argument("--server-cpu", type=int, default=0)
    parser.add_argument("--load-cpu", type=int, default=1)
    options = parser.parse_args()
    if not (HERE / "wsload").exists():
        sys.exit("wsload is missing: run make in this folder")
    took, series, size = steps(options)
    print(
        f"steps: {len(took)} turns, {1000 * sum(took):.1f} ms in all, the longest {1000 * max(took):.1f} ms; "
        f"{series} series, {size} bytes"
    )
    with Server(config=CONFIG, cpu=options.server_cpu, realm=KEY) as server:
        fill(server.port, options.channels)
        times = beside(server, options)
        for name, each in times.items():
            p50, p90 = (1000 * each[int(len(each) * share)] for share in (0.5, 0.9))
            print(f"beside, {name}: the longest round trip p50 {p50:.2f} ms, p90 {p90:.2f} ms")
        if options.rounds:
            costs = fan_out(server, options)
            alone, with_scrapes = (statistics.median(costs[name]) for name in ("alone", "scraped"))
            print(
                f"fan-out: {alone:.2f} µs a delivery, {with_scrapes:.2f} with a scrape each second "
                f"({100 * (with_scrapes / alone - 1):+.1f} %)"
            )
    return int(max(took) > MOST_S or series > MOST_SERIES)


if __name__ == "__main__":
    sys.exit(main())
