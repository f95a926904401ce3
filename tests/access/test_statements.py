"""Statements ask the store as little as they can: it answers everybody, one question after the other."""

from types import SimpleNamespace

import pytest

from radiod.access.statements import MAX_QUESTIONS, Statements
from radiod.core.access.port import UsagePage
from radiod.core.holders import Account, Holder
from radiod.core.promises import Promise
from radiod.errors import RATE_LIMITED, STORE_UNAVAILABLE, Refused
from radiod.testing import FakeClock

ROW = {"day": 1_795_737_600, "key": "k_1", "channel": "a", "published": 2}


class Source:
    """A ledger that answers when it is told to."""

    def __init__(self):
        self.asked = []

    def usage(self, query):
        answer = Promise()
        self.asked.append((query, answer))
        return answer


@pytest.fixture
def source():
    return Source()


@pytest.fixture
def ask(source):
    statements = Statements(None, None, None, source, FakeClock())

    def ask(account="acme", month="2026-11"):
        """What comes of a question, as soon as it is known."""
        heard = []
        key = SimpleNamespace(id="k_1", holder=Holder("k_1", Account(account)))
        statements.usage(key, month).then(heard.append)
        return heard

    return ask


def test_who_asks_the_same_meanwhile_gets_the_same_answer(source, ask):
    both = ask(), ask()
    assert len(source.asked) == 1
    source.asked[0][1].settle(UsagePage([ROW], None))
    assert both == ([[{**ROW, "day": "2026-11-27"}]],) * 2
    ask()
    assert len(source.asked) == 2


def test_accounts_share_nothing(source, ask):
    ask("acme"), ask("other")
    assert [query.account for query, _ in source.asked] == ["acme", "other"]


def test_one_account_cannot_keep_the_store_busy(source, ask):
    months = [f"2026-{number:02}" for number in range(1, MAX_QUESTIONS + 2)]
    for month in months[:-1]:
        ask(month=month)
    with pytest.raises(Refused) as refused:
        ask(month=months[-1])
    assert refused.value.uri == RATE_LIMITED
    ask("other", months[-1])
    source.asked[0][1].settle(UsagePage([], None))
    assert ask(month=months[-1]) == []


def test_a_store_that_fails_is_told_to_all_and_forgotten(source, ask):
    both = ask(), ask()
    failure = Refused(STORE_UNAVAILABLE, "the store cannot be read now")
    source.asked[0][1].settle(failure)
    assert both == ([failure], [failure])
    ask()
    assert len(source.asked) == 2
