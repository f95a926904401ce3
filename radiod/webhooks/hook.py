"""One webhook: what waits for it, one request at a time, and what became of all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from radiod.core.ids import Ids
from radiod.core.timers import Clock, Deadline, Timers
from radiod.webhooks.pace import Pace
from radiod.webhooks.schedule import GONE, Outcome, Schedule
from radiod.webhooks.sending import Sender
from radiod.webhooks.signing import Signer
from radiod.webhooks.waiting import Letter, Waiting

__all__ = ["LOG_S", "Address", "Hook"]

LOG_S: Final = 60.0
"""Seconds between two lines of the log about what was given up."""


class Address(Struct, frozen=True):
    """Whose webhook it is, what it is called, and where it goes to."""

    realm: str
    name: str
    url: str

    @property
    def named(self) -> tuple[str, str]:
        """What tells it from others."""
        return self.realm, self.name

    @property
    def shown(self) -> str:
        """The URL without its query, in which some receivers have a secret."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}{parts.path}"


class Hook:
    """Sends letters in order, each until it is delivered or given up.

    ``on_off``: called when it is switched off, since its receiver has answered 410.

    Args:
        pace: shared by all webhooks.
        random: as ``Schedule`` takes it.
    """

    log = Logger()

    def __init__(
        self,
        address: Address,
        sender: Sender,
        signer: Signer,
        clock: Clock,
        timers: Timers,
        ids: Ids,
        pace: Pace,
        random: Callable[[], float],
    ) -> None:
        self._pace = pace
        self.address = address
        self._sender = sender
        self._signer = signer
        self._clock = clock
        self._timers = timers
        self._ids = ids
        self._waiting = Waiting()
        self._schedule = Schedule(random)
        self._deadline: Deadline | None = None
        self._asking: Deferred[Outcome] | None = None
        self._is_off = self._is_stopped = False
        self._left: list[Letter] = []
        self.on_off: Callable[[], None] = lambda: None
        self._on_rest: Callable[[], None] | None = None
        self.delivered = self.failed = self.given_up = 0
        self._last: Outcome | None = None
        # Given up, and not yet in the log; and when it will be.
        self._untold = 0
        self._telling: Deadline | None = None

    # --- taking

    def take(self, body: bytes) -> None:
        """Have a body sent, behind those that wait. Never sends at once: the core may be busy with it."""
        if self._is_off or self._is_stopped:
            self._give_up(1)
            return
        self._give_up(self._waiting.add(Letter(f"msg_{self._ids.secret()}", body)))
        self._go_on()

    def kept(self) -> list[Letter]:
        """What waits, or did when this stopped: for another process to send."""
        return self._left if self._is_stopped else self._waiting.letters

    def resume(self, letters: Iterable[Letter]) -> None:
        """Have sent, first of all, what waited in another process."""
        for letter in letters:
            self._give_up(self._waiting.add(letter))
        self._go_on()

    def missed(self) -> None:
        """An event cannot be said here."""
        self._give_up(1)

    # --- sending

    def _go_on(self) -> None:
        """See to it that the next letter leaves when it is due."""
        if self._deadline is None and self._asking is None and self._waiting.first is not None:
            when = max(self._clock.seconds(), self._schedule.due)
            self._deadline = self._timers.at(when, lambda: self._pace.soon(self._send))

    def _send(self) -> None:
        self._deadline = None
        letter = self._waiting.first
        if letter is None:
            return
        seconds = int(self._clock.time())
        headers = {
            "webhook-id": letter.id,
            "webhook-timestamp": str(seconds),
            "webhook-signature": self._signer.signature(letter.id, seconds, letter.body),
        }
        self._waiting.is_sending = True
        asking = self._asking = self._sender.post(headers, letter.body)
        asking.addCallbacks(self._answered, self._broken, callbackArgs=(letter,)).addErrback(self._note)

    def _note(self, failure: Failure) -> None:
        self.log.failure("webhook {name} failed", failure, name=self.address.name, event="webhook_failed")

    def _broken(self, failure: Failure) -> None:
        """The request was cancelled."""
        self._asking = None
        self._waiting.is_sending = False

    def _answered(self, outcome: Outcome, letter: Letter) -> None:
        self._asking = None
        self._waiting.is_sending = False
        self._last = outcome
        now = self._clock.seconds()
        if outcome.is_delivered:
            self._recovered()
            self._schedule.delivered(now)
            self.delivered += 1
            self._waiting.done()
        else:
            self._fail(now, outcome, letter)
        if not self._is_stopped:
            self._go_on()
        self._rest_if_done()

    def _fail(self, now: float, outcome: Outcome, letter: Letter) -> None:
        self.failed += 1
        letter.tries += 1
        if outcome.status == GONE:
            self._switch_off()
            return
        if not self._schedule.is_failing:
            self._log_warning("{why}; it is tried again", why=outcome.why)
        if not self._schedule.failed(now, outcome, letter.tries):
            self._waiting.done()
            self._give_up(1)

    def _recovered(self) -> None:
        if self._schedule.is_failing:
            self.log.info(
                "webhook {name} of realm {realm}: delivers again",
                name=self.address.name,
                realm=self.address.realm,
                event="webhook_recovered",
            )

    def _switch_off(self) -> None:
        self._is_off = True
        self._log_warning("status 410: nothing is sent to it until the server is started again")
        self._give_up(self._waiting.clear())
        self.on_off()

    # --- giving up

    def _give_up(self, count: int) -> None:
        if count:
            self.given_up += count
            self._untold += count
            if self._telling is None and not self._is_stopped:
                self._telling = self._timers.at(self._clock.seconds() + LOG_S, self._tell)

    def _tell(self) -> None:
        self._telling = None
        if self._untold:
            self._log_warning("{count} events were given up", count=self._untold)
            self._untold = 0

    def _log_warning(self, text: str, **values: Any) -> None:
        self.log.warn(
            "webhook {name} of realm {realm}: " + text,
            name=self.address.name,
            realm=self.address.realm,
            event="webhook_failed",
            **values,
        )

    # --- the end

    def wind_up(self, done: Callable[[], None]) -> None:
        """Call ``done``, perhaps at once, when nothing waits, or what waits is not due: the server stops."""
        self._on_rest = done
        self._rest_if_done()

    def _rest_if_done(self) -> None:
        done = self._on_rest
        is_busy = self._asking is not None or (self._waiting.first is not None and not self._is_pausing)
        if done is not None and not is_busy:
            self._on_rest = None
            done()

    @property
    def _is_pausing(self) -> bool:
        return self._schedule.due > self._clock.seconds()

    def stop(self) -> None:
        """Cancel the request that is under way; what waits is left to another process, if there is one."""
        self._is_stopped = True
        for deadline in (self._deadline, self._telling):
            if deadline is not None:
                deadline.cancel()
        if self._asking is not None:
            self._asking.cancel()
        self._sender.close()
        self._tell()
        self._left = self._waiting.letters
        if self._waiting.clear():
            self._log_warning("{count} events were not delivered before the end", count=len(self._left))

    # --- telling

    @property
    def state(self) -> str:
        """``off``; ``waiting`` for the time of the next try; ``sending``; ``idle``."""
        if self._is_off:
            return "off"
        if self._asking is not None:
            return "sending"
        return "waiting" if len(self._waiting) else "idle"

    def describe(self) -> dict[str, Any]:
        """As ``radiod.admin.webhook.list`` tells it."""
        last = self._last
        return {
            "name": self.address.name,
            "url": self.address.shown,
            "state": self.state,
            "waiting": len(self._waiting),
            "waiting_bytes": self._waiting.bytes,
            "delivered": self.delivered,
            "failed": self.failed,
            "given_up": self.given_up,
            "last_status": None if last is None else last.status,
            "last_error": None if last is None or last.is_delivered else last.why,
        }
