"""How the server stops, in memory: whoever was accepted in the last moment has its say."""

import pytest
from support import http
from support.config import parsed
from support.http import Answer
from support.memory import Wire
from twisted.internet.testing import MemoryReactorClock

from radiod.service.service import ARRIVAL_SECONDS, SHUTDOWN_SECONDS, RadioService


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


class TestWhatWasAcknowledged:
    """It is in what is left to the next server; what is not, was not."""

    @pytest.fixture
    def running(self, tmp_path):
        """Makes services that leave their state in the same file."""

        def start():
            reactor = MemoryReactorClock()
            path = tmp_path / "state"
            text = f'[operations]\nstate = "{path}"\n[realms.radio.channels.sample_net]\nhistory = {{}}\n'
            service = RadioService(parsed(text), reactor)
            service.startService()
            return service, reactor

        return start

    def heard(self, running):
        """What the next server has."""
        service, reactor = running()
        wire = Wire(service.radio, reactor)
        wire.send(http.get("/listen/sample_net?last=10"))
        answer = Answer(wire.received())
        return [event["data"] for event in answer.json] if answer.status == 200 else []

    def finish(self, service, reactor, stopped):
        for _ in range(5):
            reactor.advance(SHUTDOWN_SECONDS)
        assert stopped
        assert service.radio.http.connections == set()

    REQUEST = http.post("/publish", b'{"network": "sample_net", "data": {"n": 1}}', "API-KEY: sample-key")

    def test_what_comes_whole_while_it_stops(self, running):
        service, reactor = running()
        wire = Wire(service.radio, reactor)
        wire.send(self.REQUEST[:-5])
        stopped = begin_to_stop(service, reactor)
        reactor.advance(SHUTDOWN_SECONDS / 2)
        assert not stopped
        wire.send(self.REQUEST[-5:])
        assert Answer(wire.received()).status == 200
        self.finish(service, reactor, stopped)
        assert self.heard(running) == [{"n": 1}]

    def test_what_comes_later_has_no_answer(self, running):
        service, reactor = running()
        wire = Wire(service.radio, reactor)
        wire.send(self.REQUEST[:-5])
        stopped = begin_to_stop(service, reactor)
        self.finish(service, reactor, stopped)
        wire.send(self.REQUEST[-5:])
        assert wire.received() == b""
        assert self.heard(running) == []
