"""Damaged records of access: a server refuses them, salvage keeps what is whole, and nothing opens more."""

import contextlib
import os
import random
import sqlite3
from pathlib import Path
from queue import SimpleQueue

import pytest

from radiod.core.access.records import (
    AccountRecord,
    Act,
    Dropped,
    KeyRecord,
    PlanRecord,
    SecretRecord,
    UsageQuery,
    UsageRow,
    UserRecord,
)
from radiod.store.__main__ import main
from radiod.store.access import SqliteAccess
from radiod.store.records import StoreError
from radiod.store.sqlite import SqliteStore

SECONDS = 20.0
NUMBERS = range(40)


def plan(number):
    return PlanRecord(name=f"plan-{number}", limits={"publish_rate": number + 1}, created=1.5)


def account(number, state="active"):
    return AccountRecord(
        id=f"account-{number}", label="x" * 50, plan=f"plan-{number % 4}", state=state, created=1.5
    )


def key(number, state="active"):
    return KeyRecord(
        id=f"key-{number}",
        account=f"account-{number % 10}",
        realm="radio",
        listen=(f"channel.{number}.*",),
        publish=("x" * 60,),
        state=state,
        created=2.0,
        created_by="socket:0",
    )


def secret(number):
    return SecretRecord(digest=bytes([number]) * 32, key=f"key-{number}", hint="last", created=2.0)


def user(number, state="active"):
    return UserRecord(
        realm="radio",
        authid=f"user-{number}",
        role="dj",
        account=f"account-{number % 10}",
        state=state,
        created=2.0,
    )


def act(number=0, action="key.issue"):
    return Act(
        time=5.0, actor=f"actor-{number}-", address="unix", action=action, object="k", detail={"n": number}
    )


class Keeper:
    """An open store, and the test as its reactor."""

    def __init__(self, path):
        self.calls = SimpleQueue()
        self.store = SqliteStore(str(path), self.calls.put)
        self.store.open()
        self.access = SqliteAccess(self.store)
        self.records = self.access.load()
        self.notes = self.store.notes
        self.store.start()

    def done(self, promise):
        outcomes = []
        promise.then(outcomes.append)
        while not outcomes:
            self.calls.get(timeout=SECONDS)()
        assert not isinstance(outcomes[0], Exception)
        return outcomes[0]


def fill(path):
    """Forty keys of ten accounts on four plans, of which every fifth was revoked or suspended later."""
    keeper = Keeper(path)
    for number in NUMBERS:
        changes = [key(number), secret(number), user(number)]
        changes += [account(number)] * (number < 10) + [plan(number)] * (number < 4)
        keeper.done(keeper.access.change(changes, act(number)))
    keeper.done(
        keeper.access.count(
            [
                UsageRow(hour=3600, account="account-1", key="key-1", channel=f"c.{n}", published=n)
                for n in NUMBERS
            ]
        )
    )
    for number in NUMBERS[::5]:
        changes = [key(number, "revoked"), user(number, "suspended"), account(number % 10, "suspended")]
        changes += [Dropped("user", ("radio", f"user-{number + 1}"))]
        keeper.done(keeper.access.change(changes, act(number, "key.revoke")))
    return keeper


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    path = tmp_path_factory.mktemp("sound") / "store.sqlite"
    fill(path).store.close()
    return path.read_bytes()


@pytest.fixture
def store(tmp_path, sound):
    path = tmp_path / "store.sqlite"
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
        return status, [line.partition(": ")[2] for line in text.splitlines()]

    return run


def records_of(path):
    keeper = Keeper(path)
    try:
        return keeper.records, keeper.done(keeper.access.audit(0, 1000)), keeper.notes
    finally:
        keeper.store.close()


ACTIVE_KEYS = {f"key-{n}": key(n) for n in NUMBERS if n % 5}
ACTIVE_USERS = {f"user-{n}": user(n) for n in NUMBERS if n % 5 > 1}
ACCOUNTS = {f"account-{n}": account(n) for n in range(10) if n % 5}
PLANS = {f"plan-{n}": n + 1 for n in range(4)}
SECRETS = {secret(n).digest: f"key-{n}" for n in NUMBERS}


def assert_nothing_opens_more(records):
    accounts = {one.id: one for one in records.accounts}
    plans = {one.name: one.limits["publish_rate"] for one in records.plans}
    assert plans.items() <= PLANS.items()
    for one in records.accounts:
        if one.state == "active":
            assert one == ACCOUNTS[one.id]
    for one in (*records.keys, *records.users):
        if one.state != "active":
            continue
        assert one == (ACTIVE_KEYS[one.id] if isinstance(one, KeyRecord) else ACTIVE_USERS[one.authid])
        # An account that nobody knows is no limit at all, nor is a plan that is not there.
        account = accounts[one.account]
        assert account.state == "suspended" or account.plan in plans
    for one in records.secrets:
        assert SECRETS[one.digest] == one.key
        assert any(key.id == one.key for key in records.keys)


def flip(path, at, mask=1):
    data = bytearray(path.read_bytes())
    data[at] ^= mask
    path.write_bytes(data)


def flip_in(path, *texts):
    """Change the last letter of each text, in every copy of it in the file."""
    data = bytearray(path.read_bytes())
    for text in texts:
        at = data.index(text)
        while at >= 0:
            data[at + len(text) - 1] ^= 1
            at = data.find(text, at)
    path.write_bytes(data)


class TestASoundStore:
    def test_is_whole(self, store, run):
        status, said = run("check", store)
        assert status == 0
        assert said[-1] == (
            "0 created channels, 0 histories, 0 events, 10 accounts, 4 plans, 40 keys, 32 users, "
            "40 hours of usage, 48 acts in the audit are whole"
        )
        records, _, notes = records_of(store)
        assert notes == []
        assert_nothing_opens_more(records)

    def test_is_salvaged_as_it_is(self, store, run, tmp_path):
        new = tmp_path / "new.sqlite"
        status, said = run("salvage", store, new)
        assert status == 0
        assert records_of(new) == records_of(store)
        assert run("check", new)[1] == said[:-1]
        keeper = Keeper(new)
        rows, _ = keeper.done(keeper.access.usage(UsageQuery(by=("channel",))))
        assert {row["channel"]: row["published"] for row in rows} == {f"c.{n}": n for n in NUMBERS}
        keeper.done(keeper.access.change([], act()))
        assert keeper.done(keeper.access.audit(48, 10))[0].seq == 49
        keeper.store.close()


class TestALetter:
    """One row that was changed, in a file whose structure is sound."""

    @pytest.mark.parametrize(
        ("text", "lost"),
        [
            (b"channel.7.", "key key-7"),
            (b"user-7dj", "user radio user-7"),
            (b"account-8" + b"x" * 50, "account account-8"),
            (b'plan-1{"publish_rate":2', "plan plan-1"),
            (b"\7" * 32 + b"key-7", "1 secrets of keys"),
        ],
    )
    def test_of_a_record_is_refused_and_salvage_leaves_it_out(self, store, run, tmp_path, text, lost):
        flip_in(store, text)
        with pytest.raises(StoreError, match=r"damaged; 'python -m radiod.store check"):
            Keeper(store)
        new = tmp_path / "new.sqlite"
        status, said = run("salvage", store, new)
        assert (status, said[0]) == (1, f"lost: {lost}")
        records, audit, notes = records_of(new)
        assert (len(audit), notes) == (48, [])
        assert_nothing_opens_more(records)
        assert run("check", new)[0] == 0

    def test_of_a_key_takes_its_secrets_along(self, store, run, tmp_path):
        flip_in(store, b"channel.7.")
        run("salvage", store, tmp_path / "new.sqlite")
        records, _, _ = records_of(tmp_path / "new.sqlite")
        assert len(records.keys) == len(records.secrets) == 39
        assert sum(one.state == "active" for one in records.keys) == len(ACTIVE_KEYS) - 1

    def test_of_a_plan_suspends_who_had_it(self, store, run, tmp_path):
        flip_in(store, b'plan-1{"publish_rate":2')
        _, said = run("salvage", store, tmp_path / "new.sqlite")
        assert [line for line in said if "suspended" in line] == [
            f"lost: account account-{n}: the limits of its plan; it is suspended" for n in (1, 5, 9)
        ]

    def test_of_an_account_suspends_it(self, store, run, tmp_path):
        flip_in(store, b"account-8" + b"x" * 50)
        _, said = run("salvage", store, tmp_path / "new.sqlite")
        assert "lost: account account-8: its plan and its state, if it had any; it is suspended" in said
        records, _, _ = records_of(tmp_path / "new.sqlite")
        states = {one.id: one.state for one in records.accounts}
        assert (states["account-8"], states["account-7"]) == ("suspended", "active")

    def test_of_an_accounts_name_suspends_all_that_are_missing(self, store, run, tmp_path):
        flip_in(store, b"account-8")
        run("salvage", store, tmp_path / "new.sqlite")
        records, _, _ = records_of(tmp_path / "new.sqlite")
        assert_nothing_opens_more(records)

    def test_of_usage_is_told_by_check(self, store, run, tmp_path):
        with contextlib.closing(sqlite3.connect(store, isolation_level=None)) as connection:
            connection.execute("UPDATE usage SET published = 99 WHERE channel = 'c.30'")
        status, said = run("check", store)
        assert (status, said[0]) == (1, "lost: usage: 1 rows")
        assert run("salvage", store, tmp_path / "new.sqlite")[1][1].count("39 hours of usage") == 1

    def test_of_the_audit_is_told_and_its_place_is_kept(self, store, run, tmp_path):
        flip_in(store, b"actor-7-", b"actor-8-", b"actor-12-")
        status, said = run("check", store)
        assert (status, said[0]) == (1, "lost: audit: entries 8-9, 13")
        records, _, notes = records_of(store)
        assert_nothing_opens_more(records)
        assert len(notes) == 1
        assert "audit" in notes[0]
        new = tmp_path / "new.sqlite"
        assert run("salvage", store, new)[0] == 1
        _, audit, notes = records_of(new)
        assert notes == []
        assert [entry.seq for entry in audit] == list(range(1, 49))
        assert [entry.seq for entry in audit if entry.action == "lost"] == [8, 9, 13]
        # It is known now, and nothing new.
        assert run("check", new)[0] == 0
        keeper = Keeper(new)
        keeper.done(keeper.access.change([], act()))
        keeper.store.close()
        assert run("check", new)[0] == 0


class TestTheLog:
    def killed(self, tmp_path):
        """As after kill -9: file and log, with the same inodes."""
        path = tmp_path / "store.sqlite"
        keeper = fill(path)
        files = [Path(f"{path}{suffix}") for suffix in ("", "-wal", "-acked")]
        contents = [file.read_bytes() for file in files]
        keeper.store.close()
        for file, content in zip(files, contents, strict=True):
            file.write_bytes(content)
        return path

    def test_of_a_killed_server_is_read(self, tmp_path, run):
        path = self.killed(tmp_path)
        assert run("check", path)[0] == 0
        records, audit, notes = records_of(path)
        assert (len(audit), notes) == (48, [])
        assert {one.id: one for one in records.keys if one.state == "active"} == ACTIVE_KEYS

    @pytest.mark.parametrize("part", [0.3, 0.6, 0.8, 0.95])
    def test_that_is_damaged_gives_back_nothing_that_was_revoked(self, tmp_path, run, part):
        path = self.killed(tmp_path)
        log = Path(f"{path}-wal")
        flip(log, int(log.stat().st_size * part), 4)
        with pytest.raises(StoreError, match="its log is damaged"):
            Keeper(path)
        new = tmp_path / "new.sqlite"
        status, said = run("salvage", path, new)
        assert status == 1
        assert any("keys and users, if anything was; they are suspended" in line for line in said)
        assert any("audit: what came after entry" in line for line in said)
        records, _, _ = records_of(new)
        assert_nothing_opens_more(records)
        assert records.keys
        assert not [one for one in (*records.keys, *records.users) if one.state == "active"]

    def test_that_ends_in_doubt_is_told(self, tmp_path):
        path = self.killed(tmp_path)
        log = Path(f"{path}-wal")
        os.truncate(log, log.stat().st_size - 100)
        _, audit, notes = records_of(path)
        assert len(audit) == 47
        assert [note for note in notes if "last change of access may be missing" in note]


@pytest.mark.parametrize("page", range(1, 40))
def test_any_page_may_be_lost(store, run, tmp_path, page):
    data = bytearray(store.read_bytes())
    assert len(data) > 20 * 4096
    data[(page - 1) * 4096 : page * 4096] = bytes(4096)
    store.write_bytes(data[: len(store.read_bytes())])
    new = tmp_path / "new.sqlite"
    if run("salvage", store, new)[0] != 2:
        assert_nothing_opens_more(records_of(new)[0])


def test_random_bits_anywhere_open_nothing_more(store, sound, run, tmp_path):
    chance = random.Random(12)
    refused = kept = 0
    for number in range(60):
        store.write_bytes(sound)
        for _ in range(chance.choice([1, 1, 2, 8, 64])):
            flip(store, chance.randrange(len(sound)), 1 << chance.randrange(8))
        new = tmp_path / f"new{number}.sqlite"
        if run("salvage", store, new)[0] != 2:
            records, _, _ = records_of(new)
            assert_nothing_opens_more(records)
            kept += len(records.keys)
        try:
            assert_nothing_opens_more(records_of(store)[0])
        except StoreError:
            refused += 1
    assert 0 < refused < 60
    assert kept > 30 * 60
