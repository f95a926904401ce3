"""Accounts at run time: set up, suspended with all that is theirs, and after a restart."""

import pytest
from support.books import Books

from radiod.core.access.records import AccountRecord
from radiod.errors import INVALID_ARGUMENT, NO_SUCH_ACCOUNT, NO_SUCH_PLAN, QUOTA, STORE_UNAVAILABLE, Refused


@pytest.fixture
def books():
    return Books()


def test_an_account_is_set_up(books):
    told = books.ask("account.set", "acme", label="ACME Ltd")
    assert told == {
        "id": "acme",
        "label": "ACME Ltd",
        "plan": None,
        "state": "active",
        "reason": "",
        "created": books.clock.time(),
        "connections": 0,
    }
    assert books.ask("account.get", "acme") == told
    (act,) = books.keeper.acts
    assert (act.action, act.object, act.detail) == (
        "account.set",
        "acme",
        {"plan": None, "label": "ACME Ltd"},
    )


def test_setting_it_again_keeps_when_and_whether(books):
    first = books.ask("account.set", "acme", label="ACME Ltd")
    books.ask("account.suspend", "acme", "late")
    books.clock.advance(10)
    again = books.ask("account.set", "acme", label="ACME Inc")
    assert again == {**first, "label": "ACME Inc", "state": "suspended", "reason": "late"}


def test_a_plan_must_be_there(books):
    def check(plan):
        if plan != "basic":
            raise Refused(NO_SUCH_PLAN, f"no plan {plan}")

    told = []
    books.accounts.check_plan = check
    books.accounts.on_change = lambda account, record: told.append((account, record.plan))
    assert books.ask("account.set", "acme", "best") == NO_SUCH_PLAN
    assert books.ask("account.set", "acme", "basic")["plan"] == "basic"
    assert told == [(books.table.of("acme"), "basic")]


def test_a_suspended_account_lets_nobody_in(books):
    books.ask("account.set", "acme")
    one, two = books.issue(account="acme"), books.issue(account="acme")
    sessions = [books.join(one), books.join(two), books.join(one)]
    other = books.join(books.issue())
    assert books.ask("account.suspend", "acme", "late") == {"id": "acme", "state": "suspended", "ended": 3}
    assert not any(session.session.is_open for session in sessions)
    assert other.session.is_open
    assert books.ring.get(one["key"]).holder.why_refused == "suspended"
    assert books.ask("account.resume", "acme")["state"] == "active"
    assert books.ring.get(one["key"]).holder.why_refused == ""


def test_a_revoked_key_stays_so_on_an_account_that_is_let_in_again(books):
    books.ask("account.set", "acme")
    issued = books.issue(account="acme")
    books.ask("account.suspend", "acme")
    books.ask("key.revoke", issued["id"])
    books.ask("account.resume", "acme")
    assert books.ring.get(issued["key"]).holder.why_refused == "revoked"


def test_suspending_acts_before_it_is_written(books):
    books.ask("account.set", "acme")
    client = books.join(books.issue(account="acme"))
    books.keeper.is_held = True
    boss = books.begin("account.suspend", "acme")
    assert (client.session.is_open, boss.received()) == (False, [])
    books.keeper.write()
    assert len(boss.received()) == 1


def test_setting_up_acts_when_it_is_written(books):
    books.keeper.is_held = True
    first, second = books.begin("account.set", "acme"), books.begin("account.set", "acme", label="second")
    assert books.ask("account.get", "acme") == NO_SUCH_ACCOUNT
    books.keeper.write()
    books.keeper.write()
    assert first.received()[0][3][0]["label"] == ""
    assert second.received()[0][3][0]["label"] == "second"
    assert [each.label for each in books.keeper.load().accounts] == ["second"]


def test_what_cannot_be_written_is_not_there(books):
    books.keeper.is_broken = True
    assert books.ask("account.set", "acme") == STORE_UNAVAILABLE
    assert books.ask("account.get", "acme") == NO_SUCH_ACCOUNT


@pytest.mark.parametrize("procedure", ["get", "suspend", "resume"])
def test_an_account_that_is_not_there_is_not_there(books, procedure):
    assert books.ask(f"account.{procedure}", "acme") == NO_SUCH_ACCOUNT


def test_those_of_the_configuration_are_not_changed(books):
    books.accounts.fix(AccountRecord(id="fixed", label="ours", plan="basic", created=5.0))
    assert books.ask("account.get", "fixed")["label"] == "ours"
    for act in ("set", "suspend", "resume"):
        assert books.ask(f"account.{act}", "fixed") == INVALID_ARGUMENT
    again = Books(books.keeper)
    again.accounts.fix(AccountRecord(id="fixed", label="ours", created=5.0))
    again.accounts.load([AccountRecord(id="fixed", label="theirs", state="suspended", created=6.0)])
    assert again.ask("account.get", "fixed")["label"] == "ours"
    assert again.table.of("fixed").refused == ""


def test_there_is_a_bound():
    books = Books(most=2)
    for id in ("a", "b"):
        books.ask("account.set", id)
    assert books.ask("account.set", "c") == QUOTA
    assert books.issue() == QUOTA
    assert books.ask("account.set", "a", label="again")["label"] == "again"


def test_what_restricts_knows_no_bound():
    """An account that came with a key, or with nobody in particular, has no record of its own yet."""
    books = Books(most=1)
    books.ask("account.set", "a")
    assert books.ask("account.suspend", "anonymous")["state"] == "suspended"
    assert books.table.of("anonymous").refused == "suspended"
    assert books.restarted().table.of("anonymous").refused == "suspended"


def test_they_are_listed_by_id_in_pages(books):
    for id in ("c", "a", "b"):
        books.ask("account.set", id)
    books.ask("account.suspend", "b")
    first = books.ask("account.list", limit=2)
    assert ([each["id"] for each in first["accounts"]], first["next"]) == (["a", "anonymous"], "anonymous")
    rest = books.ask("account.list", after=first["next"])
    assert ([each["id"] for each in rest["accounts"]], rest["next"]) == (["b", "c"], None)
    assert [each["id"] for each in books.ask("account.list", state="suspended")["accounts"]] == ["b"]


def test_they_are_as_they_were_after_a_restart(books):
    books.ask("account.set", "acme", label="ACME Ltd")
    issued = books.issue(account="acme")
    books.ask("account.suspend", "acme", "late")
    again = books.restarted()
    assert again.ask("account.get", "acme") == books.ask("account.get", "acme")
    assert again.ring.get(issued["key"]).holder.why_refused == "suspended"
