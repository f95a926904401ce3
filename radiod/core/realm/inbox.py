"""The entry point of every message of an open session.

The order for each is: its place, its rate, its right, which may take its time, then one change that succeeds
or fails as a whole, then the answer. While a session waits for its rights, or for others to agree, its later
messages queue behind; only SUBSCRIBEs behind others begin at once, so that all are agreed on together.
A refusal becomes ERROR here, and nowhere else.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from typing import Any, Final, TypeVar

from radiod.core.budgets.bounds import Bounds, count_refusal
from radiod.core.ids import MAX_ID
from radiod.core.promises import Promise
from radiod.core.rates import Bucket
from radiod.core.realm.departures import Departures
from radiod.core.realm.messages import Messages
from radiod.core.rights import Action, Verdict
from radiod.core.rpc.dealer import Dealer
from radiod.core.sessions.outbox import SessionOutbox
from radiod.core.sessions.session import Session
from radiod.core.slices import Slices
from radiod.core.timers import Clock
from radiod.core.uris import check_uri
from radiod.errors import (
    INVALID_ARGUMENT,
    NOT_AUTHORIZED,
    RATE_LIMITED,
    Exceeded,
    PeerError,
    RadiodError,
    Refused,
    WrongSecret,
)
from radiod.wire.codecs import Codec, Payload
from radiod.wire.messages import (
    Call,
    Cancel,
    Error,
    Goodbye,
    InvocationError,
    Message,
    Publish,
    Register,
    Subscribe,
    Unfit,
    Unregister,
    Unsubscribe,
    Yield,
    name_of,
)
from radiod.wire.options import CallOptions

__all__ = ["Inbox"]

T = TypeVar("T")

REQUESTS: Final = frozenset({Publish, Subscribe, Unsubscribe, Call, Register, Unregister})
"""The messages whose request ids count one by one through a session (WAMP specification, "IDs")."""

MAX_AHEAD: Final = 256
"""SUBSCRIBEs of one session that others are asked about at once."""


class Guarded:
    """What needs a right: to do what, with the URI in which attribute of the message, and what does it then.

    ``takes_patterns``: the URI may be a pattern, by the option ``match``.
    """

    __slots__ = ("act", "action", "attribute", "takes_patterns")

    def __init__(
        self,
        action: Action,
        attribute: str,
        act: Callable[[Session, Any, Codec, Verdict], Promise[Any] | None],
        *,
        takes_patterns: bool = False,
    ) -> None:
        self.action = action
        self.attribute = attribute
        self.act = act
        self.takes_patterns = takes_patterns


class Held:
    """What one session waits for.

    ``open``: messages that have begun, and wait; ``is_ahead``: each is a SUBSCRIBE that others are to agree
    to; ``behind``: what came behind, and has not begun; ``is_taken``: somebody is about to take these;
    ``is_silent``: nothing more is read from its peer.
    """

    __slots__ = ("behind", "is_ahead", "is_silent", "is_taken", "open")

    def __init__(self) -> None:
        self.open = 0
        self.is_ahead = False
        self.is_silent = False
        self.is_taken = False
        self.behind: deque[tuple[Message, Codec]] = deque()

    def lets_in(self, message: Message) -> bool:
        """Whether the next message may begin."""
        if not self.open:
            return True
        return self.is_ahead and type(message) is Subscribe and self.open < MAX_AHEAD


class Inbox:
    """Takes the messages of one realm's sessions."""

    def __init__(
        self,
        messages: Messages,
        departures: Departures,
        dealer: Dealer,
        outbox: SessionOutbox,
        clock: Clock,
        slices: Slices,
        bounds: Bounds,
    ) -> None:
        self._messages = messages
        self._departures = departures
        self._dealer = dealer
        self._outbox = outbox
        self._clock = clock
        self._slices = slices
        self._bounds = bounds
        self._waiting: dict[Session, Held] = {}
        # Of sessions whose rate is limited.
        self._buckets: dict[Session, Bucket] = {}
        # Messages that need a right, and what does them once it is there.
        self._guarded: dict[type, Guarded] = {
            Publish: Guarded(Action.PUBLISH, "topic", messages.publish),
            Subscribe: Guarded(Action.SUBSCRIBE, "topic", messages.subscribe, takes_patterns=True),
            Call: Guarded(Action.CALL, "procedure", messages.call),
            Register: Guarded(Action.REGISTER, "procedure", messages.register, takes_patterns=True),
        }
        self._free: dict[type, Callable[[Session, Any, Codec], None]] = {
            Unsubscribe: messages.unsubscribe,
            Unregister: messages.unregister,
            Cancel: messages.cancel,
            Yield: messages.yielded,
            InvocationError: messages.failed,
            Goodbye: messages.goodbye,
            Unfit: self._take_unfit,
        }

    # --- sessions

    def admit(self, session: Session) -> None:
        """A session has joined, or its rights have changed: its messages may come as fast as these say."""
        limit = session.principal.permissions.rate_limit
        if limit is not None:
            self._buckets[session] = Bucket(limit, self._clock.seconds())
        else:
            self._buckets.pop(session, None)

    def leave(self, session: Session) -> None:
        """A session is about to leave: nothing more of it is taken."""
        self._buckets.pop(session, None)
        held = self._waiting.pop(session, None)
        if held is not None:
            self._silence(session, held, False)

    # --- messages

    def receive(self, session: Session, message: Any, codec: Codec) -> None:
        """As ``take``, of a message as it comes in: its request id is checked. Raises: PeerError: as both."""
        self.check_request(session, message)
        self.take(session, message, codec)

    def check_request(self, session: Session, message: Any) -> None:
        """Check, and count, the id of a request.

        The first one of a session may be any; behind 2**53 comes 1.
        Raises: PeerError: it is not the one behind the last, nor the id of a progressive call.
        """
        if type(message) not in REQUESTS:
            if type(message) is not Unfit or type(message.message) not in REQUESTS:
                return
            message = message.message
        request: int = message.request
        last = session.last_request
        # Wampy goes on counting where its last session ended.
        expected = request if not last else last + 1 if last < MAX_ID else 1
        if request == expected:
            session.last_request = request
            if type(message) is Call and message.options.progress:
                self._dealer.expect_chunks(session, request)
        elif type(message) is not Call or not self._dealer.takes_chunks(session, request):
            raise PeerError(f"{name_of(message)}.Request is {request}, the next one is {expected}")

    def take(self, session: Session, message: Any, codec: Codec) -> None:
        """Do what one message asks for; ``codec`` is the serializer it came in.

        A session that left, or was closed, while the message was on its way gets neither deed nor answer.
        Raises: PeerError: the message has no place here; the session must be ended.
        """
        if session.is_open and not (self._waiting and self._puts_off(session, message, codec)):
            self._take(session, message, codec)

    def _take(self, session: Session, message: Any, codec: Codec) -> None:
        kind = type(message)
        guarded = self._guarded.get(kind)
        if guarded is None:
            self._take_free(session, message, codec)
            return
        if self._buckets and self._is_too_fast(session, message):
            return
        options = message.options
        if kind is Publish:
            if options.is_passed_through:
                session.check_announced("publisher.payload_passthru_mode")
        elif kind is Call:
            _check_call(session, options)
            if self._dealer.is_chunk(session, message.request):
                self._messages.chunk(session, message, codec)
                return
        uri = getattr(message, guarded.attribute)
        try:
            check_uri(uri, options.match if guarded.takes_patterns else "exact")
            verdict = session.principal.permissions.decide(session, guarded.action, uri, options)
        except Refused as refusal:
            self._refuse(session, message, refusal)
            return
        if isinstance(verdict, Promise):
            self._wait(session, verdict, lambda outcome: self._proceed(session, message, codec, outcome))
        else:
            self._perform(session, message, codec, verdict, guarded)

    def _puts_off(self, session: Session, message: Any, codec: Codec) -> bool:
        """Whether a message stays behind one that has to wait."""
        held = self._waiting.get(session)
        if held is None or (not held.behind and held.lets_in(message)):
            return False
        held.behind.append((message, codec))
        self._silence(session, held, True)
        return True

    def _take_free(self, session: Session, message: Any, codec: Codec) -> None:
        handler = self._free.get(type(message))
        if handler is None:
            raise PeerError(f"{name_of(message)} is not expected in an open session")
        try:
            handler(session, message, codec)
        except Refused as refusal:
            self._refuse(session, message, refusal)

    def _take_unfit(self, session: Session, unfit: Unfit, codec: Codec) -> None:
        refusal, message = Refused(INVALID_ARGUMENT, unfit.fault), unfit.message
        if type(message) in REQUESTS:
            if not self._is_too_fast(session, message):
                self._drop(session, message, refusal)
        else:
            # Whoever called is told instead.
            self._dealer.fail(session, message.request, refusal.uri, Payload.of(refusal.text), {})

    def _is_too_fast(self, session: Session, message: Any) -> bool:
        """Whether a message is one too many for its session's role; then it is dropped."""
        bucket = self._buckets.get(session)
        if bucket is None or bucket.take(self._clock.seconds()):
            return False
        role = session.principal.authrole
        self._drop(session, message, Exceeded("rate", f"role {role} may not send so fast", RATE_LIMITED))
        return True

    def _drop(self, session: Session, message: Any, refusal: Refused) -> None:
        """A message is not looked at; who asked for an answer gets one."""
        if type(message) is Call and self._dealer.is_chunk(session, message.request):
            count_refusal(self._bounds, refusal, session)
            self._dealer.give_up(session, message.request, refusal)
        else:
            self._refuse(session, message, refusal)

    def _perform(
        self, session: Session, message: Any, codec: Codec, verdict: Verdict, guarded: Guarded
    ) -> None:
        try:
            if not verdict.is_allowed:
                told = f"{guarded.action.value} {getattr(message, guarded.attribute)}"
                raise Refused(NOT_AUTHORIZED, f"role {session.principal.authrole} may not {told}")
            rest = guarded.act(session, message, codec, verdict)
        except Refused as refusal:
            self._refuse(session, message, refusal)
            return
        if rest is None:
            return
        if guarded.action is Action.CALL:
            self._wait(session, rest, lambda outcome: self._answer(session, message, outcome))
        elif guarded.action is not Action.PUBLISH:
            is_ahead = guarded.action is Action.SUBSCRIBE
            self._wait(session, rest, lambda outcome: self._finish(session, message, outcome), is_ahead)
        else:
            # Only the answer waits: the session goes on.
            rest.then(lambda outcome: self._acknowledge(session, message, outcome))

    # --- messages that wait

    def _wait(
        self,
        session: Session,
        value: Promise[T],
        proceed: Callable[[T | RadiodError], None],
        is_ahead: bool = False,
    ) -> None:
        """Have ``proceed`` go on with ``value`` when it comes; the session's later messages stay behind.

        ``is_ahead``: those that are SUBSCRIBEs need not.
        """
        held = self._waiting.get(session)
        if held is None:
            held = self._waiting[session] = Held()
        held.is_ahead = is_ahead and (held.is_ahead or not held.open)
        held.open += 1
        if not held.is_ahead:
            self._silence(session, held, True)
        waits = held
        value.then(lambda outcome: self._resume(session, waits, outcome, proceed))

    def _resume(
        self,
        session: Session,
        held: Held,
        outcome: T | RadiodError,
        proceed: Callable[[T | RadiodError], None],
    ) -> None:
        """Do what waited for ``outcome``, and what came behind, unless the session has left."""
        if not session.is_open:
            return
        held.open -= 1
        try:
            proceed(outcome)
        except PeerError as error:
            self._abort(session, error)
        if not held.open and not held.is_taken:
            held.is_taken = True
            self._slices.run(self._take_behind(session, held))

    def _take_behind(self, session: Session, held: Held) -> Generator[None, None, None]:
        """Take what came behind a message that had to wait, until one has to wait again."""
        while held.behind and session.is_open and held.lets_in(held.behind[0][0]):
            message, codec = held.behind.popleft()
            try:
                self._take(session, message, codec)
            except PeerError as error:
                self._abort(session, error)
            if held.behind:
                yield
        held.is_taken = False
        if session.is_open and not held.behind:
            if not held.open:
                del self._waiting[session]
            if not held.open or held.is_ahead:
                self._silence(session, held, False)

    def _silence(self, session: Session, held: Held, is_silent: bool) -> None:
        if held.is_silent is not is_silent:
            held.is_silent = is_silent
            self._outbox.hold(session, is_silent)

    def _abort(self, session: Session, error: PeerError) -> None:
        self._outbox.abort(session, error)
        self._departures.leave(session)

    def _proceed(self, session: Session, message: Any, codec: Codec, outcome: Verdict | RadiodError) -> None:
        if isinstance(outcome, RadiodError):
            self._refuse(session, message, outcome)
        else:
            self._perform(session, message, codec, outcome, self._guarded[type(message)])

    # --- answers

    def _answer(self, session: Session, message: Call, outcome: Payload | RadiodError) -> None:
        """Send the result of one of the router's own procedures, which took its time."""
        try:
            if isinstance(outcome, RadiodError):
                raise outcome
            self._messages.result(session, message, outcome)
        except RadiodError as refusal:
            self._refuse(session, message, refusal)

    def _finish(self, session: Session, message: Any, outcome: Callable[[], None] | RadiodError) -> None:
        """Do what a SUBSCRIBE or REGISTER asks for, now that others have agreed to it."""
        try:
            if isinstance(outcome, RadiodError):
                raise outcome
            outcome()
        except RadiodError as refusal:
            self._refuse(session, message, refusal)

    def _acknowledge(self, session: Session, message: Publish, outcome: Any) -> None:
        """Answer a publish whose receipt was kept back, unless its session has left meanwhile."""
        if not session.is_open:
            return
        if isinstance(outcome, RadiodError):
            self._refuse(session, message, outcome)
        else:
            self._messages.acknowledge(session, message, outcome.id)

    def _refuse(self, session: Session, message: Any, refusal: RadiodError) -> None:
        if not session.is_open:
            return
        if type(message) is Call and message.options.progress:
            self._dealer.forget_chunks(session, message.request)
        count_refusal(self._bounds, refusal, session)
        if isinstance(refusal, WrongSecret):
            self._outbox.suspect(session, refusal)
        # WAMP answers nothing at all to a PUBLISH that did not ask for an acknowledgement.
        if type(message) is Publish and not message.options.acknowledge:
            if not isinstance(refusal, Exceeded):
                self._outbox.unpublished(session, message.topic, refusal)
        else:
            error = Error(type(message).__struct_config__.tag, message.request, {}, refusal.uri)
            self._outbox.send(session, error, Payload.of(refusal.text))


def _check_call(session: Session, options: CallOptions) -> None:
    """Raises: PeerError: a CALL uses a feature that the session did not announce."""
    if options.progress:
        session.check_announced("caller.progressive_call_invocations")
    if options.is_passed_through:
        session.check_announced("caller.payload_passthru_mode")
