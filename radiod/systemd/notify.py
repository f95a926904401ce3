"""The notify protocol: lines in one datagram to the socket that ``$NOTIFY_SOCKET`` names.

Source: sd_notify(3). Without that variable nothing is sent, and nothing is logged.
"""

from __future__ import annotations

import socket
from array import array
from collections.abc import MutableMapping, Sequence
from typing import Final

from twisted.logger import Logger

__all__ = ["Notifier", "notifier_of"]

SECONDS: Final = 0.2
"""How long systemd may take to have room for a datagram; its queue is empty unless it hangs."""


class Notifier:
    """Sends to one manager. ``address``: of its socket; None: there is none.

    One descriptor for all that is sent: a server that has none left must still say that it is alive.
    """

    log = Logger()

    def __init__(self, address: str | None) -> None:
        self._address = address
        self._socket: socket.socket | None = None
        self._has_failed = False
        if address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.settimeout(SECONDS)

    @property
    def is_heard(self) -> bool:
        """Whether there is a manager."""
        return self._socket is not None

    def send(self, *lines: str, descriptors: Sequence[int] = ()) -> None:
        """Send lines as ``READY=1``; the first failure is a warning.

        Args:
            descriptors: go along, as ``FDSTORE=1`` has it.
        """
        if self._socket is None or not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", descriptors))] if descriptors else []
        try:
            self._socket.sendmsg(["\n".join(lines).encode()], rights, 0, address)
        except (OSError, ValueError) as error:
            if not self._has_failed:
                self.log.warn(
                    "NOTIFY_SOCKET {address}: {error}; the service manager hears nothing of this server",
                    address=self._address,
                    error=getattr(error, "strerror", None) or error,
                    event="configuration",
                )
            self._has_failed = True


def notifier_of(environment: MutableMapping[str, str]) -> Notifier:
    """The one that the environment names, once: no program started from here speaks for the server."""
    return Notifier(environment.pop("NOTIFY_SOCKET", None))
