"""The wiring of a node: from ``[cluster]`` to the buses and streams that its realms share.

Imported only where the configuration has a cluster.
"""

from __future__ import annotations

import hashlib
import re
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import structs
from twisted.internet.defer import DeferredList
from twisted.logger import Logger

from radiod import config
from radiod.access.kinds import Kinds
from radiod.access.shared.store import KINDS
from radiod.auth.cookie import CookieJar
from radiod.auth.shared_cookies import SharedCookieJar
from radiod.core.budgets.idempotency import Answers
from radiod.core.cluster.check_letters import Finding
from radiod.core.cluster.claim import ClaimSettings
from radiod.core.cluster.claims import Claims
from radiod.core.cluster.cluster import NATS, Cluster
from radiod.core.cluster.nodes import NodeSettings
from radiod.core.cluster.realm import ClusterRealm
from radiod.core.cluster.shared_answers import SharedAnswers
from radiod.core.ids import Ids
from radiod.core.promises import Promise, after
from radiod.core.realm.realm import Realm
from radiod.core.rights import Principal
from radiod.engine.nats.bus import NatsBus
from radiod.engine.nats.client import Connection, open_connection
from radiod.engine.nats.credentials import BadCredentials, Credentials, Nkey, Password, Token, UserJwt
from radiod.engine.nats.options import Address, Options
from radiod.engine.nats.records import NatsStreams
from radiod.engine.nats.tls import Tls
from radiod.process import StartError
from radiod.service.sharing import Sharing
from radiod.transport.clock import ReactorClock

__all__ = ["ALONE", "AWAY", "Clustering", "check_usable", "digest_of", "node_name"]

ENVELOPE_BYTES: Final = 16_384
"""What the largest message is longer between nodes, details and lists of sessions included."""

HEADER_BYTES: Final = 1_024
"""And what of that is for headers of NATS."""

PREFIX: Final = "radiod."

MOST_COOKIES: Final = 50_000
"""Of all realms and nodes together; beyond, cookies are good on their own node alone."""

MANY: Final = 100
"""Different troubles that are said."""

AWAY: Final = "cluster: no NATS server"
ALONE: Final = "cluster: no other node is reached"
SETTLING: Final = "cluster: looking for the other nodes"
READING: Final = "cluster: reading what the nodes have agreed on"
"""Reasons why nobody should be sent here."""


def node_name(settings: config.Cluster) -> str:
    """What a node is called: as the configuration says, or as the machine is."""
    return settings.node or re.sub("[^A-Za-z0-9_-]", "-", socket.gethostname())[:64]


def digest_of(configuration: config.Config) -> str:
    """What nodes of one cluster should have in common, in 16 characters: rights, users, keys, channels."""

    def plain(value: Any) -> Any:
        if isinstance(value, config.Secret):
            return hashlib.sha256(value.reveal().encode()).hexdigest()
        raise NotImplementedError

    told = msgspec.json.encode((configuration.realms, configuration.plans), enc_hook=plain)
    return hashlib.sha256(told).hexdigest()[:16]


class Clustering:
    """One process's part in its cluster. ``sharing``: that of access.

    Raises: StartError: what is configured cannot be used.
    """

    log = Logger()

    def __init__(self, configuration: config.Config, clock: ReactorClock, ids: Ids, reactor: Any) -> None:
        settings, node = configuration.cluster, _as_node(configuration)
        self._is_settled = False
        # What was said of the engine: both connections have the same troubles.
        self._said: dict[str, None] = {}
        prefix = node.prefix
        self.cluster = Cluster(node, clock, clock.timers, ids, self._notice)
        options = _options(settings, configuration.limits.max_message_bytes + ENVELOPE_BYTES)
        self._events = NatsBus(self.cluster.way)
        self._control = NatsBus(self.cluster.nodes)
        self._connections = [
            self._connection(bus, partial(open_connection, reactor, clock, options))
            for bus in (self._events, self._control)
        ]
        again, records = f"again.{prefix}", self.cluster.records
        streams = NatsStreams(
            self._connections[0], records, again, settings.replicas, self._notice, clock.soon
        )
        # What counts, besides the nodes, what cannot be read.
        self._readers = self._events, self._control, streams
        self.cluster.attach(self._events, streams)
        self.cluster.nodes.watch(self)
        self._clock = clock
        self._digest = node.digest
        # Since when we are cut off; None: we are not.
        self._isolated_at: float | None = None
        self._closes = settings.isolated is config.Isolated.CLOSE
        self._ids = ids
        self.sharing = Sharing(settings, self.cluster, clock, self._notice)
        self._cookies: Claims | None = None
        # What there has to be before anything is agreed on here; once it was, that is not asked again.
        self._needs: list[Callable[[], bool]] = [
            lambda: self.cluster.claims.is_ready,
            lambda: self.sharing.is_ready,
        ]
        self._has_read = False
        # With ``isolated = "close"``: send everybody elsewhere; let everybody in again.
        self.send_away: Callable[[], object] = _nobody
        self.let_in: Callable[[], object] = _nobody

    def _connection(self, bus: NatsBus, make: Callable[[NatsBus], Connection]) -> Connection:
        connection = make(bus)
        bus.use(connection)
        bus.trouble = self._trouble
        return connection

    @property
    def make_realm(self) -> Callable[..., Realm]:
        """What makes a realm of this node."""
        return partial(ClusterRealm, cluster=self.cluster)

    @property
    def kinds(self) -> Kinds:
        """The books of access of this node."""
        return KINDS

    def make_jar(
        self,
        realm: str,
        lifetime_s: float,
        most: int,
        returning: Callable[[str, str, str, str], Principal | None],
    ) -> CookieJar:
        """The cookies of a realm, good on any node."""
        claims = self._cookies = self._cookies or self._make_cookies()
        clock, ids = self._clock, self._ids
        return SharedCookieJar(
            clock, clock.timers, ids, lifetime_s, most, realm=realm, claims=claims, returning=returning
        )

    def _make_cookies(self) -> Claims:
        """Apart from other claims: these go by themselves."""
        cluster = self.cluster
        prefix = cluster.settings.prefix
        settings = ClaimSettings(
            f"{prefix.replace('.', '-')}-cookies", f"{prefix}.cookies", most=MOST_COOKIES
        )
        claims = Claims(cluster.streams, self._clock, self._clock.timers, cluster.nodes, settings)
        cluster.check.compare("", "cookies", NATS, claims.survey)
        cluster.records.take(f"{prefix}.cookies.", claims.stored)
        cluster.way.on_up.append(claims.up)
        self._needs.append(lambda: claims.is_ready)
        return claims

    def make_answers(self, limits: config.Limits) -> Answers:
        """The answers to requests that may be repeated, on any node."""
        cluster = self.cluster
        answers = SharedAnswers(
            self._clock,
            self._clock.timers,
            limits.idempotency_s,
            streams=cluster.streams,
            peers=cluster.nodes,
            prefix=cluster.settings.prefix,
            name=cluster.settings.name,
            most_bytes=limits.max_message_bytes,
        )
        cluster.way.on_up.append(answers.up)
        self._needs.append(lambda: answers.is_ready)
        return answers

    def start(self) -> None:
        """Connect, and look for the others; all realms are there, and the store is open."""
        self.sharing.begin()
        if self._cookies is not None:
            self._cookies.start()
        for connection in self._connections:
            connection.connect()
        self.cluster.start(self._control).then(lambda _: self._settled())

    def _settled(self) -> None:
        self._is_settled = True
        nodes = self.cluster.nodes
        others = ", ".join(sorted(nodes.name(node) for node in nodes.live())) or "nobody else yet"
        self.log.info(
            "cluster {cluster}: node {node} is there, with {others}",
            cluster=self.cluster.settings.prefix.removeprefix(PREFIX),
            node=self.cluster.settings.name,
            others=others,
            event="cluster",
        )

    def reasons(self) -> list[str]:
        """Why clients should not be sent here."""
        if not all(connection.is_connected for connection in self._connections):
            return [AWAY]
        if not self._is_settled:
            return [SETTLING]
        if self.cluster.nodes.is_isolated:
            return [ALONE]
        self._has_read = self._has_read or all(is_there() for is_there in self._needs)
        return [] if self._has_read else [READING]

    def describe(self) -> dict[str, Any]:
        """As ``ClusterView.cluster``."""
        now, nodes = self._clock.seconds(), self.cluster.nodes
        counts = [connection.counts for connection in self._connections]
        return {
            "cluster": self.cluster.settings.prefix.removeprefix(PREFIX),
            "node": self.cluster.settings.name,
            "incarnation": nodes.me,
            "isolated_s": None if self._isolated_at is None else round(now - self._isolated_at, 1),
            "nats": {
                what: connection.server
                for what, connection in zip(("events", "control"), self._connections, strict=True)
            },
            "nodes": [
                {
                    "node": other.name,
                    "incarnation": other.incarnation,
                    "silent_s": round(max(0.0, now - other.heard), 1),
                    "same_config": other.digest == self._digest,
                }
                for other in nodes.others
            ],
            "lost": nodes.post.lost,
            "dropped": sum(each.while_away + each.overflowed for each in counts)
            + self._events.too_large
            + self._control.too_large,
            "malformed": nodes.malformed + sum(each.malformed for each in self._readers),
            "overflowed": self.cluster.overflowed,
        }

    def check(self) -> Promise[dict[str, Any]]:
        """As ``ClusterView.check``."""

        def came(
            outcome: tuple[dict[str, list[Finding]], tuple[str, ...]],
        ) -> dict[str, Any]:
            found, unanswered = outcome
            mirrors = [
                {"node": node, **structs.asdict(finding)}
                for node, findings in sorted(found.items())
                for finding in findings
            ]
            is_same = not unanswered and all(one["is_same"] for one in mirrors)
            return {"is_same": is_same, "mirrors": mirrors, "unanswered": list(unanswered)}

        return after(self.cluster.check.check_all(), came)

    # --- PeerWatcher

    def joined(self, node: int) -> None:
        """As ``PeerWatcher.joined``."""

    def left(self, node: int) -> None:
        """As ``PeerWatcher.left``."""

    def gap(self, node: int) -> None:
        """As ``PeerWatcher.gap``."""

    def isolated(self) -> None:
        """As ``PeerWatcher.isolated``."""
        self._isolated_at = self._clock.seconds()
        if self._closes:
            self.send_away()

    def healed(self) -> None:
        """As ``PeerWatcher.healed``."""
        self._isolated_at = None
        if self._closes:
            self.let_in()

    def stop(self, fire: Callable[[], None]) -> None:
        """Say goodbye to the others, and send what waits; ``fire`` when that has left, or cannot."""
        self.cluster.stop()
        closed = [connection.close() for connection in self._connections]
        DeferredList(closed, consumeErrors=True).addCallback(lambda _: fire())

    def _trouble(self, line: str) -> None:
        """Say it once, until all is well again."""
        if all(connection.is_connected for connection in self._connections):
            self._said.clear()
        if line not in self._said and len(self._said) < MANY:
            self._said[line] = None
            self._notice(line)

    def _notice(self, line: str) -> None:
        self.log.warn("cluster: {line}", line=line, event="cluster")


def _nobody() -> None:
    """There is nobody to send away yet."""


def _as_node(configuration: config.Config) -> NodeSettings:
    settings = configuration.cluster
    return NodeSettings(
        f"{PREFIX}{settings.name}",
        node_name(settings),
        digest_of(configuration),
        dead_after_s=settings.dead_after_s,
        hold_s=settings.hold_s,
        closes=settings.isolated is config.Isolated.CLOSE,
        max_record=configuration.limits.max_message_bytes + ENVELOPE_BYTES - HEADER_BYTES,
    )


def check_usable(settings: config.Cluster) -> None:
    """Check what ``[cluster]`` names, secrets and files included. Raises: ConfigError: it cannot be used."""
    try:
        _options(settings, 0)
    except StartError as error:
        raise config.ConfigError(("cluster",), str(error).removeprefix("cluster: ")) from None


def _options(settings: config.Cluster, min_payload: int) -> Options:
    """Raises: StartError."""
    try:
        return Options(
            servers=[Address.parse(url) for url in settings.nats],
            name=f"radiod {node_name(settings)}",
            credentials=_credentials(settings),
            tls=_tls(settings),
            min_payload=min_payload,
            gives_up=False,
        )
    except (BadCredentials, ValueError) as error:
        raise StartError(f"cluster: {error}") from None


def _credentials(settings: config.Cluster) -> Credentials | None:
    """Raises: BadCredentials."""
    if settings.user is not None and settings.password is not None:
        return Password(settings.user, settings.password.reveal())
    if settings.token is not None:
        return Token(settings.token.reveal())
    if settings.nkey is not None:
        return Nkey(settings.nkey.reveal().strip())
    return None if settings.credentials is None else UserJwt(settings.credentials.reveal())


def _tls(settings: config.Cluster) -> Tls | None:
    """Raises: ValueError."""
    if settings.ca is None and settings.certificate is None:
        return None
    own = None
    if settings.certificate is not None and settings.key is not None:
        own = _read("certificate", settings.certificate) + b"\n" + _read("key", settings.key)
    return Tls(None if settings.ca is None else _read("ca", settings.ca), own)


def _read(key: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"{key} {path}: {error.strerror}") from None
