"""``wamp.session.*``, and what else is about sessions, over all nodes: they are asked when somebody asks.

An answer is as true as the slowest node is late. Nodes that do not answer are named in the keyword result
``unanswered``, which is there only then: many clients make something else of a result with keywords.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from radiod.core.arguments import identifier
from radiod.core.channels.authority import Authority
from radiod.core.cluster.callees import Callees
from radiod.core.cluster.census_letters import (
    Finding,
    Question,
    read_finding,
    read_question,
    write_finding,
    write_question,
)
from radiod.core.cluster.encoding import MALFORMED
from radiod.core.cluster.peers import Answers, Peers
from radiod.core.cluster.proxies import Proxies, remote_principal
from radiod.core.procedures.family import Payloads, Procedure
from radiod.core.procedures.radiod_rpc import RpcProcedures
from radiod.core.procedures.wamp_registrations import RegistrationProcedures
from radiod.core.procedures.wamp_sessions import SessionProcedures
from radiod.core.promises import Promise, chain
from radiod.core.rpc.registrations import Registrations
from radiod.core.sessions.session import Session
from radiod.core.slices import Slices
from radiod.errors import NO_SUCH_SESSION, RadiodError, Refused
from radiod.wire.codecs import Payload

__all__ = ["ANSWER_S", "Census", "ClusterRegistrationProcedures", "ClusterRpcProcedures", "ClusterSessions"]

ANSWER_S: Final = 2.0
"""How long a node may take to answer."""


class Census:
    """Asks the other nodes of one realm, and answers them."""

    def __init__(self, realm: str, peers: Peers) -> None:
        self._peers = peers
        self._about = f"{realm} census"
        self._local: dict[str, Callable[..., Any]] = {}
        # Whoever asks from another node; nobody is in the way of what is done to all others.
        self._asker = Session(0, remote_principal("", "", may_all=True), None)
        self.malformed = 0
        peers.take(self._about, self._answer)

    def offer(self, procedures: Mapping[str, Callable[..., Any]]) -> None:
        """Have others ask for these: name -> what does it on this node."""
        self._local.update(procedures)

    def ask_all(self, procedure: str, **arguments: Any) -> Promise[Answers]:
        """Ask all others."""
        return self._peers.ask_all(self._about, write_question(Question(procedure, arguments)), ANSWER_S)

    def ask(self, node: int, procedure: str, **arguments: Any) -> Promise[Payload]:
        """Ask one. Comes to what it gives, or ``Refused`` as there; ``network_failure``."""
        answer: Promise[bytes] = self._peers.ask(
            node, self._about, write_question(Question(procedure, arguments)), ANSWER_S
        )

        def came(data: bytes) -> Payload:
            finding = read_finding(data)
            if finding.error:
                raise Refused(finding.error, finding.text)
            return Payload.of() if finding.value is None else Payload.of(finding.value)

        given = chain(answer, came)
        assert isinstance(given, Promise)
        return given

    def _answer(self, node: int, data: bytes) -> bytes | Promise[bytes] | None:
        try:
            question = read_question(data)
            handler = self._local[question.procedure]
        except (*MALFORMED, KeyError):
            self.malformed += 1
            return None
        try:
            given: Payloads = handler(self._asker, **question.arguments)
        except RadiodError as refusal:
            return write_finding(Finding(None, refusal.uri, refusal.text))
        answer: Promise[bytes] = Promise()

        def came(outcome: Payload | RadiodError) -> None:
            if isinstance(outcome, RadiodError):
                answer.settle(write_finding(Finding(None, outcome.uri, outcome.text)))
            else:
                answer.settle(write_finding(Finding(_value(outcome))))

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
        census.offer({name: handler for name, (_, handler) in self.procedures.items()})
        adding, joining = _added, _joined
        everywhere: dict[str, Callable[[list[Any]], Any]] = {
            "wamp.session.count": adding,
            "wamp.session.list": joining,
            "wamp.session.kill_by_authid": joining,
            "wamp.session.kill_by_authrole": adding,
            "wamp.session.kill_all": adding,
        }
        for name, put_together in everywhere.items():
            self.procedures[name] = self._on_all(name, self.procedures[name], put_together)
        for name in ("wamp.session.get", "wamp.session.kill"):
            self.procedures[name] = self._where_it_is(name, self.procedures[name])

    def _on_all(self, name: str, procedure: Procedure, put_together: Callable[[list[Any]], Any]) -> Procedure:
        """A procedure that each node does, and whose results are put together."""
        signature, handler = procedure

        def do(caller: Session, **arguments: Any) -> Payloads:
            own: Any = handler(caller, **arguments)

            def ask(own: Payload) -> Promise[Payload] | Payload:
                def came(answers: Answers) -> Payload:
                    findings = [read_finding(data) for data in answers.given.values()]
                    values = [_value(own), *[one.value for one in findings if not one.error]]
                    return _told(put_together(values), answers.unanswered)

                return chain(self._census.ask_all(name, **arguments), came)

            return chain(own, ask)

        return signature, do

    def _where_it_is(self, name: str, procedure: Procedure) -> Procedure:
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

            def came(answers: Answers) -> Payload:
                for data in answers.given.values():
                    finding = read_finding(data)
                    if not finding.error:
                        return Payload.of() if finding.value is None else Payload.of(finding.value)
                    if finding.error != NO_SUCH_SESSION:
                        # It is there, and its node has another reason.
                        raise Refused(finding.error, finding.text)
                unsure = f"; {', '.join(answers.unanswered)} did not answer" if answers.unanswered else ""
                raise Refused(NO_SUCH_SESSION, missing + unsure)

            return chain(self._census.ask_all(name, **arguments), came)

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
        census.offer({name: handler})
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
    return values[0] if values else None


def _told(value: Any, unanswered: tuple[str, ...]) -> Payload:
    return Payload.of(value, unanswered=list(unanswered)) if unanswered else Payload.of(value)


def _added(values: list[Any]) -> int:
    return sum(values)


def _joined(values: list[Any]) -> list[Any]:
    return [one for value in values for one in value]
