"""Open files that systemd keeps for the service while it restarts, and gives to the next process by name.

Source: sd_notify(3) for ``FDSTORE=1`` and ``BARRIER=1``, sd_listen_fds(3) for the names. systemd keeps as
many as ``FileDescriptorStoreMax=`` of the unit says, over restarts and crashes, until the service is stopped.
"""

from __future__ import annotations

import fcntl
import os
import select
from collections.abc import Mapping
from typing import Any, Final

from twisted.plugins.twisted_core import systemdEndpointParser

from radiod.systemd.notify import Notifier

__all__ = ["DescriptorStore", "inherited"]

BARRIER_SECONDS: Final = 5.0
"""How long systemd may take to read what it was sent."""


def inherited(name: str, environment: Mapping[str, str]) -> list[int]:
    """Descriptors of the files that were passed on to this process with that name; none is inherited further.

    Twisted has taken their number out of the environment, and leaves the names there.
    """
    found = []
    for place, one in enumerate(environment.get("LISTEN_FDNAMES", "").split(":")):
        if one != name:
            continue
        try:
            # Twisted wants to know of what kind a file is; it does not look.
            endpoint: Any = systemdEndpointParser.parseStreamServer(  # type: ignore[no-untyped-call]
                None, domain="INET", index=str(place)
            )
        except IndexError:
            # Names without files are left over from another process.
            continue
        descriptor: int = endpoint.fileno
        os.set_inheritable(descriptor, False)
        found.append(descriptor)
    return found


class DescriptorStore:
    """The manager's, for this service."""

    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier

    @property
    def is_there(self) -> bool:
        """Whether there is a manager; it need not keep anything."""
        return self._notifier.is_heard

    def keep(self, name: str, descriptor: int) -> bool:
        """Have it keep a file, instead of any that it has by that name. The descriptor stays the caller's.

        Takes up to ``BARRIER_SECONDS``. Returns: whether it does keep it. It does not say: so what it is sent
        is locked, and whoever else has the file cannot lock it while that is open somewhere.
        """
        if not self.is_there:
            return False
        try:
            sent = os.open(f"/proc/self/fd/{descriptor}", os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(sent, fcntl.LOCK_EX)
            self.forget(name)
            self._notifier.send("FDSTORE=1", f"FDNAME={name}", "FDPOLL=0", descriptors=[sent])
            self._wait_until_read()
        finally:
            os.close(sent)
        return _is_locked(descriptor)

    def forget(self, name: str) -> None:
        """Have it close what it keeps by that name."""
        self._notifier.send("FDSTOREREMOVE=1", f"FDNAME={name}")

    def _wait_until_read(self) -> None:
        """What was sent by a process that has gone may be taken for nobody's."""
        reading, writing = os.pipe2(os.O_CLOEXEC)
        try:
            self._notifier.send("BARRIER=1", descriptors=[writing])
        finally:
            os.close(writing)
        with os.fdopen(reading, "rb"):
            # It says nothing: it closes the other end.
            select.select([reading], [], [], BARRIER_SECONDS)


def _is_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return False
