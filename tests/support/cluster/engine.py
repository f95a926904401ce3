"""A fake of the engine between nodes, on a fake clock: it does no more than the ports promise, and all harm.

What it does is what was measured of NATS: interest travels, in line with messages; a cut loses messages
without a word; behind it interest is told anew; a stream has no leader for seconds; what was not answered may
be stored; what is republished may be lost, or come twice, late; some replicas lag behind.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass, field
from random import Random
from typing import Any

from radiod.core.cluster.ports import MOST_AT_ONCE, Appended, Failure, Stored, StreamSettings
from radiod.testing import FakeClock

__all__ = ["FakeEngine", "FakePort", "fits"]

UNANSWERED_S = 2.0
"""How long an append that nobody answers is waited for."""


def fits(pattern: str, subject: str) -> bool:
    """Whether what is listened to has messages on ``subject``: NATS's rules."""
    wanted, tokens = pattern.split("."), subject.split(".")
    for place, token in enumerate(wanted):
        if token == ">":
            return len(tokens) > place
        if place >= len(tokens) or token not in ("*", tokens[place]):
            return False
    return len(wanted) == len(tokens)


@dataclass
class Stream:
    """One stream: its settings, all records, and the ids it has seen."""

    settings: StreamSettings
    made: int = field(default_factory=itertools.count().__next__)
    records: list[Stored] = field(default_factory=list)
    ids: dict[str, int] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)
    seq: int = 0
    # Before this moment nobody leads it.
    leaderless_until: float = 0.0
    # How many of the latest records a lagging replica does not have.
    lag: int = 0
    # Until then its leader, just elected, tells nothing of the latest ``unapplied`` records.
    stale_until: float = 0.0
    unapplied: int = 0
    # What was sent to it while its sender was cut off from most: it arrives at the heal, if that is soon.
    stalled: list[Any] = field(default_factory=list)


@dataclass(eq=False)
class Asked:
    """One append on its way: whoever asked is answered once."""

    port: FakePort
    stream: str
    record: tuple[Any, ...]
    done: Any
    is_answered: bool = False

    def answer(self, outcome: Any) -> None:
        if not self.is_answered and not self.port.is_dead:
            self.is_answered = True
            # Who has lost its connection meanwhile does not get the answer.
            self.done(outcome if self.port.is_up or outcome is Failure.REFUSED else Failure.UNKNOWN)


class FakePort:
    """One node's connection to the engine: ``Bus`` and ``Streams`` in one; ``user`` is the user of both."""

    def __init__(self, engine: FakeEngine, name: str, user: Any) -> None:
        self.engine = engine
        self.name = name
        self.user = user
        self.is_up = False
        self.is_dead = False
        self.interest: dict[str, int] = {}
        self.followed: dict[str, int] = {}
        # As far as it has travelled: the name of another node -> what that one listens to.
        self.seen: dict[str, dict[str, int]] = {}
        self.sent = 0
        # When the last request to a stream arrives there: none overtakes another.
        self.asked_until = 0.0

    # --- Bus

    def listen(self, subject: str) -> None:
        self.interest[subject] = self.interest.get(subject, 0) + 1
        self.engine.spread(self, ("listen", subject))

    def unlisten(self, subject: str) -> None:
        left = self.interest.pop(subject) - 1
        if left:
            self.interest[subject] = left
        self.engine.spread(self, ("unlisten", subject))

    def send(self, subject: str, data: bytes, reply: str = "") -> bool:
        assert not self.is_dead, f"{self.name} is dead and sends"
        if not self.is_up:
            return False
        self.sent += 1
        is_heard = False
        for name, interest in self.seen.items():
            for pattern, copies in interest.items():
                if fits(pattern, subject):
                    is_heard = True
                    for _ in range(copies):
                        self.engine.carry(self.name, name, ("message", subject, reply, data))
        if reply and not is_heard:
            self.engine.later(self, lambda: self.user.unreachable(reply))
        return True

    # --- Streams

    def ensure(self, settings: StreamSettings, done: Any) -> None:
        def act() -> None:
            if not self.engine.has_quorum(self):
                done(Failure.REFUSED)
                return
            stream = self.engine.streams.setdefault(settings.name, Stream(settings))
            stream.settings = settings
            done(None)

        self.engine.later(self, act)

    def identify(self, stream: str, done: Any) -> None:
        def act() -> None:
            held = self.engine.streams.get(stream)
            is_told = held is not None and self.engine.has_leader(self, held)
            done(str(held.made) if is_told else Failure.REFUSED)

        self.engine.later(self, act)

    def append(
        self,
        stream: str,
        subject: str,
        data: bytes,
        done: Any,
        *,
        id: str = "",
        expected: int | None = None,
        ttl_s: float = 0.0,
    ) -> None:
        engine = self.engine
        asked = Asked(self, stream, (subject, data, id, expected, ttl_s), done)

        def act() -> None:
            held = engine.streams.get(stream)
            if not self.is_up or held is None or engine.clock.seconds() < held.leaderless_until:
                asked.answer(Failure.REFUSED)
            elif engine.has_quorum(self):
                engine.take(held, asked)
            else:
                # Nobody on this side answers; it waits in the buffers of the route that is cut.
                held.stalled.append(asked)
                engine.after(UNANSWERED_S, lambda: asked.answer(Failure.UNKNOWN))

        engine.in_order(self, act)

    def follow(self, subject: str) -> None:
        self.followed[subject] = self.followed.get(subject, 0) + 1

    def unfollow(self, subject: str) -> None:
        left = self.followed.pop(subject) - 1
        if left:
            self.followed[subject] = left

    def last(self, stream: str, subject: str, done: Any) -> None:
        def act() -> None:
            held = self.engine.streams.get(stream)
            if held is None or not self.engine.has_leader(self, held):
                done(Failure.REFUSED)
                return
            found = [one for one in self.engine.leaders(held) if fits(subject, one.subject)]
            last = found[-1]._replace(previous=0) if found else None
            if self.engine.answer_s:
                self.engine.after(self.engine.answer_s, lambda: None if self.is_dead else done(last))
            else:
                # What is stored meanwhile may be told before.
                self.engine.later(self, lambda: done(last))

        self.engine.later(self, act)

    def read(
        self, stream: str, subject: str, after: int, limit: int, done: Any, *, by_leader: bool = False
    ) -> None:
        def act() -> None:
            held = self.engine.streams.get(stream)
            if held is None or not self._can_read(held, by_leader):
                done(Failure.REFUSED)
                return
            known = self.engine.leaders(held) if by_leader else self.engine.replica(held)
            found = [one for one in known if one.seq > after and fits(subject, one.subject)]
            done([one._replace(previous=0) for one in found[:limit]])

        self.engine.later(self, act)

    def _can_read(self, stream: Stream, by_leader: bool) -> bool:
        return self.engine.has_leader(self, stream) if by_leader else self.engine.has_quorum(self)

    def last_many(self, stream: str, subjects: list[str], done: Any) -> None:
        assert len(subjects) <= MOST_AT_ONCE

        def act() -> None:
            held = self.engine.streams.get(stream)
            if held is None or not self._can_read(held, False):
                done(Failure.REFUSED)
                return
            found = {one.subject: one for one in self.engine.replica(held)}
            told = [one for one in found.values() if any(fits(given, one.subject) for given in subjects)]
            done([one._replace(previous=0) for one in told])

        self.engine.later(self, act)

    def purge(self, stream: str, subject: str, done: Any, *, before: int = 0) -> None:
        def act() -> None:
            held = self.engine.streams.get(stream)
            if held is None or not self.engine.has_leader(self, held):
                done(Failure.REFUSED)
                return
            held.records = [
                one for one in held.records if one.subject != subject or (before and one.seq >= before)
            ]
            if all(one.subject != subject for one in held.records):
                held.last.pop(subject, None)
            done(None)

        self.engine.later(self, act)


class FakeEngine:
    """All ports and streams, and everything bad that may happen between them.

    Args:
        chance: draws delays, and mishaps of ``mishaps`` (0…1 of all appends whose answer is lost, and of all
            records that are republished twice).
    """

    def __init__(
        self, clock: FakeClock, chance: Random, *, delay: float = 0.0005, mishaps: float = 0.0
    ) -> None:
        self.clock = clock
        self.chance = chance
        self.delay = delay
        self.mishaps = mishaps
        # How long what a leader says is on its way back: what is stored since may be heard of before.
        self.answer_s = 0.0
        # How many of all reads, of 1, a replica answers that lags behind, if any does.
        self.lagging = 1.0
        # (from, to) -> seconds that a message on this way takes besides.
        self.slowness: dict[tuple[str, str], float] = {}
        self.ports: dict[str, FakePort] = {}
        self.streams: dict[str, Stream] = {}
        self.cuts: set[frozenset[str]] = set()
        # (from, to) -> when the last message on this way arrives: none overtakes another.
        self._arrivals: dict[tuple[str, str], float] = defaultdict(float)

    # --- nodes

    def attach(self, name: str, user: Any) -> FakePort:
        """A node connects; ``up`` follows."""
        port = self.ports[name] = FakePort(self, name, user)
        self.later(port, lambda: self.connect(name))
        return port

    def connect(self, name: str) -> None:
        """Its connection is there, again."""
        port = self.ports[name]
        if port.is_up or port.is_dead:
            return
        port.is_up = True
        for other in self.ports.values():
            if other is not port and other.is_up and not self.is_cut(name, other.name):
                self._introduce(port, other)
                self._introduce(other, port)
        port.user.up()

    def disconnect(self, name: str) -> None:
        """It loses its connection, with what was on its way."""
        port = self.ports[name]
        if port.is_up:
            port.is_up = False
            port.seen.clear()
            self._forget(name)
            port.user.down()

    def kill(self, name: str) -> None:
        """It is gone, as by kill -9: what it has sent arrives; the engine notices at once."""
        port = self.ports.pop(name)
        port.is_dead = True
        port.is_up = False
        self._forget(name)

    def cut(self, one: str, other: str) -> None:
        """Nothing passes between two nodes any more, and nobody is told."""
        self.cuts.add(frozenset((one, other)))

    def heal(self) -> None:
        """All cuts are mended; interest is told anew.

        What was sent to a stream across a cut arrives now, in order; unless all of it is given up already:
        then it may have gone with the route.
        """
        cuts, self.cuts = self.cuts, set()
        for stream in self.streams.values():
            stalled, stream.stalled = stream.stalled, []
            if any(not asked.is_answered for asked in stalled) or self.chance.random() < 0.5:
                for asked in stalled:
                    if asked.port.is_up:
                        self.take(stream, asked)
        for pair in cuts:
            names = [name for name in pair if name in self.ports and self.ports[name].is_up]
            if len(names) == 2:
                one, other = self.ports[names[0]], self.ports[names[1]]
                self._introduce(one, other)
                self._introduce(other, one)

    def is_cut(self, one: str, other: str) -> bool:
        """Whether nothing passes between the two."""
        return frozenset((one, other)) in self.cuts

    def has_quorum(self, port: FakePort) -> bool:
        """Whether a node is on the side of more than half of those that are there."""
        others = [other for other in self.ports.values() if other is not port]
        cut = sum(self.is_cut(port.name, other.name) for other in others)
        return port.is_up and cut <= len(others) // 2

    def has_leader(self, port: FakePort, stream: Stream) -> bool:
        """Whether a node reaches somebody who leads the stream."""
        return self.has_quorum(port) and self.clock.seconds() >= stream.leaderless_until

    def elect(self, seconds: float) -> None:
        """Nobody leads any stream for so long."""
        for stream in self.streams.values():
            stream.leaderless_until = self.clock.seconds() + seconds

    def lose_end(self, name: str, count: int = 1) -> None:
        """The last records of a stream are lost: their numbers are given out again."""
        stream = self.streams[name]
        for gone in reversed(stream.records[-count:]):
            stream.records.remove(gone)
            stream.last[gone.subject] = gone.previous
        stream.seq = stream.records[-1].seq if stream.records else 0

    def be_stale(self, name: str, records: int, seconds: float) -> None:
        """Whoever leads a stream has just been elected, and tells nothing of its last records for so long."""
        stream = self.streams[name]
        stream.unapplied, stream.stale_until = records, self.clock.seconds() + seconds

    # --- messages

    def later(self, port: FakePort, what: Any) -> None:
        """Do it for a node, as soon as the network has carried it, unless the node is dead by then."""
        when = self.clock.seconds() + self._delay()
        self.clock.timers.at(when, lambda: None if port.is_dead else what())

    def in_order(self, port: FakePort, what: Any) -> None:
        """The same, behind all that a node has asked for so before."""
        when = port.asked_until = max(port.asked_until, self.clock.seconds() + self._delay())
        self.clock.timers.at(when, lambda: None if port.is_dead else what())

    def after(self, seconds: float, what: Any) -> None:
        """Do it in so many seconds, whoever is there then."""
        self.clock.timers.at(self.clock.seconds() + seconds, what)

    def spread(self, port: FakePort, what: tuple[Any, ...]) -> None:
        """Tell all others of a change of interest, in line with messages."""
        if port.is_up:
            for name in self.ports:
                if name != port.name:
                    self.carry(port.name, name, what)

    def carry(self, sender: str, receiver: str, what: tuple[Any, ...]) -> None:
        """Have something arrive behind all that was sent the same way before, unless there is a cut."""
        way = sender, receiver
        soonest = self.clock.seconds() + self._delay() + self.slowness.get(way, 0.0)
        when = self._arrivals[way] = max(self._arrivals[way], soonest)
        origin = self.ports.get(sender)

        def arrive() -> None:
            port = self.ports.get(receiver)
            if port is None or not port.is_up or self.is_cut(sender, receiver):
                return
            if what[0] == "message":
                self._hand(port, *what[1:])
            elif origin is self.ports.get(sender) and origin is not None and origin.is_up:
                _note(port.seen.setdefault(sender, {}), what)

        self.clock.timers.at(when, arrive)

    def _hand(self, port: FakePort, subject: str, reply: str, data: bytes) -> None:
        if any(fits(pattern, subject) for pattern in port.interest):
            port.user.came(subject, reply, data)

    def _introduce(self, port: FakePort, to: FakePort) -> None:
        self.carry(port.name, to.name, ("all", dict(port.interest)))

    def _forget(self, name: str) -> None:
        for other in self.ports.values():
            other.seen.pop(name, None)

    def _delay(self) -> float:
        return self.delay * (0.5 + self.chance.random())

    def is_unlucky(self) -> bool:
        """Whether a mishap is due."""
        return self.chance.random() < self.mishaps

    # --- streams

    def replica(self, stream: Stream) -> list[Stored]:
        """What some replica has of a stream: one of three may lag behind."""
        lag = stream.lag if self.chance.random() < self.lagging else 0
        return stream.records[: max(0, len(stream.records) - lag)]

    def leaders(self, stream: Stream) -> list[Stored]:
        """What the leader tells of a stream."""
        lag = stream.unapplied if self.clock.seconds() < stream.stale_until else 0
        return stream.records[: max(0, len(stream.records) - lag)]

    def take(self, stream: Stream, asked: Asked) -> None:
        """The leader has an append; its answer may be lost, on a mishap."""
        outcome = self.store(stream, *asked.record)
        if self.is_unlucky():
            self.after(UNANSWERED_S, lambda: asked.answer(Failure.UNKNOWN))
        else:
            self.later(asked.port, lambda: asked.answer(outcome))

    def store(
        self, stream: Stream, subject: str, data: bytes, id: str, expected: int | None, ttl_s: float
    ) -> Appended | Failure:
        """Store one record, if nothing is against it, and send it to those who follow."""
        if id and id in stream.ids:
            return Appended(stream.ids[id], is_repeat=True)
        held = stream.last.get(subject, 0)
        if expected is not None and expected != held:
            return Failure.TAKEN
        stream.seq += 1
        record = Stored(subject, stream.seq, held, data)
        stream.last[subject] = record.seq
        if id:
            stream.ids[id] = record.seq
        stream.records.append(record)
        of_subject = [one for one in stream.records if one.subject == subject]
        for old in of_subject[: -stream.settings.max_per_subject]:
            stream.records.remove(old)
        if ttl_s:
            self.after(ttl_s, lambda: self._expire(stream, record))
        self._republish(record)
        if self.is_unlucky():
            self.after(1.0, lambda: self._republish(record))
        return Appended(record.seq)

    def _expire(self, stream: Stream, record: Stored) -> None:
        if record in stream.records:
            stream.records.remove(record)
            if stream.last.get(record.subject) == record.seq:
                del stream.last[record.subject]

    def _republish(self, record: Stored) -> None:
        for name in list(self.ports):
            way = "", name
            when = self._arrivals[way] = max(self._arrivals[way], self.clock.seconds() + self._delay())
            self.clock.timers.at(when, lambda name=name: self._tell_stored(name, record))

    def _tell_stored(self, name: str, record: Stored) -> None:
        port = self.ports.get(name)
        if port is None or not self.has_quorum(port):
            return
        if any(fits(pattern, record.subject) for pattern in port.followed):
            port.user.stored(record)


def _note(interest: dict[str, int], what: tuple[Any, ...]) -> None:
    if what[0] == "all":
        interest.clear()
        interest.update(what[1])
    elif what[0] == "listen":
        interest[what[1]] = interest.get(what[1], 0) + 1
    else:
        left = interest.get(what[1], 0) - 1
        if left > 0:
            interest[what[1]] = left
        else:
            interest.pop(what[1], None)
