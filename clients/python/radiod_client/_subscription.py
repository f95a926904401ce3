"""One channel that is listened to, over all sessions: where we are in it, and what was missed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from radiod_client._inbox import Inbox
from radiod_client._messages import Event
from radiod_client._session import Session, Then, is_disconnected, nothing
from radiod_client.errors import CallError, RadioError
from radiod_client.samples import MOST_LAST, Gap, Sample, before, between, position_of

__all__ = ["Subscription"]

LOG = logging.getLogger("radiod_client")
TRANSIENT = frozenset({"radiod.error.quota", "radiod.error.rate_limited", "radiod.error.unavailable"})
AGAIN_S = 2.0
DOUBT_S = 5.0
SUBSCRIBE, UNSUBSCRIBE = 32, 34


class Subscription:
    """What a SUBSCRIBE stands for, made again in each session with the last position.

    Args:
        after: a position to begin behind.
        last: begin so many events before the present one.
        buffer: settings of the server's buffer (``_radiod_buffer``).
        later: calls something after so many seconds.
    """

    def __init__(
        self,
        name: str,
        key: str | None,
        *,
        after: str | None,
        last: int,
        buffer: dict[str, Any],
        later: Callable[[float, Callable[[], None]], Any],
    ) -> None:
        self.name = name
        self.buffer = buffer
        self._key = key
        self._last = last
        self._later = later
        self._inboxes: list[Inbox] = []
        self._waiting: list[Then] = []
        self._session: Session | None = None
        self._id: int | None = None
        self._epoch: str | None = None
        self._seq: int | None = None
        if after is not None:
            self._epoch, self._seq = _parsed(after)
        # Whether what the server calls missed was promised to somebody.
        self._is_promised = after is not None
        self._is_subscribed_once = False
        self.is_over = False
        self._may_have_missed = False
        self._has_history: bool | None = None
        # Why the name may be wrong: such a mistake is silence, and nothing else.
        self._doubt: str | None = None
        self._is_asked = False
        self.on_left: Callable[[], None] | None = None
        # Numbers left out on purpose are no losses.
        self._is_counted = _is_counted(buffer)

    @property
    def position(self) -> str | None:
        """Behind which the next session begins."""
        return None if self._epoch is None else f"{self._epoch}:{self._seq}"

    def join(self, inbox: Inbox, then: Then) -> None:
        """One more who wants what comes; ``then`` once it comes for sure."""
        self._inboxes.append(inbox)
        if self._id is None:
            self._waiting.append(then)
        else:
            then(self, None)

    @property
    def is_pending(self) -> bool:
        """Whether the server has been asked, and has not answered yet."""
        return self._is_asked

    def leave(self, inbox: Inbox) -> bool:
        """One less. Returns: whether nobody is left, and the subscription has ended."""
        if inbox in self._inboxes:
            self._inboxes.remove(inbox)
        if self._inboxes:
            return False
        self.is_over = True
        session, self._session = self._session, None
        if session is not None and self._id is not None:
            session.revoked.pop(self._id, None)
            if session.drop(self._id, self._on_event):
                session.ask(UNSUBSCRIBE, [self._id], nothing)
        return True

    def tuned(self, settings: dict[str, Any]) -> None:
        """The buffer has other settings now: the next session begins with them."""
        self.buffer = settings
        self._is_counted = _is_counted(settings)

    def begin(self, session: Session) -> None:
        """A session has opened: listen in it."""
        self._session, self._id, self._is_asked = session, None, False
        if self._key is not None:
            session.call("radiod.channel.join", [self.name, self._key], nothing)
        if self._epoch is not None:
            self._subscribe(session)
        elif self._last:
            most = min(self._last, MOST_LAST)
            session.call("radiod.channel.history", [self.name, None, 1, most], self._on_past)
        else:
            session.call("radiod.channel.get", [self.name], self._on_described)

    def pause(self) -> None:
        """The session is over."""
        self._session, self._id, self._is_asked = None, None, False
        self._is_promised = self._is_promised or self._is_subscribed_once

    def end(self, error: RadioError) -> None:
        """Nothing more comes, for all who wait."""
        self.is_over = True
        self._session, self._id, self._is_asked = None, None, False
        for inbox in self._inboxes:
            inbox.end(error)
        waiting, self._waiting = self._waiting, []
        for then in waiting:
            then(None, error)

    def _on_described(self, description: Any, error: RadioError | None) -> None:
        session = self._session
        if session is None or is_disconnected(error):
            return
        if isinstance(description, dict):
            self._doubt = None if description.get("events") else "nothing was ever published on it"
        elif isinstance(error, CallError) and error.uri == "radiod.error.no_such_channel":
            self._doubt = "there is no such channel, and nobody has published on it"
        self._set_position(description)
        self._subscribe(session)

    def _on_past(self, page: Any, error: RadioError | None) -> None:
        """Where the first of the last so many samples is."""
        session = self._session
        if session is None or is_disconnected(error):
            return
        if error is None:
            events = page["events"]
            self._epoch, self._seq = _parsed(before(events[0]["position"]) if events else page["position"])
            self._subscribe(session)
        else:
            # Nothing is kept.
            session.call("radiod.channel.get", [self.name], self._on_described)

    def _set_position(self, description: Any) -> None:
        position = description.get("position") if isinstance(description, dict) else None
        if isinstance(position, str):
            self._epoch, self._seq = _parsed(position)

    def _subscribe(self, session: Session) -> None:
        options: dict[str, Any] = {"_radiod_position": True}
        if self._key is not None:
            options["_radiod_key"] = self._key
        if self.buffer:
            options["_radiod_buffer"] = self.buffer
        if self.position is not None:
            options["_radiod_after"] = self.position
        elif self._is_subscribed_once:
            self._may_have_missed = True
        self._is_asked = True
        session.ask(SUBSCRIBE, [options, self.name], lambda *answer: self._on_subscribed(session, *answer))
        if self.position is None:
            # Its events are counted from now on: that count has a name.
            session.call("radiod.channel.get", [self.name], self._on_counted)

    def _on_counted(self, description: Any, error: RadioError | None) -> None:
        if self._session is None or is_disconnected(error):
            return
        if self._epoch is None and isinstance(description, dict):
            self._set_position(description)
            # What came since it is counted came to us, or is on its way.
            self._seq = None if self._epoch is None else 0
        self._ready()

    def _on_subscribed(self, session: Session, message: Any, error: RadioError | None) -> None:
        if is_disconnected(error):
            return
        self._is_asked = False
        if self._session is None:
            self._on_left(session, message)
            return
        if error is not None:
            self._on_refused(session, error)
            return
        # Replayed events are right behind this message: they must find us.
        self._id = message.subscription
        session.take(message.subscription, self._on_event)
        session.revoked[message.subscription] = self._on_revoked
        if self.position is not None:
            self._ready()

    def _on_left(self, session: Session, message: Any) -> None:
        """Nobody waited until the server had answered."""
        if message is not None:
            session.ask(UNSUBSCRIBE, [message.subscription], nothing)
        if self.on_left is not None:
            self.on_left()

    def _ready(self) -> None:
        """Whatever comes from now on arrives, or is told as missing."""
        session = self._session
        if session is None or self._id is None:
            return
        if not self._is_subscribed_once and self.position is not None:
            session.call("radiod.channel.history", [self.name, self.position, 1], self._on_history)
        if not self._is_subscribed_once and self._doubt is not None:
            begun = self._seq
            self._later(DOUBT_S, lambda: self._warn(begun))
        self._is_subscribed_once = True
        waiting, self._waiting = self._waiting, []
        for then in waiting:
            then(self, None)

    def _warn(self, begun: int | None) -> None:
        if self._id is not None and self._seq == begun and not self.is_over:
            LOG.warning("%s is silent: %s. Is the name right?", self.name, self._doubt)

    def _on_history(self, page: Any, error: RadioError | None) -> None:
        if error is None:
            self._has_history = True
        elif isinstance(error, CallError) and error.uri == "wamp.error.history_unavailable":
            self._has_history = False

    def _on_refused(self, session: Session, error: RadioError) -> None:
        transient = isinstance(error, CallError) and error.uri in TRANSIENT
        if transient and self._is_subscribed_once:
            self._later(AGAIN_S, lambda: self.begin(session) if session is self._session else None)
        else:
            self.end(error)

    def _on_revoked(self, reason: str) -> None:
        self.end(CallError(reason, [f"the subscription to {self.name} was taken away"]))

    def _on_event(self, event: Event) -> None:
        details = event.details
        gap = None
        if "_recovered" in details or "_lost" in details or self._may_have_missed:
            gap = self._gap(details)
        seq = details.get("_seq")
        if seq is not None:
            self._seq, self._epoch = seq, details.get("_epoch")
        sample = Sample(event.args, event.kwargs, self.name, details, gap)
        self._is_promised = True
        for inbox in self._inboxes:
            inbox.put(sample)

    def _gap(self, details: dict[str, Any]) -> Gap | None:
        """What is missing before the event with these details."""
        is_told, self._may_have_missed = self._may_have_missed, False
        if details.get("_recovered") is False and self._is_promised:
            reason = "history" if self._has_history else "reconnect"
            return Gap(self._missing(details), reason)
        if is_told:
            return Gap(None, "reconnect")
        lost = details.get("_lost")
        return Gap(lost, "buffer") if isinstance(lost, int) and lost > 0 else None

    def _missing(self, details: dict[str, Any]) -> int | None:
        missing = between(self.position, position_of(details)) if self._is_counted else None
        return missing or None


def _is_counted(buffer: dict[str, Any]) -> bool:
    return buffer.get("every", 1) == 1 and not (buffer.get("min_interval") or buffer.get("latest"))


def _parsed(position: str) -> tuple[str, int]:
    epoch, colon, seq = position.rpartition(":")
    if not (colon and epoch and seq.isdecimal()):
        raise ValueError(f"no position: {position!r}")
    return epoch, int(seq)
