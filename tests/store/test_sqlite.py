"""The store's queue and writer thread, on real files."""

import hashlib
import os
import resource
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from queue import SimpleQueue

import pytest
from twisted.logger import globalLogPublisher

from radiod.store.records import Position, StoredChannel, StoredEvent, StoreError, StoreFull
from radiod.store.sqlite import SqliteStore
from radiod.store.sums import channel_sum

SECONDS = 20.0
"""Longer than anything here takes: what waits so long has failed."""
ALL = 10**9
HASH = hashlib.sha256(b"control key").digest()


class MainThread:
    """The test as a reactor: runs what the writer wants called, one call for each transaction."""

    def __init__(self):
        self.calls = SimpleQueue()

    def __call__(self, what):
        self.calls.put(what)

    def turn(self):
        self.calls.get(timeout=SECONDS)()

    def run(self, store):
        """Until nothing waits."""
        while store.waiting:
            self.turn()


class HeldMainThread(MainThread):
    """The writer is held where it asks for a call, until the test lets it go on."""

    def __init__(self):
        super().__init__()
        self.go_on = threading.Event()

    def __call__(self, what):
        super().__call__(what)
        assert self.go_on.wait(SECONDS)


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "store.sqlite")


@pytest.fixture
def main():
    return MainThread()


@pytest.fixture
def opened(path):
    """opened(call_in_main, ...): a store that is open; all are closed in the end."""
    stores = []

    def make(call_in_main, **limits):
        store = SqliteStore(path, call_in_main, **limits)
        store.open()
        stores.append(store)
        return store

    yield make
    for store in stores:
        store.close()


@pytest.fixture
def store(opened, main):
    return opened(main)


@pytest.fixture
def logged():
    events = []
    globalLogPublisher.addObserver(events.append)
    yield events
    globalLogPublisher.removeObserver(events.append)


class Answers(list):
    """What ``done`` was called with: (seq, error)."""

    def of(self, seq):
        return lambda error: self.append((seq, error))

    @property
    def errors(self):
        return {seq: str(error) for seq, error in self if error is not None}


@pytest.fixture
def answers():
    return Answers()


def event_of(seq, epoch="e1", size=1):
    return StoredEvent(
        epoch=epoch,
        seq=seq,
        time=1000.0 + seq,
        publication=seq + 2**52,
        codec_name="cbor",
        args=bytes([seq % 256, 0]) * size,
        kwargs=b"\xa0",
        details_json=b'{"topic":"x"}',
        options_json=b"{}",
    )


def append(store, answers, *seqs, channel="news", realm="radio", **details):
    for seq in seqs:
        event = event_of(seq, **details)
        fields = {name: getattr(event, name) for name in event.__struct_fields__}
        store.append(realm, channel, **fields, done=answers.of(seq))


def seqs_of(store, channel="news", limit=ALL):
    return [event.seq for event in store.recent("radio", channel, limit)]


def reopened(store, opened, main):
    store.close()
    return opened(main)


class TestHistory:
    def test_comes_back_oldest_first_as_it_was_given(self, store, main, opened, answers):
        store.start()
        append(store, answers, *range(1, 1001))
        main.run(store)
        assert list(answers) == [(seq, None) for seq in range(1, 1001)]
        again = reopened(store, opened, main)
        assert again.recent("radio", "news", ALL) == [event_of(seq) for seq in range(1, 1001)]
        assert again.recent("radio", "news", 2) == [event_of(999), event_of(1000)]

    def test_of_an_unknown_channel_is_empty(self, store):
        assert store.recent("radio", "news", 5) == []
        assert store.positions() == {}

    def test_is_kept_for_each_channel_of_each_realm(self, store, main, opened, answers):
        append(store, answers, 1, 2)
        append(store, answers, 7, channel="other")
        append(store, answers, 9, realm="tv", epoch="e2")
        append(store, answers, 3)
        again = reopened(store, opened, main)
        assert again.positions() == {
            ("radio", "news"): Position("e1", 3),
            ("radio", "other"): Position("e1", 7),
            ("tv", "news"): Position("e2", 9),
        }
        assert seqs_of(again) == [1, 2, 3]
        assert seqs_of(again, "other") == [7]

    def test_goes_on_in_the_same_epoch(self, store, main, opened, answers):
        append(store, answers, 1, 2)
        again = reopened(store, opened, main)
        append(again, answers, 3)
        assert seqs_of(reopened(again, opened, main)) == [1, 2, 3]

    def test_begins_anew_with_another_epoch(self, store, main, opened, answers):
        append(store, answers, 1, 2, 3)
        append(store, answers, 1, epoch="e2")
        append(store, answers, 2, epoch="e2")
        again = reopened(store, opened, main)
        assert again.recent("radio", "news", ALL) == [event_of(1, "e2"), event_of(2, "e2")]
        assert again.positions() == {("radio", "news"): Position("e2", 2)}
        assert answers.errors == {}

    def test_holds_an_event_once(self, store, main, opened, answers):
        append(store, answers, 1, 2, 3, 2, 4)
        again = reopened(store, opened, main)
        assert [seq for seq, _ in answers] == [1, 2, 3, 2, 4]
        assert [error is None for _, error in answers] == [True, True, True, False, True]
        assert answers.errors[2].startswith("not stored: UNIQUE")
        assert seqs_of(again) == [1, 2, 3, 4]


class TestTrimming:
    def test_leaves_what_is_to_be_kept(self, store, main, opened, answers):
        append(store, answers, *range(1, 11))
        for first in range(1, 9):
            store.trim("radio", "news", "e1", first)
        assert seqs_of(reopened(store, opened, main)) == [8, 9, 10]

    def test_of_everything_leaves_the_position(self, store, main, opened, answers):
        append(store, answers, *range(1, 11))
        store.trim("radio", "news", "e1", 11)
        again = reopened(store, opened, main)
        assert seqs_of(again) == []
        assert again.positions() == {("radio", "news"): Position("e1", 10)}

    def test_of_an_earlier_epoch_touches_nothing(self, store, main, opened, answers):
        append(store, answers, 1, 2)
        append(store, answers, 1, 2, epoch="e2")
        store.trim("radio", "news", "e1", 99)
        store.trim("radio", "unknown", "e1", 99)
        assert seqs_of(reopened(store, opened, main)) == [1, 2]

    def test_waits_for_the_next_transaction(self, store, main, answers):
        store.start()
        append(store, answers, 1)
        main.run(store)
        store.trim("radio", "news", "e1", 1)
        append(store, answers, 2)
        main.run(store)
        assert main.calls.empty()

    def test_comes_in_time_without_close(self, opened, main, answers):
        store = opened(main, cut_seconds=0.0)
        store.start()
        for seq in range(1, 11):
            append(store, answers, seq)
            store.trim("radio", "news", "e1", seq - 2)
            main.run(store)
        store.expire("radio", "unknown", 0.0)
        main.turn()
        # The writer sleeps now, so that the test may look.
        events = store._database.recent("radio", "news", ALL)
        assert [event.seq for event in events] == [8, 9, 10]

    def test_waits_while_another_was_just_done(self, opened, main, answers):
        store = opened(main, cut_seconds=3600.0)
        store.start()
        for seq in range(1, 11):
            append(store, answers, seq)
            store.trim("radio", "news", "e1", seq - 2)
            main.run(store)
        assert store._cuts.firsts == {("radio", "news", "e1"): 8}
        assert seqs_of(reopened(store, opened, main)) == [8, 9, 10]

    def test_by_age_takes_the_oldest_up_to_the_first_that_is_young(self, store, main, opened, answers):
        append(store, answers, *range(1, 11))
        store.expire("radio", "news", 1004.0)
        store.expire("radio", "unknown", 1004.0)
        assert seqs_of(reopened(store, opened, main)) == [4, 5, 6, 7, 8, 9, 10]

    def test_by_age_needs_no_other_request(self, store, main, opened, answers):
        store.start()
        append(store, answers, 1, 2)
        main.run(store)
        store.expire("radio", "news", 5000.0)
        main.turn()
        again = reopened(store, opened, main)
        assert seqs_of(again) == []
        assert again.positions() == {("radio", "news"): Position("e1", 2)}


class TestChannels:
    def test_come_back_as_they_were_saved(self, store, main, opened, answers):
        settings = {"public": True, "history": {"size": 10, "seconds": 0.5}, "title": "Füße"}
        store.save_channel("radio", "b", settings, HASH, 1234.5, answers.of("b"))
        store.save_channel("radio", "a", {}, None, None)
        assert reopened(store, opened, main).channels() == [
            StoredChannel(realm="radio", name="a", settings={}, control_key_hash=None, expires=None),
            StoredChannel(realm="radio", name="b", settings=settings, control_key_hash=HASH, expires=1234.5),
        ]
        assert list(answers) == [("b", None)]

    def test_are_replaced_when_saved_again(self, store, main, opened):
        store.save_channel("radio", "a", {"n": 1}, HASH, None)
        store.save_channel("radio", "a", {"n": 2}, HASH, 9.0)
        (channel,) = reopened(store, opened, main).channels()
        assert (channel.settings, channel.expires) == ({"n": 2}, 9.0)

    def test_take_their_history_with_them(self, store, main, opened, answers):
        store.save_channel("radio", "news", {}, None, None)
        append(store, answers, 1, 2)
        append(store, answers, 1, channel="other")
        store.delete_channel("radio", "news", answers.of("deleted"))
        store.delete_channel("radio", "unknown")
        again = reopened(store, opened, main)
        assert again.channels() == []
        assert again.positions() == {("radio", "other"): Position("e1", 1)}
        assert seqs_of(again) == []
        assert answers[-1] == ("deleted", None)

    def test_that_are_deleted_and_made_again_begin_at_one(self, store, main, opened, answers):
        append(store, answers, 1, 2, 3)
        store.delete_channel("radio", "news")
        append(store, answers, 1)
        assert seqs_of(reopened(store, opened, main)) == [1]
        assert answers.errors == {}

    def test_are_not_stored_with_the_key_itself(self, store):
        with pytest.raises(ValueError, match="SHA-256"):
            store.save_channel("radio", "a", {}, b"the control key", None)


class TestGroups:
    def test_all_that_is_queued_is_one_transaction_and_one_call(self, store, main, answers):
        append(store, answers, *range(1, 301))
        store.start()
        main.turn()
        assert len(answers) == 300
        assert main.calls.empty()

    def test_what_comes_during_a_transaction_is_the_next(self, opened, answers):
        main = HeldMainThread()
        store = opened(main)
        store.start()
        append(store, answers, 1)
        main.turn()
        append(store, answers, 2, 3, 4)
        main.go_on.set()
        main.turn()
        assert [seq for seq, _ in answers] == [1, 2, 3, 4]
        assert main.calls.empty()

    def test_nothing_is_acknowledged_before_it_can_be_read_back(self, store, main, path, answers):
        append(store, answers, 1)
        store.start()
        call = main.calls.get(timeout=SECONDS)
        assert list(answers) == []
        # As after kill -9 at this moment: the files alone.
        copies = [path, f"{path}-wal"]
        data = [Path(copy).read_bytes() for copy in copies]
        call()
        assert list(answers) == [(1, None)]
        for copy, content in zip(copies, data, strict=True):
            Path(copy.replace("store.sqlite", "copy.sqlite")).write_bytes(content)
        copy = SqliteStore(path.replace("store.sqlite", "copy.sqlite"), main)
        copy.open()
        assert seqs_of(copy) == [1]
        copy.close()

    def test_every_commit_is_synced(self, store):
        assert store._database._connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert store._database._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)

    def test_a_callback_that_fails_keeps_nobody_else_waiting(self, store, main, answers, logged):
        store.save_channel("radio", "a", {}, None, None, lambda error: 1 / 0)
        append(store, answers, 1)
        store.start()
        main.run(store)
        assert list(answers) == [(1, None)]
        assert [event["log_failure"].type for event in logged] == [ZeroDivisionError]

    def test_a_callback_may_ask_for_more(self, store, main, answers):
        store.save_channel("radio", "a", {}, None, None, lambda error: append(store, answers, 1, 2))
        store.start()
        main.run(store)
        assert list(answers) == [(1, None), (2, None)]


class TestBounds:
    def test_too_many_are_refused_at_once(self, opened, main, answers):
        store = opened(main, max_waiting=3)
        append(store, answers, 1, 2)
        assert not store.is_full
        append(store, answers, 3)
        assert store.is_full
        append(store, answers, 4)
        assert [(seq, type(error)) for seq, error in answers] == [(4, StoreFull)]
        store.start()
        main.run(store)
        assert not store.is_full
        append(store, answers, 4)
        main.run(store)
        assert answers[-1] == (4, None)

    def test_as_many_deletions_find_room_besides(self, opened, main, answers):
        store = opened(main, max_waiting=2)
        store.save_channel("radio", "a", {}, HASH, None)
        append(store, answers, 1)
        store.delete_channel("radio", "a")
        store.delete_channel("radio", "news", answers.of("news"))
        store.delete_channel("radio", "other", answers.of("other"))
        assert list(answers.errors) == ["other"]
        store.start()
        main.run(store)
        again = reopened(store, opened, main)
        assert (again.channels(), seqs_of(again)) == ([], [])

    def test_too_many_bytes_are_refused_at_once(self, opened, main, answers):
        store = opened(main, max_waiting_bytes=1000)
        append(store, answers, 1, size=300)
        assert not store.is_full
        append(store, answers, 2, size=300)
        assert store.is_full
        append(store, answers, 3)
        assert [(seq, type(error)) for seq, error in answers] == [(3, StoreFull)]
        store.start()
        main.run(store)
        assert not store.is_full

    def test_what_is_being_written_counts_until_it_is_answered(self, opened, main, answers):
        store = opened(main, max_waiting=1)
        store.start()
        append(store, answers, 1)
        call = main.calls.get(timeout=SECONDS)
        assert store.is_full
        call()
        assert not store.is_full


class TestFailure:
    @pytest.mark.parametrize("count", [1, 2, 3, 200, 256, 257, 700])
    def test_one_event_that_is_there_already_spares_the_others(self, opened, answers, count):
        main = HeldMainThread()
        store = opened(main)
        store.start()
        append(store, answers, 1)
        call = main.calls.get(timeout=SECONDS)
        append(store, answers, *range(2, count + 1), 1, *range(count + 1, 2 * count))
        main.go_on.set()
        call()
        main.run(store)
        assert len(answers) == 2 * count
        assert list(answers.errors) == [1]
        assert seqs_of(reopened(store, opened, main)) == list(range(1, max(2, 2 * count)))

    def fill(self, store, main, answers):
        """Append until the file may not grow any more; returns how many events it holds."""
        seq = 0
        while not answers.errors:
            seq += 1
            append(store, answers, seq, size=2000)
            main.run(store)
        return seq - 1

    def test_a_full_disk_fails_everything_in_the_transaction(self, store, main, opened, answers, logged):
        store._database._connection.execute("PRAGMA max_page_count = 40")
        store.start()
        held = self.fill(store, main, answers)
        answers.clear()
        append(store, answers, held + 1)
        append(store, answers, held + 2, size=100_000)
        append(store, answers, held + 3)
        main.run(store)
        # The three may have been one transaction or several, in order in any case.
        assert [seq for seq, _ in answers] == [held + 1, held + 2, held + 3]
        assert "full" in answers.errors[held + 2]
        stored = [seq for seq, error in answers if error is None]
        again = reopened(store, opened, main)
        assert seqs_of(again) == [*range(1, held + 1), *stored]
        assert "database or disk is full" in logged[0]["log_format"].format(**logged[0])

    def test_in_one_transaction_nobody_is_spared(self, store, main, opened, answers):
        store._database._connection.execute("PRAGMA max_page_count = 40")
        append(store, answers, 1, 2)
        append(store, answers, 3, size=200_000)
        store.save_channel("radio", "a", {}, None, None, answers.of("a"))
        store.start()
        main.run(store)
        assert list(answers.errors) == [1, 2, 3, "a"]
        again = reopened(store, opened, main)
        assert again.positions() == {}
        assert again.channels() == []

    def test_what_comes_later_is_tried_again(self, store, main, opened, answers, logged):
        store._database._connection.execute("PRAGMA max_page_count = 40")
        store.start()
        held = self.fill(store, main, answers)
        answers.clear()
        # Given room, which goes even though it is asked for together with too much.
        store.trim("radio", "news", "e1", held)
        append(store, answers, held + 1, size=200_000)
        main.run(store)
        assert list(answers.errors) == [held + 1]
        append(store, answers, held + 1)
        main.run(store)
        assert answers[-1] == (held + 1, None)
        assert seqs_of(reopened(store, opened, main)) == [held, held + 1]
        assert [event["log_level"].name for event in logged] == ["error", "info"]

    def test_a_log_that_cannot_grow_is_survived(self, store, main, opened, path, answers):
        store.start()
        append(store, answers, 1)
        main.run(store)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (os.path.getsize(f"{path}-wal") + 5000, hard))
        try:
            append(store, answers, 2, size=400_000)
            store.trim("radio", "news", "e1", 1)
            main.run(store)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert list(answers.errors) == [2]
        append(store, answers, 2, 3)
        main.run(store)
        assert answers[-2:] == [(2, None), (3, None)]
        assert seqs_of(reopened(store, opened, main)) == [1, 2, 3]

    def test_what_cannot_be_written_at_all_fails_alone_with_its_companions(self, store, main, answers):
        append(store, answers, 1)
        append(store, answers, 2**63)
        store.start()
        main.run(store)
        append(store, answers, 1)
        main.run(store)
        assert list(answers.errors) == [1, 2**63]
        assert answers[-1] == (1, None)

    def test_a_cut_that_failed_is_made_later(self, store, main, opened, answers, monkeypatch):
        store.start()
        append(store, answers, *range(1, 6))
        main.run(store)
        with monkeypatch.context() as broken:
            broken.setattr(store._database, "write", lambda requests, cuts: 1 / 0)
            store.trim("radio", "news", "e1", 3)
            store.expire("radio", "news", 1002.0)
            main.turn()
            store.trim("radio", "news", "e1", 4)
        append(store, answers, 6)
        main.run(store)
        assert seqs_of(reopened(store, opened, main)) == [4, 5, 6]

    @pytest.mark.parametrize("what_follows", ["an event", "the channel again", "nothing"])
    def test_a_deletion_that_failed_is_made_later(
        self, store, main, opened, answers, monkeypatch, what_follows
    ):
        store.start()
        store.save_channel("radio", "news", {}, HASH, None)
        append(store, answers, 1, 2)
        main.run(store)
        with monkeypatch.context() as broken:
            broken.setattr(store._database, "write", lambda requests, cuts: 1 / 0)
            store.delete_channel("radio", "news")
            main.run(store)
        if what_follows == "an event":
            append(store, answers, 1, channel="other")
        elif what_follows == "the channel again":
            store.save_channel("radio", "news", {"again": True}, HASH, None)
        main.run(store)
        again = reopened(store, opened, main)
        assert seqs_of(again) == []
        assert [one.settings for one in again.channels()] == [{"again": True}] * (
            what_follows == "the channel again"
        )
        assert answers.errors == {}

    def test_a_deletion_makes_room_on_a_full_disk(self, store, main, opened, answers):
        store._database._connection.execute("PRAGMA max_page_count = 40")
        store.start()
        held = self.fill(store, main, answers)
        answers.clear()
        append(store, answers, held + 1, size=200_000)
        store.delete_channel("radio", "news")
        main.run(store)
        append(store, answers, 1, epoch="e2")
        main.run(store)
        assert answers[-1] == (1, None)
        assert seqs_of(reopened(store, opened, main)) == [1]

    def test_deletions_that_failed_are_remembered_within_a_bound(self, opened, main, monkeypatch):
        store = opened(main, max_waiting=3)
        for name in "abcd":
            store.save_channel("radio", name, {}, HASH, None)
            if store.waiting == 3:
                store.start()
                main.run(store)
        main.run(store)
        with monkeypatch.context() as broken:
            broken.setattr(store._database, "write", lambda requests, cuts: 1 / 0)
            for name in "abcd":
                store.delete_channel("radio", name)
                main.run(store)
        assert [one.name for one in reopened(store, opened, main).channels()] == ["a"]


class TestBeneath:
    """The file is moved, replaced or deleted while it is written."""

    @pytest.mark.parametrize("suffix", ["", "-wal"])
    @pytest.mark.parametrize("how", ["moved", "deleted", "replaced"])
    def test_is_noticed_before_anything_more_is_acknowledged(
        self, store, main, path, answers, logged, how, suffix
    ):
        store.start()
        append(store, answers, 1)
        main.run(store)
        file = f"{path}{suffix}"
        if how == "deleted":
            os.unlink(file)
        else:
            os.rename(file, f"{file}.away")
        if how == "replaced":
            Path(file).touch()
        for seq in (2, 3):
            append(store, answers, seq)
            main.run(store)
        assert set(answers.errors) == {2, 3}
        assert f"{file} was moved, deleted or replaced" in answers.errors[2]
        assert [event["log_level"].name for event in logged] == ["error"]

    def test_goes_on_once_it_is_back(self, store, main, path, opened, answers, logged):
        store.start()
        append(store, answers, 1)
        main.run(store)
        os.rename(path, f"{path}.away")
        append(store, answers, 2)
        main.run(store)
        os.rename(f"{path}.away", path)
        append(store, answers, 3)
        main.run(store)
        assert set(answers.errors) == {2}
        assert [event["log_level"].name for event in logged] == ["error", "info"]
        # The second was written before the move was seen; who was refused does not rely on either.
        assert {1, 3} <= set(seqs_of(reopened(store, opened, main)))


class TestClosing:
    def test_writes_and_answers_what_waits_without_a_reactor(self, store, main, opened, answers):
        store.start()
        append(store, answers, *range(1, 501))
        again = reopened(store, opened, main)
        assert [seq for seq, error in answers if error is None] == list(range(1, 501))
        assert len(seqs_of(again)) == 500

    def test_leaves_one_file(self, store, main, path, answers):
        append(store, answers, 1)
        store.close()
        assert os.listdir(os.path.dirname(path)) == ["store.sqlite"]

    def test_twice_or_unopened_does_nothing(self, path, main):
        SqliteStore(path, main).close()
        store = SqliteStore(path, main)
        store.open()
        store.close()
        store.close()

    def test_refuses_what_comes_later(self, store, main, answers):
        store.close()
        append(store, answers, 1)
        assert answers.errors == {1: "the store is closed"}

    def test_does_not_wait_for_ever(self, opened, answers):
        main = HeldMainThread()
        store = opened(main)
        store.start()
        append(store, answers, 1)
        call = main.calls.get(timeout=SECONDS)
        append(store, answers, 2)
        with pytest.raises(StoreError, match="not closed in 0 seconds"):
            store.close(0)
        # The first was written before; of the second nobody knows.
        assert answers[0] == (1, None)
        assert answers.errors == {2: "the store did not finish in time"}
        main.go_on.set()
        call()
        store.close()
        assert len(answers) == 2

    def test_closing_from_a_callback_answers_in_order(self, store, main, answers):
        store.save_channel("radio", "a", {}, None, None, lambda error: store.close())
        append(store, answers, 1, 2)
        store.start()
        main.turn()
        assert list(answers) == [(1, None), (2, None)]


class TestOpening:
    def refused(self, path, main):
        with pytest.raises(StoreError) as raised:
            SqliteStore(path, main).open()
        text = str(raised.value)
        assert text.startswith(f"store {path}: ")
        assert "\n" not in text
        return text.removeprefix(f"store {path}: ")

    def sql(self, path, *statements):
        connection = connect(path)
        for statement in statements:
            connection.execute(statement)
        connection.close()

    def test_a_file_is_its_owners_only(self, store, path, answers):
        append(store, answers, 1)
        for file in (path, f"{path}-wal"):
            assert os.stat(file).st_mode & 0o777 == 0o600

    def test_a_second_store_in_this_process_is_refused(self, store, path, main):
        assert self.refused(path, main) == "in use by another program, perhaps another radiod"

    def test_another_process_is_refused_however_often_it_tries(self, store, path, main):
        script = (
            "import sys; from radiod.store.sqlite import SqliteStore; SqliteStore(sys.argv[1], print).open()"
        )
        for _ in range(2):
            child = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True)
            assert "in use by another program" in child.stderr.splitlines()[-1]
            # Our own refusals must not let go of the lock.
            self.refused(path, main)

    def test_a_file_that_somebody_reads_is_refused(self, store, path, main):
        store.close()
        reader = connect(path)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM events").fetchall()
        assert "in use" in self.refused(path, main)
        reader.close()
        again = SqliteStore(path, main)
        again.open()
        again.close()

    def test_another_programs_database_is_refused_and_left_alone(self, path, main):
        self.sql(path, "CREATE TABLE precious (x)")
        before = Path(path).read_bytes()
        assert self.refused(path, main) == "a SQLite database of another program"
        assert Path(path).read_bytes() == before
        assert os.listdir(os.path.dirname(path)) == ["store.sqlite"]

    def test_a_newer_file_is_refused(self, store, path, main):
        store.close()
        self.sql(path, "PRAGMA user_version = 7")
        assert self.refused(path, main) == "written by a newer radiod: schema 7, this one knows 3"

    def test_something_else_is_refused(self, path, main):
        Path(path).write_bytes(b"not a database, " * 100)
        assert self.refused(path, main) == f"not a SQLite database{way_out(path)}"

    def test_a_damaged_file_is_refused(self, store, path, main, answers):
        append(store, answers, *range(1, 200), size=100)
        store.close()
        with open(path, "r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * (os.path.getsize(path) - 4096))
        assert self.refused(path, main) == f"the file is damaged{way_out(path)}"

    def test_a_missing_folder_is_refused(self, tmp_path, main):
        assert self.refused(str(tmp_path / "none" / "x"), main) == "No such file or directory"

    def test_a_folder_is_refused(self, tmp_path, main):
        assert self.refused(str(tmp_path), main) == "unable to open database file"

    def test_an_empty_file_is_new(self, path, main):
        Path(path).touch()
        store = SqliteStore(path, main)
        store.open()
        assert store.channels() == []
        store.close()

    def test_settings_that_radiod_has_not_written_are_an_error_of_the_store(self, store, path, main):
        store.save_channel("radio", "a", {}, None, None)
        store.close()
        wrong = ("radio", "a", "[]", None, None)
        connection = connect(path)
        connection.execute("UPDATE channels SET settings = ?, sum = ?", (wrong[2], channel_sum(*wrong)))
        connection.close()
        again = SqliteStore(path, main)
        again.open()
        with pytest.raises(StoreError, match="Expected `object`"):
            again.channels()
        again.close()


def way_out(path):
    return f"; 'python -m radiod.store check {path}' tells what is lost, 'salvage' keeps the rest"


def connect(path):
    return sqlite3.connect(path, isolation_level=None, timeout=0)


class TestWaiting:
    def test_for_answers_ends_with_the_last_that_was_asked_for(self, store, main, answers):
        told = []
        store.when_answered(lambda: told.append(0))
        assert told == [0]
        append(store, answers, 1, 2)
        store.when_answered(lambda: told.append(len(answers)))
        assert told == [0]
        append(store, answers, 3)
        store.start()
        main.run(store)
        assert told == [0, 2]
        assert answers == [(1, None), (2, None), (3, None)]

    def test_for_answers_ends_even_if_the_last_fails_to_be_taken(self, store, main, logged):
        def fail(error):
            raise RuntimeError("broken")

        event = event_of(1)
        fields = {name: getattr(event, name) for name in event.__struct_fields__}
        store.append("radio", "news", **fields, done=fail)
        told = []
        store.when_answered(lambda: told.append("answered"))
        store.start()
        main.run(store)
        assert told == ["answered"]
