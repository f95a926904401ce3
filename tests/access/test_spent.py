"""What accounts have used, for many who ask at once: few questions, and every answer its own."""

from datetime import UTC, datetime
from queue import SimpleQueue

import pytest

from radiod.access.spent import Spent
from radiod.core.access.memory import MemoryAccessStore
from radiod.core.access.records import UsageRow
from radiod.core.promises import Promise
from radiod.errors import UNAVAILABLE, Refused
from radiod.store.access import SqliteAccess
from radiod.store.sqlite import SqliteStore
from radiod.testing import FakeClock

NOW = int(datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp())
TODAY = NOW - 3600
THIS_MONTH = NOW - 10 * 86_400
BEFORE = NOW - 40 * 86_400
ACCOUNTS = [f"account{number}" for number in range(300)]


def rows():
    """Each account has used its number today, ten times that this month, and more before."""
    for number, account in enumerate(ACCOUNTS):
        for hour, count in ((TODAY, number), (THIS_MONTH, 9 * number), (BEFORE, 10**6)):
            for key in ("a", "b"):
                yield UsageRow(
                    hour=hour, account=account, key=key, channel="c", published=count, bytes_out=2 * count
                )


def used_by(account):
    number = ACCOUNTS.index(account)
    return (2 * number, 0, 4 * number), (20 * number, 0, 40 * number)


class Counting:
    """A store that counts what it is asked, and answers when it is told to."""

    def __init__(self):
        self.kept = MemoryAccessStore()
        self.kept.count(list(rows()))
        self.questions = []

    def usage(self, query):
        promise = Promise()
        self.questions.append((query, promise))
        return promise

    def answer(self, refusal=None):
        (query, promise), *self.questions = self.questions
        if refusal is None:
            self.kept.usage(query).then(promise.settle)
        else:
            promise.settle(refusal)


def flushed():
    promise = Promise()
    promise.settle(None)
    return promise


@pytest.fixture
def store():
    return Counting()


@pytest.fixture
def spent(store):
    return Spent(store, FakeClock(epoch=NOW), flushed)


def asked(spent, *accounts):
    answers = {}
    for account in accounts:
        spent.used(account).then(lambda outcome, account=account: answers.setdefault(account, outcome))
    return answers


def test_the_first_is_asked_for_alone_and_all_others_together(spent, store):
    answers = asked(spent, *ACCOUNTS)
    assert [query.account for query, _ in store.questions] == ["account0"]
    for _ in range(4):
        assert len(store.questions) == 1
        store.answer()
    assert store.questions == []
    assert answers == {account: used_by(account) for account in ACCOUNTS}


def test_pages_are_put_together(spent, store, monkeypatch):
    monkeypatch.setattr("radiod.access.spent.MAX_GROUPS", 100)
    answers = asked(spent, *ACCOUNTS)
    while store.questions:
        store.answer()
    assert answers == {account: used_by(account) for account in ACCOUNTS}


def test_who_has_used_nothing_is_told_so(spent, store):
    answers = asked(spent, "nobody", "account1", "nobody else", "account1")
    while store.questions:
        store.answer()
    nothing = ((0, 0, 0), (0, 0, 0))
    assert answers == {"nobody": nothing, "account1": used_by("account1"), "nobody else": nothing}


def test_a_refusal_is_for_those_who_asked(spent, store):
    answers = asked(spent, "account1", "account2", "account3")
    store.answer()
    refusal = Refused(UNAVAILABLE, "the disk is full")
    store.answer(refusal)
    assert answers == {"account1": refusal}
    store.answer(refusal)
    assert answers == dict.fromkeys(["account1", "account2", "account3"], refusal)
    again = asked(spent, "account2")
    while store.questions:
        store.answer()
    assert again == {"account2": used_by("account2")}


def test_who_waits_for_all_is_told_behind_the_last(spent, store):
    told = []
    spent.when_idle(lambda: told.append("at once"))
    assert told == ["at once"]
    answers = asked(spent, "account1", "account2")
    spent.when_idle(lambda: told.append(sorted(answers)))
    while store.questions:
        assert told == ["at once"]
        store.answer()
    assert told == ["at once", ["account1", "account2"]]


def test_a_real_store_answers_more_than_it_takes_questions(tmp_path):
    calls = SimpleQueue()
    store = SqliteStore(str(tmp_path / "store.sqlite"), calls.put)
    store.open()
    access = SqliteAccess(store)
    store.start()
    written = []
    access.count(list(rows())).then(written.append)
    answers = asked(Spent(access, FakeClock(epoch=NOW), flushed), *ACCOUNTS)
    while len(answers) < len(ACCOUNTS):
        calls.get(timeout=20)()
    store.close()
    assert written == [None]
    assert answers == {account: used_by(account) for account in ACCOUNTS}
