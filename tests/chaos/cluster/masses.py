"""Many: topics that somebody listens to, those who learn of everybody's coming and going, and the comers."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections import Counter
from typing import Any

from support.running import ROOT, environment

from chaos.cluster.crew import Crew, Door
from chaos.cluster.players import Mover
from chaos.cluster.sessions import SUBSCRIBE, Session

__all__ = ["Coming", "Crowd", "Subscriber", "Watcher"]

WINDOW = 100
"""Requests of one session that wait for an answer."""

WATCHED = (
    "wamp.session.on_join",
    "wamp.session.on_leave",
    "wamp.subscription.on_create",
    "wamp.subscription.on_delete",
    "wamp.registration.on_create",
    "wamp.registration.on_delete",
    "radiod.channel.on_create",
    "radiod.channel.on_delete",
)


class Many(Mover):
    """Somebody who stays at a node, and subscribes to many topics. ``is_whole``: all of them answered."""

    def __init__(self, crew: Crew, name: str, home: str, topics: list[str]) -> None:
        super().__init__(crew, name, home, stays=True)
        self.topics = topics
        self.is_whole = False
        self.session: Session | None = None

    async def live(self, door: Door, session: Session) -> None:
        ended = asyncio.Event()
        session.on_end = ended.set
        self.session = session
        self.begin(session)
        for start in range(0, len(self.topics), WINDOW):
            some = self.topics[start : start + WINDOW]
            await asyncio.gather(*(session.answer(SUBSCRIBE, {}, topic) for topic in some))
        self.is_whole = True
        await ended.wait()

    def begin(self, session: Session) -> None:
        """Before the first of them."""

    def over(self, session: Session) -> None:
        self.is_whole = False
        self.session = None


class Subscriber(Many):
    """Listens to some of the many topics."""


class Crowd(Many):
    """Is present where presence is told."""


class Watcher(Many):
    """Learns of all sessions, subscriptions, registrations and channels, on all nodes.

    ``here``: sessions of whose coming it has learned, and not of their going; ``odd``: how many came twice;
    ``lost``: events that were lost on the way to it; ``heard``: by what they tell.
    """

    def __init__(self, crew: Crew, name: str, home: str) -> None:
        super().__init__(crew, name, home, list(WATCHED))
        self.heard: Counter[str] = Counter()
        self.here: set[int] = set()
        self.odd = 0
        self.lost = 0

    def begin(self, session: Session) -> None:
        self.here = set()
        session.on_event = self._hear

    def _hear(self, message: Any) -> None:
        self.lost += message[3].get("_lost", 0)
        told = message[4] if len(message) > 4 else []
        # They are known by what they tell: an event may come before its SUBSCRIBED is taken in.
        if len(told) == 1 and isinstance(told[0], dict) and "authmethod" in told[0]:
            session = told[0]["session"]
            self.odd += session in self.here
            self.here.add(session)
            self.heard["joins"] += 1
        elif len(told) == 3 and isinstance(told[1], str):
            self.here.discard(told[0])
            self.heard["leaves"] += 1
        else:
            self.heard["others"] += 1


class Coming:
    """The comers' process. ``counts``: what it has told last."""

    def __init__(self, rate: float, stay_s: float, doors: list[Door]) -> None:
        self.counts: dict[str, int] = {}
        places = [f"{door.host}:{door.port}" for door in doors]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "chaos.cluster.comers", str(rate), str(stay_s), *places],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env=environment() | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.counts = json.loads(line)

    @property
    def pid(self) -> int:
        """Of its process."""
        return self._process.pid

    @property
    def has_failed(self) -> bool:
        """Whether it has ended by itself."""
        return self._process.poll() is not None

    def end(self, seconds: float = 60.0) -> dict[str, int]:
        """Let nobody in any more, and wait until all have left. Returns: what it has done."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
        self._reader.join(5)
        return self.counts

    def kill(self) -> None:
        """At once."""
        self._process.kill()
        self._process.wait(10)
