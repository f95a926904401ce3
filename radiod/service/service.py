"""The wiring: a ``Config`` becomes a tree of objects, and a Twisted service that starts and stops it.

What decides on rights is wired in ``admission``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec import structs
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger
from twisted.web.resource import Resource

from radiod import __version__, config, unixports
from radiod.auth.roles import StaticPermissions
from radiod.core.budgets.seats import Seats
from radiod.core.build import BUILD
from radiod.core.delivery.holdings import Holdings
from radiod.core.history.histories import Keep
from radiod.core.history.positions import Position
from radiod.core.ids import RandomIds
from radiod.core.ports import Action, Limits, Permissions, Principal
from radiod.core.pubsub.topic_space import Space
from radiod.core.realm.realm import Realm
from radiod.core.sessions.session import Session
from radiod.core.statistics import Statistics
from radiod.core.uris import is_pattern
from radiod.endpoints import EndpointError, address, listen
from radiod.errors import NOT_AUTHORIZED, Refused, WrongSecret
from radiod.process import Process, StartError
from radiod.service.admission import Admission
from radiod.store.journal import RealmJournal, restored, saved_channel, spans
from radiod.store.records import StoreError
from radiod.store.sqlite import SqliteStore
from radiod.transport.clock import ReactorClock, make_monotonic
from radiod.transport.limits import Settings
from radiod.transport.listening.listeners import Streams
from radiod.transport.listening.polls import ChannelPolls
from radiod.transport.outbox import FanOut
from radiod.transport.port import Entrance, PortFactory
from radiod.transport.rawsocket import RawSocketFactory
from radiod.transport.wamp_longpoll import Polls
from radiod.transport.websocket.handshake import RadioSocketFactory
from radiod.web.channels import ChannelsResource, HealthResource
from radiod.web.http import RadioSite
from radiod.web.listen import ListenResource
from radiod.web.longpoll import LongPollResource
from radiod.web.publish import PublishResource
from radiod.web.site import Root, WampPath
from radiod.web.suspicion import Suspicion
from radiod.wire.doors import Door

__all__ = ["ListenError", "Radio", "RadioService", "StartError"]

STORE_SECONDS = 2.0
"""How long what waits for the disk may take when the server stops: nobody was told yet that it is there."""

SHUTDOWN_SECONDS = 4.0
"""How long connections may take to read the goodbye; twistd is gone within 5 s of SIGTERM."""


class ListenError(StartError):
    """An endpoint cannot be listened on."""


class KeyHolder:
    """Who an HTTP API key stands for: the realm, and a session that is never joined and only publishes."""

    def __init__(self, secret: config.Secret, realm: Realm, publisher: Session, listener: Principal) -> None:
        self.secret = secret
        self.realm = realm
        self.publisher = publisher
        self.listener = listener


class Radio:
    """Everything behind the listening port, built from a ``Config`` on a reactor; nothing runs yet."""

    def __init__(self, configuration: config.Config, reactor: Any) -> None:
        self._config = configuration
        self.ids = RandomIds()
        self.clock = ReactorClock(reactor)
        limits = configuration.limits
        self.statistics = Statistics(self.clock, self.clock.timers, limits.stats_interval_s)
        self._holdings = Holdings(limits.max_session_bytes, limits.max_buffered_bytes)
        self.fan_out = FanOut(
            self.clock,
            limits.max_backlog_bytes,
            self.statistics.refused,
            limits.message_timeout_s,
            limits.max_unfinished_bytes,
        )
        self.realms = {name: self._realm(name, realm) for name, realm in configuration.realms.items()}
        self._admissions = {
            name: Admission(
                self.realms[name],
                realm,
                self.clock,
                self.ids,
                reactor,
                self.statistics.refused,
                limits.max_pending_calls,
            )
            for name, realm in configuration.realms.items()
        }
        # SHA-256 of the key -> its holder: the look-up's timing tells nothing about the keys themselves.
        self._keys = dict(self._key_holders())
        settings = _settings(limits)
        streams = Streams(self.fan_out, self.clock, self.identify, settings.heartbeat)
        self.channel_polls = ChannelPolls(
            self.fan_out,
            self.clock,
            Seats(settings.max_polls, self.statistics.refused, "polls", "polls that wait"),
        )
        gates = {name: admission.gate for name, admission in self._admissions.items()}
        self.polls = Polls(self.clock, self.fan_out, gates, self.ids, settings, self.statistics.refused)
        aliases = dict(_aliases(configuration))
        self.site = RadioSite(
            self._root(streams, aliases),
            reactor,
            self.clock,
            timeout=settings.http_timeout,
            idle=settings.http_idle,
            unfinished=self.fan_out.unfinished,
            max_body_bytes=settings.max_message_bytes,
        )
        self.port = PortFactory(
            self.clock,
            settings,
            self.fan_out.strangers,
            self.statistics.refused,
            self.fan_out.unfinished,
            websocket=RadioSocketFactory(
                reactor, self.clock, self.fan_out, gates, streams, aliases, settings
            ),
            rawsocket=RawSocketFactory(self.clock, self.fan_out, gates, settings),
            http=self.site,
        )
        self.site.upgrade = self.port.upgrade_later

    def remember(self, store: SqliteStore) -> None:
        """Go on where the store says that its channels had come, and write to it from now on.

        Raises: StoreError: it cannot be read.
        """
        positions = store.positions()
        for stored in store.channels():
            if stored.realm in self.realms:
                # One whose time is over ends with the first turn, and is deleted then.
                self.realms[stored.realm].desk.restore(saved_channel(stored))
        for name, realm in self.realms.items():
            for (of, topic), at in positions.items():
                keep = realm.histories.wanted(topic) if of == name else None
                if keep is not None and keep.is_durable:
                    past = restored(store.recent(name, topic, keep.size), topic)
                    realm.histories.restore(topic, Position(at.epoch, at.seq), past.records, past.lost)
                    if past.lost:
                        store.notes.append(f"damaged events of {name} {topic} are lost: {spans(past.lost)}")
            realm.histories.journal = RealmJournal(store, name)

    @property
    def main_realm(self) -> Realm:
        """The realm that HTTP requests without a key belong to: the first one configured."""
        return next(iter(self.realms.values()))

    def _realm(self, name: str, settings: config.Realm) -> Realm:
        limits = self._config.limits
        realm = Realm(
            name,
            outbox=self.fan_out,
            clock=self.clock,
            timers=self.clock.timers,
            ids=self.ids,
            # What bounds the core's tables has the same names there.
            limits=Limits(**{name: getattr(limits, name) for name in Limits.__struct_fields__}),
            undeclared_topics=settings.undeclared_topics,
            statistics=self.statistics,
            holdings=self._holdings,
        )
        for channel, rules in settings.channels.items():
            space = realm.space if is_pattern(channel) else _declare(realm, channel, rules)
            if rules.buffer != config.Buffer():
                given = structs.asdict(rules.buffer)
                space.tuning.declare(channel, {**given, "policy": rules.buffer.policy.value})
            if rules.history is not None or rules.durable:
                space.histories.keep(channel, _keep(rules.history, rules.durable))
        patterns = (name for name, rules in settings.channels.items() if is_pattern(name) and rules.presence)
        realm.desk.attendance.show_matching(tuple(patterns))
        return realm

    def _key_holders(self) -> Iterator[tuple[bytes, KeyHolder]]:
        for name, settings in self._config.realms.items():
            realm = self.realms[name]
            for key_name, key in settings.keys.items():
                permissions = StaticPermissions({Action.PUBLISH: key.publish, Action.SUBSCRIBE: key.listen})
                named = {*key.publish, *key.listen}
                private = tuple(n for n, c in settings.channels.items() if not c.public and n in named)
                principal = _key_principal(key_name, permissions, private)
                publisher = Session(self.ids.next(), principal, outlet=None)
                realm.desk.grant(publisher)
                holder = KeyHolder(key.key, realm, publisher, principal)
                yield _digest(key.key.reveal()), holder

    def _holder(self, key: str) -> KeyHolder | None:
        holder = self._keys.get(_digest(key))
        return holder if holder is not None and holder.secret.matches(key) else None

    def writer(self, key: str) -> tuple[Realm, Session] | None:
        """The realm and the publishing session of an API key; None: there is no such key."""
        holder = self._holder(key)
        return (holder.realm, holder.publisher) if holder else None

    def identify(self, credential: str | None) -> tuple[Realm, Principal]:
        """Who listens without WAMP: the holder of an API key, or anybody. Raises: Refused: nobody."""
        if credential is not None:
            holder = self._holder(credential)
            if holder is None:
                raise WrongSecret(NOT_AUTHORIZED, "API-KEY not valid")
            return holder.realm, holder.listener
        realm = self.main_realm
        anonymous = self._admissions[realm.name].anonymous
        if anonymous is None:
            raise Refused(NOT_AUTHORIZED, "an API-KEY is needed to listen here")
        return realm, anonymous.principal()

    def _root(self, streams: Streams, aliases: Mapping[str, str]) -> Root:
        suspicion = Suspicion(self.fan_out.guesses)
        publish = PublishResource(self.writer, suspicion)
        listen = ListenResource(streams, self.channel_polls, suspicion)
        anonymous = self._admissions[self.main_realm.name].anonymous
        channels = ChannelsResource(self.main_realm, anonymous.permissions if anonymous else None)
        leaves: dict[str, Resource] = {
            "/publish": publish,
            "/api/publish": publish,
            # Paths that lack a channel say so.
            "/listen": listen,
            "/listen/": listen,
            "/channels": channels,
            "/healthz": HealthResource(),
            "/ws": WampPath(),
        }
        by_path = {
            path: ListenResource(streams, self.channel_polls, suspicion, name)
            for path, name in aliases.items()
        }
        below = {"/listen/": listen, "/channels/": channels, "/lp/": LongPollResource(self.polls)}
        return Root({**leaves, **by_path}, below)


class RadioService(MultiService):
    """Runs a ``Radio``: listens from ``bind`` on, and stops without losing what it accepted.

    ``process``: what will have become of this process when the service starts.
    """

    log = Logger()

    def __init__(self, configuration: config.Config, reactor: Any, process: Process | None = None) -> None:
        super().__init__()
        self._process = process or Process()
        self._config = configuration
        self._reactor = reactor
        self.radio = Radio(configuration, reactor)
        self.log_interval = configuration.limits.log_interval_s
        self.ports: list[IListeningPort] = []
        self._store: SqliteStore | None = None
        # While it stops: do not wait for connections any longer.
        self.hurry: Callable[[], None] = lambda: None
        # What opening the store told, once each: in bind nobody reads the log yet.
        self._notes: dict[str, None] = {}

    def bind(self) -> None:
        """Try the store, and listen on every endpoint, so that a failure can be told before the start.

        Raises: ListenError: one endpoint cannot be listened on; the others are left as they are. StartError:
            the store cannot be used. ConfigError: there is none, and it is needed.
        """
        make_monotonic(self._reactor)
        self._check_durable()
        with self._process.acting():
            self._open_store(self._config.store.path)
            # twistd detaches after this: neither a lock of the file nor a thread would live through it.
            self._close_store()
        self._process.inside(self._config.store.path)
        for index, listening in enumerate(self._config.listen):
            self._listen(index, listening)

    def _listen(self, index: int, listening: config.Listen) -> None:
        """Listen on one endpoint. Raises: ListenError."""
        key = f"listen.[{index}].endpoint: cannot listen on {listening.endpoint!r}"
        entrance = Entrance(self.radio.port, door(listening))

        def opened(port: IListeningPort) -> None:
            self.ports.append(entrance.listening(port))

        def failed(why: str) -> None:
            self.log.error("{key}: {why}", key=key, why=why)

        try:
            listen(self._reactor, listening.endpoint, entrance, opened, failed)
        except EndpointError as error:
            raise ListenError(f"{key}: {error}") from None

    def privilegedStartService(self) -> None:
        """Detached, but with all rights yet."""
        super().privilegedStartService()
        for port in self.ports:
            unixports.keep(port, self._process)

    def startService(self) -> None:
        """Go on the air, and say so on one line."""
        super().startService()
        if not self.ports:
            self.bind()
        self._open_store(self._process.inside(self._config.store.path))
        if self._store is not None:
            for note in self._notes:
                self.log.warn("store {path}: {note}", path=self._config.store.path, note=note)
            self._store.start()
        self.radio.statistics.start()
        self.log.info(
            "radiod {version} ({build}) on the air: {where}; realms {realms}",
            version=__version__,
            build=BUILD,
            where=", ".join(address(port) for port in self.ports),
            realms=", ".join(self.radio.realms),
        )
        for line in self._config.not_yet():
            self.log.warn("configured, but without effect: {what}", what=line)

    def _check_durable(self) -> None:
        """Only here, since the command line may give or take the store. Raises: ConfigError."""
        for realm, settings in self._config.realms.items():
            for channel, rules in settings.channels.items():
                if rules.durable and not self._config.store.path:
                    key = ("realms", realm, "channels", channel, "durable")
                    raise config.ConfigError(key, "needs a store: give store.path, or --store")

    def _open_store(self, path: str) -> None:
        """Open the store, and go on where it ends. Raises: StartError."""
        if path:
            self._store = SqliteStore(path, self._reactor.callFromThread)
            try:
                self._store.open()
                self.radio.remember(self._store)
                self._notes |= dict.fromkeys(self._store.notes)
            except StoreError as error:
                raise StartError(str(error)) from None

    def _close_store(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            try:
                store.close(STORE_SECONDS)
            except StoreError as error:
                self.log.error("{error}", error=error)

    async def _stop(self) -> None:
        await DeferredList([maybeDeferred(unixports.stop, port) for port in self.ports], consumeErrors=True)
        for realm in self.radio.realms.values():
            realm.drain()
        await self._answered()
        for realm in self.radio.realms.values():
            realm.close()
        self.radio.statistics.stop()
        self.radio.fan_out.strangers.dismiss()
        self.radio.fan_out.flush()
        self.radio.polls.wind_up()
        self.radio.site.wind_up()
        await self._connections_gone()
        self._close_store()
        self.radio.clock.stop()

    def _answered(self) -> Deferred[None]:
        """Fires when publishers that waited have been answered: for room in buffers, and for the store."""

        def soon(fire: Callable[[], None]) -> None:
            # What the core does as soon as there is room is a deadline of this very moment.
            self.radio.clock.timers.at(self.radio.clock.seconds(), fire)

        store = self._store
        if store is None:
            return self._within(STORE_SECONDS, soon)
        return self._within(STORE_SECONDS, lambda fire: store.when_answered(lambda: soon(fire)))

    def _connections_gone(self) -> Deferred[None]:
        """Fires when the last connection has closed, at the latest after ``SHUTDOWN_SECONDS``."""
        return self._within(SHUTDOWN_SECONDS, self.radio.port.when_empty)

    def _within(self, seconds: float, ask: Callable[[Callable[[], None]], None]) -> Deferred[None]:
        """Fires when the function that ``ask`` is given was called, or after so much time."""
        fired: Deferred[None] = Deferred()

        def fire() -> None:
            deadline.cancel()
            if not fired.called:
                fired.callback(None)

        self.hurry = fire
        clock = self.radio.clock
        deadline = clock.timers.at(clock.seconds() + seconds, fire)
        ask(fire)
        return fired

    def stopService(self) -> Deferred[Any]:
        """Stop accepting, say goodbye, let everything that is queued leave; done within 5 s."""
        stopped = Deferred.fromCoroutine(self._stop())
        others = super().stopService()
        return stopped if others is None else DeferredList([stopped, others])


def _keep(history: config.History | None, is_durable: bool) -> Keep:
    kept = history or config.History()
    return Keep(size=kept.size, seconds=kept.seconds, bytes=kept.bytes, is_durable=is_durable)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def _declare(realm: Realm, name: str, rules: config.Channel) -> Space:
    """Add a channel. Returns: where its topic is."""
    return realm.desk.declare(
        name,
        key=rules.key.reveal() if rules.key is not None else None,
        single_writer=rules.single_writer,
        presence=rules.presence,
    ).space


def _key_principal(name: str, permissions: Permissions, memberships: tuple[str, ...]) -> Principal:
    """``memberships``: the private channels that the key names."""
    return Principal(
        authid=name,
        authrole=f"key:{name}",
        authmethod="key",
        authprovider="static",
        permissions=permissions,
        memberships=memberships,
    )


def door(listen: config.Listen) -> Door:
    """The rules of one table of ``[[listen]]``."""
    found = Door(listen.trusted_proxies, listen.hosts, listen.origins)
    found.tells_peer_late = listen.endpoint.lower().startswith("haproxy:")
    return found


def _settings(limits: config.Limits) -> Settings:
    return Settings(
        max_message_bytes=limits.max_message_bytes,
        max_connections=limits.max_connections,
        max_connections_per_address=limits.max_connections_per_address,
        max_polls=max(1, limits.max_connections // 10),
        max_fragments=limits.max_fragments,
        compression=limits.compression,
        handshake_seconds=limits.max_unauthenticated_seconds,
        ping_interval=limits.ping_interval_s,
        ping_timeout=limits.ping_timeout_s,
        http_timeout=limits.http_timeout_s,
        http_idle=limits.http_idle_s,
        heartbeat=limits.heartbeat_s,
    )


def _aliases(configuration: config.Config) -> Iterator[tuple[str, str]]:
    for realm in configuration.realms.values():
        for name, channel in realm.channels.items():
            for path in channel.aliases:
                yield path, name
