"""One realm: the list of its parts, and how sessions come in.

Read it in the order of the parts: ``publications`` and ``subscribers`` are what is done, ``departures`` how
it ends, ``messages`` and ``inbox`` what WAMP sessions ask for, ``gateway`` what everybody else may.

Only the end of a call that the router made (``ask``) sets others going in the middle of something: who waited
for it acts at once, or, when a session that leaves ended it, as soon as that session has left.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from radiod.core.access.ledger import Ledger
from radiod.core.budgets.bounds import Bounds
from radiod.core.channels.descriptions import Descriptions
from radiod.core.channels.lifecycle import Lifecycle
from radiod.core.channels.lookup import Lookup
from radiod.core.channels.memberships import Memberships
from radiod.core.channels.presence import Presence
from radiod.core.channels.registry import Channels
from radiod.core.channels.writers import Writers
from radiod.core.delivery.flow import EventOutbox
from radiod.core.delivery.holdings import Holdings
from radiod.core.delivery.listeners import Listener
from radiod.core.delivery.readership import Readerships
from radiod.core.delivery.totals import Tally, Totals
from radiod.core.history.histories import Histories
from radiod.core.ids import Ids
from radiod.core.limits import Limits
from radiod.core.procedures.dispatch import Procedures
from radiod.core.procedures.radiod_channel import ChannelProcedures
from radiod.core.procedures.radiod_client import ClientProcedures
from radiod.core.procedures.radiod_history import HistoryProcedures
from radiod.core.procedures.radiod_presence import PresenceProcedures
from radiod.core.procedures.radiod_rpc import RpcProcedures
from radiod.core.procedures.radiod_server import ServerProcedures
from radiod.core.procedures.radiod_statistics import ChannelStatistics
from radiod.core.procedures.wamp_event_history import EventHistoryProcedures
from radiod.core.procedures.wamp_registrations import RegistrationProcedures
from radiod.core.procedures.wamp_sessions import SessionProcedures
from radiod.core.procedures.wamp_subscriptions import SubscriptionProcedures
from radiod.core.procedures.wamp_testaments import TestamentProcedures
from radiod.core.promises import Promise
from radiod.core.pubsub.announcer import Announcer
from radiod.core.pubsub.broker import Broker, SessionSubscriptions
from radiod.core.pubsub.recovery import Recoveries
from radiod.core.pubsub.retention import Retention
from radiod.core.pubsub.streams import Streams
from radiod.core.pubsub.testaments import Testaments
from radiod.core.pubsub.topic_space import TopicSpace
from radiod.core.pubsub.tuning import Tuned
from radiod.core.realm.departures import Departures
from radiod.core.realm.gateway import Gateway
from radiod.core.realm.inbox import Inbox
from radiod.core.realm.load import Load
from radiod.core.realm.management import Management
from radiod.core.realm.messages import Messages
from radiod.core.realm.meta_events import MetaEvents
from radiod.core.realm.publications import Publications, Usage
from radiod.core.realm.revision import Revision
from radiod.core.realm.subscribers import Subscribers
from radiod.core.rights import Principal
from radiod.core.rpc.dealer import Dealer
from radiod.core.rpc.router_calls import RouterCalls
from radiod.core.sessions.outbox import SessionOutbox
from radiod.core.sessions.session import NO_FEATURES, Session
from radiod.core.slices import Slices
from radiod.core.statistics import Statistics
from radiod.core.timers import Clock, Timers
from radiod.wire.codecs import Codec
from radiod.wire.messages import Message

__all__ = ["Outbox", "Realm"]

B = TypeVar("B", bound=Broker)
D = TypeVar("D", bound=Departures)
G = TypeVar("G", bound=Gateway)
H = TypeVar("H", bound=Histories)
M = TypeVar("M", bound=Messages)


class Outbox(SessionOutbox, EventOutbox[Listener], Protocol):
    """Where all that leaves a realm goes."""


class Realm:
    """One realm of the router.

    ``sessions``: id -> those that have joined, in that order; ``space``: of everything public;
    ``private_tally``: what became of events of all private channels; ``totals``: of public topics;
    ``recoveries``: of those that went on behind a position.
    """

    def __init__(
        self,
        name: str,
        *,
        outbox: Outbox,
        clock: Clock,
        timers: Timers,
        ids: Ids,
        limits: Limits,
        undeclared_topics: bool = True,
        statistics: Statistics | None = None,
        holdings: Holdings | None = None,
        readerships: Readerships | None = None,
    ) -> None:
        self.name = name
        self.limits = limits
        self._outbox = outbox
        self._clock = clock
        self._timers = timers
        self._ids = ids
        self.sessions: dict[int, Session] = {}
        self.bounds = Bounds()
        self.statistics = Statistics(clock, timers) if statistics is None else statistics
        self.holdings = Holdings.of(limits) if holdings is None else holdings
        self.readerships = Readerships(Ledger(clock)) if readerships is None else readerships
        self.ledger = self.readerships.ledger
        self.private_tally = Tally()
        self.totals = Totals()
        self.recoveries = Recoveries()
        self.usage = Usage(self.ledger, self.totals)
        self.slices = Slices(clock, timers)
        self._make_pubsub()
        self.dealer = self._make_dealer()
        self.router_calls = RouterCalls(self.dealer)
        self._make_channels(undeclared_topics)
        self._make_acts()
        self._make_doors()
        self.statistics.watch(self._round_ended)

    def _make_pubsub(self) -> None:
        limits = self.limits
        self.subscriptions = SessionSubscriptions()
        # Apart, since who fills up the one would learn of the other.
        self._retention = Retention(limits)
        self._private_retention = Retention(limits)
        self.tuned = Tuned(limits)
        self.streams = Streams()
        self.testaments = self._make_testaments()
        self.space = self.make_space()
        self.announcer = Announcer(self.space.broker, self._ids)

    @property
    def has_shared_log(self) -> bool:
        """Whether other nodes have the log of its histories, too: it is not this node's store."""
        return False

    def _make_testaments(self) -> Testaments:
        return Testaments(self.limits.max_testaments)

    def make_space(self, *, is_private: bool = False) -> TopicSpace:
        """Room for topics on this realm's ports and limits."""
        limits = self.limits
        broker = self._make_broker(is_private=is_private)
        histories = self._make_histories(is_private=is_private)
        return TopicSpace(broker, histories, self._ids, limits, self.statistics, self.tuned, self.recoveries)

    def _make_histories(self, *, is_private: bool) -> Histories:
        return self._new_histories(Histories, is_private=is_private)

    def _new_histories(self, kind: type[H], *, is_private: bool) -> H:
        """Histories on this realm's limits."""
        max_topics = 1 if is_private else self.limits.max_channels
        return kind(self._clock, self._ids, max_topics, self.limits.max_history_bytes, self.bounds)

    def _make_broker(self, *, is_private: bool) -> Broker:
        return self._new_broker(Broker, is_private=is_private)

    def _new_broker(self, kind: type[B], *, is_private: bool) -> B:
        """A broker on this realm's ports and limits."""
        return kind(
            self._outbox,
            self._clock,
            self._timers,
            self.limits,
            subscriptions=self.subscriptions,
            retention=self._private_retention if is_private else self._retention,
            private_ids=self._ids if is_private else None,
            holdings=self.holdings,
            bounds=self.bounds,
            readerships=self.readerships,
            tally=self.private_tally if is_private else None,
            totals=None if is_private else self.totals,
        )

    def _make_dealer(self) -> Dealer:
        return Dealer(self._outbox, self._clock, self._timers, self._ids, self.limits, self.holdings)

    def _make_channels(self, undeclared_topics: bool) -> None:
        self.channels = self._make_registry(undeclared_topics)
        self.memberships = Memberships(self.limits.max_memberships)
        self.lookup = Lookup(self.channels, self.memberships, self.space)
        self.writers = self._make_writers()
        self.presence = self._make_presence()
        self.descriptions = Descriptions(self.channels, self.lookup, self.writers, self.slices)
        self.lifecycle = self._make_lifecycle()

    def _make_registry(self, undeclared_topics: bool, kind: type[Channels] = Channels) -> Channels:
        return kind(
            self._clock,
            self._timers,
            self._ids,
            self.limits,
            space=self.space,
            make_space=lambda: self.make_space(is_private=True),
            undeclared_topics=undeclared_topics,
            on_end=lambda channel, reason: self.lifecycle.ended(channel, reason),
        )

    def _make_lifecycle(self, kind: type[Lifecycle] = Lifecycle) -> Lifecycle:
        return kind(
            channels=self.channels,
            memberships=self.memberships,
            lookup=self.lookup,
            writers=self.writers,
            presence=self.presence,
            announcer=self.announcer,
            space=self.space,
            outbox=self._outbox,
            clock=self._clock,
        )

    def _make_presence(self) -> Presence:
        return Presence(self.announcer, self._ids, self.lookup, self.channels.__contains__)

    def _make_writers(self) -> Writers:
        return Writers(self._clock, self._timers, self.limits, self.announcer)

    def _make_events(self) -> MetaEvents:
        return MetaEvents(self.announcer)

    def _make_acts(self) -> None:
        self.events = self._make_events()
        self.publications = Publications(
            self.channels,
            self.memberships,
            self.lookup,
            self.writers,
            self.streams,
            self.space,
            self.usage,
        )
        self.subscribers = Subscribers(self.lookup, self.events, self.writers, self.presence)
        self.departures = self._make_departures()
        self.lifecycle.authority = self.departures
        self.load = Load(
            statistics=self.statistics,
            sessions=self.sessions,
            broker=self.space.broker,
            dealer=self.dealer,
            channels=self.channels,
            holdings=self.holdings,
            bounds=self.bounds,
            usage=self.usage,
            announcer=self.announcer,
            settle=self.ledger.settle,
        )

    def _make_departures(self) -> Departures:
        return self._new_departures(Departures)

    def _new_departures(self, kind: type[D]) -> D:
        """How sessions leave this realm."""
        return kind(
            sessions=self.sessions,
            subscriptions=self.subscriptions,
            dealer=self.dealer,
            testaments=self.testaments,
            streams=self.streams,
            tuned=self.tuned,
            holdings=self.holdings,
            lifecycle=self.lifecycle,
            publications=self.publications,
            subscribers=self.subscribers,
            events=self.events,
            router_calls=self.router_calls,
            outbox=self._outbox,
            slices=self.slices,
            ledger=self.ledger,
        )

    def _make_procedures(self) -> Procedures:
        sessions, registrations, slices = self.sessions, self.dealer.registrations, self.slices
        lookup, descriptions, writers = self.lookup, self.descriptions, self.writers
        authority = self.departures
        return Procedures(
            [
                ChannelProcedures(self.lifecycle, lookup, descriptions, writers, self._ids),
                ChannelStatistics(lookup, descriptions, writers, self.statistics, slices),
                ClientProcedures(sessions, registrations, slices),
                HistoryProcedures(lookup, self.usage.retold),
                PresenceProcedures(self.presence),
                RpcProcedures(registrations, slices),
                ServerProcedures(self.load.describe),
                SessionProcedures(sessions, authority, slices),
                TestamentProcedures(self.testaments),
                SubscriptionProcedures(sessions, self.space.broker, authority, slices),
                EventHistoryProcedures(self.space, slices, self.usage.retold),
                RegistrationProcedures(sessions, registrations, authority, slices),
            ]
        )

    def _make_management(self, kind: type[Management] = Management) -> Management:
        return kind(
            sessions=self.sessions,
            subscriptions=self.subscriptions,
            statistics=self.statistics,
            space=self.space,
            lookup=self.lookup,
            presence=self.presence,
            authority=self.departures,
            slices=self.slices,
        )

    def _make_messages(self) -> Messages:
        return self._new_messages(Messages)

    def _new_messages(self, kind: type[M]) -> M:
        """What does what this realm's messages ask for."""
        return kind(
            publications=self.publications,
            subscribers=self.subscribers,
            subscriptions=self.subscriptions,
            dealer=self.dealer,
            procedures=self.procedures,
            departures=self.departures,
            events=self.events,
            outbox=self._outbox,
            slices=self.slices,
            max_nesting=self.limits.max_nesting,
        )

    def _make_doors(self) -> None:
        self.procedures = self._make_procedures()
        self.gateway = self._make_gateway()
        self.management = self._make_management()
        messages = self._make_messages()
        self.inbox = Inbox(
            messages,
            self.departures,
            self.dealer,
            self._outbox,
            self._clock,
            self.slices,
            self.bounds,
        )
        self.departures.on_leave = self.inbox.leave
        self.revision = Revision(
            inbox=self.inbox,
            authority=self.departures,
            subscriptions=self.subscriptions,
            registrations=self.dealer.registrations,
            writers=self.writers,
        )

    def _make_gateway(self) -> Gateway:
        return self._new_gateway(Gateway)

    def _new_gateway(self, kind: type[G]) -> G:
        """The way in without WAMP."""
        return kind(
            publications=self.publications,
            subscribers=self.subscribers,
            lookup=self.lookup,
            descriptions=self.descriptions,
            bounds=self.bounds,
            router_calls=self.router_calls,
            procedures=self.procedures,
            ids=self._ids,
            max_nesting=self.limits.max_nesting,
            join=self.join,
            departures=self.departures,
        )

    # --- sessions

    def join(
        self,
        principal: Principal,
        outlet: Any,
        features: frozenset[str] = NO_FEATURES,
        is_revocable: bool = False,
        agent: str | None = None,
        *,
        wants_goodbye: bool = False,
        id: int | None = None,
    ) -> Session:
        """Open a session for ``principal``; ``outlet`` is the outbox's way to it.

        Args:
            id: what the client was told that it would be; taken only by the most unlikely chance.
        Raises: OverLimit: its account's plan has no more connections.
        """
        holder = principal.holder
        if holder is not None:
            holder.check_room()
        if id is None:
            id = self._ids.next()
        while id in self.sessions:
            id = self._ids.next()
        session = self.sessions[id] = Session(
            id, principal, outlet, features, is_revocable, agent, wants_goodbye
        )
        if holder is not None:
            holder.enter(session, self.departures.expel)
        self.ledger.opened(holder)
        self.inbox.admit(session)
        self.lifecycle.grant(session)
        self.events.joined(session)
        return session

    def leave(self, session: Session) -> None:
        """Remove every trace of ``session``; leaving twice does nothing."""
        self.departures.leave(session)

    def drain(self) -> None:
        """As ``Departures.drain``."""
        self.departures.drain()

    def close(self, retry_after: Callable[[], float] | None = None) -> None:
        """As ``Departures.close``."""
        self.departures.close(retry_after)

    def send_away(self, session: Session, retry_after: float) -> None:
        """As ``Departures.send_away``."""
        self.departures.send_away(session, retry_after)

    def stay(self) -> None:
        """As ``Departures.stay``."""
        self.departures.stay()

    # --- messages

    def take(self, session: Session, message: Message, codec: Codec) -> None:
        """As ``Inbox.take``."""
        self.inbox.take(session, message, codec)

    def ask(self, procedure: str, *args: Any, timeout_s: float) -> Promise[Any]:
        """As ``RouterCalls.ask``."""
        return self.router_calls.ask(procedure, *args, timeout_s=timeout_s)

    def _round_ended(self, seconds: float) -> None:
        self.lifecycle.check_date()
        self.load.round_ended(seconds)
