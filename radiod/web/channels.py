"""``GET /channels`` and ``/channels/<name>``: what is on the air."""

from __future__ import annotations

from typing import Any

from radiod import __version__
from radiod.core.build import BUILD
from radiod.core.promises import chain
from radiod.core.realm.gateway import Gateway
from radiod.core.rights import Permissions
from radiod.errors import Refused
from radiod.web.answers import NO_TEXT, Request, query, refusal, rest_of_path
from radiod.web.routes import Outcome, Route
from radiod.wire.answer import Answer
from radiod.wire.answers import json_answer

__all__ = ["Channels", "Health"]

MAX_PAGE = 1000


class Channels(Route):
    """The public channels of one realm; ``?prefix=&limit=&after=`` as ``radiod.channel.list``.

    ``permissions``: of whoever asks, since nobody says who that is.
    """

    def __init__(self, gateway: Gateway, permissions: Permissions | None = None) -> None:
        self._gateway = gateway
        self._permissions = permissions

    def get(self, request: Request) -> Outcome:
        """One page of channels, perhaps later, or one channel."""
        name = rest_of_path(request)
        if name is None:
            return NO_TEXT
        try:
            if name:
                return chain(self._gateway.describe(name, self._permissions), _found)
            asked = query(request)
            limit = asked.get("limit", "100")
            if not (limit.isdecimal() and limit.isascii() and 1 <= int(limit[:9]) <= MAX_PAGE):
                return json_answer(400, {"error": f"limit must be an integer from 1 to {MAX_PAGE}"})
            page = self._gateway.page(
                asked.get("prefix", ""), int(limit), asked.get("after"), self._permissions
            )
            return chain(page, _found)
        except Refused as error:
            return refusal(error)


def _found(description: dict[str, Any]) -> Answer:
    return json_answer(200, description)


class Health(Route):
    """``GET /healthz``: 200 while the server's loop turns, and what it is."""

    is_for_watchers = True

    def get(self, request: Request) -> Outcome:
        """Answering at all is the answer."""
        return json_answer(200, {"status": "ok", "version": __version__, "build": BUILD})
