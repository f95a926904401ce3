"""Unix sockets that twistd binds before it detaches and gives up its rights.

Twisted holds a socket's name with a symbolic link beside it, whose target is the number of the process. After
twistd has detached that is another one: unless the link is made anew, a second server takes the name from the
first, and the first fails when it stops.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IListeningPort

from radiod.process import Process

__all__ = ["keep", "stop"]


def keep(port: IListeningPort, process: Process) -> None:
    """Make a listening Unix socket that of this process, and of the user that it will have; once detached."""
    path, lock = _path(port), getattr(port, "lockFile", None)
    if path is None:
        return
    process.give(path)
    if lock is not None and lock.locked:
        anew = lock.name + b".new"
        os.symlink(str(os.getpid()), anew)
        process.give(anew)
        os.replace(anew, lock.name)


def stop(port: IListeningPort) -> Deferred[Any]:
    """Stop listening. Returns: fires when it has happened."""
    path = _path(port)
    if path is not None and not _can_be_removed(path):
        # Twisted would fail while it removes the name, and never be done; the next server finds it stale.
        unlistened: Any = port
        unlistened.stopReading()
        return succeed(None)
    return port.stopListening() or succeed(None)


def _path(port: IListeningPort) -> bytes | None:
    """The path of a Unix socket that is ours; None: the port is none that has one."""
    if getattr(port, "is_adopted", False):
        return None
    host: Any = port.getHost()
    name = getattr(host, "name", None)
    return name if isinstance(name, bytes) and not name.startswith(b"\0") else None


def _can_be_removed(path: bytes) -> bool:
    return os.path.exists(path) and os.access(os.path.dirname(path) or b".", os.W_OK, effective_ids=True)
