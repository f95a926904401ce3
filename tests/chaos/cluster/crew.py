"""What all players share: the nodes as balancers see them, the books, and the time."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from random import Random

from chaos.cluster.logged_book import Book
from chaos.cluster.other_books import Call, Holding, Readiness, Window
from chaos.cluster.plain_book import Hearing, Life
from chaos.cluster.sessions import Gone, Session
from chaos.cluster.told_book import Being, Watch

__all__ = ["Crew", "Door"]

LOOK_S = 0.25
AGAIN_S = 0.2
ANSWER_S = 3.0


class Door:
    """Where one node is reached. ``process``: which one of the node's it is now, of all of the cluster."""

    def __init__(self, name: str, host: str, port: int) -> None:
        self.name = name
        self.host = host
        self.port = port
        self.process = 0
        self.readiness = Readiness(name)


class Crew:
    """See the module; ``troubles``: what no player may meet, one line each.

    ``acks``: node -> when the last acknowledged event was begun; ``accepted``: (node, begun, acknowledged) of
    those at nodes that are away; ``crossed``: (listener's node, publisher's) -> when the last plain event
    that came was sent; ``runs``: id of a call -> how often its callee was asked. ``beings``, ``watches``:
    see ``told_book``; ``slots``: who wrote where only one may; ``demands``, ``reasons``: what writers, and
    watchers, were told; ``deaths``: process -> when it was killed; ``is_still``: nobody comes or goes now.
    """

    def __init__(self, doors: list[Door], random: Random, pasts: list[str], topics: list[str]) -> None:
        self.doors = {door.name: door for door in doors}
        self.random = random
        self.books = {topic: Book(topic) for topic in pasts}
        self.topics = topics
        self.lives: list[Life] = []
        self.by_name: dict[tuple[str, int], Life] = {}
        self.hearings: list[Hearing] = []
        self.calls: list[Call] = []
        self.holdings: list[Holding] = []
        self.windows: list[Window] = []
        self.deaths: dict[int, float] = {}
        self.beings: list[Being] = []
        self.watches: list[Watch] = []
        self.slots: list[Holding] = []
        self.demands = 0
        self.taken_over = 0
        self.reasons: Counter[str] = Counter()
        self.is_still = False
        self.acks: dict[str, float] = {}
        self.accepted: list[tuple[str, float, float]] = []
        self.crossed: dict[tuple[str, str], float] = {}
        self.runs: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self.unanswered = 0
        self.published = 0
        self.slowest = 0.0
        self.moves = 0
        self.ends: Counter[str] = Counter()
        self.troubles: list[str] = []
        self.is_ending = False
        self.late = False
        self._processes = 0

    # --- nodes

    def began(self, name: str) -> None:
        """A node has a new process."""
        self._processes += 1
        self.doors[name].process = self._processes

    def died(self, name: str) -> None:
        """A node's process was killed: what it had not sent is gone, and nobody can tell."""
        self.deaths[self.doors[name].process] = time.monotonic()

    def away(self, name: str) -> None:
        """A node stands still, or is cut off, from now on."""
        self.windows.append(Window(name, time.monotonic()))

    def back(self, name: str) -> None:
        """It is not any more."""
        for window in self.windows:
            if window.node == name and window.until is None:
                window.until = time.monotonic()

    def is_away(self, name: str) -> bool:
        """Whether it is."""
        return any(window.node == name and window.until is None for window in self.windows)

    def choose(self, home: str, but: str = "") -> Door:
        """Where to go: home, if clients should go there; else anywhere they should; else anywhere."""
        ready = [door for door in self.doors.values() if door.readiness.status == 200 and door.name != but]
        if not ready:
            return self.random.choice(list(self.doors.values()))
        return next((door for door in ready if door.name == home), None) or self.random.choice(ready)

    async def dial(self, home: str, stays: bool = False) -> tuple[Door, Session] | None:
        """Connect somewhere, however long it takes. Returns: None: it is over."""
        but = ""
        while not self.is_ending:
            door = self.doors[home] if stays else self.choose(home, but)
            if stays and door.readiness.status not in (0, 200):
                # It begins, and does not know the others yet: no balancer would send anybody there.
                await asyncio.sleep(AGAIN_S)
                continue
            try:
                return door, await Session.open(door.host, door.port)
            except Gone:
                but = door.name
                await asyncio.sleep(AGAIN_S)
        return None

    async def watch(self) -> None:
        """Ask all nodes, again and again, whether they are ready."""
        await asyncio.gather(*(self._watch(door) for door in self.doors.values()))

    async def _watch(self, door: Door) -> None:
        while True:
            try:
                async with asyncio.timeout(ANSWER_S):
                    reader, writer = await asyncio.open_connection(door.host, door.port)
                    writer.write(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                    line = await reader.readline()
                    writer.close()
                status = int(line.split()[1])
            except (OSError, TimeoutError, IndexError, ValueError):
                status = 0
            door.readiness.note(time.monotonic(), status)
            await asyncio.sleep(LOOK_S)

    # --- books

    @property
    def dead(self) -> set[int]:
        """Processes of nodes that were killed."""
        return set(self.deaths)

    def came(self, kind: str, key: object, door: Door, *, is_sure: bool = True) -> Being:
        """One more is there; not ``is_sure``: perhaps."""
        being = Being(kind, key, door.name, door.process, time.monotonic(), is_dropped=not is_sure)
        self.beings.append(being)
        return being

    def sure(self, being: Being) -> None:
        """It is there, as its node has answered."""
        being.came, being.is_dropped = time.monotonic(), False

    def gone(self, being: Being | None) -> None:
        """It is there no more, perhaps since its node was killed; None: it never was."""
        if being is not None and being.went is None:
            being.went = time.monotonic()
            being.is_killed = being.process in self.deaths

    def life(self, name: str, number: int, door: Door, topic: str) -> Life:
        """A publisher's session on a plain topic."""
        life = Life(name, door.process, topic)
        self.lives.append(life)
        self.by_name[name, number] = life
        return life

    def trouble(self, text: str) -> None:
        """Something that no player may meet."""
        if len(self.troubles) < 20:
            self.troubles.append(text)

    async def guarded(self, what: Callable[[], object], name: str) -> None:
        """Run a player; what it raises is a trouble."""
        try:
            await what()  # type: ignore[misc]
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self.trouble(f"{name}: {error!r}")
