"""What the kernel is told to find out who has vanished; the vanishing itself is in tests/e2e."""

import socket
from contextlib import closing
from types import SimpleNamespace

import pytest
from twisted.internet.task import Clock

from radiod.transport.clock import ReactorClock
from radiod.transport.liveness import Watch


@pytest.fixture
def reactor():
    return Clock()


@pytest.fixture
def pair():
    """The two ends of a TCP connection."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as there,
    ):
        here, _ = server.accept()
        with closing(here):
            yield here, there


class Transport:
    """A transport over a socket."""

    def __init__(self, connection):
        self.socket = connection
        self.is_aborted = False

    def abortConnection(self):
        self.is_aborted = True


def nothing():
    """Nobody wants to know."""


@pytest.mark.parametrize(
    ("interval", "timeout", "between", "count"),
    [(30, 20, 6, 7), (0.5, 0.5, 1, 1), (1, 3, 1, 3), (60, 1, 1, 60)],
)
def test_probes_begin_early_enough_for_three_answers_and_end_in_time(
    reactor, pair, interval, timeout, between, count
):
    Watch(ReactorClock(reactor), interval, timeout).begin(Transport(pair[0]), "peer", nothing)
    told = [
        pair[0].getsockopt(socket.IPPROTO_TCP, option)
        for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
    ]
    assert told == [between, between, count]


def test_a_peer_that_is_there_is_left_alone_for_ever(reactor, pair):
    transport = Transport(pair[0])
    watch = Watch(ReactorClock(reactor), 30, 20)
    watch.begin(transport, "peer", nothing)
    reactor.pump([1] * 1000)
    assert not transport.is_aborted
    assert len(watch.pinger) == 1


def test_the_end_of_a_connection_is_passed_on_and_ends_the_watch(reactor, pair):
    lost, clock = [], ReactorClock(reactor)
    watch = Watch(clock, 30, 20)
    watch.begin(Transport(pair[0]), "peer", lambda: lost.append(True))()
    assert lost == [True]
    assert len(watch.pinger) == 0
    assert len(clock.timers) == 0


def test_a_socket_that_is_closed_already_is_looked_at_without_harm(reactor, pair):
    transport = Transport(pair[0])
    watch = Watch(ReactorClock(reactor), 30, 20)
    watch.begin(transport, "peer", nothing)
    pair[0].close()
    reactor.pump([1] * 60)
    assert not transport.is_aborted
    assert watch.begin(SimpleNamespace(socket=pair[0]), "peer", nothing) is nothing


def test_what_is_no_tcp_socket_is_not_watched(reactor):
    watch = Watch(ReactorClock(reactor), 30, 20)
    here, there = socket.socketpair()
    with here, there:
        assert watch.begin(Transport(here), "peer", nothing) is nothing
    assert watch.begin(object(), "peer", nothing) is nothing
