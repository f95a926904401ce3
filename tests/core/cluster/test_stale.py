import pytest
from support.cluster.fake_peers import FakePeers

from radiod.core.cluster.stale import AGAIN_S, Stale
from radiod.testing import FakeClock


@pytest.fixture
def told():
    return []


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def stale(told, clock):
    return Stale(FakePeers(2, 3), clock, clock.timers, told.append)


def test_whoever_could_not_be_told_something_is_told_all_once(stale, told, clock):
    stale.add(3)
    clock.advance(AGAIN_S / 2)
    stale.add(2)
    stale.add(3)
    assert (told, len(stale)) == ([], 2)
    clock.advance(AGAIN_S / 2)
    assert told == [2, 3]
    clock.advance(10 * AGAIN_S)
    assert told == [2, 3]


def test_whoever_has_gone_is_not(stale, told, clock):
    stale.add(2)
    stale.add(9)
    stale.forget(2)
    clock.advance(AGAIN_S)
    assert told == []


def test_it_may_fail_again(clock):
    told = []

    def again(node):
        told.append(node)
        stale.add(node)

    stale = Stale(FakePeers(2), clock, clock.timers, again)
    stale.add(2)
    clock.advance(3 * AGAIN_S)
    assert told == [2, 2, 2]
