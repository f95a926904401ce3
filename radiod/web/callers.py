"""Who asks over HTTP: the holder of an API key, which the request shows, or which signed its query.

A query with a ``signature`` makes a signed request (Crossbar's bridge; ``auth.signed_request``). Its body
must be there as a whole, and counts as the client wrote it, before it compressed it. An API key beside it
must be the same one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from radiod.core.disclosure import Visitor
from radiod.core.holders import Holder
from radiod.core.realm.realm import Realm
from radiod.core.timers import Clock
from radiod.errors import BadSignedRequest, NoAccess
from radiod.web.answers import Request, credential, log_refused
from radiod.web.routes import Outcome
from radiod.web.suspicion import Suspicion
from radiod.wire.answer import Answer
from radiod.wire.answers import json_answer
from radiod.wire.targets import KEY_IN_QUERY, parameters, shows_key

__all__ = ["Caller", "Callers", "KeyTable", "SignedQueries", "UnknownCaller", "is_signed"]

MISSING: Final = "API-KEY missing in headers"
WRONG: Final = "API-KEY not valid"
ANOTHER: Final = "API-KEY is not the key that signed the request"
NO_TOKEN: Final = "a token only opens streams: show an API key here"


class Caller(Protocol):
    """The key that a request is from; ``auth.keys.Key`` is one, and documents it."""

    @property
    def id(self) -> str: ...

    @property
    def realm(self) -> Realm: ...

    @property
    def visitor(self) -> Visitor: ...

    @property
    def holder(self) -> Holder: ...

    def check(self, origin: str | None, address: str | None) -> None: ...


class KeyTable(Protocol):
    """All keys; ``auth.keys.KeyRing`` is one, and documents it."""

    def find(self, secret: str) -> Caller | None: ...

    def by_id(self, id: str) -> Caller | None: ...


class SignedQueries(Protocol):
    """What checks signatures; ``auth.signed_request.SignedRequests`` is one, and documents it."""

    def check(self, query: Mapping[str, str], body: bytes, now: float) -> str: ...


class UnknownCaller(Exception):
    """Nobody who has a key asks; ``str`` says why.

    ``status``, and ``body``: of the answer. An API key that is missing or wrong is answered as the Django
    radio did, a signature as by Crossbar's bridge. ``reason``: why a key that is known is not let in, as
    ``errors.NoAccess`` has it; empty: there is none; ``is_bridge``: the request was signed.
    """

    def __init__(self, status: int, text: str, *, is_bridge: bool = False, reason: str = "") -> None:
        super().__init__(text)
        self.status: Final = status
        self.reason: Final = reason
        self.is_bridge: Final = is_bridge
        self.body: Final[dict[str, Any]] = {"error": text}
        if reason:
            self.body["reason"] = reason
        if is_bridge:
            self.body.update(args=[], kwargs={})

    @property
    def answer(self) -> Answer:
        """The whole answer."""
        return json_answer(self.status, self.body)


class Callers:
    """Finds out who asks. Wrong keys and signatures are counted, and logged without what was shown.

    ``is_token``: whether a text has the form of a listen token, which is no key; ``is_traced``: whether
    somebody follows the traces that requests are part of.
    """

    is_traced = False

    def __init__(
        self,
        keys: KeyTable,
        signed: SignedQueries,
        suspicion: Suspicion,
        clock: Clock,
        is_token: Callable[[str], bool] = lambda secret: False,
    ) -> None:
        self._keys = keys
        self._is_token = is_token
        self._signed = signed
        self._suspicion = suspicion
        self._clock = clock

    def in_turn(self, request: Request, act: Callable[[], Outcome]) -> Outcome:
        """What ``act`` comes to, which asks ``of``: at once, or when it is the address's turn."""
        if self._suspicion.is_idle:
            return act()
        return self._suspicion.in_turn(request, _shown(request), act)

    def of(self, request: Request) -> Caller:
        """Whose key a request shows, or is signed with: that signature counts once.

        Raises: UnknownCaller: 400: there is none, or it is wrong; a signed query is malformed or too old;
            401: its signature is wrong, or came before, or is of another key than that in the header; 403: it
            is known, and not let in.
        """
        if request.target.query:
            signed = _first_parameters(request.target.query)
            if shows_key(signed):
                raise UnknownCaller(400, KEY_IN_QUERY)
            if "signature" in signed:
                return self._proven(request, self._signer(request, signed), _shown(request))
            if "token" in signed:
                raise UnknownCaller(403, NO_TOKEN)
        secret = credential(request)
        shown = secret, request.header(b"channel-key")
        return self._proven(request, self._holder(request, secret), shown)

    def in_turn_with(self, request: Request, secret: str | None, act: Callable[[], Outcome]) -> Outcome:
        """The same as ``in_turn`` for a dialect that has its own way to show a key."""
        return self._suspicion.in_turn(request, (secret, None), act)

    def holder(self, request: Request, secret: str | None) -> Caller:
        """Whose key this is. Raises: UnknownCaller: there is none, or it is nobody's."""
        return self._proven(request, self._holder(request, secret), (secret, None))

    def wrong(
        self, request: Request, text: str, caller: Caller | None = None, *, key: str | None = None
    ) -> None:
        """A request showed something that is wrong: ``text`` says what, without it.

        ``caller``: who it is from all the same; ``key``: or the name that it gave.
        """
        if caller is None:
            log_refused(request, text, key=key)
        else:
            log_refused(request, text, key=caller.id, realm=caller.realm.name)
        self._suspicion.wrong(request)

    def _holder(self, request: Request, secret: str | None) -> Caller:
        if secret is None:
            raise UnknownCaller(400, MISSING)
        found = None
        try:
            found = self._keys.find(secret)
            if found is not None:
                found.check(request.visit.origin, request.visit.address)
        except NoAccess as refusal:
            raise self._not_let_in(request, refusal, found) from None
        if found is None:
            if self._is_token(secret):
                self.wrong(request, NO_TOKEN)
                raise UnknownCaller(403, NO_TOKEN)
            self.wrong(request, WRONG)
            raise UnknownCaller(400, WRONG)
        return found

    def _not_let_in(
        self, request: Request, refusal: NoAccess, caller: Caller | None, *, is_bridge: bool = False
    ) -> UnknownCaller:
        key, realm = (caller.id, caller.realm.name) if caller is not None else (None, None)
        log_refused(request, f"{refusal.text}: {refusal.reason}", key=key, realm=realm)
        return UnknownCaller(403, refusal.text, is_bridge=is_bridge, reason=refusal.reason)

    def _signer(self, request: Request, query: Mapping[str, str]) -> Caller:
        try:
            signer = self._keys.by_id(self._signed.check(query, request.body, self._clock.time()))
        except BadSignedRequest as bad:
            self._refuse(request, bad.text, query.get("key"), is_guess=bad.is_guess)
            raise UnknownCaller(bad.status, bad.text, is_bridge=True) from None
        secret = credential(request)
        try:
            if signer is None or (secret is not None and self._keys.find(secret) is not signer):
                # A right key of somebody else is told nothing that a wrong one is not.
                self._refuse(request, ANOTHER, query.get("key"), is_guess=True)
                raise UnknownCaller(401, ANOTHER, is_bridge=True)
            signer.check(request.visit.origin, request.visit.address)
        except NoAccess as refusal:
            raise self._not_let_in(request, refusal, signer, is_bridge=True) from None
        return signer

    def _refuse(self, request: Request, text: str, key: str | None, *, is_guess: bool) -> None:
        if is_guess:
            self.wrong(request, text, key=key)
        else:
            log_refused(request, text, key=key)

    def _proven(self, request: Request, caller: Caller, shown: tuple[str | None, ...]) -> Caller:
        self._suspicion.proven(request, shown)
        return caller


def is_signed(request: Request) -> bool:
    """Whether a request's query is signed: whoever checks that needs the whole body first."""
    query = request.target.query
    return bool(query) and "signature" in _first_parameters(query)


def _first_parameters(query: str) -> dict[str, str]:
    """Of a parameter that is there twice the first, as in Crossbar."""
    return parameters("&".join(reversed(query.split("&"))))


def _shown(request: Request) -> tuple[str | None, ...]:
    """What a request shows to prove who asks; what signed before on its connection is no guess there."""
    keys = credential(request), request.header(b"channel-key")
    query = request.target.query
    if not query:
        return keys
    signed = _first_parameters(query)
    return (*keys, f"signed {signed.get('key')}") if "signature" in signed else keys
