#!/usr/bin/env python3
"""A crowd of slow strangers: idle sockets, heads and bodies a piece at a time, chunks without end.

Says "ready" when all are connected, drips until its input ends, and then says how many were cut off; those
come again at once.
"""

from __future__ import annotations

import argparse
import itertools
import os
import select
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from harness import raise_file_limit

START = b"POST /publish HTTP/1.1\r\nHost: localhost\r\nAPI-KEY: bench-key\r\n"
CHUNK = b"40\r\n" + b"x" * 64 + b"\r\n"
PER_ADDRESS = 2_000
"""Connections from one address: each has ports of its own."""
BIND_ADDRESS_NO_PORT = 24
TURNS = 1_000
"""In a second: strangers know nothing of each other, so their pieces must not come all at once."""
CHUNKS_EVERY = TURNS // 10
"""Ten times a second; other pieces once a second."""
LATE_S = 0.005


class Stranger:
    """One connection that never ends its request."""

    def __init__(self, port: int, pieces: Iterator[bytes], address: str) -> None:
        self._connection = socket.socket()
        self._connection.settimeout(60)
        self._connection.setsockopt(socket.SOL_IP, BIND_ADDRESS_NO_PORT, 1)
        self._connection.bind((address, 0))
        self._connection.connect(("127.0.0.1", port))
        self._connection.setblocking(False)
        self._pieces = pieces

    def drip(self) -> bool:
        """Send the next piece. Returns: whether the connection is still there."""
        try:
            self._connection.send(next(self._pieces))
        except BlockingIOError:
            pass
        except OSError:
            self._connection.close()
            return False
        return True


def nothing() -> Iterator[bytes]:
    """An idle socket."""
    return itertools.repeat(b"")


def head() -> Iterator[bytes]:
    """A head that grows by a byte; 16 KiB would take it hours."""
    return itertools.chain([b"POST /publish HTTP/1.1\r\nX-Slow: "], itertools.repeat(b"x"))


def body() -> Iterator[bytes]:
    """A body that grows by a byte."""
    return itertools.chain([START + b"Content-Length: 100000\r\n\r\n"], itertools.repeat(b"x"))


def chunks() -> Iterator[bytes]:
    """Small chunks, 16 in each piece."""
    return itertools.chain([START + b"Transfer-Encoding: chunked\r\n\r\n"], itertools.repeat(CHUNK * 16))


KINDS = {"idle": nothing, "heads": head, "bodies": body, "chunks": chunks}


class Crowd:
    """All of them."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._port = options.port
        self._count = 0
        self.cut = 0
        self._of = {kind: [self._new(kind) for _ in range(getattr(options, kind))] for kind in KINDS}
        self._steady = [
            (kind, number) for kind in ("heads", "bodies") for number in range(len(self._of[kind]))
        ]

    def _new(self, kind: str) -> Stranger:
        self._count += 1
        return Stranger(self._port, KINDS[kind](), f"127.0.1.{1 + self._count // PER_ADDRESS % 250}")

    def turn(self, number: int) -> None:
        """The pieces of one turn."""
        now = self._steady[number % TURNS :: TURNS]
        endless = range(len(self._of["chunks"]))
        now += [("chunks", one) for one in endless[number % CHUNKS_EVERY :: CHUNKS_EVERY]]
        for kind, one in now:
            if not self._of[kind][one].drip():
                self.cut += 1
                self._of[kind][one] = self._new(kind)


def main() -> None:
    """Connect, drip."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    for kind in KINDS:
        parser.add_argument(f"--{kind}", type=int, default=0)
    raise_file_limit()
    crowd = Crowd(parser.parse_args())
    # Whoever is measured goes first: both are on one CPU.
    os.nice(10)
    print("ready", flush=True)
    due = time.monotonic()
    for number in itertools.count():
        crowd.turn(number)
        # What was missed in a long wait is left out, but for a little: it would come all at once.
        due = max(due + 1 / TURNS, time.monotonic() - LATE_S)
        if select.select([sys.stdin], [], [], max(0, due - time.monotonic()))[0]:
            break
    print(crowd.cut, flush=True)


if __name__ == "__main__":
    main()
