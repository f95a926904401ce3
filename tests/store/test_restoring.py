"""A backup comes back in place of a store: whole, at once, and as nobody else's."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from radiod.core.access.audit import written
from radiod.core.access.records import AccountRecord, Act
from radiod.store.database import Append, Cuts, Database
from radiod.store.keeping import ChangeAccess
from radiod.store.records import StoredEvent, StoreError
from radiod.store.restoring import restore
from radiod.store.tables import KEPT

ROOT = Path(__file__).parents[2]


def event_of(seq):
    return StoredEvent(
        epoch="epoch",
        seq=seq,
        time=1000.0 + seq,
        publication=seq,
        codec_name="json",
        args=b'["event %d"]' % seq,
        kwargs=b"",
        details_json=b"{}",
        options_json=b"{}",
    )


def write(database, *numbers):
    """An account and an event for each number."""
    table = KEPT[AccountRecord]
    for number in numbers:
        account = AccountRecord(id=f"account{number}", created=1.0)
        act = written(Act(time=1.0, actor="a", address="", action="account.set", object="o"))
        requests = [ChangeAccess([(table.upsert, table.row(account))], act)]
        assert database.write([*requests, Append("radio", "news", event_of(number))], Cuts()) == {}


def told(path):
    """Accounts, events and epoch, as a server finds them, and its notes."""
    database = Database(str(path))
    try:
        accounts = [record.id for record in database.keeping.load().accounts]
        events = [event.seq for event in database.recent("radio", "news", 1000)]
        return accounts, events, database.positions()["radio", "news"].epoch, database.notes
    finally:
        database.close()


@pytest.fixture
def path(tmp_path):
    (tmp_path / "there").mkdir()
    return tmp_path / "there" / "store.sqlite"


@pytest.fixture
def backup(tmp_path, path):
    """Of the store at its first account, which went on to have two more."""
    database = Database(str(path))
    write(database, 1)
    copy = tmp_path / "copy.sqlite"
    database.copy(str(copy), lambda: None)
    write(database, 2, 3)
    database.close()
    return copy


def test_it_comes_back_and_its_channels_begin_new_epochs(backup, path):
    path.chmod(0o600)
    before = told(path)
    old = restore(str(backup), str(path))
    accounts, events, epoch, notes = told(path)
    assert (accounts, events) == (["account1"], [1])
    assert epoch != "epoch"
    assert ["begin a new epoch" in note for note in notes] == [True]
    assert path.stat().st_mode & 0o777 == 0o600
    assert told(old) == before == (["account1", "account2", "account3"], [1, 2, 3], "epoch", [])
    assert sorted(path.parent.iterdir()) == sorted([path, Path(old)])


def test_also_of_a_store_that_was_closed(backup, path, tmp_path):
    """It went on since: positions that listeners hold must not come twice."""
    closed = tmp_path / "closed.sqlite"
    closed.write_bytes(path.read_bytes())
    restore(str(closed), str(path))
    accounts, events, epoch, _ = told(path)
    assert (accounts, events) == (["account1", "account2", "account3"], [1, 2, 3])
    assert epoch != "epoch"


def test_where_there_was_none(backup, tmp_path):
    path = tmp_path / "new.sqlite"
    assert restore(str(backup), str(path)) is None
    assert told(path)[0] == ["account1"]


def test_the_one_of_a_killed_server_keeps_its_log(backup, path):
    database = Database(str(path))
    write(database, 4)
    files = [Path(f"{path}{suffix}") for suffix in ("", "-wal", "-acked")]
    contents = [file.read_bytes() for file in files]
    database.close()
    for file, content in zip(files, contents, strict=True):
        file.write_bytes(content)
    old = restore(str(backup), str(path))
    assert told(path)[:2] == (["account1"], [1])
    assert told(old) == ([f"account{n}" for n in (1, 2, 3, 4)], [1, 2, 3, 4], "epoch", [])


def test_twice_in_a_second(backup, path):
    names = {restore(str(backup), str(path)) for _ in range(3)}
    assert len(names) == 3
    assert all(os.path.exists(name) for name in names)


def files_of(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.mark.parametrize("damage", ["missing", "empty", "text", "bit", "short"])
def test_what_is_not_whole_is_refused_and_nothing_changes(backup, path, damage):
    data = bytearray(backup.read_bytes())
    if damage == "missing":
        backup.unlink()
    elif damage == "bit":
        data[data.rindex(b"account1")] ^= 1
        backup.write_bytes(data)
    else:
        backup.write_bytes(
            {"empty": b"", "text": b"hello\n" * 1000, "short": bytes(data[: len(data) // 2])}[damage]
        )
    before = files_of(path.parent)
    with pytest.raises(StoreError, match=r"copy\.sqlite") as caught:
        restore(str(backup), str(path))
    assert "\n" not in str(caught.value)
    assert files_of(path.parent) == before


def test_one_in_use_is_refused(backup, path):
    program = (
        "import sys; from radiod.store.database import Database; database = Database(sys.argv[1]); "
        "print('open', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as child:
        assert child.stdout.readline() == b"open\n"
        with pytest.raises(StoreError, match="in use by a running server"):
            restore(str(backup), str(path))
        child.stdin.close()
    assert told(path)[0] == ["account1", "account2", "account3"]


def test_a_place_that_cannot_be_written_is_told(backup, tmp_path):
    with pytest.raises(StoreError, match="No such file or directory"):
        restore(str(backup), str(tmp_path / "none" / "store.sqlite"))
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreError, match="Is a directory"):
        restore(str(backup), str(tmp_path / "folder"))
