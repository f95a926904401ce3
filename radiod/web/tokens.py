"""``POST /tokens``: a listen token for whoever has an API key, to be given to pages and other clients."""

from __future__ import annotations

from typing import Annotated, Any, Final, Protocol

import msgspec

from radiod.errors import Refused, http_status
from radiod.web.answers import Request
from radiod.web.callers import Callers, UnknownCaller
from radiod.web.dialects import said_of
from radiod.web.routes import Outcome, Route
from radiod.wire.answer import Answer
from radiod.wire.answers import json_answer

__all__ = ["TokensPath"]


class Issuer(Protocol):
    """What issues tokens; ``auth.tokens.Tokens`` is one, and documents it."""

    def issue(
        self,
        key: Any,
        listen: tuple[str, ...],
        ttl: int,
        subject: str | None = None,
        origins: tuple[str, ...] = (),
    ) -> tuple[str, int]: ...


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    """The body. ``ttl``: seconds."""

    listen: tuple[str, ...]
    ttl: Annotated[int, msgspec.Meta(ge=1, le=86_400)] = 600
    sub: str | None = None
    origins: tuple[str, ...] = ()


_ASKED: Final = msgspec.json.Decoder(Asked)


class TokensPath(Route):
    """Issues tokens."""

    methods = ("POST", "OPTIONS")

    def __init__(self, callers: Callers, tokens: Issuer) -> None:
        self._callers = callers
        self._tokens = tokens

    def post(self, request: Request) -> Outcome:
        """A token, perhaps when it is the address's turn."""
        return self._callers.in_turn(request, lambda: self._issue(request))

    def _issue(self, request: Request) -> Answer:
        try:
            caller = self._callers.of(request)
        except UnknownCaller as nobody:
            return nobody.answer
        try:
            asked = _ASKED.decode(request.body)
        except RecursionError:
            return json_answer(400, {"error": "the body is nested too deep"})
        except ValueError as error:
            return json_answer(400, {"error": said_of(error)})
        try:
            token, expires = self._tokens.issue(caller, asked.listen, asked.ttl, asked.sub, asked.origins)
        except Refused as refusal:
            return json_answer(http_status(refusal), {"error": refusal.text})
        return json_answer(200, {"token": token, "expires": expires})
