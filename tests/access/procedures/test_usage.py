"""``radiod.admin.usage``: what may be asked, and what is answered."""

import pytest
from support.answers import assert_refused
from support.usage import OwnUsage

from radiod.access.procedures.usage import UsageProcedures
from radiod.core.access.memory import MemoryAccessStore
from radiod.core.access.port import UsagePage
from radiod.core.access.records import UsageRow
from radiod.core.arguments import bind
from radiod.core.promises import Promise
from radiod.core.sessions.session import Session
from radiod.errors import INVALID_ARGUMENT
from radiod.testing import make_principal

HOUR = 3600
NOVEMBER = 1_793_491_200
"""2026-11-01T00:00:00Z."""

ADMIN = Session(1, make_principal("admin"), None)


@pytest.fixture
def store():
    store = MemoryAccessStore()
    store.count(
        [
            UsageRow(hour=NOVEMBER - HOUR, account="acme", key="k_1", channel="a", published=1),
            UsageRow(hour=NOVEMBER, account="acme", key="k_1", channel="a", published=2, seconds=1.5),
            UsageRow(hour=NOVEMBER + HOUR, account="acme", key="k_2", channel="b", delivered=4, bytes_out=40),
            UsageRow(hour=NOVEMBER, account="other", key="k_3", channel="a", published=8),
        ]
    )
    return store


def usage(store, *args, **kwargs):
    """What a call answers."""
    signature, handler = UsageProcedures(OwnUsage(store)).procedures["radiod.admin.usage"]
    answer = handler(ADMIN, **bind(signature, list(args), kwargs))
    outcomes = []
    answer.then(outcomes.append)
    (outcome,) = outcomes
    return outcome


def test_sums_by_what_is_named(store):
    answer = usage(store, by=["account"], since=NOVEMBER)
    assert [(row["account"], row["published"], row["delivered"]) for row in answer["rows"]] == [
        ("acme", 2, 4),
        ("other", 8, 0),
    ]
    assert answer["next"] is None
    counts = "published delivered dropped refused calls bytes_in bytes_out seconds"
    assert set(answer["rows"][0]) == {"account", *counts.split()}


def test_without_names_it_tells_every_row(store):
    rows = usage(store, "acme")["rows"]
    assert [(row["hour"] - NOVEMBER, row["key"], row["channel"]) for row in rows] == [
        (-HOUR, "k_1", "a"),
        (0, "k_1", "a"),
        (HOUR, "k_2", "b"),
    ]


def test_dates_may_be_texts_and_periods_are_of_utc(store):
    (row,) = usage(
        store, by=["month"], since="2026-11-01T00:00:00Z", until="2026-12-01T00:00:00Z", account="acme"
    )["rows"]
    assert (row["month"], row["published"]) == (NOVEMBER, 2)
    assert [row["published"] for row in usage(store, by=["month"], account="acme")["rows"]] == [1, 2]


def test_goes_on_where_a_page_ended(store):
    first = usage(store, by=["account", "key"], limit=2)
    second = usage(store, by=["account", "key"], limit=2, after=first["next"])
    assert [row["key"] for row in first["rows"] + second["rows"]] == ["k_1", "k_2", "k_3"]
    assert second["next"] is None


def test_nodes_whose_usage_is_missing_are_named():
    class Several:
        def usage(self, query):
            page = Promise()
            page.settle(UsagePage([], None, ("b",)))
            return page

    signature, handler = UsageProcedures(Several()).procedures["radiod.admin.usage"]
    outcomes = []
    handler(ADMIN, **bind(signature, [], {})).then(outcomes.append)
    assert outcomes == [{"rows": [], "next": None, "unanswered": ["b"]}]


@pytest.mark.parametrize(
    "asked",
    [
        {"account": 1},
        {"key": []},
        {"channel": {}},
        {"since": "yesterday"},
        {"until": float("nan")},
        {"by": "account"},
        {"by": [1]},
        {"limit": 0},
        {"limit": 1001},
        {"after": 7},
    ],
)
def test_nothing_else_may_be_asked(store, asked):
    assert_refused(INVALID_ARGUMENT, usage, store, **asked)


@pytest.mark.parametrize("asked", [{"by": ["week"]}, {"by": ["key", "key"]}, {"after": "nowhere"}])
def test_what_the_store_does_not_know_is_refused_as_well(store, asked):
    assert usage(store, **asked).uri == INVALID_ARGUMENT
