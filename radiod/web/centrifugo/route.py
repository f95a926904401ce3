"""``POST /api/<method>``: Centrifugo's server API, told by its header ``X-API-Key``.

Any status but 200 is an exception in its clients: 401 for a key that is missing or wrong, and what the HTTP
server itself refuses. All else is answered with 200, errors too. ``docs/protocol.md`` has the table.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from radiod.core.promises import Promise, chain
from radiod.core.series import series
from radiod.errors import RadiodError
from radiod.web.answers import NO_PATH, NO_TEXT, Request, rest_of_path
from radiod.web.callers import Caller, Callers, UnknownCaller
from radiod.web.centrifugo.methods import Methods
from radiod.web.centrifugo.replies import BAD_REQUEST, UNAUTHORIZED, Failure, Reply, reply_of, wrapped
from radiod.web.routes import Outcome, Route
from radiod.web.tracing import TracedCaller, trace_of
from radiod.wire.answer import Answer
from radiod.wire.answers import json_answer

__all__ = ["Centrifugo", "PublishPath"]

BATCH: Final = "batch"


class Batch(msgspec.Struct):
    """Each command is an object with one member: the method's name, and its request."""

    commands: list[dict[str, msgspec.Raw]] = []
    parallel: bool = False


_BATCH: Final = msgspec.json.Decoder(Batch)


class Centrifugo(Route):
    """Does what Centrifugo's API can ask for here, in the realm of the key."""

    label = "/api/{method}"
    methods = ("POST", "OPTIONS")

    def __init__(self, callers: Callers, methods: Methods) -> None:
        self._callers = callers
        self._methods = methods

    def post(self, request: Request) -> Outcome:
        """Do it, perhaps when it is the address's turn."""
        name = rest_of_path(request)
        if name is None:
            return NO_TEXT
        if not name or "/" in name:
            return NO_PATH
        secret = api_key(request)
        return self._callers.in_turn_with(request, secret, lambda: self._act(request, secret, name))

    def _act(self, request: Request, secret: str | None, name: str) -> Outcome:
        try:
            caller = self._callers.holder(request, secret)
        except UnknownCaller:
            return json_answer(401, wrapped(Failure.of(UNAUTHORIZED)), ("WWW-Authenticate", "apikey"))
        trace = trace_of(request, self._callers)
        if trace is not None:
            caller = TracedCaller(caller, trace)
        body = request.body
        try:
            body.decode()
        except UnicodeDecodeError:
            return _answer(wrapped(Failure.of(BAD_REQUEST, "the body is not UTF-8")))
        if name == BATCH:
            return self._batch(caller, body)
        return _later(self._methods.call(name, caller, body), wrapped)

    def _batch(self, caller: Caller, body: bytes) -> Outcome:
        """→ ``{"replies"}``, in the order of the commands, without ``result`` around it."""
        try:
            batch = _BATCH.decode(body)
        except (ValueError, RecursionError) as error:
            return _answer(wrapped(Failure.of(BAD_REQUEST, str(error).splitlines()[0][:200])))
        done = series(
            caller.realm.management.slices,
            batch.commands,
            lambda command: self._command(caller, command),
            is_in_order=not batch.parallel,
        )
        return _later(done, lambda replies: {"replies": replies})

    def _command(
        self, caller: Caller, command: dict[str, msgspec.Raw]
    ) -> dict[str, Any] | Promise[dict[str, Any]]:
        if caller.holder.why_refused:
            return wrapped(Failure.of(UNAUTHORIZED))
        if len(command) != 1:
            return wrapped(Failure.of(BAD_REQUEST, "a command has one member, its method"))
        ((name, asked),) = command.items()

        def tell(reply: Reply) -> dict[str, Any]:
            return wrapped(reply, name)

        done: Any = reply_of(lambda: self._methods.call(name, caller, bytes(asked)))
        return chain(done, tell)


class PublishPath(Route):
    """``/api/publish`` is Centrifugo's, or the Django radio's: the header that shows the key tells."""

    def __init__(self, publish: Route, centrifugo: Centrifugo) -> None:
        self._publish = publish
        self._centrifugo = centrifugo

    def taker(self, request: Request) -> Any:
        """As ``Route.taker``."""
        return self._of(request).taker(request)

    def handle(self, request: Request) -> None:
        """Answer in the dialect that is spoken."""
        self._of(request).handle(request)

    def _of(self, request: Request) -> Route:
        return self._publish if api_key(request) is None else self._centrifugo


def api_key(request: Request) -> str | None:
    """The key in ``X-API-Key`` or ``Authorization: apikey``; None: the request has none."""
    key = request.header(b"x-api-key")
    if key is not None:
        return key
    scheme, _, token = (request.header(b"authorization") or "").partition(" ")
    return token.strip() if scheme.lower() == "apikey" else None


def _later(outcome: Any, tell: Any) -> Outcome:
    """The answer that ``tell`` makes of what something comes to."""
    if not isinstance(outcome, Promise):
        return _answer(tell(outcome))
    later: Promise[Answer] = Promise()

    def say(late: Any) -> None:
        later.settle(_answer(wrapped(late) if isinstance(late, RadiodError) else tell(late)))

    outcome.then(say)
    return later


def _answer(body: dict[str, Any]) -> Answer:
    return json_answer(200, body)
