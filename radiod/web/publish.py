"""``POST /publish``: one sample in, broadcast to everybody who listens.

Two dialects, told apart by the body's keys. ``{"network", "data"}`` is that of the Django radio: statuses,
texts and the order of checks are a compatibility contract (``docs/protocol.md``, "HTTP publish").
``{"topic", "args", "kwargs", "options"}`` is that of Crossbar's bridge: WAMP's own refusals come back with
status 200 and their URI. In both, what may succeed a little later is refused with status 503.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from radiod.core.delivery.broadcast import Publication
from radiod.core.promises import Promise
from radiod.core.realm.gateway import Gateway
from radiod.core.rights import Action, Actor, Verdict
from radiod.errors import RadiodError, Refused, WrongSecret, http_status
from radiod.web.answers import Request, credential, log_refused
from radiod.web.routes import Outcome, Route
from radiod.web.suspicion import Suspicion
from radiod.wire.answer import Answer
from radiod.wire.answers import json_answer
from radiod.wire.codecs import JSON
from radiod.wire.halves import HALF, has_halves
from radiod.wire.options import PublishOptions

__all__ = ["Publish"]

_BODY: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TEXT: Final = msgspec.json.Decoder(str)

NOT_YOURS: Final = "You cannot broadcast to this channel"

UNAVAILABLE: Final = 503
RETRY_AFTER: Final = "1"
"""Seconds."""

OK: Final = b'{"message":"OK"}'


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
    """The request is refused with this status and text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Publish(Route):
    """Publishes for whoever has an API key.

    ``writer(key)`` gives the realm's gateway, and who publishes there, for a key; None: there is no such key.
    """

    methods = ("POST", "OPTIONS")

    def __init__(self, writer: Callable[[str], tuple[Gateway, Actor] | None], suspicion: Suspicion) -> None:
        self._writer = writer
        self._suspicion = suspicion

    def post(self, request: Request) -> Outcome:
        """Publish, perhaps when it is the address's turn."""
        return self._suspicion.in_turn(request, _keys(request), lambda: self._publish(request))

    def _publish(self, request: Request) -> Outcome:
        """Check in the contract's order; publish; answer."""
        try:
            gateway, publisher = self._authenticate(request)
            fields = _parse(request.body)
            if "topic" in fields and "network" not in fields:
                return _publish_topic(request, gateway, publisher, self._suspicion)
            return _publish_network(request, gateway, publisher, fields, self._suspicion)
        except Rejected as rejection:
            return json_answer(rejection.status, {"error": str(rejection)})

    def _authenticate(self, request: Request) -> tuple[Gateway, Actor]:
        key = credential(request)
        if key is None:
            raise Rejected(400, "API-KEY missing in headers")
        found = self._writer(key)
        if found is None:
            log_refused(request, "API-KEY not valid")
            self._suspicion.wrong(request)
            raise Rejected(400, "API-KEY not valid")
        self._suspicion.proven(request, _keys(request))
        return found


def _keys(request: Request) -> tuple[str | None, ...]:
    return credential(request), request.header(b"channel-key")


def _parse(body: bytes) -> dict[str, msgspec.Raw]:
    """The body's members, raw; empty where the body is JSON but no object."""
    try:
        body.decode()
        return _BODY.decode(body)
    except msgspec.ValidationError:
        return {}
    except (ValueError, RecursionError):
        raise Rejected(400, HALF if has_halves(body) else "POST data is not JSON") from None


def _publish_network(
    request: Request,
    gateway: Gateway,
    publisher: Actor,
    fields: dict[str, msgspec.Raw],
    suspicion: Suspicion,
) -> Outcome:
    if "network" not in fields:
        raise Rejected(400, "*network* key missing")
    network = _network(fields["network"])
    # An HTTP answer is an acknowledgement.
    options = PublishOptions(acknowledge=True, key=request.header(b"channel-key"))
    if network is None:
        raise Rejected(403, NOT_YOURS)
    verdict = _right(gateway, publisher, network, options)
    if "data" not in fields:
        raise Rejected(400, "*data* key missing")
    data = bytes(fields["data"])
    if not data.startswith(b"{"):
        raise Rejected(400, "Can only broadcast json data")

    def say(outcome: Publication | RadiodError) -> Answer:
        if isinstance(outcome, RadiodError):
            return _refuse(http_status(outcome), {"error": outcome.text})
        return _accept(outcome, OK)

    def publish() -> Publication | Promise[Publication]:
        payload = JSON.payload(b"[%b]" % data, b"", max_nesting=gateway.max_nesting)
        return gateway.publish(publisher, network, payload, options, verdict)

    return _answer(request, say, publish, suspicion)


def _right(gateway: Gateway, publisher: Actor, topic: str, options: PublishOptions) -> Verdict | None:
    """The right to publish on a topic; None: it is no topic, which is told when it is published to.

    Raises: Rejected: there is none.
    """
    try:
        return gateway.may_publish(publisher, topic, options)
    except Refused:
        if not publisher.principal.permissions.allows(Action.PUBLISH, topic):
            raise Rejected(403, NOT_YOURS) from None
        return None


def _network(raw: msgspec.Raw) -> str | None:
    try:
        return _TEXT.decode(raw)
    except ValueError:
        return None


def _publish_topic(request: Request, gateway: Gateway, publisher: Actor, suspicion: Suspicion) -> Outcome:
    try:
        asked = _BRIDGE.decode(request.body)
    except ValueError as error:
        return json_answer(400, {"error": str(error).splitlines()[0][:200], "args": [], "kwargs": {}})

    def say(outcome: Publication | RadiodError) -> Answer:
        if not isinstance(outcome, RadiodError):
            return _accept(outcome, b'{"id":%d}' % outcome.id)
        status = http_status(outcome)
        body = {"error": outcome.uri, "args": [outcome.text], "kwargs": {}}
        return _refuse(status if status == UNAVAILABLE else 200, body)

    try:
        nesting = gateway.max_nesting
        payload = JSON.payload(_encode(asked.args), _encode(asked.kwargs), max_nesting=nesting)
    except Refused as refusal:
        # Like a body that is no JSON: what it says is no event.
        return json_answer(400, {"error": refusal.uri, "args": [refusal.text], "kwargs": {}})
    return _answer(
        request, say, lambda: gateway.publish(publisher, asked.topic, payload, asked.options), suspicion
    )


def _answer(
    request: Request,
    say: Callable[[Publication | RadiodError], Answer],
    publish: Callable[[], Publication | Promise[Publication]],
    suspicion: Suspicion,
) -> Outcome:
    """What became of ``publish``, as ``say`` puts it: at once, or when a slow listener has found room."""
    try:
        outcome = publish()
    except Refused as refusal:
        if isinstance(refusal, WrongSecret):
            log_refused(request, refusal.text)
            suspicion.wrong(request)
        return say(refusal)
    if not isinstance(outcome, Promise):
        return say(outcome)
    later: Promise[Answer] = Promise()
    outcome.then(lambda late: later.settle(say(late)))
    return later


def _accept(publication: Publication, content: bytes) -> Answer:
    return Answer(200, content, fields=(("X-Radiod-Readers", str(publication.readers)),))


def _refuse(status: int, body: dict[str, Any]) -> Answer:
    if status == UNAVAILABLE:
        return json_answer(status, body, ("Retry-After", RETRY_AFTER))
    return json_answer(status, body)


def _encode(part: Any) -> bytes:
    return msgspec.json.encode(part) if part else b""
