"""What one item that is to be published says, in either dialect, and what it is answered.

``{"network", "data"}`` is the dialect of the Django radio: statuses, texts and the order of checks are a
compatibility contract (``docs/protocol.md``, "HTTP publish"). ``{"topic", "args", "kwargs", "options"}`` is
that of Crossbar's bridge: WAMP's own refusals come back with status 200 and their URI. In both, what may
succeed a little later is refused with status 503.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from radiod.core.delivery.broadcast import Publication
from radiod.core.delivery.receipts import AwaitedRoom
from radiod.core.promises import Promise
from radiod.core.realm.gateway import Gateway
from radiod.core.rights import Action, Actor, Verdict
from radiod.errors import NoAccess, OverLimit, RadiodError, Refused, WrongSecret, http_status
from radiod.web.answers import Request, over_limit, retry_after
from radiod.web.callers import Caller, Callers
from radiod.web.limits import telling
from radiod.web.tracing import trace_of
from radiod.wire.answer import Answer
from radiod.wire.answers import json_answer
from radiod.wire.codecs import JSON, Payload
from radiod.wire.halves import HALF, has_halves
from radiod.wire.options import PublishOptions
from radiod.wire.replies import refused

__all__ = [
    "RETRY_AFTER",
    "UNAVAILABLE",
    "Later",
    "Publisher",
    "bridge_error",
    "bridge_over_limit",
    "is_for_bridge",
    "payload_of",
    "said_of",
]

_BODY: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TEXT: Final = msgspec.json.Decoder(str)

NOT_YOURS: Final = "You cannot broadcast to this channel"
NO_JSON: Final = "POST data is not JSON"

UNAVAILABLE: Final = 503
RETRY_AFTER: Final = "1"
"""Seconds."""

OK: Final = b'{"message":"OK"}'

MOST_WRONG: Final = 8
"""Wrong keys of channels in one request, after which no more is looked at: whoever guesses must ask again."""


MOST_TRACED: Final = 100
"""Items of one request that are part of its trace: nobody can read longer ones."""


class BridgeOptions(PublishOptions):
    """An HTTP answer is an acknowledgement, unless it is asked not to be."""

    acknowledge: bool = True


class BridgePublish(msgspec.Struct):
    """The body of Crossbar's dialect."""

    topic: str
    args: list[msgspec.Raw] = []
    kwargs: dict[str, msgspec.Raw] = {}
    options: BridgeOptions = msgspec.field(default_factory=BridgeOptions)


_BRIDGE: Final = msgspec.json.Decoder(BridgePublish)


class Rejected(Exception):
    """An item is refused with this status and text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Later:
    """The answer to an item is to come.

    ``is_for_room``: it waits for slow listeners, and whoever sends more should wait, too.
    """

    __slots__ = ("answer", "is_for_room")

    def __init__(self, is_for_room: bool) -> None:
        self.answer: Promise[Answer] = Promise()
        self.is_for_room = is_for_room


class Publisher:
    """Publishes the items of one request.

    ``holder``: what gives it access, which may end between two items.

    Args:
        caller: whose key the request has.
        callers: told of every wrong key of a channel.
    """

    __slots__ = (
        "_actor",
        "_caller",
        "_callers",
        "_channel_key",
        "_gateway",
        "_request",
        "_trace",
        "_traced",
        "_wrong_keys",
        "holder",
    )

    def __init__(self, caller: Caller, request: Request, callers: Callers) -> None:
        self.holder = caller.holder
        self._caller = caller
        self._gateway: Gateway = caller.realm.gateway
        self._actor: Actor = caller.visitor
        # Of the private channel that its items are for, if any.
        self._channel_key = request.header(b"channel-key")
        self._request = request
        self._callers = callers
        self._wrong_keys = 0
        self._trace = trace_of(request, callers)
        self._traced = 0

    def tell_limits(self) -> None:
        """Tell with an answer that begins what the plan of the account allows, and what is left."""
        telling(self._request, self._actor, "publish", None)

    def publish(self, body: bytes) -> Answer | Later:
        """Publish one item. Returns: what it is answered, now or later; it never raises ``RadiodError``."""
        try:
            if self._wrong_keys >= MOST_WRONG:
                raise Rejected(403, "not looked at: too many keys in this request were wrong")
            fields = _parse(body)
            if "topic" in fields and "network" not in fields:
                return self._publish_topic(body)
            return self._publish_network(fields)
        except Rejected as rejection:
            return json_answer(rejection.status, {"error": str(rejection)})

    def refuse(self) -> Answer | None:
        """What an item is answered if access has ended since the request came; None: it has not."""
        reason = self.holder.why_refused
        return json_answer(400, refused(NoAccess(reason))) if reason else None

    def _publish_network(self, fields: dict[str, msgspec.Raw]) -> Answer | Later:
        if "network" not in fields:
            raise Rejected(400, "*network* key missing")
        network = _network(fields["network"])
        # An HTTP answer is an acknowledgement.
        options = PublishOptions(acknowledge=True, key=self._channel_key)
        if self._trace is not None:
            self._mark(options)
        if network is None:
            raise Rejected(403, NOT_YOURS)
        verdict = self._right(network, options)
        if "data" not in fields:
            raise Rejected(400, "*data* key missing")
        data = bytes(fields["data"])
        if not data.startswith(b"{"):
            raise Rejected(400, "Can only broadcast json data")
        gateway = self._gateway

        def publish() -> Publication | Promise[Publication]:
            payload = JSON.payload(b"[%b]" % data, b"", max_nesting=gateway.max_nesting)
            return gateway.publish(self._actor, network, payload, options, verdict)

        return self._answer(_say_to_network, publish)

    def _mark(self, options: PublishOptions) -> None:
        """Have an item be part of the request's trace."""
        if self._trace is not None and self._traced < MOST_TRACED:
            self._traced += 1
            self._trace.mark(options)

    def _right(self, topic: str, options: PublishOptions) -> Verdict | None:
        """The right to publish on a topic; None: it is no topic, which is told when it is published to.

        Raises: Rejected: there is none.
        """
        try:
            return self._gateway.may_publish(self._actor, topic, options)
        except Refused:
            if not self._actor.principal.permissions.allows(Action.PUBLISH, topic):
                raise Rejected(403, NOT_YOURS) from None
            return None

    def _publish_topic(self, body: bytes) -> Answer | Later:
        try:
            asked = _BRIDGE.decode(body)
        except ValueError as error:
            return json_answer(400, bridge_error(said_of(error)))
        if asked.options.key is None:
            asked.options.key = self._channel_key
        if self._trace is not None:
            self._mark(asked.options)
        gateway = self._gateway
        try:
            payload = payload_of(asked.args, asked.kwargs, gateway.max_nesting)
        except Refused as refusal:
            # Like a body that is no JSON: what it says is no event.
            return json_answer(400, bridge_error(refusal.uri, refusal.text))
        return self._answer(
            _say_to_bridge, lambda: gateway.publish(self._actor, asked.topic, payload, asked.options)
        )

    def _answer(
        self,
        say: Callable[[Publication | RadiodError], Answer],
        publish: Callable[[], Publication | Promise[Publication]],
    ) -> Answer | Later:
        """What became of ``publish``, as ``say`` puts it: at once, or when a slow listener has found room."""
        try:
            outcome = publish()
        except Refused as refusal:
            if isinstance(refusal, WrongSecret):
                self._wrong_keys += 1
                self._callers.wrong(self._request, refusal.text, self._caller)
            return say(refusal)
        if not isinstance(outcome, Promise):
            return say(outcome)
        later = Later(isinstance(outcome, AwaitedRoom))
        outcome.then(lambda late: later.answer.settle(say(late)))
        return later


def is_for_bridge(body: bytes) -> bool:
    """Whether an item is in Crossbar's dialect."""
    try:
        fields = _parse(body)
    except Rejected:
        return False
    return "topic" in fields and "network" not in fields


def _parse(body: bytes) -> dict[str, msgspec.Raw]:
    """The body's members, raw; empty where the body is JSON but no object."""
    try:
        body.decode()
        return _BODY.decode(body)
    except msgspec.ValidationError:
        return {}
    except (ValueError, RecursionError):
        raise Rejected(400, HALF if has_halves(body) else NO_JSON) from None


def _network(raw: msgspec.Raw) -> str | None:
    try:
        return _TEXT.decode(raw)
    except ValueError:
        return None


def _say_to_network(outcome: Publication | RadiodError) -> Answer:
    if isinstance(outcome, OverLimit):
        return over_limit(outcome)
    if isinstance(outcome, RadiodError):
        return _refuse(http_status(outcome), {"error": outcome.text})
    return _accept(outcome, OK)


def _say_to_bridge(outcome: Publication | RadiodError) -> Answer:
    if not isinstance(outcome, RadiodError):
        return _accept(outcome, b'{"id":%d}' % outcome.id)
    if isinstance(outcome, OverLimit):
        return bridge_over_limit(outcome)
    status = http_status(outcome)
    return _refuse(status if status == UNAVAILABLE else 200, bridge_error(outcome.uri, outcome.text))


def _accept(publication: Publication, content: bytes) -> Answer:
    return Answer(200, content, fields=(("X-Radiod-Readers", str(publication.readers)),))


def _refuse(status: int, body: dict[str, Any]) -> Answer:
    if status == UNAVAILABLE:
        return json_answer(status, body, ("Retry-After", RETRY_AFTER))
    return json_answer(status, body)


def bridge_error(error: str, *args: str) -> dict[str, Any]:
    """An error as Crossbar's bridge tells it."""
    return {"error": error, "args": list(args), "kwargs": {}}


def bridge_over_limit(error: OverLimit) -> Answer:
    """A refusal for a limit of a plan, as that bridge would tell it."""
    return json_answer(429, bridge_error(error.uri, error.text), retry_after(error))


def said_of(error: ValueError) -> str:
    """What a decoder says of a body that is not what it should be, on one line."""
    return str(error).splitlines()[0][:200]


def payload_of(args: list[msgspec.Raw], kwargs: dict[str, msgspec.Raw], max_nesting: int) -> Payload:
    """The payload of a body in Crossbar's dialect. Raises: Refused: others could not read it."""
    return JSON.payload(_encode(args), _encode(kwargs), max_nesting=max_nesting)


def _encode(part: Any) -> bytes:
    return msgspec.json.encode(part) if part else b""
