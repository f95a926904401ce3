"""Damaged stores: what a server takes, what ``check`` tells, what ``salvage`` keeps; on real files."""

import contextlib
import errno
import os
import random
import resource
import shutil
import sqlite3
import struct
import sys
import tempfile
import zlib
from pathlib import Path

import pytest
from support import nursery

from radiod.core.access.audit import written
from radiod.core.access.records import AccountRecord, Act
from radiod.core.history.bounds import HistoryBounds
from radiod.core.history.histories import Histories
from radiod.core.history.positions import Position
from radiod.store.__main__ import main
from radiod.store.acknowledged import NOTE, SUM, UNKNOWN
from radiod.store.database import Append, Cuts, Database, SaveChannel
from radiod.store.journal import restored
from radiod.store.keeping import ChangeAccess
from radiod.store.records import LostEvent, StoredEvent, StoreError
from radiod.store.sums import channel_sum, stream_sum
from radiod.store.tables import KEPT
from radiod.store.wal import FRAME, HEADER, MAGIC, PAGE_SIZE, _sum, read_log
from radiod.testing import FakeClock, SequentialIds

ALL = 10**9
ROOT = Path(__file__).parents[2]
HASH = bytes(range(32))
EVENTS = 60
TOPICS = ("news", "weather")


def event_of(seq, topic="news"):
    """Some are longer than a page."""
    return StoredEvent(
        epoch=f"epoch{topic}",
        seq=seq,
        time=1000.0 + seq,
        publication=seq + 2**40,
        codec_name="json",
        args=b'["%s %d"]' % (topic.encode(), seq) + b" " * (seq * 7919 % 300 if seq % 20 else 9000),
        kwargs=b"{}",
        details_json=b'{"x":1}',
        options_json=b"{}",
    )


def fill(path, events=EVENTS):
    """A store that was closed well: two histories, one created channel."""
    database = Database(str(path))
    database.write([SaveChannel("radio", "weather", '{"a":1}', HASH, 5.0)], Cuts())
    for seq in range(1, events + 1):
        # 7 was refused when it was published.
        rows = [Append("radio", topic, event_of(seq, topic)) for topic in TOPICS if seq != 7]
        database.write(rows, Cuts())
    return database


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    path = tmp_path_factory.mktemp("sound") / "store.sqlite"
    fill(path).close()
    return path.read_bytes()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.sqlite"


@pytest.fixture
def store(path, sound):
    path.write_bytes(sound)
    path.chmod(0o600)
    return path


@pytest.fixture
def run(capsys):
    """run(command, file, ...) → its status, and what it said."""

    def run(*arguments):
        status = main([str(one) for one in arguments])
        said = capsys.readouterr()
        text = said.out + said.err
        assert "Traceback" not in text
        prefix = f"{arguments[1]}: "
        assert all(line.startswith(prefix) for line in text.splitlines())
        return status, [line.removeprefix(prefix) for line in text.splitlines()]

    return run


def opened(path):
    """Positions and histories, as a server finds them."""
    database = Database(str(path))
    try:
        positions = database.positions()
        return positions, {topic: database.recent("radio", topic, ALL) for topic in TOPICS}
    finally:
        database.close()


def histories_of(path):
    """The core's histories of a store."""
    positions, pasts = opened(path)
    histories = Histories(FakeClock(epoch=2000.0), SequentialIds(), 100)
    for topic in TOPICS:
        histories.keep(topic, HistoryBounds(size=1000, seconds=1e9, bytes=1 << 30, is_durable=True))
        if ("radio", topic) in positions:
            at, past = positions["radio", topic], restored(pasts[topic], topic)
            histories.restore(topic, Position(at.epoch, at.seq), past.records, past.lost)
    return histories


def assert_nothing_is_lost_untold(path):
    """Whoever is anywhere in the past gets every event that was acknowledged behind that, or is told."""
    histories = histories_of(path)
    for topic in TOPICS:
        history = histories.find(topic)
        expected = {seq: event_of(seq, topic) for seq in range(1, EVENTS + 1) if seq != 7}
        for record in history.since(0):
            assert (record.payload.args, record.time) == (
                expected[record.seq].args,
                expected[record.seq].time,
            )
        for seq in range(EVENTS + 1):
            index, is_recovered = history.after(Position(f"epoch{topic}", seq))
            behind = [record.seq for record in history.since(index)]
            if is_recovered:
                assert behind == [number for number in expected if number > seq]
        # No number comes again with another event.
        assert history.epoch != f"epoch{topic}" or history.seq >= EVENTS


def kill(database, path):
    """Close a store, and leave the files as they were before, with the same inodes."""
    files = [Path(f"{path}{suffix}") for suffix in ("", "-wal", "-acked")]
    contents = [file.read_bytes() for file in files]
    database.close()
    for file, content in zip(files, contents, strict=True):
        file.write_bytes(content)
    return path


def flip(path, at, mask=0xFF):
    data = bytearray(path.read_bytes())
    data[at] ^= mask
    path.write_bytes(data)


def flip_in(path, text, offset=0):
    """Change one letter of a text that is there once."""
    data = path.read_bytes()
    assert data.count(text) == 1
    flip(path, data.index(text) + offset, 1)


class TestASoundStore:
    def test_is_whole(self, store, run, sound):
        summary = f"1 created channels, 2 histories, {2 * EVENTS - 2} events are whole"
        assert run("check", store) == (0, [summary])
        assert store.read_bytes() == sound
        assert os.listdir(store.parent) == [store.name]

    def test_is_salvaged_as_it_is(self, store, run, tmp_path):
        new = tmp_path / "new.sqlite"
        status, (_, last) = run("salvage", store, new)
        assert (status, last) == (0, f"kept in {new}")
        assert new.stat().st_mode & 0o777 == 0o600
        assert opened(new) == opened(store)
        database = Database(str(new))
        (channel,) = database.channels()
        assert (channel.name, channel.settings, channel.control_key_hash) == ("weather", {"a": 1}, HASH)
        database.close()
        assert run("check", new)[0] == 0

    def test_a_number_that_never_was_is_no_loss(self, store):
        history = histories_of(store).find("news")
        assert history.after(Position("epochnews", 6)) == (6, True)
        assert history.after(Position("epochnews", 0)) == (0, True)

    def test_a_backup_is_the_same(self, store, run, tmp_path):
        new = tmp_path / "new.sqlite"
        assert run("backup", store, new)[0] == 0
        assert opened(new) == opened(store)

    def test_nothing_is_overwritten(self, store, run, tmp_path):
        for command in ("salvage", "backup"):
            assert run(command, store, store) == (2, [f"{store}: File exists"])

    def test_an_older_one_is_whole_and_goes_on(self, path, run, tmp_path):
        older(path)
        assert run("check", path)[0] == 0
        new = tmp_path / "new.sqlite"
        assert run("salvage", path, new)[0] == 0
        assert [event.seq for event in opened(new)[1]["news"]] == [1, 2, 3]


def older(path):
    """A file as the first version of the schema had it."""
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in (
        "CREATE TABLE channels (realm TEXT NOT NULL, name TEXT NOT NULL, settings TEXT NOT NULL, "
        "control_key_hash BLOB CHECK (length(control_key_hash) = 32), expires REAL, "
        "PRIMARY KEY (realm, name)) WITHOUT ROWID",
        "CREATE TABLE streams (id INTEGER PRIMARY KEY, realm TEXT NOT NULL, channel TEXT NOT NULL, "
        "epoch TEXT NOT NULL, seq INTEGER NOT NULL DEFAULT 0, UNIQUE (realm, channel))",
        "CREATE TABLE events (stream INTEGER NOT NULL, seq INTEGER NOT NULL, time REAL NOT NULL, "
        "publication INTEGER NOT NULL, codec TEXT NOT NULL, args BLOB NOT NULL, kwargs BLOB NOT NULL, "
        "details BLOB NOT NULL, options BLOB NOT NULL, PRIMARY KEY (stream, seq)) WITHOUT ROWID",
        f"PRAGMA application_id = {0x72616469}",
        "PRAGMA user_version = 1",
        "INSERT INTO channels VALUES ('radio', 'weather', '{}', NULL, 7.5)",
        "INSERT INTO streams (realm, channel, epoch) VALUES ('radio', 'news', 'epochnews')",
    ):
        connection.execute(statement)
    for seq in (1, 2, 3):
        event = event_of(seq)
        connection.execute(
            "INSERT INTO events VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?)",
            (seq, event.time, event.publication, "json", event.args, b"{}", b"{}", b"{}"),
        )
    connection.close()


class TestTheFirstVersion:
    def test_is_upgraded_in_place(self, path):
        older(path)
        for _ in range(2):
            positions, pasts = opened(path)
            assert positions["radio", "news"].epoch == "epochnews"
            assert [event.args for event in pasts["news"]] == [event_of(seq).args for seq in (1, 2, 3)]
        database = Database(str(path))
        (channel,) = database.channels()
        assert (channel.name, channel.expires) == ("weather", 7.5)
        database.write([Append("radio", "news", event_of(4))], Cuts())
        database.close()
        assert [event.seq for event in opened(path)[1]["news"]] == [1, 2, 3, 4]

    def test_damaged_ones_are_refused(self, path):
        older(path)
        flip_in(path, b"epochnews", 0)
        data = bytearray(path.read_bytes())
        data[data.index(b"dpochnews")] = 0xFF
        path.write_bytes(data)
        with pytest.raises(StoreError, match="damaged"):
            opened(path)


def second(path):
    """A file as the second version of the schema had it."""
    older(path)
    connection = sqlite3.connect(path, isolation_level=None)
    for table in ("channels", "streams", "events"):
        connection.execute(f"ALTER TABLE {table} ADD COLUMN sum INTEGER")
    channel = ("radio", "weather", "{}", None, 7.5)
    connection.execute("UPDATE channels SET sum = ?", (channel_sum(*channel),))
    connection.execute("UPDATE streams SET sum = ?", (stream_sum(1, "radio", "news", "epochnews", 0),))
    connection.execute("UPDATE events SET sum = NULL")
    connection.execute("CREATE TABLE state (opened INTEGER)")
    connection.execute("INSERT INTO state VALUES (NULL)")
    connection.execute("PRAGMA user_version = 2")
    connection.close()


@pytest.mark.parametrize("make", [older, second])
class TestEarlierVersions:
    def test_keep_access_from_now_on(self, path, make):
        make(path)
        for number in (1, 2, 3):
            positions, pasts = opened(path)
            assert positions["radio", "news"].epoch == "epochnews"
            assert [event.seq for event in pasts["news"]] == [1, 2, 3]
            database = Database(str(path))
            assert database.notes == []
            account = AccountRecord(id=f"account{number}", created=1.0)
            act = Act(time=1.0, actor="a", address="", action="account.set", object="o")
            table = KEPT[AccountRecord]
            request = ChangeAccess([(table.upsert, table.row(account))], written(act))
            assert database.write([request], Cuts()) == {}
            assert len(database.keeping.load().accounts) == number
            assert [row[0] for row in database.keeping.audit(0, ALL)] == list(range(1, number + 1))
            database.close()

    def test_are_whole_for_check_and_salvage(self, path, run, tmp_path, make):
        make(path)
        assert run("check", path)[0] == 0
        new = tmp_path / "new.sqlite"
        assert run("salvage", path, new)[0] == 0
        assert [event.seq for event in opened(new)[1]["news"]] == [1, 2, 3]

    def test_are_upgraded_wholly_or_not_at_all_when_the_disk_is_full(self, path, run, make):
        make(path)
        before = path.read_bytes()
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        refused = []
        for pages in range(len(before) // PAGE_SIZE, 100, 4):
            path.write_bytes(before)
            resource.setrlimit(resource.RLIMIT_FSIZE, (pages * PAGE_SIZE, hard))
            try:
                with contextlib.closing(Database(str(path))) as database:
                    assert database.channels()
            except StoreError as error:
                refused.append(str(error))
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            # Whether it was upgraded or not: with room it is, and nothing is lost.
            assert run("check", path)[0] == 0
            assert [event.seq for event in opened(path)[1]["news"]] == [1, 2, 3]
        assert 0 < len(refused) < 20
        assert all("disk" in text for text in refused)


class TestALetterInAnEvent:
    def test_is_told_as_lost(self, store, run):
        flip_in(store, b'["news 50"]', 3)
        _, pasts = opened(store)
        assert pasts["news"][48] == LostEvent(50)
        assert_nothing_is_lost_untold(store)
        history = histories_of(store).find("news")
        assert history.after(Position("epochnews", 49)) == (48, False)
        assert history.after(Position("epochnews", 50)) == (48, True)
        assert run("check", store)[1][0] == "lost: history radio news: events 50"

    def test_is_left_out_of_what_is_salvaged_which_tells_of_it(self, store, run, tmp_path):
        flip_in(store, b'["news 50"]', 3)
        flip_in(store, b'["news 52"]', 3)
        flip_in(store, b'["news 51"]', 3)
        new = tmp_path / "new.sqlite"
        status, said = run("salvage", store, new)
        assert (status, said[0]) == (1, "lost: history radio news: events 50-52")
        assert opened(new) == opened(store)
        assert_nothing_is_lost_untold(new)
        # It is known now, and nothing new.
        assert run("check", new)[0] == 0
        again = tmp_path / "again.sqlite"
        assert run("salvage", new, again)[0] == 0
        assert opened(again) == opened(store)

    def test_of_the_last_one_its_number_does_not_come_again(self, store):
        flip_in(store, b'["news 59"]', 3)
        data = store.read_bytes()
        flip(store, data.index(b'["news 60"]') + 3, 1)
        positions, _ = opened(store)
        assert positions["radio", "news"].seq == EVENTS
        assert_nothing_is_lost_untold(store)


class TestALetterOfAChannel:
    def test_is_refused_with_the_way_out(self, store, run, tmp_path):
        flip_in(store, b'{"a":1}', 2)
        with pytest.raises(StoreError, match=r"damaged; 'python -m radiod.store check .*salvage"):
            opened(store)
        new = tmp_path / "new.sqlite"
        status, said = run("salvage", store, new)
        assert (status, said[0]) == (1, "lost: channel radio weather: its settings and its control key")
        assert opened(new)[1]["weather"] == [event_of(n, "weather") for n in range(1, EVENTS + 1) if n != 7]

    def test_of_its_count_too(self, store, run, tmp_path):
        flip_in(store, b"epochnews", 2)
        with pytest.raises(StoreError, match="damaged"):
            opened(store)
        new = tmp_path / "new.sqlite"
        status, said = run("salvage", store, new)
        assert (status, said[0]) == (1, "lost: history radio news: how far it has counted")
        assert len(opened(new)[1]["news"]) == EVENTS - 1
        assert_nothing_is_lost_untold(new)


CUTS = [0.02, 0.1, 0.3, 0.5, 0.8, 0.95, 0.999]


class TestStructure:
    @pytest.mark.parametrize("part", CUTS)
    def test_a_file_that_was_cut_off(self, store, run, tmp_path, part):
        os.truncate(store, int(store.stat().st_size * part))
        before = store.read_bytes()
        assert run("check", store)[0] == 1
        new = tmp_path / "new.sqlite"
        assert run("salvage", store, new)[0] == 1
        assert store.read_bytes() == before
        assert_nothing_is_lost_untold(new)
        # Where no more is missing than a part of one page, a server may go on, and tells of it: newer SQLite
        # does not let it.
        may_go_on = part >= 0.99 and sqlite3.sqlite_version_info < (3, 46)
        with contextlib.nullcontext() if may_go_on else pytest.raises(StoreError, match="salvage"):
            assert_nothing_is_lost_untold(store)

    def test_what_is_readable_is_kept(self, store, run, tmp_path):
        os.truncate(store, store.stat().st_size * 3 // 4)
        new = tmp_path / "new.sqlite"
        _, said = run("salvage", store, new)
        kept = opened(new)[1]
        assert sum(map(len, kept.values())) > EVENTS // 2
        assert any("what came after" in line for line in said)

    @pytest.mark.parametrize("page", range(1, 12))
    def test_any_page_may_be_lost(self, store, run, tmp_path, page):
        data = bytearray(store.read_bytes())
        data[(page - 1) * 4096 : page * 4096] = bytes(4096)
        store.write_bytes(data)
        new = tmp_path / "new.sqlite"
        assert run("salvage", store, new)[0] in (0, 1)
        assert_nothing_is_lost_untold(new)

    def test_random_bits_anywhere(self, store, sound, run, tmp_path):
        """A server refuses the file, or tells of what is missing; salvage keeps what is whole."""
        chance = random.Random(9)
        refused, unchanged = [], 0
        for number in range(150):
            store.write_bytes(sound)
            for _ in range(chance.choice([1, 1, 1, 8])):
                flip(store, chance.randrange(len(sound)), 1 << chance.randrange(8))
            damaged = store.read_bytes()
            new = tmp_path / f"new{number}.sqlite"
            status, _ = run("salvage", store, new)
            if status != 2:
                assert_nothing_is_lost_untold(new)
            try:
                assert_nothing_is_lost_untold(store)
            except StoreError as error:
                refused.append(str(error))
                # What could not be read was not touched.
                unchanged += store.read_bytes() == damaged
        assert 0 < len(refused) < 150
        assert unchanged == len(refused)
        assert not any("\n" in text for text in refused)


class TestTheLog:
    """What a killed server leaves: the file, and beside it what was written last."""

    @pytest.fixture
    def killed(self, path):
        """As after kill -9: the files alone, with the same inodes."""
        return kill(fill(path), path)

    def test_belongs_to_the_store(self, killed, run):
        summary = f"1 created channels, 2 histories, {2 * EVENTS - 2} events are whole"
        before = killed.read_bytes(), Path(f"{killed}-wal").read_bytes()
        assert run("check", killed) == (0, [summary])
        assert (killed.read_bytes(), Path(f"{killed}-wal").read_bytes()) == before
        positions, pasts = opened(killed)
        assert positions["radio", "news"] == (p := positions["radio", "news"])
        assert (p.epoch, p.seq, len(pasts["news"])) == ("epochnews", EVENTS, EVENTS - 1)

    def test_that_is_missing_is_told_to_listeners(self, killed, run):
        Path(f"{killed}-wal").unlink()
        database = Database(str(killed))
        assert database.notes == [] or "log that belongs to it is missing" in database.notes[0]
        database.close()
        assert_nothing_is_lost_untold(killed)

    @pytest.mark.parametrize("part", [0.2, 0.5, 0.9])
    def test_with_a_changed_bit_is_refused_where_sqlite_would_forget(self, killed, run, tmp_path, part):
        log = Path(f"{killed}-wal")
        flip(log, int(log.stat().st_size * part), 4)
        before = killed.read_bytes(), log.read_bytes()
        with pytest.raises(StoreError, match=r"its log is damaged; 'python -m radiod\.store check"):
            opened(killed)
        assert (killed.read_bytes(), log.read_bytes()) == before
        assert run("check", killed)[0] == 1
        new = tmp_path / "new.sqlite"
        assert run("salvage", killed, new)[0] == 1
        assert len(opened(new)[1]["news"]) > EVENTS - 20
        assert_nothing_is_lost_untold(new)

    def test_whose_head_is_gone_is_refused_too(self, killed, run, tmp_path):
        flip(Path(f"{killed}-wal"), 9)
        with pytest.raises(StoreError, match="its log is damaged"):
            opened(killed)
        new = tmp_path / "new.sqlite"
        assert run("salvage", killed, new)[0] == 1
        assert len(opened(new)[1]["news"]) > EVENTS - 20

    def test_torn_at_its_end_is_read_to_the_last_whole_transaction(self, killed, run):
        log = Path(f"{killed}-wal")
        os.truncate(log, log.stat().st_size - 100)
        # It was not acknowledged, as far as anybody knows.
        Path(f"{killed}-acked").unlink()
        positions, _ = opened(killed)
        assert positions["radio", "news"].epoch == "epochnews"

    def test_whose_last_write_is_damaged_begins_new_epochs(self, killed):
        log = Path(f"{killed}-wal")
        flip(log, log.stat().st_size - 100)
        database = Database(str(killed))
        assert "the last write to it is damaged" in database.notes[0]
        database.close()
        assert_nothing_is_lost_untold(killed)

    def test_beside_an_empty_file_is_not_thrown_away(self, killed, run, tmp_path):
        os.truncate(killed, 0)
        with pytest.raises(StoreError, match="the file is empty, but its log is not; 'python"):
            opened(killed)
        assert Path(f"{killed}-wal").stat().st_size > 0
        new = tmp_path / "new.sqlite"
        assert run("salvage", killed, new)[0] == 1
        assert len(opened(new)[1]["news"]) > EVENTS - 20

    def test_a_copy_of_a_store_in_use_counts_anew(self, killed, tmp_path):
        copy = tmp_path / "copy.sqlite"
        shutil.copy(killed, copy)
        shutil.copy(f"{killed}-wal", f"{copy}-wal")
        database = Database(str(copy))
        (note,) = database.notes
        assert note.startswith("it is a copy of one that was in use: ")
        assert database.positions()["radio", "news"].epoch != "epochnews"
        assert len(database.recent("radio", "news", ALL)) == EVENTS - 1
        database.close()
        # Once.
        database = Database(str(copy))
        assert database.notes == []
        database.close()


class TestALogThatBeganAnew:
    """SQLite overwrites the old one. Where the kill fell in a write, an old page lies behind a new head."""

    @pytest.fixture
    def database(self, path):
        database = fill(path)
        # As after every 1,000 pages: all that is in the log is in the file, too.
        database._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        database.write([Append("radio", "news", event_of(EVENTS + 1))], Cuts())
        return database

    def position(self, path):
        database = Database(str(path))
        try:
            position = database.positions()["radio", "news"]
            return database.notes, (position.epoch, position.seq)
        finally:
            database.close()

    def begin_write(self, log, rest=b""):
        """The head of one more frame that ends a transaction, as it is written before the page."""
        data = log.read_bytes()
        held = read_log(data)
        assert held.is_overwritten
        at = HEADER.size + len(held.frames) * (FRAME.size + PAGE_SIZE)
        head = FRAME.pack(2, 9, *held.salts, 1, 2)
        log.write_bytes(data[:at] + head + rest + data[at + len(head + rest) :])

    @pytest.mark.parametrize("written", [b"", b"x" * 2000], ids=["no page", "a part of the page"])
    def test_a_write_that_was_interrupted_changes_nothing(self, path, database, run, written):
        kill(database, path)
        self.begin_write(Path(f"{path}-wal"), written)
        assert run("check", path)[0] == 0
        assert self.position(path) == ([], ("epochnews", EVENTS + 1))

    def test_one_that_had_just_begun_changes_nothing(self, path, database):
        database._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        kill(database, path)
        log = Path(f"{path}-wal")
        data = log.read_bytes()
        magic, version, page_size, count, salt0, _, _, _ = HEADER.unpack_from(data)
        head = struct.pack(">6I", magic, version, page_size, count + 1, salt0 + 1, 77)
        sums = _sum(MAGIC[magic], head, (0, 0))
        log.write_bytes(head + struct.pack(">2I", *sums) + data[HEADER.size :])
        assert self.position(path) == ([], ("epochnews", EVENTS + 1))

    def test_what_was_acknowledged_and_is_damaged_is_told(self, path, database):
        kill(database, path)
        log = Path(f"{path}-wal")
        held = read_log(log.read_bytes())
        flip(log, HEADER.size + len(held.frames) * (FRAME.size + PAGE_SIZE) - 100)
        notes, (epoch, _) = self.position(path)
        assert "the last write to it is damaged" in notes[0]
        assert epoch != "epochnews"

    def test_what_was_acknowledged_and_is_cut_off_is_told(self, path, database):
        kill(database, path)
        log = Path(f"{path}-wal")
        os.truncate(log, HEADER.size + FRAME.size)
        notes, (epoch, _) = self.position(path)
        assert "the last write to it is damaged" in notes[0]
        assert epoch != "epochnews"

    @pytest.mark.parametrize("spoil", ["earlier boot", "unknown boot", "missing", "damaged"])
    def test_without_a_note_of_what_was_acknowledged_all_is_doubtful(
        self, path, database, spoil, monkeypatch
    ):
        kill(database, path)
        self.begin_write(Path(f"{path}-wal"))
        note = Path(f"{path}-acked")
        if spoil == "missing":
            note.unlink()
        elif spoil == "damaged":
            flip(note, 9)
        elif spoil == "unknown boot":
            # In a chroot.
            monkeypatch.setattr("radiod.store.acknowledged._boot", lambda: UNKNOWN)
            data = note.read_bytes()[: NOTE.size - len(UNKNOWN)] + UNKNOWN
            note.write_bytes(data + SUM.pack(zlib.crc32(data)))
        else:
            # The machine has crashed: what was noted last may not have reached the disk.
            monkeypatch.setattr("radiod.store.acknowledged._boot", lambda: b"another".ljust(36))
        notes, (epoch, _) = self.position(path)
        assert "the last write to it is damaged, or was not finished" in notes[0]
        assert epoch != "epochnews"

    def test_the_note_of_another_log_is_nothing_to_this_one(self, path, database):
        note = Path(f"{path}-acked")
        old = note.read_bytes()
        database._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        database.write([Append("radio", "news", event_of(EVENTS + 2))], Cuts())
        kill(database, path)
        note.write_bytes(old)
        assert self.position(path) == ([], ("epochnews", EVENTS + 2))

    def test_the_note_goes_with_the_log(self, path, database):
        assert Path(f"{path}-acked").stat().st_mode & 0o777 == 0o600
        database.close()
        assert os.listdir(path.parent) == [path.name]

    def test_where_there_is_no_room_for_a_note_the_store_works(self, path, monkeypatch):
        def full(*_):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "pwrite", full)
        database = fill(path)
        assert not Path(f"{path}-acked").exists()
        database.close()
        assert self.position(path) == ([], ("epochnews", EVENTS))


class TestOthers:
    @pytest.mark.parametrize("command", ["check", "salvage"])
    @pytest.mark.parametrize(
        ("spoil", "words"),
        [
            (lambda path: None, "No such file or directory"),
            (lambda path: path.mkdir(), "Is a directory"),
            (lambda path: path.touch(), "the file is empty"),
            (lambda path: sqlite3.connect(path).execute("CREATE TABLE t (x)"), "another program"),
        ],
    )
    def test_what_is_no_store_is_one_line_and_status_2(self, path, run, tmp_path, command, spoil, words):
        spoil(path)
        new = tmp_path / "new.sqlite"
        status, (line,) = run(command, path, *([new] if command == "salvage" else []))
        assert status == 2
        assert words in line
        assert not new.exists()

    def test_a_newer_one_is_left_alone(self, store, run):
        connection = sqlite3.connect(store)
        connection.execute("PRAGMA user_version = 9")
        connection.close()
        assert run("check", store) == (2, ["written by a newer radiod: schema 9, this one knows 3"])

    def test_a_letter(self, path, run, tmp_path):
        path.write_bytes(b"Dear radiod, " * 1000)
        assert run("check", path)[0] == 1
        assert run("salvage", path, tmp_path / "new.sqlite")[0] in (1, 2)

    def test_one_that_a_server_uses(self, path, tmp_path):
        """Its own process: a lock does not bind whoever holds it."""
        database = fill(path)
        commands = {
            "check": ([], 0, "in use by a running server: this is how it stands now"),
            "salvage": ["new", 2, "in use by a running server; stop it first"],
            "backup": ["copy", 0, "copied to"],
        }
        for command, expected in commands.items():
            status, words = expected[-2:]
            more = [] if command == "check" else [str(tmp_path / command)]
            done = nursery.run(
                [sys.executable, "-m", "radiod.store", command, str(path), *more],
                capture_output=True, text=True, cwd=ROOT, check=False,
            )  # fmt: skip
            assert done.returncode == status, done.stderr
            assert words in done.stdout + done.stderr
        database.write([Append("radio", "news", event_of(EVENTS + 1))], Cuts())
        database.close()
        copy = Database(str(tmp_path / "backup"))
        assert "a copy of one that was in use" in copy.notes[0]
        assert len(copy.recent("radio", "news", ALL)) == EVENTS - 1
        copy.close()

    def test_a_folder_that_may_only_be_read(self, sound, run):
        with tempfile.TemporaryDirectory() as folder, nobody(folder):
            path = Path(folder, "store.sqlite")
            with somebody():
                path.write_bytes(sound)
                path.chmod(0o444)
                os.chmod(folder, 0o555)
            assert run("check", path)[0] == 0
            assert run("salvage", path, Path(folder, "new")) == (2, [f"{folder}/new: Permission denied"])
            with pytest.raises(StoreError) as refused:
                Database(str(path))
            assert str(refused.value) == f"store {path}: {folder} may not be written"
            with somebody():
                os.chmod(folder, 0o755)


@contextlib.contextmanager
def nobody(folder):
    """Be somebody whom rights bind, root or not."""
    if os.geteuid() == 0:
        os.chmod(folder, 0o755)
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)
    else:
        yield


@contextlib.contextmanager
def somebody():
    """For a moment, be who runs the tests."""
    before = os.geteuid()
    os.seteuid(os.getuid())
    try:
        yield
    finally:
        os.seteuid(before)
