"""``GET /channels`` and ``/channels/<name>``: what is on the air."""

from __future__ import annotations

from typing import Any

from twisted.web.server import Request

from radiod.core.realm import Realm
from radiod.errors import Refused, http_status
from radiod.web.answers import JsonResource, answer, rest_of_path

__all__ = ["ChannelsResource", "HealthResource"]

MAX_PAGE = 1000


class ChannelsResource(JsonResource):
    """The public channels of one realm; ``?prefix=&limit=&after=`` as ``radiod.channel.list``."""

    def __init__(self, realm: Realm) -> None:
        super().__init__()
        self._realm = realm

    def render_GET(self, request: Request) -> bytes:
        """One page of channels, or one channel."""
        name = rest_of_path(request)
        try:
            if name:
                return answer(request, 200, self._realm.describe_channel(name))
            limit = _argument(request, b"limit") or "100"
            if not (limit.isdecimal() and limit.isascii() and 1 <= int(limit[:9]) <= MAX_PAGE):
                return answer(request, 400, {"error": f"limit must be an integer from 1 to {MAX_PAGE}"})
            prefix, after = _argument(request, b"prefix") or "", _argument(request, b"after")
            return answer(request, 200, self._realm.list_channels(prefix, int(limit), after))
        except Refused as refusal:
            return answer(request, http_status(refusal), {"error": refusal.text})


def _argument(request: Request, name: bytes) -> str | None:
    values: list[Any] = request.args.get(name, [])
    return values[0].decode("utf-8", "replace") if values else None


class HealthResource(JsonResource):
    """``GET /healthz``: 200 while the server's loop turns."""

    def render_GET(self, request: Request) -> bytes:
        """Answering at all is the answer."""
        return answer(request, 200, {"status": "ok"})
