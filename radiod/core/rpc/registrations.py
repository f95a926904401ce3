"""Registrations: who answers calls to a procedure, or to every procedure of a pattern, and whose turn it is.

Source: WAMP specification, "Pattern-based Registration", "Shared Registration", "Call Re-Routing".
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from typing import Any, Final

from radiod.core.dates import date
from radiod.core.ids import Counter, Ids
from radiod.core.limits import Limits
from radiod.core.patterns import PatternIndex
from radiod.core.rpc.signatures import read_signature
from radiod.core.sessions.session import Session
from radiod.core.timers import Clock
from radiod.errors import (
    MAX_CONCURRENCY,
    NO_AVAILABLE_CALLEE,
    NO_SUCH_PROCEDURE,
    NO_SUCH_REGISTRATION,
    NOT_AUTHORIZED,
    PROCEDURE_ALREADY_EXISTS,
    QUOTA,
    Refused,
)
from radiod.wire.options import InvocationPolicy, MatchPolicy, RegisterOptions

__all__ = ["Callee", "Held", "Registration", "Registrations", "describe_registration", "signature_of"]

SIGNATURE: Final = "_radiod_signature"

MAX_SIGNATURES: Final = 1 << 20
"""Bytes of all signatures of one session."""


class Callee:
    """One session's part in one registration.

    ``running``: its calls that are not answered yet; ``concurrency``: how many of these it takes at a time;
    ``held``: its session's; ``wants_callers``: it asked who calls; ``yields``: it asked to take over, and so
    lets others do the same; ``wants_timeouts``: it ends its calls itself at the caller's deadline;
    ``signature``: what it tells about the procedure (``signatures``), as JSON, empty when it tells nothing.
    """

    __slots__ = (
        "concurrency",
        "held",
        "registration",
        "running",
        "session",
        "signature",
        "wants_callers",
        "wants_timeouts",
        "yields",
    )

    def __init__(
        self, session: Session, held: Held, registration: Registration, options: RegisterOptions
    ) -> None:
        self.session = session
        self.held = held
        self.registration = registration
        self.concurrency = options.concurrency
        self.wants_timeouts = options.forward_timeout and "callee.call_timeout" in session.features
        self.wants_callers = options.disclose_caller
        self.yields = options.force_reregister
        self.running = 0
        self.signature = b""

    def document(self, signature: bytes) -> None:
        """Tell something else about the procedure. Raises: Refused: ``quota``: the session tells too much."""
        more = len(signature) - len(self.signature)
        self.held.check_signatures(more)
        self.signature = signature
        self.held.signature_bytes += more

    def yields_to(self, session: Session) -> bool:
        """True when ``session`` may take its place without any right to act on others."""
        mine, other = self.session.principal, session.principal
        return self.yields or (mine.authid, mine.authrole) == (other.authid, other.authrole)

    @property
    def has_room(self) -> bool:
        """True when it may be given another call."""
        return self.concurrency is None or self.running < self.concurrency


class Held:
    """What one session has registered: registration id -> callee. ``signature_bytes``: of all signatures."""

    __slots__ = ("callees", "signature_bytes")

    def __init__(self) -> None:
        self.callees: dict[int, Callee] = {}
        self.signature_bytes = 0

    def check_signatures(self, more: int) -> None:
        """Whether so many bytes more may be told. Raises: Refused: ``quota``."""
        if self.signature_bytes + more > MAX_SIGNATURES:
            raise Refused(QUOTA, f"the signatures of a session may have {MAX_SIGNATURES} bytes")


NOTHING: Final = Held()


class Registration:
    """A procedure, or pattern of procedures, and its callees in order of registering.

    ``created``: seconds since 1970.
    """

    __slots__ = ("callees", "created", "id", "invoke", "match", "procedure", "turn")

    def __init__(
        self, id: int, match: MatchPolicy, procedure: str, invoke: InvocationPolicy, created: float
    ) -> None:
        self.id = id
        self.match: MatchPolicy = match
        self.procedure = procedure
        self.invoke: InvocationPolicy = invoke
        self.created = created
        self.callees: list[Callee] = []
        # With roundrobin: index of the callee that is asked next.
        self.turn = 0

    @property
    def signature(self) -> bytes:
        """What the first of the callees that tells anything tells; empty: none does."""
        return next((callee.signature for callee in self.callees if callee.signature), b"")


def signature_of(options: RegisterOptions) -> bytes:
    """What a REGISTER tells about its procedure; empty: nothing. Raises: Refused: ``invalid_argument``."""
    return b"" if options.signature is None else read_signature(SIGNATURE, options.signature)


def describe_registration(registration: Registration) -> dict[str, Any]:
    """What the meta API tells of a registration."""
    return {
        "id": registration.id,
        "created": date(registration.created),
        "uri": registration.procedure,
        "match": registration.match,
        "invoke": registration.invoke,
    }


class Registrations:
    """The registrations of one realm."""

    def __init__(self, clock: Clock, ids: Ids, limits: Limits) -> None:
        self._clock = clock
        self._random = ids
        self._limits = limits
        self._ids = Counter()
        self._by_pattern: PatternIndex[Registration] = PatternIndex()
        self._by_id: dict[int, Registration] = {}
        self._by_session: dict[Session, Held] = {}

    def __len__(self) -> int:
        """Registrations with at least one callee."""
        return len(self._by_id)

    def find(self, registration_id: int) -> Registration:
        """The registration of that id. Raises: Refused: ``no_such_registration``."""
        registration = self._by_id.get(registration_id)
        if registration is None:
            raise Refused(NO_SUCH_REGISTRATION, f"no registration {registration_id}")
        return registration

    def of(self, session: Session) -> Mapping[int, Callee]:
        """What one session has registered: registration id -> callee."""
        return self._by_session.get(session, NOTHING).callees

    def lookup(self, match: MatchPolicy, procedure: str) -> Registration | None:
        """The registration made for exactly this policy and procedure."""
        return self._by_pattern.get(match, procedure)

    def best(self, procedure: str) -> Registration:
        """The registration that answers a call: exact, else longest prefix, else most specific wildcard.

        Raises: Refused: ``no_such_procedure``.
        """
        registration = self._by_pattern.best(procedure)
        if registration is None:
            raise Refused(NO_SUCH_PROCEDURE, f"nobody has registered {procedure}")
        return registration

    def __iter__(self) -> Iterator[Registration]:
        """All registrations, oldest first."""
        return iter(self._by_id.values())

    def of_policy(self, match: MatchPolicy) -> Iterator[Registration]:
        """All registrations of one match policy, oldest first."""
        return self._by_pattern.items(match)

    def add(self, session: Session, procedure: str, options: RegisterOptions) -> tuple[Registration, bool]:
        """Let ``session`` answer calls.

        Returns: the registration, shared by all its callees; whether it is new.
        Raises: Refused: ``procedure_already_exists``: it is not shared, or under another policy, or this
            session has registered it before; ``quota``; ``invalid_argument``: a malformed signature.
        """
        signature = signature_of(options)
        registration = self._by_pattern.get(options.match, procedure)
        if registration is not None:
            self._check_shared(registration, session, options)
        held = self._by_session.get(session) or Held()
        self._check_quota(len(held.callees))
        is_new = registration is None
        if registration is None:
            created = self._clock.time()
            registration = Registration(self._ids.next(), options.match, procedure, options.invoke, created)
        callee = Callee(session, held, registration, options)
        callee.document(signature)
        self._by_session[session] = held
        if is_new:
            self._by_pattern.add(options.match, procedure, registration)
            self._by_id[registration.id] = registration
        registration.callees.append(callee)
        held.callees[registration.id] = callee
        return registration, is_new

    def take_over(
        self, session: Session, procedure: str, options: RegisterOptions, may_act_on_others: bool
    ) -> tuple[Registration, list[Callee]]:
        """Let ``session`` answer calls in the place of all who do now, under its own policies.

        Args:
            may_act_on_others: the right to take a registration from sessions that did not agree to that.
        Returns: the registration, which is new; those who had the one before, which has ended.
        Raises: Refused: ``not_authorized``; ``quota`` and ``invalid_argument`` as ``add``. Then nobody has
            lost anything.
        """
        before = self._by_pattern.get(options.match, procedure)
        if before is None:
            return self.add(session, procedure, options)[0], []
        self.check_right(before, session, may_act_on_others)
        self._check_takeover(options, self._by_session.get(session, NOTHING), before.id)
        replaced = list(before.callees)
        for callee in replaced:
            self.remove(callee.session, before.id)
        return self.add(session, procedure, options)[0], replaced

    def check_right(self, before: Registration, session: Session, may_act_on_others: bool) -> None:
        """Whether a session may take over a registration. Raises: Refused: ``not_authorized``."""
        if not may_act_on_others and not all(callee.yields_to(session) for callee in before.callees):
            role = session.principal.authrole
            told = f"role {role} may not take {before.procedure} from its callees"
            raise Refused(NOT_AUTHORIZED, told)

    def _check_takeover(self, options: RegisterOptions, held: Held, before: int) -> None:
        """Refuse what ``add`` would, once the registration ``before`` is no more."""
        own = held.callees.get(before)
        size = len(signature_of(options))
        held.check_signatures(size - (0 if own is None else len(own.signature)))
        self._check_quota(len(held.callees) - (own is not None))

    def _check_quota(self, held: int) -> None:
        if held >= self._limits.max_registrations:
            raise Refused(QUOTA, f"a session may hold {self._limits.max_registrations} registrations")

    def _check_shared(self, registration: Registration, session: Session, options: RegisterOptions) -> None:
        procedure = registration.procedure
        if registration.invoke == "single":
            raise Refused(PROCEDURE_ALREADY_EXISTS, f"{procedure} is registered already")
        if registration.invoke != options.invoke:
            text = f"{procedure} is registered with the invocation policy {registration.invoke}"
            raise Refused(PROCEDURE_ALREADY_EXISTS, text)
        if registration.id in self.of(session):
            raise Refused(PROCEDURE_ALREADY_EXISTS, f"this session has registered {procedure} already")

    def remove(self, session: Session, registration_id: int) -> Registration:
        """End one registration of ``session``. Raises: Refused: ``no_such_registration``."""
        held = self._by_session.get(session, NOTHING)
        callee = held.callees.pop(registration_id, None)
        if callee is None:
            raise Refused(NO_SUCH_REGISTRATION, f"no registration {registration_id} in this session")
        callee.document(b"")
        if not held.callees:
            del self._by_session[session]
        registration = callee.registration
        index = registration.callees.index(callee)
        del registration.callees[index]
        # Whose turn it was keeps it.
        if index < registration.turn:
            registration.turn -= 1
        if not registration.callees:
            self._by_pattern.remove(registration.match, registration.procedure)
            del self._by_id[registration.id]
        return registration

    def leave(self, session: Session) -> list[Registration]:
        """End all registrations of a session. Returns: those it had."""
        return [self.remove(session, id) for id in list(self.of(session))]

    def pick(self, registration: Registration, unavailable: Container[Session] = ()) -> Callee:
        """The callee whose turn it is; those in ``unavailable`` have said that they cannot take this call.

        Raises: Refused: ``max_concurrency``: all others are busy; ``no_available_callee``: there is no other.
        """
        callees = registration.callees
        if not unavailable and len(callees) == 1 and callees[0].has_room:
            return callees[0]
        start = self._start(registration)
        step = -1 if registration.invoke == "last" else 1
        is_anybody_busy = False
        for offset in range(len(callees)):
            index = (start + step * offset) % len(callees)
            callee = callees[index]
            if callee.session in unavailable:
                continue
            if callee.has_room:
                registration.turn = (index + 1) % len(callees)
                return callee
            is_anybody_busy = True
        if is_anybody_busy:
            raise Refused(MAX_CONCURRENCY, f"every callee of {registration.procedure} is busy")
        raise Refused(NO_AVAILABLE_CALLEE, f"no callee of {registration.procedure} can take this call")

    def _start(self, registration: Registration) -> int:
        match registration.invoke:
            case "roundrobin":
                return registration.turn
            case "random":
                return self._random.next() % len(registration.callees)
            case "last":
                return len(registration.callees) - 1
        return 0
