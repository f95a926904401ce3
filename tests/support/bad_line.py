"""A proxy in front of a server that cuts, stalls and delays, as networks do."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any, TypeAlias

__all__ = ["BadLine", "bad_line"]

Ends: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]

PIECE = 65536
# Small, so that a server soon notices that nobody reads.
ROOM = 65536


class BadLine:
    """Passes on to ``ports``, one after the other, what connects to ``self.port``.

    A port where nobody answers is passed over. It has a thread of its own; use it from any.

    ``open``: how many connections there are to each port.
    """

    def __init__(self, ports: Sequence[int], loop: asyncio.AbstractEventLoop) -> None:
        self.port = 0
        self.open: Counter[int] = Counter()
        self._to = deque(ports)
        self._loop = loop
        self._writers: set[asyncio.StreamWriter] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._delay = 0.0

    def cut(self) -> None:
        """Break all connections, without a word."""
        self._do(lambda: [writer.transport.abort() for writer in self._writers])

    def stall(self) -> None:
        """From now on clients hear nothing; their connections stay."""
        self._do(self._flowing.clear)

    def flow(self) -> None:
        """The end of ``stall``."""
        self._do(self._flowing.set)

    def delay(self, seconds: float) -> None:
        """What clients hear comes this much later, a piece at a time."""
        self._do(lambda: setattr(self, "_delay", seconds))

    def _do(self, action: Callable[[], Any]) -> None:
        done: Future[None] = Future()

        def run() -> None:
            action()
            done.set_result(None)

        self._loop.call_soon_threadsafe(run)
        done.result(10)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(len(self._to)):
            port = self._to[0]
            self._to.rotate(-1)
            with socket.socket() as out:
                out.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM)
                out.setblocking(False)
                try:
                    await self._loop.sock_connect(out, ("127.0.0.1", port))
                    server = await asyncio.open_connection(sock=out, limit=ROOM)
                except OSError:
                    continue
                await self._join(port, (reader, writer), server)
                return
        writer.transport.abort()

    async def _join(self, port: int, client: Ends, server: Ends) -> None:
        both = {client[1], server[1]}
        self._writers |= both
        self.open[port] += 1
        try:
            await asyncio.gather(
                self._pass(client[0], server[1], False), self._pass(server[0], client[1], True)
            )
        finally:
            self.open[port] -= 1
            self._writers -= both
            for one in both:
                one.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heard: bool) -> None:
        try:
            while piece := await reader.read(PIECE):
                if heard:
                    await asyncio.sleep(self._delay)
                    await self._flowing.wait()
                writer.write(piece)
                await writer.drain()
            writer.write_eof()
        except OSError:
            writer.transport.abort()


@contextlib.contextmanager
def bad_line(*ports: int) -> Iterator[BadLine]:
    """One in front of ``ports`` of the loopback interface, while the block lasts."""
    loop = asyncio.new_event_loop()
    line = BadLine(ports, loop)

    async def serve() -> None:
        server = await asyncio.start_server(line._accepted, "127.0.0.1", 0, limit=ROOM)
        line.port = server.sockets[0].getsockname()[1]

    thread = threading.Thread(target=loop.run_forever, name="bad line")
    loop.run_until_complete(serve())
    thread.start()
    try:
        yield line
    finally:
        loop.call_soon_threadsafe(_stop, loop)
        thread.join()
        loop.close()


def _stop(loop: asyncio.AbstractEventLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    ended = asyncio.gather(*tasks, return_exceptions=True)
    ended.add_done_callback(lambda _: loop.stop())
