"""Static permissions: what a role, or an HTTP key, may do, as lists of URI patterns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from radiod.core.rates import RateLimit
from radiod.core.rights import Action, Actor, Disclose, Verdict
from radiod.core.uris import MAX_URI_LENGTH, PatternSet, is_reserved
from radiod.wire.options import MatchPolicy, Options

__all__ = ["ADMIN", "DENIED", "StaticPermissions"]

CACHE_SIZE: Final = 10_000
"""Decisions remembered for each role; when full it starts anew."""

EVERYTHING: Final = "*"

CONTROL: Final = ("wamp.session.kill", "wamp.subscription.remove_", "wamp.registration.remove_")
"""Beginnings of the procedures that act on other sessions."""

STEWARD: Final = "radiod.channel."
"""Beginning of patterns whose holders may act on other people's channels; ``radiod.*`` is for anybody."""

ADMIN: Final = "radiod.admin."
"""Beginning of the procedures that give and take access; ``*`` and ``radiod.*`` are about all others."""

ADMINS: Final = "radiod.admin"
"""Beginning of the patterns that do."""

REMOVE_CALLEE: Final = "wamp.registration.remove_callee"

DENIED: Final = Verdict(is_allowed=False)


class StaticPermissions:
    """Decides by URI patterns: allowed where a pattern of the action matches and no ``deny`` pattern does.

    A pattern-based subscription or registration needs one pattern of the action that covers all of it; what
    ``deny`` hides within a subscription is left out event by event, within a registration it is refused.

    ``*`` does not include the procedures that act on other sessions, unless the role may do all four things
    with everything: they must be named, by a pattern that begins with ``wamp.``. What is below
    ``radiod.admin.`` must always be named, by a pattern that begins with ``radiod.admin``.

    Args:
        disclose: when the holder's identity is revealed; on ``disclosed`` patterns it always is.
        trustlevel: what receivers are told; None: nothing.
        may_hold_publishers, rate_limit: as ``Permissions`` has them.
    """

    __slots__ = (
        "_administered",
        "_allowed",
        "_cache",
        "_denied",
        "_deny_patterns",
        "_disclose",
        "_disclosed",
        "_is_sovereign",
        "_named",
        "_stewards",
        "_trustlevel",
        "may_hold_publishers",
        "rate_limit",
    )

    def __init__(
        self,
        allowed: Mapping[Action, tuple[str, ...]],
        denied: tuple[str, ...] = (),
        *,
        disclose: Disclose = Disclose.ASKED,
        disclosed: tuple[str, ...] = (),
        trustlevel: int | None = None,
        may_hold_publishers: bool = True,
        rate_limit: RateLimit | None = None,
    ) -> None:
        self.rate_limit = rate_limit
        self.may_hold_publishers = may_hold_publishers
        self._allowed = {action: PatternSet(patterns) for action, patterns in allowed.items()}
        self._named = PatternSet(tuple(p for p in allowed.get(Action.CALL, ()) if is_reserved(p)))
        self._stewards = PatternSet(tuple(p for p in allowed.get(Action.CALL, ()) if p.startswith(STEWARD)))
        self._administered = PatternSet(
            tuple(p for p in allowed.get(Action.CALL, ()) if p.startswith(ADMINS))
        )
        self._is_sovereign = all(EVERYTHING in allowed.get(action, ()) for action in Action)
        self._denied = PatternSet(denied)
        self._deny_patterns = denied
        self._disclose = disclose
        self._disclosed = PatternSet(disclosed)
        self._trustlevel = trustlevel
        self._cache: dict[tuple[Action, MatchPolicy, str], Verdict] = {}

    def become(self, other: StaticPermissions) -> None:
        """Decide as ``other`` from now on: whoever has this role has other rights, and need not be told."""
        for name in self.__slots__:
            if name != "_cache":
                setattr(self, name, getattr(other, name))
        self._cache.clear()

    def decide(self, actor: Actor, action: Action, uri: str, options: Options) -> Verdict:
        """As ``Permissions.decide``, at once. O(1) once asked, else O(patterns)."""
        match: MatchPolicy = getattr(options, "match", "exact")
        verdict = self._cache.get((action, match, uri))
        return self._verdict(action, match, uri) if verdict is None else verdict

    def _verdict(self, action: Action, match: MatchPolicy, uri: str) -> Verdict:
        if len(uri) > MAX_URI_LENGTH:
            # Not every name that a procedure or HTTP asks about is known to be a URI.
            return self._decide(action, match, uri)
        key = (action, match, uri)
        verdict = self._cache.get(key)
        if verdict is None:
            if len(self._cache) >= CACHE_SIZE:
                self._cache.clear()
            verdict = self._cache[key] = self._decide(action, match, uri)
        return verdict

    def allows(self, action: Action, uri: str) -> bool:
        """True when ``action`` on ``uri`` is permitted."""
        return self._verdict(action, "exact", uri).is_allowed

    def hides(self, topic: str) -> bool:
        """True when the holder may not subscribe to ``topic`` itself."""
        return not self.allows(Action.SUBSCRIBE, topic)

    def hides_procedure(self, procedure: str) -> bool:
        """True when the holder may neither call nor register ``procedure``."""
        if procedure.startswith(ADMIN):
            # Nobody registers these.
            return not self.allows(Action.CALL, procedure)
        return not (self.allows(Action.CALL, procedure) or self.allows(Action.REGISTER, procedure))

    def may_act_on_others(self, procedure: str) -> bool:
        """True when a pattern that begins with ``radiod.channel.`` names it, or the role may do all."""
        return self.allows(Action.CALL, procedure) and (self._is_sovereign or procedure in self._stewards)

    def _decide(self, action: Action, match: MatchPolicy, uri: str) -> Verdict:
        patterns = self._allowed.get(action)
        if patterns is None or not self._is_allowed(patterns, action, match, uri):
            return DENIED
        disclose = Disclose.ALWAYS if uri in self._disclosed else self._disclose
        # Whoever may remove a callee may take its place.
        may_take_over = action is Action.REGISTER and self.allows(Action.CALL, REMOVE_CALLEE)
        return Verdict(
            is_allowed=True,
            disclose=disclose,
            trustlevel=self._trustlevel,
            may_take_over=may_take_over,
        )

    def _is_allowed(self, patterns: PatternSet, action: Action, match: MatchPolicy, uri: str) -> bool:
        if match != "exact":
            is_narrowed = action is Action.REGISTER and bool(self._deny_patterns)
            return patterns.covers(match, uri) and not is_narrowed
        if uri in self._denied or uri not in patterns:
            return False
        if action is not Action.CALL:
            return True
        if uri.startswith(ADMIN):
            return uri in self._administered
        return self._is_sovereign or not uri.startswith(CONTROL) or uri in self._named


NO_OPTIONS: Final = Options()
