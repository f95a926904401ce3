"""What goes on in one server: counts, rates, queues, and how late its timers run.

Counting must cost next to nothing where events are published, so all that happens there is addition. Time is
cut into rounds of one interval each; whatever is told as a rate, or as a lag, is of the last whole round.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from radiod.core.timers import Clock, Deadline, Timers

__all__ = ["INTERVAL", "REFUSALS", "Rate", "Statistics", "Traffic"]

INTERVAL: Final = 5.0
"""Seconds of one round unless it is configured."""

HEARTBEAT: Final = 1.0
"""Seconds between two looks at how late the timers run."""


REFUSALS: Final = (
    "connections",
    "connections_per_address",
    "wrong_keys",
    "waiting_keys",
    "slow_messages",
    "unfinished_bytes",
    "transports",
    "polls",
    "logins",
    "authorizations",
    "draining",
)
"""What ``Statistics.refused`` counts."""


class Traffic:
    """Events and their payload bytes through one channel: in all, and in the last whole round."""

    __slots__ = ("_before", "_last", "_round", "bytes", "events")

    def __init__(self) -> None:
        self.events = 0
        self.bytes = 0
        self._round = 0
        # Totals when the round began, and what came in the round before it.
        self._before = (0, 0)
        self._last = (0, 0)

    def add(self, size: int, round: int) -> None:
        """Count one event of ``size`` bytes; ``round`` is the statistics'."""
        if round != self._round:
            self._turn(round)
        self.events += 1
        self.bytes += size

    def rates(self, statistics: Statistics) -> dict[str, float]:
        """``{events_per_s, bytes_per_s}``."""
        if statistics.round != self._round:
            self._turn(statistics.round)
        events, bytes = self._last
        return {
            "events_per_s": events / statistics.interval,
            "bytes_per_s": bytes / statistics.interval,
        }

    def _turn(self, round: int) -> None:
        # Nothing came in rounds between, so of these the last one was empty.
        is_next = round == self._round + 1
        events, bytes = self._before
        self._last = (self.events - events, self.bytes - bytes) if is_next else (0, 0)
        self._before = self.events, self.bytes
        self._round = round


class Rate:
    """How fast a total grew in the last whole round. ``per_s``: by how much in a second."""

    __slots__ = ("_before", "per_s")

    def __init__(self) -> None:
        self._before = 0
        self.per_s = 0.0

    def turn(self, total: int, seconds: float) -> None:
        """A round of that length has ended with ``total``."""
        self.per_s = (total - self._before) / seconds
        self._before = total


class _Lag:
    """Looks once a second how late the timers run.

    ``last``: the longest and the mean delay in seconds, of the last whole round.
    """

    def __init__(self, clock: Clock, timers: Timers) -> None:
        self._clock = clock
        self._timers = timers
        self._deadline: Deadline | None = None
        self._delays: list[float] = []
        self.last = {"max": 0.0, "mean": 0.0}

    def start(self) -> None:
        self._wait(self._clock.seconds() + HEARTBEAT)

    def stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()

    def turn(self) -> None:
        """A round has ended; one without a look leaves what was found before."""
        delays, self._delays = self._delays, []
        if delays:
            self.last = {"max": max(delays), "mean": sum(delays) / len(delays)}

    def _wait(self, due: float) -> None:
        self._deadline = self._timers.at(due, lambda: self._look(due))

    def _look(self, due: float) -> None:
        now = self._clock.seconds()
        self._delays.append(now - due)
        self._wait(now + HEARTBEAT)


class Statistics:
    """The statistics of one server, for all of its realms.

    ``round`` counts the rounds, each ``interval`` seconds long; it stays 0 until ``start``. ``refused``
    counts what peers were refused, or cut for, by the bound that they met.
    """

    def __init__(self, clock: Clock, timers: Timers, interval: float = INTERVAL) -> None:
        self._clock = clock
        self._timers = timers
        self.interval = interval
        self.round = 0
        self._since = clock.seconds()
        self._round_since = self._since
        self._deadline: Deadline | None = None
        self._lag = _Lag(clock, timers)
        self._watchers: dict[Callable[[float], None], None] = {}
        self._sources: dict[str, Callable[[], dict[str, int]]] = {}
        self.refused: Final = dict.fromkeys(REFUSALS, 0)

    def watch(self, on_round: Callable[[float], None]) -> None:
        """Have ``on_round(seconds)`` called at the end of every round that took that long."""
        self._watchers[on_round] = None

    def unwatch(self, on_round: Callable[[float], None]) -> None:
        """Call it no more."""
        self._watchers.pop(on_round, None)

    def read_from(self, part: str, read: Callable[[], dict[str, int]]) -> None:
        """Have ``read()`` tell the counters of a part of the server whenever somebody asks.

        The core does not know these parts; here all counters can be read in one place.
        """
        self._sources[part] = read

    def start(self) -> None:
        """The server is up: begin the first round."""
        self._since = self._round_since = self._clock.seconds()
        self._lag.start()
        self._wait()

    def stop(self) -> None:
        """No more rounds."""
        self._lag.stop()
        if self._deadline is not None:
            self._deadline.cancel()

    @property
    def longest_lag(self) -> float:
        """How late the timers ran at most in the last whole round, in seconds."""
        return self._lag.last["max"]

    @property
    def uptime(self) -> float:
        """Seconds since the server was up."""
        return self._clock.seconds() - self._since

    def describe(self) -> dict[str, Any]:
        """What concerns the whole server."""
        return {
            "time": self._clock.time(),
            "uptime": self.uptime,
            "interval": self.interval,
            "loop_lag": self._lag.last,
            "refused": dict(self.refused),
            "counters": {part: read() for part, read in self._sources.items()},
        }

    def _wait(self) -> None:
        self._deadline = self._timers.at(self._round_since + self.interval, self._turn)

    def _turn(self) -> None:
        now = self._clock.seconds()
        seconds, self._round_since = now - self._round_since, now
        self.round += 1
        self._lag.turn()
        self._wait()
        for on_round in list(self._watchers):
            on_round(seconds)
