"""Who somebody is, and what they may do.

Source: WAMP specification, "Authorization".
"""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import Any, Protocol

from msgspec import Struct

from radiod.core.holders import Holder
from radiod.core.promises import Promise
from radiod.core.rates import RateLimit
from radiod.wire.options import Options

__all__ = [
    "Action",
    "Actor",
    "Disclose",
    "Permissions",
    "Principal",
    "Verdict",
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

    ``memberships``: names of the configuration's private channels that its sessions are members of;
    ``holder``: what gave it access, and whose account that is on.
    """

    authid: str
    authrole: str
    authmethod: str
    authprovider: str
    permissions: Permissions
    authextra: dict[str, Any] | None = None
    memberships: tuple[str, ...] = ()
    holder: Holder | None = None

    @property
    def is_anonymous(self) -> bool:
        """Whether it may be anybody."""
        return self.authmethod == "anonymous"
