"""``radiod.admin.channels``: which topics are busiest, as of now.

Nothing is counted for it: two looks at counters that are there anyway tell how fast they grow.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final, NamedTuple

from radiod.admin.views import View, in_small_steps, largest, many
from radiod.core.channels.channel import Channel
from radiod.core.channels.writers import readers
from radiod.core.delivery.totals import Total
from radiod.core.procedures.family import Procedure
from radiod.core.promises import Promise
from radiod.core.realm.realm import Realm
from radiod.core.sessions.session import Session
from radiod.core.slices import in_steps
from radiod.core.timers import Clock
from radiod.core.uris import is_pattern

__all__ = ["ChannelsView"]

Answer = dict[str, Any] | Promise[dict[str, Any]]

LEAST_S: Final = 1.0
"""Between two looks: whoever asks more often is told what the last one found."""

OLDEST_S: Final = 60.0
"""What was seen longer ago says nothing about now."""

Counts = tuple[int, int, int]
"""Events published, delivered, dropped."""


class _Rates(NamedTuple):
    """Of one topic, a second."""

    published: float
    delivered: float
    dropped: float

    @property
    def sum(self) -> float:
        """By which the busiest are found."""
        return self.published + self.delivered + self.dropped


class _Busy(NamedTuple):
    """One topic. ``rates``: None: nobody looked before; ``channel``: None: it is none, or a public one."""

    name: str
    counts: Counts | None
    rates: _Rates | None
    channel: Channel | None


class ChannelsView:
    """``procedures``: name -> parameters and handler, of one realm."""

    def __init__(self, realm: Realm, clock: Clock) -> None:
        self._realm = realm
        self._clock = clock
        # Of the last look: when, what was counted, and how fast that grew since the look before it.
        self._looked: float | None = None
        self._counts: dict[str, Counts] = {}
        self._rates: dict[str, _Rates] | None = None
        self.procedures: dict[str, Procedure] = {"radiod.admin.channels": ({"limit": 20}, self.channels)}

    def channels(self, session: Session, *, limit: Any) -> Answer:
        """Topics by how much goes on there, the busiest first → ``{channels, private}``.

        Each: ``name``: a channel, a topic with events, or a pattern that somebody listens to; ``public``;
        ``readers``, None of a pattern; ``published``, ``delivered``, ``dropped``: since the start, None
        of a private channel; the same as ``…_per_s``, None where nobody looked in the last minute.
        ``private``: how many private channels there are that the caller is no member of. Cost: O(n) in the
        topics with events, and in the channels.
        """
        view = View(self._realm, session)
        return self._realm.slices.run(self._channels(session, view, many(limit)))

    def _channels(self, session: Session, view: View, limit: int) -> Generator[None, None, dict[str, Any]]:
        yield from self._look()
        counts, rates = self._counts, self._rates
        busy: list[_Busy] = []

        def add(some: list[tuple[str, Counts]]) -> None:
            for name, count in some:
                rate = None if rates is None else rates.get(name, NONE)
                busy.append(_Busy(name, count, rate, None))

        yield from in_small_steps(counts.items(), add)

        def add_idle(some: list[Channel]) -> None:
            silence = None if rates is None else NONE
            idle = (one.name for one in some if one.name not in counts)
            busy.extend(_Busy(name, (0, 0, 0), silence, None) for name in idle)

        yield from in_small_steps(self._realm.channels, add_idle)
        joined = [one for one in self._realm.memberships.of(session).values() if not one.is_ended]
        busy += [_Busy(one.name, None, self._rates_of(one), one) for one in joined if not one.is_public]
        found = yield from largest(
            busy, limit, _busyness, lambda one: one.channel is not None or view.shows(one.name)
        )
        private = len(self._realm.channels) - self._realm.channels.public - len(joined)
        return {"channels": [self._told(one) for one in found], "private": max(private, 0)}

    # --- looking

    def _look(self) -> Generator[None, None, None]:
        """Find out how fast the counters grow."""
        now, before = self._clock.seconds(), self._looked
        if before is not None and now - before < LEAST_S:
            return
        self._looked = now
        self._realm.ledger.settle()
        yield
        counts: dict[str, Counts] = {}

        def note(some: list[tuple[str, Total]]) -> None:
            counts.update((name, total.all) for name, total in some)

        yield from in_steps(self._realm.totals.by_topic.items(), note)
        rates: dict[str, _Rates] | None = None
        if before is not None and now - before <= OLDEST_S:
            known, seconds, grown = self._counts, now - before, dict[str, _Rates]()

            def compare(some: list[tuple[str, Counts]]) -> None:
                for name, late in some:
                    grown[name] = _growth(known.get(name, (0, 0, 0)), late, seconds)

            yield from in_small_steps(counts.items(), compare)
            rates = grown
        # Together: somebody else may ask in the middle of this.
        self._counts, self._rates = counts, rates

    def _rates_of(self, channel: Channel) -> _Rates:
        told = channel.traffic.rates(self._realm.statistics)
        return _Rates(told["events_per_s"], 0.0, 0.0)

    def _told(self, one: _Busy) -> dict[str, Any]:
        counts, rates, channel = one.counts, one.rates, one.channel
        topic = self._realm.space.at(one.name) if channel is None else channel.topic
        names = ("published", "delivered", "dropped")
        told: dict[str, Any] = {
            "name": one.name,
            "public": channel is None,
            "readers": None if is_pattern(one.name) else readers(topic),
        }
        for index, name in enumerate(names):
            told[name] = None if counts is None else counts[index]
            # Of a private channel nobody counts what listeners were given.
            is_known = rates is not None and (channel is None or name == "published")
            told[f"{name}_per_s"] = round(rates[index], 3) if rates is not None and is_known else None
        return told


NONE: Final = _Rates(0.0, 0.0, 0.0)


def _busyness(one: _Busy) -> tuple[float, int]:
    return (0.0 if one.rates is None else one.rates.sum, 0 if one.counts is None else sum(one.counts))


def _growth(before: Counts, now: Counts, seconds: float) -> _Rates:
    # A topic that had to go from the table, and is back, begins anew.
    grown = [max(0, late - early) / seconds for early, late in zip(before, now, strict=True)]
    return _Rates(*grown)
