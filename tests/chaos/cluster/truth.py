"""What is so, as those know it who play: who is there, who listens to what, what is left of who has gone."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from chaos.cluster.comers import CROWDS, LAST
from chaos.cluster.load import Load
from chaos.cluster.masses import Crowd, Watcher
from chaos.cluster.sessions import CALL, SUBSCRIBE, Gone, Refusal, Session

__all__ = ["Truth"]

SAMPLE = 25
"""Topics of each node that each node is asked for."""

RETAINED_S = 5.0
WAIT_S = 300.0


class Truth:
    """Asks all nodes. ``topics``: node -> those that its sessions listen to."""

    def __init__(
        self,
        load: Load,
        watchers: Sequence[Watcher],
        people: Sequence[Crowd],
        topics: Mapping[str, Sequence[str]],
    ) -> None:
        self._load = load
        self._watchers = watchers
        self._people = people
        self._topics = topics

    def wrong(self, random: Random) -> list[str]:
        """What is not as it should be, in some words; empty: all is. Nothing may come or go meanwhile."""
        sample = [topic for topics in self._topics.values() for topic in random.sample(list(topics), SAMPLE)]
        try:
            return list(self._load.soon(self._wrong(sample), WAIT_S))
        except (Gone, Refusal) as error:
            return [repr(error)]

    async def _wrong(self, sample: list[str]) -> list[str]:
        found: list[str] = []
        retained: list[dict[str, Any]] = []
        for node in self._load.crew.doors:
            async with self._load.session(node) as session:
                found += [f"{node}: {one}" for one in await self._of(session, sample)]
                retained.append(await _retained(session))
        if any(one != retained[0] for one in retained):
            found.append(f"retained: {retained}"[:300])
        return found

    async def _of(self, session: Session, sample: list[str]) -> list[str]:
        found = []
        there = {one.id for one in Session.everybody if not one.is_gone}
        listed = set(await _call(session, "wamp.session.list"))
        if listed != there:
            found.append(f"sessions: {len(listed - there)} too many, {len(there - listed)} missing")
        for watcher in self._watchers:
            ghosts = watcher.here - listed
            if ghosts and not watcher.lost:
                found.append(f"{watcher.name} has not heard that {len(ghosts)} left: {sorted(ghosts)[:3]}")
        found += await _of_topics(session, sample)
        people = Counter(topic for one in self._people for topic in one.topics)
        for crowd in range(CROWDS):
            told = await _call(session, "radiod.presence.get", f"crowd.{crowd}")
            total = sum(told["users"].values())
            if total != people[f"crowd.{crowd}"] or told.get("unanswered"):
                found.append(f"crowd.{crowd}: {total}, not {people[f'crowd.{crowd}']}")
        channels = str(await _call(session, "radiod.channel.list"))
        if "made." in channels:
            found.append(f"a channel is left: {channels[channels.index('made.') :][:80]}")
        registrations = (await _call(session, "wamp.registration.list"))["exact"]
        if len(registrations) > len(self._topics) + 1:
            found.append(f"{len(registrations)} registrations are left")
        return found


async def _of_topics(session: Session, sample: list[str]) -> list[str]:
    """Topics of which each has one listener, somewhere."""
    found = []
    for start in range(0, len(sample), 20):
        some = sample[start : start + 20]
        ids = await asyncio.gather(*(_call(session, "wamp.subscription.lookup", topic) for topic in some))
        known = [id for id in ids if id is not None]
        counts = await asyncio.gather(
            *(_call(session, "wamp.subscription.count_subscribers", id) for id in known)
        )
        if len(known) != len(some) or set(counts) != {1}:
            found.append(f"{len(some) - len(known)} of {some} are unknown; listeners {counts}"[:200])
    return found


async def _retained(session: Session) -> dict[str, Any]:
    """The retained event of each topic that has one."""
    events: dict[int, Any] = {}
    session.on_event = lambda message: events.setdefault(message[1], message[4])
    topics = [f"last.{at}" for at in range(LAST)]
    answers = await asyncio.gather(
        *(session.answer(SUBSCRIBE, {"get_retained": True}, topic) for topic in topics)
    )
    # They come behind SUBSCRIBED; a call is answered behind all that was sent before.
    await _call(session, "radiod.echo", 1)
    await asyncio.sleep(0.5)
    return {topic: events.get(answer[2]) for topic, answer in zip(topics, answers, strict=True)}


async def _call(session: Session, procedure: str, *arguments: Any) -> Any:
    """The first value of a result. Raises: Refusal, Gone."""
    answer = await session.answer(CALL, {}, procedure, list(arguments))
    return answer[3][0] if len(answer) > 3 and answer[3] else None
