"""What every HTTP route needs: the request as a protocol, the caller's key, and errors."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Any, Final, Protocol

from twisted.logger import Logger

from radiod.errors import OverLimit, RadiodError, TryLater, http_status
from radiod.wire.answer import Answer
from radiod.wire.answers import json_answer
from radiod.wire.doors import Visit
from radiod.wire.heads import Head
from radiod.wire.replies import refused, with_retry
from radiod.wire.targets import Target, below, parameters

__all__ = [
    "NO_PATH",
    "NO_TEXT",
    "Request",
    "credential",
    "later",
    "log_refused",
    "over_limit",
    "query",
    "refusal",
    "rest_of_path",
    "retry_after",
]

log: Final = Logger()

NO_PATH: Final = json_answer(404, {"error": "no such path"})
NO_TEXT: Final = json_answer(400, {"error": "what is percent-encoded in the path must be UTF-8"})


class Request(Protocol):
    """One request; ``transport.http.request.Request`` is one, and documents it."""

    # What routes remember of it is ``proven``.
    connection: Any
    head: Head
    visit: Visit
    body: bytes
    is_over: bool
    on_lost: Callable[[], None] | None

    @property
    def method(self) -> str: ...

    @property
    def target(self) -> Target: ...

    @property
    def is_chunked(self) -> bool: ...

    def header(self, name: bytes) -> str | None: ...

    def tell(self, name: str, value: str) -> None: ...

    def answer(self, answer: Answer) -> None: ...

    def begin(
        self, answer: Answer, format: Any = ..., opening: Any = ..., *, is_cut_for_backlog: bool = ...
    ) -> Any: ...

    def end(self) -> None: ...


def refusal(error: RadiodError, *fields: tuple[str, str]) -> Answer:
    """An error of radiod's, as its own routes tell it."""
    if isinstance(error, OverLimit):
        return over_limit(error, *fields)
    if isinstance(error, TryLater):
        fields = (later(error.retry_after), *fields)
    status = http_status(error)
    return json_answer(status, refused(error), *with_retry(status, fields))


def over_limit(error: OverLimit, *fields: tuple[str, str]) -> Answer:
    """A refusal for a limit of a plan, as they tell it."""
    return json_answer(429, refused(error), retry_after(error), *fields)


def retry_after(error: OverLimit) -> tuple[str, str]:
    """When it may be tried again, as a field."""
    return "Retry-After", str(error.retry_after)


def later(seconds: float) -> tuple[str, str]:
    """When a client is to come back, as a field: whole seconds."""
    return "Retry-After", str(ceil(seconds))


def log_refused(
    request: Request,
    text: str,
    *,
    key: str | None = None,
    realm: str | None = None,
    event: str = "key_refused",
) -> None:
    """Say that a request was refused for its credential, never with it.

    Args:
        key: what names the key that was tried, if that is known; ``realm``: its realm.
    """
    told = [f"by {means}" for means in [_means(request)] if means]
    told += [f"key {key!r}"] if key is not None else []
    told += [f"realm {realm}"] if realm is not None else []
    log.info(
        "refused {peer}: {text}{told}",
        peer=request.visit.peer,
        text=text,
        told=f" ({', '.join(told)})" if told else "",
        tried=_means(request),
        key=key,
        realm=realm,
        event=event,
    )


def _means(request: Request) -> str:
    """How a request shows what it has, in one word; empty: it shows nothing."""
    asked = query(request)
    shown = {
        "signature": "signature" in asked,
        "api-key": request.header(b"api-key") is not None,
        "authorization": request.header(b"authorization") is not None,
        "token": "token" in asked,
        # Beside a signature, ``key`` is the name of who signed.
        "channel-key": request.header(b"channel-key") is not None
        or ("key" in asked and "signature" not in asked),
    }
    return " and ".join(means for means, is_shown in shown.items() if is_shown)


def rest_of_path(request: Request) -> str | None:
    """What follows the first segment of the path, percent-decoded; ``""``: nothing; None: it is no text."""
    path = request.target.path
    slash = path.find("/", 1)
    return "" if slash < 0 else below(path, path[: slash + 1])


def credential(request: Request) -> str | None:
    """The API key in ``API-KEY`` or ``Authorization: Bearer``; None: the request has none."""
    key = request.header(b"api-key")
    if key is not None:
        return key
    scheme, _, token = (request.header(b"authorization") or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def query(request: Request) -> dict[str, str]:
    """The query's parameters by name, the last one of each."""
    return parameters(request.target.query)
