"""A stock Autobahn|Python client that does a bit of everything and prints what it saw as one JSON line.

autobahn_client.py twisted|asyncio websocket|rawsocket json|msgpack|cbor[.batched] PORT [AUTHID TICKET]

With CA_FILE in the environment it connects over TLS, and trusts only that certificate authority.
"""

from __future__ import annotations

import json
import os
import ssl
import sys
from pathlib import Path
from typing import Any

framework, transport, serializer, port = sys.argv[1:5]
credentials = sys.argv[5:7]

import txaio  # noqa: E402 - which of the two follows depends on the command line

if framework == "twisted":
    from autobahn.twisted.wamp import ApplicationRunner, ApplicationSession
    from twisted.internet import reactor

    def stop() -> None:
        reactor.stop()
else:
    import asyncio

    from autobahn.asyncio.wamp import ApplicationRunner, ApplicationSession

    def stop() -> None:
        asyncio.get_event_loop().stop()


from autobahn.wamp.exception import ApplicationError  # noqa: E402
from autobahn.wamp.serializer import CBORSerializer, JsonSerializer, MsgPackSerializer  # noqa: E402
from autobahn.wamp.types import PublishOptions, SubscribeOptions  # noqa: E402

KINDS = {"json": JsonSerializer, "msgpack": MsgPackSerializer, "cbor": CBORSerializer}
SERIALIZERS = {
    f"{name}{ending}": kind(batched=bool(ending))
    for name, kind in KINDS.items()
    for ending in ("", ".batched")
}
PAYLOAD = [1, -(2**40), 2.5, "Grüße 🚦", None, True, [1, [2, {"a": []}]], b"\x00\xffbytes"]
LONG = "compressed " * 1000

seen: dict[str, Any] = {"client": [framework, transport, serializer]}


async def error_of(awaitable: Any) -> list[Any]:
    """The error a request ends in: URI, args, kwargs."""
    try:
        return ["no error", await awaitable]
    except ApplicationError as error:
        return [error.error, list(error.args), error.kwargs]


class Client(ApplicationSession):
    """Joins, exercises the router, leaves."""

    def onConnect(self) -> None:
        if credentials:
            self.join("radio", ["ticket"], credentials[0])
        else:
            self.join("radio")

    def onChallenge(self, challenge: Any) -> str:
        return credentials[1]

    async def onJoin(self, details: Any) -> None:
        seen["joined"] = [details.authid, details.authrole, details.authmethod]
        # ApplicationRunner offers compression on every WebSocket.
        extensions = getattr(self._transport, "websocket_extensions_in_use", [])
        seen["extensions"] = [extension.EXTENSION_NAME for extension in extensions]
        try:
            await self.exercise()
        except Exception as error:
            seen["failed"] = repr(error)
        self.leave()

    async def exercise(self) -> None:
        topic = f"test.{framework}.{transport}.{serializer}"
        received: list[Any] = []
        complete = txaio.create_future()

        def on_event(*args: Any, **kwargs: Any) -> None:
            received.append((args, kwargs))
            if len(received) == 3:
                txaio.resolve(complete, None)

        subscription = await self.subscribe(on_event, topic)
        options = PublishOptions(acknowledge=True, exclude_me=False)
        publication = await self.publish(topic, *PAYLOAD, options=options, key="value")
        seen["publication"] = isinstance(publication.id, int)
        for number in (2, LONG):
            await self.publish(topic, number, options=options)
        await complete
        (args, kwargs), *rest = received
        seen["payload"] = list(args) == PAYLOAD and kwargs == {"key": "value"}
        seen["order"] = [args[0] for args, _ in rest] == [2, LONG]
        await subscription.unsubscribe()

        retained = txaio.create_future()
        keep = PublishOptions(acknowledge=True, retain=True, exclude_me=False)
        await self.publish(f"{topic}.map", "kept", options=keep)
        late = SubscribeOptions(get_retained=True)
        await self.subscribe(lambda value: txaio.resolve(retained, value), f"{topic}.map", options=late)
        seen["retained"] = await retained

        def add(a: int, b: int, *, c: int = 0) -> int:
            return a + b + c

        def fail() -> None:
            raise ApplicationError("test.error", "reason", code=7)

        registration = await self.register(add, f"{topic}.add")
        await self.register(fail, f"{topic}.fail")
        seen["call"] = [await self.call(f"{topic}.add", 2, 3), await self.call(f"{topic}.add", 2, 3, c=4)]
        seen["application error"] = await error_of(self.call(f"{topic}.fail"))
        seen["registered twice"] = (await error_of(self.register(add, f"{topic}.add")))[0]
        await registration.unregister()
        seen["unregistered"] = (await error_of(self.call(f"{topic}.add", 1, 2)))[0]
        seen["echo"] = await self.call("radiod.echo", PAYLOAD) == PAYLOAD
        seen["not authorized"] = [
            (await error_of(self.publish("forbidden", options=PublishOptions(acknowledge=True))))[0],
            (await error_of(self.subscribe(on_event, "forbidden")))[0],
            (await error_of(self.register(add, "forbidden")))[0],
            (await error_of(self.call("forbidden")))[0],
        ]
        seen["invalid uri"] = (await error_of(self.subscribe(on_event, "not..valid")))[0]
        await self.channel(f"{topic}.temporary")

    async def channel(self, name: str) -> None:
        """Create a channel that ends by itself, and wait for that."""
        ended = txaio.create_future()

        def on_delete(event: dict[str, Any]) -> None:
            if event["name"] == name:
                txaio.resolve(ended, event)

        await self.subscribe(on_delete, "radiod.channel.on_delete")
        created = await self.call("radiod.channel.create", name, lifetime=0.25)
        seen["created"] = sorted(created)
        seen["exists"] = (await error_of(self.call("radiod.channel.create", name)))[0]
        seen["ended"] = (await ended)["reason"]
        late = self.publish(name, 1, options=PublishOptions(acknowledge=True))
        seen["closed"] = (await error_of(late))[0]

    def onLeave(self, details: Any) -> None:
        seen["left"] = details.reason
        self.disconnect()

    def onDisconnect(self) -> None:
        stop()


def trusting(file: str) -> Any:
    """What each framework wants to know of TLS."""
    if framework == "asyncio":
        return ssl.create_default_context(cafile=file)
    from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates

    root = Certificate.loadPEM(Path(file).read_bytes())
    return optionsForClientTLS("localhost", trustRoot=trustRootFromCertificates([root]))


ca = os.environ.get("CA_FILE")
scheme, path = ("ws", "/ws") if transport == "websocket" else ("rs", "")
where = f"{scheme}s://localhost" if ca else f"{scheme}://127.0.0.1"
runner = ApplicationRunner(
    f"{where}:{port}{path}",
    "radio",
    serializers=[SERIALIZERS[serializer]],
    ssl=trusting(ca) if ca else None,
)
try:
    runner.run(Client, log_level="error")
except Exception as error:
    seen.setdefault("left", repr(error))
# Autobahn on Twisted turns sys.stdout into a log.
print(json.dumps(seen), file=sys.__stdout__)
