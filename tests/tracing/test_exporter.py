"""Spans on their way to a collector that answers when the test says so."""

import json

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import globalLogPublisher

from radiod.testing import FakeClock
from radiod.tracing.exporter import BATCH, DELAY_S, MOST_WAITING, RETRIES, Exporter
from radiod.webhooks.schedule import Outcome

OK = Outcome(200)
DEAD = Outcome(None, "ConnectionRefusedError")


class World:
    """The spans are numbers, and what is sent is JSON."""

    def __init__(self):
        self.clock = FakeClock()
        self.sent = []
        self.pending = []
        self.canceled = 0
        self.log = []
        self.done = 0
        headers = {"api-key": "k"}
        self.exporter = Exporter(self._post, _encode, headers, self.clock, self.clock.timers)

    def _post(self, headers, body):
        assert headers == {"Content-Type": "application/x-protobuf", "api-key": "k"}
        self.sent.append(json.loads(body))
        later = Deferred(self._cancel)
        self.pending.append(later)
        return later

    def _cancel(self, deferred):
        self.canceled += 1
        self.pending.remove(deferred)

    def add(self, *spans):
        for span in spans:
            self.exporter.add(span)

    def answer(self, outcome=OK):
        self.pending.pop(0).callback(outcome)

    def advance(self, seconds):
        self.clock.advance(seconds)

    @property
    def counts(self):
        return {name: count for name, count in self.exporter.counts.items() if count}

    @property
    def events(self):
        return [event["event"] for event in self.log if event.get("event")]

    def wind_up(self):
        self.exporter.wind_up(self._done)

    def _done(self):
        self.done += 1


def _encode(spans):
    return json.dumps(spans).encode()


@pytest.fixture
def world():
    made = World()
    globalLogPublisher.addObserver(made.log.append)
    yield made
    globalLogPublisher.removeObserver(made.log.append)


def test_spans_wait_for_others_and_go_together(world):
    world.add(1, 2)
    world.advance(DELAY_S / 2)
    world.add(3)
    assert world.sent == []
    world.advance(DELAY_S / 2)
    assert world.sent == [[1, 2, 3]]
    world.answer()
    assert world.counts == {"sent": 3}
    world.advance(60)
    assert len(world.sent) == 1


def test_many_do_not_wait(world):
    world.add(*range(BATCH))
    world.advance(0)
    assert world.sent == [list(range(BATCH))]


def test_there_is_one_request_at_a_time(world):
    world.add(*range(2 * BATCH + 1))
    world.advance(0)
    world.advance(60)
    assert len(world.sent) == 1
    world.answer()
    world.advance(0)
    assert world.sent[1] == list(range(BATCH, 2 * BATCH))
    world.answer()
    world.advance(DELAY_S)
    assert world.sent[2] == [2 * BATCH]


def test_a_collector_that_never_answers_costs_a_bounded_queue(world):
    world.add(*range(BATCH))
    world.advance(0)
    world.add(*range(MOST_WAITING + 10))
    assert len(world.exporter) == MOST_WAITING
    assert world.counts == {"dropped": 10}


@pytest.mark.parametrize("outcome", [DEAD, Outcome(503), Outcome(429), Outcome(502), Outcome(504)])
def test_what_may_be_taken_later_is_sent_again(world, outcome):
    world.add(1)
    world.advance(DELAY_S)
    for wait in RETRIES:
        world.answer(outcome)
        world.add(2)
        world.advance(wait * 0.99)
        assert world.pending == []
        world.advance(wait * 0.02)
        assert world.sent[-1] == [1]
    world.answer(outcome)
    assert world.counts == {"refused": 1}
    assert world.events == ["traces_failed"]
    world.advance(DELAY_S)
    assert world.sent[-1] == [2] * len(RETRIES)
    world.answer()
    assert world.events == ["traces_failed", "traces_recovered"]


def test_a_collector_may_ask_for_time_up_to_a_minute(world):
    world.add(1)
    world.advance(DELAY_S)
    world.answer(Outcome(503, "", 30.0))
    world.advance(29)
    assert len(world.sent) == 1
    world.advance(1)
    assert len(world.sent) == 2
    world.answer(Outcome(503, "", 86400.0))
    world.advance(60)
    assert len(world.sent) == 3


@pytest.mark.parametrize("status", [400, 401, 404, 500])
def test_what_is_refused_for_good_is_given_up_at_once(world, status):
    world.add(1)
    world.advance(DELAY_S)
    world.answer(Outcome(status, f"status {status}"))
    world.add(2)
    world.advance(DELAY_S)
    assert world.sent == [[1], [2]]
    world.answer(Outcome(status, f"status {status}"))
    assert world.counts == {"refused": 2}
    assert world.events == ["traces_failed"]


def test_at_the_end_all_is_sent_at_once(world):
    world.add(*range(BATCH + 1))
    world.wind_up()
    world.answer()
    world.advance(0)
    assert (len(world.sent), world.done) == (2, 0)
    world.answer()
    assert world.done == 1
    assert world.counts == {"sent": BATCH + 1}


def test_at_the_end_of_nothing_there_is_nothing_to_wait_for(world):
    world.wind_up()
    assert (world.sent, world.done) == ([], 1)


def test_at_the_end_what_is_on_its_way_is_waited_for(world):
    world.add(1)
    world.advance(DELAY_S)
    world.wind_up()
    assert world.done == 0
    world.answer()
    assert world.done == 1


def test_at_the_end_nothing_is_tried_again(world):
    world.add(*range(BATCH + 1))
    world.advance(0)
    world.wind_up()
    world.answer(DEAD)
    assert (world.done, world.counts) == (1, {"refused": BATCH})
    world.exporter.stop()
    assert world.counts == {"refused": BATCH, "dropped": 1}


def test_at_the_end_what_failed_before_has_a_last_try(world):
    world.add(1)
    world.advance(DELAY_S)
    world.answer(DEAD)
    world.wind_up()
    assert len(world.sent) == 2
    world.answer()
    assert (world.done, world.counts) == (1, {"sent": 1})


def test_whoever_stops_cancels_what_is_under_way(world):
    world.add(*range(BATCH + 1))
    world.advance(0)
    world.exporter.stop()
    world.add(7)
    world.advance(60)
    assert (world.canceled, len(world.sent)) == (1, 1)
    assert world.counts == {"dropped": BATCH + 2}
    assert world.events == []


def test_a_stop_before_anything_was_sent(world):
    world.add(1)
    world.exporter.stop()
    world.advance(60)
    assert (world.sent, world.counts) == ([], {"dropped": 1})


def test_a_stop_before_something_was_sent_again(world):
    world.add(1)
    world.advance(DELAY_S)
    world.answer(DEAD)
    world.exporter.stop()
    world.advance(60)
    assert (len(world.sent), world.counts) == (1, {"dropped": 1})


def test_what_goes_wrong_in_sending_itself_is_told_and_not_the_end(world):
    world.add(1)
    world.advance(DELAY_S)
    world.add(2)
    world.pending.pop(0).errback(RuntimeError("a fault"))
    world.advance(DELAY_S)
    assert world.sent == [[1], [2]]
    assert world.counts == {"dropped": 1}
    assert world.events == ["failure"]
