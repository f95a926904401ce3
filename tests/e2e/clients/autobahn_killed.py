"""A stock Autobahn|Python client that joins, prints "joined", and then how its session and connection end.

autobahn_killed.py websocket|rawsocket PORT [goodbye]

With "goodbye" it asks to be told when the server stops.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from autobahn.twisted.rawsocket import WampRawSocketClientFactory, WampRawSocketClientProtocol
from autobahn.twisted.wamp import ApplicationSession
from autobahn.twisted.websocket import WampWebSocketClientFactory, WampWebSocketClientProtocol
from autobahn.wamp.types import ComponentConfig
from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint

transport, port, *asked = sys.argv[1:]
seen: dict[str, Any] = {}


class Client(ApplicationSession):
    """Stays until it is told to go."""

    def onConnect(self) -> None:
        extra = {"_radiod_goodbye": True} if asked else None
        self.join("radio", ["anonymous"], authextra=extra)

    def onJoin(self, details: Any) -> None:
        print("joined", flush=True)

    def onLeave(self, details: Any) -> None:
        seen["left"] = details.reason
        self.disconnect()


class WebSocket(WampWebSocketClientProtocol):
    def onClose(self, wasClean: bool, code: int, reason: str) -> None:
        super().onClose(wasClean, code, reason)
        seen["closed"] = [wasClean, code]

    def connectionLost(self, reason: Any) -> None:
        super().connectionLost(reason)
        reactor.stop()


class RawSocket(WampRawSocketClientProtocol):
    def connectionLost(self, reason: Any) -> None:
        super().connectionLost(reason)
        seen["closed"] = reason.type.__name__
        reactor.stop()


def make() -> Client:
    return Client(ComponentConfig("radio"))


if transport == "websocket":
    factory = WampWebSocketClientFactory(make, url=f"ws://127.0.0.1:{port}/ws")
    factory.protocol = WebSocket
else:
    factory = WampRawSocketClientFactory(make)
    factory.protocol = RawSocket

TCP4ClientEndpoint(reactor, "127.0.0.1", int(port)).connect(factory)
reactor.run()
print(json.dumps(seen))
