"""One peer's session: who it is, what it announced, and what it holds in broker and dealer."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from radiod.core.budgets.rates import Bucket
from radiod.core.delivery.holdings import Account, Holdings
from radiod.core.ids import MAX_ID, Counter
from radiod.errors import PeerError
from radiod.wire.messages import (
    Call,
    Message,
    PeerRole,
    Publish,
    Register,
    Subscribe,
    Unregister,
    Unsubscribe,
    name_of,
)

if TYPE_CHECKING:
    from radiod.core.channels.registry import Channel
    from radiod.core.delivery.listeners import Listener
    from radiod.core.ports import Principal
    from radiod.core.pubsub.streams import Runs
    from radiod.core.pubsub.topic_space import Place
    from radiod.core.rpc.dealer import PendingCall
    from radiod.core.rpc.registrations import Callee
    from radiod.core.sessions.testaments import Testament
    from radiod.wire.codecs import Codec

__all__ = ["NO_FEATURES", "UNSTOPPABLE_CHUNKS", "Session", "announced"]

REQUESTS: Final = frozenset({Publish, Subscribe, Unsubscribe, Call, Register, Unregister})
"""The messages whose request ids count one by one through a session (WAMP specification, "IDs")."""

MAX_PROGRESSIVE: Final = 256
"""Ids of progressive calls remembered after they ended: their last chunks may still be on the way."""

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

    ``outlet`` belongs to the outbox: the core never looks inside. ``subscriptions``: subscription id ->
    listener; ``registrations``: registration id -> callee; ``calls``: this caller's request -> pending call;
    ``invocations``: this callee's invocation request -> pending call; ``progressive``: ids of this caller's
    latest progressive calls -> has the dealer seen it, so that a chunk of one that is not pending is late;
    ``waiting``: messages behind one whose authorizer has not decided yet, None when there is none;
    ``testaments``: what to publish when it leaves; ``tuned``: channel -> the buffer it asked for
    (None: none); ``signature_bytes``: length of what it tells about its registrations; ``runs``: its open
    runs of samples, None when it never marked any; ``memberships``: name -> private channel that it joined,
    and ``writing``: what it has opened for writing, in order; None while there is nothing; ``account``: what
    the server holds for it, None while it never held anything; ``bucket``: what bounds its rate, if anything.
    """

    __slots__ = (
        "account",
        "agent",
        "bucket",
        "calls",
        "features",
        "id",
        "invocation_ids",
        "invocations",
        "is_open",
        "is_revocable",
        "last_request",
        "memberships",
        "outlet",
        "principal",
        "progressive",
        "registrations",
        "runs",
        "signature_bytes",
        "subscriptions",
        "testaments",
        "tuned",
        "waiting",
        "wants_goodbye",
        "writing",
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
        # It asked to be told when the router takes a subscription or registration away.
        self.is_revocable = is_revocable
        # It asked to be told when the server stops, though that may keep its program from coming back.
        self.wants_goodbye = wants_goodbye
        # What it calls itself: anybody may say anything.
        self.agent = agent
        self.is_open = True
        self.last_request = 0
        self.subscriptions: dict[int, Listener] = {}
        self.registrations: dict[int, Callee] = {}
        self.calls: dict[int, PendingCall] = {}
        self.invocations: dict[int, PendingCall] = {}
        self.progressive: dict[int, bool] = {}
        self.invocation_ids = Counter()
        self.waiting: deque[tuple[Message, Codec]] | None = None
        self.testaments: list[Testament] | None = None
        self.memberships: dict[str, Channel] | None = None
        self.writing: dict[Place, None] | None = None
        self.signature_bytes = 0
        self.runs: Runs | None = None
        self.tuned: dict[str, dict[str, Any]] | None = None
        self.account: Account | None = None
        self.bucket: Bucket | None = None

    def made_account(self, holdings: Holdings) -> Account:
        """Its account there, made when first needed."""
        if self.account is None:
            self.account = Account(holdings)
        return self.account

    def __repr__(self) -> str:
        return f"<Session {self.id} {self.principal.authid} ({self.principal.authrole})>"

    @property
    def hears_of_lost_registrations(self) -> bool:
        """True when it announced, or said, that it understands the router's taking one away."""
        return self.is_revocable or REGISTRATION_REVOCATION in self.features

    def check_announced(self, feature: str, is_used: bool) -> None:
        """Raises: PeerError: ``feature``, given as "role.feature", is used and was not announced."""
        if is_used and feature not in self.features:
            role, _, name = feature.partition(".")
            raise PeerError(f"{name} was not announced for the role {role}")

    def check_invoked(self, invocation: int) -> None:
        """Raises: PeerError: this callee was never sent an invocation of that id."""
        if invocation >= self.invocation_ids.upcoming:
            raise PeerError(f"there was no INVOCATION {invocation}")

    def count(self, message: Any) -> None:
        """Check the request id of a message that came in.

        The first one of a session may be any; behind 2**53 comes 1.
        Raises: PeerError: it is not the one behind the last, nor the id of a progressive call.
        """
        if type(message) not in REQUESTS:
            return
        request = message.request
        last = self.last_request
        # Wampy goes on counting where its last session ended.
        expected = request if not last else last + 1 if last < MAX_ID else 1
        if request == expected:
            self.last_request = request
            if type(message) is Call and message.options.progress:
                self.remember_progressive(request, False)
        elif type(message) is not Call or not self._is_progressive(request):
            raise PeerError(f"{name_of(message)}.Request is {request}, the next one is {expected}")

    def _is_progressive(self, request: int) -> bool:
        call = self.calls.get(request)
        return request in self.progressive if call is None else call.options.progress

    def remember_progressive(self, request: int, is_begun: bool) -> None:
        """Note the id of a progressive call that began or ended; the oldest makes room."""
        self.progressive.pop(request, None)
        self.progressive[request] = is_begun
        if len(self.progressive) > MAX_PROGRESSIVE:
            del self.progressive[next(iter(self.progressive))]
