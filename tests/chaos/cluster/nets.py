"""Three machines in network namespaces, each a node and its NATS server, whose cables can be pulled.

Between the servers is one network, which nodes use, too; clients are on another, and reach all nodes
whatever is cut. A hub namespace has both; nothing touches the machine's own networks.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from engine.nats.servers import ROUTES, Server, Servers

from chaos.cluster.town import NODES, Node, Town, config_for
from chaos.scene import Skipped

__all__ = ["Cables", "cabled_town"]

CLONE_NEWNET = 0x40000000
CORE, DOOR = "198.19.1.{}", "198.19.2.{}"
"""Addresses of a machine on the two networks, in the block for benchmarks of networks (RFC 2544)."""


class Cables:
    """The namespaces, and what connects them. Raises, on entering: Skipped: it cannot be done here."""

    def __init__(self) -> None:
        self._hub = f"rc{os.getpid()}"
        self._home: int | None = None

    def inside(self, name: str) -> tuple[str, ...]:
        """What a command stands behind that is to run on one of the machines."""
        return ("ip", "netns", "exec", f"{self._hub}{name}")

    def __enter__(self) -> Cables:
        if os.geteuid() or shutil.which("ip") is None:
            raise Skipped("network namespaces need root, and ip")
        try:
            self._build()
            self._home = os.open("/proc/self/ns/net", os.O_RDONLY)
            _enter(self._hub)
        except (OSError, subprocess.CalledProcessError) as error:
            self._remove()
            raise Skipped(f"no network namespaces: {getattr(error, 'stderr', '') or error}") from None
        return self

    def _build(self) -> None:
        hub = self._hub
        _ip("netns", "add", hub)
        _ip("-n", hub, "link", "set", "lo", "up")
        for bridge in ("core", "door"):
            _ip("-n", hub, "link", "add", bridge, "type", "bridge")
            _ip("-n", hub, "link", "set", bridge, "up")
        _ip("-n", hub, "addr", "add", f"{DOOR.format(254)}/24", "dev", "door")
        for at, name in enumerate(NODES, 1):
            machine = f"{hub}{name}"
            _ip("netns", "add", machine)
            _ip("-n", machine, "link", "set", "lo", "up")
            for bridge, address in (("core", CORE), ("door", DOOR)):
                port = f"{bridge}{name}"
                _ip("-n", hub, "link", "add", port, "type", "veth", "peer", "name", bridge, "netns", machine)
                _ip("-n", hub, "link", "set", port, "master", bridge, "up")
                _ip("-n", machine, "addr", "add", f"{address.format(at)}/24", "dev", bridge)
                _ip("-n", machine, "link", "set", bridge, "up")

    def cut(self, name: str) -> None:
        """A machine reaches the others no more, nor they it; nobody is told."""
        _ip("-n", self._hub, "link", "set", f"core{name}", "down")

    def heal(self, name: str) -> None:
        """It does again."""
        _ip("-n", self._hub, "link", "set", f"core{name}", "up")

    def _remove(self) -> None:
        if self._home is not None:
            _setns(self._home)
            os.close(self._home)
            self._home = None
        for name in ("", *NODES):
            subprocess.run(["ip", "netns", "del", f"{self._hub}{name}"], capture_output=True, check=False)

    def __exit__(self, *about: object) -> None:
        self._remove()


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


def _enter(name: str) -> None:
    with open(f"/run/netns/{name}", "rb") as file:
        _setns(file.fileno())


def _setns(descriptor: int) -> None:
    """This thread, and what it starts from now on, lies in that namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


@contextlib.contextmanager
def cabled_town(folder: Path, more: str = "") -> Iterator[tuple[Town, Cables]]:
    """A cluster on three machines until the block ends. ``more``: as ``town``. Raises: Skipped."""
    with Cables() as cables:
        listed = ", ".join(f'"nats://{CORE.format(at)}:6222"' for at in range(1, 4))
        servers, nodes = [], []
        for at, name in enumerate(NODES, 1):
            core, door, prefix = CORE.format(at), DOOR.format(at), cables.inside(name)
            routes = (ROUTES % (6222, listed)).replace("127.0.0.1", core)
            one = Server(
                name, folder / "nats" / name, 4222, 8222, routes, host=core, monitor=door, prefix=prefix
            )
            servers.append(one)
        urls = [one.url for one in servers]
        for at, name in enumerate(NODES, 1):
            door = DOOR.format(at)
            config = config_for(folder, name, door, 8080, urls, more)
            nodes.append(Node(name, folder, door, 8080, config, cables.inside(name)))
        found = Town(nodes, Servers.of(servers))
        try:
            found.start()
            yield found, cables
        finally:
            found.end()
