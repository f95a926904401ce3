"""What outlives a session: made again in each, procedures first, and channels before who listens to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from radiod_client._deadlines import Deadlines
from radiod_client._inbox import Inbox
from radiod_client._owned import Owned
from radiod_client._registration import Registration
from radiod_client._session import Call, Session, Then
from radiod_client._subscription import Subscription
from radiod_client.errors import RadioError

__all__ = ["Lasting"]


class Lasting:
    """Subscriptions, registrations and channels of one client."""

    def __init__(self, deadlines: Deadlines) -> None:
        self._deadlines = deadlines
        self._session: Session | None = None
        self._error: RadioError | None = None
        self.subscriptions: dict[str, Subscription] = {}
        self._registrations: list[Registration] = []
        self._owned: list[Owned] = []

    def _all(self) -> list[Subscription | Registration | Owned]:
        found: list[Subscription | Registration | Owned]
        found = [*self._registrations, *self._owned, *self.subscriptions.values()]
        return [each for each in found if not each.is_over]

    def begin(self, session: Session) -> None:
        """A session has opened."""
        self._session = session
        for each in self._all():
            each.begin(session)

    def leave(self) -> None:
        """The session says goodbye: nothing new begins in it."""
        self._session = None

    def pause(self) -> None:
        """The session is over."""
        self._session = None
        for each in self._all():
            each.pause()

    def end(self, error: RadioError) -> None:
        """No session comes any more."""
        self._session, self._error = None, error
        for each in self._all():
            each.end(error)

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
        self._start(made)
        return made

    def unlisten(self, subscription: Subscription, inbox: Inbox) -> None:
        """``inbox`` gets nothing more."""
        if subscription.leave(inbox) and self.subscriptions.get(subscription.name) is subscription:
            del self.subscriptions[subscription.name]

    def own(self, name: str, key: str | None, control_key: str) -> Owned:
        """Take a channel over again in each session to come; this one owns it already."""
        made = Owned(name, key, control_key)
        self._owned = [each for each in self._owned if not each.is_over] + [made]
        return made

    def register(self, procedure: str, callee: Callable[[Call], None], then: Then) -> Registration:
        """Have calls of a procedure come to ``callee``."""
        made = Registration(procedure, callee, then, self._deadlines.after)
        self._registrations = [each for each in self._registrations if not each.is_over] + [made]
        self._start(made)
        return made
