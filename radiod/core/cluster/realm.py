"""A realm that other nodes serve, too: the parts of it that do otherwise.

Each part that others share is made in a method of its own here, and joins the others by ``cluster``.
"""

from __future__ import annotations

from radiod.core.channels.lifecycle import Lifecycle
from radiod.core.channels.registry import Channels
from radiod.core.cluster.arrivals import Arrivals
from radiod.core.cluster.calls import ClusterDealer
from radiod.core.cluster.census import (
    Census,
    ClusterRegistrationProcedures,
    ClusterRpcProcedures,
    ClusterSessions,
)
from radiod.core.cluster.channel_claims import ChannelClaims
from radiod.core.cluster.channel_procedures import ClusterChannelProcedures
from radiod.core.cluster.cluster import Cluster
from radiod.core.cluster.envelope import Crossing
from radiod.core.cluster.event_history import SharedEventHistory
from radiod.core.cluster.logs import PUBLIC, Logs
from radiod.core.cluster.mirrored import (
    MirroredCallees,
    MirroredTables,
    compare_channels,
    compare_subscriptions,
)
from radiod.core.cluster.places import Places
from radiod.core.cluster.presence_procedures import SharedPresenceProcedures
from radiod.core.cluster.readers import Readers
from radiod.core.cluster.relay import Relay
from radiod.core.cluster.retaining import RetainedRecords
from radiod.core.cluster.router_topics import RouterTopics
from radiod.core.cluster.rpc import ClusterRpc
from radiod.core.cluster.shared_channels import SharedChannels
from radiod.core.cluster.shared_departures import SharedDepartures
from radiod.core.cluster.shared_descriptions import SharedDescriptions
from radiod.core.cluster.shared_events import SharedEvents
from radiod.core.cluster.shared_gateway import SharedGateway
from radiod.core.cluster.shared_histories import SharedHistories
from radiod.core.cluster.shared_lifecycle import SharedLifecycle
from radiod.core.cluster.shared_management import SharedManagement
from radiod.core.cluster.shared_presence import SharedPresence
from radiod.core.cluster.shared_testaments import SharedTestaments
from radiod.core.cluster.shared_writers import SharedWriters
from radiod.core.cluster.sharing import SharedBroker, SharedPublishing
from radiod.core.cluster.subjects import escape
from radiod.core.cluster.subscribing import SharedMessages
from radiod.core.cluster.subscription_procedures import SharedSubscriptionProcedures
from radiod.core.cluster.tables import Tables
from radiod.core.cluster.visits import Visits
from radiod.core.cluster.writer_slots import WriterSlots
from radiod.core.delivery.holdings import Holdings
from radiod.core.delivery.readership import Readerships
from radiod.core.history.histories import Histories
from radiod.core.ids import Ids
from radiod.core.limits import Limits
from radiod.core.procedures.dispatch import Procedures
from radiod.core.procedures.family import Family
from radiod.core.procedures.radiod_server import ServerProcedures
from radiod.core.pubsub.broker import Broker
from radiod.core.pubsub.topic_space import TopicSpace
from radiod.core.realm.management import Management
from radiod.core.realm.realm import Outbox, Realm
from radiod.core.statistics import Statistics
from radiod.core.timers import Clock, Timers

__all__ = ["ClusterRealm"]


class ClusterRealm(Realm):
    """One realm of a router of several nodes."""

    def __init__(
        self,
        name: str,
        *,
        cluster: Cluster,
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
        # Before the parts are made, which ask for it.
        self.cluster = cluster
        super().__init__(
            name,
            outbox=outbox,
            clock=clock,
            timers=timers,
            ids=ids,
            limits=limits,
            undeclared_topics=undeclared_topics,
            statistics=statistics,
            holdings=holdings,
            readerships=readerships,
        )
        cluster.nodes.reborn.append(self._reborn)
        self._have_checked()

    # --- calls

    def _make_dealer(self) -> ClusterDealer:
        dealer = ClusterDealer(
            self._outbox,
            self._clock,
            self._timers,
            self._ids,
            self.limits,
            self.holdings,
            peers=self.cluster.nodes,
            realm=self.name,
            closes=self.cluster.settings.closes,
        )
        self.visits = Visits(self.name, self.cluster.nodes, dealer, self.sessions)
        # The same, as this one is.
        self._cluster_dealer = dealer
        return dealer

    def _make_procedures(self) -> Procedures:
        """As in any realm, but that what is about sessions and registrations is so on all nodes."""
        procedures = super()._make_procedures()
        self.census = Census(self.name, self.cluster.nodes, self._clock, self._timers)
        self._shared_descriptions.attach(
            self.census, self.places, self.logs, self._clock, self._shared_channels
        )
        registrations, authority, slices = self.dealer.registrations, self.departures, self.slices
        self._rpc_procedures = ClusterRpcProcedures(registrations, slices)
        server = ServerProcedures(self.load.describe)
        server.node = self.cluster.settings.name
        proxies = self._cluster_dealer.proxies
        channels = ClusterChannelProcedures(
            self.lifecycle, self.lookup, self.descriptions, self.writers, self._ids
        )
        channels.elsewhere, channels.places, channels.channels = self.readers, self.places, self.channels
        channels.shared_writers, channels.described = self._shared_writers, self._shared_descriptions
        families: list[Family] = [
            channels,
            ClusterSessions(self.sessions, authority, slices, self.census),
            ClusterRegistrationProcedures(
                self.sessions, registrations, authority, slices, proxies, self.census
            ),
            self._rpc_procedures,
            server,
            SharedPresenceProcedures(self._shared_presence),
            *self._make_subscription_procedures(),
        ]
        for family in families:
            procedures.table |= family.procedures
        return procedures

    def _make_management(self, kind: type[Management] = SharedManagement) -> SharedManagement:
        management = super()._make_management(kind)
        assert isinstance(management, SharedManagement)
        management.attach(self.census, self.places, self._shared_presence, self.cluster.settings.name)
        return management

    def _make_subscription_procedures(self) -> list[Family]:
        broker = self.space.broker
        assert isinstance(broker, SharedBroker)
        procedures = SharedSubscriptionProcedures(
            self.sessions, broker, self.departures, self.slices, self.census
        )
        procedures.id_of = broker.id_of
        past = SharedEventHistory(self.space, self.slices, self.usage.retold)
        past.broker, past.subscriptions = broker, procedures
        return [procedures, past]

    def _make_messages(self) -> SharedMessages:
        self.rpc = ClusterRpc(
            self.name,
            peers=self.cluster.nodes,
            claims=self.cluster.claims,
            dealer=self._cluster_dealer,
            departures=self.departures,
            events=self.events,
            visits=self.visits,
            outbox=self._outbox,
            clock=self._clock,
            timers=self._timers,
        )
        messages = self._new_messages(SharedMessages)
        messages.callees = self._rpc_procedures.callees = self.rpc.callees
        messages.interest, messages.lookup = self.router_topics, self.lookup
        messages.places, messages.records = self.places, self.records
        messages.arrivals = self.arrivals
        return messages

    def _make_gateway(self) -> SharedGateway:
        gateway = self._new_gateway(SharedGateway)
        gateway.interest, gateway.places = self.router_topics, self.places
        gateway.clock, gateway.timers = self._clock, self._timers
        gateway.elsewhere, gateway.channels = self.readers, self.channels
        gateway.described = self._shared_descriptions
        return gateway

    # --- topics

    def _make_pubsub(self) -> None:
        super()._make_pubsub()
        # place of a private channel -> the way of its events
        self._in_private: dict[str, SharedPublishing] = {}
        broker = self.space.broker
        assert isinstance(broker, SharedBroker)
        cluster = self.cluster
        self.records = RetainedRecords(
            self.name,
            cluster.settings.prefix,
            cluster.retained,
            cluster.streams,
            self._clock,
            self._timers,
        )
        self.places = self.records.places = Places(broker)
        self.records.note_malformed = lambda: cluster.nodes.note_malformed(cluster.retained)
        self.relay = Relay(
            self.name, cluster, self._clock, self._timers, self._take, self._lose, self.records
        )
        self.tables = Tables(self.name, cluster.nodes, self._clock, self._timers, self.slices)
        cluster.mirrors.append(self.tables.mirrors)
        self.readers = Readers(self.name, cluster.nodes, self._clock, self._timers, self._own_readers)
        self._share_broker(broker)
        self._shared_publishing = self.space.publishing = SharedPublishing(
            broker, self.space.histories, self._ids, self.statistics, self.relay, self.records
        )
        self._make_logs()

    @property
    def has_shared_log(self) -> bool:
        """As ``Realm.has_shared_log``."""
        return True

    def _share_broker(self, broker: SharedBroker, place: str = "") -> None:
        interest = self.relay.interest
        broker.records, broker.elsewhere = self.records, self.readers
        broker.realm, broker.hold, broker.end = self.name, interest.hold, interest.end
        broker.place = place

    def _make_histories(self, *, is_private: bool) -> Histories:
        return self._new_histories(SharedHistories, is_private=is_private)

    def _make_logs(self) -> None:
        """Have the histories of public topics filled from their logs."""
        cluster, space, name = self.cluster, self.space, escape(self.name)
        prefix = cluster.settings.prefix
        base = f"{prefix}.log.{name}"
        self.logs = Logs(
            cluster.streams,
            base,
            f"{prefix.replace('.', '-')}-log-{name}",
            f"{cluster.nodes.me:x}",
            self._clock,
            self._timers,
            self._ids,
            hold_s=cluster.settings.hold_s,
            max_bytes=cluster.settings.max_record,
            actor=self.sessions.get,
            is_alone=lambda: not cluster.nodes.live(),
            note_malformed=lambda: cluster.nodes.note_malformed(base),
        )
        assert isinstance(space.histories, SharedHistories)
        self.logs.add_space(PUBLIC, space.histories, space.publishing, space.broker)
        cluster.records.take(f"{base}.", self.logs.stored)
        cluster.way.on_up.append(self.logs.up)
        cluster.nodes.watch(self.logs)

    def _make_broker(self, *, is_private: bool) -> Broker:
        return self._new_broker(SharedBroker, is_private=is_private)

    def _own_readers(self, place: str) -> int:
        """How many sessions of this node listen to a place."""
        topic = self.places.at(place)
        if topic is None:
            return 0
        broker, name = topic
        return broker.own_readers(name) if isinstance(broker, SharedBroker) else broker.readers(name)

    # --- channels

    def _make_channels(self, undeclared_topics: bool) -> None:
        super()._make_channels(undeclared_topics)
        self.descriptions = self._shared_descriptions = SharedDescriptions(
            self.channels, self.lookup, self.writers, self.slices
        )

    def _make_registry(
        self, undeclared_topics: bool, kind: type[Channels] = SharedChannels
    ) -> SharedChannels:
        channels = super()._make_registry(undeclared_topics, kind)
        assert isinstance(channels, SharedChannels)
        channels.share = self._share
        self._shared_channels = channels
        return channels

    def _make_lifecycle(self, kind: type[Lifecycle] = SharedLifecycle) -> SharedLifecycle:
        cluster, clock, timers = self.cluster, self._clock, self._timers
        lifecycle = super()._make_lifecycle(kind)
        assert isinstance(lifecycle, SharedLifecycle)
        self.channel_claims = ChannelClaims(
            self.name,
            peers=cluster.nodes,
            claims=cluster.claims,
            channels=self._shared_channels,
            sessions=self.sessions,
            births=self.logs.births,
            clock=clock,
            timers=timers,
        )
        lifecycle.begin(
            registry=self._shared_channels,
            claims=self.channel_claims,
            writers=self._shared_writers,
            logs=self.logs,
            unshare=self._unshare,
            ids=self._ids,
            timers=timers,
        )
        return lifecycle

    def _share(self, space: TopicSpace, name: str, place: str) -> None:
        """A private channel is on all nodes, in its place."""
        broker, histories = space.broker, space.histories
        assert isinstance(broker, SharedBroker)
        assert isinstance(histories, SharedHistories)
        self.places.add(place, space.at(name))
        self._share_broker(broker, place)
        publishing = SharedPublishing(
            broker, histories, self._ids, self.statistics, self.relay, self.records, place
        )
        space.publishing = self._in_private[place] = publishing
        self.logs.add_space(place, histories, publishing, broker)

    def _unshare(self, place: str) -> None:
        """It has ended."""
        self.places.remove(place)
        self._in_private.pop(place, None)
        self.logs.end(place)

    def _make_writers(self) -> SharedWriters:
        clock, timers = self._clock, self._timers
        self.slots = WriterSlots(
            self.name,
            peers=self.cluster.nodes,
            claims=self.cluster.claims,
            sessions=self.sessions,
            clock=clock,
            timers=timers,
        )
        self._shared_writers = SharedWriters(
            clock, timers, self.limits, self.announcer, self.readers, self.places, self.slots
        )
        return self._shared_writers

    def _take(self, crossing: Crossing) -> None:
        """An event of another node."""
        topic = self.places.at(crossing.topic)
        if topic is not None:
            publishing = self._in_private.get(crossing.topic, self._shared_publishing)
            publishing.deliver(
                crossing.publication,
                None,
                topic.topic,
                crossing.payload(),
                crossing.narrowed(),
                crossing.told(),
                crossing.is_end_mark,
            )

    def _lose(self, place: str, count: int) -> None:
        """Events were lost on their way here."""
        topic = self.places.at(place)
        if topic is not None and isinstance(topic.broker, SharedBroker):
            topic.broker.lose(topic.topic, count)

    # --- what the router tells

    def _make_presence(self) -> SharedPresence:
        presence = SharedPresence(self.announcer, self._ids, self.lookup, self.channels.__contains__)
        presence.attach(self.tables, self.places, self._clock, self._timers)
        self._shared_presence = presence
        return presence

    def _make_events(self) -> SharedEvents:
        broker, interest = self.space.broker, self.relay.interest
        assert isinstance(broker, SharedBroker)
        events = SharedEvents(self.announcer, self.tables, self.sessions, broker)
        topics = RouterTopics(interest, self.tables.mirrors, events, self._shared_presence, broker)
        events.topics, events.id_of = topics, broker.id_of
        self.router_topics = topics
        self._shared_events = events
        return events

    def _make_departures(self) -> SharedDepartures:
        departures = self._new_departures(SharedDepartures)
        testaments, channels = self._shared_testaments, self._shared_channels
        departures.shared, departures.testaments = self._shared_events, testaments
        departures.arrivals = self.arrivals = Arrivals(
            self._shared_events, self._shared_presence, self._clock
        )
        departures.places = testaments.places = self.places
        departures.channels, testaments.is_there = channels, channels.is_there
        departures.memberships = testaments.memberships = self.memberships
        testaments.lookup, testaments.publish = self.lookup, departures.publish_for
        return departures

    def _make_testaments(self) -> SharedTestaments:
        testaments = SharedTestaments(self.limits.max_testaments)
        cluster, dead_after_s = self.cluster, self.cluster.settings.dead_after_s
        testaments.attach(
            self.name, cluster.nodes, cluster.claims, self._clock, self._timers, self.sessions, dead_after_s
        )
        self._shared_testaments = testaments
        return testaments

    # --- other nodes

    def _have_checked(self) -> None:
        """What is mirrored here can be compared with what others have."""
        check, peers, claims = self.cluster.check, self.cluster.nodes, self.cluster.claims
        tables, events, channels = self.tables, self._shared_events, self._shared_channels
        check.add(self.name, "tables", MirroredTables(tables))
        check.add(self.name, "callees", MirroredCallees(self.rpc, self._cluster_dealer))
        check.compare(
            self.name,
            "channels",
            "claims",
            lambda: compare_channels(claims, channels, self.about("channels")),
        )
        check.compare(
            self.name, "subscriptions", "subscribers", lambda: compare_subscriptions(tables, events, peers)
        )

    def about(self, part: str) -> str:
        """What messages between a part of the realm and its like elsewhere are about (``Peers.take``)."""
        return f"{self.name} {part}"

    def _reborn(self) -> None:
        """We have become a new incarnation: what others knew of us, they do not know any more."""
        self.rpc.reborn()
        self._shared_testaments.reborn()
        self.channel_claims.reborn()
        self.slots.reborn()
