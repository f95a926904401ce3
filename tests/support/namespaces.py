"""Peers that vanish as real ones do: from a network namespace of their own, cut off without a packet."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any

CLONE_NEWNET = 0x40000000
SECONDS = 20


class Impossible(Exception):
    """No network namespaces can be made here."""


class Namespace:
    """A network with one machine in it, which can be reached from here until it vanishes.

    ``here`` is this side's address. Raises, on entering: Impossible.
    """

    def __init__(self) -> None:
        self._name = f"radiod{os.getpid()}"
        # From the process id, in the block for benchmarks of networks (RFC 2544).
        number = os.getpid() % 16384 * 4
        self.here = f"198.18.{number >> 8}.{(number & 255) + 1}"
        self._there = f"198.18.{number >> 8}.{(number & 255) + 2}"
        self._inside = ThreadPoolExecutor(1)

    def __enter__(self) -> Namespace:
        name, ends = self._name, (f"{self._name}a"[-15:], f"{self._name}b"[-15:])
        try:
            _ip("netns", "add", name)
            _ip("link", "add", ends[0], "type", "veth", "peer", "name", ends[1], "netns", name)
            _ip("addr", "add", f"{self.here}/30", "dev", ends[0])
            _ip("link", "set", ends[0], "up")
            _ip("-n", name, "addr", "add", f"{self._there}/30", "dev", ends[1])
            _ip("-n", name, "link", "set", ends[1], "up")
            # What a thread opens lies in its namespace, and stays there whoever uses it.
            self._inside.submit(_enter, name).result()
        except (OSError, subprocess.CalledProcessError) as error:
            self._remove()
            raise Impossible(getattr(error, "stderr", "") or str(error)) from None
        return self

    def call(self, what: Callable[[], Any]) -> Any:
        """Call what opens sockets, so that they lie in the namespace."""
        return self._inside.submit(what).result(SECONDS)

    def dial(self, port: int) -> socket.socket:
        """A connection from inside to a port here."""
        connection: socket.socket = self.call(lambda: socket.create_connection((self.here, port), SECONDS))
        return connection

    def vanish(self) -> None:
        """Nothing that is said inside leaves any more; what arrives is heard by nobody."""
        _ip("-n", self._name, "route", "add", "blackhole", f"{self.here}/32")

    def _remove(self) -> None:
        self._inside.shutdown()
        subprocess.run(["ip", "netns", "del", self._name], capture_output=True, check=False)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._remove()


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


def _enter(name: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    with open(f"/run/netns/{name}", "rb") as file:
        if libc.setns(file.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
