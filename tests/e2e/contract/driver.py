"""Drives a face of the Python client as ``clients/contract.toml`` has it: ``driver.py blocking|aio|tx``."""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
import time
from typing import Any

import numpy as np
from radiod_client import CallError, Disconnected, LoginRefused

FACE = sys.argv[1]

if FACE == "tx":
    from radiod_client.tx import Radio
    from twisted.internet.defer import ensureDeferred
    from twisted.internet.task import react
    from twisted.internet.threads import deferToThread
elif FACE == "aio":
    from radiod_client.aio import Radio
else:
    from radiod_client import Radio

KINDS = {
    TimeoutError: "timeout",
    Disconnected: "disconnected",
    LoginRefused: "refused",
}


def kind_of(error: Exception) -> str:
    for type_, kind in KINDS.items():
        if isinstance(error, type_):
            return kind
    return "refused" if isinstance(error, CallError) else "invalid"


async def now(value: Any) -> Any:
    """The value, whatever the face calls it."""
    return await value if inspect.isawaitable(value) else value


async def line() -> str:
    if FACE == "tx":
        return await deferToThread(sys.stdin.readline)
    return await asyncio.to_thread(sys.stdin.readline)


def plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    return {key: plain(one) for key, one in value.items()} if isinstance(value, dict) else value


class Driver:
    def __init__(self) -> None:
        self.radio: Any = None
        self.listenings: dict[str, Any] = {}

    async def connect(self, url: str, key: dict[str, str] | None = None) -> None:
        if self.radio is not None:
            await now(self.radio.close())
        login = {"authid": key["id"], "ticket": key["secret"]} if key else {}
        self.radio = Radio(url, **login)
        await now(self.radio.connect())

    async def open(self, channel: str) -> None:
        self.listenings[channel] = await now(self.radio.channel(channel).listen(queue=10000))

    async def take(self, channel: str, until: int, seconds: float, live: bool = False) -> list[Any]:
        if live:
            await self.open(channel)
        samples, end = [], time.monotonic() + seconds
        while not samples or samples[-1][0]["n"] != until:
            sample = await now(self.listenings[channel].get(end - time.monotonic()))
            gap = sample.gap
            data = {key: plain(value) for key, value in sample.data.items() if key != "filling"}
            samples.append([data, sample.position, gap and gap.lost, gap and gap.reason])
        return samples

    async def publish(self, channel: str, data: Any) -> None:
        await now(self.radio.channel(channel).publish(data))

    async def call(self, procedure: str, args: list[Any], seconds: float) -> Any:
        answer = await now(self.radio.call(procedure, *args, timeout=seconds))
        return list(answer.args) if hasattr(answer, "args") else answer

    async def close(self) -> None:
        await now(self.radio.close())


async def main(*_: Any) -> None:
    driver = Driver()
    while text := await line():
        request = json.loads(text)
        do = request.pop("do")
        try:
            answer = {"ok": await getattr(driver, do)(**request)}
        except Exception as error:
            answer = {"error": kind_of(error), "text": str(error)}
        print(json.dumps(answer), flush=True)
        if do == "close":
            return


if FACE == "tx":
    react(lambda reactor: ensureDeferred(main(reactor)))
else:
    asyncio.run(main())
