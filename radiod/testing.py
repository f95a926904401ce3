"""Fakes of everything the core needs from outside, for tests of radiod and of programs that embed it.

Nothing here is imported by the server. The fakes keep the contracts of the core's ports and fail loudly when
the core does not: ``RecordingOutbox`` takes nothing for a session after its transport was closed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from typing import Any, Final

from radiod.core.delivery.broadcast import Broadcast
from radiod.core.delivery.listeners import Listener
from radiod.core.holders import Holder
from radiod.core.limits import Limits
from radiod.core.rates import RateLimit
from radiod.core.realm.realm import Realm
from radiod.core.rights import Action, Actor, Permissions, Principal, Verdict
from radiod.core.rpc.registrations import Callee
from radiod.core.sessions.session import Session
from radiod.core.timers import Timers
from radiod.errors import PAYLOAD_SIZE_EXCEEDED, PeerError, RadiodError, Refused, WrongSecret
from radiod.wire.codecs import JSON, Codec, Payload
from radiod.wire.messages import Abort, ClientMessage, Event, Goodbye, Message, Unfit
from radiod.wire.options import Options

__all__ = [
    "ALLOW_ALL",
    "ALLOW_NONE",
    "Allow",
    "FakeClock",
    "Peer",
    "RecordingOutbox",
    "Sent",
    "SequentialIds",
    "make_principal",
    "make_realm",
]


class FakeClock:
    """Time that moves only when it is told to: ``timers.Clock`` and ``timers.Waker`` in one.

    ``timers`` is a heap driven by this clock. It runs at the moments the heap asked to be woken, and at no
    others, so a deadline whose wake-up was forgotten never happens.

    ``look_s``: seconds that pass with each look at it, for work that minds how long it takes.
    """

    def __init__(self, start: float = 1000.0, epoch: float = 1_800_000_000.0) -> None:
        self.look_s = 0.0
        self._now = start
        self._epoch = epoch - start
        self._wake_at: float | None = None
        self.timers: Final = Timers(self)

    def seconds(self) -> float:
        self._now += self.look_s
        return self._now

    def time(self) -> float:
        return self._epoch + self._now

    def wake_at(self, when: float) -> None:
        self._wake_at = when

    def set_date(self, by: float) -> None:
        """Somebody sets the wall clock, ``by`` seconds forward or back; no time passes."""
        self._epoch += by

    def advance(self, seconds: float) -> None:
        """Let time pass, running what falls due on the way, each at its own moment."""
        until = self._now + seconds
        while self._wake_at is not None and self._wake_at <= until:
            self._now = max(self._now, self._wake_at)
            self._wake_at = None
            self.timers.run(self._now)
        self._now = until


class SequentialIds:
    """``ids.Ids`` that can be told beforehand: 1, 2, 3 … and secrets of the same count."""

    def __init__(self) -> None:
        self._ids = 0
        self._secrets = 0

    def next(self) -> int:
        self._ids += 1
        return self._ids

    def secret(self) -> str:
        self._secrets += 1
        return f"{self._secrets:032x}"


class Allow:
    """``rights.Permissions`` by a fixed set: the actions given, on every URI but those that are hidden.

    ``is_steward``: it may act on other people's channels.
    """

    def __init__(
        self,
        *actions: Action,
        may_hold_publishers: bool = True,
        is_steward: bool = False,
        hidden: Collection[str] = (),
        rate_limit: RateLimit | None = None,
    ) -> None:
        self.rate_limit = rate_limit
        self._actions = frozenset(actions)
        self._is_steward = is_steward
        self._hidden = frozenset(hidden)
        self.may_hold_publishers = may_hold_publishers

    def decide(self, actor: Actor, action: Action, uri: str, options: Options) -> Verdict:
        return Verdict(is_allowed=self.allows(action, uri))

    def allows(self, action: Action, uri: str) -> bool:
        return action in self._actions and uri not in self._hidden

    def hides(self, topic: str) -> bool:
        return not self.allows(Action.SUBSCRIBE, topic)

    def hides_procedure(self, procedure: str) -> bool:
        return not (self.allows(Action.CALL, procedure) or self.allows(Action.REGISTER, procedure))

    def may_act_on_others(self, procedure: str) -> bool:
        return self._is_steward


ALLOW_ALL: Final = Allow(*Action)
ALLOW_NONE: Final = Allow()


class Sent:
    """One thing an outbox was given: a message, its payload, and whether the transport closes after it."""

    __slots__ = ("is_last", "message", "payload", "session")

    def __init__(
        self, session: Session, message: Message, payload: Payload | None, *, is_last: bool = False
    ) -> None:
        self.session = session
        self.message = message
        self.payload = payload
        self.is_last = is_last

    def __repr__(self) -> str:
        return f"<Sent to {self.session.id}: {self.message}>"


class RecordingOutbox:
    """``realm.Outbox`` that keeps everything in ``sent``, in order; a broadcast becomes one EVENT each.

    ``block`` a session to have its events wait in their buffers. What was released is sent by ``turn``, one
    event of each listener after the other; ``take`` and ``unblock`` include that.

    Args:
        max_payload: longest payload in bytes that any session takes in ``send``; None: any length.
    """

    def __init__(self, max_payload: int | None = None) -> None:
        self.sent: list[Sent] = []
        # Sessions whose peers are not read at the moment, and those ended for a fault that was found late.
        self.held: set[Session] = set()
        self.aborted: list[Session] = []
        # Sessions that have shown a wrong key, once for each time.
        self.suspected: list[Session] = []
        # Session, topic, URI of events that were refused without an answer.
        self.not_published: list[tuple[Session, str, str]] = []
        # Sessions that ended with the server, without a word.
        self.stopped: list[Session] = []
        # When they are to come back.
        self.retries: dict[Session, float] = {}
        # Whose subscription ended, its id, and why; for those that speak WAMP this means nothing.
        self.ended: list[tuple[Session, int, str]] = []
        self._max_payload = max_payload
        self._closed: set[Session] = set()
        self._blocked: set[Session] = set()
        self._owed: deque[Listener] = deque()

    def is_closed(self, session: Session) -> bool:
        """True once the session's transport was closed."""
        return session in self._closed

    def send(self, session: Session, message: Message, payload: Payload | None = None) -> None:
        if payload is not None and self._max_payload is not None:
            size = sum(map(len, payload.parts(payload.codec)))
            if size > self._max_payload:
                raise Refused(PAYLOAD_SIZE_EXCEEDED, f"payload of {size} bytes")
        self._record(Sent(session, message, payload))

    def fan_out(self, listeners: Collection[Listener], broadcast: Broadcast, lost: int = 0) -> None:
        for listener in listeners:
            if listener.session in self._blocked:
                listener.hold(broadcast)
                listener.leave_out(broadcast)
                self.release(listener)
            else:
                self._record_event(listener, broadcast, lost)

    def release(self, listener: Listener) -> None:
        if not listener.is_owed:
            listener.is_owed = True
            self._owed.append(listener)

    def is_blocked(self, session: Session) -> bool:
        return session in self._blocked

    def block(self, session: Session) -> None:
        """Let the session's connection take nothing."""
        self._blocked.add(session)

    def unblock(self, session: Session) -> None:
        """Let it take what waited, and whatever comes."""
        self._blocked.remove(session)
        self.turn()

    def turn(self) -> None:
        """Send what is due and was released to sessions that are not blocked."""
        kept: deque[Listener] = deque()
        while self._owed:
            listener = self._owed.popleft()
            if listener.session in self._blocked:
                kept.append(listener)
                continue
            taken = listener.take()
            if taken is None:
                listener.is_owed = False
            else:
                self._record_event(listener, *taken)
                listener.take_over(taken[0])
                self._owed.append(listener)
        self._owed = kept

    def _record_event(self, listener: Listener, broadcast: Broadcast, lost: int) -> None:
        details = {**broadcast.details, "_lost": lost} if lost else broadcast.details
        event = Event(broadcast.subscription, broadcast.publication, details)
        self._record(Sent(listener.session, event, broadcast.payload))

    def hold(self, session: Session, is_held: bool) -> None:
        if is_held:
            self.held.add(session)
        else:
            self.held.remove(session)

    def unpublished(self, session: Session, topic: str, refusal: RadiodError) -> None:
        self.not_published.append((session, topic, refusal.uri))

    def suspect(self, session: Session, refusal: WrongSecret) -> None:
        self.suspected.append(session)

    def confirm(self, session: Session, message: Goodbye) -> None:
        self._record(Sent(session, message, None))

    def close(self, session: Session, message: Message) -> None:
        self._record(Sent(session, message, None, is_last=True))
        self._closed.add(session)

    def drain(self, session: Session) -> None:
        if session in self._blocked:
            self.unblock(session)

    def stop(self, session: Session, retry_after: float) -> None:
        self.stopped.append(session)
        self.retries[session] = retry_after
        self._closed.add(session)

    def abort(self, session: Session, error: PeerError) -> None:
        self.close(session, Abort({"message": error.text}, error.uri))
        self.aborted.append(session)

    def end(self, session: Session, subscription: int, reason: str) -> None:
        self.ended.append((session, subscription, reason))

    def take(self, session: Session | None = None) -> list[Sent]:
        """Remove and return what was sent to ``session``, oldest first; None: to everybody."""
        self.turn()
        taken = [sent for sent in self.sent if session in (None, sent.session)]
        self.sent = [sent for sent in self.sent if session not in (None, sent.session)]
        return taken

    def _record(self, sent: Sent) -> None:
        if sent.session in self._closed:
            raise AssertionError(f"{sent!r} after its transport was closed")
        self.sent.append(sent)


def make_principal(
    authid: str = "somebody",
    authrole: str = "tester",
    permissions: Permissions = ALLOW_ALL,
    memberships: tuple[str, ...] = (),
    holder: Holder | None = None,
) -> Principal:
    """Somebody who may do everything, unless told otherwise."""
    return Principal(
        authid=authid,
        authrole=authrole,
        authmethod="anonymous",
        authprovider="static",
        permissions=permissions,
        memberships=memberships,
        holder=holder,
    )


def make_realm(
    outbox: RecordingOutbox | None = None,
    clock: FakeClock | None = None,
    *,
    name: str = "radio",
    ids: SequentialIds | None = None,
    limits: Limits | None = None,
    undeclared_topics: bool = True,
) -> Realm:
    """A realm on fakes; pass your own outbox and clock to look at what leaves, and to move time."""
    clock = clock or FakeClock()
    return Realm(
        name,
        outbox=outbox or RecordingOutbox(),
        clock=clock,
        timers=clock.timers,
        ids=ids or SequentialIds(),
        limits=limits or Limits(),
        undeclared_topics=undeclared_topics,
    )


class Peer:
    """A client of a realm: it sends and receives WAMP messages as plain lists, through a real serializer.

    Args:
        features: what it announced, as "role.feature" with spaces between.
    """

    def __init__(
        self,
        realm: Realm,
        outbox: RecordingOutbox,
        authid: str = "somebody",
        authrole: str = "tester",
        *,
        permissions: Permissions = ALLOW_ALL,
        codec: Codec = JSON,
        features: str = "",
        is_revocable: bool = False,
        agent: str | None = None,
        memberships: tuple[str, ...] = (),
        wants_goodbye: bool = False,
        holder: Holder | None = None,
    ) -> None:
        self._realm = realm
        self._outbox = outbox
        self._codec = codec
        self.session: Final = realm.join(
            make_principal(authid, authrole, permissions, memberships, holder),
            None,
            frozenset(features.split()),
            is_revocable,
            agent,
            wants_goodbye=wants_goodbye,
        )

    def send(self, *message: Any) -> None:
        """Give the realm one message, say ``send(32, 1, {}, "a.topic")``. Raises: PeerError: as the realm."""
        self.send_message(self._codec.decode(self._codec.dump(list(message))))

    def send_message(self, message: ClientMessage | Unfit) -> None:
        """Give the realm a message that is decoded already."""
        self._realm.take(self.session, message, self._codec)

    def received(self) -> list[list[Any]]:
        """What has come for this peer since the last time it was asked, as lists, oldest first."""
        return [
            self._codec.load(self._codec.encode(sent.message, sent.payload))
            for sent in self._outbox.take(self.session)
        ]

    def ask(self, *message: Any) -> list[Any]:
        """Send one message and return the one answer; anything else received stays an error.

        Raises: AssertionError: there was not exactly one answer.
        """
        self.received()
        self.send(*message)
        answers = self.received()
        if len(answers) != 1:
            raise AssertionError(f"expected one answer, got {answers}")
        return answers[0]

    @property
    def subscriptions(self) -> dict[int, Listener]:
        """What it listens to: subscription id -> its part in that."""
        held = self._realm.subscriptions.of(self.session)
        return {id: subscription.listeners[self.session] for id, subscription in held.items()}

    @property
    def registrations(self) -> Mapping[int, Callee]:
        """What it has registered: registration id -> its part in that."""
        return self._realm.dealer.registrations.of(self.session)

    def leave(self) -> None:
        """Drop the connection without a word."""
        self._realm.leave(self.session)
