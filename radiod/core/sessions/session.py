"""One peer's session: who it is, and what it announced. What it holds is with whatever gave it that."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from radiod.core.rights import Actor, Principal
from radiod.errors import PeerError
from radiod.wire.options import PeerRole

__all__ = ["NO_FEATURES", "UNSTOPPABLE_CHUNKS", "Session", "announced", "describe_session"]

NO_FEATURES: Final[frozenset[str]] = frozenset()

REGISTRATION_REVOCATION: Final = "callee.registration_revocation"

# What the router asks of its clients, as "role.feature".
KNOWN_FEATURES: Final = frozenset(
    {
        "publisher.payload_passthru_mode",
        "caller.payload_passthru_mode",
        "caller.progressive_call_invocations",
        "callee.payload_passthru_mode",
        "callee.progressive_call_results",
        "callee.progressive_call_invocations",
        "callee.call_canceling",
        "callee.call_timeout",
        "callee.call_reroute",
        REGISTRATION_REVOCATION,
    }
)
SPELLINGS: Final = {"call_cancelling": "call_canceling", "payload_transparency": "payload_passthru_mode"}

UNSTOPPABLE_CHUNKS: Final = "callee.progressive_call_invocations without call_canceling"
"""No feature of WAMP: the callee takes chunks, and does nothing between them that had to be stopped."""

UNANNOUNCED: Final = {
    "Wampy.js": frozenset(
        {
            "caller.progressive_call_invocations",
            "callee.progressive_call_results",
            UNSTOPPABLE_CHUNKS,
        }
    )
}
"""Beginning of a stock client's agent -> what it documents, has, and does not announce."""


def announced(roles: Mapping[str, PeerRole], agent: str | None = None) -> frozenset[str]:
    """The features of HELLO.Details.roles that matter to the router, as "role.feature".

    Args:
        agent: what the client calls itself; some have more than they announce.
    """
    return _shared(
        frozenset(
            f"{role}.{SPELLINGS.get(feature, feature)}"
            for role, peer in roles.items()
            for feature, is_announced in peer.features.items()
            if is_announced is True
        )
        & KNOWN_FEATURES
        | _unannounced(agent)
    )


def _unannounced(agent: str | None) -> frozenset[str]:
    return UNANNOUNCED.get(agent.partition(" ")[0], NO_FEATURES) if agent else NO_FEATURES


@lru_cache(maxsize=1024)
def _shared(features: frozenset[str]) -> frozenset[str]:
    """The same object for the same features: most sessions announce what others do."""
    return features


class Session:
    """A session on a realm.

    ``outlet`` belongs to the outbox: the core never looks inside. ``agent``: what it calls itself, perhaps
    wrongly. ``is_revocable``: it asked to be told when the router takes a subscription or registration away;
    ``wants_goodbye``: it asked to be told when the server stops, though that may keep its program from
    coming back. ``last_request``: id of its last request, 0 before the first.
    """

    __slots__ = (
        "agent",
        "features",
        "id",
        "is_open",
        "is_revocable",
        "last_request",
        "outlet",
        "principal",
        "wants_goodbye",
    )

    def __init__(
        self,
        id: int,
        principal: Principal,
        outlet: Any,
        features: frozenset[str] = NO_FEATURES,
        is_revocable: bool = False,
        agent: str | None = None,
        wants_goodbye: bool = False,
    ) -> None:
        self.id = id
        self.principal = principal
        self.outlet = outlet
        self.features = features
        self.is_revocable = is_revocable
        self.wants_goodbye = wants_goodbye
        self.agent = agent
        self.is_open = True
        self.last_request = 0

    def __repr__(self) -> str:
        return f"<Session {self.id} {self.principal.authid} ({self.principal.authrole})>"

    @property
    def hears_of_lost_registrations(self) -> bool:
        """True when it announced, or said, that it understands the router's taking one away."""
        return self.is_revocable or REGISTRATION_REVOCATION in self.features

    def check_announced(self, feature: str) -> None:
        """Raises: PeerError: ``feature``, given as "role.feature", is used, and was not announced."""
        if feature not in self.features:
            role, _, name = feature.partition(".")
            raise PeerError(f"{name} was not announced for the role {role}")


def describe_session(session: Actor) -> dict[str, Any]:
    """What others are told of a session; nothing about where it comes from."""
    principal = session.principal
    return {
        "session": session.id,
        "authid": principal.authid,
        "authrole": principal.authrole,
        "authmethod": principal.authmethod,
        "authprovider": principal.authprovider,
    }
