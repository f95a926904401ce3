"""``wamp.session.*``: who is there, and ending other people's sessions.

Source: WAMP specification, "Session Meta API".
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any, Final

from radiod.core.arguments import REQUIRED, Signature, a_list, identifier, optional, text
from radiod.core.channels.authority import Authority
from radiod.core.procedures.family import Payloads, Procedure
from radiod.core.procedures.ids import ids
from radiod.core.sessions.session import Session, describe_session
from radiod.core.slices import Slices
from radiod.core.uris import check_uri
from radiod.errors import CLOSE_KILLED, NO_SUCH_SESSION, Refused
from radiod.wire.codecs import Payload

__all__ = ["SessionProcedures", "find_session"]

WHY: Final[Signature] = {"reason": CLOSE_KILLED, "message": None}

PASSED_IN_A_STEP: Final = 500
"""Sessions that are left alone without a pause."""


class SessionProcedures:
    """``procedures``: name -> parameters and handler, which takes the calling session and the parameters."""

    def __init__(self, sessions: Mapping[int, Session], authority: Authority, slices: Slices) -> None:
        self._sessions = sessions
        self._authority = authority
        self._slices = slices
        self.procedures: dict[str, Procedure] = {
            "wamp.session.count": ({"filter_authroles": None}, self.count_sessions),
            "wamp.session.list": ({"filter_authroles": None}, self.list_sessions),
            "wamp.session.get": ({"session": REQUIRED}, self.get_session),
            "wamp.session.kill": ({"session": REQUIRED, **WHY}, self.kill),
            "wamp.session.kill_by_authid": ({"authid": REQUIRED, **WHY}, self.kill_by_authid),
            "wamp.session.kill_by_authrole": ({"authrole": REQUIRED, **WHY}, self.kill_by_authrole),
            "wamp.session.kill_all": (WHY, self.kill_all),
        }

    def _list(self, filter_authroles: Any, tell: Callable[[list[int]], Any]) -> Payloads:
        """What ``tell`` makes of the ids of all sessions, or of those of these roles."""
        roles = optional(_texts, "filter_authroles", filter_authroles)

        def find() -> Generator[None, None, Payload]:
            found = yield from ids(
                self._sessions.values(), lambda one: roles is None or one.principal.authrole in roles
            )
            return Payload.of(tell(found))

        return self._slices.run(find())

    def count_sessions(self, caller: Session, *, filter_authroles: Any) -> Payloads:
        """→ how many sessions there are, of these roles if any are given."""
        return self._list(filter_authroles, len)

    def list_sessions(self, caller: Session, *, filter_authroles: Any) -> Payloads:
        """→ their ids."""
        return self._list(filter_authroles, lambda ids: ids)

    def get_session(self, caller: Session, *, session: Any) -> Payload:
        """→ ``{session, authid, authrole, authmethod, authprovider}``."""
        return Payload.of(describe_session(find_session(self._sessions, session)))

    def kill(self, caller: Session, *, session: Any, reason: Any, message: Any) -> Payload:
        """Close another session → nothing."""
        victim = find_session(self._sessions, session)
        if victim is caller:
            raise Refused(NO_SUCH_SESSION, "there is no other session of this id")
        reason, details = _farewell(reason, message)
        self._authority.kill(victim, reason, details)
        return Payload.of()

    def kill_by_authid(self, caller: Session, *, authid: Any, reason: Any, message: Any) -> Payloads:
        """Close all other sessions of one authid → their ids."""
        text("authid", authid)
        return self._kill(caller, lambda one: one.principal.authid == authid, reason, message, list)

    def kill_by_authrole(self, caller: Session, *, authrole: Any, reason: Any, message: Any) -> Payloads:
        """Close all other sessions of one role → how many."""
        text("authrole", authrole)
        return self._kill(caller, lambda one: one.principal.authrole == authrole, reason, message, len)

    def kill_all(self, caller: Session, *, reason: Any, message: Any) -> Payloads:
        """Close all other sessions → how many. Nobody is told of their leaving, as the specification asks."""
        return self._kill(caller, lambda _: True, reason, message, len, is_everybody=True)

    def _kill(
        self,
        caller: Session,
        is_meant: Callable[[Session], bool],
        reason: Any,
        message: Any,
        tell: Callable[[list[int]], Any],
        *,
        is_everybody: bool = False,
    ) -> Payloads:
        """Close all other sessions that are meant, as of now → what ``tell`` makes of their ids."""
        reason, details = _farewell(reason, message)

        def kill() -> Generator[None, None, Payload]:
            victims: list[int] = []
            for count, one in enumerate(list(self._sessions.values()), 1):
                if one is not caller and one.is_open and is_meant(one):
                    victims.append(one.id)
                    self._authority.kill(one, reason, details, is_everybody=is_everybody)
                    yield
                elif count % PASSED_IN_A_STEP == 0:
                    yield
            return Payload.of(tell(victims))

        return self._slices.run(kill())


def find_session(sessions: Mapping[int, Session], id: Any) -> Session:
    """The session of that id. Raises: Refused: ``no_such_session``, ``invalid_argument``."""
    session = sessions.get(identifier("session", id))
    if session is None:
        raise Refused(NO_SUCH_SESSION, f"no session {id}")
    return session


def _farewell(reason: Any, message: Any) -> tuple[str, dict[str, Any]]:
    """Reason and details of a GOODBYE."""
    check_uri(text("reason", reason))
    return reason, {} if message is None else {"message": text("message", message)}


def _texts(name: str, value: Any) -> frozenset[str]:
    return frozenset(text(name, item) for item in a_list(name, value))
