"""CPU that an event costs its listener: the Python client beside Autobahn, in alternating turns of one run.

``PYTHONPATH=.:tests:clients/python python benchmarks/clients.py``: microseconds of the listening process's
CPU from its first event to its last, medians of turns, and the ratio to Autobahn (asyncio, JSON).
``--only single`` and ``--listeners "aio msgpack,autobahn json"`` choose. A face is one of ``FACES``.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from radiod_client import Radio, aio
from support.config import configuration
from support.running import environment, radiod

LISTENERS = [
    "aio msgpack",
    "aio json",
    "blocking msgpack",
    "blocking json",
    "tx msgpack",
    "tx json",
    "autobahn json",
    "autobahn msgpack",
]
STANDARD = "autobahn json"


class Load(NamedTuple):
    """``burst`` events of ``size`` bytes in one write, ``rate`` of them a second, ``count`` in all."""

    size: int
    burst: int
    rate: int
    count: int
    target: float
    """Of what Autobahn takes."""


LOADS = {
    "bursts": Load(100, 100, 5_000, 20_000, 1 / 12),
    "single": Load(100, 1, 1_000, 5_000, 0.6),
    "10 kB": Load(10_000, 5, 1_000, 4_000, 1 / 4),
}


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


def listen_tx(url: str, serializer: str, count: int) -> None:
    from radiod_client import tx
    from twisted.internet.defer import Deferred
    from twisted.internet.task import react

    async def listen() -> None:
        meter = Meter(count)
        async with tx.Radio(url, serializer=serializer) as radio:
            listening = await radio.channel("bench").listen(size=100_000, queue=100_000)
            print("ready", flush=True)
            async for sample in listening:
                assert sample.gap is None
                meter.event()

    react(lambda reactor: Deferred.fromCoroutine(listen()))


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


async def publish(url: str, load: Load) -> None:
    """Bursts, each in one write."""
    async with aio.Radio(url) as radio:
        payload = radio.codec.payload(["x" * load.size])
        begun = time.monotonic()
        for turn in range(load.count // load.burst):
            for _ in range(load.burst):
                radio._core().requests.tell(16, [{}, "bench", payload])
            radio._flush()
            due = begun + (turn + 1) * load.burst / load.rate
            # Never two at once to catch up: a burst is what was asked for.
            await asyncio.sleep(max(due - time.monotonic(), 0.5 * load.burst / load.rate))


def cost(url: str, listener: str, load: Load) -> float:
    """Of one event."""
    command = [sys.executable, __file__, "--listen", listener, "--url", url, "--count", str(load.count)]
    paths = {**environment(), "PYTHONPATH": ":".join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=paths, text=True) as process:
        assert process.stdout is not None
        while process.stdout.readline() != "ready\n":
            assert process.poll() is None
        asyncio.run(publish(url, load))
        figure = float(process.stdout.readline())
        process.kill()
    return figure


FACES: dict[str, Callable[[str, str, int], object]] = {
    "aio": lambda *told: asyncio.run(listen_aio(*told)),
    "blocking": listen_blocking,
    "tx": listen_tx,
    "autobahn": listen_autobahn,
}


def measure(name: str, load: Load, listeners: list[str], turns: int) -> None:
    """All listeners, each once a turn; and print what came out."""
    with tempfile.TemporaryDirectory() as folder, radiod(Path(folder), configuration()) as server:
        costs: dict[str, list[float]] = {listener: [] for listener in listeners}
        for _ in range(turns):
            for listener in listeners:
                costs[listener].append(cost(server.url, listener, load))
    medians = {listener: statistics.median(figures) for listener, figures in costs.items()}
    print(f"{name}: {load.size} bytes, {load.burst} at once, {load.rate}/s; target {load.target:.3f}")
    for listener, figures in costs.items():
        ratio = f"{medians[listener] / medians[STANDARD]:6.3f}" if STANDARD in medians else ""
        print(
            f"{listener:20} {medians[listener]:7.1f} µs {ratio}  ({min(figures):.1f}-{max(figures):.1f})",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--only", choices=LOADS, action="append")
    parser.add_argument("--listeners", default=",".join(LISTENERS))
    parser.add_argument("--listen")
    parser.add_argument("--url", default="")
    parser.add_argument("--count", type=int)
    options = parser.parse_args()
    if options.listen:
        kind, serializer = options.listen.split()
        FACES[kind](options.url, serializer, options.count)
        return
    for name in options.only or LOADS:
        measure(name, LOADS[name], options.listeners.split(","), options.turns)


if __name__ == "__main__":
    main()
