"""A realm of the configuration becomes one that runs, and goes on where the store says it had come."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import structs

from radiod import config
from radiod.core.channels.settings import ChannelSettings
from radiod.core.delivery.holdings import Holdings
from radiod.core.delivery.readership import Readerships
from radiod.core.history.bounds import HistoryBounds
from radiod.core.history.positions import Position
from radiod.core.ids import Ids
from radiod.core.limits import Limits
from radiod.core.realm.realm import Outbox, Realm
from radiod.core.statistics import Statistics
from radiod.core.timers import Clock, Timers
from radiod.core.uris import is_pattern
from radiod.store.journal import RealmJournal, restored, saved_channel, spans
from radiod.store.sqlite import SqliteStore

__all__ = ["channel_settings", "make_realm", "restore_realms"]


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
    readerships: Readerships,
    kind: Callable[..., Realm] = Realm,
) -> Realm:
    """A realm with the channels that the configuration declares.

    ``kind``: makes it; another one where other nodes serve it, too.
    """
    realm = kind(
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
        readerships=readerships,
    )
    for channel, rules in settings.channels.items():
        _declare(realm, channel, rules)
    patterns = (name for name, rules in settings.channels.items() if is_pattern(name) and rules.presence)
    realm.presence.show_matching(tuple(patterns))
    return realm


def _declare(realm: Realm, channel: str, rules: config.Channel) -> None:
    """Add a channel, or what a pattern says of topics."""
    settings = channel_settings(rules)
    if is_pattern(channel):
        if settings.buffer:
            realm.space.tuning.declare(channel, settings.buffer)
        if settings.history is not None:
            realm.space.histories.keep(channel, settings.history)
        return
    key = rules.key.reveal() if rules.key is not None else None
    realm.lifecycle.declare(channel, settings, key=key)


def channel_settings(rules: config.Channel) -> ChannelSettings:
    """The rules of a channel, or of a pattern, as the core has them."""
    buffer: dict[str, Any] = {}
    if rules.buffer != config.Buffer():
        buffer = {**structs.asdict(rules.buffer), "policy": rules.buffer.policy.value}
    history = None
    if rules.history is not None or rules.durable:
        history = _bounds(rules.history, rules.durable)
    return ChannelSettings(
        single_writer=rules.single_writer, presence=rules.presence, buffer=buffer, history=history
    )


def _bounds(history: config.History | None, is_durable: bool) -> HistoryBounds:
    kept = history or config.History()
    return HistoryBounds(size=kept.size, seconds=kept.seconds, bytes=kept.bytes, is_durable=is_durable)


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
        realm.lifecycle.store = journal = RealmJournal(store, name)
        if realm.has_shared_log:
            # What the store has of events is of a time without other nodes, who do not know it.
            continue
        for (of, topic), at in positions.items():
            if of == name:
                _restore_topic(realm, store, topic, Position(at.epoch, at.seq))
        realm.space.histories.log = journal


def _restore_topic(realm: Realm, store: SqliteStore, topic: str, at: Position) -> None:
    histories = realm.space.histories
    keep = histories.wanted(topic)
    if keep is not None and keep.is_durable:
        past = restored(store.recent(realm.name, topic, keep.size), topic)
        histories.restore(topic, at, past.records, past.lost)
        if past.lost:
            store.notes.append(f"damaged events of {realm.name} {topic} are lost: {spans(past.lost)}")
