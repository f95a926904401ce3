"""The wiring: a ``Config`` becomes a tree of objects behind one port; nothing runs yet.

What decides on rights is wired in ``admission``, a realm in ``realms``, the paths of HTTP in ``http``.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from radiod import config
from radiod.access.kinds import Kinds
from radiod.access.places import Place
from radiod.access.statements import Statements
from radiod.auth.listeners import Listeners
from radiod.auth.replays import Replays
from radiod.auth.signed_request import FRESH_S, SignedRequests
from radiod.auth.tokens import Tokens, is_token
from radiod.core.access.records import KeyRecord
from radiod.core.budgets.idempotency import Answers
from radiod.core.budgets.seats import Seats
from radiod.core.delivery.holdings import Holdings
from radiod.core.draining import Draining
from radiod.core.holders import Account, Holder
from radiod.core.ids import RandomIds
from radiod.core.quotas import DAY, Quota
from radiod.core.realm.gateway import Gateway
from radiod.core.realm.realm import Realm
from radiod.core.rights import Principal
from radiod.core.statistics import Statistics
from radiod.errors import NOT_AUTHORIZED, Refused
from radiod.logs.tail import Tail
from radiod.service.access import MAX_THREADS, Access
from radiod.service.admin import open_gates
from radiod.service.admission import Admission
from radiod.service.http import make_acts, make_site
from radiod.service.metrics import Metrics
from radiod.service.readiness import Readiness
from radiod.service.realms import make_realm, restore_realms
from radiod.service.settings import aliases, own_pages, transport_limits
from radiod.service.tracing import Tracing
from radiod.service.usage import Usage
from radiod.service.views import add_views
from radiod.service.webhooks import Webhooks, http_sender
from radiod.store.access import SqliteAccess
from radiod.store.sqlite import SqliteStore
from radiod.transport.admin import AdminFactory
from radiod.transport.clock import ReactorClock
from radiod.transport.http.connection import HttpConnection
from radiod.transport.http.server import HttpServer
from radiod.transport.limits import TransportLimits
from radiod.transport.listening.listeners import PlainListeners
from radiod.transport.listening.polls import ChannelPolls
from radiod.transport.outbox import FanOut
from radiod.transport.port import PortFactory
from radiod.transport.rawsocket import RawSocketFactory
from radiod.transport.threads import Threads
from radiod.transport.wamp_longpoll import Polls
from radiod.transport.websocket.handshake import RadioSocketFactory
from radiod.web.callers import Callers
from radiod.web.routes import Route
from radiod.web.suspicion import Suspicion
from radiod.web.watching import Metrics as MetricsPath
from radiod.web.watching import Ready

if TYPE_CHECKING:
    from radiod.service.cluster import Clustering

__all__ = ["Radio"]


class Radio:
    """Everything behind the listening port, built from a ``Config`` on a reactor."""

    def __init__(self, configuration: config.Config, reactor: Any) -> None:
        self._config = configuration
        self._reactor = reactor
        self.ids = RandomIds()
        self.clock = ReactorClock(reactor)
        limits = configuration.limits
        self.statistics = Statistics(self.clock, self.clock.timers, limits.stats_interval_s)
        self.fan_out = FanOut(
            self.clock,
            limits.max_backlog_bytes,
            self.statistics.refused,
            limits.message_timeout_s,
            limits.max_unfinished_bytes,
        )
        self.chance = random.random
        self.draining = Draining(self.clock, self.chance, self.statistics.refused)
        self.usage = Usage(configuration.usage, self.clock, self.clock.timers)
        self.cluster = self._make_cluster()
        self.realms = self._make_realms()
        self.access = self._make_access()
        self.admissions = self._make_admissions()
        self.keys = self.access.ring
        self.access.open_books(
            [self._place(name) for name in self.realms],
            {name: admission.users for name, admission in self.admissions.items()},
        )
        self.tokens = Tokens(self.keys, self.clock, self.ids.secret(), self._shared_secrets)
        self.access.on_rights = self._rights_changed
        self.webhooks = self._make_webhooks()
        self._firsts = None if self.cluster is None else self.cluster.sharing.make_firsts()
        self.access.keys.on_end = self._tell_ended
        self._share_usage()
        self.usage.attend(self.realms, self.access.accounts, self._tell_used_up)
        self.statements = self._make_statements()
        self.readiness = Readiness(self.clock, self.clock.timers)
        self.tracing = self._make_tracing()
        self._make_port(transport_limits(limits))
        self.metrics = self._make_metrics()
        self._add_views()
        self._attend_cluster()
        self.statistics.read_from("outbox", self.fan_out.counters)
        self.statistics.read_from("port", lambda: {"connections": self.port.connections})
        tallies = {name: admission.gate.tally for name, admission in self.admissions.items()}
        open_to = partial(open_gates, self.realms, configuration.realms, self.access.accounts, tallies)
        self.admin = AdminFactory(self.port, self.port.rawsocket, open_to)

    def _make_cluster(self) -> Clustering | None:
        if not self._config.cluster.is_on:
            return None
        # Only here: who is alone has nothing to do with any of it.
        from radiod.service.cluster import Clustering

        return Clustering(self._config, self.clock, self.ids, self._reactor)

    def _make_access(self) -> Access:
        kinds = Kinds() if self.cluster is None else self.cluster.kinds
        refused, threads = self.statistics.refused, Threads(self._reactor, MAX_THREADS)
        return Access(self._config, self.clock, self.ids, refused, threads, kinds)

    def _share_usage(self) -> None:
        review = self.access.plans.on_change = lambda account: self.usage.limits.review(account)
        if self.cluster is not None:
            self.cluster.sharing.share_usage(self.usage, self.access, review)

    def _attend_cluster(self) -> None:
        if self.cluster is not None:
            self.readiness.cluster = self.cluster.reasons
            self.metrics.cluster = self.cluster.describe
            realms, sharing = self.realms.values(), self.cluster.sharing
            sharing.share(self.access, self.tokens, self.replays, realms, self.statements)

    @property
    def _shared_secrets(self) -> tuple[str, ...]:
        return () if self.cluster is None else self.cluster.sharing.token_secrets

    def _make_realms(self) -> dict[str, Realm]:
        limits = self._config.limits
        kind = Realm if self.cluster is None else self.cluster.make_realm
        holdings = Holdings(limits.max_session_bytes, limits.max_buffered_bytes)
        return {
            name: make_realm(
                name,
                settings,
                limits,
                outbox=self.fan_out,
                clock=self.clock,
                timers=self.clock.timers,
                ids=self.ids,
                statistics=self.statistics,
                holdings=holdings,
                readerships=self.usage.readerships,
                kind=kind,
            )
            for name, settings in self._config.realms.items()
        }

    def _tell_ended(self, key: KeyRecord, reason: str) -> None:
        data = {"key": key.id, "account": key.account, "reason": reason}
        tell = partial(self.webhooks.notify, "key.revoked", data, key.realm)
        if reason == "expired":
            # Its date comes on all nodes.
            self._tell_once(f"{key.realm}\0{key.id}\0{key.valid_until}", DAY, tell)
        else:
            tell()

    def _tell_used_up(self, account: Account, quota: Quota) -> None:
        data = {"account": account.id, "limit": quota.name}
        what = f"{account.id}\0{quota.name}\0{quota.begin}"
        tell = partial(self.webhooks.notify, "account.quota", data)
        self._tell_once(what, quota.end - self.clock.time(), tell)

    def _tell_once(self, what: str, seconds: float, tell: Callable[[], object]) -> None:
        """Tell it, or have another node do that; ``what``: as ``Firsts.tell``."""
        if self._firsts is None:
            tell()
        else:
            self._firsts.tell(what, seconds, tell)

    def _place(self, name: str) -> Place:
        channels = self._config.realms[name].channels
        private = frozenset(name for name, channel in channels.items() if not channel.public)
        return Place(self.realms[name], self.admissions[name].roles, private)

    def _rights_changed(self, holder: Holder) -> None:
        """Cookies remember the rights that somebody had at its login."""
        for admission in self.admissions.values():
            if admission.cookies is not None:
                admission.cookies.forget_holder(holder)

    def _make_webhooks(self) -> Webhooks:
        make_sender = partial(http_sender, self._reactor, self.clock)
        return Webhooks(self._config, self.realms, self.fan_out, self.clock, self.ids, make_sender)

    def _make_admissions(self) -> dict[str, Admission]:
        return {
            name: Admission(
                self.realms[name],
                settings,
                self.clock,
                self.ids,
                self._reactor,
                self.statistics.refused,
                self._config.limits.max_pending_calls,
                self.access,
                self.draining,
                None if self.cluster is None else self.cluster.make_jar,
            )
            for name, settings in self._config.realms.items()
        }

    def _callers(self, suspicion: Suspicion) -> Callers:
        self.replays = Replays(FRESH_S)
        signed = SignedRequests(self.keys.signing_secret, self.replays)
        callers = Callers(self.keys, signed, suspicion, self.clock, is_token)
        callers.is_traced = self.tracing.is_on
        return callers

    def _make_acts(self, callers: Callers) -> dict[str, Route]:
        limits = self._config.limits
        self.answers = (
            Answers(self.clock, self.clock.timers, limits.idempotency_s)
            if self.cluster is None
            else self.cluster.make_answers(limits)
        )
        return make_acts(
            callers,
            self.tokens,
            self.statements,
            limits,
            self._config.http.origins,
            self.answers,
            self.ids.secret(),
        )

    def _make_tracing(self) -> Tracing:
        otel, uid = self._config.otel, self.ids.secret()
        return Tracing(otel, self.realms, self.fan_out, self.clock, self._reactor, uid)

    def _make_statements(self) -> Statements:
        access = self.access
        return Statements(access.keys, access.book, access.plans, self.usage.source, self.clock)

    def _watching(self, callers: Callers) -> dict[str, Route]:
        """What is for those who watch the server, by path."""
        self.watchers: set[tuple[str, str]] = set()
        self.let_watch(self._config.realms)
        metrics = MetricsPath(callers, self.watchers, lambda: self.metrics.read())
        return {"/metrics": metrics, "/readyz": Ready(self.readiness.reasons)}

    def let_watch(self, realms: Mapping[str, config.Realm]) -> None:
        """The keys with ``metrics`` are these from now on."""
        self.watchers.clear()
        for realm, settings in realms.items():
            self.watchers.update((realm, name) for name, key in settings.keys.items() if key.metrics)

    def _make_metrics(self) -> Metrics:
        return Metrics(
            clock=self.clock,
            timers=self.clock.timers,
            realms=self.realms,
            tallies={name: admission.gate.tally for name, admission in self.admissions.items()},
            schedule=self.fan_out,
            port=self.port,
            settle=self.usage.ledger.settle,
            max_channels=self._config.metrics.max_channels,
            draining=self.draining,
            spans=self.tracing.counts,
        )

    def _add_views(self) -> None:
        """What operators look at."""
        self.tail = Tail()
        add_views(
            self.realms,
            clock=self.clock,
            metrics=self.metrics,
            tail=self.tail,
            connections=lambda: self.port.connections,
            cluster=self.cluster,
        )

    def _make_port(self, limits: TransportLimits) -> None:
        refused, unfinished = self.statistics.refused, self.fan_out.unfinished
        gates = {name: admission.gate for name, admission in self.admissions.items()}
        paths = dict(aliases(self._config))
        listeners = Listeners(self.keys, self.tokens, self._anonymous)
        streams = PlainListeners(self.clock, listeners.identify, limits.heartbeat)
        seats = Seats(limits.max_polls, refused, "polls", "polls that wait")
        self.channel_polls = ChannelPolls(self.fan_out, self.clock, seats, self.draining)
        self.polls = Polls(self.clock, self.fan_out, gates, self.ids, limits, refused)
        anonymous = self.admissions[self.main_realm.name].anonymous
        suspicion = Suspicion(self.fan_out.guesses)
        callers = self._callers(suspicion)
        site = make_site(
            acts=self._make_acts(callers),
            gateway=self.main_realm.gateway,
            permissions=anonymous.permissions if anonymous else None,
            streams=streams,
            channel_polls=self.channel_polls,
            longpolls=self.polls,
            suspicion=suspicion,
            draining=self.draining,
            aliases=paths,
            watching=self._watching(callers),
            pages=own_pages(self._config.http),
        )
        self.http = HttpServer(self.fan_out, self.clock, site.route, limits)
        self.port = PortFactory(
            self.clock,
            limits,
            self.fan_out.strangers,
            refused,
            unfinished,
            websocket=RadioSocketFactory(
                self._reactor, self.clock, self.fan_out, gates, streams, paths, limits, self.draining
            ),
            rawsocket=RawSocketFactory(self.clock, self.fan_out, gates, limits),
            http=partial(HttpConnection, self.http),
            census=self.fan_out.census,
            newcomers=self.fan_out.newcomers,
        )
        self.http.upgrade = self.port.upgrade_later

    def remember(self, store: SqliteStore) -> None:
        """As ``realms.restore_realms``; statistics tell of the store, too."""
        restore_realms(self.realms, store)
        store.notes.extend(self.access.remember(SqliteAccess(store)))
        self.statistics.read_from("store", store.counters)
        self.metrics.store = self.readiness.store = store

    @property
    def main_realm(self) -> Realm:
        """The realm that HTTP requests without a key belong to: the first one configured."""
        return next(iter(self.realms.values()))

    def _anonymous(self) -> tuple[Gateway, Principal]:
        """Who listens without WAMP, and shows nothing. Raises: Refused: nobody may."""
        realm = self.main_realm
        anonymous = self.admissions[realm.name].anonymous
        if anonymous is None:
            raise Refused(NOT_AUTHORIZED, "an API-KEY is needed to listen here")
        return realm.gateway, anonymous.principal()
