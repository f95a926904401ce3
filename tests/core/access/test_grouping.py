"""Questions about usage: groups, sums and pages, against sums made by hand."""

from datetime import UTC, datetime
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.core.access.grouping import COUNTS, MAX_GROUPS, Grouping
from radiod.core.access.records import UsageQuery, UsageRow
from radiod.core.quotas import DAY, month_of
from radiod.errors import INVALID_ARGUMENT, Refused

HOUR = 3600
NOVEMBER = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp())
DECEMBER = NOVEMBER + 30 * DAY


def row(hour, account="acme", key="k_1", channel="a.b", **counts):
    return UsageRow(hour=hour, account=account, key=key, channel=channel, **counts)


ROWS = [
    row(NOVEMBER, published=1, seconds=0.5),
    row(NOVEMBER, channel="a.c", published=2),
    row(NOVEMBER + HOUR, published=4),
    row(NOVEMBER + 5 * DAY, key="k_2", published=8),
    row(DECEMBER - HOUR, "other", "k_3", published=16),
    row(DECEMBER, "other", "k_3", published=32, seconds=0.25),
]


def ask(rows, **query):
    grouping = Grouping(UsageQuery(**query))
    for each in rows:
        if grouping.takes(each):
            grouping.add(grouping.group_of(each), [getattr(each, name) for name in COUNTS])
    return grouping.page()


def published(*by, **query):
    rows, _ = ask(ROWS, by=by, **query)
    return {tuple(each[name] for name in by): each["published"] for each in rows}


def test_without_by_there_is_one_sum():
    assert ask(ROWS) == (
        [dict.fromkeys(COUNTS, 0) | {"published": 63, "seconds": 0.75}],
        None,
    )


def test_without_rows_there_is_no_sum():
    assert ask([]) == ([], None)


def test_periods_are_told_by_their_start():
    assert published("month") == {(NOVEMBER,): 31, (DECEMBER,): 32}
    assert published("day") == {
        (NOVEMBER,): 7, (NOVEMBER + 5 * DAY,): 8, (DECEMBER - DAY,): 16, (DECEMBER,): 32
    }  # fmt: skip
    assert published("hour")[NOVEMBER + HOUR,] == 4
    assert published("account", "month") == {
        ("acme", NOVEMBER): 15, ("other", NOVEMBER): 16, ("other", DECEMBER): 32
    }  # fmt: skip


def test_what_is_not_asked_for_does_not_count():
    assert published(account="acme") == {(): 15}
    assert published(key="k_2") == {(): 8}
    assert published(channel="a.c") == {(): 2}
    assert published(since=NOVEMBER + 0.5) == {(): 60}
    assert published(since=NOVEMBER, until=DECEMBER) == {(): 31}
    assert published(account="acme", key="k_3") == {}


def test_pages_go_on_where_the_one_before_ended():
    rows, after = ask(ROWS, by=("channel", "key"), limit=2)
    assert [(each["channel"], each["key"]) for each in rows] == [("a.b", "k_1"), ("a.b", "k_2")]
    rows, after = ask(ROWS, by=("channel", "key"), limit=2, after=after)
    assert [(each["channel"], each["key"]) for each in rows] == [("a.b", "k_3"), ("a.c", "k_1")]
    assert after is None


def test_a_page_is_the_same_in_whatever_order_rows_come():
    rows = [row(NOVEMBER, "a", key, "x", published=1) for key in ("k_1", "k_2", "k_3", "k_4")]
    pages = [ask(order, by=("key",), limit=2) for order in permutations(rows)]
    assert [each["key"] for each in pages[0][0]] == ["k_1", "k_2"]
    assert all(page == pages[0] for page in pages)


COUNTED = st.builds(
    row,
    st.integers(0, 100).map(lambda number: NOVEMBER + number * 20 * HOUR),
    st.sampled_from(["a", "b", "ä"]),
    st.sampled_from(["k_1", "k_2", ""]),
    st.sampled_from(["x", "y", "z.*"]),
    published=st.integers(0, 9),
)


@given(st.lists(COUNTED), st.permutations(["hour", "day", "month", "account", "key", "channel"]), st.data())
def test_pages_together_are_the_whole_answer(rows, names, data):
    by = tuple(names[: data.draw(st.integers(0, 6))])
    whole, after = ask(rows, by=by, limit=MAX_GROUPS)
    assert after is None
    expected = {}
    grouping = Grouping(UsageQuery(by=by))
    for each in rows:
        group = grouping.group_of(each)
        expected[group] = expected.get(group, 0) + each.published
    assert [(tuple(one[name] for name in by), one["published"]) for one in whole] == sorted(expected.items())
    limit = data.draw(st.integers(1, 5))
    paged, after = ask(rows, by=by, limit=limit)
    while after is not None:
        assert len(paged) % limit == 0
        more, after = ask(rows, by=by, limit=limit, after=after)
        assert more
        paged += more
    assert paged == whole


def test_rows_behind_the_page_need_not_be_read():
    grouping = Grouping(UsageQuery(by=("day", "key"), limit=1))
    assert not grouping.is_before(DECEMBER)
    grouping.add((NOVEMBER, "k_1"), [1] * 8)
    assert not grouping.is_before(DECEMBER)
    grouping.add((NOVEMBER, "k_2"), [1] * 8)
    assert grouping.is_before(NOVEMBER + DAY)
    assert not grouping.is_before(NOVEMBER + HOUR)


@pytest.mark.parametrize("by", [(), ("key", "day")])
def test_all_rows_must_be_read_unless_time_comes_first(by):
    grouping = Grouping(UsageQuery(by=by, limit=1))
    grouping.add(("k_1", NOVEMBER)[: len(by)], [1] * 8)
    grouping.add(("k_2", NOVEMBER)[: len(by)], [1] * 8)
    assert not grouping.is_before(DECEMBER + DAY)


@pytest.mark.parametrize(
    "query",
    [
        {"by": ("year",)},
        {"by": ("key", "key")},
        {"limit": 0},
        {"since": float("nan")},
        {"until": float("inf")},
        {"until": -1e30},
        {"limit": MAX_GROUPS + 1},
        {"after": "x"},
        {"after": "{}"},
        {"after": '["k_1"]'},
        {"by": ("key",), "after": "[]"},
        {"by": ("key",), "after": "[1]"},
        {"by": ("hour",), "after": "[true]"},
        {"by": ("hour",), "after": '["x"]'},
    ],
)
def test_what_there_is_not_is_refused(query):
    with pytest.raises(Refused) as caught:
        Grouping(UsageQuery(**query))
    assert caught.value.uri == INVALID_ARGUMENT


def test_months_begin_in_utc():
    assert month_of(DECEMBER)[0] == DECEMBER
    assert month_of(DECEMBER - 1)[0] == NOVEMBER
