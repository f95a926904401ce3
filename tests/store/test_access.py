"""Records of access in the store: the same as in memory, on disk when it was answered, and all or nothing."""

import contextlib
import hashlib
import os
import resource
import sqlite3
from queue import SimpleQueue

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from radiod.core.access.audit import START, Link, follows
from radiod.core.access.grouping import COUNTS
from radiod.core.access.memory import MemoryAccessStore
from radiod.core.access.records import (
    AccountRecord,
    Act,
    Dropped,
    KeyRecord,
    PlanRecord,
    Records,
    SecretRecord,
    UsageQuery,
    UsageRow,
    UserRecord,
)
from radiod.errors import INVALID_ARGUMENT, STORE_UNAVAILABLE, RadiodError, Refused
from radiod.store import keeping
from radiod.store.access import SqliteAccess
from radiod.store.sqlite import SqliteStore

SECONDS = 20.0
ALL = 1000

ACCOUNT = AccountRecord(id="acme", label="ACME Ltd", plan="basic", created=1.0)
PLAN = PlanRecord(name="basic", limits={"publish_rate": 1.5, "over": "thin"}, created=1)
KEY = KeyRecord(
    id="k_1",
    account="acme",
    realm="radio",
    publish=("a.*", "b"),
    listen=("ä.*",),
    origins=("https://example.com",),
    addresses=("192.0.2.0/24",),
    valid_from=1,
    signing=b"\0signing\xff",
    created=1.5,
    created_by="socket:1000",
)
SECRET = SecretRecord(digest=hashlib.sha256(b"1").digest(), key="k_1", hint="last", created=1.0, expires=5.0)
USER = UserRecord(
    realm="radio",
    authid="joe",
    role="dj",
    account="acme",
    ticket=b"\1\2",
    scram="{}",
    cryptosign="ab",
    created=1.0,
)
EMPTY = Records(accounts=[], plans=[], keys=[], secrets=[], users=[])


def act(action="key.issue", object="k_1", time=5.0, **detail):
    return Act(time=time, actor="socket:0", address="unix", action=action, object=object, detail=detail)


class Keeper:
    """The SQLite keeper, and the test as its reactor."""

    def __init__(self, path):
        self.calls = SimpleQueue()
        self.store = SqliteStore(str(path), self.calls.put)
        self.store.open()
        self.access = SqliteAccess(self.store)
        self.records = self.access.load()
        self.notes = self.store.notes
        self.store.start()

    def result(self, promise):
        outcomes = []
        promise.then(outcomes.append)
        while not outcomes:
            self.calls.get(timeout=SECONDS)()
        return outcomes[0]

    def done(self, promise):
        outcome = self.result(promise)
        assert not isinstance(outcome, RadiodError), outcome
        return outcome

    def refused(self, promise):
        outcome = self.result(promise)
        assert isinstance(outcome, Refused)
        return outcome.uri

    def change(self, *changes, **told):
        self.done(self.access.change(changes, act(**told)))

    def audit(self, after=0, limit=ALL):
        return self.done(self.access.audit(after, limit))

    def close(self):
        self.store.close()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.sqlite"


@pytest.fixture
def opened(path):
    """opened() → a keeper; the one before is closed."""
    keepers = []

    def make():
        for one in keepers:
            one.close()
        keepers.append(Keeper(path))
        return keepers[-1]

    yield make
    for one in keepers:
        one.close()


@pytest.fixture
def keeper(opened):
    return opened()


def execute(path, *statements):
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return [connection.execute(statement).fetchall() for statement in statements]


def as_floats(record):
    return msgspec.structs.replace(record, created=float(record.created))


class TestRecords:
    def test_come_back_as_they_were(self, opened):
        assert opened().records == EMPTY
        opened().change(ACCOUNT, PLAN, KEY, SECRET, USER)
        assert opened().records == Records(
            accounts=[ACCOUNT], plans=[as_floats(PLAN)], keys=[KEY], secrets=[SECRET], users=[USER]
        )

    def test_keep_the_order_of_coming(self, opened):
        keeper = opened()
        keeper.change(*(AccountRecord(id=id, created=1.0) for id in "cab"))
        keeper.change(AccountRecord(id="c", label="changed", created=1.0))
        assert [(one.id, one.label) for one in opened().records.accounts] == [
            ("c", "changed"),
            ("a", ""),
            ("b", ""),
        ]

    def test_that_were_dropped_are_gone(self, opened):
        keeper = opened()
        keeper.change(PLAN, SECRET, USER)
        keeper.change(
            Dropped("plan", ("basic",)),
            Dropped("secret", (SECRET.digest,)),
            Dropped("user", ("radio", "joe")),
        )
        assert opened().records == EMPTY

    def test_use_of_secrets(self, opened):
        keeper = opened()
        keeper.change(SECRET)
        keeper.access.used({SECRET.digest: 7200.0, b"x" * 32: 1.0})
        keeper.access.used({})
        assert opened().records.secrets == [msgspec.structs.replace(SECRET, last_used=7200.0)]

    @pytest.mark.parametrize(
        "change",
        [
            msgspec.structs.replace(SECRET, digest=b"short"),
            AccountRecord(id="x", created=float("nan")),
            AccountRecord(id=None, created=1.0),
        ],
    )
    def test_that_no_table_holds_fail_alone(self, opened, change):
        keeper = opened()
        first = keeper.access.change([ACCOUNT], act())
        wrong = keeper.access.change([PLAN, change], act(object="wrong"))
        last = keeper.access.change([KEY], act(object="last"))
        keeper.done(first)
        assert keeper.refused(wrong) == STORE_UNAVAILABLE
        keeper.done(last)
        assert [entry.object for entry in keeper.audit()] == ["k_1", "last"]
        assert opened().records == msgspec.structs.replace(EMPTY, accounts=[ACCOUNT], keys=[KEY])

    def test_that_cannot_be_written_are_refused(self, keeper):
        for change in (
            msgspec.structs.replace(ACCOUNT, label="\ud800"),
            AccountRecord(id=object(), created=1.0),
        ):
            assert keeper.refused(keeper.access.change([change], act())) == INVALID_ARGUMENT
        assert keeper.refused(keeper.access.change([], act(x="\ud800"))) == INVALID_ARGUMENT
        assert keeper.audit() == []


class TestAudit:
    def test_is_a_chain_that_goes_on_after_a_restart(self, opened):
        for number in range(3):
            opened().change(ACCOUNT, object=f"k_{number}", n=number)
        entries = opened().audit()
        assert [(entry.seq, entry.object, entry.detail) for entry in entries] == [
            (n + 1, f"k_{n}", {"n": n}) for n in range(3)
        ]
        last = START
        for row in execute_rows(opened):
            assert follows(last, row)
            last = Link(row[0], row[-1])

    def test_is_told_by_pages(self, keeper):
        for _ in range(5):
            keeper.change()
        entries = keeper.audit()
        assert keeper.audit(2, 2) == entries[2:4]
        assert keeper.audit(-(2**70), 1) == entries[:1]
        assert keeper.audit(2**70) == keeper.audit(0, -5) == keeper.audit(0, 0) == []

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE audit SET actor = 'nobody' WHERE seq = 2",
            "UPDATE audit SET seq = 9 WHERE seq = 3",
            "DELETE FROM audit WHERE seq = 2",
            "DELETE FROM audit",
            "INSERT OR REPLACE INTO audit "
            "SELECT seq, time, 'nobody', address, action, object, detail, previous, hash FROM audit",
            "REPLACE INTO audit SELECT 4, time, actor, address, action, object, detail, previous, hash "
            "FROM audit WHERE seq = 3",
            "INSERT INTO audit SELECT NULL, time, actor, address, action, object, detail, previous, hash "
            "FROM audit WHERE seq = 3",
            "INSERT INTO audit SELECT 5, time, actor, address, action, object, detail, hash, hash "
            "FROM audit WHERE seq = 3",
        ],
    )
    def test_is_not_changed_by_any_statement(self, opened, path, statement):
        keeper = opened()
        for _ in range(3):
            keeper.change()
        keeper.close()
        before = execute(path, "SELECT * FROM audit")
        with pytest.raises(sqlite3.IntegrityError, match="an entry of the audit"):
            execute(path, statement)
        assert execute(path, "SELECT * FROM audit") == before

    def test_is_bounded_and_its_chain_goes_on(self, opened, path):
        keeper = opened()
        keeper.store._database.keeping._max_audit = 10
        for number in range(25):
            keeper.change(object=str(number))
        entries = keeper.audit()
        assert 1 <= len(entries) <= 10
        assert [entry.seq for entry in entries] == list(range(26 - len(entries), 26))
        again = opened()
        assert again.notes == []
        assert again.audit() == entries
        assert again.store._database.keeping.is_chain_whole(ALL)

    def test_a_changed_entry_is_told_at_start(self, opened, path):
        keeper = opened()
        for _ in range(3):
            keeper.change()
        keeper.close()
        execute(path, "DROP TRIGGER audit_is_not_changed", "UPDATE audit SET actor = 'nobody' WHERE seq = 2")
        keeper = opened()
        assert ["audit" in note for note in keeper.notes] == [True]
        keeper.change()
        assert [entry.seq for entry in keeper.audit()] == [1, 2, 3, 4]


def execute_rows(opened):
    keeper = opened()
    keeper.close()
    return execute(keeper.store._path, "SELECT * FROM audit ORDER BY seq")[0]


def usage(hour=0, account="acme", key="k_1", channel="a", **counts):
    return UsageRow(hour=hour, account=account, key=key, channel=channel, **counts)


class TestUsage:
    def ask(self, keeper, **query):
        rows, after = keeper.done(keeper.access.usage(UsageQuery(**query)))
        return rows, after

    def test_written_twice_is_counted_once(self, opened):
        keeper = opened()
        for _ in range(2):
            keeper.done(keeper.access.count([usage(published=3, seconds=1), usage(channel="b", published=4)]))
        keeper.done(keeper.access.count([usage(published=5, seconds=2)]))
        keeper = opened()
        assert self.ask(keeper) == ([dict.fromkeys(COUNTS, 0) | {"published": 9, "seconds": 2.0}], None)

    def test_many_rows_are_written_and_summed_in_slices(self, keeper, monkeypatch):
        rows = [usage(3600 * (n // 50), channel=str(n % 50), published=1) for n in range(2500)]
        keeper.done(keeper.access.count(rows))
        monkeypatch.setattr(keeping, "SLICE_ROWS", 100)
        assert self.ask(keeper)[0][0]["published"] == 2500
        first, after = self.ask(keeper, by=("hour",), limit=30)
        rest, end = self.ask(keeper, by=("hour",), limit=30, after=after)
        assert [row["published"] for row in first + rest] == [50] * 50
        assert end is None
        keeper.access.forget_usage(3600 * 45)
        # Asked behind the first deletion; the others follow their answers.
        for _ in range(25):
            self.ask(keeper)
        assert self.ask(keeper)[0][0]["published"] == 250

    def test_questions_that_make_no_sense_are_refused(self, keeper):
        assert keeper.refused(keeper.access.usage(UsageQuery(by=("year",)))) == INVALID_ARGUMENT

    def test_nothing_is_no_row(self, keeper):
        assert self.ask(keeper) == ([], None)
        assert self.ask(keeper, by=("day",), since=0.5, until=1e9) == ([], None)


class TestAFullDisk:
    @contextlib.contextmanager
    def full(self, path):
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (os.path.getsize(f"{path}-wal") + 5000, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    def test_refuses_changes_of_which_nothing_is_done(self, opened, path):
        keeper = opened()
        keeper.change(ACCOUNT)
        large = [AccountRecord(id=f"x{n}", label="x" * 4000, created=1.0) for n in range(20)]
        with self.full(path):
            assert keeper.refused(keeper.access.change(large, act())) == STORE_UNAVAILABLE
            many = [usage(channel="x" * 4000 + str(n)) for n in range(20)]
            assert keeper.refused(keeper.access.count(many)) == STORE_UNAVAILABLE
            # What is there can still be read.
            assert len(keeper.audit()) == 1
        keeper.change(PLAN)
        entries = keeper.audit()
        assert [entry.seq for entry in entries] == [1, 2]
        assert entries[1].previous == entries[0].hash
        keeper = opened()
        assert keeper.notes == []
        assert keeper.records == msgspec.structs.replace(EMPTY, accounts=[ACCOUNT], plans=[as_floats(PLAN)])

    def test_refuses_a_backup_and_leaves_nothing_of_it(self, opened, path, tmp_path):
        keeper = opened()
        keeper.change(*[AccountRecord(id=f"x{n}", label="x" * 4000, created=1.0) for n in range(20)])
        new = tmp_path / "new.sqlite"
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
        try:
            assert keeper.refused(keeper.access.backup(str(new))) == STORE_UNAVAILABLE
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert not new.exists()


class TestBackup:
    def test_is_the_store_as_it_stands(self, opened, tmp_path):
        keeper = opened()
        keeper.change(ACCOUNT, KEY, SECRET)
        new = tmp_path / "new.sqlite"
        assert keeper.done(keeper.access.backup(str(new))) == new.stat().st_size
        assert new.stat().st_mode & 0o777 == 0o600
        assert sorted(path.name for path in tmp_path.iterdir() if "new" in path.name) == ["new.sqlite"]
        copy = Keeper(new)
        assert (copy.records, copy.audit()) == (
            msgspec.structs.replace(EMPTY, accounts=[ACCOUNT], keys=[KEY], secrets=[SECRET]),
            keeper.audit(),
        )
        copy.close()

    @pytest.mark.parametrize("name", ["store.sqlite", "none/new.sqlite", "", "new\0.sqlite", "."])
    def test_that_cannot_be_made_is_refused(self, keeper, tmp_path, name):
        before = sorted(tmp_path.iterdir())
        target = str(tmp_path / name) if name else ""
        assert keeper.refused(keeper.access.backup(target)) == INVALID_ARGUMENT
        assert sorted(tmp_path.iterdir()) == before

    def test_goes_on_while_others_write(self, opened, tmp_path):
        keeper = opened()
        for _ in range(20):
            keeper.change(
                *[AccountRecord(id=os.urandom(8).hex(), label="x" * 4000, created=1.0) for _ in range(100)]
            )
        backup = keeper.access.backup(str(tmp_path / "new.sqlite"))
        size, number, during = [], 0, 0
        backup.then(size.append)
        while not size:
            keeper.change(AccountRecord(id=f"meanwhile{number}", created=1.0), object="meanwhile")
            during += not size
            number += 1
        # 8 MB are several pieces; each lets what waits go first.
        assert during >= 2
        copy = Keeper(tmp_path / "new.sqlite")
        assert copy.notes == []
        kept = {one.id for one in copy.records.accounts}
        assert {f"meanwhile{n}" for n in range(during)} <= kept
        assert copy.store._database.keeping.is_chain_whole(ALL)
        copy.close()

    def test_that_is_not_finished_at_the_end_is_removed(self, opened, tmp_path):
        keeper = opened()
        for _ in range(20):
            keeper.change(
                *[AccountRecord(id=os.urandom(8).hex(), label="x" * 4000, created=1.0) for _ in range(100)]
            )
        outcomes = []
        keeper.access.backup(str(tmp_path / "new.sqlite")).then(outcomes.append)
        keeper.close()
        (outcome,) = outcomes
        assert isinstance(outcome, Refused) != (tmp_path / "new.sqlite").exists()
        assert keeper.refused(keeper.access.backup(str(tmp_path / "other.sqlite"))) == STORE_UNAVAILABLE


def test_too_many_questions_are_refused(opened):
    keeper = opened()
    promises = [keeper.access.audit(0, 1) for _ in range(150)]
    assert keeper.refused(promises[-1]) == STORE_UNAVAILABLE
    assert keeper.done(promises[0]) == []


IDS = st.sampled_from(["a", "b", "ä"])
TIMES = st.integers(0, 40).map(lambda quarters: quarters / 4)
PATTERNS = st.lists(st.sampled_from(["a.*", "b", "*"]), max_size=2).map(tuple)
STATES = st.sampled_from(["active", "suspended"])
DIGESTS = IDS.map(lambda id: hashlib.sha256(id.encode()).digest())
BYTES = st.none() | st.binary(max_size=3)
CHANGES = st.one_of(
    st.builds(
        AccountRecord, id=IDS, label=st.text(max_size=3), plan=st.none() | IDS, state=STATES, created=TIMES
    ),
    st.builds(PlanRecord, name=IDS, limits=st.dictionaries(IDS, st.integers(0, 5)), created=TIMES),
    st.builds(
        KeyRecord, id=IDS, account=IDS, realm=IDS, publish=PATTERNS, listen=PATTERNS, state=STATES,
        valid_until=st.none() | TIMES, signing=BYTES, created=TIMES, created_by=IDS,
    ),
    st.builds(SecretRecord, digest=DIGESTS, key=IDS, hint=IDS, created=TIMES, expires=st.none() | TIMES),
    st.builds(
        UserRecord, realm=IDS, authid=IDS, role=IDS, account=IDS, ticket=BYTES, state=STATES, created=TIMES
    ),
    st.builds(Dropped, of=st.just("plan"), key=st.tuples(IDS)),
    st.builds(Dropped, of=st.just("secret"), key=st.tuples(DIGESTS)),
    st.builds(Dropped, of=st.just("user"), key=st.tuples(IDS, IDS)),
)  # fmt: skip
DETAILS = st.dictionaries(IDS, st.integers() | st.text(max_size=3) | PATTERNS, max_size=2)
ACTS = st.builds(
    Act, time=TIMES, actor=IDS, address=IDS, action=IDS, object=st.text(max_size=3), detail=DETAILS
)
MONTHS = st.integers(0, 70).map(lambda number: 1_790_000_000 // 3600 * 3600 + number * 3600 * 31)
ROWS = st.builds(
    UsageRow, hour=MONTHS, account=IDS, key=IDS, channel=IDS,
    published=st.integers(0, 2**40), delivered=st.integers(0, 9), seconds=TIMES,
)  # fmt: skip
BY = st.permutations(["hour", "day", "month", "account", "key", "channel"])


class TheSameInMemoryAndOnDisk(RuleBasedStateMachine):
    """Whatever is asked for, both keepers answer alike; also when the file was closed and opened between."""

    @initialize()
    def begin(self):
        # A file of the memory: nothing here is about the disk.
        self.path = os.path.join("/dev/shm", f"radiod-{os.getpid()}-{os.urandom(6).hex()}.sqlite")
        self.keeper = Keeper(self.path)
        self.memory = MemoryAccessStore()

    def same(self, ask):
        expected = []
        ask(self.memory).then(expected.append)
        got = self.keeper.result(ask(self.keeper.access))
        if isinstance(got, RadiodError):
            got, expected = (got.uri, got.text), [(expected[0].uri, expected[0].text)]
        assert [got] == expected
        return got

    @rule(changes=st.lists(CHANGES, max_size=4), act=ACTS)
    def change(self, changes, act):
        self.same(lambda store: store.change(changes, act))

    @rule(changes=st.lists(CHANGES, max_size=2), act=ACTS)
    def cannot_change(self, changes, act):
        wrong = msgspec.structs.replace(act, detail={"x": "\ud800"})
        assert self.same(lambda store: store.change(changes, wrong))[0] == INVALID_ARGUMENT

    @rule(ids=st.sets(IDS), when=TIMES)
    def use(self, ids, when):
        for store in (self.memory, self.keeper.access):
            store.used({hashlib.sha256(id.encode()).digest(): when for id in ids})

    @rule(rows=st.lists(ROWS, max_size=8))
    def count(self, rows):
        self.same(lambda store: store.count(rows))

    @rule(before=MONTHS)
    def forget(self, before):
        for store in (self.memory, self.keeper.access):
            store.forget_usage(before)

    @rule(by=BY, columns=st.integers(0, 6), limit=st.integers(0, 4),
          account=st.none() | IDS, key=st.none() | IDS, channel=st.none() | IDS,
          since=st.none() | MONTHS.map(lambda hour: hour + 0.5), until=st.none() | MONTHS)  # fmt: skip
    def ask_usage(self, by, columns, limit, **query):
        after = None
        while True:
            asked = UsageQuery(by=tuple(by[:columns]), limit=limit, after=after, **query)
            answer = self.same(lambda store, asked=asked: store.usage(asked))
            after = answer[1] if limit else None
            if after is None:
                return

    @rule(after=st.integers(-2, 30), limit=st.integers(-2, 30))
    def ask_audit(self, after, limit):
        self.same(lambda store: store.audit(after, limit))

    @rule()
    def open_again(self):
        self.keeper.close()
        self.keeper = Keeper(self.path)
        assert self.keeper.notes == []
        assert self.keeper.records == self.memory.load()

    def teardown(self):
        if hasattr(self, "keeper"):
            self.open_again()
            self.keeper.close()
            os.unlink(self.path)


TheSameInMemoryAndOnDisk.TestCase.settings = settings(suppress_health_check=[HealthCheck.too_slow])
TestTheSameInMemoryAndOnDisk = TheSameInMemoryAndOnDisk.TestCase
