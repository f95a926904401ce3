"""The wall clock is set while twistd runs, or is wrong when it starts: nothing but dates may notice."""

import contextlib
import json
import socket
import time
import urllib.request
from pathlib import Path

import pytest
from support.config import configuration
from support.programs import Failed, Program
from support.running import radiod
from support.sweeps import crossed

pytestmark = pytest.mark.e2e

SECONDS = 20
HOUR = 3600
REACTORS = ("select", "poll", "epoll", "asyncio")
LIMITS = """
[limits]
ping_interval_s = 3
ping_timeout_s = 20
"""
CHANNELS = """
[realms.radio.channels.hour]
history = { seconds = 3000 }

[realms.radio.channels.short]
history = { seconds = 0.2 }
"""


class Machine:
    """A machine whose wall clock the test sets; ``by``: how far it is off, in seconds."""

    def __init__(self, folder, by=0):
        self._file = folder / "clock"
        self.set(by)
        (library,) = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
        self.variables = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, by):
        """What the server's clock says from now on, against this process's."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{by:+d}")
        new.rename(self._file)
        self.by = by

    def date(self):
        """What the server's clock says."""
        return time.time() + self.by


@contextlib.contextmanager
def running(folder, config, by=0, reactor=None):
    machine = Machine(folder, by)
    twistd = () if reactor is None else (f"--reactor={reactor}",)
    with (
        radiod(folder, configuration(config), twistd=twistd, variables=machine.variables) as server,
        contextlib.closing(Program(server.port)) as caller,
    ):
        # The test itself: the server lives by that clock.
        assert abs(caller.call("radiod.server.stats")["time"] - machine.date()) < SECONDS
        yield server, machine, caller


def poll(server, channel, query):
    with urllib.request.urlopen(f"{server.url}/listen/{channel}?{query}", timeout=SECONDS) as answer:
        return json.loads(answer.read() or b"[]")


def times_out(caller, request):
    with pytest.raises(Failed) as failure:
        caller.result(request)
    return failure.value.uri


def is_cut(connection):
    """True once the server has hung up, or reset it; waits for that."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def hangs_up(program):
    """True once the server has; the program answers none of its pings meanwhile."""
    try:
        while True:
            program.hear()
    except ConnectionError:
        return True


def ends(server, caller):
    """A channel comes to its end, which is told."""
    watcher = Program(server.port)
    watcher.listen("radiod.channel.on_delete")
    caller.call("radiod.channel.create", "fleeting", lifetime=0.3)
    ended = watcher.event().data
    watcher.close()
    assert ended == {"name": "fleeting", "reason": "expired"}


@pytest.mark.parametrize(("by", "reactor"), crossed({"back": -HOUR, "forward": HOUR}, REACTORS))
def test_calls_time_out_when_it_was_time(tmp_path, reactor, by):
    with running(tmp_path, LIMITS, reactor=reactor) as (server, machine, caller):
        callee = Program(server.port)
        callee.register("slow")
        # Nothing else wakes the server but these.
        patient = caller.begin_call("slow", timeout=60_000)
        soon = caller.begin_call("slow", timeout=400)
        first, _ = callee.asked(), callee.asked()
        machine.set(by)
        assert times_out(caller, soon) == "wamp.error.timeout"
        assert times_out(caller, caller.begin_call("slow", timeout=100)) == "wamp.error.timeout"
        callee.give(first, "done")
        assert caller.result(patient) == "done"
        callee.close()


@pytest.mark.parametrize("by", [-HOUR, HOUR], ids=["back", "forward"])
def test_everything_that_waits_waits_as_long_as_it_should(tmp_path, by):
    with running(tmp_path, LIMITS + CHANNELS) as (server, machine, caller):
        lasting = caller.call("radiod.channel.create", "lasting", lifetime=600)
        listener = Program(server.port)
        listener.listen("rated", _radiod_buffer={"size": 10, "min_interval": 0.2})
        caller.publish("hour", "kept")
        caller.publish("short", "gone")
        machine.set(by)

        caller.send("rated", 1, 2, 3)
        assert listener.events(3) == [1, 2, 3]
        ends(server, caller)
        left = caller.call("radiod.channel.get", "lasting")["expires"] - machine.date()
        assert abs(left - (lasting["expires"] - machine.date() + by)) < SECONDS
        position = poll(server, "hour", "last=1")[0]["position"]
        assert poll(server, "hour", f"after={position}&wait=0.2") == []
        while poll(server, "short", "last=1"):
            # Polling, not waiting: the server decides.
            caller.call("radiod.echo")
        history = caller.call("radiod.channel.history", "hour")["events"]
        assert [event["args"] for event in history] == [["kept"]]
        caller.publish("hour", "later")
        events = caller.call("radiod.channel.history", "hour")["events"]
        assert [event["args"] for event in events] == [["kept"], ["later"]]
        # Dates are the clock's.
        assert abs(events[1]["time"] - machine.date()) < SECONDS
        listener.close()


@pytest.mark.parametrize("by", [-HOUR, HOUR], ids=["back", "forward"])
def test_pings_find_who_does_not_answer(tmp_path, by):
    with running(tmp_path, "\n[limits]\nping_interval_s = 1\nping_timeout_s = 1\n") as (server, machine, _):
        silent = Program(server.port)
        machine.set(by)
        assert hangs_up(silent)


@pytest.mark.parametrize("by", [-HOUR, HOUR], ids=["back", "forward"])
def test_strangers_who_say_nothing_are_cut(tmp_path, by):
    config = LIMITS + "max_unauthenticated_seconds = 0.5\nhttp_timeout_s = 1\nhttp_idle_s = 1\n"
    with running(tmp_path, config) as (server, machine, _):
        stranger, visitor = (socket.create_connection(("127.0.0.1", server.port), SECONDS) for _ in range(2))
        with stranger, visitor:
            visitor.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert visitor.recv(4096).startswith(b"HTTP/1.1 200")
            machine.set(by)
            assert is_cut(stranger)
            # Twisted's own timer, of a kept connection.
            assert is_cut(visitor)


@pytest.mark.parametrize("by", [-40 * 365 * 24 * HOUR, 20 * 365 * 24 * HOUR], ids=["1986", "2046"])
def test_a_clock_that_is_wrong_at_start_may_be_right_later(tmp_path, by):
    with running(tmp_path, LIMITS + CHANNELS, by) as (server, machine, caller):
        callee = Program(server.port)
        callee.register("slow")
        caller.publish("hour", "kept")
        caller.call("radiod.channel.create", "lasting", lifetime=600)
        soon = caller.begin_call("slow", timeout=400)
        callee.asked()
        machine.set(0)
        assert times_out(caller, soon) == "wamp.error.timeout"
        ends(server, caller)
        assert abs(caller.call("radiod.channel.get", "lasting")["expires"] - 600 - time.time()) < SECONDS
        assert len(caller.call("radiod.channel.history", "hour")["events"]) == 1
        callee.close()
