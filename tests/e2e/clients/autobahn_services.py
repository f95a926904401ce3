"""Autobahn|Python, unmodified: calls a service of the Python client, and offers procedures that it calls.

``autobahn_services.py URL``: prints what it got as a line of JSON, then serves until it is ended.
"""

import asyncio
import json
import sys

from autobahn.asyncio.component import Component, run
from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.types import CallOptions, RegisterOptions

component = Component(transports=[{"url": sys.argv[1], "type": "websocket"}], realm="radio")


def add(a, b=0):
    return a + b


async def count(n, details):
    for number in range(n):
        details.progress(number)
        await asyncio.sleep(0)
    return "end"


async def failure(call):
    try:
        await call
    except ApplicationError as error:
        return [error.error, list(error.args), error.kwargs]


@component.on_join
async def joined(session, details):
    await session.register(add, "stock.add")
    await session.register(count, "stock.count", options=RegisterOptions(details_arg="details"))
    progress = []
    options = CallOptions(on_progress=progress.append)
    seen = {
        "sum": await session.call("rpc.calc.add", 1, b=2),
        "nested": await session.call("rpc.calc.trig.half", 3),
        "coroutine": await session.call("rpc.calc.mul", 6, 7),
        "all": await session.call("rpc.calc.count", 3),
        "result": await session.call("rpc.calc.acount", 3, options=options),
        "progress": progress,
        "failed": await failure(session.call("rpc.calc.fail")),
        "refused": await failure(session.call("rpc.calc.refuse")),
        "wrong": (await failure(session.call("rpc.calc.add")))[2]["type"],
        "late": (await failure(session.call("rpc.calc.wait", options=CallOptions(timeout=200))))[0],
    }
    print(json.dumps(seen), flush=True)


run([component], log_level="error")
