"""The acknowledgement of a publish, held back by listeners."""

import pytest

from radiod.core.delivery.broadcast import Publication
from radiod.core.delivery.flow import Flow
from radiod.core.delivery.receipts import Receipt
from radiod.core.delivery.totals import Tally
from radiod.core.promises import Promise
from radiod.errors import OVERRUN
from radiod.testing import FakeClock, RecordingOutbox

PUBLICATION = Publication(7, 3)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def receipt(clock):
    return Receipt(Flow(RecordingOutbox(), clock, clock.timers, Tally(), 5.0))


def outcomes(later):
    told = []
    later.then(told.append)
    return told


def test_what_nobody_holds_back_is_known_at_once(receipt):
    assert receipt.issue(PUBLICATION) is PUBLICATION


def test_it_comes_when_the_last_one_has_room_and_not_in_the_middle_of_that(receipt, clock):
    receipt.hold()
    receipt.hold()
    later = receipt.issue(PUBLICATION)
    assert isinstance(later, Promise)
    told = outcomes(later)
    receipt.release()
    clock.advance(1)
    assert told == []
    receipt.release()
    assert told == []
    clock.advance(0)
    assert told == [PUBLICATION]


def test_room_found_before_it_is_issued_counts(receipt):
    receipt.hold()
    receipt.release()
    assert receipt.issue(PUBLICATION) is PUBLICATION


def test_one_listener_that_gives_the_event_up_is_enough(receipt, clock):
    receipt.hold()
    receipt.hold()
    told = outcomes(receipt.issue(PUBLICATION))
    receipt.overrun()
    receipt.release()
    clock.advance(0)
    assert [error.uri for error in told] == [OVERRUN]
    receipt.release()
    clock.advance(0)
    assert len(told) == 1


def test_an_overrun_while_publishing_is_an_error_as_well(receipt, clock):
    receipt.overrun()
    told = outcomes(receipt.issue(PUBLICATION))
    clock.advance(0)
    assert [error.uri for error in told] == [OVERRUN]
