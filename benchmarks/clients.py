"""CPU that an event costs its listener: the Python client beside Autobahn, in bursts, in one run.

``PYTHONPATH=.:tests:clients/python python benchmarks/clients.py``: 100 events of 100 bytes in a write,
``--rate`` of them a second; microseconds of the listening process's CPU from its first event to its last,
medians of turns.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from radiod_client import Radio, aio
from support.config import configuration
from support.running import environment, radiod

BURST = 100
DATA = "x" * 100
LISTENERS = ["aio msgpack", "aio json", "blocking msgpack", "autobahn json", "autobahn msgpack"]


class Meter:
    """Says what ``count`` events cost."""

    def __init__(self, count: int) -> None:
        self._left = count
        self._count = count
        self._begun = 0.0

    def event(self) -> None:
        """One came; the last one ends the process's part."""
        if self._left == self._count:
            self._begun = time.process_time()
        self._left -= 1
        if self._left == 0:
            print((time.process_time() - self._begun) / (self._count - 1) * 1e6, flush=True)


async def listen_aio(url: str, serializer: str, count: int) -> None:
    meter = Meter(count)
    async with aio.Radio(url, serializer=serializer) as radio:
        listening = await radio.channel("bench").listen(size=100_000, queue=100_000)
        print("ready", flush=True)
        async for sample in listening:
            assert sample.gap is None
            meter.event()


def listen_blocking(url: str, serializer: str, count: int) -> None:
    meter = Meter(count)
    with Radio(url, serializer=serializer) as radio:
        listening = radio.channel("bench").listen(size=100_000, queue=100_000)
        print("ready", flush=True)
        for sample in listening:
            assert sample.gap is None
            meter.event()


def listen_autobahn(url: str, serializer: str, count: int) -> None:
    from autobahn.asyncio.component import Component, run

    meter = Meter(count)
    where = {"type": "websocket", "url": f"ws{url[4:]}/ws", "serializers": [serializer]}
    component = Component(transports=[where], realm="radio")

    @component.on_join
    async def on_join(session: object, details: object) -> None:
        await session.call("radiod.channel.tune", "bench", size=100_000)  # type: ignore[attr-defined]
        await session.subscribe(lambda data: meter.event(), "bench")  # type: ignore[attr-defined]
        print("ready", flush=True)

    run([component], log_level="error")


async def publish(url: str, count: int, rate: int) -> None:
    """Bursts, each in one write."""
    async with aio.Radio(url) as radio:
        payload = radio.codec.payload([DATA])
        for _ in range(count // BURST):
            for _ in range(BURST):
                radio._core().requests.tell(16, [{}, "bench", payload])
            radio._flush()
            await asyncio.sleep(BURST / rate)


def cost(url: str, listener: str, count: int, rate: int) -> float:
    """Of one event."""
    command = [sys.executable, __file__, "--listen", listener, "--url", url, "--count", str(count)]
    paths = {**environment(), "PYTHONPATH": ":".join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=paths, text=True) as process:
        assert process.stdout is not None
        while process.stdout.readline() != "ready\n":
            assert process.poll() is None
        asyncio.run(publish(url, count, rate))
        figure = float(process.stdout.readline())
        process.kill()
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--rate", type=int, default=5_000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--listen")
    parser.add_argument("--url", default="")
    options = parser.parse_args()
    if options.listen:
        kind, serializer = options.listen.split()
        if kind == "aio":
            asyncio.run(listen_aio(options.url, serializer, options.count))
        else:
            {"blocking": listen_blocking, "autobahn": listen_autobahn}[kind](
                options.url, serializer, options.count
            )
        return
    with tempfile.TemporaryDirectory() as folder, radiod(Path(folder), configuration()) as server:
        costs: dict[str, list[float]] = {listener: [] for listener in LISTENERS}
        for _ in range(options.turns):
            for listener in LISTENERS:
                costs[listener].append(cost(server.url, listener, options.count, options.rate))
    for listener, figures in costs.items():
        print(f"{listener:20} {statistics.median(figures):7.1f} µs  ({min(figures):.1f}-{max(figures):.1f})")


if __name__ == "__main__":
    main()
