"""A realm of the configuration becomes one that runs, and goes on where the store says it had come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import structs

from radiod import config
from radiod.auth.keys import Key
from radiod.auth.roles import StaticPermissions
from radiod.core.channels.settings import ChannelSettings
from radiod.core.delivery.holdings import Holdings
from radiod.core.disclosure import Visitor
from radiod.core.history.bounds import HistoryBounds
from radiod.core.history.positions import Position
from radiod.core.holders import Accounts, Holder
from radiod.core.ids import Ids, digest
from radiod.core.limits import Limits
from radiod.core.realm.realm import Outbox, Realm
from radiod.core.rights import Action, Permissions, Principal
from radiod.core.statistics import Statistics
from radiod.core.timers import Clock, Timers
from radiod.core.uris import is_pattern
from radiod.store.journal import RealmJournal, restored, saved_channel, spans
from radiod.store.sqlite import SqliteStore

__all__ = ["keys_of", "make_realm", "restore_realms"]


def make_realm(
    name: str,
    settings: config.Realm,
    limits: config.Limits,
    *,
    outbox: Outbox,
    clock: Clock,
    timers: Timers,
    ids: Ids,
    statistics: Statistics,
    holdings: Holdings,
) -> Realm:
    """A realm with the channels that the configuration declares."""
    realm = Realm(
        name,
        outbox=outbox,
        clock=clock,
        timers=timers,
        ids=ids,
        # What bounds the core's tables has the same names there.
        limits=Limits(**{name: getattr(limits, name) for name in Limits.__struct_fields__}),
        undeclared_topics=settings.undeclared_topics,
        statistics=statistics,
        holdings=holdings,
    )
    for channel, rules in settings.channels.items():
        _declare(realm, channel, rules)
    patterns = (name for name, rules in settings.channels.items() if is_pattern(name) and rules.presence)
    realm.presence.show_matching(tuple(patterns))
    return realm


def _declare(realm: Realm, channel: str, rules: config.Channel) -> None:
    """Add a channel, or what a pattern says of topics."""
    buffer: dict[str, Any] = {}
    if rules.buffer != config.Buffer():
        buffer = {**structs.asdict(rules.buffer), "policy": rules.buffer.policy.value}
    history = None
    if rules.history is not None or rules.durable:
        history = _bounds(rules.history, rules.durable)
    if is_pattern(channel):
        if buffer:
            realm.space.tuning.declare(channel, buffer)
        if history is not None:
            realm.space.histories.keep(channel, history)
        return
    settings = ChannelSettings(
        single_writer=rules.single_writer, presence=rules.presence, buffer=buffer, history=history
    )
    key = rules.key.reveal() if rules.key is not None else None
    realm.lifecycle.declare(channel, settings, key=key)


def _bounds(history: config.History | None, is_durable: bool) -> HistoryBounds:
    kept = history or config.History()
    return HistoryBounds(size=kept.size, seconds=kept.seconds, bytes=kept.bytes, is_durable=is_durable)


def keys_of(
    realm: Realm, settings: config.Realm, ids: Ids, accounts: Accounts
) -> Iterator[tuple[Key, bytes]]:
    """The API keys that the configuration gives for a realm, with the digests of their secrets."""
    for name, key in settings.keys.items():
        permissions = StaticPermissions(
            {Action.PUBLISH: key.publish, Action.SUBSCRIBE: key.listen, Action.CALL: key.call}
        )
        named = {*key.publish, *key.listen}
        private = tuple(n for n, c in settings.channels.items() if not c.public and n in named)
        principal = _key_principal(name, permissions, private, Holder(name, accounts.of(name)))
        made = Key(name, realm, Visitor(ids.next(), principal), signing=key.signing)
        yield made, digest(key.key.reveal())


def _key_principal(
    name: str, permissions: Permissions, memberships: tuple[str, ...], holder: Holder
) -> Principal:
    """``memberships``: the private channels that the key names."""
    return Principal(
        authid=name,
        authrole=f"key:{name}",
        authmethod="key",
        authprovider="static",
        permissions=permissions,
        memberships=memberships,
        holder=holder,
    )


def restore_realms(realms: Mapping[str, Realm], store: SqliteStore) -> None:
    """Go on where the store says that the channels had come, and write to it from now on.

    Raises: StoreError: it cannot be read.
    """
    positions = store.positions()
    for stored in store.channels():
        if stored.realm in realms:
            # One whose time is over ends with the first turn, and is deleted then.
            realms[stored.realm].lifecycle.restore(saved_channel(stored))
    for name, realm in realms.items():
        for (of, topic), at in positions.items():
            if of == name:
                _restore_topic(realm, store, topic, Position(at.epoch, at.seq))
        journal = RealmJournal(store, name)
        realm.space.histories.journal = realm.lifecycle.store = journal


def _restore_topic(realm: Realm, store: SqliteStore, topic: str, at: Position) -> None:
    histories = realm.space.histories
    keep = histories.wanted(topic)
    if keep is not None and keep.is_durable:
        past = restored(store.recent(realm.name, topic, keep.size), topic)
        histories.restore(topic, at, past.records, past.lost)
        if past.lost:
            store.notes.append(f"damaged events of {realm.name} {topic} are lost: {spans(past.lost)}")
