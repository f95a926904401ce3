"""Acknowledged events in front of a full buffer."""

import pytest

from radiod.core.delivery.broadcast import Broadcast
from radiod.core.delivery.buffers import MAX_MARKS
from radiod.core.delivery.flow import Flow
from radiod.core.delivery.holdings import Account, Holdings
from radiod.core.delivery.receipts import Receipt
from radiod.core.delivery.settings import MAX_SIZE, BufferSettings
from radiod.core.delivery.totals import Tally
from radiod.core.delivery.waiting import WaitingPublishes
from radiod.testing import FakeClock, RecordingOutbox
from radiod.wire.codecs import JSON, Payload

SETTINGS = BufferSettings(policy="wait", size=2, max_bytes=10)


@pytest.fixture
def account():
    return Account(Holdings(1000, 1000))


@pytest.fixture
def waiting(account):
    return WaitingPublishes(account)


def event(number, size=1, is_end_mark=False):
    return Broadcast(1, number, "a", {}, Payload(JSON, b"x" * size, b""), is_end_mark)


def test_they_go_in_the_order_they_came_each_with_its_receipt_and_its_time(waiting):
    clock = FakeClock()
    receipts = [Receipt(Flow(RecordingOutbox(), clock, clock.timers, Tally(), 5.0)) for _ in range(2)]
    for number, receipt in enumerate(receipts, 1):
        waiting.add(event(number), receipt, 10.0 * number)
    assert len(waiting) == 2
    for number, receipt in enumerate(receipts, 1):
        assert (waiting.first.publication, waiting.first_until) == (number, 10.0 * number)
        lost, broadcast, taken = waiting.pop()
        assert (lost, broadcast.publication, taken) == (0, number, receipt)
    assert not waiting


def test_a_loss_is_told_with_the_event_behind_it(waiting):
    waiting.add(event(1), None, 5.0)
    waiting.lost += 3
    waiting.add(event(2), None, 5.0)
    waiting.lost += 1
    assert [waiting.pop()[0] for _ in range(2)] == [0, 3]
    # Behind all of them: for whoever comes next.
    assert waiting.lost == 1


def test_room_is_as_in_the_buffer_in_events_and_in_bytes(waiting):
    assert waiting.has_room(event(1, size=10), SETTINGS)
    assert not waiting.has_room(event(1, size=11), SETTINGS)
    waiting.add(event(1, size=6), None, 5.0)
    assert waiting.has_room(event(2, size=4), SETTINGS)
    assert not waiting.has_room(event(2, size=5), SETTINGS)
    waiting.add(event(2), None, 5.0)
    assert not waiting.has_room(event(3), SETTINGS)
    waiting.pop()
    assert waiting.has_room(event(3, size=9), SETTINGS)


@pytest.mark.slow
def test_without_a_size_there_is_a_bound_of_events_too(waiting):
    settings = BufferSettings(policy="wait", size=0)
    for number in range(MAX_SIZE):
        waiting.add(event(number, size=0), None, 5.0)
    assert not waiting.has_room(event(0, size=0), settings)
    waiting.pop()
    assert waiting.has_room(event(0, size=0), settings)


def test_marks_have_a_bound_of_their_own_and_take_no_room_from_events(waiting):
    waiting.add(event(0, size=4, is_end_mark=True), None, 5.0)
    assert waiting.has_room(event(1, size=10), SETTINGS)
    assert waiting.has_room(event(1, size=6, is_end_mark=True), SETTINGS)
    assert not waiting.has_room(event(1, size=7, is_end_mark=True), SETTINGS)
    for number in range(1, MAX_MARKS):
        waiting.add(event(number, size=0, is_end_mark=True), None, 5.0)
    assert not waiting.has_room(event(0, size=0, is_end_mark=True), SETTINGS)
    for number in range(2):
        assert waiting.has_room(event(number), SETTINGS)
        waiting.add(event(number), None, 5.0)
    assert not waiting.has_room(event(2), SETTINGS)
    waiting.pop()
    assert waiting.has_room(event(0, size=10, is_end_mark=True), SETTINGS)


def test_what_waits_is_held_for_the_session_until_it_goes(waiting, account):
    waiting.add(event(1, size=7), None, 5.0)
    waiting.add(event(2, size=3, is_end_mark=True), None, 5.0)
    assert account.bytes == account.holdings.bytes == 10
    waiting.pop()
    assert account.bytes == 3
    waiting.pop()
    assert account.bytes == account.holdings.bytes == 0


@pytest.mark.parametrize("is_end_mark", [False, True])
def test_nobody_waits_for_a_session_that_may_hold_no_more(waiting, account, is_end_mark):
    account.change(995)
    assert waiting.has_room(event(1, size=5, is_end_mark=is_end_mark), SETTINGS)
    assert not waiting.has_room(event(1, size=6, is_end_mark=is_end_mark), SETTINGS)
