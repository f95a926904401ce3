"""Procedures that only the router may call."""

from __future__ import annotations

from typing import Final

from radiod.core.promises import Promise
from radiod.core.rates import RateLimit
from radiod.core.rights import Action, Actor, Permissions, Verdict
from radiod.wire.options import Options

__all__ = ["RouterOnly"]

DENIED: Final = Verdict(is_allowed=False)


class RouterOnly:
    """``Permissions`` of a role without the right to call one procedure.

    What answers the router's questions about users tells secrets, and listeners have ``call = ["*"]``.
    """

    def __init__(self, permissions: Permissions, procedure: str) -> None:
        self._permissions = permissions
        self._procedure = procedure

    def become(self, other: RouterOnly) -> None:
        """Decide as ``other`` from now on, which withholds the same."""
        # Of one kind: a role that gets an authorizer, or loses it, needs a restart.
        self._permissions.become(other._permissions)  # type: ignore[attr-defined]

    @property
    def may_hold_publishers(self) -> bool:
        """As ``Permissions.may_hold_publishers``."""
        return self._permissions.may_hold_publishers

    @property
    def rate_limit(self) -> RateLimit | None:
        """As ``Permissions.rate_limit``."""
        return self._permissions.rate_limit

    def decide(self, actor: Actor, action: Action, uri: str, options: Options) -> Verdict | Promise[Verdict]:
        """As ``Permissions.decide``."""
        if self._is_withheld(action, uri):
            return DENIED
        return self._permissions.decide(actor, action, uri, options)

    def allows(self, action: Action, uri: str) -> bool:
        """As ``Permissions.allows``."""
        return not self._is_withheld(action, uri) and self._permissions.allows(action, uri)

    def hides(self, topic: str) -> bool:
        """As ``Permissions.hides``."""
        return self._permissions.hides(topic)

    def hides_procedure(self, procedure: str) -> bool:
        """As ``Permissions.hides_procedure``."""
        return self._permissions.hides_procedure(procedure)

    def may_act_on_others(self, procedure: str) -> bool:
        """As ``Permissions.may_act_on_others``."""
        return self._permissions.may_act_on_others(procedure)

    def _is_withheld(self, action: Action, uri: str) -> bool:
        return action is Action.CALL and uri == self._procedure
