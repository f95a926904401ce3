"""Honest clients in a process of their own: ``python -m chaos.honest PORT``, seconds on its input.

A tenth of them publish, ten events a second each, acknowledged; the others listen to one publisher each;
all of them call, once a second. Each line of the input is answered by one of JSON: how long events and
calls took in so many seconds, and what was lost.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from fuzz.pipes import WebSocket, frame

CLIENTS = 100
PUBLISHERS = 10
EVENTS_S = 10
CALL_S = 1.0
TOPIC = "own.honest.{}"
PUBLISH, PUBLISHED, SUBSCRIBE, SUBSCRIBED, EVENT, CALL, RESULT = 16, 17, 32, 33, 36, 48, 50


class Client:
    """One session of the user ``owner``; ``number`` says whom it listens to, or that it publishes."""

    def __init__(self, port: int, number: int) -> None:
        self.number = number
        self.pipe = WebSocket(port, "json")
        self.pipe.join("owner")
        self.events: list[float] = []
        self.calls: list[float] = []
        self.seen: int | None = None
        self.lost = 0
        self.published = 0
        self.answered = 0
        self.requests = 0
        self.asked: dict[int, float] = {}
        self.waiting: dict[int, asyncio.Future[None]] = {}
        self.is_cut = False

    async def begin(self) -> None:
        """Read from now on; subscribe, if it is a listener."""
        self.pipe.socket.setblocking(False)
        self._loop = asyncio.get_running_loop()
        self._reading = asyncio.create_task(self._read())
        if self.number >= PUBLISHERS:
            await self._ask([SUBSCRIBE, self._next(), {}, TOPIC.format(self.number % PUBLISHERS)])

    def _next(self) -> int:
        self.requests += 1
        return self.requests

    async def _ask(self, message: list[Any]) -> None:
        future = self.waiting[message[1]] = self._loop.create_future()
        await self._loop.sock_sendall(self.pipe.socket, frame(0x81, json.dumps(message).encode()))
        await asyncio.wait_for(future, 30)

    async def _read(self) -> None:
        try:
            while data := await self._loop.sock_recv(self.pipe.socket, 1 << 16):
                now = time.monotonic()
                self.pipe.unread += data
                for opcode, payload in self.pipe.frames():
                    if opcode == 1:
                        self._hear(json.loads(payload), now)
                    elif opcode == 9:
                        await self._loop.sock_sendall(self.pipe.socket, frame(0x8A, payload))
        except ConnectionError:
            pass
        self.is_cut = True

    def _hear(self, message: list[Any], now: float) -> None:
        if message[0] == EVENT:
            number, sent = message[4]
            self.events.append(now - sent)
            if self.seen is not None:
                self.lost += number != self.seen + 1
            self.seen = number
        elif message[0] in (RESULT, PUBLISHED, SUBSCRIBED):
            self.answered += 1
            self.waiting.pop(message[1]).set_result(None)
        else:
            raise AssertionError(message)

    async def call(self) -> None:
        """One round trip, which is measured."""
        start = time.monotonic()
        await self._ask([CALL, self._next(), {}, "radiod.echo", []])
        self.calls.append(time.monotonic() - start)

    async def live(self, end: float) -> None:
        """Call, and publish, at a steady pace."""
        tasks = [self._steadily(self.call, CALL_S, self.number / CLIENTS, end)]
        if self.number < PUBLISHERS:
            tasks.append(self._steadily(self._publish, 1 / EVENTS_S, self.number / CLIENTS, end))
        await asyncio.gather(*tasks)

    async def _steadily(self, what: Any, period: float, phase: float, end: float) -> None:
        due = time.monotonic() + phase * period
        while due < end:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            await what()
            due += period

    async def _publish(self) -> None:
        self.published += 1
        sample = [self.published, time.monotonic()]
        await self._ask([PUBLISH, self._next(), {"acknowledge": True}, TOPIC.format(self.number), sample])


async def measure(clients: list[Client], seconds: float) -> dict[str, Any]:
    """Let them all live for so long."""
    for client in clients:
        client.events, client.calls, client.lost = [], [], 0
    before = time.process_time()
    end = time.monotonic() + seconds
    gone = await asyncio.gather(*(client.live(end) for client in clients), return_exceptions=True)
    # What was published before is before the answers.
    gone += await asyncio.gather(*(client.call() for client in clients), return_exceptions=True)
    for client in clients[PUBLISHERS:]:
        client.lost += clients[client.number % PUBLISHERS].published - (client.seen or 0)
    return {
        "events": sorted(one for client in clients for one in client.events),
        "calls": sorted(one for client in clients for one in client.calls),
        "lost": sum(client.lost for client in clients),
        "cut": sum(client.is_cut for client in clients),
        "failed": [repr(one) for one in gone if one is not None][:5],
        "cpu": time.process_time() - before,
    }


async def main(port: int) -> None:
    """Serve the lines of the input."""
    clients = [Client(port, number) for number in range(CLIENTS)]
    for client in clients:
        await client.begin()
    loop = asyncio.get_running_loop()
    print("ready", flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(await measure(clients, float(line))), flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
