"""What each method of Centrifugo's server API does here.

A channel is a topic, a user an authid, a client a session by its id as text, and a position's two parts are
``offset`` and ``epoch``. Methods take the key's holder and the request's members; they raise ``Refused``.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple, cast

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from radiod import __version__
from radiod.core.budgets.idempotency import Answers, Kept, Running
from radiod.core.delivery.broadcast import Publication
from radiod.core.history.positions import Position
from radiod.core.promises import Promise, chain
from radiod.core.pubsub.replay import Page
from radiod.core.realm.management import Load
from radiod.core.series import series
from radiod.errors import INVALID_ARGUMENT, RadiodError, Refused
from radiod.web.callers import Caller
from radiod.web.centrifugo.replies import (
    BAD_REQUEST,
    NO_METHOD,
    POSITION_GONE,
    UNAVAILABLE,
    Failure,
    Reply,
    reply_of,
    wrapped,
)
from radiod.web.tracing import TracedCaller
from radiod.wire.codecs import JSON, Payload, Undecodable
from radiod.wire.halves import HALF, has_halves
from radiod.wire.options import PublishOptions
from radiod.wire.samples import sample_of

__all__ = ["ABSENT", "Methods"]

MAX_EVENTS: Final = 1000
"""Events in one answer: whoever wants more asks again, behind the last."""

MAX_KEY: Final = 255
"""Characters of an idempotency key."""

ABSENT: Final = frozenset(
    (
        "block_user", "cancel_push", "connections", "delete_user_status", "device_list", "device_register",
        "device_remove", "device_topic_list", "device_topic_update", "device_update", "get_user_status",
        "history_remove", "invalidate_user_tokens", "rate_limit", "refresh", "revoke_token", "rpc",
        "send_push_notification", "subscribe", "unblock_user", "update_push_status", "update_user_status",
        "user_topic_list", "user_topic_update",
    )
)  # fmt: skip
"""Methods that Centrifugo has, and radiod has not; beside these all whose names begin with ``MAP``."""

MAP: Final = "map_"

NOT_FOR_EVENTS: Final = ("skip_history", "tags", "delta", "version", "version_epoch")
"""Options of publishing that radiod does not have."""

NOTHING: Final = frozenset((b"null", b"false", b"0", b'""', b"{}", b"[]"))
"""Values by which an option is not asked for."""

Replies = list[Reply | RadiodError]

_MEMBERS: Final = msgspec.json.Decoder(dict[str, Raw])


class Nobody(Struct):
    """A request without members that count."""


class OfChannel(Struct):
    """A request about one channel."""

    channel: str


class Event(Struct, kw_only=True):
    """What is published. ``b64data``: binary, and counts before ``data``."""

    data: Raw | UnsetType = UNSET
    b64data: str = ""
    idempotency_key: str = ""


class Publish(Event, kw_only=True):
    channel: str


class Broadcast(Event, kw_only=True):
    channels: list[str]


class StreamPosition(Struct):
    offset: int = 0
    epoch: str = ""


class History(OfChannel, kw_only=True):
    """``limit``: 0 for the position alone, less than that for all."""

    limit: int | None = None
    since: StreamPosition | None = None
    reverse: bool | None = None


class Channels(Struct):
    pattern: str | None = None


class Farewell(Struct):
    """``code`` is Centrifugo's; a WAMP session has none."""

    code: int = 0
    reason: str = ""


class Disconnect(Struct):
    user: str
    client: str | None = None
    whitelist: list[str] | None = None
    disconnect: Farewell | None = None


class Unsubscribe(Struct):
    user: str
    channel: str
    client: str | None = None


class Method(NamedTuple):
    """``absent``: options of it that radiod does not have."""

    run: Callable[[Caller, Any], Reply | Promise[Reply]]
    members: msgspec.json.Decoder[Any]
    absent: tuple[str, ...] = ()


class Methods:
    """All methods but ``batch``.

    Args:
        answers: results of publishing with an idempotency key.
        uid: names this process.
    """

    def __init__(self, answers: Answers, uid: str) -> None:
        self._answers = answers
        self._uid = uid
        self._table: Mapping[str, Method] = {
            "publish": Method(self.publish, msgspec.json.Decoder(Publish), NOT_FOR_EVENTS),
            "broadcast": Method(self.broadcast, msgspec.json.Decoder(Broadcast), NOT_FOR_EVENTS),
            "history": Method(history, msgspec.json.Decoder(History)),
            "presence": Method(presence, msgspec.json.Decoder(OfChannel)),
            "presence_stats": Method(presence_stats, msgspec.json.Decoder(OfChannel)),
            "channels": Method(channels, msgspec.json.Decoder(Channels)),
            "info": Method(self.info, msgspec.json.Decoder(Nobody)),
            "disconnect": Method(disconnect, msgspec.json.Decoder(Disconnect), ("session",)),
            "unsubscribe": Method(unsubscribe, msgspec.json.Decoder(Unsubscribe), ("session",)),
        }

    def call(self, name: str, caller: Caller, body: bytes) -> Reply | Promise[Reply]:
        """Do what a request asks for. ``body``: its members, as JSON."""
        method = self._table.get(name)
        if method is None:
            is_known = name in ABSENT or name.startswith(MAP)
            return Failure.of(UNAVAILABLE if is_known else NO_METHOD, name[:64])
        try:
            fields = _MEMBERS.decode(body)
            asked = [one for one in method.absent if bytes(fields.get(one, b"null")) not in NOTHING]
            if asked:
                return Failure.of(UNAVAILABLE, f"there is no {asked[0]} here")
            members = method.members.decode(body)
        except (ValueError, RecursionError) as error:
            return Failure.of(BAD_REQUEST, HALF if has_halves(body) else str(error).splitlines()[0][:200])
        return reply_of(lambda: method.run(caller, members))

    # --- publishing

    def publish(self, caller: Caller, asked: Publish) -> Reply | Promise[Reply]:
        """→ ``{"offset", "epoch"}``, or nothing where events are not counted."""
        return self._publish(caller, asked.channel, _payload(caller, asked), asked.idempotency_key)

    def broadcast(self, caller: Caller, asked: Broadcast) -> Reply | Promise[Reply]:
        """→ ``{"responses"}``: for each channel what ``publish`` would have answered."""
        if not asked.channels:
            raise Refused(INVALID_ARGUMENT, "channels must not be empty")
        payload = _payload(caller, asked)

        def publish(channel: str) -> Reply | Promise[Reply]:
            return reply_of(lambda: self._publish(caller, channel, payload, asked.idempotency_key))

        def tell(replies: Replies) -> Reply:
            return {"responses": [wrapped(one) for one in replies]}

        done: Any = series(caller.realm.management.slices, asked.channels, publish)
        return chain(done, tell)

    def _publish(
        self, caller: Caller, channel: str, payload: Payload, idempotency_key: str
    ) -> Reply | Promise[Reply]:
        """Publish, unless that was done under this key: then with the first result, whatever the data."""
        if not idempotency_key:
            return _publish(caller, channel, payload)
        if len(idempotency_key) > MAX_KEY:
            raise Refused(INVALID_ARGUMENT, f"an idempotency_key has up to {MAX_KEY} characters")
        holder = caller.realm.name, caller.id

        def go_on(before: Running | Kept) -> Reply | Promise[Reply]:
            if isinstance(before, Kept):
                return cast("dict[str, Any]", before.answer)
            return _remembered(before, lambda: _publish(caller, channel, payload))

        begun: Any = self._answers.begin(holder, f"centrifugo {channel}", idempotency_key, b"")
        return chain(begun, go_on)

    # --- looking

    def info(self, caller: Caller, asked: Nobody) -> Reply | Promise[Reply]:
        """→ ``{"nodes"}``: each server that has the key's realm, with what goes on in it there."""

        def tell(loads: list[Load]) -> Reply:
            return {"nodes": [self._node(load) for load in loads]}

        return chain(caller.realm.management.loads(), tell)

    def _node(self, load: Load) -> Reply:
        return {
            # Of another node its name is what nobody else has.
            "uid": load.node or self._uid,
            "name": load.node or "radiod",
            "version": __version__,
            "num_clients": load.sessions,
            "num_users": load.users,
            "num_subs": load.subscribed,
            "num_channels": load.subscriptions,
            "uptime": int(load.uptime),
        }


def _payload(caller: Caller, event: Event) -> Payload:
    """Raises: Refused: ``invalid_argument``: there is none, or other people's decoders could not take it."""
    if event.b64data:
        try:
            data = base64.b64decode(event.b64data, validate=True)
        except (binascii.Error, ValueError):
            raise Refused(INVALID_ARGUMENT, "b64data must be base64") from None
        content = JSON.dump([data])
    elif isinstance(event.data, UnsetType):
        raise Refused(INVALID_ARGUMENT, "data is missing")
    else:
        content = b"[%b]" % bytes(event.data)
    return JSON.payload(content, b"", max_nesting=caller.realm.gateway.max_nesting)


def _publish(caller: Caller, channel: str, payload: Payload) -> Reply | Promise[Reply]:
    def tell(published: Publication) -> Reply:
        return {"offset": published.seq, "epoch": published.epoch} if published.epoch else {}

    # An HTTP answer is an acknowledgement.
    options = PublishOptions(acknowledge=True)
    if isinstance(caller, TracedCaller):
        caller.trace.mark(options)
    return chain(caller.realm.gateway.publish(caller.visitor, channel, payload, options), tell)


def _remembered(running: Running, act: Callable[[], Reply | Promise[Reply]]) -> Reply | Promise[Reply]:
    """What ``act`` comes to; its result is kept, and nothing else, so that it may be tried again."""

    def ended(outcome: Reply | RadiodError) -> None:
        if isinstance(outcome, dict):
            running.answered(200, outcome, len(JSON.dump(outcome)))
        else:
            running.release()

    try:
        outcome = act()
    except BaseException:
        running.release()
        raise
    if not isinstance(outcome, Promise):
        ended(outcome)
        return outcome
    later: Promise[Reply] = Promise()

    def proceed(late: Reply | RadiodError) -> None:
        ended(late)
        later.settle(late)

    outcome.then(proceed)
    return later


def history(caller: Caller, asked: History) -> Reply | Promise[Reply]:
    """→ ``{"publications", "offset", "epoch"}``; offset and epoch are of the channel's last event."""
    limit = asked.limit or 0
    since = None if asked.since is None else Position(asked.since.epoch, asked.since.offset)
    most = MAX_EVENTS if limit < 0 else min(limit, MAX_EVENTS)
    past = caller.realm.management.past(
        caller.visitor, asked.channel, since, most, is_reversed=bool(asked.reverse)
    )

    def tell(found: tuple[Page, Position]) -> Reply:
        page, position = found
        if not page.is_recovered:
            return Failure.of(POSITION_GONE)
        told = list(_told(page))
        size = sum(size for _, size in told)
        caller.realm.gateway.retold(caller.visitor, asked.channel, len(told), size)
        return {"publications": [event for event, _ in told], "offset": position.seq, "epoch": position.epoch}

    return chain(past, tell)


def _told(page: Page) -> Iterable[tuple[dict[str, Any], int]]:
    """The events of a page, each with its payload bytes.

    One that JSON cannot express is left out, as for every listener of JSON.
    """
    for record in page.records:
        try:
            data = sample_of(record.fresh_payload())
        except Undecodable:
            continue
        yield {"data": Raw(data), "offset": record.seq}, len(record.payload)


def presence(caller: Caller, asked: OfChannel) -> Reply | Promise[Reply]:
    """→ ``{"presence": {client: {"client", "user"}}}``."""

    def tell(listeners: dict[int, str]) -> Reply:
        clients = {str(id): {"client": str(id), "user": authid} for id, authid in listeners.items()}
        return {"presence": clients}

    return chain(caller.realm.management.listeners(caller.visitor, asked.channel), tell)


def presence_stats(caller: Caller, asked: OfChannel) -> Reply | Promise[Reply]:
    """→ ``{"num_clients", "num_users"}``."""

    def tell(crowd: tuple[int, int]) -> Reply:
        return {"num_clients": crowd[0], "num_users": crowd[1]}

    return chain(caller.realm.management.headcount(caller.visitor, asked.channel), tell)


def channels(caller: Caller, asked: Channels) -> Reply | Promise[Reply]:
    """→ ``{"channels": {name: {"num_clients"}}}``: those that somebody listens to."""

    def tell(heard: dict[str, int]) -> Reply:
        return {"channels": {name: {"num_clients": count} for name, count in heard.items()}}

    return chain(caller.realm.management.heard(caller.visitor, asked.pattern or "*"), tell)


def disconnect(caller: Caller, asked: Disconnect) -> Reply | Promise[Reply]:
    """End the sessions of a user → nothing."""
    reason = asked.disconnect.reason if asked.disconnect is not None else ""
    but = frozenset(map(_session, asked.whitelist or ()))
    only = None if asked.client is None else _session(asked.client)
    done = caller.realm.management.disconnect(caller.visitor, asked.user, reason or None, only=only, but=but)
    return chain(done, _nothing)


def unsubscribe(caller: Caller, asked: Unsubscribe) -> Reply | Promise[Reply]:
    """Take a channel away from the sessions of a user → nothing."""
    only = None if asked.client is None else _session(asked.client)
    done = caller.realm.management.unsubscribe(caller.visitor, asked.user, asked.channel, only=only)
    return chain(done, _nothing)


def _session(client: str) -> int:
    """A session's id; 0, which nobody has: it is none."""
    return int(client) if len(client) <= 16 and client.isascii() and client.isdigit() else 0


def _nothing(count: int) -> Reply:
    return {}
