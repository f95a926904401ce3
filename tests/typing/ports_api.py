"""Each port, and who keeps it: mypy reads this, nobody runs it.

A function takes a real implementation and returns it as the port: mypy compares them, method by method. Where
a line must be wrong it is ignored by its error's code, and mypy reports an ignored line that is right.
``tests/test_architecture.py`` looks whether every port has its lines here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, assert_type

from radiod import secret, testing
from radiod.auth import (
    anonymous,
    authorizer,
    cookie,
    cryptosign,
    directory,
    dynamic,
    keys,
    roles,
    router_only,
    scram,
    ticket,
    unknown_users,
    wampcra,
)
from radiod.core import disclosure, ids, rights, timers
from radiod.core.access import memory, port, records
from radiod.core.budgets import unfinished
from radiod.core.channels import authority
from radiod.core.channels import settings as channel_settings
from radiod.core.cluster import (
    callees,
    claim,
    follower,
    logs,
    peers,
    ports,
    proxies,
    shared_events,
    shared_presence,
    shared_testaments,
    space_logs,
    table_mirrors,
    table_news,
    tables,
    tails,
)
from radiod.core.delivery import flow, holdings, listeners, pacing
from radiod.core.history import events, log, room, topic_history
from radiod.core.procedures import (
    family,
    radiod_channel,
    radiod_client,
    radiod_history,
    radiod_presence,
    radiod_rpc,
    radiod_server,
    radiod_statistics,
    wamp_event_history,
    wamp_registrations,
    wamp_sessions,
    wamp_subscriptions,
    wamp_testaments,
)
from radiod.core.promises import Promise
from radiod.core.pubsub import replay
from radiod.core.realm import departures, meter, publications
from radiod.core.sessions import authentication, outbox
from radiod.core.sessions import session as sessions
from radiod.errors import Refused
from radiod.store import access as access_store
from radiod.store import journal as store
from radiod.transport import clock, driver, formats, reading
from radiod.transport import outbox as fan_out
from radiod.transport.websocket import connection
from radiod.wire import codecs
from radiod.wire.options import PublishOptions

# --- time and chance


def clocks(
    real: clock.ReactorClock, fake: testing.FakeClock
) -> tuple[timers.Clock, timers.Clock, timers.Waker]:
    return real, fake, real


def random(real: ids.RandomIds, fake: testing.SequentialIds) -> tuple[ids.Ids, ids.Ids]:
    return real, fake


def timers_are_woken_by_a_waker(source: timers.Clock) -> None:
    timers.Timers(source)  # type: ignore[arg-type]


# --- who may do what


def permissions(
    static: roles.StaticPermissions, asking: authorizer.Authorizer, less: router_only.RouterOnly
) -> tuple[rights.Permissions, ...]:
    return static, asking, less, testing.ALLOW_ALL


def actors(session: sessions.Session, visitor: disclosure.Visitor) -> tuple[rights.Actor, rights.Actor]:
    return session, visitor


def what_is_decided(may: rights.Permissions, actor: rights.Actor) -> None:
    verdict = may.decide(actor, rights.Action.CALL, "a.procedure", PublishOptions())
    assert_type(verdict, rights.Verdict | Promise[rights.Verdict])
    assert_type(may.allows(rights.Action.CALL, "a.procedure"), bool)
    may.allows("call", "a.procedure")  # type: ignore[arg-type]
    may.rate_limit = None  # type: ignore[misc]
    may.decide(actor, rights.Action.CALL, "a.procedure")  # type: ignore[call-arg]


# --- who comes in


def authenticators(
    a: anonymous.Anonymous,
    b: ticket.Ticket,
    c: wampcra.WampCra,
    d: scram.Scram,
    e: cryptosign.Cryptosign,
    f: cookie.Cookie,
) -> tuple[authentication.Authenticator, ...]:
    return a, b, c, d, e, f


def cookies(jar: cookie.CookieJar) -> authentication.Cookies:
    return jar


def directories(
    a: directory.StaticDirectory, b: directory.DynamicDirectory, c: dynamic.CallDirectory
) -> tuple[directory.Directory, ...]:
    return a, b, c


def signing_secrets(real: secret.Secret) -> keys.SigningSecret:
    return real


def nobody_begins_with_a_name(method: authentication.Authenticator) -> None:
    method.begin("alice")  # type: ignore[arg-type]
    method.method = "ticket"  # type: ignore[misc]


def users_are_not_a_method(users: unknown_users.UnknownUsers) -> authentication.Authenticator:
    return users  # type: ignore[return-value]


# --- the way out


def outboxes(
    real: fan_out.FanOut, fake: testing.RecordingOutbox
) -> tuple[outbox.SessionOutbox, outbox.SessionOutbox, flow.EventOutbox[listeners.Listener]]:
    return real, fake, real


def events_need_listeners(real: fan_out.FanOut) -> flow.EventOutbox[sessions.Session]:
    return real  # type: ignore[return-value]


def holders(listener: listeners.Listener) -> tuple[holdings.Holder, pacing.Paced]:
    return listener, listener


def pasts(real: replay.Replay) -> pacing.Past:
    return real


def unfinished_messages(socket: connection.WebSocketConnection) -> unfinished.Holder:
    return socket


def drivers(real: driver.WampDriver) -> reading.Driver:
    return real


def wamp_formats(poll: formats.PollFormat) -> formats.Format:
    return poll


def serializers() -> tuple[codecs.Codec, ...]:
    return codecs.JSON, codecs.MSGPACK, codecs.CBOR


def messages_are_not_bytes(way: outbox.SessionOutbox, session: sessions.Session) -> None:
    way.send(session, b"[36]")  # type: ignore[arg-type]
    way.hold(session)  # type: ignore[call-arg]


# --- what is kept


def logs_of_a_cluster(real: space_logs.SpaceLogs) -> tuple[log.Log, tails.TailOwner]:
    return real, real


def takers(
    real: tails.Tail, users: logs.Logs
) -> tuple[follower.RecordTaker, ports.StreamUser, peers.PeerWatcher]:
    return real, users, users


def journals(real: store.RealmJournal) -> tuple[log.Log, channel_settings.ChannelStore]:
    return real, real


def ranked(history: topic_history.History) -> room.Ranked:
    return history


def what_is_kept(into: log.Log, event: events.KeptEvent, done: Callable[[Refused | None], None]) -> None:
    into.append(event, done)
    into.append(event)  # type: ignore[call-arg]
    into.append(event, lambda: None)  # type: ignore[arg-type, misc]
    into.trim("a.topic", 1, 2)  # type: ignore[arg-type]


def access_stores(
    real: access_store.SqliteAccess, without_a_store: memory.MemoryAccessStore
) -> tuple[port.AccessStore, port.AccessStore]:
    return real, without_a_store


def usage_is_told_when_it_was_read(into: port.AccessStore, query: records.UsageQuery) -> None:
    assert_type(into.usage(query), Promise[tuple[list[dict[str, Any]], str | None]])
    into.usage("2026-11")  # type: ignore[arg-type]
    into.used({"rdk_1": 0.0})  # type: ignore[dict-item]


def a_journal_keeps_no_rights(real: store.RealmJournal) -> rights.Permissions:
    return real  # type: ignore[return-value]


# --- among the core's parts


def authorities(real: departures.Departures) -> authority.Authority:
    return real


def meters(real: publications.Usage) -> meter.Meter:
    return real


def families(
    a: radiod_channel.ChannelProcedures,
    b: radiod_client.ClientProcedures,
    c: radiod_history.HistoryProcedures,
    d: radiod_presence.PresenceProcedures,
    e: radiod_rpc.RpcProcedures,
    f: radiod_server.ServerProcedures,
    g: radiod_statistics.ChannelStatistics,
    h: wamp_event_history.EventHistoryProcedures,
    i: wamp_registrations.RegistrationProcedures,
    j: wamp_sessions.SessionProcedures,
    k: wamp_subscriptions.SubscriptionProcedures,
    m: wamp_testaments.TestamentProcedures,
) -> tuple[family.Family, ...]:
    return a, b, c, d, e, f, g, h, i, j, k, m


class Half:
    """A meter that forgets what a public event is."""

    def published(self, actor: rights.Actor, channel: str, size: int) -> None: ...

    def refused(self, actor: rights.Actor, uri: str) -> None: ...


def half_a_meter() -> meter.Meter:
    return Half()  # type: ignore[return-value]


# --- between nodes


def buses_say_what_is_dropped(a: ports.Bus) -> ports.Bus:
    assert_type(a.send("a.b", b""), bool)
    a.send("a.b", "text")  # type: ignore[arg-type]
    return a


def records_have_numbers(in_a: ports.Streams) -> ports.Streams:
    in_a.append("s", "a.b", b"", lambda outcome: None, expected=0)
    in_a.append("s", "a.b", b"", lambda outcome: None, expected="0")  # type: ignore[arg-type]
    in_a.append("s", "a.b", "text", lambda outcome: None)  # type: ignore[arg-type]
    return in_a


class Deaf:
    """Uses a bus, and forgets that it may be down."""

    def came(self, subject: str, reply: str, data: bytes) -> None: ...

    def unreachable(self, reply: str) -> None: ...

    def up(self) -> None: ...


def deaf_users() -> ports.BusUser:
    return Deaf()  # type: ignore[return-value]


class Forgetful:
    """Follows a stream, and takes no record."""


def forgetful_users() -> ports.StreamUser:
    return Forgetful()  # type: ignore[return-value]


def forgetful_watchers() -> peers.PeerWatcher:
    return Forgetful()  # type: ignore[return-value]


def peers_are_numbers(all: peers.Peers) -> peers.Peers:
    all.tell(1, "radio/calls", b"")
    all.tell("a", "radio/calls", b"")  # type: ignore[arg-type]
    assert_type(all.ask(1, "radio/calls", b"", 1.0), Promise[bytes])
    return all


def callees_mind_their_claims(all: callees.Callees) -> claim.ClaimWatcher:
    return all


def testaments_mind_their_claims(all: shared_testaments.SharedTestaments) -> claim.ClaimWatcher:
    return all


def forgetful_claimers() -> claim.ClaimWatcher:
    return Forgetful()  # type: ignore[return-value]


def events_and_presence_have_tables(
    events: shared_events.SharedEvents, presence: shared_presence.SharedPresence
) -> list[table_news.TableSource]:
    return [events, presence]


def events_and_presence_want_mirrors(
    events: shared_events.SharedEvents, presence: shared_presence.SharedPresence
) -> list[table_mirrors.MirrorUser]:
    return [events, presence]


def forgetful_sources() -> table_news.TableSource:
    return Forgetful()  # type: ignore[return-value]


def forgetful_mirror_users() -> table_mirrors.MirrorUser:
    return Forgetful()  # type: ignore[return-value]


def tables_mind_who_is_there(all: tables.Tables) -> peers.PeerWatcher:
    return all


def ways_out_are_senders(out: proxies.RoutingOutbox) -> outbox.Sender:
    return out


def senders_send_no_text(to: outbox.Sender, session: sessions.Session) -> outbox.Sender:
    to.send(session, "text")  # type: ignore[arg-type]
    return to
