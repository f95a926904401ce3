"""Which buffer a listener gets: what its session asked for, over the channel's default, over the server's."""

from __future__ import annotations

from typing import Any, Final

from msgspec import structs

from radiod.core.delivery.listeners import Listener
from radiod.core.delivery.settings import DEFAULTS, MAX_SIZE, BufferSettings, settings_from
from radiod.core.limits import Limits
from radiod.core.pubsub.broker import Broker
from radiod.core.rights import Principal
from radiod.core.sessions.session import Session
from radiod.core.uris import check_uri, is_pattern, matches
from radiod.errors import INVALID_ARGUMENT, NOT_AUTHORIZED, QUOTA, Refused
from radiod.wire.options import MatchPolicy

__all__ = ["Tuned", "Tuning"]

# The exact one last: its buffer is the answer, if there are several.
POLICIES: Final[tuple[MatchPolicy, ...]] = ("wildcard", "prefix", "exact")


class Tuned:
    """What the sessions of one realm asked for with ``radiod.channel.tune``."""

    def __init__(self, limits: Limits) -> None:
        self._limit = limits.max_subscriptions
        # session -> channel, or pattern -> the buffer that was asked for
        self._by_session: dict[Session, dict[str, dict[str, Any]]] = {}

    def __len__(self) -> int:
        """Sessions that asked for anything."""
        return len(self._by_session)

    def get(self, session: Session, channel: str) -> dict[str, Any] | None:
        """What was asked for a channel; None: nothing."""
        tuned = self._by_session.get(session)
        return None if tuned is None else tuned.get(channel)

    def check(self, session: Session, channel: str) -> None:
        """Whether a session may tune this channel. Raises: Refused: ``quota``: it tuned too many."""
        tuned = self._by_session.get(session, {})
        if channel not in tuned and len(tuned) >= self._limit:
            raise Refused(QUOTA, f"a session may tune {self._limit} channels")

    def set(self, session: Session, channel: str, given: dict[str, Any]) -> None:
        """Remember what was asked."""
        self._by_session.setdefault(session, {})[channel] = given

    def leave(self, session: Session) -> None:
        """The session has left."""
        self._by_session.pop(session, None)


class Tuning:
    """The buffers of the channels in one topic space.

    Args:
        tuned: what sessions asked for, shared by all spaces of a realm.
    """

    def __init__(self, limits: Limits, tuned: Tuned) -> None:
        self._max_bytes = limits.max_buffer_bytes
        self._tuned = tuned
        # channel, and pattern of channels -> its default
        self._exact: dict[str, BufferSettings] = {}
        self._patterns: dict[str, BufferSettings] = {}

    def check(self, given: Any) -> BufferSettings:
        """What is given, over the server's default. Raises: Refused: ``invalid_argument``."""
        return settings_from(given, DEFAULTS, self._max_bytes)

    def declare(self, pattern: str, given: Any) -> None:
        """Set the default of a channel, or of all that a pattern matches and no exact name does.

        Raises: Refused: as ``check``.
        """
        (self._patterns if is_pattern(pattern) else self._exact)[pattern] = self.check(given)

    def forget(self, channel: str) -> None:
        """The channel, or pattern, has no default of its own any more."""
        (self._patterns if is_pattern(channel) else self._exact).pop(channel, None)

    def default(self, topic: str) -> BufferSettings:
        """What a listener of ``topic`` gets that asks for nothing."""
        own = self._exact.get(topic)
        if own is not None:
            return own
        return next((default for name, default in self._patterns.items() if matches(name, topic)), DEFAULTS)

    def settings(self, session: Session, match: MatchPolicy, topic: str, given: Any = None) -> BufferSettings:
        """What a listener gets that asks for ``given``; None: what its session tuned before, if it did.

        Raises: Refused: as ``settings_of``.
        """
        given = self._tuned.get(session, topic) if given is None else given
        return self.settings_of(session.principal, match, topic, given)

    def settings_of(self, principal: Principal, match: MatchPolicy, topic: str, given: Any) -> BufferSettings:
        """What somebody's listener gets that asks for ``given``; None: for nothing.

        A pattern of topics has the server's default. What is above its account's plan is cut to that: the
        default may be, and stock clients could ask for no other.
        Raises: Refused: ``invalid_argument``, also for a pattern whose listener would hold publishers of
            every topic it matches; ``not_authorized``: its role may not hold publishers.
        """
        default = self.default(topic) if match == "exact" else DEFAULTS
        if given is None:
            return _within_plan(principal, default)
        settings = settings_from(given, default, self._max_bytes)
        if settings.holds_publishers and match != "exact":
            raise Refused(INVALID_ARGUMENT, f"policy {settings.policy} needs one topic, not a pattern")
        is_asked_for = settings.holds_publishers and settings.policy != default.policy
        if is_asked_for and not principal.permissions.may_hold_publishers:
            raise Refused(
                NOT_AUTHORIZED, f"role {principal.authrole} may not listen with policy {settings.policy}"
            )
        return _within_plan(principal, settings)

    def tune(self, broker: Broker, session: Session, channel: str, given: dict[str, Any]) -> dict[str, Any]:
        """Give the session's listeners of ``channel``, a topic or pattern, other buffers, now and later.

        Returns: all values in effect, and ``channel``.
        Raises: Refused: as ``settings``; ``invalid_uri``; ``quota``: it tuned too many.
        """
        # Wildcards include whatever else may be subscribed to.
        check_uri(channel, "wildcard")
        effective = self.settings(session, "exact", channel, given)
        # All of them before any is changed: one may be refused.
        changes: list[tuple[Listener, BufferSettings]] = []
        for match in POLICIES:
            subscription = broker.lookup(match, channel)
            if subscription is not None and session in subscription.listeners:
                effective = self.settings(session, match, channel, given)
                changes.append((subscription.listeners[session], effective))
        self._tuned.check(session, channel)
        self._tuned.set(session, channel, given)
        for listener, settings in changes:
            listener.tune(settings)
        return {"channel": channel, **structs.asdict(effective)}


def _within_plan(principal: Principal, settings: BufferSettings) -> BufferSettings:
    """As much of it as the plan of somebody's account has."""
    holder = principal.holder
    allowances = None if holder is None else holder.account.allowances
    if allowances is None:
        return settings
    size, max_bytes = allowances.plan.buffer_size, allowances.plan.buffer_bytes
    if size is not None and size < (settings.size or MAX_SIZE):
        settings = structs.replace(settings, size=size)
    if max_bytes is not None and max_bytes < settings.max_bytes:
        settings = structs.replace(settings, max_bytes=max_bytes)
    return settings
