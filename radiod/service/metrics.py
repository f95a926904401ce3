"""Which figure of the server has which name: all that ``/metrics`` tells is read here, and nowhere else.

Reading takes time that everybody waits for. So it is done in slices, one realm after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any, Final

from radiod import __version__
from radiod.core.channels.channel import Channel
from radiod.core.delivery.totals import Tally
from radiod.core.draining import Draining
from radiod.core.promises import Promise
from radiod.core.realm.realm import Realm
from radiod.core.slices import Slices, in_steps
from radiod.core.timers import Clock, Timers
from radiod.metrics.busiest import Busiest
from radiod.metrics.exposition import Family, text
from radiod.metrics.names import FAMILIES
from radiod.metrics.process import GcPauses, collector_families, process_families
from radiod.store.sqlite import SqliteStore
from radiod.transport.port import PortFactory
from radiod.transport.schedule import Schedule

__all__ = ["Metrics"]

CUT_BY_BOUND: Final = ("slow_messages", "unfinished_bytes")
"""Of ``Statistics.refused``: those that were connected, and are no longer."""

Read = Generator[None, None, None]


class Metrics:
    """Reads one server.

    ``store``: if it has one; ``certificates``: where TLS is shown -> when the first certificate ends;
    ``reload``: whether the configuration that was read last is in force, and when one last came into
    force, seconds since 1970; ``tallies``: of logins, by realm.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        timers: Timers,
        realms: dict[str, Realm],
        tallies: dict[str, dict[tuple[str, str], int]],
        schedule: Schedule,
        port: PortFactory,
        settle: Callable[[], None],
        max_channels: int,
        draining: Draining,
        spans: Callable[[], dict[str, int]] = lambda: {},
    ) -> None:
        self._realms = realms
        self._tallies = tallies
        self._schedule = schedule
        self._port = port
        self._settle = settle
        self._draining = draining
        # How many were sent away.
        self.sent_away: Callable[[], int] = lambda: 0
        self._spans = spans
        self._busiest = {name: Busiest(realm.totals, max_channels) for name, realm in realms.items()}
        self._slices = Slices(clock, timers)
        self._families: dict[str, Family] = {}
        self._waiting: list[Promise[bytes]] = []
        self.pauses = GcPauses()
        self.store: SqliteStore | None = None
        self.certificates: Callable[[], dict[str, float]] = lambda: {}
        # Of a node of a cluster: what ``radiod.admin.cluster`` tells.
        self.cluster: Callable[[], dict[str, Any]] | None = None
        self.reload = True, clock.time()

    def start(self) -> None:
        """Count what is counted only while the server runs."""
        self.pauses.start()

    def stop(self) -> None:
        """Count it no more."""
        self.pauses.stop()

    def read(self) -> bytes | Promise[bytes]:
        """The text of all, perhaps later; who asks meanwhile gets the same."""
        answer: Promise[bytes] = Promise()
        self._waiting.append(answer)
        if len(self._waiting) == 1:
            told = self._slices.run(self._text())
            if not isinstance(told, Promise):
                self._waiting.clear()
                return told
            told.then(self._tell)
        return answer

    def _tell(self, told: Any) -> None:
        waiting, self._waiting = self._waiting, []
        for answer in waiting:
            answer.settle(told)

    # --- reading, a slice at a time

    def _text(self) -> Generator[None, None, bytes]:
        self._families = {one.name: one for one in (Family(*each) for each in FAMILIES)}
        self._settle()
        yield
        for name, realm in self._realms.items():
            yield from self._read_realm(name, realm)
            yield
        self._read_server()
        families = [*self._families.values(), *self._process()]
        yield
        return text(families)

    def _process(self) -> Iterator[Family]:
        yield from process_families()
        yield from collector_families(self.pauses)

    def _set(self, name: str, value: Any, *labels: str) -> None:
        self._families[name].set(value, *labels)

    # --- one realm

    def _read_realm(self, name: str, realm: Realm) -> Read:
        self._set("radiod_sessions", len(realm.sessions), name)
        for (method, outcome), count in self._tallies.get(name, {}).items():
            self._set("radiod_logins_total", count, name, method, outcome)
        usage = realm.usage
        published = usage.published_events + usage.published_in_private
        by_sessions = usage.published_by_sessions
        self._set("radiod_events_published_total", by_sessions, name, "wamp")
        self._set("radiod_events_published_total", published - by_sessions, name, "http")
        for tally in (realm.space.broker.tally, realm.private_tally):
            self._read_tally(name, tally)
        self._set("radiod_recoveries_total", realm.recoveries.whole, name, "recovered")
        self._set("radiod_recoveries_total", realm.recoveries.broken, name, "gap")
        self._read_calls(name, realm)
        self._set("radiod_channels", len(realm.channels), name)
        self._set("radiod_registrations", len(realm.dealer), name)
        yield
        self._set("radiod_subscriptions", len(realm.space.broker), name)
        self._set("radiod_history_bytes", realm.space.histories.bytes, name)
        yield
        yield from in_steps(realm.channels.private, lambda some: self._read_private(name, some))
        hidden = frozenset(channel.name for channel in realm.channels.private)
        yield
        self._read_channels(name, hidden)

    def _read_private(self, name: str, some: list[Channel]) -> None:
        self._set("radiod_subscriptions", sum(len(one.space.broker) for one in some), name)
        self._set("radiod_history_bytes", sum(one.space.histories.bytes for one in some), name)

    def _read_tally(self, name: str, tally: Tally) -> None:
        self._set("radiod_events_delivered_total", tally.delivered, name)
        self._set("radiod_delivered_bytes_total", tally.delivered_bytes, name)
        for policy, count in tally.by_policy.items():
            self._set("radiod_events_dropped_total", count, name, policy)
        self._set("radiod_events_dropped_total", tally.undeliverable, name, "undeliverable")
        self._set("radiod_events_dropped_total", tally.overtaken, name, "overtaken")
        self._set("radiod_buffered_events", tally.queued, name)
        self._set("radiod_buffered_bytes", tally.queued_bytes, name)

    def _read_calls(self, name: str, realm: Realm) -> None:
        tally = realm.dealer.tally
        self._families["radiod_calls_total"].set_all(tally.by_outcome, name)
        self._set("radiod_calls_pending", tally.pending, name)
        self._set("radiod_call_seconds", tally.seconds, name)

    def _read_channels(self, name: str, hidden: frozenset[str]) -> None:
        for channel, counts in self._busiest[name].choose(hidden).items():
            published, delivered, dropped = counts
            self._set("radiod_channel_published_total", published, name, channel)
            self._set("radiod_channel_delivered_total", delivered, name, channel)
            self._set("radiod_channel_dropped_total", dropped, name, channel)

    # --- what all realms share

    def _read_server(self) -> None:
        self._set("radiod_build_info", 1, __version__)
        self._read_connections()
        self._schedule.count_delays()
        self._set("radiod_publish_deliver_seconds", self._schedule.delays)
        statistics = next(iter(self._realms.values())).statistics
        self._set("radiod_loop_lag_seconds", statistics.longest_lag)
        store = self.store
        if store is not None:
            counters = store.counters()
            self._set("radiod_store_queue_requests", counters["waiting"])
            self._set("radiod_store_queue_bytes", counters["waiting_bytes"])
            self._set("radiod_store_commit_seconds", store.commits)
            self._set("radiod_store_failures_total", store.failures)
        self._families["radiod_certificate_not_after_seconds"].set_all(self.certificates())
        self._set("radiod_draining", int(self._draining.is_on))
        self._set("radiod_sent_away_total", self.sent_away())
        self._families["radiod_spans_total"].set_all(self._spans())
        self._read_cluster()
        is_in_force, since = self.reload
        self._set("radiod_config_last_reload_successful", int(is_in_force))
        self._set("radiod_config_last_reload_timestamp_seconds", since)

    def _read_cluster(self) -> None:
        if self.cluster is None:
            return
        told = self.cluster()
        self._set("radiod_cluster_nodes", len(told["nodes"]) + 1)
        self._set("radiod_cluster_isolated_seconds", told["isolated_s"] or 0)
        for what, address in told["nats"].items():
            self._set("radiod_cluster_connected", int(bool(address)), what)
        self._set("radiod_cluster_lost_total", told["lost"])
        self._set("radiod_cluster_dropped_total", told["dropped"])
        self._set("radiod_cluster_malformed_total", told["malformed"])
        self._set("radiod_cluster_overflowed_total", told["overflowed"])

    def _read_connections(self) -> None:
        census = self._schedule.census
        known = 0
        for (transport, kind), count in census.there.items():
            self._set("radiod_connections", count, transport, kind)
            self._set("radiod_connections_total", census.came[transport, kind], transport, kind)
            known += count if transport != "longpoll" else 0
        # Nobody knows yet what they speak.
        self._set("radiod_connections", self._port.connections - known, "none", "opening")
        statistics = next(iter(self._realms.values())).statistics
        for reason, count in statistics.refused.items():
            how = "cut" if reason in CUT_BY_BOUND else "refused"
            self._set(f"radiod_connections_{how}_total", count, reason)
        cut = {**census.cuts, "backlog": self._schedule.cut}
        self._families["radiod_connections_cut_total"].set_all(cut)
        for (route, status), count in census.requests.items():
            self._set("radiod_http_requests_total", count, route, str(status))
