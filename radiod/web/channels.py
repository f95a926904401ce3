"""``GET /channels`` and ``/channels/<name>``: what is on the air."""

from __future__ import annotations

from typing import Any

from twisted.web.server import NOT_DONE_YET, Request

from radiod import __version__
from radiod.core.build import BUILD
from radiod.core.promises import Promise
from radiod.core.realm.gateway import Gateway
from radiod.core.rights import Permissions
from radiod.errors import RadiodError, Refused, http_status
from radiod.web.answers import NO_TEXT, JsonResource, answer, query, rest_of_path

__all__ = ["ChannelsResource", "HealthResource"]

MAX_PAGE = 1000


class ChannelsResource(JsonResource):
    """The public channels of one realm; ``?prefix=&limit=&after=`` as ``radiod.channel.list``.

    ``permissions``: of whoever asks, since nobody says who that is.
    """

    def __init__(self, gateway: Gateway, permissions: Permissions | None = None) -> None:
        super().__init__()
        self._gateway = gateway
        self._permissions = permissions

    def render_GET(self, request: Request) -> Any:
        """One page of channels, or one channel."""
        name = rest_of_path(request)
        if name is None:
            return answer(request, 400, NO_TEXT)
        try:
            if name:
                return answer(request, 200, self._gateway.describe(name, self._permissions))
            asked = query(request)
            limit = asked.get("limit") or "100"
            if not (limit.isdecimal() and limit.isascii() and 1 <= int(limit[:9]) <= MAX_PAGE):
                return answer(request, 400, {"error": f"limit must be an integer from 1 to {MAX_PAGE}"})
            page = self._gateway.page(
                asked.get("prefix", ""), int(limit), asked.get("after"), self._permissions
            )
            if isinstance(page, Promise):
                return _answer_later(request, page) if request.method != b"HEAD" else _head(request)
            return answer(request, 200, page)
        except Refused as refusal:
            return answer(request, http_status(refusal), {"error": refusal.text})


def _head(request: Request) -> bytes:
    """What can be said at once of an answer that takes its time: all but its length."""
    answer(request, 200, {})
    request.responseHeaders.removeHeader(b"Content-Length")
    return b""


def _answer_later(request: Request, page: Promise[dict[str, Any]]) -> int:
    """Answer as soon as the page is there, if somebody still waits for it."""
    gone: list[object] = []
    request.notifyFinish().addBoth(gone.append)

    def say(outcome: dict[str, Any] | RadiodError) -> None:
        if gone:
            return
        if isinstance(outcome, RadiodError):
            content = answer(request, http_status(outcome), {"error": outcome.text})
        else:
            content = answer(request, 200, outcome)
        request.setHeader("Content-Length", str(len(content)))
        request.write(content)
        request.finish()

    page.then(say)
    return NOT_DONE_YET


class HealthResource(JsonResource):
    """``GET /healthz``: 200 while the server's loop turns, and what it is."""

    def render_GET(self, request: Request) -> bytes:
        """Answering at all is the answer."""
        return answer(request, 200, {"status": "ok", "version": __version__, "build": BUILD})
