"""What receivers of an event or a call learn about the one who acts.

Source: WAMP specification, "Publisher Identification", "Caller Identification" and both trust levels.
"""

from __future__ import annotations

from typing import Any, Final

from radiod.core.rights import Actor, Disclose, Principal, Verdict
from radiod.errors import DISCLOSE_ME, Refused

__all__ = ["CALLER", "NO_DETAILS", "PUBLISHER", "Visitor", "disclosed", "identity"]

NO_DETAILS: Final[dict[str, Any]] = {}
"""Shared by all events and calls that tell nothing but their payload; never changed."""

PUBLISHER: Final = ("publisher", "publisher_authid", "publisher_authrole")
CALLER: Final = ("caller", "caller_authid", "caller_authrole")


def disclosed(names: tuple[str, str, str], actor: Actor, is_asked: bool, verdict: Verdict) -> dict[str, Any]:
    """Details of EVENT or INVOCATION.

    Args:
        names: of its session id, authid and authrole.
        is_asked: the message has ``disclose_me``.
    Raises: Refused: ``option_disallowed.disclose_me``.
    """
    disclose = verdict.disclose
    if is_asked and disclose is Disclose.NEVER:
        raise Refused(DISCLOSE_ME, f"role {actor.principal.authrole} may not disclose itself")
    is_told = disclose is Disclose.ALWAYS or is_asked
    if not is_told and verdict.trustlevel is None:
        return NO_DETAILS
    details = identity(names, actor) if is_told else {}
    if verdict.trustlevel is not None:
        details["trustlevel"] = verdict.trustlevel
    return details


def identity(names: tuple[str, str, str], actor: Actor) -> dict[str, Any]:
    """Who the actor is, as details of EVENT or INVOCATION."""
    principal = actor.principal
    return {names[0]: actor.id, names[1]: principal.authid, names[2]: principal.authrole}


class Visitor:
    """Somebody who asks for something before, or without, joining a session."""

    __slots__ = ("id", "outlet", "principal")

    def __init__(self, id: int, principal: Principal, outlet: Any = None) -> None:
        self.id = id
        self.principal = principal
        self.outlet = outlet
