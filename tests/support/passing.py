"""Sockets passed on to a server as systemd does it: ``LISTEN_FDS``, and descriptors from 3 on."""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence
from typing import Any

from support.running import TWISTD

__all__ = ["passed_on_by_name"]

PASS_ON = """
import fcntl, os, sys
# Above those that the sockets are to have.
files = [fcntl.fcntl(int(one), fcntl.F_DUPFD, 100) for one in sys.argv[1].split(",")]
for place, file in enumerate(files, 3):
    os.dup2(file, place)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(files)), LISTEN_FDNAMES=sys.argv[2])
os.execvp(sys.argv[3], sys.argv[3:])
"""


def passed_on_by_name(
    files: Sequence[socket.socket], names: Sequence[str], *arguments: str
) -> tuple[list[str], dict[str, Any]]:
    """The command, and options of its process, for a server that inherits ``files`` with ``names``."""
    numbers = [file.fileno() for file in files]
    launcher = [sys.executable, "-c", PASS_ON, ",".join(map(str, numbers)), ":".join(names)]
    return [*launcher, *TWISTD, "-n", "--pidfile=", "radiod", *arguments], {"pass_fds": numbers}
