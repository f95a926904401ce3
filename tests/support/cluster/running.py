"""Real nodes: several twistd beside real NATS servers."""

from __future__ import annotations

import contextlib
import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

from support.running import Server, radiod, wait_until

__all__ = ["Node", "is_ready", "node", "nodes"]

CLUSTER = """
[cluster]
nats = {urls}
node = "{name}"
replicas = {replicas}
"""


class Node:
    """One node: its name, and its server."""

    def __init__(self, name: str, server: Server) -> None:
        self.name = name
        self.server = server

    @property
    def log(self) -> str:
        """What it has logged."""
        return self.server.log.read_text()

    def wait_for(self, text: str) -> None:
        """Wait until it has logged that."""
        wait_until(lambda: text in self.log, self.server.process, self.server.log)

    def wait_ready(self, is_wanted: bool = True) -> None:
        """Wait until clients should be sent to it, or should not."""
        wait_until(lambda: is_ready(self.server) is is_wanted, self.server.process, self.server.log)


@contextlib.contextmanager
def node(
    folder: Path, name: str, urls: Sequence[str], config: str = "", port: int | None = None, more: str = ""
) -> Iterator[Node]:
    """One node, which may have found nobody yet. ``more``: of its ``[cluster]``."""
    cluster = CLUSTER.format(urls=json.dumps(list(urls)), name=name, replicas=min(3, len(urls)))
    with radiod(folder, config + cluster + more, port) as server:
        yield Node(name, server)


@contextlib.contextmanager
def nodes(
    folder: Path, urls: Sequence[str], number: int = 3, config: str = "", more: str = ""
) -> Iterator[list[Node]]:
    """So many nodes, a, b, c and so on, that know each other."""
    with contextlib.ExitStack() as stack:
        found = [
            stack.enter_context(node(folder, name, urls, config, more=more)) for name in "abcdefgh"[:number]
        ]
        for one in found:
            one.wait_ready()
        yield found


def is_ready(server: Server) -> bool:
    """What /readyz says."""
    try:
        with urllib.request.urlopen(f"{server.url}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError as error:
        if error.code == 503:
            return False
        raise
