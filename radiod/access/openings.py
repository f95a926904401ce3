"""The secrets of one key: what opens it, until when, and what did once."""

from __future__ import annotations

import math
from functools import partial
from typing import Final

from msgspec.structs import replace

from radiod.auth.keys import Key, KeyRing
from radiod.core.access.records import SecretRecord
from radiod.core.calendar import Calendar
from radiod.core.timers import Clock, Deadline

__all__ = ["MAX_SECRETS", "Openings"]

MAX_SECRETS: Final = 8
"""Secrets of one key that open it, and as many that did: whoever shows one of those is told so."""


class Openings:
    """Keeps the ring in step with a key's secrets and the date.

    ``records``: digest -> secret, in the order of coming.
    """

    __slots__ = ("_appointments", "_calendar", "_clock", "_key", "_ring", "records")

    def __init__(self, key: Key | None, ring: KeyRing, clock: Clock, calendar: Calendar) -> None:
        """``key``: None: there is nothing to open."""
        self._key = key
        self._ring = ring
        self._clock = clock
        self._calendar = calendar
        self.records: dict[bytes, SecretRecord] = {}
        # Digest -> what ends that secret.
        self._appointments: dict[bytes, Deadline] = {}

    @property
    def living(self) -> list[SecretRecord]:
        """Those that open it now."""
        now = self._clock.time()
        return [one for one in self.records.values() if one.expires is None or one.expires > now]

    @property
    def superfluous(self) -> list[bytes]:
        """Of those that are over all but the newest, to make room for one more."""
        now = self._clock.time()
        over = [one.digest for one in self.records.values() if one.expires is not None and one.expires <= now]
        return over[: max(0, len(over) + 1 - MAX_SECRETS)]

    def ending(self, expires: float) -> list[SecretRecord]:
        """Those that live longer, as they are when they end then."""
        living = self.living
        return [replace(one, expires=expires) for one in living if (one.expires or math.inf) > expires]

    def open(self, secret: SecretRecord) -> None:
        """This secret opens the key, as long as it says."""
        each, expires = secret.digest, secret.expires
        self._disappoint(each)
        self.records[each] = secret
        if self._key is None:
            return
        self._ring.open(each, self._key)
        if expires is None:
            return
        if expires > self._clock.time():
            self._appointments[each] = self._calendar.at(expires, partial(self._ring.close, each))
        else:
            self._ring.close(each)

    def forget(self, each: bytes) -> None:
        """Nobody has heard of this secret any more."""
        self._disappoint(each)
        self.records.pop(each, None)
        self._ring.forget(each)

    def review(self) -> None:
        """Look at the date again."""
        for secret in list(self.records.values()):
            if secret.expires is not None:
                self.open(secret)

    def used(self, each: bytes, hour: float) -> bool:
        """One was used in this hour, seconds since 1970. Returns: whether that is news."""
        secret = self.records.get(each)
        if secret is None or secret.last_used == hour:
            return False
        self.records[each] = replace(secret, last_used=hour)
        return True

    def _disappoint(self, each: bytes) -> None:
        appointment = self._appointments.pop(each, None)
        if appointment is not None:
            appointment.cancel()
