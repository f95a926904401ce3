"""When requests are due: retries, their jitter, Retry-After and slow receivers."""

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiod.webhooks.schedule import MOST_RETRY_AFTER, RETRIES, Outcome, Schedule, retry_after

DEAD = Outcome(None, "ConnectionRefusedError")
NOW = 1000.0


def waits(*outcomes, random=0.5):
    """Seconds until the next try after each of these failures of one letter."""
    schedule = Schedule(lambda: random)
    found = []
    for tries, outcome in enumerate(outcomes, 1):
        has_more = schedule.failed(NOW, outcome, tries)
        found.append(schedule.due - NOW if has_more else None)
    return found


def test_retries_come_later_and_later_and_end():
    assert RETRIES == (1, 5, 30, 300, 1800, 7200)
    assert waits(*[DEAD] * 7) == [*RETRIES, None]


@given(st.floats(0, 1))
def test_a_wait_is_a_fifth_longer_or_shorter(random):
    for wait, usual in zip(waits(*[DEAD] * 6, random=random), RETRIES, strict=True):
        assert wait == pytest.approx(usual * (0.8 + 0.4 * random))


def test_the_letter_behind_one_that_was_given_up_begins_anew_and_at_once():
    schedule = Schedule(lambda: 0.5)
    for tries in range(1, 8):
        schedule.failed(NOW, DEAD, tries)
    assert (schedule.due, schedule.is_failing) == (NOW, True)
    assert schedule.failed(NOW, DEAD, 1)
    assert schedule.due == NOW + 1


def test_a_letter_that_takes_the_place_of_one_that_went_does_not_hurry_the_receiver():
    schedule = Schedule(lambda: 0.5)
    found = []
    for _ in range(9):
        assert schedule.failed(NOW, DEAD, 1)
        found.append(schedule.due - NOW)
    assert found == [*RETRIES, 7200, 7200, 7200]


def test_a_delivery_ends_all_waits():
    schedule = Schedule(lambda: 0.5)
    schedule.failed(NOW, DEAD, 1)
    schedule.failed(NOW, DEAD, 2)
    schedule.delivered(NOW)
    assert (schedule.due, schedule.is_failing) == (NOW, False)
    schedule.failed(NOW, DEAD, 1)
    assert schedule.due == NOW + 1


@pytest.mark.parametrize("status", [429, 502, 504])
def test_slow_receivers_get_less_until_they_keep_up(status):
    schedule = Schedule(lambda: 0.5)
    gaps = []
    for _ in range(8):
        schedule.failed(NOW, Outcome(status), 1)
        schedule.delivered(NOW)
        schedule.failed(NOW, Outcome(status), 1)
        gaps.append(schedule.due - NOW)
    assert gaps[0] == 1
    assert max(gaps) <= 60
    for _ in range(2):
        schedule.failed(NOW, Outcome(status), 1)
    paces = []
    while not paces or paces[-1]:
        schedule.delivered(NOW)
        paces.append(schedule.due - NOW)
    assert len(paces) > 1
    assert paces == sorted(paces, reverse=True)


def test_other_failures_slow_nothing_down():
    schedule = Schedule(lambda: 0.5)
    for status in (301, 400, 500, 503):
        schedule.failed(NOW, Outcome(status), 1)
    schedule.delivered(NOW)
    assert schedule.due == NOW


def test_retry_after_is_obeyed_where_it_is_longer():
    assert waits(Outcome(503, retry_after=20), Outcome(503, retry_after=2)) == [20, 5]
    assert waits(Outcome(503, retry_after=10**9)) == [MOST_RETRY_AFTER]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, 0),
        ("120", 120),
        (" 7 ", 7),
        ("0", 0),
        ("-5", 0),
        ("1.5", 0),
        ("soon", 0),
        ("", 0),
        ("²", 0),
        ("86401", MOST_RETRY_AFTER),
        ("9" * 10_000, MOST_RETRY_AFTER),
        (formatdate(NOW + 90, usegmt=True), 90),
        (formatdate(NOW - 90, usegmt=True), 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", MOST_RETRY_AFTER),
    ],
)
def test_retry_after_in_seconds_or_as_a_date(value, seconds):
    assert retry_after(value, NOW) == seconds


@given(st.text())
def test_any_retry_after_is_a_bounded_wait(value):
    assert 0 <= retry_after(value, NOW) <= MOST_RETRY_AFTER


def test_only_two_hundreds_are_deliveries():
    delivered = [status for status in range(100, 600) if Outcome(status).is_delivered]
    assert delivered == list(range(200, 300))
    assert not DEAD.is_delivered
