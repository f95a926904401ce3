"""What was acknowledged survives kill -9, and the count goes on behind it."""

import contextlib
import os
import random
import runpy
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.sweeps import sweep

from radiod.core.access.audit import entry_of
from radiod.core.access.grouping import Grouping
from radiod.core.access.records import UsageQuery
from radiod.store.database import Database
from radiod.store.records import StoredEvent

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
REALM, CHANNEL, EPOCH = "radio", "news", "first"
ALL = 10**9


def run_and_kill(path, lines, outstanding=64, keep=ALL, pause=0.0):
    """Let a child append until it acknowledged ``lines`` events, kill it ``pause`` seconds later.

    Returns: what it acknowledged.
    """
    return [int(line) for line in said_until_killed(lines, pause, "appender.py", path, outstanding, keep)]


def said_until_killed(lines, pause, program, *arguments):
    """What a child says that is killed ``pause`` seconds after so many lines of it."""
    command = [sys.executable, str(HERE / program), *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as child:
        try:
            acknowledged = [next(child.stdout) for _ in range(lines)]
            time.sleep(pause)
        finally:
            child.send_signal(signal.SIGKILL)
        # What it said until it died counts too, but for half a line.
        acknowledged += [line for line in child.stdout if line.endswith(b"\n")]
    return acknowledged


def read(path):
    """Position and events of the file; closing it must not repair anything that opening did not."""
    database = Database(str(path))
    try:
        return database.positions()[REALM, CHANNEL], database.recent(REALM, CHANNEL, ALL)
    finally:
        database.close()


def assert_whole(path, events):
    """``events`` count without gap or repeat and hold what was appended; the file is sound."""
    from_child = runpy.run_path(str(HERE / "appender.py"))
    first = events[0].seq
    expected = [StoredEvent(**from_child["event_of"](first + n)) for n in range(len(events))]
    assert events == expected
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.parametrize("seed", sweep(range(5), short=1))
def test_every_acknowledged_event_is_there_once_and_in_order_after_each_of_ten_kills(tmp_path, seed):
    path, chance = tmp_path / "store.sqlite", random.Random(seed)
    total = 0
    for _ in range(10):
        outstanding = chance.choice([1, 16, 64])
        # Not to wait for anything: the pause lets the kill fall into every phase of a transaction.
        lines, pause = chance.randint(1, 4 * outstanding), chance.uniform(0, 0.008)
        acknowledged = run_and_kill(path, lines, outstanding, pause=pause)
        assert acknowledged == list(range(total + 1, total + 1 + len(acknowledged)))
        position, events = read(path)
        total = position.seq
        assert position.epoch == EPOCH
        assert total >= acknowledged[-1]
        assert [event.seq for event in events] == list(range(1, total + 1))
    assert_whole(path, events)


def test_trimming_takes_the_oldest_only(tmp_path):
    path = tmp_path / "store.sqlite"
    for _ in range(3):
        acknowledged = run_and_kill(path, 300, keep=100)
        position, events = read(path)
        assert position.seq == events[-1].seq >= acknowledged[-1]
        assert len(events) >= 100
    assert_whole(path, events)
    assert len(events) < position.seq


def test_a_log_cut_short_anywhere_is_read_up_to_its_last_whole_transaction(tmp_path):
    """As after a power cut that came before the last sync."""
    path, chance = tmp_path / "store.sqlite", random.Random(1)
    run_and_kill(path, 100, outstanding=1)
    file, log = path.read_bytes(), Path(f"{path}-wal").read_bytes()
    lengths = []
    for size in sorted(chance.sample(range(len(log)), 40)):
        # The same file: a copy would begin a new epoch.
        path.write_bytes(file)
        Path(f"{path}-wal").write_bytes(log[:size])
        database = Database(str(path))
        events = database.recent(REALM, CHANNEL, ALL)
        database.close()
        lengths.append(len(events))
        if events:
            assert events[0].seq == 1
            assert_whole(path, events)
    assert lengths == sorted(lengths)
    assert lengths[-1] > lengths[0]


@pytest.mark.parametrize("seed", sweep(range(5), short=1))
def test_every_answered_change_of_access_is_there_with_its_act_after_each_of_ten_kills(tmp_path, seed):
    path, chance = tmp_path / "store.sqlite", random.Random(seed)
    from_child = runpy.run_path(str(HERE / "changer.py"))
    counted = 0
    for _ in range(10):
        outstanding = chance.choice([1, 2, 16])
        lines, pause = chance.randint(1, 4 * outstanding), chance.uniform(0, 0.008)
        said = [line.split() for line in said_until_killed(lines, pause, "changer.py", path, outstanding)]
        answered = [int(number) for kind, number in said if kind == b"change"]
        records, entries, counts, notes = read_access(path)
        assert notes == []
        total = len(records.keys) - 1
        assert total >= max(answered, default=0)
        # Whole changes, each with its act: key 0 came with the first, already revoked.
        assert [record.id for record in records.keys] == [f"k_{number}" for number in range(total + 1)]
        assert [record.state for record in records.keys] == ["revoked"] * total + ["active"]
        assert records.secrets == [from_child["secret_of"](number) for number in range(1, total + 1)]
        assert [entry.object for entry in entries] == [f"k_{number}" for number in range(1, total + 1)]
        # Never more than was counted, never less than was answered, and all channels alike.
        (count,) = set(counts) or {0}
        assert max([counted, *(int(number) for kind, number in said if kind == b"usage")]) <= count
        assert count <= total
        counted = count


def read_access(path):
    """Records, audit and usage of the file, and what a server would say of it; the chain is verified."""
    database = Database(str(path))
    try:
        keeping = database.keeping
        entries = [entry_of(row) for row in keeping.audit(0, ALL)]
        assert keeping.is_chain_whole(ALL)
        grouping = Grouping(UsageQuery(by=("channel",)))
        assert list(keeping.sum_up(grouping)) == []
        counts = [row["published"] for row in grouping.page()[0]]
        return keeping.load(), entries, counts, database.notes
    finally:
        database.close()
