"""HELLO to WELCOME or ABORT, for one connection.

    waiting  --HELLO, identity clear-->  open
    waiting  --HELLO, must ask-------->  asked  --AUTHENTICATE, right-->  open
    anything else, or anything wrong --> ABORT

Each arrow may take its time when somebody else is asked who the client is.

Source: WAMP specification, Basic Profile, "Sessions"; Advanced Profile, "Authentication".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from msgspec import Struct, field

from radiod import __version__
from radiod.core.budgets.addresses import address_of_peer, network_of_peer
from radiod.core.budgets.seats import Seats
from radiod.core.draining import Draining
from radiod.core.promises import Promise, chain
from radiod.core.realm.realm import Realm
from radiod.core.rights import Principal
from radiod.core.sessions.authentication import AuthChallenge, Authenticator, BrowserCookie, Cookies
from radiod.core.sessions.session import Session, announced
from radiod.core.uris import LOOSE
from radiod.errors import (
    AUTHENTICATION_FAILED,
    AUTHENTICATION_REQUIRED,
    INVALID_URI,
    NO_MATCHING_AUTH_METHOD,
    NO_SUCH_REALM,
    Denied,
    NoAccess,
    PeerError,
)
from radiod.wire.messages import Authenticate, Challenge, Hello, Message, Welcome, name_of
from radiod.wire.options import HelloDetails

__all__ = ["Claim", "Gate", "Handshake", "Tally"]

CLIENT_ROLES: Final = frozenset({"publisher", "subscriber", "caller", "callee"})

AT_ONCE: Final = frozenset({"anonymous", "cookie"})
"""Methods for which nobody is asked."""

NO_METHOD: Final = "none"
"""The method of those who ask for none that there is."""

Tally = dict[tuple[str, str], int]

MAX_AGENT: Final = 128
"""Characters kept of what a client calls itself."""

MAX_METHODS: Final = 4
"""Methods that are logged of those that a client offers."""

EXTENSIONS: Final = (
    "_radiod_after",
    "_radiod_buffer",
    "_radiod_goodbye",
    "_radiod_key",
    "_radiod_position",
    "_radiod_revocation",
    "_radiod_signature",
    "_radiod_stream",
    "_radiod_traceparent",
    "_radiod_tracestate",
    "force_reregister",
)
"""The options beyond WAMP's that this router understands, told in WELCOME."""

PASSTHRU: Final = {"payload_passthru_mode": True, "payload_transparency": True}

FEATURES: Final[dict[str, dict[str, Any]]] = {
    "broker": {
        "features": {
            "publisher_identification": True,
            "publisher_exclusion": True,
            "subscriber_blackwhite_listing": True,
            "pattern_based_subscription": True,
            "publication_trustlevels": True,
            "subscription_meta_api": True,
            "subscription_revocation": True,
            "event_history": True,
            "event_retention": True,
            "session_meta_api": True,
            **PASSTHRU,
        }
    },
    "dealer": {
        "features": {
            "caller_identification": True,
            "call_trustlevels": True,
            "call_timeout": True,
            "call_canceling": True,
            "call_reroute": True,
            "progressive_call_results": True,
            "progressive_call_invocations": True,
            "pattern_based_registration": True,
            "shared_registration": True,
            "registration_meta_api": True,
            "registration_revocation": True,
            "session_meta_api": True,
            "testament_meta_api": True,
            **PASSTHRU,
        }
    },
}
"""What WELCOME announces: exactly what is implemented."""


class Gate(Struct, frozen=True):
    """A realm, and the ways into it by method name.

    ``cookies``: who may come back, None: nobody; ``logins``: seats for those about whom somebody else is
    asked, None: nobody is; ``tally``: (method, outcome) -> how many came to it; ``draining``: what may keep
    everybody out, None: nothing does.
    """

    realm: Realm
    authenticators: Mapping[str, Authenticator]
    cookies: Cookies | None = None
    logins: Seats | None = None
    tally: Tally = field(default_factory=dict)
    draining: Draining | None = None

    def offers(self, cookie: BrowserCookie | None, authid: str | None) -> Mapping[str, Authenticator]:
        """The ways in for a client with this cookie who wants to be ``authid``."""
        if self.cookies is None or cookie is None:
            return self.authenticators
        owner = self.cookies.authenticator(cookie.id, authid)
        return self.authenticators if owner is None else {**self.authenticators, owner.method: owner}

    def bind(self, cookie: BrowserCookie | None, principal: Principal) -> None:
        """``principal`` has got in with this cookie."""
        if self.cookies is not None and cookie is not None:
            self.cookies.bind(cookie, principal)

    def forget(self, cookie: BrowserCookie | None) -> None:
        """Whoever has this cookie must log in again."""
        if self.cookies is not None and cookie is not None:
            self.cookies.forget(cookie.id)


class Claim(NamedTuple):
    """Who a client said that it was. ``methods``: those that it offered, joined by commas."""

    authid: str | None
    methods: str
    realm: str

    def __str__(self) -> str:
        return f"{self.authid!r} by {self.methods} in realm {self.realm}"


class Handshake:
    """The opening of one session; ``session`` and ``realm`` are set once it is open.

    ``cookie``: the connection's; ``peer``: who it is, as the log names it; ``origin``: of the page that
    opened it, if one did.
    """

    __slots__ = (
        "_cookie",
        "_details",
        "_gate",
        "_gates",
        "_is_abandoned",
        "_method",
        "_origin",
        "_peer",
        "_question",
        "_session_id",
        "session",
    )

    def __init__(
        self,
        gates: Mapping[str, Gate],
        cookie: BrowserCookie | None = None,
        peer: str = "",
        origin: str | None = None,
    ) -> None:
        self._gates = gates
        self._origin = origin
        self._peer = peer
        self._cookie = cookie
        self._gate: Gate | None = None
        self._details: HelloDetails | None = None
        self._question: AuthChallenge | None = None
        self._is_abandoned = False
        # The way in that was chosen; empty: how it ended has been counted.
        self._method = NO_METHOD
        self._session_id: int | None = None
        self.session: Session | None = None

    @property
    def realm(self) -> Realm | None:
        """The realm that HELLO named."""
        return self._gate.realm if self._gate else None

    @property
    def claim(self) -> Claim | None:
        """Who the client said that it was, for the log, not proven; None: it has not said so."""
        if self._gate is None or self._details is None:
            return None
        details = self._details
        methods = ", ".join((details.authmethods or ["anonymous"])[:MAX_METHODS])
        return Claim(details.authid, methods, self._gate.realm.name)

    @property
    def wants_goodbye(self) -> bool:
        """Whether the client wants to be told when it cannot stay, though it may never come back then."""
        details = self._details
        return details is not None and _asks(details, details.wants_goodbye, "_radiod_goodbye")

    def receive(self, message: Message, outlet: Any) -> Message | Promise[Message]:
        """Take the client's next message; ``outlet`` is where the new session will be reached.

        Returns: CHALLENGE or WELCOME, perhaps later; until then no other message may be given.
        Raises:
            Denied: no session for this client.
            PeerError: this message has no place in a handshake.
        """
        match message:
            case Hello() if self._gate is None:
                return self._hello(message, outlet)
            case Authenticate() if self._question is not None:
                question, self._question = self._question, None
                principal = self._seated(lambda: question.answer(message.signature, message.extra))
                return chain(principal, lambda known: self._welcome(known, outlet))
        raise PeerError(f"{name_of(message)} is not expected before WELCOME")

    def abandon(self) -> None:
        """The connection is gone: an answer that is still awaited must not open a session."""
        self._is_abandoned = True
        self.count("left")

    def count(self, outcome: str) -> None:
        """It has come to this; only the first outcome counts, and none before there was a HELLO."""
        method, self._method = self._method, ""
        if method and self._gate is not None:
            tally = self._gate.tally
            tally[method, outcome] = tally.get((method, outcome), 0) + 1

    def _hello(self, hello: Hello, outlet: Any) -> Message | Promise[Message]:
        if CLIENT_ROLES.isdisjoint(hello.details.roles):
            raise PeerError(f"HELLO.Details.roles names none of {', '.join(sorted(CLIENT_ROLES))}")
        if not LOOSE.fullmatch(hello.realm):
            raise Denied(INVALID_URI, "HELLO.Realm is not a valid URI")
        gate = self._gates.get(hello.realm)
        if gate is None:
            raise Denied(NO_SUCH_REALM, f"no realm {hello.realm}")
        self._gate = gate
        self._details = hello.details
        if gate.draining is not None:
            gate.draining.check()
        offered = gate.offers(self._cookie, hello.details.authid)
        authenticator = _choose(offered, hello.details.authmethods)
        self._method = authenticator.method

        def proceed(verdict: Principal | AuthChallenge) -> Message:
            return self._proceed(authenticator.method, verdict, outlet)

        if authenticator.method in AT_ONCE:
            verdict: Any = authenticator.begin(hello.details)
        else:
            verdict = self._seated(lambda: authenticator.begin(hello.details))
        return chain(verdict, proceed)

    def _seated(self, ask: Callable[[], Any]) -> Any:
        """What ``ask`` returns; if that comes later, the client has a seat until then.

        Raises: Refused: it has none.
        """
        logins = self._gate.logins if self._gate is not None else None
        if logins is None:
            return ask()
        seat = logins.take(network_of_peer(self._peer), is_stranger=False)
        told: Any = None
        try:
            told = ask()
        finally:
            if not isinstance(told, Promise):
                seat.leave()
        if not isinstance(told, Promise):
            return told
        answer: Promise[Any] = Promise()

        def settle(outcome: Any) -> None:
            seat.leave()
            answer.settle(outcome)

        told.then(settle)
        return answer

    def _proceed(self, method: str, verdict: Principal | AuthChallenge, outlet: Any) -> Message:
        if isinstance(verdict, AuthChallenge):
            self._question = verdict
            self._session_id = verdict.session
            return Challenge(method, verdict.extra)
        return self._welcome(verdict, outlet)

    def _welcome(self, principal: Principal, outlet: Any) -> Welcome:
        assert self._gate is not None
        if self._is_abandoned:
            raise Denied(AUTHENTICATION_FAILED, "the client left")
        self._check_access(principal)
        assert self._details is not None
        details = self._details
        session = self.session = self._gate.realm.join(
            principal,
            outlet,
            announced(details.roles, details.agent),
            # To announce the feature is not enough: Autobahn|Python does, and breaks on the message.
            _asks(details, details.is_revocable, "_radiod_revocation"),
            _agent(details),
            wants_goodbye=self.wants_goodbye,
            id=self._session_id,
        )
        self._details = None
        self.count("accepted")
        self._gate.bind(self._cookie, principal)
        return Welcome(
            session.id,
            {
                "realm": self._gate.realm.name,
                "authid": principal.authid,
                "authrole": principal.authrole,
                "authmethod": principal.authmethod,
                "authprovider": principal.authprovider,
                "agent": f"radiod-{__version__}",
                "roles": FEATURES,
                "x_radiod": {"version": __version__, "features": list(EXTENSIONS)},
                **({"authextra": principal.authextra} if principal.authextra else {}),
            },
        )

    def _check_access(self, principal: Principal) -> None:
        """Raises: Denied: it is known who that is, and not let in: not now, or not from there."""
        holder = principal.holder
        if holder is None:
            return
        try:
            if holder.is_restricted:
                holder.check(self._origin, address_of_peer(self._peer))
            else:
                holder.check_open()
        except NoAccess as refusal:
            raise Denied(AUTHENTICATION_FAILED, f"not let in: {refusal.reason}") from None


def _agent(details: HelloDetails) -> str | None:
    return None if details.agent is None else details.agent[:MAX_AGENT]


def _asks(details: HelloDetails, is_asked: bool, name: str) -> bool:
    """Whether the client asked for something by a detail or, as stock clients can, in ``authextra``."""
    return is_asked or (details.authextra or {}).get(name) is True


def _choose(authenticators: Mapping[str, Authenticator], methods: list[str] | None) -> Authenticator:
    """The first of the client's methods, in its order, that the realm offers."""
    for method in methods or ["anonymous"]:
        if method in authenticators:
            return authenticators[method]
    if methods and methods != ["anonymous"]:
        raise Denied(NO_MATCHING_AUTH_METHOD, "the realm offers none of the authentication methods asked for")
    raise Denied(AUTHENTICATION_REQUIRED, "the realm does not admit anonymous sessions")
