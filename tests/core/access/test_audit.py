"""The audit's chain: what is changed in it shows, and anybody can verify it."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.core.access.audit import (
    MAX_DETAIL_BYTES,
    START,
    Link,
    entry_of,
    follows,
    is_lost,
    lost_row,
    next_row,
    written,
)
from radiod.core.access.records import AccountRecord, Act
from radiod.errors import INVALID_ARGUMENT, Refused

ACT = Act(
    time=1795694400.25,
    actor="socket:1000",
    address="unix",
    action="key.issue",
    object="k_7Qm2xTz0Vb9c",
    detail={"listen": ["weather.*"], "account": "café"},
)


def chain(acts):
    rows, last = [], START
    for act in acts:
        rows.append(next_row(last, written(act)))
        last = Link(rows[-1][0], rows[-1][-1])
    return rows


def whole(rows):
    last = START
    for row in rows:
        if not follows(last, row):
            return False
        last = Link(row[0], row[-1])
    return True


def test_an_entry_tells_the_act():
    (row,) = chain([ACT])
    entry = entry_of(row)
    assert {name: getattr(entry, name) for name in ACT.__struct_fields__} == {
        name: getattr(ACT, name) for name in ACT.__struct_fields__
    }
    assert (entry.seq, entry.previous) == (1, bytes(32))


def test_anybody_can_compute_the_hash():
    first, second = map(entry_of, chain([ACT, ACT]))
    told = (
        '[2,1795694400.25,"socket:1000","unix","key.issue","k_7Qm2xTz0Vb9c",'
        '{"account":"café","listen":["weather.*"]}]'
    )
    assert second.previous == first.hash
    assert second.hash == hashlib.sha256(first.hash + told.encode()).digest()
    fields = [2, ACT.time, ACT.actor, ACT.address, ACT.action, ACT.object, ACT.detail]
    assert told == json.dumps(fields, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


@given(
    st.lists(st.builds(Act, **dict.fromkeys(["actor", "address", "action", "object"], st.text(max_size=3)),
                       time=st.floats(0, 1e10)), min_size=3, max_size=5),
    st.data(),
)  # fmt: skip
def test_what_is_changed_left_out_or_put_elsewhere_shows(acts, data):
    rows = chain(acts)
    assert whole(rows)
    at = data.draw(st.integers(0, len(rows) - 2))
    assert not whole([*rows[:at], *rows[at + 1 :]])
    assert not whole([*rows[:at], rows[at + 1], rows[at], *rows[at + 2 :]])
    field = data.draw(st.integers(0, 8))
    changed = list(rows[at])
    changed[field] = {0: -1, 1: changed[1] + 1, 6: '{"a":1}', 7: b"\1" * 32, 8: b"\2" * 32}.get(
        field, f"{changed[field]}x"
    )
    assert not whole([*rows[:at], tuple(changed), *rows[at + 1 :]])


@pytest.mark.parametrize("row", [(), (None,) * 9, (1, "x", b"", 2, 3, 4, 5, 6, 7), ("1",) * 9])
def test_nonsense_follows_nothing(row):
    assert not follows(START, row)


def test_an_entry_that_is_lost_says_so_and_the_chain_goes_on():
    first, second, third = chain([ACT, ACT, ACT])
    gone = lost_row(2, first[-1], third[-2])
    assert whole([first, gone, third])
    assert (is_lost(gone), is_lost(second)) == (True, False)
    assert not whole([first, lost_row(2, first[-1], bytes(32)), third])
    assert not whole([first, lost_row(3, first[-1], third[-2])])


def test_an_entry_that_was_changed_is_told_as_lost():
    (row,) = chain([ACT])
    for changed in ((*row[:2], "nobody", *row[3:]), (*row[:6], b"\xff", *row[7:])):
        entry = entry_of(changed)
        assert (entry.seq, entry.action, entry.actor, entry.detail) == (1, "lost", "", {})
        assert (entry.previous, entry.hash) == row[-2:]


def test_texts_that_are_none_follow_nothing():
    (row,) = chain([ACT])
    assert not follows(START, (*row[:2], "\udcff", *row[3:]))
    assert not follows(START, (*row[:6], '{"', *row[7:]))


@pytest.mark.parametrize("detail", [{"x": "\ud800"}, {"x": object()}, {(1, 2): 3}])
def test_what_cannot_be_written_is_refused(detail):
    with pytest.raises(Refused) as caught:
        written(Act(time=1, actor="a", address="b", action="c", object="d", detail=detail))
    assert caught.value.uri == INVALID_ARGUMENT


def test_records_that_cannot_be_written_are_refused():
    with pytest.raises(Refused):
        written(ACT, [AccountRecord(id="\udfff", created=1.0)])
    written(ACT, [AccountRecord(id="acme", created=1.0)])


def test_a_long_detail_is_left_out():
    most = MAX_DETAIL_BYTES - len('{"x":""}')
    assert len(
        written(Act(time=1, actor="", address="", action="", object="", detail={"x": "a" * most}))[5]
    ) == (MAX_DETAIL_BYTES)
    longer = Act(time=1, actor="", address="", action="", object="", detail={"x": "a" * (most + 1)})
    assert written(longer)[5] == '{"omitted":16385}'
