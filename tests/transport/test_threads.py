"""Threads of the server: what they do is told in the reactor's thread, and they end with it."""

import threading

import pytest
from support.logins import outcome_of

from radiod.errors import RUNTIME_ERROR
from radiod.transport.threads import Threads


class Reactor:
    """Runs what other threads ask for, when it is told to."""

    def __init__(self):
        self.asked = threading.Semaphore(0)
        self.calls = []

    def callFromThread(self, call, *args):
        self.calls.append((call, args))
        self.asked.release()

    def turn(self):
        assert self.asked.acquire(timeout=20)
        call, args = self.calls.pop(0)
        call(*args)


@pytest.fixture
def reactor():
    return Reactor()


@pytest.fixture
def threads(reactor):
    threads = Threads(reactor, 2)
    threads.start()
    threads.start()
    yield threads
    threads.stop()


def test_work_is_done_elsewhere_and_told_here(reactor, threads):
    told = threads.run(threading.get_ident)
    reactor.turn()
    assert outcome_of(told) != threading.get_ident()


def test_a_failure_is_told(reactor, threads):
    told = threads.run(lambda: 1 / 0)
    reactor.turn()
    assert outcome_of(told).uri == RUNTIME_ERROR


def test_so_many_at_a_time(reactor, threads):
    begun, may_end = threading.Semaphore(0), threading.Event()

    def work():
        begun.release()
        may_end.wait(20)

    for _ in range(3):
        threads.run(work)
    assert all(begun.acquire(timeout=20) for _ in range(2))
    assert not begun.acquire(blocking=False)
    may_end.set()
    assert begun.acquire(timeout=20)
    for _ in range(3):
        reactor.turn()


def test_what_has_not_begun_is_not_done_when_it_stops(reactor):
    threads = Threads(reactor, 1)
    waits = threads.run(lambda: "done")
    threads.stop()
    threads.start()
    reactor.turn()
    assert outcome_of(waits).uri == RUNTIME_ERROR
    threads.stop()
