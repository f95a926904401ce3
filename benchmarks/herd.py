#!/usr/bin/env python3
"""What listeners that are there see while thousands come at once, as after a restart.

    ./herd.py                            3,000 joins over TCP
    ./herd.py --kinds tcp,unix,tls,sse   by other ways; sse: Server-Sent Events in place of WAMP
    ./herd.py --root DIR                 the server of another source tree, to compare

20 listeners hear 50 events a second. Then all the others connect at once, each with a WebSocket handshake, a
WAMP login and a subscription (or, with sse, one request). "slowest" is the last one's way from its connect to
its answer. p50, p99 and worst are from the publisher's clock reading to the listeners' recv() while the herd
comes; "quiet" is the p99 before that. refused: connections that failed, or were closed. The server has one
CPU, the herd the other, together with the listeners, whose process goes first (as root).
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import multiprocessing
import os
import select
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import harness
from harness import PUBLISH, SUBSCRIBE, SUBSCRIBED, Server, WebSocket

TOPIC = "live.topic"
HELLO = [1, "realm1", {"roles": {"subscriber": {}, "publisher": {}}}]
Row = dict[str, float]


def frame(message: Any) -> bytes:
    """A WebSocket text frame of a client whose mask is zeros."""
    data = json.dumps(message, separators=(",", ":")).encode()
    size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big")
    return b"\x81" + size + bytes(4) + data


class Client:
    """One of the herd: what it says next, once it has heard the answer to what it said before."""

    def __init__(self, number: int, kind: str, address: Any, context: ssl.SSLContext | None) -> None:
        self.began = time.perf_counter()
        self.seconds: float | None = None
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        plain = socket.socket(family, socket.SOCK_STREAM)
        plain.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            plain.connect(address)
        self.socket = plain
        self._context = context
        self._is_shaking = context is not None
        key = base64.b64encode(os.urandom(16)).decode()
        upgrade = (
            f"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Protocol: wamp.2.json\r\n\r\n"
        ).encode()
        topic = f"herd.{number % 10}"
        self._steps = [
            (upgrade, b"HTTP/1.1 101"),
            (frame(HELLO), b"[2,"),
            (frame([SUBSCRIBE, 1, {}, topic]), b"[33,"),
        ]
        if kind == "sse":
            asked = f"GET /listen/{topic} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
            self._steps = [(asked.encode(), b"HTTP/1.1 200")]
        self._wanted = b""

    @property
    def is_writing(self) -> bool:
        """Whether it waits for its connection."""
        return not self._wanted and not (self._is_shaking and self._context is None)

    def go_on(self) -> bool:
        """The socket can be read, or is connected. Returns: whether it is in. Raises: OSError."""
        if self._context is not None:
            context, self._context = self._context, None
            error = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise OSError(error, "refused")
            self.socket = context.wrap_socket(self.socket, do_handshake_on_connect=False)
        if self._is_shaking:
            try:
                self.socket.do_handshake()  # type: ignore[attr-defined] # it is TLS
            except ssl.SSLWantReadError:
                return False
            self._is_shaking = False
        if self._wanted:
            try:
                data = self.socket.recv(65536)
            except ssl.SSLWantReadError:
                return False
            if not data:
                raise OSError("closed")
            if self._wanted not in data:
                return False
            self._wanted = b""
        if not self._steps:
            self.seconds = time.perf_counter() - self.began
            return True
        said, self._wanted = self._steps.pop(0)
        self.socket.sendall(said)
        return False


def herd(kind: str, address: Any, count: int) -> tuple[list[float], int, list[Client]]:
    """Have so many join at once. Returns: seconds of each that did, how many did not, and all of them."""
    context = None
    if kind == "tls":
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    began = time.perf_counter()
    poll = select.epoll()
    clients: dict[int, Client] = {}
    for number in range(count):
        client = Client(number, kind, address, context)
        clients[client.socket.fileno()] = client
        poll.register(client.socket.fileno(), select.EPOLLOUT)
    joined: list[float] = []
    refused = 0
    left = count
    while left and time.perf_counter() - began < 60:
        for number, _ in poll.poll(1):
            client = clients[number]
            try:
                is_in = client.go_on()
            except OSError:
                refused += 1
                is_in = True
            if is_in:
                left -= 1
                poll.unregister(number)
                if client.seconds is not None:
                    joined.append(client.seconds)
            else:
                poll.modify(number, select.EPOLLIN)
    return joined, refused + left, list(clients.values())


def listen(port: int, count: int, rate: int, nice: int, pipe: Connection) -> None:
    """Hear events, and note when each was published and how long it took, until told to end."""
    go_first(0, nice - 5)
    listeners = [WebSocket(port, "/ws") for _ in range(count)]
    poll = select.epoll()
    for one in listeners:
        one.request(SUBSCRIBE, {}, TOPIC)
        one.expect(SUBSCRIBED)
        poll.register(one.socket.fileno(), select.EPOLLIN)
    by_number = {one.socket.fileno(): one for one in listeners}
    publisher = WebSocket(port, "/ws")
    pipe.send("ready")
    taken: list[tuple[float, float]] = []
    due = time.perf_counter()
    while not pipe.poll():
        now = time.perf_counter()
        if now >= due:
            due += 1 / rate
            publisher.request(PUBLISH, {}, TOPIC, [time.perf_counter()])
        for number, _ in poll.poll(max(0.0, due - time.perf_counter())):
            one = by_number[number]
            one._more()
            then = time.perf_counter()
            while (message := one._message()) is not None:
                taken.append((message[4][0], then - message[4][0]))
    pipe.send(taken)


def go_first(pid: int, nice: int) -> None:
    """Have a process go before others, if that is allowed."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, max(-20, nice))
        # Beside other terminals it is the whole session that counts (sched(7), "The autogroup feature").
        Path("/proc/self/autogroup").write_text(str(max(-20, nice)))


def config(kind: str, folder: Path) -> str:
    """The benchmarks' configuration with one more endpoint for the herd."""
    if kind == "unix":
        more = f'[[listen]]\nendpoint = "unix:{folder}/herd.sock"\n'
    elif kind == "tls":
        # Of the kind that the documentation makes: a P-256 key.
        make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost"
        files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
        subprocess.run([*make.split(), *files], check=True, capture_output=True)
        more = (
            f'[[listen]]\nendpoint = "tcp:{{tls_port}}:interface=127.0.0.1"\n'
            f'tls = {{{{ certificate = "{folder}/cert.pem", key = "{folder}/key.pem" }}}}\n'
        )
    else:
        more = ""
    return more + harness.CONFIG


def measure(kind: str, options: argparse.Namespace) -> Row:
    """One herd, against a fresh server."""
    with tempfile.TemporaryDirectory(prefix="radiod-herd-") as name:
        folder, tls_port = Path(name), harness.free_port()
        text = config(kind, folder).replace("{tls_port}", str(tls_port))
        with Server(config=text, limits="") as server:
            go_first(server.pid, options.nice)
            go_first(0, options.nice)
            ours, theirs = multiprocessing.Pipe()
            process = multiprocessing.Process(
                target=listen, args=(server.port, options.listeners, options.rate, options.nice, theirs)
            )
            process.start()
            ours.recv()
            time.sleep(1)
            address: Any = ("127.0.0.1", server.port)
            if kind == "unix":
                address = f"{folder}/herd.sock"
            elif kind == "tls":
                address = ("127.0.0.1", tls_port)
            before, began = server.cpu(), time.perf_counter()
            joined, refused, clients = herd(kind, address, options.count)
            ended, cpu = time.perf_counter(), server.cpu() - before
            time.sleep(0.5)
            ours.send("end")
            taken = ours.recv()
            process.join()
            for client in clients:
                client.socket.close()
    quiet = sorted(late for then, late in taken if began - 0.5 < then < began - 0.1)
    beside = sorted(late for then, late in taken if began <= then <= ended)
    return {
        "joined": len(joined),
        "refused": refused,
        "all_s": ended - began,
        "slowest_ms": 1000 * max(joined, default=0.0),
        "server_s": cpu,
        "quiet_p99_ms": 1000 * at(quiet, 0.99),
        "p50_ms": 1000 * at(beside, 0.5),
        "p99_ms": 1000 * at(beside, 0.99),
        "worst_ms": 1000 * at(beside, 1.0),
    }


def at(values: list[float], part: float) -> float:
    """One of sorted values."""
    return values[int(part * (len(values) - 1))] if values else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kinds", default="tcp")
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--listeners", type=int, default=20)
    parser.add_argument("--rate", type=int, default=50)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--nice", type=int, default=0, help="beside busy neighbours -15, as root")
    parser.add_argument("--cpu", type=int, default=1, help="of the herd and the listeners")
    parser.add_argument("--root", type=Path, default=harness.ROOT)
    options = parser.parse_args()
    harness.ROOT = options.root.resolve()
    harness.raise_file_limit()
    os.sched_setaffinity(0, {options.cpu})
    for kind in options.kinds.split(","):
        rows = [measure(kind, options) for _ in range(options.repeat)]
        row = {key: statistics.median(one[key] for one in rows) for key in rows[0]}
        told = "  ".join(f"{key} {value:.4g}" for key, value in row.items())
        print(f"{kind:5} {told}")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
