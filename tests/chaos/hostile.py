"""Hostile clients in a process of their own: ``python -m chaos.hostile PORT SEED COUNT PACE [KINDS]``.

They live until its input ends.

``COUNT`` clients from many addresses of 127.0.0.0/8, in equal parts of each kind; each does
something ``PACE`` times a second.
In the end one line of JSON: how often each kind acted, was hung up on, and could not connect.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

from fuzz.pipes import ROLES, frame, request, upgrade

PER_ADDRESS = 50
SECONDS = 10.0
HELLO: list[Any] = [1, "radio", {"roles": ROLES}]
TOPICS = 10


class Cut(Exception):
    """The server hung up, or did not answer."""


class Line(asyncio.Protocol):
    """One connection: throws away what comes, and can wait for something to come."""

    def __init__(self) -> None:
        self._came: asyncio.Future[None] | None = None
        self.is_cut = False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._wake()

    def connection_lost(self, error: Exception | None) -> None:
        self.is_cut = True
        self._wake()

    def _wake(self) -> None:
        if self._came is not None and not self._came.done():
            self._came.set_result(None)

    def say(self, data: bytes) -> None:
        """Send. Raises: Cut."""
        if self.is_cut:
            raise Cut
        self.transport.write(data)

    async def ask(self, data: bytes) -> None:
        """Send, and wait for anything. Raises: Cut."""
        self.say(data)
        self._came = asyncio.get_running_loop().create_future()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._came, SECONDS)
        if self.is_cut:
            raise Cut


class Hostile:
    """One of them: comes again a moment after it was hung up on."""

    def __init__(self, port: int, number: int, kind: str, pace: float, random: Random) -> None:
        self.port, self.number, self.kind, self.random = port, number, kind, random
        self.pause = 1 / pace
        # Those of one kind share few addresses: 127.<1 + kind>.0.<address>.
        self.source = f"127.{1 + list(KINDS).index(kind)}.0.{1 + number // PER_ADDRESS}"
        self.requests = 0

    async def live(self, counts: Counter[str]) -> None:
        """For ever."""
        await asyncio.sleep(self.random.random() * self.pause)
        while True:
            line = None
            try:
                line = await self._dial()
                act = KINDS[self.kind](self, line)
                while True:
                    await act
                    counts[f"{self.kind}: acts"] += 1
                    await self.rest()
                    act = ACTS[self.kind](self, line)
            except Cut:
                counts[f"{self.kind}: hung up on"] += 1
            except OSError:
                counts[f"{self.kind}: not connected"] += 1
            finally:
                if line is not None:
                    line.transport.abort()
            await self.rest()

    async def rest(self) -> None:
        """Until it acts again."""
        await asyncio.sleep(self.pause * (0.5 + self.random.random()))

    async def _dial(self) -> Line:
        loop = asyncio.get_running_loop()
        _, line = await loop.create_connection(Line, "127.0.0.1", self.port, local_addr=(self.source, 0))
        return line

    def message(self, code: int, *rest: Any) -> bytes:
        """A request of WAMP."""
        self.requests += 1
        return json.dumps([code, self.requests, *rest]).encode()

    # --- how they begin

    async def join(self, line: Line, protocol: str = "wamp.2.json") -> None:
        """A session of an anonymous one."""
        self.requests = 0
        await line.ask(upgrade("/ws", f"Sec-WebSocket-Protocol: {protocol}\r\n"))
        end = b"\x1e" if "batched" in protocol else b""
        await line.ask(frame(0x81, json.dumps(HELLO).encode() + end))

    async def nothing(self, line: Line) -> None:
        """No session."""

    async def batched(self, line: Line) -> None:
        """A session that sends many messages in one."""
        await self.join(line, "wamp.2.json.batched")

    async def deaf(self, line: Line) -> None:
        """A session that listens to everything, the honest ones' events first, and never reads."""
        await self.join(line)
        topic = f"own.honest.{self.number % TOPICS}"
        line.say(frame(0x81, self.message(32, {}, topic)))
        await line.ask(frame(0x81, self.message(32, {"match": "prefix"}, "")))
        line.transport.pause_reading()

    async def long_message(self, line: Line) -> None:
        """A session that has begun a message of 100 kB."""
        await self.join(line)
        line.say(b"\x81\xff" + (100_000).to_bytes(8, "big") + bytes(4) + b"[16,1,{}," + b" " * 50_000)

    async def head(self, line: Line) -> None:
        """A head that never ends."""
        line.say(b"GET /" + b"x" * 500)

    # --- what they do

    async def one_byte(self, line: Line) -> None:
        """One more byte of what is unfinished."""
        line.say(b" ")

    async def small_calls(self, line: Line) -> None:
        """Twenty calls in one write."""
        line.say(b"".join(frame(0x81, self.message(48, {}, "radiod.echo", [1])) for _ in range(20)))

    async def big_lists(self, line: Line) -> None:
        """A list of everything, and a publish with lists of hundreds of names."""
        names = [f"n{one}" for one in range(300)]
        options = {"exclude_authid": names, "eligible_authrole": names, "eligible": list(range(1, 300))}
        line.say(frame(0x81, self.message(48, {}, "radiod.channel.list", [], {"limit": 1000})))
        line.say(frame(0x81, self.message(16, options, "a" * 200, [])))

    async def wrong_key(self, line: Line) -> None:
        """A key, and then a ticket, that are guessed."""
        body = b'{"topic": "sample_net", "args": [1]}'
        key = f"API-KEY: guess-{self.random.random()}"
        await line.ask(request("POST", "/publish", body, [key, "Content-Type: application/json"]))

    async def comes_again(self, line: Line) -> None:
        """A whole session, which it leaves at once."""
        await self.join(line)
        await line.ask(frame(0x81, self.message(32, {}, f"own.honest.{self.number % TOPICS}")))
        raise Cut

    async def patterns(self, line: Line) -> None:
        """Ten more long patterns."""
        for _ in range(5):
            word = f"{self.random.random()}".ljust(200, "x")
            line.say(frame(0x81, self.message(32, {"match": "prefix"}, word)))
            line.say(frame(0x81, self.message(32, {"match": "wildcard"}, f"{word}{'.' * 40}x")))

    async def batch(self, line: Line) -> None:
        """Fifty lists in one message."""
        calls = [self.message(48, {}, "radiod.channel.list", [], {"limit": 1000}) for _ in range(50)]
        line.say(frame(0x81, b"".join(call + b"\x1e" for call in calls)))

    async def silence(self, line: Line) -> None:
        """Nothing at all; what has not been hung up on stays."""
        if line.is_cut:
            raise Cut


Act = Callable[[Hostile, Line], Awaitable[None]]
KINDS: dict[str, Act] = {
    "heads": Hostile.head,
    "frames": Hostile.long_message,
    "calls": Hostile.join,
    "lists": Hostile.join,
    "keys": Hostile.nothing,
    "deaf": Hostile.deaf,
    "again": Hostile.join,
    "patterns": Hostile.join,
    "batches": Hostile.batched,
    "idle": Hostile.nothing,
}
"""name -> how one of this kind begins."""

ACTS: dict[str, Act] = {
    "heads": Hostile.one_byte,
    "frames": Hostile.one_byte,
    "calls": Hostile.small_calls,
    "lists": Hostile.big_lists,
    "keys": Hostile.wrong_key,
    "deaf": Hostile.silence,
    "again": Hostile.comes_again,
    "patterns": Hostile.patterns,
    "batches": Hostile.batch,
    "idle": Hostile.silence,
}
"""name -> what it does then, again and again."""


async def main(port: int, seed: str, count: int, pace: float, some: str = "") -> None:
    """Let them live until the input ends; ``some``: the kinds that there are, with commas, if not all."""
    counts: Counter[str] = Counter()
    kinds = some.split(",") if some else list(KINDS)
    crowd = [
        Hostile(port, number // len(kinds), kinds[number % len(kinds)], pace, Random(f"{seed}/{number}"))
        for number in range(count)
    ]
    tasks = [asyncio.create_task(one.live(counts)) for one in crowd]
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    ended = [task for task in tasks if task.done()]
    for task in ended:
        task.result()
    print(json.dumps({**counts, "cpu": sum(os.times()[:2])}), flush=True)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), *sys.argv[5:]))
