"""How the server stops, in memory: whoever was accepted in the last moment has its say."""

import pytest
from support import http
from support.config import parsed
from support.http import Answer
from support.memory import Wire
from twisted.internet.testing import MemoryReactorClock

from radiod.service.service import ARRIVAL_SECONDS, RadioService


@pytest.fixture
def service():
    reactor = MemoryReactorClock()
    service = RadioService(parsed(), reactor)
    service.startService()
    return service, reactor


def begin_to_stop(service, reactor):
    stopped = []
    service.stopService().addCallback(stopped.append)
    reactor.advance(0)
    return stopped


def test_a_request_that_was_on_its_way_is_answered(service):
    service, reactor = service
    wire = Wire(service.radio, reactor)
    stopped = begin_to_stop(service, reactor)
    assert not wire.is_closed
    wire.send(http.get("/healthz"))
    reactor.advance(ARRIVAL_SECONDS)
    reactor.advance(0)
    answer = Answer(wire.received())
    assert answer.status == 200
    assert wire.is_closed
    reactor.advance(0)
    assert stopped


def test_nobody_waits_for_who_says_nothing(service):
    service, reactor = service
    wire = Wire(service.radio, reactor)
    stopped = begin_to_stop(service, reactor)
    assert not stopped
    reactor.advance(ARRIVAL_SECONDS)
    for _ in range(3):
        reactor.advance(0)
    assert (wire.received(), wire.is_closed) == (b"", True)
    assert stopped


def test_without_anybody_it_stops_at_once(service):
    stopped = begin_to_stop(*service)
    _, reactor = service
    for _ in range(3):
        reactor.advance(0)
    assert stopped
