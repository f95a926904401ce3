"""Many listeners and a few publishers in one process, which come back whenever they are cut, and count.

``python -m support.crowd PORT SEED`` takes commands from its standard input, one JSON array a line, and
answers each with a line of JSON. Every event says who published it, and counts: so each listener knows what
it missed, had twice, or in another order.
"""

from __future__ import annotations

import asyncio
import errno
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec

HOST = "127.0.0.1"
KEY = "secret-of-station"
CHANNELS = ("memory", "durable")
PAUSE = 0.5
"""Seconds after which who was cut is back at the latest, as clients do that were told nothing."""
NEVER_PUBLISHED = 30.0
"""Seconds in which a publish must be through."""

encode = msgspec.json.encode
decode = msgspec.json.decode


class Peer(asyncio.Protocol):
    """One client, on one connection after the other."""

    def __init__(self, crowd: Crowd) -> None:
        self.crowd = crowd
        self.transport: asyncio.Transport | None = None
        self.is_wanted = False
        self.is_heard = False
        self.buffer = b""

    def come(self) -> None:
        """Connect, and come back whenever it is cut."""
        self.is_wanted = True
        self.crowd.keep(self._dial())

    def go(self) -> None:
        """Away, until it comes again."""
        self.is_wanted = False
        if self.transport is not None:
            self.transport.abort()

    async def _dial(self) -> None:
        while self.is_wanted:
            try:
                await self.crowd.loop.create_connection(lambda: self, HOST, self.crowd.port)
            except OSError as error:
                self.crowd.counts["refused" if error.errno == errno.ECONNREFUSED else "unreachable"] += 1
                await asyncio.sleep(self.crowd.random.uniform(0, PAUSE))
            else:
                return

    def connection_made(self, transport: Any) -> None:
        """Say what it wants."""
        self.transport = transport
        self.is_heard = False
        self.buffer = b""
        if self.is_wanted:
            transport.write(self.hello())
        else:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take what comes."""
        self.is_heard = True
        self.buffer += data
        self.read()

    def connection_lost(self, error: Exception | None) -> None:
        """Come back, unless it went by itself."""
        self.transport = None
        if not self.is_wanted:
            return
        self.crowd.counts["cut"] += 1
        if not self.is_heard:
            self.crowd.counts["reset"] += 1
        self.crowd.loop.call_later(self.crowd.random.uniform(0, PAUSE), self._again)

    def _again(self) -> None:
        if self.is_wanted:
            self.come()

    def say(self, data: bytes) -> None:
        """Send something, if anybody is there."""
        if self.transport is not None:
            self.transport.write(data)

    def hello(self) -> bytes:
        """What it says first."""
        raise NotImplementedError

    def read(self) -> None:
        """Take what is in the buffer."""
        raise NotImplementedError


class Listener(Peer):
    """Hears one channel, with a position. ``last``: publisher -> the number of its last event."""

    def __init__(self, crowd: Crowd, channel: str) -> None:
        super().__init__(crowd)
        self.channel = channel
        self.position = ""
        self.last: dict[str, int] = {}
        self.missing: set[tuple[str, int]] = set()
        # Publishers of which something may be missing, as it was told.
        self.forgiven: set[str] = set()

    def take(self, position: str, data: dict[str, Any]) -> None:
        """One event."""
        self.position = position
        who, number = data["p"], data["n"]
        last = self.last.get(who)
        counts = self.crowd.counts
        counts["events"] += 1
        if last is None or number == last + 1:
            self.last[who] = number
        elif number > last:
            counts["told missed" if who in self.forgiven else f"missed {self.channel}"] += number - last - 1
            self.missing.update((who, one) for one in range(last + 1, number))
            self.last[who] = number
        elif (who, number) in self.missing:
            self.missing.discard((who, number))
            counts["reordered"] += 1
        else:
            counts[f"repeated {self.channel}"] += 1
        self.forgiven.discard(who)

    def forgive(self) -> None:
        """It was told that something may be missing."""
        self.crowd.counts[f"not recovered {self.channel}"] += 1
        self.forgiven = set(self.crowd.publishers)

    def lost(self, count: int) -> None:
        """It was told that it lost so many."""
        self.crowd.counts["lost"] += count

    def has(self, numbers: dict[str, int]) -> bool:
        """Whether it has had all until these."""
        return all(self.last.get(who, 0) >= number for who, number in numbers.items())


def request(path: str, version: str = "1.1", *fields: str) -> bytes:
    """A GET."""
    return "\r\n".join([f"GET {path} HTTP/{version}", f"Host: {HOST}", *fields, "", ""]).encode()


def frame(message: list[Any]) -> bytes:
    """A WAMP message on RawSocket."""
    data = encode(message)
    return len(data).to_bytes(4, "big") + data


class Wamp(Listener):
    """Over RawSocket, in JSON."""

    has_shaken = False

    def hello(self) -> bytes:
        """Handshake and HELLO at once."""
        self.has_shaken = False
        return b"\x7f\xf1\0\0" + frame([1, "radio", {"roles": {"subscriber": {}}}])

    def read(self) -> None:
        """Whole messages."""
        if not self.has_shaken:
            if len(self.buffer) < 4:
                return
            self.buffer, self.has_shaken = self.buffer[4:], True
        while len(self.buffer) >= 4:
            end = 4 + int.from_bytes(self.buffer[1:4], "big")
            if len(self.buffer) < end:
                return
            message, self.buffer = decode(self.buffer[4:end]), self.buffer[end:]
            self.message(message)

    def message(self, message: list[Any]) -> None:
        """One message."""
        if message[0] == 2:
            options = {"_radiod_after": self.position} if self.position else {}
            self.say(frame([32, 1, options, self.channel]))
        elif message[0] == 33:
            self.crowd.counts["listening"] += 1
        elif message[0] == 36:
            details = message[3]
            if details.get("_recovered") is False:
                self.forgive()
            self.lost(details.get("_lost", 0))
            self.take(f"{details['_epoch']}:{details['_seq']}", message[4][0])
        else:
            self.crowd.counts[f"said {message[:5]}"] += 1


class Stream(Listener):
    """An answer that goes on, of HTTP/1.0: without chunks."""

    accepts = ""
    separator = b"\n\n"
    is_open = False

    def hello(self) -> bytes:
        """The request."""
        self.is_open = False
        after = [f"Last-Event-ID: {self.position}"] if self.position else []
        return request(f"/listen/{self.channel}?size=1000", "1.0", f"Accept: {self.accepts}", *after)

    def read(self) -> None:
        """The head, and then whole blocks."""
        if not self.is_open:
            head, end, rest = self.buffer.partition(b"\r\n\r\n")
            if not end:
                return
            if b" 200 " not in head[:20]:
                self.crowd.counts[f"said {head[:20]!r}"] += 1
            self.is_open, self.buffer = True, rest
            self.crowd.counts["listening"] += 1
        *blocks, self.buffer = self.buffer.split(self.separator)
        for block in blocks:
            self.block(block)

    def block(self, block: bytes) -> None:
        """One event, or what is told beside."""
        raise NotImplementedError


class Sse(Stream):
    """Server-Sent Events."""

    accepts = "text/event-stream"

    def block(self, block: bytes) -> None:
        """One event."""
        lines = [line.split(b": ", 1) for line in block.split(b"\n") if line and line[:1] != b":"]
        fields = {line[0]: line[-1] for line in lines}
        kind = fields.get(b"event", b"")
        if kind == b"recovered":
            self.forgive()
        elif kind == b"lost":
            self.lost(int(fields[b"data"]))
        elif b"data" in fields:
            self.take(fields[b"id"].decode(), decode(fields[b"data"]))


class Ndjson(Stream):
    """Lines of JSON."""

    accepts = "application/x-ndjson"
    separator = b"\n"

    def block(self, block: bytes) -> None:
        """One line."""
        if not block.strip():
            return
        record = decode(block)
        if record.get("recovered") is False:
            self.forgive()
        self.lost(record.get("lost", 0))
        if "data" in record:
            self.take(record["position"], record["data"])


class Poll(Listener):
    """One request after the other."""

    def hello(self) -> bytes:
        """The next request."""
        after = f"&after={self.position}" if self.position else "&last=1"
        return request(f"/listen/{self.channel}?wait=20{after}")

    def read(self) -> None:
        """One whole answer."""
        head, end, rest = self.buffer.partition(b"\r\n\r\n")
        if not end:
            return
        lines = [line.partition(b": ") for line in head.split(b"\r\n")[1:]]
        fields = {name.lower(): value for name, _, value in lines}
        size = int(fields.get(b"content-length", b"0"))
        if len(rest) < size:
            return
        content, self.buffer = rest[:size], rest[size:]
        status = int(head[9:12])
        if status not in (200, 204):
            self.crowd.counts[f"said {status} {content[:60]!r}"] += 1
        elif b"x-radiod-recovered" in fields:
            self.forgive()
        self.lost(int(fields.get(b"x-radiod-lost", b"0")))
        for record in decode(content) if status == 200 else []:
            self.take(record["position"], record["data"])
        self.position = fields.get(b"x-radiod-position", self.position.encode()).decode()
        if status not in (200, 204):
            self.crowd.loop.call_later(PAUSE, self.say, self.hello())
        elif fields.get(b"connection") != b"close":
            self.say(self.hello())


KINDS: tuple[Callable[[Crowd, str], Listener], ...] = (Wamp, Sse, Ndjson, Poll)


class Publisher:
    """Publishes to both channels in turn, and each event once: until it is told that it is there.

    ``numbers``: channel -> its last number that is there. ``longest``: seconds that one took.
    """

    def __init__(self, crowd: Crowd, name: str, rate: float) -> None:
        self.crowd = crowd
        self.name = name
        self.rate = rate
        self.numbers = dict.fromkeys(CHANNELS, 0)
        self.longest = 0.0
        self.is_wanted = True
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None

    async def run(self) -> None:
        """Publish, until it is told to stop."""
        began, done = time.monotonic(), 0
        while self.is_wanted:
            channel = CHANNELS[done % len(CHANNELS)]
            asked = time.monotonic()
            await asyncio.wait_for(self._once(channel, self.numbers[channel] + 1), NEVER_PUBLISHED)
            self.longest = max(self.longest, time.monotonic() - asked)
            self.numbers[channel] += 1
            self.crowd.counts["published"] += 1
            done += 1
            await asyncio.sleep(max(0.0, began + done / self.rate - time.monotonic()))
        self._hang_up()

    async def _once(self, channel: str, number: int) -> None:
        is_in_doubt = False
        while True:
            try:
                if self.writer is None:
                    await self._connect()
                if is_in_doubt and await self._is_there(channel, number):
                    self.crowd.counts["in doubt and done"] += 1
                    return
                if self.writer is None:
                    await self._connect()
                is_in_doubt = True
                if await self._publish(channel, number):
                    return
                is_in_doubt = False
            except (OSError, EOFError) as error:
                self.crowd.counts["publisher cut"] += 1
                if isinstance(error, ConnectionRefusedError):
                    self.crowd.counts["refused"] += 1
                self._hang_up()
            await asyncio.sleep(0.05)

    def _hang_up(self) -> None:
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None

    async def _connect(self) -> None:
        self.reader, self.writer = await asyncio.open_connection(HOST, self.crowd.port)

    async def _is_there(self, channel: str, number: int) -> bool:
        """Whether an event whose acknowledgement did not come is there all the same."""
        raise NotImplementedError

    async def _publish(self, channel: str, number: int) -> bool:
        """Returns: whether it was accepted. Raises: OSError, EOFError: who knows."""
        raise NotImplementedError

    def data(self, number: int) -> dict[str, Any]:
        """What the event says."""
        return {"p": self.name, "n": number}


class HttpPublisher(Publisher):
    """Sends the same with the same Idempotency-Key. Where servers are killed, it looks before."""

    async def _is_there(self, channel: str, number: int) -> bool:
        if not self.crowd.looks:
            return False
        self.crowd.counts["in doubt"] += 1
        assert self.reader is not None
        assert self.writer is not None
        self.writer.write(request(f"/listen/{channel}?last=1000"))
        _, content = await self._answer()
        return any(event["data"] == self.data(number) for event in decode(content or b"[]"))

    async def _answer(self) -> tuple[bytes, bytes]:
        """Head and content."""
        assert self.reader is not None
        head = (await self.reader.readuntil(b"\r\n\r\n")).lower()
        size = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
        content = await self.reader.readexactly(int(size or b"0"))
        if b"\r\nconnection: close" in head:
            self._hang_up()
        return head, content

    async def _publish(self, channel: str, number: int) -> bool:
        assert self.reader is not None
        assert self.writer is not None
        body = encode({"network": channel, "data": self.data(number)})
        fields = [
            "POST /publish HTTP/1.1",
            f"Host: {HOST}",
            f"API-KEY: {KEY}",
            f"Idempotency-Key: {self.name}-{channel}-{number}",
            f"Content-Length: {len(body)}",
        ]
        self.writer.write("\r\n".join([*fields, "", ""]).encode() + body)
        head, content = await self._answer()
        if head[9:12] == b"200":
            self.crowd.counts["replayed"] += b"idempotency-replayed" in head
            return True
        self.crowd.counts[f"publisher told {head[9:12]!r} {content[:60]!r}"] += 1
        return False


class WampPublisher(Publisher):
    """Has acknowledgements, and no key: it looks into the history before it repeats anything."""

    requests = 0

    async def _connect(self) -> None:
        await super()._connect()
        assert self.reader is not None
        assert self.writer is not None
        self.requests = 0
        self.writer.write(b"\x7f\xf1\0\0" + frame([1, "radio", {"roles": {"publisher": {}, "caller": {}}}]))
        await self.reader.readexactly(4)
        message = await self._hear()
        if message[0] != 2:
            raise EOFError(str(message))

    async def _hear(self) -> list[Any]:
        assert self.reader is not None
        size = int.from_bytes(await self.reader.readexactly(4), "big")
        message: list[Any] = decode(await self.reader.readexactly(size))
        return message

    async def _ask(self, *message: Any) -> list[Any]:
        assert self.writer is not None
        self.requests += 1
        self.writer.write(frame([message[0], self.requests, *message[1:]]))
        return await self._hear()

    async def _publish(self, channel: str, number: int) -> bool:
        told = await self._ask(16, {"acknowledge": True}, channel, [self.data(number)])
        if told[0] != 17:
            self.crowd.counts[f"publisher told {told[4:]}"] += 1
        return bool(told[0] == 17)

    async def _is_there(self, channel: str, number: int) -> bool:
        self.crowd.counts["in doubt"] += 1
        after = None
        while True:
            asked = {"name": channel, "limit": 1000, **({"after": after} if after else {})}
            told = await self._ask(48, {}, "radiod.channel.history", [], asked)
            page = told[4 if len(told) > 4 and told[4] else 3][0]
            if any(event["args"][0] == self.data(number) for event in page["events"]):
                return True
            if not page["events"]:
                return False
            after = page["position"]


class Crowd:
    """``publishers``: all names, also of those in other processes."""

    def __init__(self, port: int, seed: int) -> None:
        self.port = port
        self.random = random.Random(seed)
        self.loop = asyncio.get_running_loop()
        self.counts: Counter[str] = Counter()
        self.tasks: set[asyncio.Task[None]] = set()
        self.listeners: list[Listener] = []
        self.away: list[Listener] = []
        self.publishers: tuple[str, ...] = ("http0", "http1", "wamp0", "wamp1")
        self.own: list[Publisher] = []
        self.looks = False

    def keep(self, work: Any) -> None:
        """Have something done."""
        task = self.loop.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def listen(self, count: int) -> int:
        """So many listeners, of each kind and on each channel as many, each soon."""
        for number in range(count):
            kind, channel = KINDS[number % 4], CHANNELS[number // 4 % 2]
            self.listeners.append(kind(self, channel))
            self.loop.call_later(self.random.uniform(0, count / 500), self.listeners[-1].come)
        return count

    async def publish(self, rate: float, looks: bool) -> int:
        """Begin, with so many events a second in all. ``looks``: also those do that have a key."""
        self.looks = looks
        each = rate / len(self.publishers)
        for name in self.publishers:
            kind = HttpPublisher if name.startswith("http") else WampPublisher
            self.own.append(kind(self, name, each))
            self.keep(self.own[-1].run())
        return len(self.own)

    async def published(self) -> dict[str, dict[str, int]]:
        """Channel -> publisher -> the number of the last event that is there."""
        return {channel: {one.name: one.numbers[channel] for one in self.own} for channel in CHANNELS}

    async def stop_publishing(self) -> float:
        """Returns: the longest publish, in seconds."""
        for publisher in self.own:
            publisher.is_wanted = False
        for task in list(self.tasks):
            await task
        return max(publisher.longest for publisher in self.own)

    async def leave(self, part: float) -> int:
        """Some go away for a while."""
        self.away = self.random.sample(self.listeners, round(part * len(self.listeners)))
        for listener in self.away:
            listener.go()
        return len(self.away)

    async def come_back(self) -> int:
        """They are back within half a second."""
        for listener in self.away:
            self.loop.call_later(self.random.uniform(0, PAUSE), listener.come)
        away, self.away = self.away, []
        return len(away)

    async def wait_for(self, numbers: dict[str, dict[str, int]], seconds: float) -> list[str]:
        """Until everybody has had all events until these. Returns: who has not, and where it is."""
        end = time.monotonic() + seconds
        away = set(self.away)
        behind = [one for one in self.listeners if one not in away]
        while True:
            behind = [one for one in behind if not one.has(numbers[one.channel])]
            if not behind or time.monotonic() > end:
                return [
                    f"{type(one).__name__} {one.channel} {one.last} {one.transport}" for one in behind[:9]
                ]
            await asyncio.sleep(0.01)

    async def report(self) -> dict[str, int]:
        """What happened so far."""
        return dict(self.counts)


async def main() -> None:
    """Serve the commands."""
    crowd = Crowd(int(sys.argv[1]), int(sys.argv[2]))
    while line := await crowd.loop.run_in_executor(None, sys.stdin.readline):
        name, *arguments = decode(line)
        print(encode(await getattr(crowd, name)(*arguments)).decode(), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
