"""Who somebody is, what they may do, and what others learn about them.

Sources: WAMP specification, "Authorization", "Publisher Identification", "Caller Identification" and both
trust levels.
"""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import Any, Final, Protocol

from msgspec import Struct

from radiod.core.promises import Promise
from radiod.core.rates import RateLimit
from radiod.errors import DISCLOSE_ME, Refused
from radiod.wire.options import Options

__all__ = [
    "CALLER",
    "NO_DETAILS",
    "PUBLISHER",
    "Action",
    "Actor",
    "Disclose",
    "Permissions",
    "Principal",
    "Verdict",
    "Visitor",
    "disclosed",
    "identity",
]


class Action(StrEnum):
    """What a principal may ask to do with a URI."""

    SUBSCRIBE = "subscribe"
    PUBLISH = "publish"
    CALL = "call"
    REGISTER = "register"


class Disclose(Enum):
    """When an identity is revealed to callees and subscribers."""

    ALWAYS = "always"
    ASKED = "asked"
    NEVER = "never"


class Verdict(Struct, frozen=True, kw_only=True):
    """What an authorizer decides: whether, and what receivers learn about the one who acts.

    ``trustlevel``: as events and invocations carry it; None: not told; ``may_take_over``: a REGISTER may take
    the procedure from other people's sessions.
    """

    is_allowed: bool
    disclose: Disclose = Disclose.ASKED
    trustlevel: int | None = None
    may_take_over: bool = False


class Actor(Protocol):
    """Whoever asks for something: a session, or a ``Visitor``. ``outlet``: the outbox's way to it, if any."""

    @property
    def id(self) -> int:
        """The session id; a visitor's is nobody else's."""

    @property
    def principal(self) -> Principal:
        """Who that is."""

    @property
    def outlet(self) -> Any:
        """The outbox's way to it; None: there is none."""


class Permissions(Protocol):
    """What one role, or one key, may do."""

    @property
    def may_hold_publishers(self) -> bool:
        """True when a listener may have publishers wait for it, or be refused: ``wait`` and ``raise``."""

    @property
    def rate_limit(self) -> RateLimit | None:
        """How many requests each of its sessions may send; None: any number."""

    def decide(self, actor: Actor, action: Action, uri: str, options: Options) -> Verdict | Promise[Verdict]:
        """Decide on what ``actor`` asks for; ``options`` are its message's, with their match policy.

        Settles with ``Refused`` when there is no decision to be had.
        """

    def allows(self, action: Action, uri: str) -> bool:
        """True when it is known at once that ``action`` on ``uri`` is permitted. Never raises."""

    def hides(self, topic: str) -> bool:
        """True when events of ``topic`` may not reach the holder, whatever pattern it subscribed to."""

    def hides_procedure(self, procedure: str) -> bool:
        """True when it is known at once that the holder may neither call nor register ``procedure``."""

    def may_act_on_others(self, procedure: str) -> bool:
        """True when the holder may call ``procedure`` on what is other people's."""


class Principal(Struct, frozen=True, kw_only=True):
    """Somebody whose identity is established. ``authextra`` is told to that client alone, in WELCOME.

    ``memberships``: names of the configuration's private channels that its sessions are members of.
    """

    authid: str
    authrole: str
    authmethod: str
    authprovider: str
    permissions: Permissions
    authextra: dict[str, Any] | None = None
    memberships: tuple[str, ...] = ()

    @property
    def is_anonymous(self) -> bool:
        """Whether it may be anybody."""
        return self.authmethod == "anonymous"


class Visitor:
    """Somebody who asks for something before, or without, joining a session."""

    __slots__ = ("id", "outlet", "principal")

    def __init__(self, id: int, principal: Principal, outlet: Any = None) -> None:
        self.id = id
        self.principal = principal
        self.outlet = outlet


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
