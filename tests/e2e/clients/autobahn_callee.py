"""A stock callee that takes a procedure over, or one call of it.

autobahn_callee.py PORT serve NAME     registers "taken", with force_reregister, says "ready" and answers NAME
autobahn_callee.py PORT call           calls "taken" and prints the answer
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from autobahn.asyncio.component import Component
from autobahn.wamp.types import RegisterOptions

port, mode, *name = sys.argv[1:]
component = Component(transports=f"ws://127.0.0.1:{port}/ws", realm="radio")


@component.on_join
async def joined(session: Any, details: Any) -> None:
    if mode == "call":
        print(await session.call("taken"), flush=True)
        session.leave()
    else:
        await session.register(lambda: name[0], "taken", options=RegisterOptions(force_reregister=True))
        print("ready", flush=True)


async def main() -> None:
    await component.start()


asyncio.run(main())
