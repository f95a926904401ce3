"""Servers that start at once: they are forked from a process that has imported what a server imports.

Most of what a start costs is imports: a second of a slow processor, and several hundred tests start a server.
Each process of the tests has one nursery, from the first server that it wants until its own end. A server of
the nursery is a child of the tests' own process, like one that ``subprocess`` started.

Tests of starting itself start it the long way, and so do those that set variables of the environment: imports
may read them.
"""

from __future__ import annotations

import atexit
import ctypes
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_TESTS = _ROOT / "tests"
_OF_EACH_TEST = {"PYTEST_CURRENT_TEST"}
_LONGEST_WISH = 1 << 16
# PR_SET_CHILD_SUBREAPER of prctl(2)
_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


class Child:
    """A process that the nursery made: what tests use of ``subprocess.Popen``."""

    def __init__(self, pid: int, args: list[str]) -> None:
        self.pid = pid
        self.args = args
        self.returncode: int | None = None
        self._ended = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """The exit status once it has ended, minus the signal that ended it; else None."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
                os.close(self._ended)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status. Raises: subprocess.TimeoutExpired: after ``timeout`` seconds."""
        if self.poll() is None:
            select.select([self._ended], [], [], timeout)
        if self.poll() is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Nothing once it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


class _Nursery:
    """The tests' end of it."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.owner = os.getpid()
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from support.nursery import main; main()", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            cwd=_ROOT,
            env={**environment, "PYTHONPATH": os.pathsep.join(map(str, (_ROOT, _TESTS)))},
        )
        theirs.close()
        atexit.register(self.close)

    def fork(self, arguments: list[str], log: int) -> Child:
        # The process between the nursery and the server ends at once; whoever is marked gets its child.
        _libc.prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        try:
            socket.send_fds(self._socket, [json.dumps(arguments).encode()], [log])
            pid = int(self._socket.recv(64))
        finally:
            _libc.prctl(_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
        return Child(pid, arguments)

    def close(self) -> None:
        """End it; its servers go on."""
        self._socket.close()
        self._process.wait()


_nursery: _Nursery | None = None


def fork(arguments: list[str], log: int, environment: dict[str, str]) -> Child | None:
    """Run ``twistd`` with ``arguments`` in the root of the checkout.

    Args:
        log: the open file that gets what it prints.
        environment: the variables that it finds.
    Returns: None if the nursery was started with others: what was imported there may have read them.
    """
    global _nursery
    environment = {name: value for name, value in environment.items() if name not in _OF_EACH_TEST}
    if _nursery is None or _nursery.owner != os.getpid():
        _nursery = _Nursery(environment)
    return _nursery.fork(arguments, log) if environment == _nursery.environment else None


def main() -> None:
    """The nursery itself: a child for each wish, until the tests have closed their end."""
    sys.path.remove(str(_TESTS))
    os.environ["PYTHONPATH"] = str(_ROOT)
    importlib.import_module("radiod.tap")
    assert "twisted.internet.reactor" not in sys.modules, (
        "servers would share what the kernel keeps for a reactor"
    )
    wishes = socket.socket(fileno=int(sys.argv[1]))
    while True:
        wish, files, _, _ = socket.recv_fds(wishes, _LONGEST_WISH, 1)
        if not wish:
            return
        read, write = os.pipe()
        between = os.fork()
        if between == 0:
            pid = os.fork()
            if pid == 0:
                for mine in (read, write, wishes.detach()):
                    os.close(mine)
                return _be_twistd(json.loads(wish), files[0])
            os.write(write, str(pid).encode())
            os._exit(0)
        os.waitpid(between, 0)
        wishes.send(os.read(read, 64))
        for mine in (read, write, files[0]):
            os.close(mine)


def _be_twistd(arguments: list[str], log: int) -> None:
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    sys.argv = ["twistd", *arguments]
    importlib.import_module("twisted.scripts.twistd").run()
