"""Every way radiod refuses something, and what each side of the wire calls it.

The pure core raises these; only the adapters turn them into bytes. Three families:

* ``PeerError``: the peer broke the protocol; the session ends (ABORT, close code).
* ``Refused``: one request is refused (ERROR with ``uri``, an HTTP status); the session goes on.
* ``Denied``: nobody was let in (ABORT before WELCOME).

Messages say what was expected and what came. They hold no payload and no secret.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "HTTP_STATUS",
    "BadSignedRequest",
    "Denied",
    "Exceeded",
    "NoAccess",
    "OverLimit",
    "PeerError",
    "RadiodError",
    "Refused",
    "TryLater",
    "WrongSecret",
    "http_status",
]


PROTOCOL_VIOLATION: Final = "wamp.error.protocol_violation"


class RadiodError(Exception):
    """Something a peer asked for that radiod will not do.

    Args:
        uri: the WAMP error URI that names the reason.
        text: one sentence for a human; safe to send and to log.
    """

    def __init__(self, uri: str, text: str) -> None:
        super().__init__(text)
        self.uri: Final = uri
        self.text: Final = text


class PeerError(RadiodError):
    """The peer broke the protocol: its session ends with ABORT."""

    def __init__(self, text: str, uri: str = PROTOCOL_VIOLATION) -> None:
        super().__init__(uri, text)


class Refused(RadiodError):
    """One request is refused: the session goes on."""


class Exceeded(Refused):
    """A request is refused for a bound of the configuration, ``limit``: it is counted, and logged."""

    def __init__(self, limit: str, text: str, uri: str = "radiod.error.quota") -> None:
        super().__init__(uri, text)
        self.limit: Final = limit


class OverLimit(Exceeded):
    """A request is refused for a limit of its account's plan, ``limit``.

    ``retry_after``: whole seconds until it may be tried again, at least 1.
    """

    def __init__(self, limit: str, retry_after: int, uri: str) -> None:
        what = "rate limit" if uri == RATE_LIMITED else "quota"
        super().__init__(limit, f"{what} exceeded: {limit}", uri)
        self.retry_after: Final = retry_after


class WrongSecret(Refused):
    """A key that somebody showed was wrong: whoever tries many is slowed."""


class NoAccess(Refused):
    """A key, a token or a user that is known, and is let in nowhere.

    ``reason``: ``revoked``, ``suspended``, ``expired``, ``not_yet_valid``, ``rotated``, ``origin``,
    ``address``. It is no guess: whoever shows it had it once.
    """

    def __init__(self, reason: str, text: str = "API-KEY not valid") -> None:
        super().__init__(NOT_AUTHORIZED, text)
        self.reason: Final = reason


class TryLater(Refused):
    """Nobody new is let in, since the server sends its clients away. ``retry_after``: in seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(STORE_UNAVAILABLE, "the server is being drained: come back later, or go elsewhere")
        self.retry_after: Final = retry_after


class Denied(RadiodError):
    """The opening handshake ends in ABORT: no session came to be."""


INVALID_URI: Final = "wamp.error.invalid_uri"
INVALID_ARGUMENT: Final = "wamp.error.invalid_argument"
NO_SUCH_PROCEDURE: Final = "wamp.error.no_such_procedure"
PROCEDURE_ALREADY_EXISTS: Final = "wamp.error.procedure_already_exists"
NO_SUCH_REGISTRATION: Final = "wamp.error.no_such_registration"
NO_SUCH_SUBSCRIPTION: Final = "wamp.error.no_such_subscription"
NO_SUCH_REALM: Final = "wamp.error.no_such_realm"
NO_MATCHING_AUTH_METHOD: Final = "wamp.error.no_matching_auth_method"
AUTHENTICATION_DENIED: Final = "wamp.error.authentication_denied"
AUTHENTICATION_FAILED: Final = "wamp.error.authentication_failed"
AUTHENTICATION_REQUIRED: Final = "wamp.error.authentication_required"
NOT_AUTHORIZED: Final = "wamp.error.not_authorized"
FEATURE_NOT_SUPPORTED: Final = "wamp.error.feature_not_supported"
CANCELED: Final = "wamp.error.canceled"
TIMEOUT: Final = "wamp.error.timeout"
UNAVAILABLE: Final = "wamp.error.unavailable"
NO_AVAILABLE_CALLEE: Final = "wamp.error.no_available_callee"
NETWORK_FAILURE: Final = "wamp.error.network_failure"
NO_SUCH_SESSION: Final = "wamp.error.no_such_session"
AUTHORIZATION_FAILED: Final = "wamp.error.authorization_failed"
DISCLOSE_ME: Final = "wamp.error.option_disallowed.disclose_me"
HISTORY_UNAVAILABLE: Final = "wamp.error.history_unavailable"
RUNTIME_ERROR: Final = "wamp.error.runtime_error"
PAYLOAD_SIZE_EXCEEDED: Final = "wamp.error.payload_size_exceeded"
CHANNEL_EXISTS: Final = "radiod.error.channel_exists"
NO_SUCH_CHANNEL: Final = "radiod.error.no_such_channel"
CHANNEL_CLOSED: Final = "radiod.error.channel_closed"
BAD_NAME: Final = "radiod.error.bad_name"
BAD_KEY: Final = "radiod.error.bad_key"
QUOTA: Final = "radiod.error.quota"
RATE_LIMITED: Final = "radiod.error.rate_limited"
OVERRUN: Final = "radiod.error.overrun"
STORE_UNAVAILABLE: Final = "radiod.error.unavailable"
MAX_CONCURRENCY: Final = "radiod.error.max_concurrency"
STILL_RUNNING: Final = "radiod.error.still_running"
IDEMPOTENCY_MISMATCH: Final = "radiod.error.idempotency_mismatch"
NO_SUCH_KEY: Final = "radiod.error.no_such_key"
NO_SUCH_ACCOUNT: Final = "radiod.error.no_such_account"
NO_SUCH_PLAN: Final = "radiod.error.no_such_plan"
NO_SUCH_USER: Final = "radiod.error.no_such_user"
RELOAD_REFUSED: Final = "radiod.error.reload_refused"

CLOSE_SHUTDOWN: Final = "wamp.close.system_shutdown"
CLOSE_LOGOUT: Final = "wamp.close.logout"
CLOSE_GOODBYE: Final = "wamp.close.goodbye_and_out"
CLOSE_KILLED: Final = "wamp.close.killed"
CLOSE_SUPERSEDED: Final = "radiod.close.superseded"
CLOSE_ACCESS: Final = "radiod.close."
"""Before the reason for which access ended: ``revoked``, ``suspended``, ``expired``, ``quota``."""

HTTP_STATUS: Final = {
    INVALID_URI: 400,
    INVALID_ARGUMENT: 400,
    NOT_AUTHORIZED: 403,
    AUTHORIZATION_FAILED: 503,
    BAD_KEY: 403,
    NO_SUCH_CHANNEL: 404,
    NO_SUCH_KEY: 404,
    NO_SUCH_ACCOUNT: 404,
    NO_SUCH_PLAN: 404,
    NO_SUCH_USER: 404,
    CHANNEL_EXISTS: 409,
    STILL_RUNNING: 409,
    CHANNEL_CLOSED: 410,
    PAYLOAD_SIZE_EXCEEDED: 413,
    IDEMPOTENCY_MISMATCH: 422,
    QUOTA: 429,
    RATE_LIMITED: 429,
    OVERRUN: 503,
    FEATURE_NOT_SUPPORTED: 501,
    STORE_UNAVAILABLE: 503,
    NETWORK_FAILURE: 503,
}
"""HTTP status for a refusal's URI, in radiod's own HTTP answers."""


def http_status(error: RadiodError) -> int:
    """The HTTP status that says the same as ``error``; 400 where nothing fits better."""
    return HTTP_STATUS.get(error.uri, 400)


class BadSignedRequest(Refused):
    """A signed query is refused.

    ``status``: of the answer, whose body is ``{"error": text, "args": [], "kwargs": {}}``; ``is_guess``:
    whether a secret was wrong, which counts like a wrong API key.
    """

    def __init__(self, status: int, text: str, *, is_guess: bool = False) -> None:
        super().__init__(INVALID_ARGUMENT if status == 400 else NOT_AUTHORIZED, text)
        self.status: Final = status
        self.is_guess: Final = is_guess
