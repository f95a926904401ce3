"""``wamp.registration.*``: who answers which calls. ``remove_callee`` is Crossbar.io's.

Source: WAMP specification, "Registration Meta API".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from radiod.core.arguments import REQUIRED, identifier, optional, struct, text
from radiod.core.channels.authority import Authority
from radiod.core.procedures.family import Payloads, Procedure
from radiod.core.procedures.ids import ids_by_policy, ids_of
from radiod.core.procedures.visible import sees_registration
from radiod.core.procedures.wamp_sessions import find_session
from radiod.core.rpc.registrations import Registration, Registrations, describe_registration
from radiod.core.sessions.session import Session
from radiod.core.slices import Slices
from radiod.core.uris import is_reserved
from radiod.errors import NO_SUCH_REGISTRATION, Refused
from radiod.wire.codecs import Payload
from radiod.wire.options import RegisterOptions

__all__ = ["RegistrationProcedures"]


class RegistrationProcedures:
    """``procedures``: name -> parameters and handler, which takes the calling session and the parameters."""

    def __init__(
        self,
        sessions: Mapping[int, Session],
        registrations: Registrations,
        authority: Authority,
        slices: Slices,
    ) -> None:
        self._sessions = sessions
        self._registrations = registrations
        self._authority = authority
        self._slices = slices
        self.procedures: dict[str, Procedure] = {
            "wamp.registration.list": ({}, self.list_registrations),
            "wamp.registration.lookup": ({"procedure": REQUIRED, "options": None}, self.lookup_registration),
            "wamp.registration.match": ({"procedure": REQUIRED}, self.match_registration),
            "wamp.registration.get": ({"registration": REQUIRED}, self.get_registration),
            "wamp.registration.list_callees": ({"registration": REQUIRED}, self.list_callees),
            "wamp.registration.count_callees": ({"registration": REQUIRED}, self.count_callees),
            "wamp.registration.remove_callee": (
                {"registration": REQUIRED, "session": REQUIRED, "reason": None},
                self.remove_callee,
            ),
        }

    def list_registrations(self, caller: Session) -> Payloads:
        """→ ``{exact, prefix, wildcard}``: ids."""
        of_policy = self._registrations.of_policy
        return self._slices.run(ids_by_policy(of_policy, sees_registration(caller)))

    def lookup_registration(self, caller: Session, *, procedure: Any, options: Any) -> Payload:
        """→ the id of the registration made for this procedure and match policy, or null."""
        match = struct("options", options, RegisterOptions).match
        found = self._registrations.lookup(match, text("procedure", procedure))
        return Payload.of(found.id if found and sees_registration(caller)(found) else None)

    def match_registration(self, caller: Session, *, procedure: Any) -> Payload:
        """→ the id of the registration that would answer a call, or null."""
        permissions = caller.principal.permissions
        if is_reserved(text("procedure", procedure)) or permissions.hides_procedure(procedure):
            # The router answers, whatever pattern this falls under; or the caller may not know.
            return Payload.of(None)
        try:
            return Payload.of(self._registrations.best(procedure).id)
        except Refused:
            return Payload.of(None)

    def _registration(self, caller: Session, id: Any) -> Registration:
        found = self._registrations.find(identifier("registration", id))
        if caller.principal.permissions.hides_procedure(found.procedure):
            raise Refused(NO_SUCH_REGISTRATION, f"no registration {id}")
        return found

    def get_registration(self, caller: Session, *, registration: Any) -> Payload:
        """→ ``{id, created, uri, match, invoke}``."""
        return Payload.of(describe_registration(self._registration(caller, registration)))

    def list_callees(self, caller: Session, *, registration: Any) -> Payloads:
        """→ ids of the sessions in a registration."""
        callees = self._registration(caller, registration).callees
        return self._slices.run(ids_of(callee.session for callee in callees))

    def count_callees(self, caller: Session, *, registration: Any) -> Payload:
        """→ how many these are."""
        return Payload.of(len(self._registration(caller, registration).callees))

    def remove_callee(self, caller: Session, *, registration: Any, session: Any, reason: Any) -> Payload:
        """Take a registration away from a session → nothing."""
        found, callee = self._registration(caller, registration), find_session(self._sessions, session)
        if found.id not in self._registrations.of(callee):
            raise Refused(NO_SUCH_REGISTRATION, f"session {session} does not have it")
        self._authority.revoke_registration(callee, found, optional(text, "reason", reason))
        return Payload.of()
