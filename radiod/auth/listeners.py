"""Who listens without WAMP: whoever shows an API key, or a token, or nothing where nothing is needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from radiod.auth.keys import KeyRing
from radiod.auth.tokens import Tokens, is_token
from radiod.core.realm.gateway import Gateway
from radiod.core.rights import Principal
from radiod.errors import INVALID_ARGUMENT, NOT_AUTHORIZED, Refused, WrongSecret
from radiod.wire.doors import Visit
from radiod.wire.targets import KEY_IN_QUERY, shows_key

__all__ = ["Listeners"]

Identity = tuple[Gateway, Principal, float | None]
"""The realm's gateway, who that is, and until when, in seconds since 1970, if that has an end."""

BOTH: Final = "show an API key in a header, or a token in the query, not both"
NO_TOKEN: Final = "token not valid: it is no token; API keys are shown in a header, never in the query"


class Listeners:
    """Knows who listens.

    Args:
        anonymous: who shows nothing; it raises ``Refused`` where that is nobody.
    """

    def __init__(
        self, keys: KeyRing, tokens: Tokens, anonymous: Callable[[], tuple[Gateway, Principal]]
    ) -> None:
        self._keys = keys
        self._tokens = tokens
        self._anonymous = anonymous

    def identify(self, credential: str | None, query: Mapping[str, str], visit: Visit) -> Identity:
        """Who that is.

        Args:
            credential: an API key, or a token, in the request's head.
            query: its parameters, which may have a token.
            visit: where it comes from.
        Raises: Refused: nobody; ``WrongSecret``, ``NoAccess`` among them.
        """
        if query and shows_key(query):
            raise Refused(INVALID_ARGUMENT, KEY_IN_QUERY)
        token = query.get("token")
        if token is not None:
            if credential is not None:
                raise Refused(INVALID_ARGUMENT, BOTH)
            if not is_token(token):
                raise WrongSecret(NOT_AUTHORIZED, NO_TOKEN)
            return self._by_token(token, visit)
        if credential is None:
            return *self._anonymous(), None
        if is_token(credential) and self._keys.find(credential) is None:
            return self._by_token(credential, visit)
        key = self._keys.get(credential)
        key.check(visit.origin, visit.address)
        return key.realm.gateway, key.principal, None

    def _by_token(self, token: str, visit: Visit) -> Identity:
        key, principal, until = self._tokens.read(token, visit)
        return key.realm.gateway, principal, until
