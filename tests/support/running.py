"""Real programs for end-to-end tests: twistd on a free port, and whatever else is started beside it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
import tomllib
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

from support import nursery
from support.nursery import RADIOD, TWISTD

# fmt: off
__all__ = [
    "RADIOD", "ROOT", "TWISTD", "Process", "Server", "environment", "free_port", "program", "radiod",
    "wait_until",
]
# fmt: on

Process: TypeAlias = subprocess.Popen[bytes]
ROOT = Path(__file__).resolve().parents[2]
# Only ever waited for on a machine that has far too much to do.
START_SECONDS = 60.0
STOP_SECONDS = 10.0


def free_port() -> int:
    """A port of the loopback interface that nobody listens on, nor is given for the next minute.

    A connection that ended there keeps the kernel from choosing it again, also for tests that run beside
    this one. Whoever names the port and sets SO_REUSEADDR, as servers do, may have it.
    """
    with socket.socket() as probe, socket.socket() as peer:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", 0))
        probe.listen()
        peer.connect(probe.getsockname())
        accepted, _ = probe.accept()
        # The side that closes first is the one that the kernel remembers.
        accepted.close()
        return int(probe.getsockname()[1])


class Server:
    """One running radiod."""

    def __init__(self, process: Process, port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.log = log

    @property
    def url(self) -> str:
        """Where it answers HTTP, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws(self) -> str:
        """Where it speaks WebSocket, without a slash at the end."""
        return f"ws://127.0.0.1:{self.port}"

    def resident_kib(self) -> int:
        """Resident memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0])

    def stop(self) -> int:
        """SIGTERM. Returns: the exit status, 0 for the signal that twistd ends itself with."""
        self.process.terminate()
        return self.ended()

    def ended(self) -> int:
        """Wait for the end. Returns: as ``stop``."""
        status = self.process.wait(STOP_SECONDS)
        return 0 if status == -signal.SIGTERM else status


@contextlib.contextmanager
def radiod(
    folder: Path,
    config: str,
    port: int | None = None,
    *arguments: str,
    twistd: tuple[str, ...] = (),
    variables: dict[str, str] | None = None,
) -> Iterator[Server]:
    """Run ``twistd -n radiod`` with ``config`` until the block ends.

    Args:
        config: TOML (``support.config``) without ``listen``, or with ``:8080:`` in an endpoint for its port.
        twistd: its own options.
        variables: of the environment, besides.
    """
    port = port or free_port()
    file = folder / f"radiod-{port}.toml"
    given = tomllib.loads(config)
    # Others may run from this folder.
    own = "" if "admin" in given else f'\n[admin]\nsocket = "radiod-admin-{port}.sock"\n'
    file.write_text(config.replace(":8080:", f":{port}:") + own)
    listen = [] if "listen" in given else ["--listen", f"tcp:{port}:interface=127.0.0.1"]
    log = folder / f"radiod-{port}.log"
    options = ["-n", "--pidfile=", *twistd, "radiod", "--config", str(file), *listen, *arguments]
    with program([*TWISTD, *options], log, env={**environment(), **(variables or {})}) as process:
        server = Server(process, port, log)
        wait_until(lambda: _answers(server), process, log)
        yield server


@contextlib.contextmanager
def program(
    command: list[str], log: Path, start: type[Process] = nursery.Popen, **options: Any
) -> Iterator[Process]:
    """Run a program of the checkout; whatever happens it has ended when the block ends.

    Args:
        start: ``subprocess.Popen`` for one that is to import everything itself.
    """
    with log.open("ab") as output:
        options = {"env": environment(), **options}
        process = start(command, stdout=output, stderr=output, cwd=ROOT, **options)
        with _ended(process):
            yield process


@contextlib.contextmanager
def _ended(process: Process) -> Iterator[None]:
    try:
        yield
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def environment() -> dict[str, str]:
    """This process's environment, with the checkout importable; logs are written as they come."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


def wait_until(is_so: Any, process: Process, log: Path) -> None:
    """Poll ``is_so`` until it is true. Raises: AssertionError: the program ended, or took too long."""
    end = time.monotonic() + START_SECONDS
    while not is_so():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.05)


def _answers(server: Server) -> bool:
    try:
        with urllib.request.urlopen(f"{server.url}/healthz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
