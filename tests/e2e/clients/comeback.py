"""A stock client that listens to sample_net, answers calls to a procedure, and comes back by itself.

    comeback.py KIND PORT PROCEDURE

KIND: twisted-websocket, twisted-rawsocket, asyncio-websocket, asyncio-rawsocket: Autobahn|Python's Component;
the same with -leaving behind it: with a coroutine as onLeave; runner: its ApplicationRunner on Twisted;
websockets: a plain listener. Prints the number in each sample that it hears.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import websockets

kind, port, procedure = sys.argv[1:]
library, _, rest = kind.partition("-")
transport, _, leaving = rest.partition("-")
SAMPLES = "sample_net"


def hear(sample: dict[str, Any]) -> None:
    # Autobahn|Python takes over what print writes to.
    print(sample["n"], file=sys.__stdout__, flush=True)


def answer() -> str:
    return "here"


def component() -> None:
    if library == "asyncio":
        from autobahn.asyncio.component import Component, run
        from autobahn.asyncio.wamp import ApplicationSession
    else:
        from autobahn.twisted.component import Component, run
        from autobahn.twisted.wamp import ApplicationSession

    class Leaving(ApplicationSession):  # type: ignore[misc, valid-type] # Autobahn is not typed
        async def onLeave(self, details: Any) -> None:
            self.disconnect()

    way = {
        "websocket": {"type": "websocket", "url": f"ws://127.0.0.1:{port}/ws"},
        "rawsocket": {
            "type": "rawsocket",
            "url": f"rs://127.0.0.1:{port}",
            "endpoint": {"type": "tcp", "host": "127.0.0.1", "port": int(port)},
            "serializer": "json",
        },
    }[transport]
    factory = Leaving if leaving else ApplicationSession
    client = Component(transports=[{**way, "max_retries": -1}], realm="radio", session_factory=factory)
    client.subscribe(SAMPLES)(hear)
    client.register(procedure)(answer)
    run([client], log_level=None)


def runner() -> None:
    from autobahn.twisted.wamp import ApplicationRunner, ApplicationSession

    class Client(ApplicationSession):  # type: ignore[misc] # Autobahn is not typed
        async def onJoin(self, details: Any) -> None:
            await self.subscribe(hear, SAMPLES)
            await self.register(answer, procedure)

    ApplicationRunner(f"ws://127.0.0.1:{port}/ws", "radio").run(Client, auto_reconnect=True)


async def listen() -> None:
    async for connection in websockets.connect(f"ws://127.0.0.1:{port}/listen/{SAMPLES}"):
        try:
            async for message in connection:
                hear(json.loads(message))
        except websockets.ConnectionClosed:
            continue


if library == "websockets":
    asyncio.run(listen())
else:
    (runner if library == "runner" else component)()
