"""The rights of a token: what it names, as long as its key may listen to that, too."""

from __future__ import annotations

from radiod.auth.keys import Key
from radiod.auth.roles import StaticPermissions
from radiod.core.promises import Promise
from radiod.core.rates import RateLimit
from radiod.core.rights import Action, Actor, Verdict
from radiod.wire.options import Options

__all__ = ["Narrowed"]

DENIED = Verdict(is_allowed=False)


class Narrowed:
    """``Permissions`` to listen, and to nothing else. The rights of ``key`` are those of the moment.

    Args:
        listen: channels and patterns.
    """

    __slots__ = ("_own", "key")

    def __init__(self, key: Key, listen: tuple[str, ...]) -> None:
        self.key = key
        self._own = StaticPermissions({Action.SUBSCRIBE: listen})

    @property
    def may_hold_publishers(self) -> bool:
        """Never: whoever has a token may be anybody."""
        return False

    @property
    def rate_limit(self) -> RateLimit | None:
        """The key's."""
        return self.key.principal.permissions.rate_limit

    def decide(self, actor: Actor, action: Action, uri: str, options: Options) -> Verdict | Promise[Verdict]:
        """As ``Permissions.decide``: the key's rights, where the token names it."""
        if action is not Action.SUBSCRIBE or not self._own.decide(actor, action, uri, options).is_allowed:
            return DENIED
        return self.key.principal.permissions.decide(actor, action, uri, options)

    def allows(self, action: Action, uri: str) -> bool:
        """True when both permit it."""
        return self._own.allows(action, uri) and self.key.principal.permissions.allows(action, uri)

    def hides(self, topic: str) -> bool:
        """True when one of them hides it."""
        return self._own.hides(topic) or self.key.principal.permissions.hides(topic)

    def hides_procedure(self, procedure: str) -> bool:
        """Always: it calls nothing."""
        return True

    def may_act_on_others(self, procedure: str) -> bool:
        """Never."""
        return False
