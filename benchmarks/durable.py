#!/usr/bin/env python3
"""Does a durable channel keep what it acknowledged? Kills radiod over and over while everybody publishes.

    ./durable.py [--rounds 50] [--publishers 4] [--outstanding 16] [--seed 0]

Each round starts radiod on the same store, publishes from several sessions at once, each with a number of
unanswered publishes outstanding, and ends with kill -9 at a random moment. After each round the history is
read from a new radiod: every acknowledged event must be there, none twice, those of one publisher in order,
all under one epoch. A listener goes on behind its position through all of this, and must get every event
once. Ends with status 1 when anything is missing.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness import (
    CALL,
    EVENT,
    PUBLISH,
    PUBLISHED,
    RESULT,
    ROOT,
    SUBSCRIBE,
    Session,
    free_port,
    twistd,
    wait_for_port,
)

CONFIG = """\
[[listen]]
endpoint = "tcp:{port}:interface=127.0.0.1"

[limits]
max_message_bytes = 16777216

[store]
path = "store.sqlite"

[realms.realm1]
anonymous = "bench"

[realms.realm1.roles.bench]
subscribe = ["*"]
publish = ["*"]
call = ["*"]

[realms.realm1.channels."bench.durable"]
history = {{ size = 1000000 }}
durable = true
"""
CHANNEL = "bench.durable"
PAUSES = (0.05, 0.6)
PAGE = 1000


class Failure(Exception):
    """A promise was broken; the text says which."""


@contextlib.contextmanager
def radiod(folder: Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """A server on the store in ``folder``: its port and process, which is killed in the end."""
    port = free_port()
    config = folder / "radiod.toml"
    config.write_text(CONFIG.format(port=port))
    log = folder / "radiod.log"
    command = [twistd(), "--nodaemon", "--pidfile=", f"--logfile={log}", "radiod", "--config", str(config)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    process = subprocess.Popen(command, cwd=folder, env=environment)
    try:
        wait_for_port(port, process)
        yield port, process
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


class Publisher(threading.Thread):
    """Publishes (name, 0), (name, 1) … until the server is gone; ``acknowledged``: the numbers of those."""

    def __init__(self, port: int, name: str, outstanding: int) -> None:
        super().__init__(daemon=True)
        self._name = name
        self._outstanding = outstanding
        self._session = Session(port)
        self.acknowledged: list[int] = []
        self.failure: str | None = None

    def run(self) -> None:
        try:
            for _ in range(self._outstanding):
                self._publish()
            while True:
                kind, request, *_ = message = self._session.receive()
                if kind != PUBLISHED:
                    self.failure = f"a publish was answered {message}"
                    return
                # Requests count from 1, numbers from 0.
                self.acknowledged.append(request - 1)
                self._publish()
        except (OSError, RuntimeError):
            # The server was killed.
            self._session.close()

    def _publish(self) -> None:
        number = self._session._last_id
        self._session.request(PUBLISH, {"acknowledge": True}, CHANNEL, [self._name, number])


class Follower(threading.Thread):
    """A listener that keeps its position from one server to the next."""

    def __init__(self, port: int, position: str) -> None:
        super().__init__(daemon=True)
        self.position = position
        self.events: list[tuple[int, Any]] = []
        self.is_recovered = True
        self._session = Session(port)
        self._session.request(SUBSCRIBE, {"_radiod_after": position}, CHANNEL)

    def run(self) -> None:
        with contextlib.suppress(OSError, RuntimeError):
            while True:
                message = self._session.receive()
                if message[0] == EVENT:
                    details = message[3]
                    self.is_recovered &= details.get("_recovered", True) and "_lost" not in details
                    self.position = f"{details['_epoch']}:{details['_seq']}"
                    self.events.append((details["_seq"], tuple(message[4])))
        self._session.close()


def history(port: int) -> tuple[str, list[tuple[int, Any]]]:
    """Epoch, and (seq, event) of everything the channel holds."""
    session = Session(port)
    events: list[tuple[int, Any]] = []
    after = None
    while True:
        session.request(CALL, {}, "radiod.channel.history", [CHANNEL, after, PAGE])
        (answer,) = session.expect(RESULT)[3]
        if not answer["events"]:
            session.close()
            return answer["position"].partition(":")[0], events
        events += [(int(one["position"].partition(":")[2]), tuple(one["args"])) for one in answer["events"]]
        after = answer["position"]


class Soak:
    """All rounds on one store."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self._folder = folder
        self._options = options
        self._chance = random.Random(options.seed)
        self._acknowledged: set[tuple[str, int]] = set()
        self._epoch: str | None = None
        self._position: str | None = None
        self._followed: list[tuple[int, Any]] = []

    def round(self, number: int) -> str:
        """Publish, kill, look. Returns: one line about it. Raises: Failure."""
        with radiod(self._folder) as (port, process):
            if self._position is None:
                self._position = f"{history(port)[0]}:0"
            follower = Follower(port, self._position)
            names = [f"{number}.{index}" for index in range(self._options.publishers)]
            publishers = [Publisher(port, name, self._options.outstanding) for name in names]
            for thread in (follower, *publishers):
                thread.start()
            # Not to wait for anything: the kill falls into any phase of a transaction.
            time.sleep(self._chance.uniform(*PAUSES))
            process.send_signal(signal.SIGKILL)
            for thread in (follower, *publishers):
                thread.join(30)
        for name, publisher in zip(names, publishers, strict=True):
            if publisher.failure:
                raise Failure(publisher.failure)
            self._acknowledged |= {(name, one) for one in publisher.acknowledged}
        if not follower.is_recovered:
            raise Failure("the listener was told that something is missing")
        self._position = follower.position
        self._followed += follower.events
        return self._look()

    def _look(self) -> str:
        with radiod(self._folder) as (port, _):
            epoch, held = history(port)
        events = [event for _, event in held]
        if epoch != (self._epoch or epoch):
            raise Failure(f"the epoch was {self._epoch}, and is {epoch}")
        self._epoch = epoch
        missing = self._acknowledged - set(events)
        if missing:
            raise Failure(f"{len(missing)} acknowledged events are missing, such as {min(missing)}")
        if len(set(events)) != len(events):
            raise Failure("an event is there twice")
        if [seq for seq, _ in held] != list(range(1, len(held) + 1)):
            raise Failure("the events do not count 1, 2, 3 …")
        for name in {name for name, _ in events}:
            numbers = [number for of, number in events if of == name]
            if numbers != list(range(len(numbers))):
                raise Failure(f"the events of publisher {name} are not in order: {numbers[:20]}")
        if self._followed != held[: len(self._followed)]:
            raise Failure("the listener did not get what the history holds")
        acknowledged, followed = len(self._acknowledged), len(self._followed)
        return f"{len(events)} events held, {acknowledged} acknowledged, {followed} followed: in order, once"

    def check_file(self) -> None:
        """Raises: Failure: SQLite finds fault with the store."""
        with contextlib.closing(sqlite3.connect(self._folder / "store.sqlite")) as connection:
            found = connection.execute("PRAGMA integrity_check").fetchall()
        if found != [("ok",)]:
            raise Failure(f"the store is damaged: {found[:3]}")


def main() -> int:
    """All rounds; the first broken promise ends them."""
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=formatter)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--publishers", type=int, default=4)
    parser.add_argument("--outstanding", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="radiod-durable-") as folder:
        soak = Soak(Path(folder), options)
        try:
            for number in range(1, options.rounds + 1):
                print(f"round {number}: {soak.round(number)}", flush=True)
            soak.check_file()
        except Failure as failure:
            print(f"FAILED: {failure}")
            return 1
    print(f"{options.rounds} kills: nothing acknowledged is missing, nothing came twice, the store is sound")
    return 0


if __name__ == "__main__":
    sys.exit(main())
