"""What all listeners of one broker share."""

from radiod.core.budgets.bounds import Bounds
from radiod.core.delivery.flow import Flow
from radiod.core.delivery.holdings import Holdings
from radiod.core.delivery.settings import POLICIES
from radiod.core.delivery.totals import Tally
from radiod.testing import FakeClock, RecordingOutbox


def make_flow(*shared):
    clock = FakeClock()
    return Flow(RecordingOutbox(), clock, clock.timers, Tally(), 5.0, *shared)


def test_a_tally_begins_with_nothing():
    tally = Tally()
    assert tally.by_policy == dict.fromkeys(POLICIES, 0)
    names = [name for name in dir(tally) if not name.startswith("_") and name != "by_policy"]
    assert len(names) == 9
    assert not any(getattr(tally, name) for name in names)


def test_what_was_lost_is_what_any_policy_dropped():
    """Events that were left out or replaced were not wanted; others could not be said: these are apart."""
    tally = Tally()
    for count, policy in enumerate(POLICIES, 1):
        tally.by_policy[policy] += count
    assert tally.lost == sum(range(1, len(POLICIES) + 1))
    for name in ("conflated", "skipped", "overtaken", "undeliverable", "queued", "delivered"):
        setattr(tally, name, 100)
    assert tally.lost == sum(range(1, len(POLICIES) + 1))


def test_tallies_do_not_share_their_counts():
    first, second = Tally(), Tally()
    first.by_policy["ring"] += 1
    assert second.lost == 0


def test_holdings_and_bounds_are_those_given_even_while_they_are_empty():
    holdings, bounds = Holdings(), Bounds()
    flow = make_flow(holdings, bounds)
    assert len(holdings) == 0
    assert flow.holdings is holdings
    assert flow.bounds is bounds


def test_one_that_is_given_none_has_its_own():
    first, second = make_flow(), make_flow()
    assert first.holdings is not second.holdings
    first.bounds.met("max_session_bytes")
    assert second.bounds.counts == {}
    assert first.paced == 0
