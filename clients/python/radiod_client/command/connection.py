"""The Radio of a run of the command, by its options."""

from __future__ import annotations

import contextlib
import logging
import ssl
import threading
from argparse import Namespace
from collections.abc import Iterator
from typing import Any

from radiod_client import Radio
from radiod_client.command.credentials import secret
from radiod_client.command.failures import Misused
from radiod_client.command.terminal import Logged, Notes

__all__ = ["channel_key", "connected"]

CLOSE_S = 0.5
"""So long goodbye may take: Ctrl-C ends everything within a second."""


class _States:
    """Tells when the connection breaks, and when it is back."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._was_open = False
        self._is_lost = False

    def __call__(self, state: str) -> None:
        if state == "waiting" and self._was_open and not self._is_lost:
            self._is_lost = True
            self._notes.say("the connection is lost: trying again")
        elif state == "open":
            self._was_open = True
            if self._is_lost:
                self._is_lost = False
                self._notes.say("connected again")


@contextlib.contextmanager
def connected(options: Namespace, notes: Notes) -> Iterator[Radio]:
    """Connected. Raises: ConnectFailed; LoginRefused; Misused: the options cannot be."""
    log, handler = logging.getLogger("radiod_client"), Logged(notes)
    log.addHandler(handler)
    log.propagate = False
    try:
        radio = _radio(options, notes)
        try:
            yield radio.connect()
        finally:
            thread = threading.Thread(target=radio.close, daemon=True)
            thread.start()
            thread.join(CLOSE_S)
    finally:
        log.removeHandler(handler)
        log.propagate = True


def _radio(options: Namespace, notes: Notes) -> Radio:
    given: dict[str, Any] = {
        name: secret("--" + name.replace("_", "-"), getattr(options, name))
        for name in ("ticket", "secret", "password", "private_key")
    }
    if options.ca is not None:
        try:
            given["tls"] = ssl.create_default_context(cafile=options.ca)
        except OSError as error:
            raise Misused(f"--ca: cannot use {options.ca}: {error.strerror or error}") from None
    try:
        return Radio(
            options.url, realm=options.realm, authid=options.authid, on_state=_States(notes), **given
        )
    except (ValueError, TypeError, ImportError) as error:
        raise Misused(str(error)) from None


def channel_key(options: Namespace) -> str | None:
    """The key of a private channel, if one is given."""
    return secret("--key", options.key)
