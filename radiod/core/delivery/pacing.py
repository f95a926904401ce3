"""Listeners that do not simply get every event at once: rates, waiting publishers, replays of the past."""

from __future__ import annotations

from typing import Any, Final, Protocol

from radiod.core.delivery.broadcast import Broadcast
from radiod.core.delivery.buffers import Buffer
from radiod.core.delivery.flow import Flow
from radiod.core.delivery.holdings import Account
from radiod.core.delivery.receipts import Receipt
from radiod.core.delivery.settings import BufferSettings
from radiod.core.delivery.waiting import WaitingPublishes
from radiod.core.sessions.session import Session
from radiod.core.timers import Deadline

__all__ = ["Paced", "Pacer", "Past"]

NEVER: Final = float("-inf")


class Past(Protocol):
    """Reads a listener's past, one event at a time, as its connection takes it."""

    @property
    def is_done(self) -> bool:
        """True when live events follow on what was taken last, without gap or repeat, but for ``lost``."""

    @property
    def lost(self) -> int:
        """How many events were lost behind the one that was taken last."""

    def take(self) -> tuple[Broadcast, int] | None:
        """The next event, and how many were lost before it; None: there is none now."""


class Paced(Protocol):
    """The listener that a pacer works for; ``Listener`` documents it."""

    session: Session
    settings: BufferSettings
    interval: float
    buffer: Buffer | None
    lost: int

    @property
    def is_paced(self) -> bool:
        """As ``Listener.is_paced``."""

    def account(self) -> Account:
        """As ``Listener.account``."""

    def made_buffer(self) -> Buffer:
        """As ``Listener.made_buffer``."""

    def hold(self, broadcast: Broadcast) -> int:
        """As ``Listener.hold``."""

    def be_ordinary(self) -> None:
        """As ``Listener.be_ordinary``."""

    def give(self, broadcast: Broadcast) -> None:
        """As ``Listener.give``."""

    def lose(self, count: int) -> None:
        """As ``Listener.lose``."""


class Pacer:
    """Decides for one listener which events it gets, and when.

    An event that is due goes out at once while nothing waits before it and the connection takes it;
    everything else goes through the listener's buffer, from which the outbox takes it.
    """

    __slots__ = (
        "_deadline",
        "_flow",
        "_last",
        "_line",
        "_listener",
        "_next_tells",
        "_offered",
        "_replay",
        "_timeout",
        "_told",
    )

    def __init__(self, listener: Paced, flow: Flow) -> None:
        self._listener = listener
        self._flow = flow
        # Events since ``every`` was set, and when the last one was delivered.
        self._offered = 0
        self._last = NEVER
        # The moment the next event is due, and the one when a publisher has waited long enough.
        self._deadline: Deadline | None = None
        self._timeout: Deadline | None = None
        self._line: WaitingPublishes | None = None
        self._replay: Past | None = None
        # What the next event tells besides, and what the last one did.
        self._next_tells: dict[str, Any] | None = None
        self._told: dict[str, Any] | None = None

    @property
    def has_more(self) -> bool:
        """True while events are to come that are not live, or not in the buffer yet."""
        return self._replay is not None or bool(self._line)

    # --- events that come

    def refuses(self, broadcast: Broadcast) -> bool:
        """True when an acknowledged event must not be published since this listener would lose it."""
        listener, settings = self._listener, self._listener.settings
        if settings.policy != "raise" or self._replay is not None or broadcast.is_end_mark:
            return False
        is_wanted = (self._offered + 1) % settings.every == 0
        return is_wanted and self._is_behind() and not listener.made_buffer().fits(broadcast)

    def _is_behind(self) -> bool:
        """Whether its connection does not take what it is sent: only then may publishers feel it.

        A buffer that is full because its listener chose an interval is nobody else's concern.
        """
        return self._flow.outbox.is_blocked(self._listener.session)

    def offer(self, broadcast: Broadcast, receipt: Receipt | None) -> None:
        """Give the listener a live event; ``receipt``: the publisher's, if it asked for one."""
        listener = self._listener
        if self._replay is not None or not self._is_wanted(broadcast):
            return
        if self._line and not self._is_behind():
            self._excuse()
        if self._passes(broadcast):
            self._note(broadcast)
            lost = listener.buffer.take_lost() if listener.buffer is not None else 0
            listener.give(broadcast)
            self._flow.outbox.fan_out((listener,), self._telling(broadcast), lost)
            self.relax()
        elif self._line or self._must_wait(broadcast, receipt):
            self._line_up(broadcast, receipt)
        else:
            listener.hold(broadcast)
            self._wake()

    def _is_wanted(self, broadcast: Broadcast) -> bool:
        every = self._listener.settings.every
        if every == 1 or broadcast.is_end_mark:
            return True
        self._offered += 1
        if self._offered % every == 0:
            return True
        self._flow.tally.skipped += 1
        return False

    def _passes(self, broadcast: Broadcast) -> bool:
        """Whether the event may go out now."""
        listener = self._listener
        return (
            not listener.buffer
            and not self._line
            and (broadcast.is_end_mark or self._is_due())
            and not self._is_behind()
        )

    def _must_wait(self, broadcast: Broadcast, receipt: Receipt | None) -> bool:
        listener = self._listener
        is_held = receipt is not None and listener.settings.policy == "wait" and self._is_behind()
        return is_held and not listener.made_buffer().fits(broadcast)

    def _line_up(self, broadcast: Broadcast, receipt: Receipt | None) -> None:
        line = self._line if self._line is not None else WaitingPublishes(self._listener.account())
        is_hopeless = receipt is None and not broadcast.is_end_mark
        if is_hopeless or not line.has_room(broadcast, self._listener.settings):
            self._lose_newest()
            if receipt is not None:
                receipt.overrun()
            return
        if receipt is not None:
            receipt.hold()
        line.add(broadcast, receipt, self._flow.clock.seconds() + self._flow.wait_timeout)
        self._line = line
        self._watch_line()

    def _lose_newest(self) -> None:
        """Drop an event behind everything that waits."""
        if self._line:
            self._line.lost += 1
        else:
            self._listener.made_buffer().lose(1)
        self._listener.lose(1)
        self._flow.tally.by_policy["wait"] += 1

    def lose(self, count: int) -> None:
        """So many events were lost before they came here, behind everything that waits."""
        if self._line:
            self._line.lost += count
        else:
            self._listener.made_buffer().lose(count)

    # --- events that go

    def take(self) -> tuple[Broadcast, int] | None:
        """As ``Listener.take``."""
        buffer = self._listener.buffer
        if buffer:
            if not (buffer.begins_with_mark or self._is_due()):
                self._arm()
                return None
            broadcast, lost = buffer.take()
            self._note(broadcast)
            self._let_in()
            return self._telling(broadcast), lost
        if self._replay is not None:
            taken = self._replay.take()
            if taken is not None:
                lost = taken[1] + (buffer.take_lost() if buffer is not None else 0)
                return self._telling(taken[0]), lost
            if self._replay.is_done:
                if self._replay.lost:
                    self._listener.made_buffer().lose(self._replay.lost)
                self._replay = None
        self.relax()
        return None

    def _is_due(self) -> bool:
        interval = self._listener.interval
        return interval == 0 or self._flow.clock.seconds() >= self._last + interval

    def _note(self, broadcast: Broadcast) -> None:
        if not broadcast.is_end_mark and self._listener.interval:
            self._last = self._flow.clock.seconds()

    def _wake(self) -> None:
        """Have the outbox take what waits: now, or when it is due."""
        listener = self._listener
        buffer = listener.buffer
        if not buffer:
            return
        if buffer.begins_with_mark or self._is_due():
            self._flow.outbox.release(listener)
        else:
            self._arm()

    def _arm(self) -> None:
        if self._deadline is None:
            due = self._last + self._listener.interval
            self._deadline = self._flow.timers.at(due, self._come_due)

    def _come_due(self) -> None:
        self._deadline = None
        self._flow.outbox.release(self._listener)

    # --- publishers that wait

    def _let_in(self) -> None:
        """Move into the buffer what has room there now."""
        line = self._line
        if line is None:
            return
        buffer = self._listener.made_buffer()
        while line and buffer.fits(line.first):
            self._admit(line, buffer)
        self._watch_line()

    def _admit(self, line: WaitingPublishes, buffer: Buffer) -> None:
        """Move the first in line into the buffer, whose policy holds if there is no room."""
        lost, broadcast, receipt = line.pop()
        buffer.lose(lost)
        self._listener.hold(broadcast)
        if receipt is not None:
            if buffer.ends_with(broadcast):
                receipt.release()
            else:
                receipt.overrun()

    def _excuse(self) -> None:
        """Let nobody wait any more for a listener that reads, and whose interval alone fills its buffer."""
        line = self._line
        assert line is not None
        buffer = self._listener.made_buffer()
        while line:
            lost, broadcast, receipt = line.pop()
            buffer.lose(lost)
            self._listener.hold(broadcast)
            if receipt is not None:
                receipt.release()
        self._watch_line()

    def _watch_line(self) -> None:
        """Have the first in line given up in time; with nobody in line there is none."""
        line = self._line
        assert line is not None
        if not line:
            self._listener.made_buffer().lose(line.lost)
            self._line = None
            if self._timeout is not None:
                self._timeout.cancel()
                self._timeout = None
        elif self._timeout is None:
            self._timeout = self._flow.timers.at(line.first_until, self._give_up)

    def _give_up(self) -> None:
        """Drop those in line whose time is over; the first may have changed since the timer was set."""
        self._timeout = None
        line = self._line
        assert line is not None
        buffer, now = self._listener.made_buffer(), self._flow.clock.seconds()
        while line and line.first_until <= now:
            self._admit(line, buffer)
        self._let_in()
        self._wake()

    # --- changes

    def begin(self, replay: Past) -> None:
        """As ``Listener.replay``."""
        self._replay = replay
        self._flow.outbox.release(self._listener)

    def tell_next(self, details: dict[str, Any]) -> None:
        """As ``Listener.tell_next``."""
        self._next_tells = details

    def tell_again(self) -> None:
        """The last event could not be said: the next one tells what it would have told."""
        if self._told is not None:
            self._next_tells, self._told = self._told, None

    def _telling(self, broadcast: Broadcast) -> Broadcast:
        """The event as it leaves: not before, since one that waits may be dropped."""
        self._told, self._next_tells = self._next_tells, None
        return broadcast if self._told is None else broadcast.telling(self._told)

    def tuned(self, before: BufferSettings) -> None:
        """The listener's settings have changed."""
        listener = self._listener
        if listener.settings.every != before.every:
            self._offered = 0
        if not listener.interval:
            self._last = NEVER
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        while self._line and listener.settings.policy != "wait":
            # Nobody waits any more: what was in line is for the new policy.
            self._admit(self._line, listener.made_buffer())
        self._let_in()
        self._wake()
        self.relax()

    def relax(self) -> None:
        """Let the listener be an ordinary one if nothing keeps it from that."""
        listener = self._listener
        buffer = listener.buffer
        is_clear = buffer is None or buffer.is_clear
        has_duty = self._replay is not None or self._next_tells is not None
        if is_clear and not has_duty and not listener.is_paced:
            listener.be_ordinary()

    def stop(self) -> None:
        """The listener is gone: nothing happens any more, and nobody waits for it."""
        for deadline in (self._deadline, self._timeout):
            if deadline is not None:
                deadline.cancel()
        while self._line:
            _, _, receipt = self._line.pop()
            if receipt is not None:
                receipt.release()
