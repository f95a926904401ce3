"""What outlives a session: made again in each, procedures first, and channels before who listens to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from radiod_client._deadlines import Deadlines
from radiod_client._inbox import Inbox
from radiod_client._invocation import Call
from radiod_client._owned import Owned
from radiod_client._registration import Registration
from radiod_client._session import Session, Then
from radiod_client._subscription import Subscription
from radiod_client._writers import Writers
from radiod_client.errors import RadioError

__all__ = ["Lasting"]


class Lasting:
    """Subscriptions, registrations, channels and writers of one client."""

    def __init__(self, deadlines: Deadlines) -> None:
        self._deadlines = deadlines
        self._session: Session | None = None
        self._error: RadioError | None = None
        self.subscriptions: dict[str, Subscription] = {}
        # Those that nobody wants any more, and that the server has not answered yet.
        self._leaving: set[str] = set()
        self._registrations: list[Registration] = []
        self._owned: list[Owned] = []
        self.writers = Writers(deadlines.after)

    def _all(self) -> list[Subscription | Registration | Owned]:
        found: list[Subscription | Registration | Owned]
        found = [*self._registrations, *self._owned, *self.subscriptions.values()]
        return [each for each in found if not each.is_over]

    def begin(self, session: Session) -> None:
        """A session has opened."""
        self._session = session
        for each in self._all():
            each.begin(session)
        self.writers.begin(session)

    def leave(self) -> None:
        """The session says goodbye: nothing new begins in it."""
        self._session = None
        self.writers.leave()

    def pause(self) -> None:
        """The session is over."""
        self._session = None
        self._leaving.clear()
        for each in self._all():
            each.pause()
        self.writers.pause()

    def end(self, error: RadioError) -> None:
        """No session comes any more."""
        self._session, self._error = None, error
        for each in self._all():
            each.end(error)
        self.writers.end(error)

    def _start(self, made: Subscription | Registration) -> None:
        if self._error is not None:
            made.end(self._error)
        elif self._session is not None:
            made.begin(self._session)

    def listen(
        self,
        name: str,
        key: str | None,
        inbox: Inbox,
        then: Then,
        *,
        after: str | None = None,
        last: int = 0,
        buffer: dict[str, Any] | None = None,
    ) -> Subscription:
        """Have what comes on a channel put into ``inbox``.

        Raises: ValueError: another past, or another buffer, than somebody has here already.
        """
        found = self.subscriptions.get(name)
        if found is not None and not found.is_over:
            if after is not None or last or (buffer or {}) != found.buffer:
                raise ValueError(
                    f"{name} is listened to already: another Radio can have another past or buffer"
                )
            found.join(inbox, then)
            return found
        made = Subscription(
            name, key, after=after, last=last, buffer=buffer or {}, later=self._deadlines.after
        )
        made.join(inbox, then)
        self.subscriptions[name] = made
        if name not in self._leaving:
            self._start(made)
        return made

    def unlisten(self, subscription: Subscription, inbox: Inbox) -> None:
        """``inbox`` gets nothing more."""
        name, is_pending = subscription.name, subscription.is_pending
        if subscription.leave(inbox) and self.subscriptions.get(name) is subscription:
            del self.subscriptions[name]
            if is_pending:
                # A session has one subscription of a topic: the next begins behind the end of this one.
                self._leaving.add(name)
                subscription.on_left = lambda: self._on_left(name)

    def _on_left(self, name: str) -> None:
        self._leaving.discard(name)
        found = self.subscriptions.get(name)
        if found is not None and not found.is_over:
            self._start(found)

    def own(self, name: str, key: str | None, control_key: str) -> Owned:
        """Take a channel over again in each session to come; this one owns it already."""
        made = Owned(name, key, control_key)
        self._owned = [each for each in self._owned if not each.is_over] + [made]
        return made

    def register(
        self,
        procedure: str,
        callee: Callable[[Call], None],
        then: Then,
        *,
        signature: dict[str, Any] | None = None,
        force: bool = False,
    ) -> Registration:
        """Have calls of a procedure come to ``callee``."""
        made = Registration(procedure, callee, then, self._deadlines.after, signature=signature, force=force)
        self._registrations = [each for each in self._registrations if not each.is_over] + [made]
        self._start(made)
        return made
