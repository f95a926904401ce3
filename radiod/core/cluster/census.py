"""``wamp.session.*``, and what else is about sessions, over all nodes: they are asked when somebody asks.

An answer is as true as the slowest node is late. Nodes that do not answer are named in the keyword result
``unanswered``, which is there only then: many clients make something else of a result with keywords.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, Generic, TypeVar

from radiod.core.arguments import identifier
from radiod.core.channels.authority import Authority
from radiod.core.cluster.callees import Callees
from radiod.core.cluster.census_letters import (
    Finding,
    More,
    Question,
    read_question,
    value_of,
    write_question,
)
from radiod.core.cluster.peers import Answers, Peers
from radiod.core.cluster.pieces import ANSWER_S, Kept, Whole
from radiod.core.cluster.proxies import Proxies, remote_principal
from radiod.core.procedures.family import Payloads, Procedure
from radiod.core.procedures.radiod_rpc import RpcProcedures
from radiod.core.procedures.wamp_registrations import RegistrationProcedures
from radiod.core.procedures.wamp_sessions import SessionProcedures
from radiod.core.promises import Promise, chain
from radiod.core.rpc.registrations import Registrations
from radiod.core.sessions.session import Session
from radiod.core.slices import Slices
from radiod.core.timers import Clock, Timers
from radiod.errors import NETWORK_FAILURE, NO_SUCH_SESSION, QUOTA, RadiodError, Refused
from radiod.wire.codecs import Payload

__all__ = ["Census", "ClusterRegistrationProcedures", "ClusterRpcProcedures", "ClusterSessions", "Found"]

T = TypeVar("T")

COUNTING: Final[tuple[str, ...]] = (
    "wamp.session.count",
    "wamp.session.kill_by_authrole",
    "wamp.session.kill_all",
)
LISTING: Final[tuple[str, ...]] = ("wamp.session.list", "wamp.session.kill_by_authid")
"""What gives how many, and what gives whom."""

DONE: Final = True
"""What a node gives where the procedure gives nothing."""


class Found(Generic[T]):
    """What all others have answered.

    ``values``: of one kind; ``refusals``: of those that refused; ``unanswered``: the names of those whose
    answer did not come, or is too long, or cannot be read.
    """

    def __init__(self, values: list[T], refusals: list[Finding], unanswered: tuple[str, ...]) -> None:
        self.values = values
        self.refusals = refusals
        self.unanswered = unanswered

    def told(self, value: Any) -> Payload:
        """An answer, and who has not told."""
        return Payload.of(value, unanswered=list(self.unanswered)) if self.unanswered else Payload.of(value)

    @property
    def unsure(self) -> str:
        """What makes a refusal uncertain."""
        return f"; {', '.join(self.unanswered)} did not answer" if self.unanswered else ""


class Census:
    """Asks the other nodes of one realm, and answers them."""

    def __init__(self, realm: str, peers: Peers, clock: Clock, timers: Timers) -> None:
        self._peers = peers
        self._clock = clock
        self._about = f"{realm} census"
        self._local: dict[str, Procedure] = {}
        self._kept = Kept(clock, timers)
        # Whoever asks from another node; nobody is in the way of what is done to all others.
        self._asker = Session(0, remote_principal("", "", may_all=True), None)
        peers.take(self._about, self._answer)

    def offer(self, procedures: Mapping[str, Procedure]) -> None:
        """Have others ask for these: name -> its parameters, and what does it on this node."""
        self._local.update(procedures)

    def ask_all(self, procedure: str, kind: type[T], **arguments: Any) -> Promise[Found[T]]:
        """Ask all others; ``kind``: of what each gives, as ``msgspec.convert`` takes it."""
        outcome: Promise[Found[T]] = Promise()

        def asked(answers: Answers | RadiodError) -> None:
            assert isinstance(answers, Answers), "who does not answer is named"
            if not answers.given:
                outcome.settle(Found([], [], answers.unanswered))
                return
            findings: dict[int, Finding | None] = {}

            def came(node: int, finding: Finding | None) -> None:
                findings[node] = finding
                if len(findings) == len(answers.given):
                    outcome.settle(self._found(findings, kind, answers.unanswered))

            for node, data in answers.given.items():
                Whole(self._about, node, self._peers, self._clock, partial(came, node)).take(data)

        question = write_question(Question(procedure, arguments))
        self._peers.ask_all(self._about, question, ANSWER_S).then(asked)
        return outcome

    def _found(
        self, findings: dict[int, Finding | None], kind: type[T], unanswered: tuple[str, ...]
    ) -> Found[T]:
        values: list[T] = []
        refusals: list[Finding] = []
        failed: list[str] = []
        for node, finding in findings.items():
            if finding is None or finding.error == QUOTA:
                failed.append(self._peers.name(node))
            elif finding.error:
                refusals.append(finding)
            else:
                value = value_of(finding, kind)
                if value is None:
                    self._peers.note_malformed(self._about, node)
                    failed.append(self._peers.name(node))
                else:
                    values.append(value)
        return Found(values, refusals, (*unanswered, *failed))

    def ask(self, node: int, procedure: str, **arguments: Any) -> Promise[Payload]:
        """Have one do something that gives nothing. Comes to ``Refused`` as there; ``network_failure``."""
        given: Promise[Payload] = Promise()

        def came(finding: Finding | None) -> None:
            if finding is None:
                given.settle(Refused(NETWORK_FAILURE, f"node {self._peers.name(node)} did not answer"))
            elif finding.error:
                given.settle(Refused(finding.error, finding.text))
            elif finding.value is not DONE:
                self._peers.note_malformed(self._about, node)
                given.settle(Refused(NETWORK_FAILURE, f"node {self._peers.name(node)} did not answer"))
            else:
                given.settle(Payload.of())

        question = write_question(Question(procedure, arguments))
        whole = Whole(self._about, node, self._peers, self._clock, came)
        self._peers.ask(node, self._about, question, ANSWER_S).then(whole.take)
        return given

    def _answer(self, node: int, data: bytes) -> bytes | Promise[bytes] | None:
        question = read_question(data)
        if isinstance(question, More):
            return self._kept.more(node, question)
        offered = None if question is None else self._local.get(question.procedure)
        if question is None or offered is None or question.arguments.keys() != offered[0].keys():
            self._peers.note_malformed(self._about, node)
            return None
        try:
            given: Any = offered[1](self._asker, **question.arguments)
        except RadiodError as refusal:
            return self._kept.begin(node, Finding(None, refusal.uri, refusal.text))
        answer: Promise[bytes] = Promise()

        def came(outcome: Payload | RadiodError) -> None:
            if isinstance(outcome, RadiodError):
                answer.settle(self._kept.begin(node, Finding(None, outcome.uri, outcome.text)))
            else:
                answer.settle(self._kept.begin(node, Finding(_value(outcome))))

        if isinstance(given, Promise):
            given.then(came)
        else:
            came(given)
        return answer


class ClusterSessions(SessionProcedures):
    """``SessionProcedures`` over all nodes."""

    def __init__(
        self, sessions: Mapping[int, Session], authority: Authority, slices: Slices, census: Census
    ) -> None:
        super().__init__(sessions, authority, slices)
        self._census = census
        census.offer(self.procedures)
        for name in COUNTING:
            self.procedures[name] = self._on_all(name, self.procedures[name], int, sum)
        for name in LISTING:
            self.procedures[name] = self._on_all(name, self.procedures[name], list[int], _joined)
        for name in ("wamp.session.get", "wamp.session.kill"):
            kind = bool if name == "wamp.session.kill" else dict[str, Any]
            self.procedures[name] = self._where_it_is(name, self.procedures[name], kind)

    def _on_all(
        self, name: str, procedure: Procedure, kind: type[T], put_together: Callable[[list[T]], Any]
    ) -> Procedure:
        """A procedure that each node does, and whose results, of one kind, are put together."""
        signature, handler = procedure

        def do(caller: Session, **arguments: Any) -> Payloads:
            own: Any = handler(caller, **arguments)

            def ask(own: Payload) -> Promise[Payload] | Payload:
                def came(found: Found[T]) -> Payload:
                    return found.told(put_together([_value(own), *found.values]))

                return chain(self._census.ask_all(name, kind, **arguments), came)

            return chain(own, ask)

        return signature, do

    def _where_it_is(self, name: str, procedure: Procedure, kind: type[T]) -> Procedure:
        """A procedure about one session, whose node does it."""
        signature, handler = procedure

        def do(caller: Session, **arguments: Any) -> Payloads:
            try:
                own: Any = handler(caller, **arguments)
                given: Payloads = own
                return given
            except Refused as refusal:
                if refusal.uri != NO_SUCH_SESSION or arguments["session"] in self._sessions:
                    raise
                missing = refusal.text

            def came(found: Found[T]) -> Payload:
                for value in found.values:
                    return _payload(value)
                for refusal in found.refusals:
                    if refusal.error != NO_SUCH_SESSION:
                        # It is there, and its node has another reason.
                        raise Refused(refusal.error, refusal.text)
                raise Refused(NO_SUCH_SESSION, missing + found.unsure)

            return chain(self._census.ask_all(name, kind, **arguments), came)

        return signature, do


class ClusterRegistrationProcedures(RegistrationProcedures):
    """``RegistrationProcedures`` over all nodes: these are mirrored, and ended by the callee's node."""

    def __init__(
        self,
        sessions: Mapping[int, Session],
        registrations: Registrations,
        authority: Authority,
        slices: Slices,
        proxies: Proxies,
        census: Census,
    ) -> None:
        super().__init__(sessions, registrations, authority, slices)
        self._proxies = proxies
        self._census = census
        name = "wamp.registration.remove_callee"
        signature, handler = self.procedures[name]
        census.offer({name: (signature, handler)})
        self.procedures[name] = signature, self.remove_anywhere

    def remove_anywhere(self, caller: Session, *, registration: Any, session: Any, reason: Any) -> Payloads:
        """As ``remove_callee``."""
        found = self._registration(caller, registration)
        proxy = self._proxies.find(identifier("session", session))
        if proxy is None:
            return self.remove_callee(caller, registration=registration, session=session, reason=reason)
        name = "wamp.registration.remove_callee"
        return self._census.ask(proxy.node, name, registration=found.id, session=proxy.id, reason=reason)


class ClusterRpcProcedures(RpcProcedures):
    """``RpcProcedures``: all nodes know what callees tell. ``callees`` is set before the first call."""

    callees: Callees

    def document(self, session: Session, *, procedure: Any, signature: Any) -> dict[str, Any]:
        """As ``RpcProcedures.document``."""
        answer = super().document(session, procedure=procedure, signature=signature)
        self.callees.changed(session)
        return answer


def _value(payload: Payload) -> Any:
    values, _ = payload.values()
    return values[0] if values else DONE


def _payload(value: Any) -> Payload:
    """A result again."""
    return Payload.of() if value is DONE else Payload.of(value)


def _joined(values: list[list[int]]) -> list[int]:
    return [one for value in values for one in value]
