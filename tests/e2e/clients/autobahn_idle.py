"""A stock Autobahn|Python client over RawSocket that says nothing until it hears an event.

autobahn_idle.py twisted|asyncio PORT; prints READY, and then HEARD, or why it left.
"""

from __future__ import annotations

import sys
from typing import Any

framework, port = sys.argv[1:]

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


def say(word: str) -> None:
    # Autobahn on Twisted turns sys.stdout into a log.
    print(word, file=sys.__stdout__, flush=True)


class Client(ApplicationSession):
    """Waits."""

    async def onJoin(self, details: Any) -> None:
        def on_event(*args: Any) -> None:
            say("HEARD")
            self.leave()

        await self.subscribe(on_event, "idle")
        say("READY")

    def onLeave(self, details: Any) -> None:
        self.disconnect()

    def onDisconnect(self) -> None:
        say("LEFT")
        stop()


ApplicationRunner(f"rs://127.0.0.1:{port}", "radio").run(Client, log_level="error")
