"""Those who use the radio: they publish, listen, call and register, and go elsewhere with their positions."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from chaos.cluster.crew import Crew, Door
from chaos.cluster.logged_book import Event, Place, Reader
from chaos.cluster.other_books import Call, Holding
from chaos.cluster.plain_book import Hearing
from chaos.cluster.sessions import (
    CALL,
    ERROR,
    INVOCATION,
    PUBLISH,
    REGISTER,
    SUBSCRIBE,
    UNREGISTER,
    YIELD,
    Gone,
    Refusal,
    Session,
)
from chaos.cluster.told_book import SESSION

__all__ = [
    "Callee", "Caller", "Holder", "Listener", "Mover", "PlainListener", "PlainPublisher", "Publisher",
]  # fmt: skip

OUTSTANDING = 600
"""Publishes of one session that may wait for an answer: 15 s of the fastest."""

HAS_NOT = "it did not happen"
SINGLE = "only.one"
PAUSE_S = 0.2


class Mover:
    """Somebody with a home, who goes elsewhere; ``stays``: but to no other node."""

    def __init__(self, crew: Crew, name: str, home: str, stays: bool = False) -> None:
        self.crew = crew
        self.name = name
        self.home = home
        self.stays = stays
        self.node = ""
        self.is_called_home = False
        self.life = -1

    async def run(self) -> None:
        """Live until all is over."""
        while (found := await self.crew.dial(self.home, self.stays)) is not None:
            door, session = found
            self.life += 1
            self.crew.moves += self.life > 0
            self.node = door.name
            self.is_called_home = False
            being = self.crew.came(SESSION, session.id, door)
            try:
                await self.live(door, session)
            except Gone:
                pass
            except Refusal as refusal:
                self.crew.refusals[f"{type(self).__name__} {refusal.uri}"] += 1
                await asyncio.sleep(PAUSE_S)
            finally:
                self.crew.gone(being)
                self.over(session)
                session.close()
                if session.extra:
                    self.crew.trouble(f"{self.name}: {session.extra} answers to nothing")
            if session.why:
                self.crew.ends[session.why] += 1

    async def live(self, door: Door, session: Session) -> None:
        """One session, until it is over. Raises: Gone, Refusal."""
        raise NotImplementedError

    def over(self, session: Session) -> None:
        """A session is over."""

    def wants_on(self, session: Session) -> bool:
        """Whether to go on here."""
        return not (session.is_gone or session.why or self.crew.is_ending or self.is_called_home)


class Publisher(Mover):
    """Publishes 0, 1, 2 … on one topic in each session, acknowledged, ``rate`` a second."""

    def __init__(
        self, crew: Crew, name: str, home: str, topic: str, rate: float, stays: bool = False
    ) -> None:
        super().__init__(crew, name, home, stays)
        self.topic = topic
        self.rate = rate
        self.outstanding: set[asyncio.Future[Any]] = set()
        self.latest = 0.0

    async def live(self, door: Door, session: Session) -> None:
        number, due = 0, time.monotonic() + self.crew.random.random() / self.rate
        self._begin(door)
        while self.wants_on(session):
            now = time.monotonic()
            if now < due:
                await asyncio.sleep(due - now)
                continue
            # Who comes late does not make up for more than a second.
            due = max(due + 1 / self.rate, now - 1)
            if len(self.outstanding) < OUTSTANDING:
                self._publish(session, door, number)
                number += 1
        if self.outstanding:
            await asyncio.wait(set(self.outstanding), timeout=30)

    def _begin(self, door: Door) -> None:
        """A session begins."""

    def _publish(self, session: Session, door: Door, number: int) -> None:
        event, began = Event(self.name, self.life, number), time.monotonic()
        self.crew.published += 1
        future = session.ask(PUBLISH, {"acknowledge": True}, self.topic, list(event))
        self._note(future, lambda answer: self._answered(answer, event, door, began))

    def _note(self, future: asyncio.Future[Any], answered: Any) -> None:
        def done(future: asyncio.Future[Any]) -> None:
            self.outstanding.discard(future)
            if future.cancelled() or future.exception() is not None:
                self._unanswered()
            else:
                answered(future.result())

        self.outstanding.add(future)
        future.add_done_callback(done)

    def _unanswered(self) -> None:
        """Whether it happened is not known."""
        self.crew.unanswered += 1

    def _answered(self, answer: Any, event: Event, door: Door, began: float) -> None:
        book, now = self.crew.books[self.topic], time.monotonic()
        if answer[0] != ERROR:
            book.acknowledged.add(event)
            self.crew.acks[door.name] = began
            self.crew.slowest = max(self.crew.slowest, now - began)
            if self.crew.is_away(door.name):
                self.crew.accepted.append((door.name, began, now))
            return
        text = str(answer[5][0]) if len(answer) > 5 and answer[5] else ""
        self.crew.refusals[f"publish {answer[4]}"] += 1
        if text.endswith(HAS_NOT):
            book.refused.add(event)


class PlainPublisher(Publisher):
    """On a plain topic: counts what its node took."""

    def _unanswered(self) -> None:
        """Its life knows how many were acknowledged."""

    def _begin(self, door: Door) -> None:
        self._life = self.crew.life(self.name, self.life, door, self.topic)

    def _publish(self, session: Session, door: Door, number: int) -> None:
        life = self._life
        life.sent = number + 1
        # It may be lost, but not behind its acknowledgement: that is what its node has counted.
        sample = [self.name, self.life, number, door.name, time.monotonic()]
        future = session.ask(PUBLISH, {"acknowledge": True}, self.topic, sample)

        def answered(answer: Any) -> None:
            if answer[0] == ERROR:
                self.crew.trouble(f"a plain event was refused: {answer}")
            life.taken = max(life.taken, number + 1)

        self._note(future, answered)


class Listener(Mover):
    """Listens to a channel with a history, and goes on where it was."""

    def __init__(self, crew: Crew, name: str, home: str, topic: str) -> None:
        super().__init__(crew, name, home)
        self.reader = Reader(crew.books[topic])
        self.topic = topic
        self.is_listening = False
        self._ended = asyncio.Event()

    async def live(self, door: Door, session: Session) -> None:
        self._ended.clear()
        session.on_event = self._hear
        session.on_end = self._ended.set
        place = self.reader.place
        self.reader.is_resuming = True
        options = {"_radiod_after": f"{place.epoch}:{place.seq}"} if place else {}
        await session.answer(SUBSCRIBE, options, self.topic)
        self.is_listening = True
        await self._ended.wait()

    def over(self, session: Session) -> None:
        session.on_event = _drop
        self.is_listening = False

    def go_home(self) -> None:
        """Change the node."""
        self.is_called_home = True
        self._ended.set()

    def _hear(self, message: Any) -> None:
        details, event = message[3], Event(*message[4])
        place = Place(details["_epoch"], details["_seq"])
        is_whole = details.get("_recovered") is not False
        self.reader.take(place, event, details.get("_lost", 0), is_whole, time.monotonic())


class PlainListener(Mover):
    """Listens to a plain topic."""

    def __init__(self, crew: Crew, name: str, home: str, topic: str) -> None:
        super().__init__(crew, name, home, stays=True)
        self.topic = topic
        self.is_listening = False
        self.hearing: Hearing | None = None
        self._ended = asyncio.Event()

    async def live(self, door: Door, session: Session) -> None:
        self._ended.clear()
        session.on_end = self._ended.set
        hearing = self.hearing = Hearing(self.topic, door.process)
        hearing.begin([life for life in self.crew.lives if life.topic == self.topic])
        session.on_event = lambda message: self._hear(hearing, door, message)
        self.crew.hearings.append(hearing)
        await session.answer(SUBSCRIBE, {}, self.topic)
        self._begin(hearing)
        await self._ended.wait()

    def over(self, session: Session) -> None:
        self.is_listening = False
        if self.hearing is not None:
            self.hearing.is_over = not self.crew.is_ending or session.is_gone

    def _begin(self, hearing: Hearing) -> None:
        """SUBSCRIBED has come: it listens."""
        hearing.begin([life for life in self.crew.lives if life.topic == self.topic])
        self.is_listening = True

    def _hear(self, hearing: Hearing, door: Door, message: Any) -> None:
        if not self.is_listening:
            # It comes right behind SUBSCRIBED, in the same turn, before whoever waits for that goes on.
            self._begin(hearing)
        name, number_of_life, number, node, sent = message[4]
        hearing.take(self.crew.by_name[name, number_of_life], number, message[3].get("_lost", 0))
        pair = door.name, node
        self.crew.crossed[pair] = max(self.crew.crossed.get(pair, 0.0), sent)


class Callee(Mover):
    """Answers at its own node: ``who.NODE`` tells what it was asked."""

    async def live(self, door: Door, session: Session) -> None:
        ended = asyncio.Event()
        session.on_end = ended.set
        session.on_asked = lambda message: self._asked(session, message)
        await session.answer(REGISTER, {}, f"who.{self.home}")
        await ended.wait()

    def _asked(self, session: Session, message: Any) -> None:
        if message[0] == INVOCATION:
            self.crew.runs[message[4][0]] += 1
            session.say(YIELD, message[1], {}, message[4])


class Caller(Mover):
    """Calls the callees of all nodes from its own, ``rate`` times a second each."""

    def __init__(self, crew: Crew, name: str, home: str, rate: float) -> None:
        super().__init__(crew, name, home, stays=True)
        self.rate = rate
        self.count = 0
        self._open: set[asyncio.Task[None]] = set()

    async def live(self, door: Door, session: Session) -> None:
        while self.wants_on(session):
            for callee in self.crew.doors:
                task = asyncio.create_task(self._call(session, callee))
                self._open.add(task)
                task.add_done_callback(self._open.discard)
            await asyncio.sleep(1 / self.rate)
        if self._open:
            await asyncio.wait(set(self._open), timeout=30)

    async def _call(self, session: Session, callee: str) -> None:
        self.count += 1
        id = f"{self.name} {self.count}"
        call = Call(self.home, callee, time.monotonic(), id=id)
        self.crew.calls.append(call)
        try:
            answer = await session.answer(CALL, {}, f"who.{callee}", [id])
            call.outcome = "ok" if answer[3] == [id] else "another's result"
        except Refusal as refusal:
            call.outcome, call.text = refusal.uri, refusal.text
        except Gone:
            call.outcome = "its node died"
        call.ended = time.monotonic()


class Holder(Mover):
    """Tries to have what only one may have, holds it for a moment, and lets go."""

    async def live(self, door: Door, session: Session) -> None:
        while self.wants_on(session):
            try:
                answer = await session.answer(REGISTER, {}, SINGLE)
            except Refusal as refusal:
                self.crew.refusals[f"register {refusal.uri}"] += 1
                await asyncio.sleep(self.crew.random.uniform(0.1, 0.4))
                continue
            holding = Holding(self.home, time.monotonic())
            self.crew.holdings.append(holding)
            try:
                await self._hold(session, holding)
                await session.answer(UNREGISTER, answer[2])
            finally:
                holding.ended = holding.ended or time.monotonic()
                holding.why = session.why

    async def _hold(self, session: Session, holding: Holding) -> None:
        ended = asyncio.Event()
        session.on_end = ended.set
        try:
            async with asyncio.timeout(self.crew.random.uniform(0.1, 0.6)):
                await ended.wait()
        except TimeoutError:
            pass
        holding.ended = time.monotonic()


def _drop(message: Any) -> None:
    """It came too late: who listens has gone on elsewhere."""
