"""Those who come and go, own channels, write where one may, and leave a testament; and who watches them."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from chaos.cluster.crew import Crew, Door
from chaos.cluster.other_books import Holding
from chaos.cluster.players import Mover
from chaos.cluster.sessions import CALL, PUBLISH, SUBSCRIBE, Gone, Refusal, Session
from chaos.cluster.told_book import CAME, CHANNEL, PERSON, SESSION, WENT, WILL, Being, Watch

__all__ = ["SOLO", "Owner", "Person", "Seeker", "Testator", "Watcher", "Writer", "booth", "folk_of"]

SOLO = "solo"
"""A channel with a single writer."""

WILLS = "will"
WAIT_S = 2
"""Seconds that the second channel of each owner waits for somebody to come with its key."""

LEAVING = "wamp.close.system_shutdown"
"""Why sessions end whose node is drained."""

CLOSED = {"radiod.error.channel_closed", "radiod.error.no_such_channel", "radiod.error.bad_key"}


def booth(node: str) -> str:
    """A channel with presence, whose listeners are all at one node, and its writers at each."""
    return f"booth.{node}"


def folk_of(crew: Crew, node: str) -> list[Mover]:
    """Those whose home is a node, watchers first."""
    return [
        *(Watcher(crew, f"watcher {node}{match}", node, match) for match in ("exact", "prefix")),
        Writer(crew, f"writer {node}", node, stays=True),
        *(Person(crew, f"person {node}{at}", node, is_restless=at > 1) for at in range(3)),
        Owner(crew, f"owner {node}", node),
        *(Testator(crew, f"testator {node}{at}", node) for at in range(2)),
        Seeker(crew, f"seeker {node}", node, stays=True),
    ]


async def ended(session: Session, seconds: float | None = None) -> None:
    """Wait until a session is over, for so long at most."""
    over = asyncio.Event()
    session.on_end = over.set
    if session.is_gone:
        return
    try:
        async with asyncio.timeout(seconds):
            await over.wait()
    except TimeoutError:
        pass


class Watcher(Mover):
    """Notes all that is told. ``views``: booth -> authid -> sessions; ``match``: how it has presence."""

    def __init__(self, crew: Crew, name: str, home: str, match: str) -> None:
        super().__init__(crew, name, home, stays=True)
        self.match = match
        self.is_listening = False
        self.views: dict[str, dict[str, int]] = {}
        self._watch = Watch(home, 0, 0.0)

    async def live(self, door: Door, session: Session) -> None:
        handlers: dict[int, Any] = {}
        early: list[Any] = []
        watch = self._watch = Watch(self.home, door.process, time.monotonic())
        self.views = {booth(node): {} for node in self.crew.doors}

        def hear(message: Any) -> None:
            handler = handlers.get(message[1])
            if handler is None:
                early.append(message)
            else:
                self._hear(watch, handler, message)

        session.on_event = hear
        for topic, match, handler in self._topics():
            options = {"match": match, "get_retained": True} if handler == self._presence else {}
            answer = await session.answer(SUBSCRIBE, options, topic)
            handlers[answer[2]] = handler
            waiting, early = early, []
            for message in waiting:
                hear(message)
        # What is told from now on is whole.
        watch.began = time.monotonic()
        self.crew.watches.append(watch)
        self.is_listening = True
        await ended(session)

    def over(self, session: Session) -> None:
        self.is_listening = False
        self._watch.ended = time.monotonic()

    def _topics(self) -> list[tuple[str, str, Any]]:
        booths = [booth(node) for node in self.crew.doors] if self.match == "exact" else ["booth."]
        return [
            ("wamp.session.on_join", "exact", self._joined),
            ("wamp.session.on_leave", "exact", self._left),
            ("radiod.channel.on_create", "exact", self._created),
            ("radiod.channel.on_delete", "exact", self._deleted),
            (WILLS, "exact", self._will),
            *((f"radiod.presence.{name}", self.match, self._presence) for name in booths),
        ]

    def _hear(self, watch: Watch, handler: Any, message: Any) -> None:
        watch.lost += message[3].get("_lost", 0)
        handler(watch, message[4], time.monotonic())

    def _joined(self, watch: Watch, told: Any, now: float) -> None:
        watch.note(SESSION, told[0]["session"], CAME, now)

    def _left(self, watch: Watch, told: Any, now: float) -> None:
        watch.note(SESSION, told[0], WENT, now)

    def _created(self, watch: Watch, told: Any, now: float) -> None:
        watch.note(CHANNEL, told[0]["name"], CAME, now)

    def _deleted(self, watch: Watch, told: Any, now: float) -> None:
        watch.note(CHANNEL, told[0]["name"], WENT, now)
        self.crew.reasons[told[0]["reason"]] += 1

    def _will(self, watch: Watch, told: Any, now: float) -> None:
        watch.note(WILL, told[0], WENT, now)

    def _presence(self, watch: Watch, told: Any, now: float) -> None:
        change = told[0]
        view = self.views.setdefault(change["name"], {})
        if "event" not in change:
            view.clear()
            view.update(change["users"])
            return
        authid, sessions = change["authid"], change["sessions"]
        if change["event"] != "change":
            watch.note(PERSON, authid, CAME if change["event"] == "join" else WENT, now)
        if sessions:
            view[authid] = sessions
        else:
            view.pop(authid, None)
        if (len(view), sum(view.values())) != (change["users"], change["total"]):
            self.crew.trouble(f"{self.name}: {len(view)} are there, and it was told {change}")


class Person(Mover):
    """Listens to the booth of its node; ``is_restless``: leaves again and again."""

    def __init__(self, crew: Crew, name: str, home: str, is_restless: bool) -> None:
        super().__init__(crew, name, home, stays=True)
        self.is_restless = is_restless
        self.authid = ""
        """Empty: it does not listen now."""
        self._being: Being | None = None

    async def live(self, door: Door, session: Session) -> None:
        being = self.crew.came(PERSON, session.authid, door, is_sure=False)
        self._being = being
        await session.answer(SUBSCRIBE, {}, booth(self.home))
        self.crew.sure(being)
        self.authid = session.authid
        while not session.is_gone:
            await ended(session, self.crew.random.uniform(2, 6))
            if self.is_restless and not self.crew.is_still and not self.crew.is_ending:
                break

    def over(self, session: Session) -> None:
        self.authid = ""
        self.crew.gone(self._being)
        self._being = None


class Writer(Mover):
    """Has the booths of all nodes open for writing. ``state``: booth -> whether it was told that somebody
    listens."""

    state: dict[str, bool]

    async def live(self, door: Door, session: Session) -> None:
        self.state = {}
        session.on_event = lambda message: self._told(message[4][0])
        await session.answer(SUBSCRIBE, {}, "radiod.channel.on_demand")
        for node in self.crew.doors:
            answer = await session.answer(CALL, {}, "radiod.channel.open_write", [booth(node)])
            self.state.setdefault(booth(node), answer[3][0]["active"])
        await ended(session)

    def over(self, session: Session) -> None:
        self.state = {}

    def _told(self, demand: Any) -> None:
        name, is_active = demand["name"], demand["active"]
        if self.state.get(name) is is_active:
            self.crew.trouble(f"{self.name}: told twice of {demand}")
        self.state[name] = is_active
        self.crew.demands += 1


class Owner(Mover):
    """Owns two channels: one ends with it, the other waits for somebody for a moment."""

    def __init__(self, crew: Crew, name: str, home: str) -> None:
        super().__init__(crew, name, home)
        self._count = 0
        self._changed = asyncio.Event()
        # name -> its key, and what is known of it
        self.held: dict[str, tuple[str, Being]] = {}

    def go_home(self) -> None:
        """Change the node; what ends with its owner ends."""
        self.is_called_home = True
        self._changed.set()

    async def live(self, door: Door, session: Session) -> None:
        changed = self._changed

        def told(message: Any) -> None:
            self._ended(message[4][0]["name"])
            changed.set()

        session.on_event = told
        session.on_end = changed.set
        await session.answer(SUBSCRIBE, {}, "radiod.channel.on_delete")
        for name in list(self.held):
            await self._take_over(session, door, name)
        while not session.is_gone:
            for rule in ("delete", WAIT_S):
                if not any(name.startswith(f"own.{rule}.") for name in self.held):
                    await self._create(session, door, rule)
            await changed.wait()
            changed.clear()
            if self.is_called_home:
                break

    async def _create(self, session: Session, door: Door, rule: object) -> None:
        self._count += 1
        name = f"own.{rule}.{self.home}{self._count}"
        being = self.crew.came(CHANNEL, name, door, is_sure=False)
        being.slower_s = 0 if rule == "delete" else WAIT_S
        answer = await session.answer(
            CALL, {}, "radiod.channel.create", [name], {"on_owner_leave": rule, "lifetime": 3600}
        )
        self.crew.sure(being)
        self.held[name] = answer[3][0]["control_key"], being

    async def _take_over(self, session: Session, door: Door, name: str) -> None:
        key, being = self.held[name]
        try:
            await session.answer(CALL, {}, "radiod.channel.open_write", [name], {"control_key": key})
        except Refusal as refusal:
            if refusal.uri not in CLOSED:
                raise
            self._ended(name)
            if being.went is None and not being.is_dropped:
                self.crew.trouble(f"{self.name}: {name} ended, though it came in time: {refusal}")
        else:
            being.node, being.process = door.name, door.process
            self.crew.taken_over += 1

    def _ended(self, name: str) -> None:
        found = self.held.pop(name, None)
        if found is not None and found[1].went is None:
            # By others, who took its node for dead: all watchers must say the same.
            found[1].went = time.monotonic()
            if not any(window.node == found[1].node for window in self.crew.windows):
                self.crew.trouble(f"{self.name}: {name} was ended by others, and its node was never away")

    def over(self, session: Session) -> None:
        if session.why == LEAVING:
            return
        held, self.held = self.held, {}
        for _, being in held.values():
            self.crew.gone(being)
            being.is_dropped = not being.is_killed and session.why != ""


class Testator(Mover):
    """Leaves a testament, and goes in some seconds."""

    def __init__(self, crew: Crew, name: str, home: str) -> None:
        super().__init__(crew, name, home)
        self._being: Being | None = None

    async def live(self, door: Door, session: Session) -> None:
        will = f"{self.name} {self.life}"
        self._being = being = self.crew.came(WILL, will, door, is_sure=False)
        await session.answer(CALL, {}, "wamp.session.add_testament", [WILLS, [will], {}])
        self.crew.sure(being)
        await ended(session, self.crew.random.uniform(3, 9))

    def over(self, session: Session) -> None:
        self.crew.gone(self._being)
        self._being = None


class Seeker(Mover):
    """Tries to be the writer of a channel with a single one, writes, and lets others."""

    async def live(self, door: Door, session: Session) -> None:
        while self.wants_on(session):
            try:
                await session.answer(CALL, {}, "radiod.channel.open_write", [SOLO])
            except Refusal as refusal:
                self.crew.refusals[f"slot {refusal.uri}"] += 1
                await asyncio.sleep(self.crew.random.uniform(0.1, 0.4))
                continue
            holding = Holding(self.home, time.monotonic(), process=door.process)
            self.crew.slots.append(holding)
            try:
                await self._write(session, holding)
                await session.answer(CALL, {}, "radiod.channel.close_write", [SOLO])
            finally:
                holding.ended = holding.ended or time.monotonic()
                holding.why = session.why

    async def _write(self, session: Session, holding: Holding) -> None:
        try:
            await session.answer(PUBLISH, {"acknowledge": True}, SOLO, ["mine"])
        except Refusal as refusal:
            self.crew.trouble(f"{self.name} has the slot, and may not publish: {refusal}")
        await ended(session, self.crew.random.uniform(0.2, 1.0))
        holding.ended = time.monotonic()
        if session.is_gone:
            raise Gone(session.why)
