"""A stock client that opens three sessions on one connection, one after the other.

autobahn_series.py PORT     prints each session's answer to one call, then "disconnected"
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from autobahn.asyncio.wamp import ApplicationRunner, ApplicationSession


class Series(ApplicationSession):
    """As Autobahn's example session/series does it."""

    left = 0

    async def onJoin(self, details: Any) -> None:
        print(await self.call("radiod.echo", self.left), flush=True)
        self.leave()

    def onLeave(self, details: Any) -> None:
        self.left += 1
        if self.left < 3:
            self.join("radio")
        else:
            self.disconnect()

    def onDisconnect(self) -> None:
        print("disconnected", flush=True)
        asyncio.get_event_loop().stop()


ApplicationRunner(f"ws://127.0.0.1:{sys.argv[1]}/ws", "radio").run(Series)
