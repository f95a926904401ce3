"""Three real nodes and their three NATS servers, each of which can be killed, paused and started again."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.nats.servers import Server as NatsServer
from engine.nats.servers import Servers
from support.running import ROOT, TWISTD, environment, free_port

from chaos.scene import must, patient

__all__ = ["CONFIG", "DEAD_AFTER_S", "NODES", "Node", "Town", "channels", "config_for", "pause", "town"]

NODES = "abc"
DEAD_AFTER_S = 5.0
START_S = 60.0
CONFIG = """
[[listen]]
endpoint = "tcp:{port}:interface={host}"
serve = ["radio", "metrics"]

[realms.radio]
anonymous = "anybody"

[realms.radio.roles.anybody]
subscribe = ["*", "wamp.*", "radiod.*"]
publish = ["*"]
call = ["*", "wamp.*", "radiod.*"]
register = ["*"]

[realms.radio.channels."crowd.*"]
presence = true

[realms.radio.channels."past.*"]
history = {{ size = 20000 }}

[realms.radio.channels."kept.*"]
history = {{ size = 20000 }}
durable = true

[realms.radio.channels."booth.a"]
presence = true

[realms.radio.channels."booth.b"]
presence = true

[realms.radio.channels."booth.c"]
presence = true

[realms.radio.channels."solo"]
single_writer = true

[limits]
max_connections_per_address = 20000
max_history_bytes = 268435456

[store]
path = "{folder}/store-{name}.sqlite"

[admin]
socket = "{folder}/{name}.sock"

[cluster]
nats = {urls}
node = "{name}"
{more}
"""


def channels(pasts: int) -> list[str]:
    """Names of channels with a history, durable ones and others in turn."""
    return [f"{'kept' if at % 2 else 'past'}.{at}" for at in range(pasts)]


class Node:
    """One node; ``prefix``: what its command stands behind."""

    def __init__(
        self, name: str, folder: Path, host: str, port: int, config: str, prefix: Sequence[str]
    ) -> None:
        self.name = name
        self.host = host
        self.port = port
        self.log = folder / f"{name}.log"
        self._file = folder / f"{name}.toml"
        self._file.write_text(config)
        self._prefix = prefix
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """Its process, which has been started."""
        assert self._process is not None
        return self._process

    def start(self) -> None:
        """Start it; it is not ready yet."""
        command = [*self._prefix, *TWISTD, "-n", "--pidfile=", "radiod", "--config", str(self._file)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=ROOT, env=environment(), start_new_session=True
            )

    def ready(self) -> int:
        """What /readyz answers; 0: nothing."""
        try:
            with urllib.request.urlopen(f"http://{self.host}:{self.port}/readyz", timeout=2) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def wait_ready(self) -> None:
        """Raises: Finding: it ends, or takes too long."""

        def is_ready() -> bool:
            must(self.process.poll() is None, f"node {self.name} has ended: {self.tail()}")
            return self.ready() == 200

        patient(is_ready, f"node {self.name} is not ready: {self.tail()}", START_S)

    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_text()[-1500:] if self.log.exists() else ""

    def kill(self) -> None:
        """kill -9, and wait."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(20)

    def stop(self) -> None:
        """SIGTERM, and wait."""
        self.process.terminate()
        self.process.wait(60)

    def pause(self) -> None:
        """It stands still, with all its connections."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """It goes on."""
        self.process.send_signal(signal.SIGCONT)


class Town:
    """See the module."""

    def __init__(self, nodes: list[Node], servers: Servers) -> None:
        self.nodes = {node.name: node for node in nodes}
        self.servers = servers

    def start(self) -> None:
        """Start all of it."""
        self.servers.start()
        for node in self.nodes.values():
            node.start()
        for node in self.nodes.values():
            node.wait_ready()

    def leader(self, kind: str = "history") -> NatsServer:
        """The server that leads the streams of channels of a kind, ``history`` or ``durable``."""
        return patient(lambda: self._leader(kind), f"nobody leads the log of {kind}")  # type: ignore[no-any-return]

    def _leader(self, kind: str) -> NatsServer | None:
        for server in self.servers.all:
            if server.is_running:
                names = re.findall(rf'"name": "([\w-]*{kind}-\d+)"', server.look("jsz?streams=1"))
                for name in names:
                    if (leader := self.servers.leader(name)) is not None:
                        return leader
        return None

    def beside(self, server: NatsServer) -> Node:
        """The node that stands beside a server."""
        return self.nodes[server.name]

    def end(self) -> None:
        """Kill them all."""
        for node in self.nodes.values():
            node.kill()
        self.servers.end()

    def no_traceback(self) -> None:
        """Raises: Finding."""
        for node in self.nodes.values():
            text = node.log.read_text()
            at = text.find("Traceback")
            must(at < 0, f"a traceback in the log of {node.name}: {text[max(0, at - 300) : at + 2000]}")

    def lines(self) -> list[str]:
        """What nodes said of the cluster, for whoever looks for a reason."""
        return [
            f"{node.name} {line}"
            for node in self.nodes.values()
            for line in node.log.read_text().splitlines()
            if "cluster" in line
        ]


def config_for(folder: Path, name: str, host: str, port: int, urls: Sequence[str], more: str = "") -> str:
    """The configuration of one node."""
    values = {"folder": folder, "name": name, "host": host, "port": port, "more": more}
    return CONFIG.format(urls=json.dumps(list(urls)), **values)


@contextlib.contextmanager
def town(folder: Path, more: str = "", prepare: bool = True) -> Iterator[Town]:
    """A cluster on loopback until the block ends. ``more``: of each node's configuration."""
    servers = Servers(folder / "nats", len(NODES))
    nodes = []
    for name in NODES:
        port = free_port()
        config = config_for(folder, name, "127.0.0.1", port, servers.urls, more)
        nodes.append(Node(name, folder, "127.0.0.1", port, config, ()))
    found = Town(nodes, servers)
    try:
        if prepare:
            found.start()
        yield found
    finally:
        found.end()


def pause(seconds: float) -> None:
    """Let what happens take its time: the scenario is this long by its name."""
    time.sleep(seconds)
