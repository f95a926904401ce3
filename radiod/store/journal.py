"""The store as a realm's journal (``core.ports.Journal``), and what the realm finds in it at start."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from radiod.core.history import Record
from radiod.errors import OUT_OF_SERVICE, Refused
from radiod.store.records import StoredEvent, StoreError
from radiod.store.sqlite import SqliteStore
from radiod.wire.codecs import CODECS, Payload
from radiod.wire.messages import PublishOptions

__all__ = ["RealmJournal", "restored"]

_DEFAULTS: Final = msgspec.to_builtins(PublishOptions())
_DETAILS: Final = msgspec.json.Decoder(dict[str, Any])
_OPTIONS: Final = msgspec.json.Decoder(PublishOptions)


class RealmJournal:
    """Writes one realm's durable channels into the store."""

    def __init__(self, store: SqliteStore, realm: str) -> None:
        self._store = store
        self._realm = realm

    def append(self, record: Record, done: Callable[[Refused | None], None]) -> None:
        """As ``core.ports.Journal.append``."""
        if self._store.is_full:
            raise Refused(OUT_OF_SERVICE, "too much waits to be stored")
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
            msgspec.json.encode(record.details),
            _options(record.options),
            lambda error: done(
                None if error is None else Refused(OUT_OF_SERVICE, "the event was not stored")
            ),
        )

    def trim(self, topic: str, epoch: str, first: int) -> None:
        """As ``core.ports.Journal.trim``."""
        self._store.trim(self._realm, topic, epoch, first)

    def forget(self, topic: str) -> None:
        """As ``core.ports.Journal.forget``."""
        self._store.delete_channel(self._realm, topic)


def _options(options: PublishOptions) -> bytes:
    """Only what is not the default, which is nearly nothing."""
    given = msgspec.to_builtins(options)
    return msgspec.json.encode({name: value for name, value in given.items() if value != _DEFAULTS[name]})


def restored(events: Iterable[StoredEvent], topic: str) -> list[Record]:
    """What the core keeps of stored events, oldest first. Raises: StoreError: they are none of radiod's."""
    try:
        return [_record(event, topic, order) for order, event in enumerate(events, 1)]
    except (KeyError, msgspec.MsgspecError) as error:
        raise StoreError(f"the events of {topic} cannot be read: {error}") from None


def _record(event: StoredEvent, topic: str, order: int) -> Record:
    return Record(
        order=order,
        time=event.time,
        topic=topic,
        epoch=event.epoch,
        seq=event.seq,
        publication=event.publication,
        # Ids of sessions mean nothing to a new process.
        publisher=0,
        payload=Payload(CODECS[event.codec_name], event.args, event.kwargs),
        options=_OPTIONS.decode(event.options_json),
        details=_DETAILS.decode(event.details_json),
    )
