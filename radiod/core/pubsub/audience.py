"""Whom a publication is for: its black- and whitelists, and what roles hide.

Source: WAMP specification, "Subscriber Black- and Whitelisting".
"""

from __future__ import annotations

from typing import Any

from radiod.core.rights import Actor, Permissions
from radiod.core.sessions.session import Session
from radiod.core.uris import watched
from radiod.wire.options import PublishOptions

__all__ = ["Audience", "hides", "is_hidden"]


class Audience:
    """Subscriber black- and whitelisting: on every given whitelist, on no blacklist.

    Made only for options that narrow (``PublishOptions.narrows``): sets of them cost something.
    """

    __slots__ = ("_authids", "_authroles", "_ids")

    def __init__(self, options: PublishOptions) -> None:
        self._ids = _lists(options.eligible, options.exclude)
        self._authids = _lists(options.eligible_authid, options.exclude_authid)
        self._authroles = _lists(options.eligible_authrole, options.exclude_authrole)

    def __contains__(self, session: Actor) -> bool:
        principal = session.principal
        return (
            _passes(session.id, *self._ids)
            and _passes(principal.authid, *self._authids)
            and _passes(principal.authrole, *self._authroles)
        )


Lists = tuple[frozenset[Any] | None, frozenset[Any]]


def _lists(eligible: list[Any] | None, exclude: list[Any] | None) -> Lists:
    """As sets, since each is asked for every listener."""
    return None if eligible is None else frozenset(eligible), frozenset(exclude or ())


def _passes(value: Any, eligible: frozenset[Any] | None, exclude: frozenset[Any]) -> bool:
    return (eligible is None or value in eligible) and value not in exclude


def is_hidden(session: Session, topic: str, known: dict[Permissions, bool]) -> bool:
    """Whether the session's role hides the topic; ``known``: what was found out for this event already."""
    permissions = session.principal.permissions
    found = known.get(permissions)
    if found is None:
        found = known[permissions] = hides(permissions, topic)
    return found


def hides(permissions: Permissions, topic: str) -> bool:
    """Whether a role may not have events of ``topic``; who is present where it may not listen is one."""
    channel = watched(topic)
    return permissions.hides(topic) or (channel is not None and permissions.hides(channel))
