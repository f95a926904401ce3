"""One address for several nodes: each connection goes to the next of them, whoever makes it."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from support.cluster.balancing import Balancer
from support.cluster.running import Node
from support.running import Server

__all__ = ["Front", "front"]

SECONDS = 30


class Front(Server):
    """Nodes as one server: it listens where clients are sent to, and has the logs of all."""

    def __init__(self, nodes: Sequence[Node], port: int) -> None:
        super().__init__(nodes[0].server.process, port, Logs(nodes))  # type: ignore[arg-type]
        self.nodes = nodes


class Logs:
    """The logs of several nodes, as if they were one file."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._nodes = nodes

    def read_text(self) -> str:
        """All of them, one behind the other."""
        return "".join(node.log for node in self._nodes)

    @property
    def parent(self) -> Path:
        """The folder where tests put files of their own."""
        return self._nodes[0].server.log.parent


class _Handler(socketserver.BaseRequestHandler):
    """One connection: it ends for both sides when it ends for one."""

    server: _Doors

    def handle(self) -> None:
        try:
            data = self.request.recv(1 << 16)
            node = self.server.balancer.choose(data)
            there = socket.create_connection(("127.0.0.1", self.server.ports[node]), SECONDS)
        except OSError:
            return
        there.settimeout(None)
        for one in (self.request, there):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        is_opening = Balancer.is_opening(data)
        with there:
            back = threading.Thread(target=self._back, args=(there, node, is_opening), daemon=True)
            back.start()
            with contextlib.suppress(OSError):
                while data:
                    there.sendall(data)
                    data = self.request.recv(1 << 16)
                there.shutdown(socket.SHUT_WR)
            back.join()

    def _back(self, there: socket.socket, node: int, is_opening: bool) -> None:
        with contextlib.suppress(OSError):
            while data := there.recv(1 << 16):
                if is_opening:
                    self.server.balancer.learn(node, data)
                self.request.sendall(data)
        with contextlib.suppress(OSError):
            self.request.shutdown(socket.SHUT_RDWR)


class _Doors(socketserver.ThreadingTCPServer):
    """Where connections come, and which nodes they may go to."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, ports: Sequence[int]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.ports = ports
        self.balancer = Balancer(len(ports))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has hung up is no error of ours."""


@contextlib.contextmanager
def front(nodes: Sequence[Node]) -> Iterator[Front]:
    """An address in front of nodes, until the block ends."""
    with _Doors([node.server.port for node in nodes]) as doors:
        thread = threading.Thread(target=doors.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield Front(nodes, int(doors.server_address[1]))
        finally:
            doors.shutdown()
            thread.join()
