"""A stock Autobahn|Python client that listens until it hears "end", and prints what became of it.

autobahn_listener.py json|msgpack|cbor PORT TOPIC [repr]

Lines: ready; with ``repr`` the arguments of each event as Python writes them; at last {"heard", "closed"}.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from autobahn.twisted.wamp import ApplicationRunner, ApplicationSession
from autobahn.wamp.serializer import CBORSerializer, JsonSerializer, MsgPackSerializer
from twisted.internet import reactor

serializer, port, topic = sys.argv[1:4]
KINDS = {"json": JsonSerializer, "msgpack": MsgPackSerializer, "cbor": CBORSerializer}
heard = 0
ended = False


def say(line: str) -> None:
    # Autobahn's runner takes ``sys.stdout`` for its log.
    print(line, file=sys.__stdout__, flush=True)


class Listener(ApplicationSession):
    """Counts events."""

    async def onJoin(self, details: Any) -> None:
        await self.subscribe(self.event, topic)
        say("ready")

    def event(self, *args: Any, **kwargs: Any) -> None:
        global heard, ended
        if args == ("end",):
            ended = True
            self.finish(None)
            return
        heard += 1
        if sys.argv[4:]:
            say(repr(args))

    def finish(self, reason: str | None) -> None:
        say(json.dumps({"heard": heard, "closed": reason}))
        if reactor.running:
            reactor.stop()

    def onLeave(self, details: Any) -> None:
        if not ended:
            self.finish(details.reason)
        # Else the runner waits for ten seconds until it hangs up.
        self.disconnect()


ApplicationRunner(f"ws://127.0.0.1:{port}/ws", "radio", serializers=[KINDS[serializer]()]).run(Listener)
