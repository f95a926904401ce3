"""The book of plans: what is set acts at once on all accounts, is kept, and is told to the audit."""

import pytest

from radiod.access.by import By
from radiod.access.changes import Desk
from radiod.access.plans import MAX_PLANS, PlanBook
from radiod.core.access.memory import MemoryAccessStore
from radiod.core.access.records import PlanRecord
from radiod.core.holders import Account
from radiod.core.plans import NOTHING, Plan
from radiod.core.promises import Promise
from radiod.errors import INVALID_ARGUMENT, NO_SUCH_PLAN, QUOTA, STORE_UNAVAILABLE, OverLimit, Refused
from radiod.testing import FakeClock

SELLER = By("seller", "socket")


class SlowStore(MemoryAccessStore):
    """One whose changes are written when the test says so."""

    def __init__(self):
        super().__init__()
        self.pending = []

    def change(self, changes, act):
        later = Promise()
        self.pending.append((later, changes, act))
        return later

    def write(self, error=None):
        later, changes, act = self.pending.pop(0)
        if error is None:
            super().change(changes, act)
        later.settle(error)


@pytest.fixture
def store():
    return MemoryAccessStore()


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def book(store, clock):
    return PlanBook({"house": Plan(connections=1)}, Desk(store), clock)


def outcome(promise):
    """What a promise came to; what is refused is raised."""
    settled = []
    promise.then(settled.append)
    (value,) = settled
    if isinstance(value, Exception):
        raise value
    return value


def refused(act, *args):
    with pytest.raises(Refused) as caught:
        outcome(act(*args))
    return caught.value.uri


def accepted(account):
    count = 0
    while count < 50:
        try:
            account.allowances.publish.take()
        except OverLimit:
            break
        count += 1
    return count


class TestSetting:
    def test_makes_a_plan_and_tells_it(self, book, clock):
        told = outcome(book.set(SELLER, "basic", {"publish_rate": 10, "connections": 5, "channels": None}))
        assert told == {
            "name": "basic",
            "limits": {"publish_rate": 10, "connections": 5},
            "created": clock.time(),
            "configured": False,
            "accounts": 0,
        }
        assert [plan["name"] for plan in book.list()["plans"]] == ["basic", "house"]
        assert book.list()["plans"][1]["configured"] is True

    def test_is_kept_and_told_to_the_audit(self, book, store, clock):
        outcome(book.set(SELLER, "basic", {"publish_rate": 10}))
        clock.advance(5)
        outcome(book.set(SELLER, "basic", {"connections": 3}))
        (record,) = store.load().plans
        assert record == PlanRecord(name="basic", limits={"connections": 3}, created=clock.time() - 5)
        acts = outcome(store.audit(0, 10))
        assert [(act.actor, act.action, act.object, act.detail) for act in acts] == [
            ("seller", "plan.set", "basic", {"publish_rate": 10}),
            ("seller", "plan.set", "basic", {"connections": 3}),
        ]
        other = PlanBook({}, Desk(store), clock)
        assert other.load(store.load().plans) == []
        assert other.describe("basic")["limits"] == {"connections": 3}

    def test_acts_at_once_on_its_accounts_and_resets_nothing(self, book):
        outcome(book.set(SELLER, "basic", {"publish_day": 3}))
        accounts = [Account(id) for id in ("a", "b")]
        for account in accounts:
            book.assign(account, "basic")
        assert [accepted(account) for account in accounts] == [3, 3]
        outcome(book.set(SELLER, "basic", {"publish_day": 5}))
        assert [accepted(account) for account in accounts] == [2, 2]
        assert book.describe("basic")["accounts"] == 2

    def test_is_in_force_when_it_is_written(self, clock):
        store = SlowStore()
        book, account = PlanBook({}, Desk(store), clock), Account("a")
        first = book.set(SELLER, "basic", {"publish_day": 1})
        with pytest.raises(Refused):
            book.check("basic")
        store.write()
        assert outcome(first)["limits"] == {"publish_day": 1}
        book.assign(account, "basic")
        second = book.set(SELLER, "basic", {"publish_day": 9})
        assert accepted(account) == 1
        store.write(Refused(STORE_UNAVAILABLE, "the disk is full"))
        assert refused(lambda: second) == STORE_UNAVAILABLE
        assert accepted(account) == 0
        assert book.describe("basic")["limits"] == {"publish_day": 1}

    @pytest.mark.parametrize("name", ["", "a b", "é", "-a", "x" * 65, "a/b"])
    def test_needs_a_name_that_can_be_written_anywhere(self, book, name):
        assert refused(book.set, SELLER, name, {}) == INVALID_ARGUMENT

    @pytest.mark.parametrize(
        "limits",
        [
            {"publish_rate": 0},
            {"publish_rate": "10"},
            {"publish_rate": True},
            {"publish_burst": 5},
            {"connections": 1.5},
            {"over": "no"},
            {"price": {"base": -1}},
            {"price": []},
            {"history_seconds": float("inf")},
        ],
    )
    def test_needs_limits_that_make_sense(self, book, store, limits):
        assert refused(book.set, SELLER, "basic", limits) == INVALID_ARGUMENT
        assert store.load().plans == []

    def test_whole_floats_are_integers(self, book):
        assert outcome(book.set(SELLER, "basic", {"connections": 5.0}))["limits"] == {"connections": 5}

    def test_leaves_what_is_configured(self, book):
        assert refused(book.set, SELLER, "house", {}) == INVALID_ARGUMENT
        assert refused(book.delete, SELLER, "house") == INVALID_ARGUMENT

    def test_has_a_bound(self, book, clock):
        book.load(PlanRecord(name=f"p{n}", limits={}, created=0.0) for n in range(MAX_PLANS))
        assert refused(book.set, SELLER, "one-more", {}) == QUOTA
        assert outcome(book.set(SELLER, "p7", {"connections": 1}))["limits"] == {"connections": 1}


class TestDeleting:
    def test_takes_what_nobody_has(self, book, store):
        outcome(book.set(SELLER, "basic", {}))
        assert outcome(book.delete(SELLER, "basic")) == {"name": "basic"}
        assert store.load().plans == []
        assert refused(book.delete, SELLER, "basic") == NO_SUCH_PLAN
        assert outcome(store.audit(0, 10))[-1].action == "plan.delete"

    def test_is_refused_where_an_account_has_it(self, book):
        account = Account("acme")
        outcome(book.set(SELLER, "basic", {}))
        book.assign(account, "basic")
        with pytest.raises(Refused, match=r"1 accounts have plan basic \(acme\)"):
            book.delete(SELLER, "basic")
        book.assign(account, None)
        assert outcome(book.delete(SELLER, "basic")) == {"name": "basic"}

    def test_nobody_can_have_what_is_about_to_go(self, clock):
        store = SlowStore()
        book = PlanBook({}, Desk(store), clock)
        book.load([PlanRecord(name="basic", limits={}, created=0.0)])
        deleting = book.delete(SELLER, "basic")
        with pytest.raises(Refused):
            book.check("basic")
        assert refused(book.set, SELLER, "basic", {}) == NO_SUCH_PLAN
        assert refused(book.delete, SELLER, "basic") == NO_SUCH_PLAN
        store.write(Refused(STORE_UNAVAILABLE, "the disk is full"))
        assert refused(lambda: deleting) == STORE_UNAVAILABLE
        book.check("basic")


class TestAccounts:
    def test_without_a_plan_nothing_is_counted(self, book):
        account = Account("a")
        book.assign(account, None)
        assert account.allowances is None

    def test_one_that_had_a_plan_goes_on_counting(self, book):
        account = Account("a")
        outcome(book.set(SELLER, "basic", {"publish_day": 3}))
        book.assign(account, "basic")
        assert accepted(account) == 3
        book.assign(account, None)
        assert accepted(account) == 50
        book.assign(account, "basic")
        assert accepted(account) == 0
        assert account.allowances.publish_day.used == 53

    def test_what_was_used_before_comes_from_the_ledger(self, book):
        asked, later = [], Promise()

        def used_before(account):
            asked.append(account.id)
            return later

        book.recall(used_before)
        outcome(book.set(SELLER, "basic", {"publish_day": 10, "deliver_month": 100}))
        account = Account("a")
        book.assign(account, "basic")
        assert accepted(account) == 10
        later.settle(((2, 0, 0), (30, 100, 7)))
        assert (asked, account.allowances.publish_day.used) == (["a"], 12)
        assert account.allowances.used_up.name == "deliver_month"
        book.assign(account, None)
        book.assign(account, "basic")
        assert asked == ["a"]

    def test_what_was_used_before_the_start_is_asked_for_when_the_ledger_is_there(self, book):
        outcome(book.set(SELLER, "basic", {"publish_day": 10}))
        accounts = [Account("a"), Account("b"), Account("without")]
        for account in accounts[:2]:
            book.assign(account, "basic")
        book.assign(accounts[2], None)
        asked, later = [], {}

        def used_before(account):
            asked.append(account.id)
            return later.setdefault(account.id, Promise())

        book.recall(used_before)
        assert asked == ["a", "b"]
        later["a"].settle(((8, 0, 0), (8, 0, 0)))
        assert [accepted(account) for account in accounts[:2]] == [2, 10]

    def test_a_ledger_that_cannot_be_read_leaves_it_unlimited_so_far(self, book):
        later = Promise()
        book.recall(lambda account: later)
        outcome(book.set(SELLER, "basic", {"publish_day": 1}))
        account = Account("a")
        book.assign(account, "basic")
        later.settle(Refused(STORE_UNAVAILABLE, "no"))
        assert accepted(account) == 1


class TestLoading:
    def test_the_configurations_plan_comes_before_the_stores(self, book):
        notes = book.load([PlanRecord(name="house", limits={}, created=0.0)])
        assert notes == ["plan house of the store is the configuration's now"]
        assert book.describe("house")["limits"] == {"connections": 1}

    def test_a_plan_that_makes_no_sense_allows_nothing_until_it_is_set(self, book):
        (note,) = book.load([PlanRecord(name="basic", limits={"publish_minute": 1}, created=0.0)])
        assert "publish_minute" in note
        account = Account("a")
        book.assign(account, "basic")
        assert account.allowances.plan is NOTHING
        outcome(book.set(SELLER, "basic", {"publish_day": 2}))
        assert accepted(account) == 2

    def test_an_account_whose_plan_is_gone_has_nothing_until_it_is_set(self, book):
        account = Account("acme")
        book.assign(account, "gone")
        (note,) = book.missing()
        assert "no plan gone" in note
        assert "acme" in note
        assert accepted(account) == 0
        with pytest.raises(OverLimit):
            account.allowances.check_connection(0)
        outcome(book.set(SELLER, "gone", {"publish_day": 2}))
        assert (book.missing(), accepted(account)) == ([], 2)
