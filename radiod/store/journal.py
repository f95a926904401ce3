"""The store as a realm's journal (``core.ports.Journal``), and what the realm finds in it at start."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from radiod.core.channels import ChannelSettings, SavedChannel
from radiod.core.history import Damaged, Record
from radiod.errors import OUT_OF_SERVICE, RadiodError, Refused
from radiod.store.records import StoredChannel, StoredEvent, StoreError
from radiod.store.sqlite import SqliteStore
from radiod.wire.codecs import CODECS, Payload, Undecodable
from radiod.wire.messages import PublishOptions

__all__ = ["RealmJournal", "restored", "saved_channel"]

_DEFAULTS: Final = msgspec.to_builtins(PublishOptions())
_DETAILS: Final = msgspec.json.Decoder(dict[str, Any])
_OPTIONS: Final = msgspec.json.Decoder(PublishOptions)

ROLE: Final = "radiod_role"
"""What tells the publisher's role among the options of a stored event; no option of a client is named so."""


class _Publisher(msgspec.Struct):
    """Of the options of a stored event, what is not the client's."""

    radiod_role: str = ""


_PUBLISHER: Final = msgspec.json.Decoder(_Publisher)


class RealmJournal:
    """Writes one realm's durable channels into the store."""

    def __init__(self, store: SqliteStore, realm: str) -> None:
        self._store = store
        self._realm = realm

    def save(self, channel: SavedChannel, done: Callable[[Refused | None], None]) -> None:
        """As ``core.ports.Journal.save``."""
        settings = msgspec.to_builtins(channel.settings)
        self._store.save_channel(
            self._realm, channel.name, settings, channel.control_hash, channel.expires, _teller(done)
        )

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
            _options(record.options, record.role),
            _teller(done),
        )

    def trim(self, topic: str, epoch: str, first: int) -> None:
        """As ``core.ports.Journal.trim``."""
        self._store.trim(self._realm, topic, epoch, first)

    def forget(self, topic: str) -> None:
        """As ``core.ports.Journal.forget``."""
        self._store.delete_channel(self._realm, topic)


def _teller(done: Callable[[Refused | None], None]) -> Callable[[Exception | None], None]:
    """Tells the core what the store says, but for the reason, which is in the log."""
    return lambda error: done(None if error is None else Refused(OUT_OF_SERVICE, "it could not be stored"))


def _options(options: PublishOptions, role: str) -> bytes:
    """Only what is not the default, which is nearly nothing, and the role of the publisher."""
    given = msgspec.to_builtins(options)
    told = {name: value for name, value in given.items() if value != _DEFAULTS[name]}
    return msgspec.json.encode({**told, ROLE: role} if role else told)


def saved_channel(stored: StoredChannel) -> SavedChannel:
    """What the core knows of a stored channel. Raises: StoreError: it is none of radiod's."""
    try:
        settings = msgspec.convert(stored.settings, ChannelSettings)
    except msgspec.ValidationError as error:
        raise StoreError(f"channel {stored.name} cannot be read: {error}") from None
    return SavedChannel(
        name=stored.name,
        # Every channel that a session created has a control key.
        control_hash=stored.control_key_hash or b"",
        expires=stored.expires,
        settings=settings,
    )


def restored(events: Iterable[StoredEvent], topic: str) -> list[Record]:
    """What the core keeps of stored events, oldest first. Raises: StoreError: they are none of radiod's."""
    try:
        return [_record(event, topic, order) for order, event in enumerate(events, 1)]
    except (KeyError, msgspec.MsgspecError) as error:
        raise StoreError(f"the events of {topic} cannot be read: {error}") from None


def _record(event: StoredEvent, topic: str, order: int) -> Record:
    options = _OPTIONS.decode(event.options_json)
    return Record(
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
        payload=_payload(event, is_opaque=options.enc_algo is not None),
        options=options,
        details=_DETAILS.decode(event.details_json),
        role=_PUBLISHER.decode(event.options_json).radiod_role,
    )


def _payload(event: StoredEvent, is_opaque: bool) -> Payload:
    """As it was published; ``Damaged`` where that cannot be: listeners are told of a loss, not of nothing."""
    codec = CODECS[event.codec_name]
    try:
        payload = codec.payload(msgspec.Raw(event.args), msgspec.Raw(event.kwargs), is_opaque)
        for part in (payload.args, payload.kwargs):
            if part:
                codec.load(part)
    except (RadiodError, Undecodable):
        return Damaged(codec, event.args, event.kwargs)
    return payload
