#!/usr/bin/env python3
"""What listeners miss that are cut off again and again and go on behind the last position they saw.

    ./recovery.py [--ways wamp,sse,poll] [--listeners 200] [--cuts 1000] [--rate 2000] [--quick]

Starts radiod, publishes numbered events at a steady rate in turn on several channels with history, and
cuts random listeners off without a word, in the middle of whatever they receive. Each comes back after a
random while, by WAMP (`_radiod_after`), Server-Sent Events (`Last-Event-ID`) or long-poll (`?after=`). At
the end all catch up, and what each has received is compared with what was published. Exit status 1 if
anything is missing, repeated, out of order, or said to be unrecoverable.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from harness import EVENT, HELLO, PUBLISH, SUBSCRIBE, WELCOME, Server, frame

CONFIG = """
[realms.realm1.channels."bench.*"]
history = {{ size = {size}, seconds = 3600 }}
"""

TICK: Final = 0.01
"""Seconds between two bursts of the publisher."""

NOWHERE: Final = "none:0"
"""A position of no epoch: whatever is held comes."""

CATCH_UP_SECONDS: Final = 60
COLUMNS: Final = (
    *("way", "listeners", "cuts", "events/s", "received", "missed", "repeated", "reordered"),
    *("unrecovered", "lost"),
)


def main() -> int:
    """Measure each way with a fresh server, print one table."""
    options = arguments()
    print("| " + " | ".join(COLUMNS) + " |")
    print("|" + "---|" * len(COLUMNS))
    is_perfect = True
    for way in options.ways.split(","):
        with Server(realm=CONFIG.format(size=options.history)) as server:
            row = asyncio.run(measure(options, way, server.port))
        print("| " + " | ".join(str(row[name]) for name in COLUMNS) + " |", flush=True)
        is_perfect &= not any(row[name] for name in COLUMNS[5:])
    return 0 if is_perfect else 1


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ways", default="wamp,sse,poll")
    parser.add_argument("--listeners", type=int, default=200)
    parser.add_argument("--cuts", type=int, default=1000, help="disconnects of all listeners together")
    parser.add_argument("--rate", type=int, default=2000, help="events per second on all channels together")
    parser.add_argument("--channels", type=int, default=10, help="each listener listens to one")
    parser.add_argument("--seconds", type=float, default=50, help="during which the cuts happen")
    parser.add_argument("--away", type=float, default=2, help="seconds a listener stays away at most")
    parser.add_argument("--history", type=int, default=10_000, help="events that a channel keeps")
    parser.add_argument("--pause", type=float, default=0.1, help="seconds between a poll and the next")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="a tenth of listeners, cuts and time")
    options = parser.parse_args()
    if options.quick:
        options.listeners, options.cuts, options.seconds = 20, 100, 5
    unknown = set(options.ways.split(",")) - set(WAYS)
    if unknown:
        parser.error(f"no way {', '.join(sorted(unknown))}; there are {', '.join(WAYS)}")
    return options


async def measure(options: argparse.Namespace, way: str, port: int) -> dict[str, Any]:
    """One row of the table."""
    chance = random.Random(options.seed)
    channels = [f"bench.{number}" for number in range(options.channels)]
    publisher = await Publisher.connect(port, channels)
    # The first event is there before the listeners, so that each has a position from its beginning.
    publisher.publish(len(channels))
    listeners = [
        WAYS[way](port, channels[number % len(channels)], options) for number in range(options.listeners)
    ]
    tasks = [asyncio.ensure_future(listener.live(chance)) for listener in listeners]
    await until(lambda: all(listener.tally.last for listener in listeners), tasks)
    began = time.monotonic()
    publishing = asyncio.ensure_future(publisher.run(options.rate))
    await cut_off(listeners, options, chance, [publishing, *tasks])
    rate = publisher.count / (time.monotonic() - began)
    publishing.cancel()
    total = publisher.published
    with suppress(TimeoutError):
        async with asyncio.timeout(CATCH_UP_SECONDS):
            await until(lambda: all(one.tally.last >= total[one.channel] for one in listeners), tasks)
    for task in tasks:
        task.cancel()
    tallies = [listener.tally for listener in listeners]
    return {
        "way": way,
        "listeners": len(listeners),
        "cuts": sum(listener.cuts for listener in listeners),
        "events/s": round(rate),
        "received": sum(tally.received for tally in tallies),
        "missed": sum(one.tally.missed(total[one.channel]) for one in listeners),
        "repeated": sum(tally.repeated for tally in tallies),
        "reordered": sum(tally.reordered for tally in tallies),
        "unrecovered": sum(tally.unrecovered for tally in tallies),
        "lost": sum(tally.lost for tally in tallies),
    }


async def until(is_so: Callable[[], bool], tasks: list[asyncio.Future[None]]) -> None:
    """Wait until it is so. Raises: whatever a task failed with."""
    while not is_so():
        done, _ = await asyncio.wait(tasks, timeout=0.05, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()


async def cut_off(
    listeners: list[Listener],
    options: argparse.Namespace,
    chance: random.Random,
    tasks: list[asyncio.Future[None]],
) -> None:
    """Cut random listeners off, each as long as it is there, at random moments of the time given."""
    begin = time.monotonic()
    for moment in sorted(chance.uniform(0, options.seconds) for _ in range(options.cuts)):
        await asyncio.sleep(max(0.0, begin + moment - time.monotonic()))
        await until(lambda: any(listener.is_there for listener in listeners), tasks)
        chance.choice([listener for listener in listeners if listener.is_there]).cut()


class Tally:
    """Compares what one listener received with 1, 2, 3 …"""

    def __init__(self) -> None:
        self.last = 0
        self.received = 0
        self.repeated = 0
        self.reordered = 0
        self.unrecovered = 0
        self.lost = 0
        self._missing: set[int] = set()

    def note(self, number: int) -> None:
        """An event came."""
        self.received += 1
        if number > self.last:
            self._missing.update(range(self.last + 1, number))
            self.last = number
        elif number in self._missing:
            self._missing.remove(number)
            self.reordered += 1
        else:
            self.repeated += 1

    def missed(self, total: int) -> int:
        """How many of ``total`` never came."""
        return len(self._missing) + max(0, total - self.last)


class Publisher:
    """Publishes on all channels in turn; ``published``: channel -> the last number on it."""

    def __init__(self, writer: asyncio.StreamWriter, channels: list[str]) -> None:
        self._writer = writer
        self._channels = channels
        self.published = dict.fromkeys(channels, 0)
        self.count = 0

    @classmethod
    async def connect(cls, port: int, channels: list[str]) -> Publisher:
        """Open a WAMP session."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await handshake(reader, writer, {"publisher": {}})
        return cls(writer, channels)

    def publish(self, count: int) -> None:
        """Publish that many events now."""
        frames = []
        for _ in range(count):
            channel = self._channels[self.count % len(self._channels)]
            self.count += 1
            self.published[channel] += 1
            message = [PUBLISH, self.count, {}, channel, [[self.published[channel], "x" * 50]]]
            frames.append(frame(json.dumps(message, separators=(",", ":")).encode()))
        self._writer.write(b"".join(frames))

    async def run(self, rate: int) -> None:
        """Publish at a steady rate until cancelled."""
        begin, first = time.monotonic(), self.count
        while True:
            due = int((time.monotonic() - begin) * rate) - (self.count - first)
            self.publish(due)
            await self._writer.drain()
            await asyncio.sleep(TICK)


async def handshake(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, roles: dict[str, Any]
) -> None:
    """Open a RawSocket and a session on it."""
    writer.write(b"\x7f\xf1\0\0" + frame(json.dumps([HELLO, "realm1", {"roles": roles}]).encode()))
    answer = await reader.readexactly(4)
    assert answer[:2] == b"\x7f\xf1", answer
    welcome = await message_from(reader)
    assert welcome[0] == WELCOME, welcome


async def message_from(reader: asyncio.StreamReader) -> list[Any]:
    """The next message of a RawSocket."""
    size = int.from_bytes(await reader.readexactly(4), "big")
    return list(json.loads(await reader.readexactly(size)))


class Listener:
    """One listener: it listens, is cut off, stays away, and goes on behind ``position``."""

    def __init__(self, port: int, channel: str, options: argparse.Namespace) -> None:
        self._port = port
        self.channel = channel
        self._options = options
        self._writer: asyncio.StreamWriter | None = None
        self.position: str | None = None
        self.tally = Tally()
        self.cuts = 0

    @property
    def is_there(self) -> bool:
        """True while it may be cut off."""
        return self._writer is not None

    def cut(self) -> None:
        """Break the connection off; what was received and not read yet is gone."""
        assert self._writer is not None
        self.cuts += 1
        self._writer.transport.abort()
        self._writer = None

    async def live(self, chance: random.Random) -> None:
        """Listen, and come back after every cut. Raises: ConnectionError: the server hung up by itself."""
        while True:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 22)
            self._writer = writer
            try:
                await self.listen(reader, writer)
            except (asyncio.IncompleteReadError, ConnectionError):
                if self._writer is writer:
                    raise ConnectionError(f"{self.channel}: the server hung up") from None
            await asyncio.sleep(chance.uniform(0, self._options.away))

    async def listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Receive until the connection ends. Raises: IncompleteReadError, ConnectionError: it has."""
        raise NotImplementedError

    def received(self, position: str, data: list[Any]) -> None:
        """Note an event and its position, unless it was cut off before."""
        if self.is_there:
            self.position = position
            self.tally.note(data[0])


class WampListener(Listener):
    """WAMP over RawSocket."""

    async def listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await handshake(reader, writer, {"subscriber": {}})
        # What this listener cannot take at once must not be dropped: it is to see what recovery does.
        wishes: dict[str, Any] = {"_radiod_buffer": {"size": 0}}
        wishes["_radiod_after"] = self.position or NOWHERE
        writer.write(frame(json.dumps([SUBSCRIBE, 1, wishes, self.channel]).encode()))
        while True:
            message = await message_from(reader)
            if message[0] == EVENT:
                details = message[3]
                self.tally.lost += details.get("_lost", 0)
                # Nobody has a position before the first event.
                if details.get("_recovered") is False and self.position is not None:
                    self.tally.unrecovered += 1
                self.received(f"{details['_epoch']}:{details['_seq']}", message[4][0])


class HttpListener(Listener):
    """What both ways over HTTP share."""

    def request(self, query: str, headers: str = "") -> bytes:
        """A request for the channel."""
        return (
            f"GET /listen/{self.channel}?{query} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n{headers}\r\n"
        ).encode()

    async def head(self, reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
        """Status and headers of an answer."""
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        pairs = (line.split(": ", 1) for line in lines[1:] if line)
        return int(lines[0].split()[1]), {name.lower(): value for name, value in pairs}


class SseListener(HttpListener):
    """Server-Sent Events."""

    async def listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        last = f"Last-Event-ID: {self.position or NOWHERE}\r\n"
        writer.write(self.request("size=0", f"Accept: text/event-stream\r\n{last}"))
        status, headers = await self.head(reader)
        assert status == 200, status
        assert headers.get("transfer-encoding") == "chunked", headers
        rest = b""
        while True:
            size = int(await reader.readuntil(b"\r\n"), 16)
            if not size:
                raise ConnectionResetError("the stream has ended")
            rest += (await reader.readexactly(size + 2))[:-2]
            *records, rest = rest.split(b"\n\n")
            for record in records:
                self._take(record.decode())

    def _take(self, record: str) -> None:
        fields = dict(line.split(": ", 1) for line in record.split("\n") if ": " in line)
        kind = fields.get("event")
        if kind == "lost":
            self.tally.lost += int(fields["data"])
        elif kind == "recovered":
            self.tally.unrecovered += self.position is not None
        elif "data" in fields:
            self.received(fields["id"], json.loads(fields["data"]))


class PollListener(HttpListener):
    """Long-poll, on a connection that is kept."""

    async def listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(self.request(f"after={self.position or NOWHERE}&wait=25"))
            status, headers = await self.head(reader)
            assert status in (200, 204), status
            if headers.get("x-radiod-recovered") == "false" and self.position is not None:
                self.tally.unrecovered += 1
            if status == 200:
                for sample in json.loads(await self._body(reader, headers)):
                    self.received(sample["position"], sample["data"])
            await asyncio.sleep(self._options.pause)

    async def _body(self, reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
        if "content-length" in headers:
            return await reader.readexactly(int(headers["content-length"]))
        body = b""
        while size := int(await reader.readuntil(b"\r\n"), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readexactly(2)
        return body


WAYS: Final[dict[str, type[Listener]]] = {
    "wamp": WampListener,
    "sse": SseListener,
    "poll": PollListener,
}


if __name__ == "__main__":
    sys.exit(main())
