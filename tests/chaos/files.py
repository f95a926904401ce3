"""Where servers write: a full disk, one that cannot be written, no /tmp, and a log that nobody reads."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import socket
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fuzz.pipes import request
from fuzz.target import Oracle, Target
from support.config import configuration
from support.programs import Failed, Program
from support.running import ROOT, TWISTD, Server, environment, free_port, wait_until

from chaos.kills import OWNER
from chaos.machine import answers
from chaos.scene import CONFIG, Scene, Skipped, durable, judged, must, watched

__all__ = ["disk", "locked_disk", "no_tmp", "pipe"]

PIPE_BYTES = 8192
FULL = 4096
FILL_S = 15.0


@contextlib.contextmanager
def launched(
    folder: Path,
    config: str,
    *,
    prefix: Sequence[str] = (),
    output: int | None = None,
    variables: dict[str, str] | None = None,
) -> Iterator[Server]:
    """A server whose command stands behind ``prefix``, and whose ``output`` is closed here."""
    port = free_port()
    file, log = folder / f"launched-{port}.toml", folder / f"launched-{port}.log"
    file.write_text(config)
    log.touch()
    if output is None:
        output = os.open(log, os.O_WRONLY | os.O_APPEND)
    command = [*prefix, *TWISTD, "-n", "--pidfile=", "radiod", "--config", str(file)]
    command += ["--listen", f"tcp:{port}:interface=127.0.0.1"]
    variables = {**environment(), **(variables or {})}
    process = subprocess.Popen(command, stdout=output, stderr=output, cwd=ROOT, env=variables)
    os.close(output)
    try:
        server = Server(process, port, log)
        wait_until(lambda: answers(server), process, log)
        yield server
    finally:
        process.kill()
        process.wait()


# --- the log


def pipe_end() -> tuple[int, int]:
    """The two ends of a small pipe."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return reading, writing


def noise(port: int, count: int) -> None:
    """What makes lines of the log: nonsense, from many addresses, and sessions of a user."""
    for number in range(count):
        with contextlib.suppress(OSError), socket.socket() as stranger:
            stranger.settimeout(5)
            stranger.bind((f"127.0.1.{1 + number}", 0))
            stranger.connect(("127.0.0.1", port))
            stranger.sendall(b"NONSENSE\r\n\r\n")
            stranger.recv(1 << 16)
    Program(port, **OWNER).close()


def waiting(reading: int) -> int:
    """Bytes that nobody has read of a pipe."""
    return int.from_bytes(fcntl.ioctl(reading, termios.FIONREAD, bytes(4)), sys.byteorder)


def pipe(scene: Scene) -> str:
    """Nobody reads the pipe that the log goes to, as when what collects it hangs; then it is read again."""
    rounds = fullest = 0
    worst = 0.0
    reading, writing = pipe_end()
    config = configuration(base=CONFIG, log_interval_s=0.1)
    with launched(scene.folder, config, output=writing) as server:
        oracle = Oracle(Target(server))
        oracle.check()
        oracle.warmed()
        for rounds in scene.rounds():  # noqa: B007
            end = time.monotonic() + FILL_S
            turns = 0
            while time.monotonic() < end and turns < 10:
                noise(server.port, 5)
                start = time.monotonic()
                oracle.check()
                worst = max(worst, time.monotonic() - start)
                fullest = max(fullest, waiting(reading))
                # It is full: what comes now has no place.
                turns += fullest > FULL
                time.sleep(0.05)
            os.set_blocking(reading, False)
            with contextlib.suppress(BlockingIOError):
                while os.read(reading, 1 << 16):
                    pass
            os.set_blocking(reading, True)
        threading.Thread(target=drain, args=(os.dup(reading),), daemon=True).start()
        oracle.check_end()
        must(server.stop() == 0, "the server did not end well")
    must(fullest > FULL, f"only {fullest} bytes of log: the pipe was never full")
    told = f"{rounds + 1} times stalled with {fullest} bytes unread"
    return f"{told}: the bystander waited {1000 * worst:.0f} ms at most"


def drain(descriptor: int) -> None:
    """Read until the end."""
    with contextlib.suppress(OSError):
        while os.read(descriptor, 1 << 16):
            pass
    os.close(descriptor)


# --- the disk


def disk(scene: Scene) -> str:
    """The disk is full, or may not be written: publishers are told, and what was acknowledged stays."""
    path = scene.folder / "store.sqlite"
    acknowledged: list[int] = []
    refusals = rounds = 0
    with watched(scene, durable(path)) as (server, oracle):  # noqa: SIM117
        with contextlib.closing(Program(server.port, **OWNER)) as program:
            for rounds in scene.rounds(most=90):
                acknowledged += published(program, 10 * rounds, 5, True)
                with full(server, Path(f"{path}-wal")):
                    written = published(program, 10 * rounds + 5, 5, None)
                    refusals += 5 - len(written)
                    acknowledged += written
                    oracle.check()
            acknowledged += published(program, 10 * rounds + 10, 5, True)
            held = program.call("radiod.channel.history", "own.log", None, 1000)["events"]
            got = [event["args"][0] for event in held]
            must(got == acknowledged, f"acknowledged {acknowledged[-20:]}, held {got[-20:]}")
    must(refusals > 0, "a full disk was not noticed")
    return f"{rounds + 1} times full, {refusals} publishes refused, {len(acknowledged)} acknowledged and held"


@contextlib.contextmanager
def full(server: Server, wal: Path) -> Iterator[None]:
    """No file of the server grows beyond what its log has."""
    pid = server.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (wal.stat().st_size, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


def published(program: Program, first: int, count: int, is_taken: bool | None) -> list[int]:
    """Publish some numbers. Returns: the acknowledged ones. Raises: Finding: not as ``is_taken``."""
    taken = []
    for number in range(first, first + count):
        try:
            program.publish("own.log", number)
            taken.append(number)
        except Failed as failure:
            must(is_taken is not True, f"a publish was refused with {failure}")
            must(failure.uri == "radiod.error.unavailable", f"a full disk is told as {failure}")
    return taken


# --- no /tmp


READ_ONLY = """
mount --make-rprivate / && mount --bind "$FOLDER" "$FOLDER" && mount -o remount,bind,ro /
for place in /tmp /var/tmp "$PWD"; do
    if mountpoint -q "$place"; then mount -o remount,bind,ro "$place"; fi
done
if [ -n "$LOCKED" ]; then mount --bind "$LOCKED" "$LOCKED" && mount -o remount,bind,ro "$LOCKED"; fi
exec "$@"
"""
"""All of the machine is read-only but ``FOLDER``, and ``LOCKED`` in it; for this program alone."""


def read_only(scene: Scene, locked: str = "") -> dict[str, Any]:
    """How to launch a server there. Raises: Skipped."""
    if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
        raise Skipped("no mount namespaces can be made here")
    variables = {"FOLDER": str(scene.folder), "LOCKED": locked, "TMPDIR": str(scene.folder / "nowhere")}
    return {"prefix": ["unshare", "-m", "sh", "-c", READ_ONLY, "sh"], "variables": variables}


def no_tmp(scene: Scene) -> str:
    """No folder for temporary files, nor any other to write to: long bodies need none."""
    config = durable(scene.folder / "store.sqlite")
    count = 0
    with launched(scene.folder, config, **read_only(scene)) as server, judged(server) as oracle:
        must(not is_writable(server, "/tmp"), "/tmp can be written in this scenario")
        for count in scene.rounds(most=50):  # noqa: B007
            body = b'{"topic": "sample_net", "args": ["%s"]}' % (b"x" * 900_000)
            with socket.create_connection(("127.0.0.1", server.port), 20) as connection:
                connection.sendall(request("POST", "/publish", body, ["API-KEY: sample-key"]))
                answer = connection.recv(4096)
            must(b" 200 " in answer[:20], f"a long body is answered {answer[:100]!r}")
            with contextlib.closing(Program(server.port, **OWNER)) as program:
                program.publish("own.log", "x" * 900_000)
            oracle.check()
    return f"{count + 1} long bodies and messages without a folder for temporary files"


def is_writable(server: Server, folder: str) -> bool:
    """Whether a program beside the server may write there."""
    command = ["nsenter", "-t", str(server.process.pid), "-m", "test", "-w", folder]
    return subprocess.run(command, check=False).returncode == 0


def locked_disk(scene: Scene) -> str:
    """The store cannot be written: the start is refused in one line; and then it can be."""
    folder = scene.folder / "locked"
    folder.mkdir()
    config = durable(folder / "store.sqlite")
    with launched(scene.folder, config) as server:
        with contextlib.closing(Program(server.port, **OWNER)) as program:
            program.publish("own.log", 1)
        must(server.stop() == 0, "the server did not end well")
    try:
        with launched(scene.folder, config, **read_only(scene, str(folder))):
            must(False, "a server serves durable channels that it cannot write")
    except AssertionError as refusal:
        lines = str(refusal).strip().splitlines()
    must(len(lines) == 1 and lines[0].startswith("radiod: store "), f"the server said {lines[-5:]}")
    with launched(scene.folder, config) as server, judged(server):
        with contextlib.closing(Program(server.port, **OWNER)) as program:
            held = [event["args"] for event in program.call("radiod.channel.history", "own.log")["events"]]
        must(held == [[1]], f"held {held}")
    return f"refused in one line: {lines[0][:60]}…"
