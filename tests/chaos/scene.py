"""What every scenario has: a folder, a seed, its time, and others who are at work and must not suffer."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from fuzz.target import CONFIG, Finding, Oracle, Target
from support.config import configuration
from support.running import Server, radiod

__all__ = ["CONFIG", "Scene", "Skipped", "durable", "judged", "must", "patient", "watched"]

SECONDS = 20.0
"""Patience: how long anything may take at all."""


class Skipped(Exception):
    """This machine cannot play the scenario; the text says why."""


@dataclass
class Scene:
    """What one scenario plays in."""

    folder: Path
    random: Random
    seconds: float

    def __post_init__(self) -> None:
        self._end = time.monotonic() + self.seconds

    def rounds(self, least: int = 1, most: int = 10**9) -> Iterator[int]:
        """0, 1, 2 … while there is time; ``least`` of them in any case."""
        number = 0
        while number < most and (number < least or time.monotonic() < self._end):
            yield number
            number += 1


def durable(path: Path) -> str:
    """The configuration with a store there, in which the oracle's log is kept."""
    log = '[realms.radio.channels."own.log"]\nhistory = { size = 1000000 }\ndurable = true\n'
    return configuration(f"{log}[store]\npath = {json.dumps(str(path))}\n", base=CONFIG)


def must(is_so: object, text: str) -> None:
    """Raises: Finding: it is not so."""
    if not is_so:
        raise Finding(text)


def patient(is_so: Callable[[], Any], text: str, seconds: float = SECONDS) -> Any:
    """Wait until it is so, and return what it is. Raises: Finding: it takes too long."""
    end = time.monotonic() + seconds
    while not (answer := is_so()):
        must(time.monotonic() < end, text)
        time.sleep(0.05)
    return answer


@contextlib.contextmanager
def watched(
    scene: Scene, config: str = CONFIG, *arguments: str, **options: Any
) -> Iterator[tuple[Server, Oracle]]:
    """A server, and an oracle who has had some events before anything happens, and gets some in the end.

    Memory and descriptors count from the beginning on. Raises: Finding: somebody suffered.
    """
    with radiod(scene.folder, config, None, *arguments, **options) as server, judged(server) as oracle:
        yield server, oracle


@contextlib.contextmanager
def judged(server: Server) -> Iterator[Oracle]:
    """The same, at a server that is there."""
    oracle = Oracle(Target(server))
    try:
        oracle.check()
        oracle.warmed()
        yield oracle
        oracle.check_end()
    finally:
        for pipe in (oracle.publisher, oracle.bystander, oracle.canary):
            pipe.close()
