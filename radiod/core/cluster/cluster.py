"""What all realms of one process share of its cluster: the nodes, and the ways to the engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from radiod.core.cluster.claim import ClaimSettings
from radiod.core.cluster.claims import Claims
from radiod.core.cluster.mirror_check import MirrorCheck
from radiod.core.cluster.mirrored import MirroredNodes
from radiod.core.cluster.nodes import Nodes, NodeSettings
from radiod.core.cluster.ports import Bus, Failure, Stored, Streams, StreamSettings
from radiod.core.cluster.table_mirrors import TableMirrors
from radiod.core.ids import Ids
from radiod.core.promises import Promise
from radiod.core.timers import Clock, Timers

__all__ = ["NATS", "Cluster", "EventWay", "Records"]

NATS: Final = "NATS"

AGAIN_S: Final = 1.0
"""Seconds after which a stream is asked for again."""


class EventWay:
    """The ``BusUser`` of the bus for events, shared by all realms: each takes what begins with its subject.

    Apart from the bus for control, so that no flood of events delays a beat.
    """

    def __init__(self) -> None:
        # realm's own subject -> what takes (subject, reply, data)
        self._takers: dict[str, Callable[[str, str, bytes], None]] = {}
        self._depth = 0
        self.on_up: list[Callable[[], None]] = []

    def take(self, subject: str, taker: Callable[[str, str, bytes], None]) -> None:
        """Have what comes on subjects that begin with ``subject``, which has as many tokens as all others."""
        self._takers[subject] = taker
        self._depth = subject.count(".") + 1

    # --- BusUser

    def came(self, subject: str, reply: str, data: bytes) -> None:
        taker = self._takers.get(".".join(subject.split(".", self._depth)[: self._depth]))
        if taker is not None:
            taker(subject, reply, data)

    def unreachable(self, reply: str) -> None:
        pass

    def up(self) -> None:
        for told in self.on_up:
            told()

    def down(self) -> None:
        pass


class Records:
    """The ``StreamUser``, shared by all parts that follow: each takes what begins with its subject."""

    def __init__(self) -> None:
        # beginning of subjects, ending with a dot -> who takes their records
        self._takers: dict[str, Callable[[Stored], None]] = {}

    def take(self, beginning: str, taker: Callable[[Stored], None]) -> None:
        """Have the records of all followed subjects that begin so."""
        self._takers[beginning] = taker

    def stored(self, record: Stored) -> None:
        """As ``StreamUser.stored``."""
        subject = record.subject
        end = subject.find(".")
        while end >= 0:
            taker = self._takers.get(subject[: end + 1])
            if taker is not None:
                taker(record)
                return
            end = subject.find(".", end + 1)


class Cluster:
    """One process's part in its cluster.

    ``mirrors``: of the tables of each realm; ``nodes``, ``way``, ``records``: the users of the bus for
    control, of that for events, and of the streams; whoever connects them hands the engine to ``start``;
    ``check``: of what is mirrored.
    """

    def __init__(
        self,
        settings: NodeSettings,
        clock: Clock,
        timers: Timers,
        ids: Ids,
        notice: Callable[[str], None],
    ) -> None:
        self.settings = settings
        self._clock = clock
        self._timers = timers
        self._claims: Claims | None = None
        self.notice = notice
        self.nodes = Nodes(settings, clock, timers, ids, notice)
        self.check = MirrorCheck(self.nodes)
        self.check.add("", "nodes", MirroredNodes(self.nodes))
        self.way = EventWay()
        self.records = Records()
        # The mirrors of each realm.
        self.mirrors: list[TableMirrors] = []
        self._events: Bus | None = None
        self._streams: Streams | None = None

    @property
    def events(self) -> Bus:
        """The bus for events."""
        assert self._events is not None, "the cluster has an engine before it has realms"
        return self._events

    @property
    def streams(self) -> Streams:
        """The streams."""
        assert self._streams is not None, "the cluster has an engine before it has realms"
        return self._streams

    def attach(self, events: Bus, streams: Streams) -> None:
        """Have an engine: before there is any realm."""
        self._events = events
        self._streams = streams
        prefix = self.settings.prefix
        settings = ClaimSettings(f"{prefix.replace('.', '-')}-claims", f"{prefix}.claims")
        self._claims = Claims(streams, self._clock, self._timers, self.nodes, settings)
        self.records.take(f"{prefix}.claims.", self._claims.stored)
        self.check.compare("", "claims", NATS, self._claims.survey)
        self.way.on_up.append(self._claims.up)
        self.way.on_up.append(self._ensure)
        self.nodes.probe = self._probe

    @property
    def overflowed(self) -> int:
        """Entries of other nodes' tables that were too many for the mirrors of all realms."""
        return sum(mirrors.overflowed for mirrors in self.mirrors)

    @property
    def retained(self) -> str:
        """The stream of retained events."""
        return f"{self.settings.prefix.replace('.', '-')}-retained"

    def _ensure(self) -> None:
        """Have the stream of retained events, some time."""
        settings = StreamSettings(self.retained, (f"{self.settings.prefix}.retained.>",), 1)
        self.streams.ensure(settings, self._ensured)

    def _ensured(self, failure: Failure | None) -> None:
        if failure is not None:
            self._timers.at(self._clock.seconds() + AGAIN_S, self._ensure)

    def _probe(self, reached: Callable[[], None]) -> None:
        self.claims.prove(self.settings.name, reached)

    @property
    def claims(self) -> Claims:
        """What must be unique, or outlives its node, of all realms."""
        assert self._claims is not None, "the cluster has an engine before it has realms"
        return self._claims

    def start(self, control: Bus) -> Promise[None]:
        """Be there for the others, once all realms are made. Returns: as ``Nodes.start``."""
        self.claims.start()
        return self.nodes.start(control)

    def stop(self) -> None:
        """Say goodbye."""
        self.nodes.stop()
