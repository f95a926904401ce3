"""One webhook over a fake clock and a receiver that answers when the test says so."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.logger import globalLogPublisher

from radiod.testing import FakeClock, SequentialIds
from radiod.webhooks.hook import LOG_S, Address, Hook
from radiod.webhooks.pace import Pace
from radiod.webhooks.schedule import RETRIES, Outcome
from radiod.webhooks.signing import Signer
from radiod.webhooks.waiting import MOST, MOST_BYTES

SECRET = "whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="
OK = Outcome(204)
DEAD = Outcome(None, "ConnectionRefusedError")


class Receiver:
    """Keeps what it was sent; ``answer`` what is under way."""

    def __init__(self):
        self.sent = []
        self.pending = []
        self.canceled = 0
        self.is_closed = False

    def post(self, headers, body):
        self.sent.append((headers, body))
        later = Deferred(self._cancel)
        self.pending.append(later)
        return later

    def close(self):
        self.is_closed = True

    def _cancel(self, deferred):
        self.canceled += 1
        self.pending.remove(deferred)

    def answer(self, outcome=OK):
        self.pending.pop(0).callback(outcome)

    @property
    def bodies(self):
        return [json.loads(body) for _, body in self.sent]


class World:
    def __init__(self):
        self.clock = FakeClock()
        self.receiver = Receiver()
        self.log = []
        self.off = []
        self.hook = Hook(
            Address("radio", "h", "https://example.org/a?token=very-secret"),
            self.receiver,
            Signer([SECRET]),
            self.clock,
            self.clock.timers,
            SequentialIds(),
            Pace(self.clock, self.clock.timers),
            lambda: 0.5,
        )
        self.hook.on_off = lambda: self.off.append(True)

    def take(self, *bodies):
        for body in bodies:
            self.hook.take(json.dumps(body).encode())
        self.clock.advance(0)

    def answer(self, outcome=OK):
        self.receiver.answer(outcome)
        self.clock.advance(0)

    def counts(self):
        told = self.hook.describe()
        return [told[name] for name in ("state", "waiting", "delivered", "failed", "given_up")]


@pytest.fixture
def world():
    made = World()
    globalLogPublisher.addObserver(observe := lambda event: made.log.append(text_of(event)))
    yield made
    globalLogPublisher.removeObserver(observe)


def text_of(event):
    return event["log_format"].format(**event) if event.get("log_namespace", "").endswith("Hook") else ""


def lines(world):
    found = [line for line in world.log if line]
    world.log.clear()
    return found


def test_letters_leave_one_at_a_time_and_in_order(world):
    world.take(1, 2, 3)
    assert world.receiver.bodies == [1]
    assert world.counts() == ["sending", 3, 0, 0, 0]
    world.answer()
    world.answer()
    assert world.receiver.bodies == [1, 2, 3]
    world.answer()
    assert world.counts() == ["idle", 0, 3, 0, 0]
    assert len(world.clock.timers) == 0
    ids = [headers["webhook-id"] for headers, _ in world.receiver.sent]
    assert len(set(ids)) == 3


def test_nothing_is_sent_within_the_call_that_brings_it(world):
    world.hook.take(b"1")
    assert world.receiver.sent == []
    world.clock.advance(0)
    assert world.receiver.bodies == [1]


def test_a_letter_is_tried_again_with_its_id_and_a_new_time_and_signature(world):
    world.take({"x": 1})
    for wait in RETRIES:
        world.answer(DEAD)
        assert world.hook.state == "waiting"
        sent = len(world.receiver.sent)
        world.clock.advance(wait - 0.01)
        assert len(world.receiver.sent) == sent
        world.clock.advance(0.02)
        assert len(world.receiver.sent) == sent + 1
    headers = [headers for headers, _ in world.receiver.sent]
    assert {each["webhook-id"] for each in headers} == {headers[0]["webhook-id"]}
    times = [int(each["webhook-timestamp"]) for each in headers]
    assert times[0] == 1_800_000_000
    assert times[-1] == pytest.approx(times[0] + sum(RETRIES), abs=2)
    assert len({each["webhook-signature"] for each in headers}) == 7
    for each, (_, body) in zip(headers, world.receiver.sent, strict=True):
        signature = Signer([SECRET]).signature(each["webhook-id"], int(each["webhook-timestamp"]), body)
        assert each["webhook-signature"] == signature
    world.answer(DEAD)
    assert world.counts() == ["idle", 0, 0, 7, 1]


def test_those_behind_wait_for_it(world):
    world.take(1, 2)
    world.answer(DEAD)
    world.clock.advance(1)
    assert world.receiver.bodies == [1, 1]
    world.answer()
    assert world.receiver.bodies == [1, 1, 2]


def test_a_receiver_that_is_gone_is_switched_off(world):
    world.take(1, 2, 3)
    world.answer(Outcome(410, "status 410"))
    assert world.counts() == ["off", 0, 0, 1, 3]
    assert world.off == [True]
    world.take(4)
    world.clock.advance(100_000)
    assert world.receiver.bodies == [1]
    assert world.counts() == ["off", 0, 0, 1, 4]
    assert world.hook.describe()["last_status"] == 410


def test_retry_after_is_obeyed(world):
    world.take(1)
    world.answer(Outcome(503, "status 503", retry_after=100))
    world.clock.advance(99)
    assert world.receiver.bodies == [1]
    world.clock.advance(1)
    assert world.receiver.bodies == [1, 1]


def test_a_dead_receiver_costs_so_much_memory_and_no_more(world):
    world.take("first")
    body = b"x" * 1000
    for _ in range(100_000):
        world.hook.take(body)
    told = world.hook.describe()
    assert (told["waiting"], told["given_up"]) == (MOST, 99_001)
    for _ in range(100):
        world.hook.take(b"x" * (1 << 20))
    told = world.hook.describe()
    assert told["waiting_bytes"] <= MOST_BYTES
    assert told["waiting"] == 16
    assert told["given_up"] == 100_101 - 16
    # What is on its way is not given up for those behind it, and a flood does not hurry it.
    assert len(world.receiver.sent) == 1
    world.answer(DEAD)
    for _ in range(1000):
        world.hook.take(body)
    world.clock.advance(0.9)
    assert len(world.receiver.sent) == 1
    assert len(world.clock.timers) <= 2


def test_what_is_given_up_is_in_the_log_once_a_minute(world):
    world.take("first")
    for _ in range(10):
        for _ in range(MOST):
            world.hook.take(b"0")
        world.clock.advance(10)
    told = [line for line in lines(world) if "given up" in line]
    assert told == [f"webhook h of realm radio: {n} events were given up" for n in (1 + 5 * MOST,)]
    world.clock.advance(LOG_S)
    assert len(lines(world)) == 1
    world.clock.advance(10 * LOG_S)
    assert lines(world) == []


def test_the_log_tells_of_the_first_failure_and_of_the_end_of_them(world):
    world.take(1)
    for wait in RETRIES[:3]:
        world.answer(DEAD)
        world.clock.advance(wait)
    world.answer()
    assert lines(world) == [
        "webhook h of realm radio: ConnectionRefusedError; it is tried again",
        "webhook h of realm radio: delivers again",
    ]


def test_an_event_that_cannot_be_said_is_given_up(world):
    world.hook.missed()
    assert world.counts() == ["idle", 0, 0, 0, 1]


def test_secrets_in_the_query_are_not_told(world):
    assert world.hook.describe() == {
        "name": "h",
        "url": "https://example.org/a",
        "state": "idle",
        "waiting": 0,
        "waiting_bytes": 0,
        "delivered": 0,
        "failed": 0,
        "given_up": 0,
        "last_status": None,
        "last_error": None,
    }
    world.take(1)
    world.answer(DEAD)
    told = world.hook.describe()
    assert (told["last_status"], told["last_error"]) == (None, "ConnectionRefusedError")


class TestTheEnd:
    def test_what_waits_is_sent_before_it(self, world):
        done = []
        world.take(1, 2)
        world.hook.wind_up(lambda: done.append(True))
        assert done == []
        world.answer()
        assert done == []
        world.answer()
        assert done == [True]
        world.hook.stop()
        assert world.counts() == ["idle", 0, 2, 0, 0]
        assert lines(world) == []

    def test_it_waits_for_no_retry(self, world):
        done = []
        world.take(1, 2)
        world.hook.wind_up(lambda: done.append(True))
        world.answer(DEAD)
        assert done == [True]
        world.hook.stop()
        assert world.counts() == ["idle", 0, 0, 1, 0]
        assert [letter.body for letter in world.hook.kept()] == [b"1", b"2"]
        assert lines(world)[-1] == "webhook h of realm radio: 2 events were not delivered before the end"
        assert len(world.clock.timers) == 0

    def test_it_is_at_once_when_nothing_waits(self, world):
        done = []
        world.hook.wind_up(lambda: done.append(True))
        assert done == [True]

    def test_what_waits_is_handed_on_with_its_ids_and_tries_and_given_up_nowhere(self, world):
        world.take(1, 2)
        world.answer(DEAD)
        letters = world.hook.kept()
        world.hook.stop()
        assert world.hook.kept() == letters
        assert world.counts()[-1] == 0
        after = World()
        after.hook.resume(letters)
        after.take(3)
        for _ in range(3):
            after.answer()
        assert after.receiver.bodies == [1, 2, 3]
        assert after.receiver.sent[0][0]["webhook-id"] == world.receiver.sent[0][0]["webhook-id"]
        assert [letter.tries for letter in letters] == [1, 0]

    def test_a_request_under_way_is_canceled(self, world):
        world.take(1, 2)
        world.hook.stop()
        assert world.receiver.canceled == 1
        assert world.receiver.is_closed
        assert world.counts() == ["idle", 0, 0, 0, 0]
        world.take(3)
        world.clock.advance(100_000)
        assert len(world.receiver.sent) == 1
        assert world.counts() == ["idle", 0, 0, 0, 1]
        assert len(world.clock.timers) == 0


@given(st.lists(st.sampled_from(["take", "ok", "dead", "slow", "pass", "hour"]), max_size=60))
def test_every_event_is_delivered_given_up_or_waits_and_order_holds(steps):
    world = World()
    taken = 0
    for step in steps:
        if step == "take":
            taken += 1
            world.take(taken)
        elif step in ("pass", "hour"):
            world.clock.advance(1 if step == "pass" else 3600)
        elif world.receiver.pending:
            world.answer({"ok": OK, "dead": DEAD, "slow": Outcome(429, "status 429")}[step])
    told = world.hook.describe()
    assert told["delivered"] + told["given_up"] + told["waiting"] == taken
    assert world.receiver.bodies == sorted(world.receiver.bodies)
    assert len(world.receiver.pending) <= 1
