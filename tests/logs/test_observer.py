"""The log's doorkeeper, in front of the observers of a publisher."""

import io

import pytest
from twisted.internet.task import Clock
from twisted.logger import (
    LegacyLogObserverWrapper,
    Logger,
    LogPublisher,
    eventAsText,
    jsonFileLogObserver,
    textFileLogObserver,
)
from twisted.python.failure import Failure
from twisted.python.log import LogPublisher as OldPublisher
from twisted.python.log import textFromEventDict

from radiod.logs.observer import LimitedLog


class Logged:
    """A publisher with an observer that remembers, and the doorkeeper before it."""

    def __init__(self):
        self.clock = Clock()
        self.publisher = LogPublisher()
        self.events = []
        self.publisher.addObserver(self.events.append)
        self.file, self.old, self.json = io.StringIO(), [], io.StringIO()
        self.publisher.addObserver(textFileLogObserver(self.file))
        self.publisher.addObserver(jsonFileLogObserver(self.json))
        self.publisher.addObserver(
            LegacyLogObserverWrapper(lambda event: self.old.append(textFromEventDict(event)))
        )
        self.door = LimitedLog(10.0, self.clock.seconds, self.at)
        self.door.stand_before(self.publisher)

    def at(self, when, what):
        self.clock.callLater(when - self.clock.seconds(), what)

    def log(self, namespace="radiod.transport.port"):
        return Logger(namespace=namespace, observer=self.publisher)

    def old_log(self):
        return OldPublisher(publishPublisher=self.publisher)

    @property
    def lines(self):
        return [eventAsText(event, includeTimestamp=False, includeSystem=False) for event in self.events]


@pytest.fixture
def logged():
    return Logged()


def test_many_lines_of_one_kind_are_one_and_a_number(logged):
    for number in range(2000):
        logged.log().info("refused {peer}: {phrase}", peer=f"tcp:127.0.0.1:{number}", phrase="Bad Request")
    assert logged.lines == ["refused tcp:127.0.0.1:0: Bad Request"]
    logged.clock.advance(10)
    assert logged.lines[1:] == [
        "… and 1,999 more of this kind in 10 s, last from tcp:127.0.0.1:1999: "
        "refused tcp:127.0.0.1:1999: Bad Request"
    ]
    logged.clock.advance(20)
    assert len(logged.lines) == 2
    assert logged.clock.getDelayedCalls() == []


def test_one_more_line_is_written_itself(logged):
    for number in range(2):
        logged.log().info("lost {peer}", peer=number)
    logged.clock.advance(10)
    assert logged.lines == ["lost 0", "lost 1"]


def test_the_end_tells_what_was_held_back_and_holds_nothing_back_after_it(logged):
    for number in range(3):
        logged.log().info("left: {number}", number=number)
    logged.door.finish()
    logged.log().info("left: {number}", number=3)
    assert logged.lines == ["left: 0", "… and 2 more of this kind in 10 s, the last: left: 2", "left: 3"]


def test_lines_of_the_service_itself_are_never_held_back(logged):
    for number in range(3):
        logged.log("radiod.service.RadioService").warn("configured, but {number}", number=number)
    assert len(logged.lines) == 3


def test_kinds_are_told_apart_by_format_error_and_proven_user(logged):
    log = logged.log()
    for _ in range(2):
        log.info("a {peer}", peer=1)
        log.info("b {peer}", peer=1)
        log.info("a {peer}", peer=1, uri="wamp.error.x")
        log.info("a {peer}", peer=1, authid="joe", authmethod="ticket")
        log.info("a {peer}", peer=1, authid="ann", authmethod="ticket")
        log.info("a {peer}", peer=1, authid="random", authmethod="anonymous")
        Logger(namespace="other", observer=logged.publisher).info("a {peer}", peer=1)
    assert len(logged.lines) == 6


def test_twisteds_old_way_to_log_is_of_a_kind_without_its_numbers(logged):
    for number in range(100):
        logged.old_log().msg(f"Timing out client: {number}")
    assert logged.lines == ["Timing out client: 0"]


def test_nothing_in_a_line_acts_or_forges_in_any_kind_of_log(logged):
    evil = "a\n2026-01-01T00:00:00+0000 [-] forged\r\x1b[2J\x85\u2028"
    logged.log().info("refused {peer}: {reason}", peer="tcp:1", reason=evil)
    logged.old_log().msg(evil)
    written = logged.file.getvalue()
    assert len(written.splitlines()) == 2
    assert r"a\n2026-01-01T00:00:00+0000 [-] forged\r\x1b[2J\x85\u2028" in written
    assert all(line.isprintable() for line in [*logged.old, *written.splitlines()])
    assert len(logged.old) == logged.json.getvalue().count("\n") == 2


def test_a_traceback_is_whole_but_clean(logged):
    for _ in range(3):
        try:
            raise RuntimeError("evil\x1b[2J\nforged")
        except RuntimeError:
            logged.log().failure("a message of {peer} failed", peer="tcp:1")
    logged.log().failure("a message of {peer} failed", Failure(ValueError("other")), peer="tcp:1")
    written = logged.file.getvalue()
    assert written.count("Traceback") == 2
    assert "RuntimeError: evil\\x1b[2J\n\tforged" in written
    assert "\x1b" not in written


def test_a_line_that_cannot_be_formatted_is_a_line_all_the_same(logged):
    class Evil:
        def __str__(self):
            raise RuntimeError

    logged.log().info("refused {peer}", peer=Evil())
    assert len(logged.lines) == 1


def test_all_kinds_together_are_bounded(logged):
    log = logged.log()
    for number in range(5000):
        log.info("a {peer} {text}", peer="tcp:1", text="x" * 1000, authid=str(number), authmethod="ticket")
        log.info("a {peer} {text}", peer="tcp:1", text="x" * 1000, authid=str(number), authmethod="ticket")
    assert len(logged.file.getvalue()) < 70_000
    logged.clock.advance(10)
    assert len(logged.file.getvalue()) < 140_000
    told = [line for line in logged.lines if line.startswith("…")]
    assert "other kinds" in told[-1] or "more of this kind" in told[0]


def test_refused_logins_and_keys_are_limited_for_each_address(logged):
    log = logged.log()
    for number in range(100):
        for host in ("10.0.0.1", "10.0.0.2"):
            log.info("refused {peer}", peer=f"tcp:{host}:{number}", event="key_refused")
            log.info("lost {peer}", peer=f"tcp:{host}:{number}", event="listener_cut")
    assert logged.lines == ["refused tcp:10.0.0.1:0", "lost tcp:10.0.0.1:0", "refused tcp:10.0.0.2:0"]
    logged.clock.advance(10)
    assert sum(event.get("left_out", 1) for event in logged.events) == 400
    refused = [event for event in logged.events[3:] if event["event"] == "key_refused"]
    assert [(event["left_out"], event["peer"]) for event in refused] == [
        (99, "tcp:10.0.0.1:99"),
        (99, "tcp:10.0.0.2:99"),
    ]


def test_lines_before_the_loop_turns_are_cleaned_and_all_written():
    written = []
    clock = Clock()
    door = LimitedLog(10.0, clock.seconds, clock.callLater, lambda observers: [*observers, written.append])
    publisher, others = LogPublisher(door), []
    door.pass_to([others.append])
    for _ in range(3):
        Logger(namespace="a", observer=publisher).info("a\nb")
    assert [event["log_text"] for event in written] == [r"a\nb"] * 3
    assert others == written
    door.stand_before(publisher)
    for _ in range(3):
        Logger(namespace="a", observer=publisher).info("a\nb")
    # Nobody came besides: arranged again, who writes is asked for once more.
    assert len(others) == 4
