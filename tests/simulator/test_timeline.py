"""A number that changes at known times."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.timeline import MAX_PIECES, Timeline

INF = float("inf")


def test_the_usual_value_holds_where_nothing_was_said():
    line = Timeline(1.0)
    assert line.is_usual
    assert line.mean(-50, 100) == 1
    assert line.next_change(0) == INF


def test_what_is_said_later_holds():
    line = Timeline(1.0)
    line.lay(10, INF, 0.5)
    line.lay(20, 30, 0.0)
    assert [line.mean(time, 1) for time in (9, 10, 19, 20, 29, 30)] == [1, 0.5, 0.5, 0, 0, 0.5]
    line.lay(0, INF, 1.0)
    assert line.is_usual


def test_parts_of_a_step_count_as_parts():
    line = Timeline(1.0)
    line.lay(10.25, 10.5, 0.0)
    assert line.mean(10, 1) == 0.75
    assert line.mean(10.25, 0.25) == 0
    assert line.mean(8, 4) == pytest.approx(1 - 0.25 / 4)


def test_the_next_change_is_after_the_time():
    line = Timeline(1.0)
    line.lay(10, 20, 0.0)
    assert [line.next_change(time) for time in (9, 10, 20)] == [10, 20, INF]


def test_what_is_over_is_forgotten():
    line = Timeline(1.0)
    for begin in range(100):
        line.lay(begin, begin + 0.5, 0.0)
    line.forget(99.25)
    assert line.dump() == [[0.0], [99.5, 1.0]]
    line.forget(100)
    assert line.is_usual


def test_it_is_bounded_and_a_refusal_changes_nothing():
    line = Timeline(1.0)
    for begin in range((MAX_PIECES - 3) // 2):
        line.lay(begin, begin + 0.5, 0.0)
    before = line.dump()
    line.lay(10_000, 10_001, 0.0)
    with pytest.raises(OverflowError):
        line.lay(20_000, 20_001, 0.0)
    assert line.dump() == [*before, [10_000, 0.0], [10_001, 1.0]]


times = st.floats(0, 100)


@given(st.lists(st.tuples(times, times, st.sampled_from([0.0, 0.5, 1.0])), max_size=8), times)
def test_it_is_what_the_last_word_for_each_moment_is(said, when):
    line = Timeline(1.0)
    for begin, end, value in said:
        if begin < end:
            line.lay(begin, end, value)
    expected = next((v for b, e, v in reversed(said) if b <= when < e), 1.0)
    later = min([t for b, e, _ in said for t in (b, e) if t > when], default=INF)
    dt = min(1.0, (later - when) / 2)
    if dt > 1e-6:
        assert line.mean(when, dt) == pytest.approx(expected)
        assert Timeline.restored(1.0, line.dump()).mean(when, dt) == line.mean(when, dt)
