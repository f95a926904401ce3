"""One channel that we created, over all sessions: taken over again in each, by its control key."""

from __future__ import annotations

import logging
from typing import Any

from radiod_client._session import Session, is_disconnected
from radiod_client.errors import RadioError

__all__ = ["Owned"]

LOG = logging.getLogger("radiod_client")


class Owned:
    """Our part in a channel that ends some time after its owner has left."""

    def __init__(self, name: str, key: str | None, control_key: str) -> None:
        self.name = name
        self._key = key
        self._control_key = control_key
        self.is_over = False

    def begin(self, session: Session) -> None:
        """A session has opened: be the owner there."""
        args = [self.name, self._key, self._control_key]
        session.call("radiod.channel.open_write", args, self._on_opened)

    def pause(self) -> None:
        """The session is over: whoever owns it has some seconds to come back."""

    def end(self, error: RadioError) -> None:
        """No session comes any more."""
        self.is_over = True

    def _on_opened(self, answer: Any, error: RadioError | None) -> None:
        if error is not None and not is_disconnected(error):
            LOG.warning("%s could not be taken over again: %s", self.name, error)
            self.is_over = True
