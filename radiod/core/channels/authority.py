"""What ends things that are other people's: the realm does that, and tells all who must know."""

from __future__ import annotations

from typing import Any, Protocol

from radiod.core.pubsub.broker import Subscription
from radiod.core.rpc.registrations import Registration
from radiod.core.sessions.session import Session

__all__ = ["Authority"]


class Authority(Protocol):
    """Ends sessions, subscriptions and registrations; ``realm.departures.Departures`` is one."""

    def kill(
        self, session: Session, reason: str, details: dict[str, Any], *, is_everybody: bool = False
    ) -> None:
        """Say GOODBYE to a session, and end it; one that has left already is left alone.

        ``is_everybody``: all are ended, so that there is nobody to be told.
        """

    def revoke_subscription(self, session: Session, subscription: Subscription, reason: str | None) -> None:
        """Take a subscription away; the session is told if it asked for that."""

    def revoke_registration(self, session: Session, registration: Registration, reason: str | None) -> None:
        """Take a registration away; the session is told if it can be."""
