"""Listen tokens: short-lived, and good for nothing but to open streams of some channels (docs/adr/0029).

A token is a JWT (RFC 7519), HS256, whose ``kid`` names a key. Its holder signs it with the key's signing
secret, in any language, without asking anybody; or the server does, for whoever shows the key. What it opens
is what it names **and** its key may listen to. Claims: ``exp`` and ``listen``, and, if there, ``sub``,
``nbf``, ``iat``, ``jti``, ``origins``.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final

import jwt
import msgspec

from radiod.auth.keys import Key, KeyRing
from radiod.auth.narrowed import Narrowed
from radiod.core.rights import Action, Principal
from radiod.core.timers import Clock
from radiod.core.uris import MAX_URI_LENGTH, wanted
from radiod.errors import INVALID_ARGUMENT, NOT_AUTHORIZED, NoAccess, Refused, WrongSecret
from radiod.wire.doors import Visit, usual_origin

__all__ = ["MAX_LIFE_S", "MAX_LISTEN", "MAX_TOKEN", "Tokens", "is_token"]

MAX_TOKEN: Final = 4096
"""Characters: it must fit into a request's first line."""

MAX_LIFE_S: Final = 86_400
MAX_LISTEN: Final = 64
MAX_ORIGINS: Final = 16
MAX_SUBJECT: Final = 128

SKEW_S: Final = 60.0
"""Seconds that the clock of whoever signs may be fast."""

MOST_NARROWED: Final = 1024
"""Rights of tokens that are remembered: many tokens name the same channels."""

INVALID: Final = "token not valid"

_ALGORITHM: Final = "HS256"
# Its first part is an object of JSON, whose brace is an "e" in base64.
_FORM: Final = re.compile(r"e[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*")

# What a token of an unknown key is checked with, so that it takes as long as one of a known key.
_NOBODYS: Final = b"nobody's secret, as long as any "

Date = Annotated[float, msgspec.Meta(ge=0, le=1e11)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_URI_LENGTH)]


class Claims(msgspec.Struct, kw_only=True):
    """What a token says; members that are not here mean nothing. Dates are seconds since 1970."""

    exp: Date
    listen: Annotated[tuple[Name, ...], msgspec.Meta(min_length=1, max_length=MAX_LISTEN)]
    sub: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_SUBJECT)] | None = None
    nbf: Date = 0.0
    iat: Date | None = None
    origins: Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_ORIGINS)] = ()


class Tokens:
    """Issues tokens, and tells who shows one.

    Args:
        secret: what the server signs with for keys that have no signing secret: those tokens end with the
            process that knows it.
        shared: what all nodes of a cluster sign with instead, the first of them: what the others have signed
            is as good. Empty: nothing.
    ``on_issue``: told each key for which the server has signed.
    """

    def __init__(self, keys: KeyRing, clock: Clock, secret: str, shared: Sequence[str] = ()) -> None:
        self._keys = keys
        self._clock = clock
        self._is_shared = bool(shared)
        self._use(shared or [secret])
        # (realm, key's id, what the token names) -> its rights.
        self._narrowed: dict[tuple[str, str, tuple[str, ...]], Narrowed] = {}
        self.on_issue: Callable[[Key], object] = _nobody

    @property
    def secret(self) -> str | None:
        """What the server signs with: for nobody but the process that takes its place; None: that has it."""
        return None if self._is_shared else self._secrets[self._name].decode()

    def resume(self, secret: str) -> None:
        """Sign with this from now on: what another process signed with it is as good as then.

        Where nodes have secrets in common only these are good: one that was taken out must not come back.
        """
        if not self._is_shared:
            self._use([secret])

    def _use(self, secrets: Sequence[str]) -> None:
        """Sign with the first of these."""
        # What names a secret, in the heads of what it signs -> the secret.
        self._secrets = {_name(secret.encode()): secret.encode() for secret in secrets}
        self._name = next(iter(self._secrets))

    def issue(
        self,
        key: Key,
        listen: tuple[str, ...],
        ttl: int,
        subject: str | None = None,
        origins: tuple[str, ...] = (),
    ) -> tuple[str, int]:
        """A token of a key.

        Args:
            ttl: seconds that it is good for.
        Returns: it, and when it ends, in seconds since 1970.
        Raises: Refused: ``invalid_argument``: it would not be let in.
        """
        now = int(self._clock.time())
        claims: dict[str, Any] = {"exp": now + ttl, "iat": now, "listen": listen}
        if subject is not None:
            claims["sub"] = subject
        if origins:
            claims["origins"] = origins
        try:
            _check(msgspec.convert(claims, Claims))
        except (Refused, msgspec.ValidationError) as error:
            raise Refused(INVALID_ARGUMENT, str(error)) from None
        header = {"kid": key.id} if key.signing is not None else {"kid": key.id, "srv": self._name}
        token = jwt.encode(claims, self._signing(key, self._name), _ALGORITHM, headers=header)
        if len(token) > MAX_TOKEN:
            raise Refused(INVALID_ARGUMENT, f"a token has at most {MAX_TOKEN} characters: name patterns")
        if key.signing is None:
            self.on_issue(key)
        return token, now + ttl

    def read(self, token: str, visit: Visit) -> tuple[Key, Principal, float]:
        """Who shows a token: its key, who that is there, and when it ends, in seconds since 1970.

        Raises:
            WrongSecret: it is none, or nobody signed it: whoever tries many is slowed.
            NoAccess: it is over, or not valid yet, or comes from elsewhere; or its key is not let in.
            Refused: it was signed, and says what no token may.
        """
        key, told = self._verified(token)
        try:
            claims = msgspec.convert(told, Claims)
        except msgspec.ValidationError as error:
            raise Refused(NOT_AUTHORIZED, f"{INVALID}: {error}") from None
        self._check_time(claims)
        _check(claims)
        try:
            key.check(visit.origin, visit.address)
        except NoAccess as refusal:
            raise NoAccess(refusal.reason, INVALID) from None
        _check_origin(claims, visit.origin)
        return key, self._principal(key, claims), claims.exp

    def _verified(self, token: str) -> tuple[Key, dict[str, Any]]:
        """Whose token it is, and what it says. Raises: WrongSecret, NoAccess, Refused."""
        if len(token) > MAX_TOKEN or not is_token(token):
            raise WrongSecret(NOT_AUTHORIZED, INVALID)
        header = _header(token)
        named = self._keys.named(header["kid"]) if header else ()
        signer = header.get("srv", self._name)
        if not (isinstance(signer, str) and signer in self._secrets):
            if any(key.signing is None for key in named):
                # Another process signed it, before a restart say, and pages come back with it: nobody guesses
                # here, since nothing is compared.
                raise NoAccess("expired", INVALID)
            signer = self._name
        for key in named:
            told = _opened(token, self._signing(key, signer))
            if told is not None:
                return key, told
        if not named:
            _opened(token, _NOBODYS)
        raise WrongSecret(NOT_AUTHORIZED, INVALID)

    def _signing(self, key: Key, signer: str) -> bytes:
        """What signs the tokens of a key; ``signer``: the name of the server's secret, where that does."""
        if key.signing is not None:
            # HMAC itself fills up what is short in this way; PyJWT warns of it each time.
            return key.signing.reveal().encode().ljust(32, b"\0")
        return hmac.digest(self._secrets[signer], f"{key.realm.name}\0{key.id}".encode(), "sha256")

    def _check_time(self, claims: Claims) -> None:
        now = self._clock.time()
        if claims.exp <= now:
            raise NoAccess("expired", INVALID)
        begins = now if claims.iat is None else claims.iat
        if max(claims.nbf, begins) > now + SKEW_S:
            raise NoAccess("not_yet_valid", INVALID)
        if claims.exp - begins > MAX_LIFE_S:
            since = "iat" if claims.iat is not None else "now, since it has no iat"
            raise Refused(NOT_AUTHORIZED, f"{INVALID}: exp is more than {MAX_LIFE_S} seconds after {since}")

    def _principal(self, key: Key, claims: Claims) -> Principal:
        holder = key.principal
        permissions = self._rights(key, claims.listen)
        return Principal(
            # Whoever signs may name anybody: the key's id is before it, so that it is nobody else's name.
            authid=key.id if claims.sub is None else f"{key.id}/{claims.sub}",
            authrole=holder.authrole,
            authmethod="token",
            authprovider=holder.authprovider,
            permissions=permissions,
            memberships=tuple(
                each for each in holder.memberships if permissions.allows(Action.SUBSCRIBE, each)
            ),
            holder=key.holder,
        )

    def _rights(self, key: Key, listen: tuple[str, ...]) -> Narrowed:
        named = key.realm.name, key.id, listen
        found = self._narrowed.get(named)
        if found is None or found.key is not key:
            if len(self._narrowed) >= MOST_NARROWED:
                self._narrowed.clear()
            found = self._narrowed[named] = Narrowed(key, listen)
        return found


def _nobody(key: Key) -> None:
    """Nobody minds."""


def _name(secret: bytes) -> str:
    return hmac.digest(secret, b"name", "sha256")[:6].hex()


def is_token(text: str) -> bool:
    """Whether a text has the form of a token: whose, and whether it is right, is another question."""
    return _FORM.fullmatch(text) is not None


def _header(token: str) -> dict[str, Any]:
    """What a token says of itself, with a ``kid`` that is a text; empty: it is no token."""
    try:
        header: dict[str, Any] = jwt.get_unverified_header(token)
    except _BROKEN:
        return {}
    kid = header.get("kid")
    # What must be understood, and is not: RFC 7515, 4.1.11.
    return header if isinstance(kid, str) and len(kid) <= MAX_URI_LENGTH and "crit" not in header else {}


def _opened(token: str, secret: bytes) -> dict[str, Any] | None:
    """What a token says; None: nobody signed it with this secret.

    Its dates are looked at later, by the server's own clock.
    """
    try:
        told = jwt.decode(
            token,
            secret,
            algorithms=[_ALGORITHM],
            options={"require": ["exp"], "verify_exp": False, "verify_nbf": False, "verify_iat": False},
        )
    except (jwt.DecodeError, jwt.InvalidAlgorithmError, jwt.InvalidKeyError):
        return None
    except jwt.PyJWTError as error:
        raise Refused(NOT_AUTHORIZED, f"{INVALID}: {error}") from None
    except _BROKEN:
        return None
    return told if isinstance(told, dict) else None


_BROKEN: Final = (jwt.PyJWTError, ValueError, TypeError, RecursionError)
"""What the reader raises on what is no token."""


def _check_origin(claims: Claims, origin: str | None) -> None:
    """Raises: NoAccess: a page of another origin shows it; what has none is no page (``Holder.restrict``)."""
    if claims.origins and origin is not None and origin not in map(usual_origin, claims.origins):
        raise NoAccess("origin", INVALID)


def _check(claims: Claims) -> None:
    """Raises: Refused: ``listen`` has what is no channel and no pattern of channels."""
    for name in claims.listen:
        try:
            wanted(name)
        except Refused as refusal:
            raise Refused(NOT_AUTHORIZED, f"{INVALID}: listen: {refusal.text}") from None
