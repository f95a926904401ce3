"""Everybody who uses the server, in a process of their own: ``python crowd.py PORT SOCKET SECONDS SIZE``.

Every listener that reads counts what it gets on each topic: one number left out is an error, unless it was
told of it. The last line of the output says in JSON what was done, and what went wrong.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from soaking.talk import Http, Wamp, Wrong, stream

TOPICS = [f"soak.{number}" for number in range(8)]
KEPT, DURABLE = "soak.kept", "soak.durable"
KEY = "soak-writer"
SLOW_S = 1200.0
"""How long a slow one stays: until its buffers are full, and some more."""
MOST_ERRORS = 1000
KEY_S = 60.0
CHANNELS_A_SESSION = 200
RELOADED = '\n[realms.radio.keys.now_and_then]\nkey = "soak-now-and-then"\nlisten = ["*"]\n'


class Crowd:
    """``size``: 1 is some 60 connections."""

    def __init__(self, port: int, socket: str, seconds: float, size: float) -> None:
        self.port = port
        self.socket = socket
        self.size = size
        self.end = asyncio.get_running_loop().time() + seconds
        self.done: Counter[str] = Counter()
        self.errors: list[str] = []
        self.sent: Counter[str] = Counter()

    def some(self, count: int) -> range:
        """So many, times the size."""
        return range(max(1, round(count * self.size)))

    @property
    def goes_on(self) -> bool:
        """Whether it is not over."""
        return asyncio.get_running_loop().time() < self.end

    async def steadily(self, what: Callable[[], Awaitable[Any]], period: float) -> None:
        """Do it again and again, at random within a period."""
        while self.goes_on:
            await asyncio.sleep(random.uniform(0, 2 * period))
            await what()

    async def wait_with(self, session: Wamp) -> None:
        """Until the end. Raises: Wrong: that of the session comes first."""
        left = self.end - asyncio.get_running_loop().time()
        if await session.has_ended(left):
            raise Wrong("the server hung up")

    async def run(self) -> None:
        """All of them, until the end."""
        kinds = [
            (self.wamp_publisher, 2), (self.http_publisher, 2), (self.durable_publisher, 1),
            (self.listener, 20), (self.sse, 8), (self.lines, 8), (self.poller, 8), (self.slow, 3),
            (self.comer, 6), (self.callee, 2), (self.caller, 4), (self.issuer, 1), (self.creator, 2),
            (self.reloader, 1),
        ]  # fmt: skip
        alone = (self.issuer, self.reloader)
        tasks = [
            self.guard(kind, number)
            for kind, count in kinds
            for number in (self.some(count) if kind not in alone else range(1))
        ]
        await asyncio.gather(*tasks)

    async def guard(self, kind: Callable[[int], Awaitable[None]], number: int) -> None:
        """One of them; what goes wrong is noted, and it begins again."""
        while self.goes_on:
            try:
                await kind(number)
            except (OSError, Wrong, asyncio.IncompleteReadError, TimeoutError, ValueError) as error:
                if self.goes_on:
                    self.wrong(f"{kind.__name__} {number}: {error!r}"[:300])
                    await asyncio.sleep(1)

    def wrong(self, what: str) -> None:
        """Note what went wrong."""
        self.done["errors"] += 1
        if len(self.errors) < MOST_ERRORS:
            self.errors.append(what)

    def heard(self, what: str) -> Callable[[list[Any]], None]:
        """Counts events of ``[topic, number, …]``; one left out is an error."""
        last: dict[str, int] = {}

        def count(args: list[Any]) -> None:
            topic, number = args[0], args[1]
            if topic in last and number != last[topic] + 1:
                self.done["missed"] += 1
                self.wrong(f"{what} of {topic}: {last[topic]} and then {number}")
            last[topic] = number
            self.done[f"heard by {what}"] += 1

        return count

    def next(self, topic: str) -> list[Any]:
        """The next event of a topic, which has one publisher."""
        self.sent[topic] += 1
        self.done["published"] += 1
        return [topic, self.sent[topic], "x" * random.randrange(300)]

    # --- publishing

    async def wamp_publisher(self, number: int) -> None:
        session = (await Wamp().join(self.port)).begin()
        mine = TOPICS[number % 4 :: 8] if number < 4 else [f"{TOPICS[0]}.{number}"]

        async def publish() -> None:
            for topic in [*mine, KEPT] if number == 0 else mine:
                await session.publish(topic, *self.next(topic))

        await self.steadily(publish, 0.05)

    async def http_publisher(self, number: int) -> None:
        client = Http(self.port, KEY)
        mine = TOPICS[4 + number] if number < 4 else f"{TOPICS[4]}.{number}"

        async def publish() -> None:
            status, _, content = await client.ask(
                "POST", "/publish", {"topic": mine, "args": self.next(mine)}
            )
            if status != 200 or b"error" in content:
                raise Wrong(f"{status}: {content!r}")

        await self.steadily(publish, 0.1)

    async def durable_publisher(self, number: int) -> None:
        session = (await Wamp().join(self.port)).begin()
        topic = DURABLE if number == 0 else f"{DURABLE}.{number}"
        await self.steadily(lambda: session.publish(topic, *self.next(topic)), 0.5)

    # --- listening

    async def listener(self, number: int) -> None:
        session = await Wamp().join(self.port)
        heard = self.heard("WAMP")
        session.on_event = lambda details, args: heard(args)
        session.begin()
        for topic in (TOPICS[number % 8], TOPICS[(number + 3) % 8], DURABLE):
            await session.listen(topic)
        await self.wait_with(session)

    async def sse(self, number: int) -> None:
        heard = self.heard("SSE")

        def take(line: bytes) -> None:
            if line.startswith(b"data: "):
                heard(json.loads(line[6:])["args"])

        await stream(self.port, f"/listen/{TOPICS[number % 8]}", "text/event-stream", take, self.end)

    async def lines(self, number: int) -> None:
        heard = self.heard("NDJSON")

        def take(line: bytes) -> None:
            if line.startswith(b"{"):
                record = json.loads(line)
                if "data" in record:
                    heard(record["data"]["args"])

        await stream(self.port, f"/listen/{TOPICS[number % 8]}", "application/x-ndjson", take, self.end)

    async def poller(self, number: int) -> None:
        client = Http(self.port, None)
        heard, after = self.heard("long-poll"), ""
        channel = KEPT if number % 2 else DURABLE
        while self.goes_on:
            path = f"/listen/{channel}?after={after}&wait=5" if after else f"/listen/{channel}?last=1"
            status, _, content = await client.ask("GET", path)
            if status not in (200, 204):
                raise Wrong(f"{path}: {status}")
            for event in json.loads(content) if content else ():
                heard(event["data"]["args"])
                after = event["position"]
            self.done["polls"] += 1

    async def slow(self, number: int) -> None:
        session = await Wamp().join(self.port, receive_buffer=4096)
        for request, topic in enumerate(TOPICS, 1):
            session.say(32, request, {"_radiod_buffer": {"size": 50, "policy": "ring"}}, topic)
        await session.dawdle(500, min(self.end, asyncio.get_running_loop().time() + SLOW_S))
        session.leave(politely=False)
        self.done["slow ones that left"] += 1

    async def comer(self, number: int) -> None:
        """Comes and goes; what it missed meanwhile is told to it, or that it is gone."""
        position, last = None, 0
        while self.goes_on:
            session = await Wamp().join(self.port)
            told: list[tuple[dict[str, Any], list[Any]]] = []
            session.on_event = lambda details, args, told=told: told.append((details, args))  # type: ignore[misc]
            session.begin()
            options = {"_radiod_position": True} if position is None else {"_radiod_after": position}
            await session.listen(KEPT, **options)
            await asyncio.sleep(random.uniform(0.2, 3))
            session.leave(politely=number % 2 == 0)
            for details, args in told:
                if details.get("_recovered", True) and last and args[1] != last + 1:
                    raise Wrong(f"{last} and then {args[1]}, untold")
                self.done["gaps told"] += not details.get("_recovered", True)
                position, last = f"{details['_epoch']}:{details['_seq']}", args[1]
            self.done["came back"] += 1
            await asyncio.sleep(random.uniform(0.1, 2))

    # --- calling

    async def callee(self, number: int) -> None:
        session = await Wamp().join(self.port)
        session.on_call = lambda args: "done"
        session.begin()
        await session.register(f"soak.work.{number}")
        await self.wait_with(session)

    async def caller(self, number: int) -> None:
        session = (await Wamp().join(self.port)).begin()
        callees = len(self.some(2))
        await asyncio.sleep(1)

        async def call() -> None:
            if await session.call(f"soak.work.{number % callees}") != "done":
                raise Wrong("a call came to something else")
            self.done["calls"] += 1

        await self.steadily(call, 0.2)

    # --- what changes the server

    async def issuer(self, number: int) -> None:
        """Rotates the secret of a key again and again; now and then the key is revoked for another.

        Not too often: revoked keys stay in the books for ever, with some 7 kB each.
        """
        admin = (await Wamp().join(self.socket)).begin()
        loop = asyncio.get_running_loop()
        while self.goes_on:
            key = await admin.call("radiod.admin.key.issue", account="soak", publish=["soak.issued"])
            secret, until = key["key"], min(self.end, loop.time() + KEY_S)
            while loop.time() < until:
                await self.is_good(secret, True)
                rotated = await admin.call("radiod.admin.key.rotate", id=key["id"], overlap=0)
                await self.is_good(secret, False)
                secret = rotated["key"]
                self.done["secrets rotated"] += 1
                await asyncio.sleep(2)
            await admin.call("radiod.admin.key.revoke", id=key["id"])
            await self.is_good(secret, False)
            self.done["keys issued and revoked"] += 1

    async def is_good(self, secret: str, expected: bool) -> None:
        """Whether a secret opens what it should. Raises: Wrong."""
        client = Http(self.port, secret)
        status, _, _ = await client.ask("POST", "/publish", {"topic": "soak.issued", "args": [1]})
        client.close()
        if (status == 200) is not expected:
            raise Wrong(f"a secret that is good: {expected}, and {status}")

    async def creator(self, number: int) -> None:
        """Makes channels, public and private, and has them end.

        Of some names: what was used of each stays in the ledger for an hour, and among the totals.
        """
        session = (await Wamp().join(self.port)).begin()
        for _ in range(CHANNELS_A_SESSION):
            if not self.goes_on:
                break
            name = f"soak.made.{number}.{random.randrange(250)}"
            options: dict[str, Any] = {"public": False, "key": "secret"} if random.random() < 0.5 else {}
            made = await session.call("radiod.channel.create", name=name, history={"size": 5}, **options)
            await session.listen(name, **({"_radiod_key": "secret"} if options else {}))
            await session.ask(16, {"acknowledge": True, "_radiod_key": options.get("key")}, name, [1])
            await session.call("radiod.channel.delete", name=name, control_key=made["control_key"])
            self.done["channels made"] += 1
            await asyncio.sleep(random.uniform(0, 1))
        session.leave(politely=True)

    async def reloader(self, number: int) -> None:
        """Adds a key to the configuration, and takes it out again."""
        admin = (await Wamp().join(self.socket)).begin()
        file = Path(self.socket).with_name("radiod.toml")
        text = file.read_text().partition(RELOADED)[0]
        try:
            while self.goes_on:
                for more in (RELOADED, ""):
                    file.write_text(text + more)
                    told = await admin.call("radiod.admin.reload")
                    if not told["live"]:
                        raise Wrong(f"a reload did {told}")
                    self.done["reloads"] += 1
                    await asyncio.sleep(min(5.0, max(0.0, self.end - asyncio.get_running_loop().time())))
        finally:
            file.write_text(text)


async def main(port: int, socket: str, seconds: float, size: float) -> None:
    """Run, and tell."""
    crowd = Crowd(port, socket, seconds, size)
    await asyncio.wait_for(crowd.run(), seconds + 120)
    print(json.dumps({"done": dict(sorted(crowd.done.items())), "errors": crowd.errors[:50]}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), float(sys.argv[4])))
