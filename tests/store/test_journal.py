"""The store as a realm's journal: events go in as they came, and come back as they were."""

import sqlite3
from contextlib import closing

import pytest

from radiod.core.channels.settings import ChannelSettings, SavedChannel
from radiod.core.history.bounds import HistoryBounds
from radiod.core.history.histories import Histories
from radiod.core.history.positions import Position
from radiod.errors import STORE_UNAVAILABLE, Refused
from radiod.store.journal import RealmJournal, restored, saved_channel, spans
from radiod.store.records import LostEvent, StoredChannel, StoredEvent, StoreError
from radiod.store.sqlite import SqliteStore
from radiod.testing import FakeClock, SequentialIds
from radiod.wire.codecs import CBOR, CODECS, Payload, Undecodable
from radiod.wire.options import PublishOptions

KEEP = HistoryBounds(size=100, seconds=1e9, bytes=1 << 30, is_durable=True)


class Realm:
    """A realm's histories over a store; what comes back from the writer waits for ``settle``."""

    def __init__(self, path, **limits):
        self.calls = []
        self.store = SqliteStore(str(path), self.calls.append, **limits)
        self.store.open()
        self.histories = Histories(FakeClock(), SequentialIds(), 100)
        self.histories.keep("a", KEEP)
        self.histories.keep("b.*", KEEP)
        for (realm, topic), at in self.store.positions().items():
            past = restored(self.store.recent(realm, topic, KEEP.size), topic)
            self.histories.restore(topic, Position(at.epoch, at.seq), past.records, past.lost)
        self.journal = self.histories.log = RealmJournal(self.store, "radio")
        self.store.start()
        self.outcomes = []

    def write(self, topic, payload, options=None, details=None):
        history = self.histories.find(topic)
        record = self.histories.number(history, 77, 5, payload, options or PublishOptions(), details or {})
        self.journal.append(record, self.outcomes.append)
        history.assigned = record.seq
        self.histories.add(history, record)

    def close(self):
        self.store.close()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.sqlite"


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
@pytest.mark.parametrize("topic", ["a", "b.c"])
def test_events_come_back_as_they_were(path, codec, topic):
    first = Realm(path)
    options = PublishOptions(exclude_me=False, eligible_authrole=["x"], exclude=[1, 2])
    payload = Payload(codec, codec.dump([1, {"x": b"\0"}]), codec.dump({"k": None}))
    first.write(topic, payload, options, {"publisher": 7, "ppt_scheme": "x"})
    first.write(topic, Payload(codec, b"", b""))
    before = first.histories.of(topic)
    first.close()
    assert first.outcomes == [None, None]
    second = Realm(path)
    after = second.histories.of(topic)
    second.close()
    for name in ("time", "topic", "epoch", "seq", "publication", "options", "details"):
        assert [getattr(one, name) for one in after] == [getattr(one, name) for one in before]
    assert [one.publisher for one in after] == [0, 0]
    assert [(one.payload.codec, one.payload.args, one.payload.kwargs) for one in after] == [
        (one.payload.codec, one.payload.args, one.payload.kwargs) for one in before
    ]
    assert second.histories.find(topic).position == first.histories.find(topic).position


def test_options_that_are_the_default_take_no_room(path):
    realm = Realm(path)
    realm.write("a", Payload(CBOR, b"", b""))
    realm.close()
    store = SqliteStore(str(path), lambda call: None)
    store.open()
    (event,) = store.recent("radio", "a", 10)
    store.close()
    assert (event.options_json, event.details_json) == (b"{}", b"{}")


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_payload_whose_bytes_are_damaged_is_a_loss_to_everybody(path, codec, at):
    first = Realm(path)
    payload = Payload(codec, codec.dump([[1], "x"]), b"")
    first.write("a", payload)
    first.write("a", payload)
    first.close()
    # What no text, no MessagePack and no item of CBOR holds.
    wrong = b"\xc1" if codec.name == "msgpack" else b"\xff"
    damaged = payload.args[:at] + wrong + payload.args[at + 1 :]
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE events SET args = ?, sum = NULL WHERE seq = 1", (damaged,))
    second = Realm(path)
    broken, whole = second.histories.of("a")
    for other in CODECS.values():
        with pytest.raises(Undecodable, match="damaged"):
            broken.payload.parts(other)
        assert whole.payload.parts(other)
    with pytest.raises(Undecodable, match="damaged"):
        broken.payload.values()
    second.close()


def test_an_opaque_payload_is_no_damage(path):
    first = Realm(path)
    first.write("a", Payload(CBOR, CBOR.dump(b"opaque"), b""), PublishOptions(enc_algo="x"))
    first.close()
    second = Realm(path)
    assert second.histories.of("a")[0].payload.parts(CBOR) == (CBOR.dump(b"opaque"), b"")
    second.close()


def test_what_is_forgotten_does_not_come_back(path):
    first = Realm(path)
    first.write("b.c", Payload(CBOR, b"", b""))
    epoch = first.histories.find("b.c").epoch
    first.histories.forget("b.c")
    first.close()
    second = Realm(path)
    assert second.histories.of("b.c") == []
    second.write("b.c", Payload(CBOR, b"", b""))
    second.close()
    assert second.outcomes == [None]
    assert epoch


def test_what_was_trimmed_does_not_come_back(path):
    first = Realm(path)
    for _ in range(150):
        first.write("a", Payload(CBOR, b"", b""))
    first.close()
    second = Realm(path)
    assert [one.seq for one in second.histories.of("a")] == list(range(51, 151))
    second.close()


SETTINGS = ChannelSettings(
    on_owner_leave=5.0, single_writer=True, presence=False, history=KEEP, buffer={"size": 7}
)


def test_channels_come_back_as_they_were(path):
    saved = SavedChannel(name="a", control_hash=b"x" * 32, expires=1e9, settings=SETTINGS)
    realm = Realm(path)
    realm.journal.save(saved, realm.outcomes.append)
    realm.close()
    assert realm.outcomes == [None]
    store = SqliteStore(str(path), lambda call: None)
    store.open()
    (stored,) = store.channels()
    store.close()
    assert (stored.realm, saved_channel(stored)) == ("radio", saved)


def test_a_channel_that_radiod_has_not_written_is_an_error():
    stored = StoredChannel(realm="radio", name="a", settings={}, control_key_hash=None, expires=None)
    with pytest.raises(StoreError, match="channel a cannot be read"):
        saved_channel(stored)


def test_too_much_is_refused_at_once(path):
    realm = Realm(path, max_waiting=1)
    realm.write("a", Payload(CBOR, b"", b""))
    with pytest.raises(Refused) as refused:
        realm.write("a", Payload(CBOR, b"", b""))
    assert refused.value.uri == STORE_UNAVAILABLE
    realm.close()
    assert realm.outcomes == [None]


def test_a_store_that_is_closed_refuses(path):
    realm = Realm(path)
    realm.close()
    realm.write("a", Payload(CBOR, b"", b""))
    assert [outcome.uri for outcome in realm.outcomes] == [STORE_UNAVAILABLE]


WHOLE = {
    "epoch": "x",
    "seq": 1,
    "time": 1.0,
    "publication": 1,
    "codec_name": "json",
    "args": b"",
    "kwargs": b"",
    "details_json": b"{}",
    "options_json": b"{}",
}


@pytest.mark.parametrize(
    "wrong",
    [
        {"codec_name": "xml"},
        {"options_json": b"["},
        {"details_json": b"[]"},
        {"options_json": b'{"eligible":1}'},
    ],
)
def test_events_that_radiod_has_not_written_are_lost(wrong):
    events = [LostEvent(3), StoredEvent(**WHOLE), StoredEvent(**{**WHOLE, **wrong, "seq": 9})]
    past = restored(events, "a")
    assert ([record.seq for record in past.records], past.lost) == ([1], [3, 9])


@pytest.mark.parametrize(
    ("numbers", "text"), [([], ""), ([3], "3"), ([1, 2, 3, 5, 7, 8], "1-3, 5, 7-8"), ([9, 12], "9, 12")]
)
def test_numbers_are_told_in_spans(numbers, text):
    assert spans(numbers) == text


def test_the_role_of_a_publisher_comes_back_and_is_no_option(path):
    first = Realm(path)
    history = first.histories.find("b.c")
    record = first.histories.number(history, 77, 5, Payload(CBOR, b"", b""), PublishOptions(), {})
    record.role = "writer"
    first.journal.append(record, first.outcomes.append)
    first.histories.add(history, record)
    first.close()
    second = Realm(path)
    (again,) = second.histories.of("b.c")
    assert (again.role, again.options) == ("writer", PublishOptions())
    second.close()
