"""kill -9 while everybody publishes, and torn write-ahead logs, with a model of what was acknowledged."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from support.programs import Program
from support.running import ROOT, Server, environment, radiod

from chaos.scene import Scene, durable, must

__all__ = ["Model", "play", "play_torn"]

CHANNEL = "own.log"
PUBLISHERS = 3
OUTSTANDING = 16
PAGE = 1000
OWNER = {"authmethods": ["ticket"], "authid": "owner", "ticket": "owner-ticket"}


class Model:
    """What was acknowledged, and what a follower has had; ``look`` compares it with what a server holds."""

    def __init__(self) -> None:
        self.acknowledged: set[tuple[str, int]] = set()
        self.followed: list[tuple[int, Any]] = []
        self.epoch: str | None = None
        self.position: str | None = None

    def look(self, epoch: str, held: list[tuple[int, Any]]) -> None:
        """``held``: (seq, (publisher, number)) of the whole history. Raises: Finding."""
        events = [event for _, event in held]
        must(epoch == (self.epoch or epoch), f"the epoch was {self.epoch}, and is {epoch}")
        self.epoch = epoch
        missing = self.acknowledged - set(events)
        must(not missing, f"{len(missing)} acknowledged events are missing, such as {sorted(missing)[:1]}")
        must(len(set(events)) == len(events), "an event is there twice")
        must([seq for seq, _ in held] == list(range(1, len(held) + 1)), "the events do not count 1, 2, 3 …")
        for name in {name for name, _ in events}:
            numbers = [number for of, number in events if of == name]
            must(numbers == list(range(len(numbers))), f"publisher {name}'s are not in order: {numbers[:20]}")
        must(self.followed == held[: len(self.followed)], "the follower did not get what the history holds")


class Publisher(threading.Thread):
    """Publishes (name, 0), (name, 1) … until the server is gone; ``acknowledged``: those that were."""

    def __init__(self, port: int, name: str) -> None:
        super().__init__(daemon=True)
        self.program = Program(port, **OWNER)
        self.name = name
        self.acknowledged: set[tuple[str, int]] = set()
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            waiting = [
                self.program.begin_publish(CHANNEL, [self.name, number]) for number in range(OUTSTANDING)
            ]
            while True:
                self.program.answer(waiting.pop(0))
                number = len(self.acknowledged)
                self.acknowledged.add((self.name, number))
                waiting.append(self.program.begin_publish(CHANNEL, [self.name, number + OUTSTANDING]))
        except OSError:
            # The server was killed.
            self.program.close()
        except Exception as error:
            self.error = error


class Follower(threading.Thread):
    """A listener who keeps its position from one server to the next."""

    def __init__(self, port: int, model: Model) -> None:
        super().__init__(daemon=True)
        self.program = Program(port, **OWNER)
        self.program.listen(CHANNEL, _radiod_after=model.position)
        self.model = model
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            while True:
                event = self.program.event()
                self._follow(event.details, event.data)
        except OSError:
            self.program.close()
        except Exception as error:
            self.error = error

    def _follow(self, details: dict[str, Any], data: Any) -> None:
        must(
            "_lost" not in details and details.get("_recovered", True),
            f"the follower was told of loss: {details}",
        )
        self.model.position = f"{details['_epoch']}:{details['_seq']}"
        self.model.followed.append((details["_seq"], tuple(data)))


def history(port: int) -> tuple[str, list[tuple[int, Any]]]:
    """Epoch, and (seq, (publisher, number)) of all that the channel holds."""
    with contextlib.closing(Program(port, **OWNER)) as program:
        found: list[tuple[int, Any]] = []
        page = program.call("radiod.channel.history", CHANNEL, None, PAGE)
        while page["events"]:
            found += [
                (int(one["position"].partition(":")[2]), tuple(one["args"][0])) for one in page["events"]
            ]
            page = program.call("radiod.channel.history", CHANNEL, page["position"], PAGE)
        return page["position"].partition(":")[0], found


def is_sound(path: Path) -> bool:
    """Whether SQLite finds no fault."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return bool(connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)])


def no_traceback(server: Server) -> None:
    """Raises: Finding."""
    text = server.log.read_text()
    must("Traceback" not in text, f"a traceback in the log: {text[-2000:]}")


def work(server: Server, name: str, model: Model, pause: float) -> None:
    """Publish and follow for ``pause`` seconds, then kill. Raises: Finding."""
    if model.position is None:
        model.position = f"{history(server.port)[0]}:0"
    follower = Follower(server.port, model)
    publishers = [Publisher(server.port, f"{name}.{one}") for one in range(PUBLISHERS)]
    threads = [follower, *publishers]
    for thread in threads:
        thread.start()
    # Not to wait for anything: the kill falls into any phase of a transaction.
    time.sleep(pause)
    server.process.send_signal(signal.SIGKILL)
    for thread in threads:
        thread.join(30)
    must(not any(one.error for one in threads), f"not served: {[one.error for one in threads]}")
    for publisher in publishers:
        model.acknowledged |= publisher.acknowledged
    no_traceback(server)


def play(scene: Scene) -> str:
    """Kill, start again, look; over and over on one store."""
    path = scene.folder / "store.sqlite"
    config = durable(path)
    model = Model()
    kills = 0
    for kills in scene.rounds(least=2):
        with radiod(scene.folder, config) as server:
            model.look(*history(server.port))
            work(server, str(kills), model, scene.random.uniform(0.05, 0.6))
    with radiod(scene.folder, config) as server:
        epoch, held = history(server.port)
        model.look(epoch, held)
        no_traceback(server)
    must(is_sound(path), "SQLite finds fault with the store")
    return (
        f"{kills + 1} kills: {len(held)} events held, {len(model.acknowledged)} acknowledged,"
        f" {len(model.followed)} followed: none missing, none twice, in order"
    )


def play_torn(scene: Scene) -> str:
    """The write-ahead log of a killed server is cut off, or changed, at a random place.

    What the disk lost is lost. What is left is as it was, and a listener who had more is told: there is
    never another event in a place that somebody has seen.
    """
    origin = scene.folder / "origin"
    origin.mkdir()
    model = Model()
    with radiod(scene.folder, durable(origin / "store.sqlite")) as server:
        work(server, "0", model, 0.4)
    whole = scene.folder / "whole"
    shutil.copytree(origin, whole)
    with radiod(scene.folder, durable(whole / "store.sqlite")) as server:
        known = history(server.port)[1]
        model.look(*history(server.port))
    tears = short = salvaged = 0
    for number in scene.rounds(least=2):
        folder = scene.folder / str(number)
        shutil.copytree(origin, folder)
        wal = folder / "store.sqlite-wal"
        how = tear(scene, wal)
        path, is_salvaged = opened(scene, folder / "store.sqlite", how)
        salvaged += is_salvaged
        with radiod(scene.folder, durable(path)) as server:
            short += torn(server, model, known, how)
        must(is_sound(path), f"{how}: SQLite finds fault with the store")
        shutil.rmtree(folder)
        tears += 1
    return (
        f"{tears} tears of a log of {len(model.acknowledged)} acknowledged events: {salvaged} times the"
        f" start was refused in one line, and the store salvaged; {short} times events were lost, and told"
    )


def opened(scene: Scene, path: Path, how: str) -> tuple[Path, bool]:
    """A store that a server starts on: this one, or what is salvaged. Raises: Finding."""
    try:
        with radiod(scene.folder, durable(path)) as server:
            must(server.stop() == 0, f"{how}: the server did not end well")
            return path, False
    except AssertionError as refusal:
        lines = str(refusal).strip().splitlines()
    must(len(lines) == 1 and "'salvage' keeps the rest" in lines[0], f"{how}: the server said {lines[-5:]}")
    new = path.with_name("new.sqlite")
    done = subprocess.run(
        [sys.executable, "-m", "radiod.store", "salvage", str(path), str(new)],
        capture_output=True, text=True, timeout=60, cwd=ROOT, env=environment(), check=False,
    )  # fmt: skip
    must(new.exists() and "Traceback" not in done.stderr, f"{how}: not salvaged: {done.stdout}{done.stderr}")
    return new, True


def tear(scene: Scene, wal: Path) -> str:
    """Returns: what was done to the file."""
    data = bytearray(wal.read_bytes())
    at = scene.random.randrange(len(data))
    if scene.random.random() < 0.5:
        wal.write_bytes(data[:at])
        return f"the log was cut at {at} of {len(data)}"
    data[at] ^= 1 << scene.random.randrange(8)
    wal.write_bytes(data)
    return f"the log was changed at {at} of {len(data)}"


def torn(server: Server, model: Model, known: list[tuple[int, Any]], how: str) -> bool:
    """Look at a server on a torn log, as one who has followed all. Returns: whether anything was lost."""
    _, held = history(server.port)
    must(set(held) <= set(known), f"{how}: an event is there that nobody published, or in another's place")
    is_short = not set(model.followed) <= set(held)
    with contextlib.closing(Program(server.port, **OWNER)) as program:
        program.listen(CHANNEL, _radiod_after=model.position)
        program.publish(CHANNEL, ["after", 0], exclude_me=False)
        events = [program.event()]
        while events[-1].data != ["after", 0]:
            events.append(program.event())
    is_told = any("_lost" in one.details or one.details.get("_recovered") is False for one in events)
    last = events[-1].details
    if is_short:
        more = f"it had {model.position}, {len(held)} are left, event {last} came"
        must(is_told, f"{how}: a follower was not told of the loss: {more}")
    no_traceback(server)
    return is_short
