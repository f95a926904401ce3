"""The players of a cluster, in a thread of their own; what they saw is judged in the end."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from fuzz.target import Finding

from chaos.cluster.crew import Crew
from chaos.cluster.folk import Owner, Watcher, folk_of
from chaos.cluster.players import (
    Callee,
    Caller,
    Holder,
    Listener,
    Mover,
    PlainListener,
    PlainPublisher,
    Publisher,
)
from chaos.cluster.sessions import PUBLISH, Gone, Session
from chaos.scene import patient

__all__ = ["Load", "Scale"]

BEGIN_S = 12.0
SETTLE_S = 40.0
CONVERGE_S = 60.0
"""Patience. What is promised is looked at behind it, with the figures."""


@dataclass(frozen=True)
class Scale:
    """Who plays.

    At each node: ``publishers`` to channels with a history and ``listeners`` of these, and one listener and
    one publisher of each of ``topics`` plain ones; ``rate``, ``plain_rate``: events of a publisher a second;
    ``calls``: from each node to each, a second; ``pasts``: channels with a history, every other one durable;
    ``has_folk``: whether those of ``folk`` play, too.
    """

    pasts: int = 4
    publishers: int = 2
    listeners: int = 8
    rate: float = 20.0
    topics: int = 2
    plain_rate: float = 10.0
    calls: float = 4.0
    has_folk: bool = True

    def __str__(self) -> str:
        logged = 3 * self.publishers * self.rate
        plain = 3 * self.topics * self.plain_rate
        return (
            f"{3 * self.listeners} listeners, {logged:g} acknowledged events/s; {plain:g} plain/s to"
            f" {3 * self.topics} listeners; {9 * self.calls:g} calls/s"
        )


class Load:
    """Plays from entering to ``end``. ``crew``: the books."""

    def __init__(self, crew: Crew, scale: Scale) -> None:
        self.crew = crew
        self.scale = scale
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._tasks: list[asyncio.Task[None]] = []
        self.listeners: list[Listener] = []
        self.plain: list[PlainListener] = []
        self.publishers: list[Publisher] = []
        self.folk: list[Mover] = []
        self.cold = 0
        self.converge_s = CONVERGE_S

    # --- its life

    def __enter__(self) -> Load:
        self._thread.start()
        try:
            self.soon(self._begin(), BEGIN_S * 3)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        self.crew.is_ending = True
        self.soon(self._leave(), 20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _leave(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def soon(self, what: Coroutine[Any, Any, Any], seconds: float) -> Any:
        """Run something in the players' thread, and wait for it."""
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(seconds)

    def _play(self, player: Mover) -> None:
        task = self._loop.create_task(self.crew.guarded(player.run, player.name))
        self._tasks.append(task)

    async def _begin(self) -> None:
        """Listeners first: what is published comes to all of them."""
        self._tasks.append(self._loop.create_task(self.crew.watch()))
        pasts, nodes = list(self.crew.books), list(self.crew.doors)
        await self._begin_listening(pasts, nodes)
        self._begin_publishing(pasts, nodes)
        await self._until(lambda: all(one.reader.heard for one in self.listeners), "hearing anything")

    async def _begin_listening(self, pasts: list[str], nodes: list[str]) -> None:
        crew, scale = self.crew, self.scale
        for node in nodes:
            for at in range(scale.listeners):
                topic = pasts[at % len(pasts)]
                self.listeners.append(Listener(crew, f"l-{node}{at}", node, topic))
            self.plain += [PlainListener(crew, f"p-{node}{topic}", node, topic) for topic in crew.topics]
            self.folk += folk_of(crew, node) if scale.has_folk else []
        watchers = [one for one in self.folk if isinstance(one, Watcher)]
        waiting = (*self.listeners, *self.plain, *watchers)
        for player in waiting:
            self._play(player)
        await self._until(lambda: all(one.is_listening for one in waiting), "listening")
        for other in self.folk:
            if other not in watchers:
                self._play(other)

    def _begin_publishing(self, pasts: list[str], nodes: list[str]) -> None:
        crew, scale = self.crew, self.scale
        for at, node in enumerate(nodes):
            for number in range(scale.publishers):
                topic = pasts[(at * scale.publishers + number) % len(pasts)]
                # One at each node stays there: it tells when its node works again.
                publisher = Publisher(crew, f"w-{node}{number}", node, topic, scale.rate, stays=not number)
                self.publishers.append(publisher)
            for topic in crew.topics:
                self.publishers.append(
                    PlainPublisher(crew, f"v-{node}{topic}", node, topic, scale.plain_rate, stays=True)
                )
            for player in (
                Callee(crew, f"callee {node}", node, stays=True),
                Holder(crew, node, node, stays=True),
            ):
                self._play(player)
            self._play(Caller(crew, f"caller {node}", node, scale.calls))
        for player in self.publishers:
            self._play(player)

    async def _until(self, is_so: Callable[[], bool], what: str, seconds: float = BEGIN_S) -> None:
        end = time.monotonic() + seconds
        while not is_so():
            if time.monotonic() > end:
                crew = self.crew
                raise Finding(f"not all are {what}: {crew.troubles} {dict(crew.refusals)} {dict(crew.ends)}")
            await asyncio.sleep(0.05)

    # --- meanwhile

    def add(self, player: Mover) -> None:
        """One more."""
        self._loop.call_soon_threadsafe(self._play, player)

    def converged(self, since: float) -> float:
        """Wait until all nodes work together again. Returns: seconds since then."""
        try:
            patient(lambda: not self.unconverged(since), "late", self.converge_s)
        except Finding:
            raise Finding(f"not converged after {self.converge_s:g} s: {self.unconverged(since)}") from None
        return time.monotonic() - since

    def unconverged(self, since: float) -> list[str]:
        """What does not work again yet."""
        crew, nodes = self.crew, list(self.crew.doors)
        found = [f"{node} is not ready" for node in nodes if crew.doors[node].readiness.status != 200]
        found += [f"{node} has no log" for node in nodes if crew.acks.get(node, 0.0) < since]
        pairs = [(one, other) for one in nodes for other in nodes]
        works = {
            (call.caller, call.callee)
            for call in crew.calls[-2000:]
            if call.outcome == "ok" and call.began > since
        }
        found += [f"{one} does not reach {other}" for one, other in pairs if (one, other) not in works]
        if self.scale.topics:
            found += [
                f"{one} does not hear {other}"
                for one, other in pairs
                if crew.crossed.get((one, other), 0.0) < since
            ]
        if not any(holding.began > since for holding in crew.holdings[-100:]):
            found.append("nobody could register")
        return found

    @contextlib.asynccontextmanager
    async def session(self, node: str) -> AsyncIterator[Session]:
        """One more, at a node. Raises: Gone."""
        door = self.crew.doors[node]
        session = await Session.open(door.host, door.port)
        try:
            yield session
        finally:
            session.close()

    def spread(self) -> None:
        """Have everybody go home who is elsewhere: they change their nodes under load."""
        self._loop.call_soon_threadsafe(self._spread)

    def _spread(self) -> None:
        for one in (*self.listeners, *self.publishers, *self.folk):
            if one.node != one.home and not one.stays:
                if isinstance(one, Listener | Owner):
                    one.go_home()
                one.is_called_home = True

    # --- the end

    def end(self) -> None:
        """Stop publishing, have everything arrive that is on its way, and everybody hear the end."""
        self.soon(self._end(), SETTLE_S * 4)

    async def _end(self) -> None:
        crew = self.crew
        crew.is_ending = True
        await self._until(lambda: not any(one.outstanding for one in self.publishers), "answered", SETTLE_S)
        for door in crew.doors.values():
            await self._close(door.name)
        try:
            await self._until(self._is_all_heard, "at the end", SETTLE_S)
        except Finding:
            # It is told with the figures.
            crew.late = True
        await asyncio.sleep(0.5)

    async def _close(self, node: str) -> None:
        """One last event on each plain topic, from each node: it tells of all that was lost before."""
        crew, door = self.crew, self.crew.doors[node]
        for attempt in range(50):
            try:
                session = await Session.open(door.host, door.port)
                for topic in crew.topics:
                    name = f"end-{node}{topic}"
                    life = crew.life(name, attempt, door, topic)
                    life.sent = 1
                    sample = [name, attempt, 0, node, time.monotonic()]
                    await session.answer(PUBLISH, {"acknowledge": True}, topic, sample)
                    life.taken = 1
                session.close()
                return
            except Gone:
                await asyncio.sleep(0.2)
        crew.trouble(f"{node} lets nobody in at the end")

    def _is_all_heard(self) -> bool:
        crew = self.crew
        ends = [life for life in crew.lives if life.name.startswith("end-") and life.taken]
        for one in self.plain:
            hearing = one.hearing
            if hearing is None or hearing.is_over:
                continue
            if any(life.topic == one.topic and life not in hearing.last for life in ends):
                return False
        return all(
            reader.next == len(book.order) for book in crew.books.values() for reader in book.readers
        ) and not any(book.missing() for book in crew.books.values())
