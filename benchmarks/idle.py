#!/usr/bin/env python3
"""What listeners cost that only wait: memory of the server, and of the kernel, for each.

    ./idle.py [--listeners 5000] [--stalled 200]

Of each kind so many listen on one channel, over loopback. The kernel has both ends of a connection in
memory there: its figure is half of what it says. Then ``--stalled`` of them stop to read while events of
4 KiB are published, and what the kernel and the server hold for each is told: the kernel's part is
``net.ipv4.tcp_wmem``'s, the server's that of ``buffer``.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import CONFIG, PUBLISH, PUBLISHED, SUBSCRIBE, SUBSCRIBED, Server, Session, WebSocket

CHANNEL = "idle.channel"
PAGE = 4096


def kernel_kib() -> int:
    """What the kernel has in memory for sockets: their structures, and what waits in them."""
    memory = Path("/proc/meminfo").read_text()
    slab = int(memory.split("\nSlab:")[1].split()[0])
    return slab + buffered_kib()


def buffered_kib() -> int:
    """What waits in TCP sockets."""
    stat = Path("/proc/net/sockstat").read_text()
    return int(stat.split("TCP: inuse")[1].split("\n")[0].split()[-1]) * PAGE // 1024


class Stream:
    """A listener over HTTP."""

    def __init__(self, port: int, accept: str, tls: ssl.SSLContext | None = None) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 30)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        head = f"GET /listen/{CHANNEL} HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n"
        self.socket.sendall(head.encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            data = self.socket.recv(4096)
            assert data, answer
            answer += data
        assert b" 200 " in answer, answer


def subscribed(session: Any) -> Any:
    """The same session, once it listens."""
    session.request(SUBSCRIBE, {}, CHANNEL)
    session.expect(SUBSCRIBED)
    return session


def plain(port: int) -> Any:
    """A plain WebSocket, whose path is its channel."""
    raw = socket.create_connection(("127.0.0.1", port), 30)
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    head = (
        f"GET /listen/{CHANNEL} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    )
    raw.sendall(f"{head}{key}\r\n".encode())
    assert b" 101 " in raw.recv(4096)
    return raw


KINDS: dict[str, Callable[[int], Any]] = {
    "WAMP over WebSocket": lambda port: subscribed(WebSocket(port, "/ws")),
    "WAMP over RawSocket": lambda port: subscribed(Session(port)),
    "plain WebSocket": plain,
    "Server-Sent Events": lambda port: Stream(port, "text/event-stream"),
    "NDJSON": lambda port: Stream(port, "application/x-ndjson"),
}


def measure(name: str, connect: Callable[[int], Any], count: int, stalled: int, config: str) -> None:
    """One line of the table."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(Server(config=config))
        # What the first ones bring into memory is none of theirs.
        kept = [connect(server.port) for _ in range(100)]
        before, kernel = server.resident_kib(), kernel_kib()
        kept += [connect(server.port) for _ in range(count)]
        time.sleep(1)
        resident = (server.resident_kib() - before) / count
        sockets = (kernel_kib() - kernel) / count / 2
        held = "", ""
        if stalled:
            # Nobody of them reads any more.
            for one in kept[stalled:]:
                getattr(one, "socket", one).close()
            del kept[stalled:]
            time.sleep(1)
            before, kernel = server.resident_kib(), buffered_kib()
            publisher = Session(server.port)
            for _ in range(3000):
                publisher.request(PUBLISH, {"acknowledge": True}, CHANNEL, ["x" * 4000])
                publisher.expect(PUBLISHED)
            held = (
                f"{(server.resident_kib() - before) / stalled:.0f}",
                f"{(buffered_kib() - kernel) / stalled:.0f}",
            )
        print(f"| {name} | {resident:.1f} | {sockets:.1f} | {held[0]} | {held[1]} |", flush=True)


def main() -> None:
    """Measure each kind on a server of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--listeners", type=int, default=5000)
    parser.add_argument("--stalled", type=int, default=200)
    options = parser.parse_args()
    print("| listener | server, KiB | kernel, KiB | server, when it stalls | kernel, when it stalls |")
    print("|---|---|---|---|---|")
    for name, connect in KINDS.items():
        measure(name, connect, options.listeners, options.stalled, CONFIG)
    with tempfile.TemporaryDirectory() as folder:
        names = ["-subj", "/CN=localhost", "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"]
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc",
             "-addext", "subjectAltName=DNS:localhost", *names],
            check=True, capture_output=True,
        )  # fmt: skip
        tls = ssl.create_default_context(cafile=f"{folder}/cert.pem")
        files = f'\ntls = {{{{ certificate = "{folder}/cert.pem", key = "{folder}/key.pem" }}}}\n'
        config = CONFIG.replace("\n\n[limits]", f"{files}\n[limits]", 1)
        measure(
            "Server-Sent Events over TLS",
            lambda port: Stream(port, "text/event-stream", tls),
            options.listeners,
            0,
            config,
        )


if __name__ == "__main__":
    main()
