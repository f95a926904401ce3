"""The store as a realm's journal (``core.history.log``), and what the realm finds in it at start."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec

from radiod.core.channels.settings import ChannelSettings, SavedChannel
from radiod.core.history.events import Damaged, KeptEvent
from radiod.core.history.written import read_told, write_details, write_options
from radiod.errors import STORE_UNAVAILABLE, RadiodError, Refused
from radiod.store.records import LostEvent, StoredChannel, StoredEvent, StoreError
from radiod.store.sqlite import SqliteStore
from radiod.wire.codecs import CODECS, Codec, Payload, Undecodable

__all__ = ["Past", "RealmJournal", "restored", "saved_channel", "spans"]


class RealmJournal:
    """Writes one realm's durable channels into the store."""

    def __init__(self, store: SqliteStore, realm: str) -> None:
        self._store = store
        self._realm = realm

    def save(self, channel: SavedChannel, done: Callable[[Refused | None], None]) -> None:
        """As ``ChannelStore.save``."""
        settings = msgspec.to_builtins(channel.settings)
        self._store.save_channel(
            self._realm, channel.name, settings, channel.control_hash, channel.expires, _teller(done)
        )

    def append(self, record: KeptEvent, done: Callable[[Refused | None], None]) -> None:
        """As ``Log.append``."""
        if self._store.is_full:
            raise Refused(STORE_UNAVAILABLE, "too much waits to be stored")
        payload = record.payload
        self._store.append(
            self._realm,
            record.topic,
            record.epoch,
            record.seq,
            record.time,
            record.publication,
            payload.codec.name,
            payload.args,
            payload.kwargs,
            write_details(record.details),
            write_options(record.options, record.role),
            _teller(done),
        )

    def trim(self, topic: str, epoch: str, first: int) -> None:
        """As ``Log.trim``."""
        self._store.trim(self._realm, topic, epoch, first)

    def forget(self, topic: str) -> None:
        """As ``Log.forget``."""
        self._store.delete_channel(self._realm, topic)


def _teller(done: Callable[[Refused | None], None]) -> Callable[[Exception | None], None]:
    """Tells the core what the store says, but for the reason, which is in the log."""
    return lambda error: done(None if error is None else Refused(STORE_UNAVAILABLE, "it could not be stored"))


def saved_channel(stored: StoredChannel) -> SavedChannel:
    """What the core knows of a stored channel. Raises: StoreError: it is none of radiod's."""
    try:
        settings = msgspec.convert(stored.settings, ChannelSettings)
    except msgspec.ValidationError as error:
        raise StoreError(f"channel {stored.name} cannot be read: {error}") from None
    if not settings.is_durable:
        raise StoreError(f"channel {stored.name} cannot be read: it is not durable")
    return SavedChannel(
        name=stored.name,
        # Every channel that a session created has a control key.
        control_hash=stored.control_key_hash or b"",
        expires=stored.expires,
        settings=settings,
    )


class Past(NamedTuple):
    """What the core keeps of stored events, oldest first, and the numbers of those that cannot be read."""

    records: list[KeptEvent]
    lost: list[int]


def restored(events: Iterable[StoredEvent | LostEvent], topic: str) -> Past:
    """The past of one topic; what is damaged, or none of radiod's, is lost."""
    past = Past([], [])
    for order, event in enumerate(events, 1):
        record = None if isinstance(event, LostEvent) else _record(event, topic, order)
        if record is None:
            past.lost.append(event.seq)
        else:
            past.records.append(record)
    return past


def spans(numbers: Iterable[int]) -> str:
    """Numbers in ascending order, for people: "3, 7-9"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1][1:] = [number]
        else:
            runs.append([number])
    return ", ".join("-".join(map(str, run)) for run in runs)


def _record(event: StoredEvent, topic: str, order: int) -> KeptEvent | None:
    """None: it says what no radiod has written."""
    try:
        codec = CODECS[event.codec_name]
        options, details, role = read_told(event.options_json, event.details_json)
    except (KeyError, ValueError, msgspec.MsgspecError):
        return None
    return KeptEvent(
        order=order,
        time=event.time,
        # The history tells it from the date.
        since=0.0,
        topic=topic,
        epoch=event.epoch,
        seq=event.seq,
        publication=event.publication,
        # Ids of sessions mean nothing to a new process.
        publisher=0,
        payload=_payload(event, codec, is_opaque=options.enc_algo is not None),
        options=options,
        details=details,
        role=role,
    )


def _payload(event: StoredEvent, codec: Codec, is_opaque: bool) -> Payload:
    """As it was published; ``Damaged`` where that cannot be: listeners are told of a loss, not of nothing."""
    try:
        payload = codec.payload(msgspec.Raw(event.args), msgspec.Raw(event.kwargs), is_opaque)
        for part in (payload.args, payload.kwargs):
            if part:
                codec.load(part)
    except (RadiodError, Undecodable):
        return Damaged(codec, event.args, event.kwargs)
    return payload
