"""A directory that asks somebody else, say a procedure or a web service, who a user is.

Question: ``{"method", "authid", "realm", "details"}``, plain as JSON. Answer: ``None`` or ``False`` for no
such user, or what proves the user, as a dictionary:

    role                               required: one of the realm's
    authid                             if the user is to have another than it asked for
    ticket                             ticket: what it must be; an answer that proves nothing at all says
                                       that ``details["ticket"]`` was checked and is right
    secret, salt, iterations, keylen   wampcra: the password, as in the configuration
    scram: {kdf, salt, iterations, memory, stored_key, server_key}    both scrams; bytes in hex
    pubkeys or authorized_keys         cryptosign: list of keys, 64 hex digits each

Anything else ends the login: the client learns no more than that, ``complain`` is told why.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from radiod.auth.directory import PROOFS, Credentials, ScramVerifier, WampcraSecret
from radiod.core.promises import Promise
from radiod.core.rights import Permissions
from radiod.core.timers import Clock, Deadline, Timers
from radiod.errors import AUTHENTICATION_DENIED, AUTHENTICATION_FAILED, Denied, RadiodError

__all__ = ["CallDirectory", "ScramAnswer"]

MAX_QUESTION: Final = 65_536
"""Bytes of a question as JSON."""
PROVIDER: Final = "dynamic"

Some = Annotated[str, Meta(min_length=1, max_length=1024)]
Hex = Annotated[str, Meta(pattern="^([0-9a-fA-F]{2}){1,128}$")]
Hex32 = Annotated[str, Meta(pattern="^[0-9a-fA-F]{64}$")]
Rounds = Annotated[int, Meta(ge=1, le=100_000)]
"""PBKDF2 runs in the server, between two messages: 100000 rounds keep it busy for some 50 ms."""


class ScramAnswer(Struct, frozen=True, kw_only=True):
    """``scram`` of an answer."""

    kdf: Literal["argon2id13", "pbkdf2"]
    salt: Hex
    iterations: Annotated[int, Meta(ge=1, le=10_000_000)]
    memory: Annotated[int, Meta(ge=8, le=1 << 20)] | None = None
    stored_key: Hex32
    server_key: Hex32

    def verifier(self) -> ScramVerifier:
        """The same in bytes."""
        return ScramVerifier(
            kdf=self.kdf,
            salt=bytes.fromhex(self.salt),
            iterations=self.iterations,
            memory=self.memory,
            stored_key=bytes.fromhex(self.stored_key),
            server_key=bytes.fromhex(self.server_key),
        )


class Answer(Struct, frozen=True, kw_only=True):
    """An answer that names a user."""

    role: Some
    authid: Some | None = None
    ticket: Some | None = None
    secret: Some | None = None
    salt: Annotated[str, Meta(max_length=1024)] = ""
    iterations: Rounds = 1000
    keylen: Annotated[int, Meta(ge=16, le=64)] = 32
    scram: ScramAnswer | None = None
    pubkeys: Annotated[tuple[Hex32, ...], Meta(max_length=1000)] = ()
    authorized_keys: Annotated[tuple[Hex32, ...], Meta(max_length=1000)] = ()


class Inquiry:
    """A question on its way, and those who wait for the answer."""

    __slots__ = ("authid", "deadline", "is_over", "key", "method", "waiting")

    def __init__(self, method: str, authid: str, key: bytes | None) -> None:
        self.method = method
        self.authid = authid
        self.key = key
        self.waiting: list[Promise[Credentials | None]] = []
        self.deadline: Deadline | None = None
        self.is_over = False


class CallDirectory:
    """Knows whom ``ask`` knows.

    An answer is remembered, but for tickets: those may be good for one time only. Clients that want to know
    the same at once wait for one answer.

    Args:
        ask: gets the question; the outcome may be any value, or an error. It is never cancelled from here.
        realm: its name, for the question.
        roles: the realm's, by name.
        timeout_s: seconds that an answer may take.
        cache_s: seconds that an answer is good for; 0: every login asks.
        max_cache: answers remembered; the oldest goes first.
        complain: gets one line without a secret about each answer that cannot be used.
    """

    def __init__(
        self,
        ask: Callable[[dict[str, Any]], Promise[Any]],
        realm: str,
        roles: Mapping[str, Permissions],
        clock: Clock,
        timers: Timers,
        *,
        timeout_s: float = 5.0,
        cache_s: float = 60.0,
        max_cache: int = 10_000,
        complain: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._ask = ask
        self._realm = realm
        self._roles = roles
        self._clock = clock
        self._timers = timers
        self._timeout = timeout_s
        self._cache_s = cache_s
        self._max_cache = max_cache
        self._complain = complain
        # Digest of the question -> (until, answer), oldest first; all are good equally long.
        self._cache: dict[bytes, tuple[float, Credentials | None]] = {}
        self._inquiries: dict[bytes, Inquiry] = {}

    def find(
        self, method: str, authid: str | None, details: Mapping[str, Any]
    ) -> Credentials | Promise[Credentials | None] | None:
        """As ``Directory.find``, from memory or later. Raises: Denied: the details do not fit a question."""
        encoded = self._encoded(method, authid, details)
        key = None if method == "ticket" else hashlib.sha256(encoded).digest()
        if key is not None:
            until, known = self._cache.get(key, (self._clock.seconds(), None))
            if until > self._clock.seconds():
                return known
        later: Promise[Credentials | None] = Promise()
        inquiry = self._inquiries.get(key) if key is not None else None
        if inquiry is not None:
            inquiry.waiting.append(later)
            return later
        inquiry = Inquiry(method, authid or _hex(details.get("pubkey")), key)
        inquiry.waiting.append(later)
        self._begin(inquiry, msgspec.json.decode(encoded))
        return later

    def _encoded(self, method: str, authid: str | None, details: Mapping[str, Any]) -> bytes:
        told = {**details, "pubkey": _hex(details["pubkey"])} if method == "cryptosign" else details
        question = {"method": method, "authid": authid, "realm": self._realm, "details": told}
        try:
            encoded = msgspec.json.encode(question, order="deterministic")
        # What MessagePack and CBOR can say and JSON cannot; and nesting without end.
        except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError):
            raise Denied(AUTHENTICATION_DENIED, "authextra must be plain JSON") from None
        if len(encoded) > MAX_QUESTION:
            raise Denied(AUTHENTICATION_DENIED, "authextra is too long")
        return encoded

    def _begin(self, inquiry: Inquiry, question: dict[str, Any]) -> None:
        if inquiry.key is not None:
            self._inquiries[inquiry.key] = inquiry
        inquiry.deadline = self._timers.at(
            self._clock.seconds() + self._timeout,
            lambda: self._fail(inquiry, f"no answer within {self._timeout:g} s"),
        )
        try:
            self._ask(question).then(lambda outcome: self._take(inquiry, outcome))
        except RadiodError as error:
            self._fail(inquiry, error.text)

    def _take(self, inquiry: Inquiry, outcome: Any) -> None:
        if inquiry.is_over:
            return
        if isinstance(outcome, RadiodError):
            self._fail(inquiry, outcome.text)
            return
        try:
            user = None if outcome is None or outcome is False else self._user(inquiry, outcome)
        except ValueError as error:  # msgspec's is one, too
            self._fail(inquiry, str(error))
            return
        if inquiry.key is not None:
            self._remember(inquiry.key, user)
        self._end(inquiry, user)

    def _fail(self, inquiry: Inquiry, why: str) -> None:
        self._complain(f"cannot look up {inquiry.authid!r} for {inquiry.method}: {why}")
        self._end(inquiry, Denied(AUTHENTICATION_FAILED, "authentication is not possible now"))

    def _end(self, inquiry: Inquiry, outcome: Credentials | RadiodError | None) -> None:
        if inquiry.is_over:
            return
        inquiry.is_over = True
        if inquiry.deadline is not None:
            inquiry.deadline.cancel()
        if inquiry.key is not None:
            del self._inquiries[inquiry.key]
        for later in inquiry.waiting:
            later.settle(outcome)

    def _remember(self, key: bytes, user: Credentials | None) -> None:
        now = self._clock.seconds()
        self._cache.pop(key, None)
        while self._cache:
            oldest = next(iter(self._cache))
            if self._cache[oldest][0] > now and len(self._cache) < self._max_cache:
                break
            del self._cache[oldest]
        if self._max_cache > 0 and self._cache_s > 0:
            self._cache[key] = (now + self._cache_s, user)

    def _user(self, inquiry: Inquiry, outcome: Any) -> Credentials:
        """Raises: ValueError: this cannot be somebody who may use the method."""
        answer = msgspec.convert(outcome, Answer)
        if answer.role not in self._roles:
            raise ValueError(f"no such role {answer.role!r}")
        user = Credentials(
            authid=answer.authid or inquiry.authid,
            role=answer.role,
            permissions=self._roles[answer.role],
            provider=PROVIDER,
            ticket=_comparison(answer.ticket) if answer.ticket is not None else None,
            wampcra=_wampcra(answer),
            scram=answer.scram.verifier() if answer.scram is not None else None,
            cryptosign=tuple(bytes.fromhex(key) for key in (*answer.pubkeys, *answer.authorized_keys)),
        )
        has_other_proofs = any(getattr(user, proof) for proof in PROOFS.values())
        has_checked_ticket = inquiry.method == "ticket" and not has_other_proofs
        if not has_checked_ticket and not getattr(user, PROOFS[inquiry.method]):
            # Also for a ticket: who tells all it has of a user has not looked at the ticket.
            raise ValueError("the answer has nothing for this method")
        return user


def _comparison(ticket: str) -> Callable[[str], bool]:
    expected = ticket.encode("utf-8", "surrogatepass")
    return lambda candidate: hmac.compare_digest(expected, candidate.encode("utf-8", "surrogatepass"))


def _wampcra(answer: Answer) -> WampcraSecret | None:
    if answer.secret is None:
        return None
    return WampcraSecret(
        secret=answer.secret, salt=answer.salt, iterations=answer.iterations, keylen=answer.keylen
    )


def _hex(pubkey: Any) -> str:
    return pubkey.hex() if isinstance(pubkey, bytes) else ""
