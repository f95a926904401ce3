"""The last lines of the log, in memory."""

import threading

import pytest
from twisted.internet.task import Clock
from twisted.logger import Logger, LogPublisher

from radiod.logs.observer import LimitedLog
from radiod.logs.tail import MAX_TEXT, Tail


class Logged:
    """A log with a tail, before whoever else writes."""

    def __init__(self, most=10):
        self.tail = Tail(most)
        self.clock, self.publisher, self.written = Clock(), LogPublisher(), []
        self.publisher.addObserver(self.written.append)
        door = LimitedLog(10.0, self.clock.seconds, lambda when, what: None, also=[self.tail])
        door.stand_before(self.publisher)
        self.log = Logger(namespace="radiod.transport", observer=self.publisher)

    def texts(self, after=None, most=10):
        return [line["text"] for line in self.tail.after(after, most)]


@pytest.fixture
def logged():
    return Logged()


def test_nothing_was_logged(logged):
    assert logged.tail.after(None, 10) == []
    assert logged.tail.after(7, 10) == []


def test_a_line_with_what_is_known_of_it(logged):
    logged.log.warn("refused {peer}", peer="tcp:127.0.0.1:1", event="request_refused", uri="wamp.error.x")
    (line,) = logged.tail.after(None, 10)
    assert line.pop("time") > 0
    assert line == {
        "seq": 1,
        "level": "warn",
        "event": "request_refused",
        "text": "refused tcp:127.0.0.1:1",
        "peer": "tcp:127.0.0.1:1",
        "uri": "wamp.error.x",
    }


def test_lines_are_written_elsewhere_all_the_same(logged):
    logged.log.info("one")
    assert [event["log_text"] for event in logged.written] == logged.texts() == ["one"]


def test_the_oldest_go_first(logged):
    for number in range(14):
        logged.log.info(f"line {number}")
    assert logged.texts() == [f"line {number}" for number in range(4, 14)]
    assert [line["seq"] for line in logged.tail.after(None, 2)] == [13, 14]


def test_what_comes_behind_a_number(logged):
    for number in range(5):
        logged.log.info(f"line {number}")
    assert logged.texts(3) == ["line 3", "line 4"]
    assert logged.texts(3, most=1) == ["line 4"]
    assert logged.texts(5) == []
    # Of another run of the server.
    assert len(logged.texts(1000)) == 5


def test_lines_are_cleaned_and_limited_as_for_everybody(logged):
    for _ in range(200):
        logged.log.info("refused {what}", what="\x1b[31mred\n2026 forged")
    texts = logged.texts()
    assert len(texts) < 200
    assert all(text.isprintable() for text in texts)


def test_a_traceback_keeps_its_beginning_and_its_end(logged):
    def fail(depth):
        if depth:
            fail(depth - 1)
        raise ValueError("the reason")

    try:
        fail(200)
    except ValueError:
        logged.log.failure("it broke")
    (text,) = logged.texts()
    assert text.startswith("it broke\n…")
    assert "the reason" in text.splitlines()[-1]
    assert len(text) <= MAX_TEXT + 10


def test_threads_may_log_at_the_same_time():
    logged = Logged(most=4000)

    def log():
        for _ in range(1000):
            logged.tail({"log_text": "x", "log_time": 1.0})

    threads = [threading.Thread(target=log) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(line["seq"] for line in logged.tail.after(None, 4000)) == list(range(1, 4001))
