"""The server sends its clients away, over some time: it is about to stop, or somebody asks for it.

Nobody new is let in from the first moment on, and ``/readyz`` says so. Those who are there end one after the
other, and are told when to come back. What they, and requests over HTTP, publish and call is done meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from radiod.access.by import By
from radiod.access.changes import then
from radiod.core.promises import Promise
from radiod.core.realm.realm import Realm
from radiod.core.sessions.session import Session
from radiod.core.spreading import Spread
from radiod.core.timers import Deadline
from radiod.errors import INVALID_ARGUMENT, Refused
from radiod.service.radio import Radio

__all__ = ["CANCEL", "DRAIN", "LONGEST_S", "Drain"]

DRAIN: Final = "radiod.admin.drain"
CANCEL: Final = "radiod.admin.drain.cancel"

LONGEST_S: Final = 86_400.0

STAYING: Final = frozenset({"socket", "webhook"})
"""Methods of those who are not sent away: operators on the admin socket, and the server's own."""

LOOK_S: Final = 0.25
"""Seconds between two looks whether anybody is left."""

Answer = dict[str, Any] | Promise[dict[str, Any]]


class Drain:
    """Sends away whoever listens to one server. ``sent_away``: sessions so far.

    ``usual``: tells seconds that it takes where nobody says otherwise.
    """

    log = Logger()

    def __init__(self, radio: Radio, usual: Callable[[], float]) -> None:
        self._radio = radio
        self.usual = usual
        self._state = radio.draining
        clock = radio.clock
        self._spread: Spread[tuple[Realm, Session]] = Spread(clock, clock.timers, radio.chance, self._end)
        self._until = 0.0
        self._is_stopping = False
        self._is_running = False
        self._look: Deadline | None = None
        self._finished: Deferred[None] | None = None
        self.sent_away = 0
        radio.metrics.sent_away = lambda: self.sent_away
        for realm in radio.realms.values():
            realm.procedures.table[DRAIN] = ({"over": None}, self.asked)
            realm.procedures.table[CANCEL] = ({}, self.asked_to_cancel)

    # --- what operators ask

    def asked(self, session: Session, *, over: Any) -> Answer:
        """Drain the server → ``{listeners, over}``; the audit tells of it.

        Raises, or settles with: Refused: ``invalid_argument``: ``over`` is no time, or the server stops.
        """
        seconds = self.usual() if over is None else _seconds(over)
        self._check()
        told = {"listeners": self.begin(seconds), "over": seconds}
        return self._enter(session, told)

    def asked_to_cancel(self, session: Session) -> Answer:
        """Let everybody in again → ``{was_draining}``; the audit tells of it. Raises: as ``asked``."""
        self._check()
        told = {"was_draining": self._state.is_on}
        self.cancel()
        return self._enter(session, told)

    def _check(self) -> None:
        if self._is_stopping:
            raise Refused(INVALID_ARGUMENT, "the server stops")

    def _enter(self, session: Session, told: dict[str, Any]) -> Answer:
        """It is done, whatever the disk says."""
        act = By.of(session).act(self._radio.clock, "drain", "server", **told)
        return then(self._radio.access.desk.store.change([], act), lambda: told)

    # --- doing it

    def begin(self, seconds: float) -> int:
        """Send everybody away over so many seconds from now on. Returns: how many that are."""
        radio = self._radio
        listeners = [(realm, session) for realm in radio.realms.values() for session in _leaving(realm)]
        self._state.begin(seconds, set(radio.http.connections))
        radio.readiness.is_draining = True
        if not seconds:
            self._state.all_at_once(len(listeners))
        self._is_running = True
        self._until = radio.clock.seconds() + seconds
        self._spread.begin(listeners, seconds)
        self.log.info(
            "drain: {listeners} listeners end over {seconds:g} s, nobody new is let in",
            listeners=len(listeners),
            seconds=seconds,
            event="drain",
        )
        self._plan()
        return len(listeners)

    def cancel(self) -> None:
        """Let everybody in again; whoever was sent away comes back."""
        if not self._state.is_on:
            return
        self._state.end()
        self._radio.readiness.is_draining = False
        self._spread.cancel()
        self._is_running = False
        self._forget()
        for realm in self._radio.realms.values():
            realm.stay()
        self.log.info("drain: cancelled, everybody is let in", event="drain")

    def before_stop(self) -> Deferred[None]:
        """The server stops: send everybody away before. Returns: fires when nobody is left, or it is time."""
        self._is_stopping = True
        seconds = self.usual()
        if not seconds or self._is_empty():
            return succeed(None)
        self.begin(seconds)
        finished = self._finished = Deferred()
        return finished

    def hasten(self) -> None:
        """Do not wait for anybody."""
        self._finish()

    def retry_after(self) -> float:
        """Seconds after which the next one shall come back who is sent away, since the server stops."""
        self.sent_away += 1
        return self._state.retry_after()

    def close(self) -> None:
        """The server stops now: those who are left are sent away at once."""
        self._is_stopping = True
        self._spread.cancel()
        self._forget()
        self._state.all_at_once(sum(len(_leaving(realm)) for realm in self._radio.realms.values()))

    def _end(self, one: tuple[Realm, Session]) -> None:
        realm, session = one
        if session.is_open:
            self.sent_away += 1
            realm.send_away(session, self._state.retry_after())

    def _is_empty(self) -> bool:
        return not any(
            _is_leaving(one) for realm in self._radio.realms.values() for one in realm.sessions.values()
        )

    def _plan(self) -> None:
        self._forget()
        clock = self._radio.clock
        self._look = clock.timers.at(clock.seconds() + LOOK_S, self._look_round)

    def _forget(self) -> None:
        if self._look is not None:
            self._look.cancel()
            self._look = None

    def _look_round(self) -> None:
        self._look = None
        is_time = self._radio.clock.seconds() >= self._until and not self._spread
        if is_time or self._is_empty():
            self._finish()
        else:
            self._plan()

    def _finish(self) -> None:
        self._forget()
        if self._is_running:
            self._is_running = False
            self.log.info("drain: done, {count} sent away so far", count=self.sent_away, event="drain")
        finished, self._finished = self._finished, None
        if finished is not None:
            finished.callback(None)


def _leaving(realm: Realm) -> list[Session]:
    """Those that are to be sent away."""
    return [one for one in realm.sessions.values() if _is_leaving(one)]


def _is_leaving(session: Session) -> bool:
    return session.principal.authmethod not in STAYING


def _seconds(over: Any) -> float:
    """Raises: Refused."""
    if type(over) not in (int, float) or not 0 <= over <= LONGEST_S:
        raise Refused(INVALID_ARGUMENT, f"over must be seconds, from 0 to {LONGEST_S:.0f}")
    return float(over)
