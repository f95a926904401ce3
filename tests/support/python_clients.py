"""What tests of the Python client against a real server share: waiting, cuts, both faces under one shape."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

from radiod_client import CallError, Radio

from support.running import ROOT, environment

__all__ = ["PYTHON", "SECONDS", "cut", "numbers", "readers", "run", "wait_for"]

SECONDS = 30
"""A bound for what should happen at once."""
PYTHON = {**environment(), "PYTHONPATH": f"{ROOT}:{ROOT / 'clients' / 'python'}", "PYTHONUNBUFFERED": "1"}


def wait_for(is_so: Callable[[], Any]) -> None:
    """Poll. Raises: AssertionError: it takes too long."""
    end = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.005)


def cut(radio: Radio) -> None:
    """Break the connection of a blocking Radio, as a network does; it comes back by itself."""
    session, driver = radio.session, radio._radio._driver
    assert driver is not None
    assert driver.transport is not None
    radio._later(driver.transport.abort)
    wait_for(lambda: radio.session not in (session, None) and radio.state == "open")


def readers(channel: Any) -> int:
    """How many listen; a topic whose events nobody counts is no channel."""
    try:
        return int(channel.info()["readers"])
    except CallError:
        return 0


def numbers(listening: Any, last: int) -> list[Any]:
    """Data and gaps up to this one."""
    found: list[Any] = []
    while not found or found[-1][0] != last:
        sample = listening.get(SECONDS)
        found.append((sample.data, sample.gap))
    return found


def run(coroutine: Any) -> Any:
    """In a loop of its own, of which no task and no thread may be left. Returns: what it returned."""
    before = threading.active_count()

    async def bounded() -> Any:
        found = await asyncio.wait_for(coroutine, 2 * SECONDS)
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        assert not left
        return found

    found = asyncio.run(bounded())
    wait_for(lambda: threading.active_count() <= before)
    return found
