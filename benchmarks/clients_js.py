"""CPU that an event costs its listener: the JavaScript client beside Autobahn|JS and a bare WebSocket.

``PYTHONPATH=.:tests python benchmarks/clients_js.py``: events of 100 bytes, 100 in a write or one at a
time, and of 10 kB, 5 in a write. Microseconds of the Node's CPU from the first event to the last, or of the
main thread of a page in Chromium (``TaskDuration``); medians of turns, which alternate.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from selenium import webdriver
from support.browsers import chromium
from support.config import configuration
from support.javascript import MODULES, NEW_NODE
from support.running import Server, radiod

HERE = Path(__file__).parent
LOADS = {"bursts": (100, 100, 5_000), "single": (100, 1, 1_000), "10 kB": (10_000, 5, 500)}
"""Bytes of an event, events in a write, events a second."""
NODE = ["radiod", "radiod-loop", "radiod-ws", "autobahn", "ws"]
PAGES = ["page radiod", "page autobahn"]
PATIENCE = 300
BUNDLE = MODULES / "autobahn-browser" / "autobahn.min.js"
PAGE = {
    "page radiod": """
        import("/static/radiod.js").then(async ({ Radio }) => {
          const radio = await new Radio("/").connect();
          await radio.channel("bench").subscribe(({ data }) => data && came(), { size: 100_000 });
          done();
        });
    """,
    "page autobahn": """
        const url = `${location.origin.replace("http", "ws")}/ws`;
        const transports = [{ type: "websocket", url }];
        const connection = new autobahn.Connection({ transports, realm: "radio" });
        connection.onopen = async (session) => {
          await session.call("radiod.channel.tune", ["bench"], { size: 100_000 });
          await session.subscribe("bench", ([data]) => data && came());
          done();
        };
        connection.open();
    """,
}


class Publisher:
    """A raw socket that publishes, as cheaply as can be."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.sendall(b"\x7f\xf1\0\0")
        self._socket.recv(4)
        self._socket.sendall(frame([1, "radio", {"roles": {"publisher": {}}}]))
        self._socket.recv(65536)
        self._count = 0

    def publish(self, count: int, size: int, burst: int, rate: int) -> None:
        """So many events of so many bytes, in bursts, so many a second."""
        due = time.monotonic()
        for _ in range(count // burst):
            events = []
            for _ in range(burst):
                self._count += 1
                events.append(frame([16, self._count, {}, "bench", ["x" * size]]))
            self._socket.sendall(b"".join(events))
            due += burst / rate
            time.sleep(max(0.0, due - time.monotonic()))


def frame(message: list[object]) -> bytes:
    """A message of RawSocket."""
    data = json.dumps(message).encode()
    return len(data).to_bytes(4, "big") + data


def node_cost(kind: str, server: Server, count: int, publish: Callable[[], None]) -> float:
    """Of one event, in Node."""
    command = [
        str(NEW_NODE),
        "--no-warnings",
        str(HERE / "listener.mjs"),
        kind,
        server.url,
        str(count),
        str(MODULES),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while process.stdout.readline() != "ready\n":
            assert process.poll() is None
        publish()
        return float(process.stdout.readline())


class Browser:
    """A page, and what its main thread did."""

    def __init__(self, driver: webdriver.Chrome, bundle: str) -> None:
        self._driver = driver
        self._bundle = bundle
        # Of the thread itself: a machine that does other things as well changes nothing.
        driver.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
        driver.set_script_timeout(PATIENCE)

    def cost(self, kind: str, server: Server, count: int, publish: Callable[[], None]) -> float:
        """Of one event, in a page."""
        driver = self._driver
        driver.get(f"{server.url}/static/radiod.svg")
        if kind == "page autobahn":
            driver.execute_cdp_cmd("Runtime.evaluate", {"expression": self._bundle})
        driver.execute_async_script(f"""
            const done = arguments[0];
            globalThis.all = new Promise((resolve) => (globalThis.finish = resolve));
            let count = 0;
            const came = () => ++count === {count} && finish();
            {PAGE[kind]}
        """)
        begun = self._busy()
        publish()
        driver.execute_async_script("all.then(arguments[0])")
        return (self._busy() - begun) / count * 1e6

    def _busy(self) -> float:
        metrics = self._driver.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
        return next(float(metric["value"]) for metric in metrics if metric["name"] == "TaskDuration")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--only", default="", help="kinds, with commas between")
    options = parser.parse_args()
    kinds = options.only.split(",") if options.only else [*NODE, *PAGES]
    costs: dict[tuple[str, str], list[float]] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        radiod(Path(folder), configuration()) as server,
        chromium(Path(folder) / "chromium") as driver,
    ):
        browser = Browser(driver, BUNDLE.read_text())
        for _ in range(options.turns):
            for load, (size, burst, rate) in LOADS.items():
                count = max(burst, options.count * rate // 5_000)

                def publish(
                    count: int = count, size: int = size, burst: int = burst, rate: int = rate
                ) -> None:
                    Publisher(server.port).publish(count, size, burst, rate)

                for kind in kinds:
                    cost = browser.cost if kind.startswith("page") else node_cost
                    costs.setdefault((load, kind), []).append(cost(kind, server, count, publish))
    for (load, kind), figures in costs.items():
        spread = f"({min(figures):.1f}-{max(figures):.1f})"
        print(f"{load:8} {kind:14} {statistics.median(figures):7.1f} µs  {spread}")


if __name__ == "__main__":
    main()
