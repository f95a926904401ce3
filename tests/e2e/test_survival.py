"""Restarts under load: who listens with a position misses nothing, and nobody is refused.

Under a real systemd with the shipped units, and without one. The long forms are those of docs/operations.md,
criteria 15, 16 and 20 (``make soak``); the short ones are the same with fewer listeners.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections import Counter

import pytest
from support.crowd import KEY
from support.private_systemd import OWN_DEPENDENCIES, ROOT, Machine
from support.running import RADIOD, environment, free_port, program, wait_until

pytestmark = pytest.mark.e2e

SECONDS = 60
PORT = 8080
RATE = 20
"""Events a second in all."""
AWAY = 0.2
"""The part of the listeners that is away at the moment of a restart."""
PACKAGING = ROOT / "packaging"

SERVER = f"""
[limits]
max_connections_per_address = 6000

[realms.radio]
anonymous = "guest"

[realms.radio.roles.guest]
subscribe = ["*"]
publish = ["*"]
call = ["*"]

[realms.radio.keys.station]
key = "{KEY}"
publish = ["*"]
listen = ["*"]

[realms.radio.channels.memory]
history = {{ size = 20000 }}
buffer = {{ size = 1000 }}

[realms.radio.channels.durable]
durable = true
history = {{ size = 20000 }}
buffer = {{ size = 1000 }}
"""
CONFIG = f"""
[[listen]]
endpoint = "systemd:name=http"

[store]
path = "/var/lib/radiod/radiod.sqlite"

[admin]
socket = "/run/radiod/admin.sock"
{SERVER}
"""


class Process:
    """A process of ``support.crowd``."""

    def __init__(self, process):
        self.process = process

    def ask(self, name, *arguments):
        self.begin(name, *arguments)
        return self.end()

    def begin(self, name, *arguments):
        self.process.stdin.write(json.dumps([name, *arguments]) + "\n")
        self.process.stdin.flush()

    def end(self):
        line = self.process.stdout.readline()
        assert line, "the crowd has ended"
        return json.loads(line)

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Load:
    """Publishers, and listeners in ``processes`` processes. ``start``: runs a program where the server is."""

    def __init__(self, start, port, listeners, processes=2, *, looks=False):
        self.listeners = listeners
        self.looks = looks
        command = [sys.executable, "-m", "support.crowd", str(port)]
        options = {"env": {**environment(), "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}}
        self.crowds = [Process(start(*command, str(seed), **options)) for seed in range(processes)]
        self.publishers = Process(start(*command, "99", **options))
        self.catch_ups = []
        self.longest = 0.0

    def all(self, name, *arguments):
        for crowd in self.crowds:
            crowd.begin(name, *arguments)
        return [crowd.end() for crowd in self.crowds]

    def begin(self):
        self.publishers.ask("publish", RATE, self.looks)
        self.all("listen", self.listeners // len(self.crowds))
        # Everybody has a position: who comes for the first time misses nothing.
        time.sleep(1.0)
        self.catch_up()

    def catch_up(self):
        """Until everybody has what is there now."""
        numbers = self.publishers.ask("published")
        behind = [one for some in self.all("wait_for", numbers, SECONDS) for one in some]
        assert not behind, f"{behind}\n{numbers}\n{self.report()}"

    def through(self, restart):
        """Some go away, the server is restarted, they come back, and everybody has caught up."""
        self.all("leave", AWAY)
        # What they miss meanwhile.
        time.sleep(0.5)
        restart()
        ready = time.monotonic()
        self.all("come_back")
        self.catch_up()
        self.catch_ups.append(time.monotonic() - ready)

    def finish(self):
        """Returns: what happened, and how often."""
        self.longest = self.publishers.ask("stop_publishing")
        self.catch_up()
        return self.report()

    def report(self):
        return sum(map(Counter, [self.publishers.ask("report"), *self.all("report")]), Counter())

    def stop(self):
        for one in (*self.crowds, self.publishers):
            one.stop()

    def show(self, counts):
        print(f"\n{dict(counts)}\nlongest publish {self.longest:.2f} s")
        print("caught up after", ", ".join(f"{seconds:.2f}" for seconds in self.catch_ups), "s")


@pytest.fixture
def machine(tmp_path):
    """The shipped units, which may be started as often as this wants."""
    units = {name: (PACKAGING / name).read_text() for name in ("radiod.service", "radiod.socket")}
    for name in list(units):
        units[f"{name}.d/own.conf"] = OWN_DEPENDENCIES
    units["radiod.service.d/test.conf"] = "[Unit]\nStartLimitIntervalSec=0\n"
    with Machine(tmp_path, units) as machine:
        machine.write("/etc/radiod/radiod.toml", CONFIG)
        machine.run("systemctl", "start", "radiod.socket", "radiod.service")
        yield machine


@pytest.fixture
def load():
    loads = []

    def make(*arguments, **options):
        loads.append(Load(*arguments, **options))
        loads[-1].begin()
        return loads[-1]

    yield make
    for one in loads:
        one.stop()


HARMLESS = {
    "published",
    "events",
    "listening",
    "cut",
    "publisher cut",
    "replayed",
    "in doubt",
    "in doubt and done",
}


def what_must_not_be(counts, *may_be):
    """All that was counted but for what restarts cannot do without."""
    return {name: count for name, count in counts.items() if count and name not in {*HARMLESS, *may_be}}


def long_and_short(short_times):
    short = pytest.param(100, short_times, id="short")
    long = pytest.param(1000, 10, id="long", marks=pytest.mark.soak)
    return pytest.mark.parametrize(("listeners", "times"), [short, long])


class TestUnderSystemd:
    @long_and_short(2)
    def test_a_restart_costs_nobody_anything(self, machine, load, listeners, times):
        crowd = load(machine.talk, PORT, listeners)
        costs = []

        def restart():
            machine.run("systemctl", "restart", "radiod.service")
            costs.append(processor_seconds(machine))

        for _ in range(times):
            crowd.through(restart)
            costs[-1] = (costs[-1], processor_seconds(machine))
        counts = crowd.finish()
        crowd.show(counts)
        print("processor seconds of the server, to READY and until all had caught up:", *costs)
        assert what_must_not_be(counts) == {}, said(machine)
        journal = machine.journal("-u", "radiod.service")
        assert journal.count("left to the next server, in systemd's descriptor store") == times
        assert journal.count("the state of the last server is restored") == times

    @long_and_short(1)
    def test_who_missed_something_when_it_was_killed_is_told(self, machine, load, listeners, times):
        crowd = load(machine.talk, PORT, listeners, looks=True)

        def kill():
            machine.run("systemctl", "kill", "-s", "KILL", "radiod.service")
            # Waits in the socket's queue.
            curl(machine, "/healthz")

        for _ in range(times):
            crowd.through(kill)
        counts = crowd.finish()
        crowd.show(counts)
        # What a publisher of the memory channel was not told of is published again, and some had it already.
        may_be = ("not recovered memory", "told missed", "repeated memory")
        assert what_must_not_be(counts, *may_be) == {}, said(machine)
        assert counts["not recovered memory"]
        assert "the state of the last server" not in machine.journal("-u", "radiod.service")


def processor_seconds(machine):
    """What the server has used since it was started."""
    pid = machine.show("radiod.service", "MainPID")
    fields = machine.run("cat", f"/proc/{pid}/stat").stdout.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def said(machine):
    """The last lines of the journal."""
    return machine.journal("-u", "radiod.service", "--lines=40")


class TestUsedOnce:
    def test_systemd_keeps_it_over_a_restart_and_nothing_else(self, machine):
        machine.run("systemctl", "start", "radiod.socket", "radiod.service")

        def restarted(*command):
            """Whether the channel in memory goes on."""
            before = position(machine)
            machine.run("systemctl", *command)
            machine.run("systemctl", "start", "radiod.service")
            publish(machine)
            return position(machine).split(":")[0] == before.split(":")[0]

        publish(machine)
        assert restarted("restart", "radiod.service")
        # A state was used by this server: a crash is told to whoever listens.
        assert not restarted("kill", "-s", "KILL", "radiod.service")
        assert restarted("restart", "radiod.service")
        assert not restarted("stop", "radiod.service")
        # systemd that keeps nothing is found out, and the file beside the store does it.
        override = "[Service]\nFileDescriptorStoreMax=0\n"
        machine.write("/run/systemd/system/radiod.service.d/none.conf", override)
        machine.run("systemctl", "daemon-reload")
        assert restarted("restart", "radiod.service")
        assert restarted("restart", "radiod.service")
        journal = machine.journal("-u", "radiod.service")
        assert "left to the next server, in /var/lib/radiod/radiod.sqlite.state" in journal
        assert restarted("stop", "radiod.service")
        assert machine.run("bash", "-c", "ls /var/lib/private/radiod/*.state", check=False).stdout == ""
        assert "Traceback" not in journal


def publish(machine):
    body = json.dumps({"network": "memory", "data": {"n": 1}})
    curl(machine, "/publish", "-H", f"API-KEY: {KEY}", "-d", body)


def position(machine):
    return json.loads(curl(machine, "/listen/memory?last=1"))[-1]["position"]


def curl(machine, path, *options):
    command = ["curl", "-sS", "--fail-with-body", "--max-time", str(SECONDS), *options]
    return machine.run(*command, f"http://127.0.0.1:{PORT}{path}").stdout


@pytest.fixture
def file(tmp_path):
    """Where a configuration is, of a server on a port of its own; and the port."""
    port = free_port()
    path = tmp_path / "radiod.toml"
    endpoint = f'[[listen]]\nendpoint = "tcp:{port}:interface=127.0.0.1"\n'
    path.write_text(endpoint + '[store]\npath = "radiod.sqlite"\n' + SERVER)
    return path, port


class TestWithoutSystemd:
    @long_and_short(1)
    def test_a_restart_costs_what_the_closed_port_does(self, file, load, tmp_path, listeners, times):
        path, port = file
        log = tmp_path / "log"

        with contextlib.ExitStack() as stack:
            servers = []

            def start():
                servers.append(stack.enter_context(program([*RADIOD, "run", "--config", str(path)], log)))
                wait_until(lambda: answers(port), servers[-1], log)

            def restart():
                servers[-1].terminate()
                servers[-1].wait(SECONDS)
                start()

            def talk(*command, **options):
                pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
                return subprocess.Popen(command, **pipes, **options)

            start()
            crowd = load(talk, port, listeners)
            for _ in range(times):
                crowd.through(restart)
            counts = crowd.finish()
        crowd.show(counts)
        assert what_must_not_be(counts, "refused", "reset") == {}, log.read_text()[-4000:]
        assert log.read_text().count("the state of the last server is restored") == times


def answers(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False
