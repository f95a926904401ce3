"""What systemd hears of a server, by the clock."""

import pytest

from radiod.systemd import supervision
from radiod.systemd.supervision import STATUS_SECONDS, Supervision, watchdog_of
from radiod.testing import FakeClock

WATCHDOG = 30.0


class Manager:
    """Keeps what it is told."""

    is_heard = True

    def __init__(self):
        self.told = []

    def send(self, *lines, descriptors=()):
        self.told.append(lines)

    def taken(self):
        told, self.told = self.told, []
        return told


@pytest.fixture
def world():
    class World:
        clock = FakeClock()
        manager = Manager()
        connections = 0
        busy = 0.0

        def supervision(self, watchdog_s=None):
            return Supervision(
                self.manager,
                watchdog_s,
                self.clock,
                self.clock.timers,
                lambda: self.connections,
                lambda: self.busy,
            )

        def block(self, seconds):
            """Let time pass in which the loop does something else; then it turns once."""
            self.clock.look_s = seconds
            self.clock.seconds()
            self.clock.look_s = 0.0
            self.clock.advance(0)

        def beats(self, seconds, step=1.0):
            """How often the watchdog is fed while the loop turns every ``step`` seconds."""
            for _ in range(int(seconds / step)):
                self.clock.advance(step)
            return self.manager.taken().count(("WATCHDOG=1",))

    return World()


def test_the_server_is_ready_with_its_status(world):
    world.supervision().ready()
    assert world.manager.taken() == [("READY=1", "STATUS=on the air, 0 connections")]


def test_the_status_is_told_when_it_changes_and_not_more_often_than_in_5_s(world):
    world.supervision().ready()
    world.manager.taken()
    world.clock.advance(10 * STATUS_SECONDS)
    assert world.manager.taken() == []
    for count in range(1, 11):
        world.connections = count
        world.clock.advance(1)
    assert world.manager.taken() == [
        ("STATUS=on the air, 5 connections",),
        ("STATUS=on the air, 10 connections",),
    ]
    world.connections = 1
    world.clock.advance(STATUS_SECONDS)
    assert world.manager.taken() == [("STATUS=on the air, 1 connection",)]


def test_the_end_is_told_and_the_watchdog_fed_until_then(world):
    supervision = world.supervision(WATCHDOG)
    supervision.ready()
    supervision.stopping()
    assert world.manager.taken()[-1] == ("STOPPING=1", "STATUS=stopping, 0 connections")
    assert world.beats(WATCHDOG) >= 3
    supervision.stop()
    assert world.beats(WATCHDOG) == 0


def test_who_keeps_the_loop_says_that_it_gets_on_once_a_second(world, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(supervision.time, "monotonic", lambda: now[0])
    watched, unwatched = world.supervision(WATCHDOG), world.supervision()
    for _ in range(30):
        watched.busy()
        now[0] += 0.1
    assert world.manager.taken() == [("EXTEND_TIMEOUT_USEC=30000000", "WATCHDOG=1")] * 3
    unwatched.busy()
    assert world.manager.taken() == [("EXTEND_TIMEOUT_USEC=30000000",)]


def test_systemd_is_told_how_long_it_takes_to_send_everybody_away(world):
    supervision = world.supervision()
    supervision.ready()
    supervision.stopping(120.5)
    assert world.manager.taken()[-1] == (
        "STOPPING=1",
        "STATUS=draining, 0 connections",
        "EXTEND_TIMEOUT_USEC=135500000",
    )


def test_a_reload_begins_and_ends(world):
    supervision = world.supervision(WATCHDOG)
    supervision.ready()
    world.manager.taken()
    supervision.reloading()
    ((begin, at, _),) = world.manager.taken()
    assert begin == "RELOADING=1"
    assert at.startswith("MONOTONIC_USEC=")
    supervision.ready()
    assert world.manager.taken()[0][0] == "READY=1"
    # And nothing beats twice since.
    assert world.beats(WATCHDOG) == 6


def test_what_became_of_a_reload_is_in_the_status(world):
    supervision = world.supervision()
    supervision.ready()
    supervision.tell("reload refused: listen.[0].endpoint: missing; on the air")
    assert world.manager.taken()[-1] == (
        "STATUS=reload refused: listen.[0].endpoint: missing; on the air, 0 connections",
    )


def test_nobody_is_told_where_nobody_listens(world):
    world.manager.is_heard = False
    world.supervision(WATCHDOG).ready()
    world.clock.advance(100)
    assert world.manager.taken() == []


def test_a_loop_that_turns_feeds_the_watchdog_in_time(world):
    world.supervision(WATCHDOG).ready()
    assert world.beats(WATCHDOG) >= 3


def test_one_long_turn_is_forgiven_and_a_loop_that_is_always_late_is_not(world):
    world.supervision(WATCHDOG).ready()
    world.manager.taken()
    world.block(0.7 * WATCHDOG)
    # Late: not fed. The next look is in time, and comes before the process is aborted.
    assert world.manager.taken().count(("WATCHDOG=1",)) == 0
    assert world.beats(0.2 * WATCHDOG) == 1
    for _ in range(10):
        world.block(0.55 * WATCHDOG)
    assert world.manager.taken().count(("WATCHDOG=1",)) == 0


def test_a_store_that_hangs_is_not_forgiven(world):
    world.supervision(WATCHDOG).ready()
    world.manager.taken()
    world.busy = WATCHDOG / 3
    assert world.beats(WATCHDOG) == 0
    world.busy = WATCHDOG / 4
    assert world.beats(WATCHDOG / 3) >= 1


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": ""}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "x"}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": "7"}, 0.5),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": "8"}, None),
    ],
)
def test_the_watchdogs_time_comes_with_the_environment(environment, seconds):
    assert watchdog_of(environment, 7) == seconds
