"""How sessions, subscriptions and registrations end, and all that must be freed and told then."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Any, Final

from radiod.core.access.ledger import Ledger
from radiod.core.channels.lifecycle import Lifecycle
from radiod.core.delivery.holdings import Holdings
from radiod.core.promises import Promise, chain
from radiod.core.pubsub.broker import SessionSubscriptions, Subscription
from radiod.core.pubsub.streams import Streams
from radiod.core.pubsub.testaments import Testament, Testaments
from radiod.core.pubsub.tuning import Tuned
from radiod.core.realm.meta_events import MetaEvents
from radiod.core.realm.publications import Publications
from radiod.core.realm.subscribers import Subscribers
from radiod.core.rpc.dealer import Dealer
from radiod.core.rpc.registrations import Registration
from radiod.core.rpc.router_calls import RouterCalls
from radiod.core.sessions.outbox import SessionOutbox
from radiod.core.sessions.session import Session
from radiod.core.slices import Slices
from radiod.errors import CLOSE_ACCESS, CLOSE_SHUTDOWN, NOT_AUTHORIZED, Refused
from radiod.wire.messages import Goodbye, RegistrationRevoked, SubscriptionRevoked

__all__ = ["Departures"]

TOLD_IN_A_STEP: Final = 20
"""Subscriptions, or registrations, of a session that leaves whose end is told without a pause."""


class Departures:
    """Ends what sessions of one realm have, and the sessions; an ``Authority``.

    ``sessions``: id -> those that have joined, in that order.
    """

    def __init__(
        self,
        *,
        sessions: dict[int, Session],
        subscriptions: SessionSubscriptions,
        dealer: Dealer,
        testaments: Testaments,
        streams: Streams,
        tuned: Tuned,
        holdings: Holdings,
        lifecycle: Lifecycle,
        publications: Publications,
        subscribers: Subscribers,
        events: MetaEvents,
        router_calls: RouterCalls,
        outbox: SessionOutbox,
        slices: Slices,
        ledger: Ledger,
    ) -> None:
        self._sessions = sessions
        self._subscriptions = subscriptions
        self._dealer = dealer
        self._testaments = testaments
        self._streams = streams
        self._tuned = tuned
        self._holdings = holdings
        self._lifecycle = lifecycle
        self._publications = publications
        self._subscribers = subscribers
        self._events = events
        self._router_calls = router_calls
        self._outbox = outbox
        self._slices = slices
        self._ledger = ledger
        self._is_closing = False
        # Sessions that were sent away, whose channels have not ended for that.
        self._sent_away: list[int] = []
        # Whoever takes the messages of sessions: of one that leaves it takes no more.
        self.on_leave: Callable[[Session], None] = _nobody

    # --- sessions

    def leave(self, session: Session, *, is_everybody: bool = False, keeps_channels: bool = False) -> None:
        """Remove every trace of ``session``; leaving twice does nothing.

        Args:
            is_everybody: all leave: testaments and the event of leaving are for nobody.
            keeps_channels: what it owns goes on: see ``stay``.
        """
        if self._sessions.pop(session.id, None) is None:
            return
        session.is_open = False
        holder = session.principal.holder
        if holder is not None:
            holder.leave(session)
        self._ledger.closed(holder)
        self.on_leave(session)
        with self._router_calls.hold():
            subscriptions = self._subscriptions.end(session)
            registrations = self._dealer.leave(session)
            self._tuned.leave(session)
            self._holdings.leave(session)
            testaments = self._take_testaments(session, is_everybody=is_everybody)

            def tell(testaments: list[Testament]) -> object:
                return self._slices.run(
                    self._tell_of_leaving(
                        session, testaments, subscriptions, registrations, is_everybody, keeps_channels
                    )
                )

            chain(testaments, tell)

    def _take_testaments(
        self, session: Session, *, is_everybody: bool
    ) -> list[Testament] | Promise[list[Testament]]:
        """What is to be published for a session that has left: for nobody, if all leave."""
        testaments = self._testaments.take(session)
        return [] if is_everybody else testaments

    def _tell_of_leaving(
        self,
        session: Session,
        testaments: list[Testament],
        subscriptions: list[Subscription],
        registrations: list[Registration],
        is_everybody: bool,
        keeps_channels: bool,
    ) -> Generator[None, None, None]:
        """Tell everybody concerned what has ended with a session, which is gone already."""
        for testament in testaments:
            self._publish_testament(session, testament)
            yield
        self._streams.leave(session)
        for count, subscription in enumerate(subscriptions, 1):
            self._subscribers.removed(session, subscription)
            if count % TOLD_IN_A_STEP == 0:
                yield
        for count, registration in enumerate(registrations, 1):
            self._events.unregistered(session, registration)
            if count % TOLD_IN_A_STEP == 0:
                yield
        self._lifecycle.leave(session, is_realm_closing=self._is_closing or keeps_channels)
        if not is_everybody:
            self._events.left(session)

    def _publish_testament(self, session: Session, testament: Testament) -> None:
        # Its channel may have ended, say; there is nobody left to tell.
        with suppress(Refused):
            self._publications.publish(
                session, testament.topic, testament.payload, testament.options, testament.verdict
            )

    def kill(
        self, session: Session, reason: str, details: dict[str, Any], *, is_everybody: bool = False
    ) -> None:
        """As ``Authority.kill``."""
        self._end(session, Goodbye(details, reason), is_everybody=is_everybody)

    def expel(self, session: Session, reason: str) -> None:
        """End a session whose access has ended; ``reason``: ``revoked``, ``suspended``, ``expired``."""
        details = {"message": f"access has ended: {reason}"}
        self._end(session, Goodbye(details, CLOSE_ACCESS + reason), is_everybody=False)

    def _end(self, session: Session, goodbye: Goodbye, *, is_everybody: bool) -> None:
        if session.is_open:
            self._outbox.close(session, goodbye)
            self.leave(session, is_everybody=is_everybody)

    def drain(self) -> None:
        """Send what waits in sessions' buffers: the server is about to stop.

        Publishers that waited for room there are answered in the next turn.
        """
        for session in list(self._sessions.values()):
            self._outbox.drain(session)

    def close(self, retry_after: Callable[[], float] | None = None) -> None:
        """End every session, since the server stops; the channels stay.

        GOODBYE comes to those that asked for it: stock clients would take it for the end of everything.

        Args:
            retry_after: seconds after which the next one shall come back; None: whenever it likes.
        """
        self._is_closing = True
        self.drain()
        for session in list(self._sessions.values()):
            self._send_away(session, 0.0 if retry_after is None else retry_after(), is_everybody=True)

    def send_away(self, session: Session, retry_after: float) -> None:
        """End one session, since the server is drained, after what waits for it; its channels stay.

        Args:
            retry_after: seconds after which it shall come back, here or elsewhere.
        """
        if session.is_open:
            self._outbox.drain(session)
            self._sent_away.append(session.id)
            self._send_away(session, retry_after, is_everybody=False)

    def stay(self) -> None:
        """Nobody more is sent away: channels of those who were are without an owner from now on."""
        sent_away, self._sent_away = self._sent_away, []
        for id in sent_away:
            self._lifecycle.owner_left(id)

    def _send_away(self, session: Session, retry_after: float, *, is_everybody: bool) -> None:
        goodbye = None
        if session.wants_goodbye:
            goodbye = Goodbye({"_retry_after": round(retry_after, 3)} if retry_after else {}, CLOSE_SHUTDOWN)
        if session.is_open:
            if goodbye is None:
                self._outbox.stop(session, retry_after)
            else:
                self._outbox.close(session, goodbye)
            self.leave(session, is_everybody=is_everybody, keeps_channels=True)

    # --- what they have

    def end_subscription(self, session: Session, id: int) -> None:
        """End one subscription of a session, unless it has ended already."""
        subscription = self._subscriptions.of(session).get(id)
        if subscription is not None:
            subscription.broker.unsubscribe(session, subscription)
            self._subscribers.removed(session, subscription)

    def revoke_subscription(self, session: Session, subscription: Subscription, reason: str | None) -> None:
        """As ``Authority.revoke_subscription``."""
        subscription.broker.unsubscribe(session, subscription)
        if session.is_revocable:
            details = {"subscription": subscription.id, **({"reason": reason} if reason else {})}
            self._outbox.send(session, SubscriptionRevoked(0, details))
        # A listener that speaks no WAMP cannot be told by a message.
        self._outbox.end(session, subscription.id, reason or NOT_AUTHORIZED)
        self._subscribers.removed(session, subscription)

    def revoke_registration(self, session: Session, registration: Registration, reason: str | None) -> None:
        """As ``Authority.revoke_registration``."""
        self._dealer.registrations.remove(session, registration.id)
        self.tell_of_revocation(session, registration, reason)
        self._events.unregistered(session, registration)

    def tell_of_revocation(self, session: Session, registration: Registration, reason: str | None) -> None:
        """Tell a session that the router took its registration away, if it can be told."""
        if session.hears_of_lost_registrations:
            details = {"registration": registration.id, **({"reason": reason} if reason else {})}
            self._outbox.send(session, RegistrationRevoked(0, details))


def _nobody(session: Session) -> None:
    """No messages are taken yet."""
